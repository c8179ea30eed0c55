/* utf8.c - UTF-8: decoding, encoding, validation and repair. */
#include "utf8.h"

#include <string.h>

#include "array.h"

size_t utf8_decode(const char *text, uint32_t *c) {
  const unsigned char *s = (const unsigned char *)text;
  if (s[0] < 0x80) {
    *c = s[0];
    return 1;
  }
  if (s[0] < 0xE0) {
    *c = (uint32_t)(s[0] & 0x1F) << 6 | (s[1] & 0x3F);
    return 2;
  }
  if (s[0] < 0xF0) {
    *c = (uint32_t)(s[0] & 0x0F) << 12 | (uint32_t)(s[1] & 0x3F) << 6 | (s[2] & 0x3F);
    return 3;
  }
  *c = (uint32_t)(s[0] & 0x07) << 18 | (uint32_t)(s[1] & 0x3F) << 12 | (uint32_t)(s[2] & 0x3F) << 6 | (s[3] & 0x3F);
  return 4;
}

size_t utf8_encode(uint32_t c, char out[4]) {
  if (c < 0x80) {
    out[0] = (char)c;
    return 1;
  }
  if (c < 0x800) {
    out[0] = (char)(0xC0 | c >> 6);
    out[1] = (char)(0x80 | (c & 0x3F));
    return 2;
  }
  if (c < 0x10000) {
    out[0] = (char)(0xE0 | c >> 12);
    out[1] = (char)(0x80 | (c >> 6 & 0x3F));
    out[2] = (char)(0x80 | (c & 0x3F));
    return 3;
  }
  out[0] = (char)(0xF0 | c >> 18);
  out[1] = (char)(0x80 | (c >> 12 & 0x3F));
  out[2] = (char)(0x80 | (c >> 6 & 0x3F));
  out[3] = (char)(0x80 | (c & 0x3F));
  return 4;
}

/*
** Looks at one sequence: returns its length when well-formed; otherwise 0 and in
** *bad the length of its maximal ill-formed part (Unicode Standard, table 3-7).
*/
static size_t sequence_length(const unsigned char *s, size_t len, size_t *bad) {
  unsigned char low = 0x80, high = 0xBF;
  size_t need, i;
  *bad = 1;
  if (s[0] < 0x80) return 1;
  if (s[0] < 0xC2 || s[0] > 0xF4) return 0;
  need = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
  if (s[0] == 0xE0) low = 0xA0;       /* overlong */
  else if (s[0] == 0xED) high = 0x9F; /* surrogates */
  else if (s[0] == 0xF0) low = 0x90;  /* overlong */
  else if (s[0] == 0xF4) high = 0x8F; /* above U+10FFFF */
  for (i = 1; i < need; i++) {
    if (i == len || s[i] < low || s[i] > high) {
      *bad = i;
      return 0;
    }
    low = 0x80;
    high = 0xBF;
  }
  return need;
}

size_t utf8_valid_prefix(const char *text, size_t len) {
  size_t i = 0, bad;
  while (i < len) {
    size_t n = sequence_length((const unsigned char *)text + i, len - i, &bad);
    if (n == 0) break;
    i += n;
  }
  return i;
}

lun_status utf8_append(struct utf8_bytes *out, const char *text, size_t len, struct text_error *err) {
  if (!ARRAY_RESERVE(out, out->count + len + 1)) return text_no_memory(err);
  if (len > 0) memcpy(out->items + out->count, text, len);
  out->count += len;
  return LUN_OK;
}

lun_status utf8_append_lossy(struct utf8_bytes *out, const char *text, size_t len, struct text_error *err) {
  for (;;) {
    size_t good = utf8_valid_prefix(text, len), bad = 0;
    lun_status st = utf8_append(out, text, good, err);
    if (st != LUN_OK || good == len) return st;
    sequence_length((const unsigned char *)text + good, len - good, &bad);
    st = utf8_append(out, "\xEF\xBF\xBD", 3, err);
    if (st != LUN_OK) return st;
    text += good + bad;
    len -= good + bad;
  }
}
