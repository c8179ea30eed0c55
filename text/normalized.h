/*
** normalized.h - text under normalisation, which remembers where each byte came from.
**
** For every byte of 'text' there is a span: the bytes of the original text it stands for.  All
** bytes of a character have the same span; characters that were added take a neighbour's.
*/
#ifndef TEXT_NORMALIZED_H
#define TEXT_NORMALIZED_H

#include <stddef.h>
#include <stdint.h>

#include "text_error.h"

struct span {
  uint32_t begin, end; /* bytes of the original text */
};

struct normalized {
  char *text;        /* valid UTF-8 */
  struct span *from; /* of each byte */
  size_t len, cap;
};

/* One character of a rewritten text, see normalized_rewrite(). */
struct change {
  uint32_t c;
  int32_t diff; /* 0: replaces a character; +1: is added; -n: replaces one and swallows n more */
};

struct changes {
  struct change *items;
  size_t count, cap;
};

/* Room for 'len' bytes in all.  LUN_EMEM. */
lun_status normalized_reserve(struct normalized *n, size_t len, struct text_error *err);

/* Appends bytes and their spans.  LUN_EMEM. */
lun_status normalized_append(struct normalized *n, const char *text, const struct span *from, size_t len,
                             struct text_error *err);

/* Appends one character, all of whose bytes come from 'from'.  LUN_EMEM. */
lun_status normalized_append_char(struct normalized *n, uint32_t c, struct span from, struct text_error *err);

/*
** Appends to 'out' the characters of 'changes', which walk over 'in' from its start: a replacing
** character takes the span of the one it replaces, an added one that of the byte before it.  LUN_EMEM.
*/
lun_status normalized_rewrite(struct normalized *out, const struct normalized *in, const struct changes *changes,
                              struct text_error *err);

void normalized_swap(struct normalized *a, struct normalized *b);
void normalized_free(struct normalized *n);

#endif
