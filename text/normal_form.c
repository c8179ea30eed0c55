/*
** normal_form.c - Unicode normal forms as a list of changes.
**
** The 'diff' of a character travels with it through reordering and composition, as in the crate
** unicode-normalization-alignments, since offsets of the tokens depend on it.
*/
#include "normal_form.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "unicode.h"
#include "utf8.h"

/* Canonical ordering of the marks from 'begin' on: a counting sort by class, so that it is stable and linear. */
static lun_status order_marks(struct changes *list, size_t begin, struct changes *scratch, struct text_error *err) {
  size_t count = list->count - begin, place[256] = {0}, sum = 0, i;
  struct change *marks = list->items + begin;
  for (i = 1; i < count; i++)
    if (unicode_combining_class(marks[i].c) < unicode_combining_class(marks[i - 1].c)) break;
  if (i >= count) return LUN_OK;
  if (!ARRAY_RESERVE(scratch, count)) return text_no_memory(err);
  memcpy(scratch->items, marks, count * sizeof *marks);
  for (i = 0; i < count; i++) place[unicode_combining_class(marks[i].c)]++;
  for (i = 0; i < 256; i++) {
    size_t n = place[i];
    place[i] = sum;
    sum += n;
  }
  for (i = 0; i < count; i++) marks[place[unicode_combining_class(scratch->items[i].c)]++] = scratch->items[i];
  return LUN_OK;
}

static lun_status decompose(const char *text, size_t len, int compat, struct changes *out, struct changes *scratch,
                            struct text_error *err) {
  size_t at = 0, marks = 0; /* where the last marks begin */
  lun_status st = LUN_OK;
  while (st == LUN_OK && at < len) {
    uint32_t c, parts[UNICODE_DECOMPOSED];
    int n, i;
    at += utf8_decode(text + at, &c);
    n = unicode_decompose(c, compat, parts);
    if (!ARRAY_RESERVE(out, out->count + (size_t)n)) return text_no_memory(err);
    for (i = 0; st == LUN_OK && i < n; i++) {
      int starter = unicode_combining_class(parts[i]) == 0;
      if (starter && out->count > marks) st = order_marks(out, marks, scratch, err);
      out->items[out->count].c = parts[i];
      out->items[out->count++].diff = i > 0;
      if (starter) marks = out->count;
    }
  }
  return st == LUN_OK && out->count > marks ? order_marks(out, marks, scratch, err) : st;
}

/* Composes in place: a mark joins the last starter unless one of the same or a higher class stands between. */
static void compose(struct changes *list) {
  size_t read, write = 0, starter = SIZE_MAX;
  int last_class = 0; /* of the last mark kept after 'starter'; 0 when there is none */
  for (read = 0; read < list->count; read++) {
    struct change ch = list->items[read];
    int class = unicode_combining_class(ch.c);
    if (starter != SIZE_MAX && (last_class == 0 || last_class < class)) {
      struct change *s = &list->items[starter];
      uint32_t joined = unicode_compose(s->c, ch.c);
      if (joined != 0) {
        s->c = joined;
        s->diff += ch.diff - 1;
        continue;
      }
    }
    if (class == 0) {
      starter = write;
      last_class = 0;
    } else if (starter != SIZE_MAX) {
      last_class = class;
    }
    list->items[write++] = ch;
  }
  list->count = write;
}

lun_status normal_form(const char *text, size_t len, int compat, int composed, struct changes *out,
                       struct text_error *err) {
  struct changes scratch = {0};
  lun_status st;
  out->count = 0;
  st = decompose(text, len, compat, out, &scratch, err);
  free(scratch.items);
  if (st == LUN_OK && composed) compose(out);
  return st;
}
