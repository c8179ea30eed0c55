/*
** normal_form.c - Unicode normal forms as a list of changes.
**
** The 'diff' of a character travels with it through reordering and composition, as in the crate
** unicode-normalization-alignments, since offsets of the tokens depend on it.
*/
#include "normal_form.h"

#include "array.h"
#include "unicode.h"
#include "utf8.h"

/* Canonical ordering: a stable insertion sort of the last character among the marks before it. */
static void order_last(struct changes *list) {
  size_t i = list->count - 1;
  struct change last = list->items[i];
  int class = unicode_combining_class(last.c);
  if (class == 0) return;
  while (i > 0 && unicode_combining_class(list->items[i - 1].c) > class) {
    list->items[i] = list->items[i - 1];
    i--;
  }
  list->items[i] = last;
}

/*
** Marks the longest run that order_last() may have to walk: Unicode's stream-safe format allows 30
** marks in a row; real text has fewer, hostile text is stopped from costing quadratic time.
*/
enum { MAX_MARKS = 4096 };

static lun_status decompose(const char *text, size_t len, int compat, struct changes *out, struct text_error *err) {
  size_t at = 0, marks = 0;
  while (at < len) {
    uint32_t c, parts[UNICODE_DECOMPOSED];
    int n, i;
    at += utf8_decode(text + at, &c);
    n = unicode_decompose(c, compat, parts);
    if (!ARRAY_RESERVE(out, out->count + (size_t)n)) return text_no_memory(err);
    for (i = 0; i < n; i++) {
      marks = unicode_combining_class(parts[i]) == 0 ? 0 : marks + 1;
      if (marks > MAX_MARKS)
        return text_fail(err, LUN_EARG, "more than %d combining marks in a row, at byte %zu of the text", MAX_MARKS, at);
      out->items[out->count].c = parts[i];
      out->items[out->count++].diff = i > 0;
      order_last(out);
    }
  }
  return LUN_OK;
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
  lun_status st;
  out->count = 0;
  st = decompose(text, len, compat, out, err);
  if (st == LUN_OK && composed) compose(out);
  return st;
}
