/* gguf_write.c - the header of a GGUF file, version 3; gguf.c says what is in it. */
#include <string.h>
#include "gguf.h"
#include "writer.h"

static void put_string(lun_head *h, const char *text, size_t length) {
  lun_head_number(h, length, 8);
  lun_head_bytes(h, text, length);
}

static void put_value(lun_head *h, const lun_entry *e) {
  put_string(h, e->key, strlen(e->key));
  if (e->value.type == LUN_STR) {
    lun_head_number(h, LUN_GGUF_STRING, 4);
    put_string(h, e->value.text, e->value.length);
  } else {
    lun_head_number(h, LUN_GGUF_U32, 4);
    lun_head_number(h, (uint64_t)e->value.i, 4);
  }
}

static int code_of(const char *type) {
  const lun_file_type *t = lun_gguf_types;
  while (strcmp(t->name, type) != 0) t++;
  return t->code;
}

static size_t padding(size_t at) { return (LUN_GGUF_ALIGNMENT - at % LUN_GGUF_ALIGNMENT) % LUN_GGUF_ALIGNMENT; }

void lun_gguf_header(lun_head *h, const lun_weights *w) {
  size_t at = 0;
  lun_head_text(h, LUN_GGUF_MAGIC);
  lun_head_number(h, 3, 4);
  lun_head_number(h, w->weight_count, 8);
  lun_head_number(h, w->entry_count, 8);
  for (size_t i = 0; i < w->entry_count; i++) put_value(h, &w->entry[i]);
  for (size_t i = 0; i < w->weight_count; i++) {
    const lun_weight *t = &w->weight[i];
    put_string(h, t->name, strlen(t->name));
    lun_head_number(h, (uint64_t)t->rank, 4);
    for (int k = t->rank - 1; k >= 0; k--) lun_head_number(h, (uint64_t)t->dim[k], 8);
    lun_head_number(h, (uint64_t)code_of(t->type), 4);
    lun_head_number(h, at, 8);
    at += t->bytes + padding(t->bytes);
  }
  for (size_t n = padding(h->size); n > 0; n--) lun_head_number(h, 0, 1);
}
