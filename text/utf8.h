/* utf8.h - UTF-8 to code points and back. */
#ifndef TEXT_UTF8_H
#define TEXT_UTF8_H

#include <stdint.h>

#include "text_error.h"

struct utf8_bytes {
  char *items;
  size_t count, cap;
};

/* First code point of valid UTF-8 (len > 0) into *c; returns its bytes. */
size_t utf8_decode(const char *text, uint32_t *c);

/* Bytes of 'c', at most 4, into 'out'; returns how many. */
size_t utf8_encode(uint32_t c, char out[4]);

/* Length of the longest valid prefix: 'len' when all is valid. */
size_t utf8_valid_prefix(const char *text, size_t len);

/* Appends the bytes.  LUN_EMEM. */
lun_status utf8_append(struct utf8_bytes *out, const char *text, size_t len, struct text_error *err);

/*
** Appends 'text' with U+FFFD for each maximal part of an ill-formed sequence
** (the Unicode Standard, section 3.9, as Rust's String::from_utf8_lossy does).  LUN_EMEM.
*/
lun_status utf8_append_lossy(struct utf8_bytes *out, const char *text, size_t len, struct text_error *err);

#endif
