/*
** vision.h - what the files that speak to the host share.
*/
#ifndef VISION_H
#define VISION_H

#include "lun_plugin.h"

extern const lun_host *host;            /* set once, by lun_plugin_open() */

extern const lun_block patch_embedding_block;
extern const lun_func  vision_functions[];   /* ends with a NULL name */

#endif
