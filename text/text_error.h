/* text_error.h - what went wrong in the tokenizer engine, carried without the host. */
#ifndef TEXT_ERROR_H
#define TEXT_ERROR_H

#include "lun_plugin.h"

/* The engine calls no host service: it fills this, and plugin.c passes it on. */
struct text_error {
  lun_status code;
  char message[512];
};

/* Records code and message, returns 'code'. */
lun_status text_fail(struct text_error *err, lun_status code, const char *fmt, ...) LUN_PRINTF(3, 4);

/* LUN_EMEM with its one message. */
lun_status text_no_memory(struct text_error *err);

#endif
