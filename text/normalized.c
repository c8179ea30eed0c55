/* normalized.c - text with the origin of its bytes. */
#include "normalized.h"

#include <stdlib.h>
#include <string.h>

#include "utf8.h"

lun_status normalized_reserve(struct normalized *n, size_t len, struct text_error *err) {
  size_t cap = n->cap + n->cap / 2;
  char *text;
  struct span *from;
  if (len <= n->cap) return LUN_OK;
  if (cap < len) cap = len;
  if (cap < 64) cap = 64;
  if (cap > SIZE_MAX / 2 / sizeof *from) return text_no_memory(err);
  text = realloc(n->text, cap);
  if (text == NULL) return text_no_memory(err);
  n->text = text;
  from = realloc(n->from, cap * sizeof *from);
  if (from == NULL) return text_no_memory(err); /* 'text' is larger than 'cap' says, which is harmless */
  n->from = from;
  n->cap = cap;
  return LUN_OK;
}

lun_status normalized_append(struct normalized *n, const char *text, const struct span *from, size_t len,
                             struct text_error *err) {
  lun_status st = normalized_reserve(n, n->len + len, err);
  if (st != LUN_OK || len == 0) return st;
  memcpy(n->text + n->len, text, len);
  memcpy(n->from + n->len, from, len * sizeof *from);
  n->len += len;
  return LUN_OK;
}

lun_status normalized_append_char(struct normalized *n, uint32_t c, struct span from, struct text_error *err) {
  lun_status st = normalized_reserve(n, n->len + 4, err);
  size_t bytes;
  if (st != LUN_OK) return st;
  for (bytes = utf8_encode(c, n->text + n->len); bytes > 0; bytes--) n->from[n->len++] = from;
  return LUN_OK;
}

/* Moves over 'count' characters from byte 'at'; returns the byte after them. */
static size_t skip_chars(const struct normalized *in, size_t at, size_t count) {
  uint32_t c;
  while (count-- > 0 && at < in->len) at += utf8_decode(in->text + at, &c);
  return at;
}

lun_status normalized_rewrite(struct normalized *out, const struct normalized *in, const struct changes *changes,
                              struct text_error *err) {
  struct span start = {0, 0}; /* of nothing, before the first byte */
  size_t at = 0, i;
  if (in->len > 0) start.begin = start.end = in->from[0].begin;
  for (i = 0; i < changes->count; i++) {
    const struct change *ch = &changes->items[i];
    int added = ch->diff > 0 || at >= in->len;
    struct span from = !added ? in->from[at] : at > 0 ? in->from[at - 1] : start;
    lun_status st = normalized_append_char(out, ch->c, from, err);
    if (st != LUN_OK) return st;
    if (!added) at = skip_chars(in, at, 1 + (size_t)-ch->diff);
  }
  return LUN_OK;
}

void normalized_swap(struct normalized *a, struct normalized *b) {
  struct normalized t = *a;
  *a = *b;
  *b = t;
}

void normalized_free(struct normalized *n) {
  free(n->text);
  free(n->from);
  memset(n, 0, sizeof *n);
}
