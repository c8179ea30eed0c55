/* pieces.c - the list of pieces of a text. */
#include "pieces.h"

#include <stdlib.h>

#include "array.h"

lun_status pieces_add(struct piece_list *list, size_t begin, size_t end, int64_t id, struct text_error *err) {
  if (begin == end) return LUN_OK;
  if (!ARRAY_RESERVE(list, list->count + 1)) return text_no_memory(err);
  list->items[list->count++] = (struct piece){begin, end, id};
  return LUN_OK;
}

lun_status pieces_copy(struct pieces *out, const struct pieces *in, const struct piece *piece, struct text_error *err) {
  size_t begin = out->text.len, len = piece->end - piece->begin;
  lun_status st = normalized_append(&out->text, in->text.text + piece->begin, in->text.from + piece->begin, len, err);
  return st == LUN_OK ? pieces_add(&out->list, begin, begin + len, piece->id, err) : st;
}

void pieces_clear(struct pieces *p) {
  p->text.len = 0;
  p->list.count = 0;
}

void pieces_swap(struct pieces *a, struct pieces *b) {
  struct pieces t = *a;
  *a = *b;
  *b = t;
}

void pieces_free(struct pieces *p) {
  normalized_free(&p->text);
  free(p->list.items);
  p->list = (struct piece_list){0};
}
