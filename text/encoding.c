/* encoding.c - the lists of an encoding. */
#include "encoding.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

lun_status encoding_add(struct encoding *e, uint32_t id, uint32_t type_id, size_t begin, size_t end, const char *text,
                        size_t len, struct text_error *err) {
  size_t at = e->texts.count;
  lun_status st = utf8_append(&e->texts, text, len, err);
  if (st != LUN_OK) return st;
  if (!ARRAY_RESERVE(e, e->count + 1)) return text_no_memory(err);
  e->items[e->count++] = (struct encoded){id, type_id, begin, end, at, len};
  return LUN_OK;
}

lun_status encoding_append(struct encoding *e, const struct encoding *from, struct text_error *err) {
  size_t i;
  lun_status st = LUN_OK;
  for (i = 0; st == LUN_OK && i < from->count; i++) {
    const struct encoded *t = &from->items[i];
    st = encoding_add(e, t->id, t->type_id, t->begin, t->end, from->texts.items + t->text, t->text_len, err);
  }
  return st;
}

void encoding_keep(struct encoding *e, size_t count, int last) {
  if (count >= e->count) return;
  if (last && count > 0) memmove(e->items, e->items + (e->count - count), count * sizeof *e->items);
  e->count = count;
}

struct encoding *encodings_add(struct encodings *list) {
  if (!ARRAY_RESERVE(list, list->count + 1)) return NULL;
  memset(&list->items[list->count], 0, sizeof *list->items);
  return &list->items[list->count++];
}

void encoding_free(struct encoding *e) {
  free(e->items);
  free(e->texts.items);
  memset(e, 0, sizeof *e);
}

void encodings_free(struct encodings *list) {
  size_t i;
  for (i = 0; i < list->count; i++) encoding_free(&list->items[i]);
  free(list->items);
  memset(list, 0, sizeof *list);
}
