/*
** gguf_meta.c - values of GGUF metadata, read where they lie in the file.
**
** A list is kept as the place of its items and walked by lun_meta_next(): a
** vocabulary of 150 000 words costs nothing until somebody asks.
*/
#include <string.h>
#include "gguf.h"

#define LARGEST_TEXT ((uint64_t)64 << 20)    /* bytes of one string */
#define DEEPEST      8                       /* lists inside one another */

bool lun_gguf_number(const unsigned char **p, const unsigned char *end, int size, uint64_t *out) {
  if (end - *p < size) return false;
  *out = 0;
  for (int i = size - 1; i >= 0; i--) *out = *out << 8 | (*p)[i];
  *p += size;
  return true;
}

/* Bytes of a value; 0 for strings and lists, -1 for what is no type. */
static int size_of(uint64_t type) {
  static const signed char size[] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };
  return type < sizeof size ? size[type] : -1;
}

static lun_type list_of(uint64_t type) {
  switch (type) {
    case LUN_GGUF_STRING: return LUN_STRS;
    case LUN_GGUF_ARRAY: return LUN_OBJECT;
    case LUN_GGUF_F32:
    case LUN_GGUF_F64: return LUN_NUMS;
    default: return LUN_INTS;
  }
}

static void set_integer(lun_meta *out, int64_t v) {
  out->type = LUN_INT;
  out->i = v;
  out->n = (double)v;
}

static void set_scalar(lun_meta *out, uint64_t type, uint64_t bits) {
  float    f;
  double   d;
  uint32_t word = (uint32_t)bits;
  out->length = 1;
  switch (type) {
    case LUN_GGUF_I8: set_integer(out, (int8_t)bits); break;
    case LUN_GGUF_I16: set_integer(out, (int16_t)bits); break;
    case LUN_GGUF_I32: set_integer(out, (int32_t)bits); break;
    case LUN_GGUF_F32:
      memcpy(&f, &word, sizeof f);
      out->type = LUN_NUM;
      out->n = (double)f;
      break;
    case LUN_GGUF_F64:
      memcpy(&d, &bits, sizeof d);
      out->type = LUN_NUM;
      out->n = d;
      break;
    case LUN_GGUF_BOOL:
      out->type = LUN_BOOL;
      out->i = bits != 0;
      break;
    case LUN_GGUF_U64:
      if (bits > INT64_MAX) {
        out->type = LUN_NUM;
        out->n = (double)bits;
        break;
      } /* fall through */
    default: set_integer(out, (int64_t)bits); break;
  }
}

static const char *read_text(const unsigned char **p, const unsigned char *end, lun_meta *out) {
  uint64_t length;
  if (!lun_gguf_number(p, end, 8, &length) || length > (uint64_t)(end - *p)) return "a string reaches beyond the end of the file";
  if (length > LARGEST_TEXT) return "a string of more than 64 MiB";
  out->type = LUN_STR;
  out->text = (const char *)*p;
  out->length = (size_t)length;
  *p += length;
  return NULL;
}

static const char *read_value(const unsigned char **p, const unsigned char *end, uint64_t type, int depth, lun_meta *out);

static const char *read_list(const unsigned char **p, const unsigned char *end, int depth, lun_meta *out) {
  uint64_t    type, count;
  const char *wrong = NULL;
  int         size;
  if (depth == DEEPEST) return "lists nested deeper than 8";
  if (!lun_gguf_number(p, end, 4, &type) || !lun_gguf_number(p, end, 8, &count)) return "the file ends inside a list";
  size = size_of(type);
  if (size < 0) return "a list of an unknown type";
  if (count > (uint64_t)(end - *p) / (size ? (uint64_t)size : 8)) return "a list reaches beyond the end of the file";   /* a string or list has 8 bytes at least */
  *out = (lun_meta){ .type = list_of(type), .length = (size_t)count, .item = *p, .end = end, .item_type = (int)type };
  if (size) *p += (size_t)size * (size_t)count;
  for (uint64_t i = 0; !size && !wrong && i < count; i++) {
    lun_meta item;
    wrong = read_value(p, end, type, depth + 1, &item);
  }
  return wrong;
}

static const char *read_value(const unsigned char **p, const unsigned char *end, uint64_t type, int depth, lun_meta *out) {
  uint64_t bits;
  *out = (lun_meta){ .type = LUN_END };
  if (type == LUN_GGUF_STRING) return read_text(p, end, out);
  if (type == LUN_GGUF_ARRAY) return read_list(p, end, depth, out);
  if (size_of(type) < 0) return "an unknown type";
  if (!lun_gguf_number(p, end, size_of(type), &bits)) return "the file ends inside it";
  set_scalar(out, type, bits);
  return NULL;
}

const char *lun_gguf_meta(const unsigned char **p, const unsigned char *end, uint64_t type, lun_meta *out) {
  return read_value(p, end, type, 0, out);
}

bool lun_meta_next(lun_meta *list, lun_meta *out) {
  if (!list->item || list->length == 0) return false;
  list->length--;
  return read_value(&list->item, list->end, (uint64_t)list->item_type, 0, out) == NULL;
}
