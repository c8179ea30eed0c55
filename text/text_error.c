/* text_error.c - fills struct text_error. */
#include "text_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

/* Messages quote untrusted bytes: control characters and what a cut left of a character become '?'. */
static void clean(char *message) {
  size_t len = strlen(message), i;
  for (i = 0; i < len; i++)
    if ((unsigned char)message[i] < 0x20 || message[i] == 0x7F) message[i] = '?';
  for (i = 0; (i += utf8_valid_prefix(message + i, len - i)) < len;) message[i] = '?';
}

lun_status text_fail(struct text_error *err, lun_status code, const char *fmt, ...) {
  va_list args;
  err->code = code;
  va_start(args, fmt);
  vsnprintf(err->message, sizeof err->message, fmt, args);
  va_end(args);
  clean(err->message);
  return code;
}

lun_status text_no_memory(struct text_error *err) {
  return text_fail(err, LUN_EMEM, "out of memory in the tokenizer");
}
