/* error.c - fills struct text_error. */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

lun_status text_fail(struct text_error *err, lun_status code, const char *fmt, ...) {
  va_list args;
  err->code = code;
  va_start(args, fmt);
  vsnprintf(err->message, sizeof err->message, fmt, args);
  va_end(args);
  return code;
}

lun_status text_no_memory(struct text_error *err) {
  return text_fail(err, LUN_EMEM, "out of memory in the tokenizer");
}
