/*
** plugin.c - the plugin "vision": registers its functions and blocks.
*/
#include "vision.h"

LUN_PLUGIN("vision", "0.1.0", "MIT");

const lun_host *host;

lun_status lun_plugin_open(const lun_host *given, lun_plugin *self, const char **why) {
  host = given;
  for (const lun_func *f = vision_functions; f->name != NULL; f++) {
    lun_status status = host->add_func(self, f);
    if (status != LUN_OK) {
      *why = "a function could not be registered";
      return status;
    }
  }
  lun_status status = host->add_block(self, &patch_embedding_block);
  if (status != LUN_OK) *why = "a block could not be registered";
  return status;
}
