/* pieces.h - a text on its way to tokens: normalised, and cut into pieces. */
#ifndef TEXT_PIECES_H
#define TEXT_PIECES_H

#include "normalized.h"

#define PIECE_OPEN (-1)

struct piece {
  size_t begin, end; /* bytes of the normalised text; never empty */
  int64_t id;        /* of the added token it is, or PIECE_OPEN */
};

struct piece_list {
  struct piece *items;
  size_t count, cap;
};

/* The pieces lie side by side in 'text', in order, with gaps where something was removed. */
struct pieces {
  struct normalized text;
  struct piece_list list;
};

/* Appends a piece; an empty one is left out.  LUN_EMEM. */
lun_status pieces_add(struct piece_list *list, size_t begin, size_t end, int64_t id, struct text_error *err);

/* Appends bytes to 'out' as one piece.  LUN_EMEM. */
lun_status pieces_copy(struct pieces *out, const struct pieces *in, const struct piece *piece, struct text_error *err);

void pieces_clear(struct pieces *p);
void pieces_swap(struct pieces *a, struct pieces *b);
void pieces_free(struct pieces *p);

#endif
