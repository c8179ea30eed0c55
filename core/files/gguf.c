/*
** gguf.c - reads GGUF files, versions 2 and 3.
**
**     "GGUF", u32 version, u64 tensors, u64 values
**     values       string key, u32 type, the value; a string is u64 length and bytes, a list u32 type, u64 items and the items
**     tensors      string name, u32 rank, u64 dimensions (innermost first), u32 type, u64 offset
**     contents     from the next multiple of general.alignment (32), which offsets count from and are multiples of
**
** Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
*/
#include <stdio.h>
#include <string.h>
#include "gguf.h"
#include "json.h"
#include "weights.h"

#define LONGEST_NAME 65535u

/* Numbers and sizes: enum ggml_type and its traits in ggml. */
const lun_file_type lun_gguf_types[] = {
  { "F32",      0, LUN_F32,       1,   32 },
  { "F16",      1, LUN_F16,       1,   16 },
  { "BF16",    30, LUN_BF16,      1,   16 },
  { "F64",     28, LUN_F64,       1,   64 },
  { "I64",     27, LUN_I64,       1,   64 },
  { "I32",     26, LUN_I32,       1,   32 },
  { "Q8_0",     8, LUN_Q8_0,     32,  34 * 8 },
  { "Q4_0",     2, LUN_NDTYPES,  32,  18 * 8 },
  { "Q4_1",     3, LUN_NDTYPES,  32,  20 * 8 },
  { "Q5_0",     6, LUN_NDTYPES,  32,  22 * 8 },
  { "Q5_1",     7, LUN_NDTYPES,  32,  24 * 8 },
  { "Q2_K",    10, LUN_NDTYPES, 256,  84 * 8 },
  { "Q3_K",    11, LUN_NDTYPES, 256, 110 * 8 },
  { "Q4_K",    12, LUN_NDTYPES, 256, 144 * 8 },
  { "Q5_K",    13, LUN_NDTYPES, 256, 176 * 8 },
  { "Q6_K",    14, LUN_NDTYPES, 256, 210 * 8 },
  { "Q8_K",    15, LUN_NDTYPES, 256, 292 * 8 },
  { "IQ2_XXS", 16, LUN_NDTYPES, 256,  66 * 8 },
  { "IQ2_XS",  17, LUN_NDTYPES, 256,  74 * 8 },
  { "IQ3_XXS", 18, LUN_NDTYPES, 256,  98 * 8 },
  { "IQ1_S",   19, LUN_NDTYPES, 256,  50 * 8 },
  { "IQ4_NL",  20, LUN_NDTYPES,  32,  18 * 8 },
  { "IQ3_S",   21, LUN_NDTYPES, 256, 110 * 8 },
  { "IQ2_S",   22, LUN_NDTYPES, 256,  82 * 8 },
  { "IQ4_XS",  23, LUN_NDTYPES, 256, 136 * 8 },
  { "IQ1_M",   29, LUN_NDTYPES, 256,  56 * 8 },
  { "TQ1_0",   34, LUN_NDTYPES, 256,  54 * 8 },
  { "TQ2_0",   35, LUN_NDTYPES, 256,  66 * 8 },
  { "MXFP4",   39, LUN_NDTYPES,  32,  17 * 8 },
  { "I8",      24, LUN_NDTYPES,   1,    8 },
  { "I16",     25, LUN_NDTYPES,   1,   16 },
  { NULL,      -1, LUN_NDTYPES,   1,    0 },
};

typedef struct reader {
  lun_ctx             *cx;
  lun_weights         *w;
  const char          *path;
  lun_map             *map;
  const unsigned char *p, *end;
  size_t               alignment;
} reader;

bool lun_is_gguf(const lun_map *map) { return map->size >= 4 && memcmp(map->data, LUN_GGUF_MAGIC, 4) == 0; }

static lun_status cut_short(reader *r, const char *what, uint64_t i) {
  return lun_fail(r->cx, LUN_EIO, "%s: cut short: the file ends at byte %zu, inside %s %llu", r->path, r->map->size, what, (unsigned long long)i + 1);
}

/* A name or key, kept; NULL after an error. */
static const char *read_name(reader *r, const char *what, uint64_t i) {
  uint64_t    length;
  const char *name = NULL;
  if (!lun_gguf_number(&r->p, r->end, 8, &length)) {
    cut_short(r, what, i);
  } else if (length > LONGEST_NAME) {
    lun_fail(r->cx, LUN_EIO, "%s: the name of %s %llu has %llu bytes, at most %u are read", r->path, what, (unsigned long long)i + 1,
             (unsigned long long)length, LONGEST_NAME);
  } else if (length > (uint64_t)(r->end - r->p)) {
    cut_short(r, what, i);
  } else if (memchr(r->p, 0, (size_t)length)) {
    lun_fail(r->cx, LUN_EIO, "%s: the name of %s %llu holds a NUL", r->path, what, (unsigned long long)i + 1);
  } else if (!lun_is_utf8((const char *)r->p, (size_t)length)) {
    lun_fail(r->cx, LUN_EIO, "%s: the name of %s %llu is not UTF-8", r->path, what, (unsigned long long)i + 1);
  } else {
    name = lun_weights_keep(r->cx, r->w, (const char *)r->p, (size_t)length);
    r->p += length;
  }
  return name;
}

static lun_status read_entry(reader *r, uint64_t i) {
  const char *key = read_name(r, "value", i), *wrong;
  uint64_t    type;
  lun_meta   v;
  if (!key) return lun_error(r->cx);
  if (!lun_gguf_number(&r->p, r->end, 4, &type)) return cut_short(r, "value", i);
  wrong = lun_gguf_meta(&r->p, r->end, type, &v);
  if (wrong) return lun_fail(r->cx, LUN_EIO, "%s: metadata '%.200s': %s", r->path, key, wrong);
  if (strcmp(key, "general.alignment") == 0) {
    if (v.type != LUN_INT || v.i < 1 || v.i > 1 << 20 || (v.i & (v.i - 1)) != 0)
      return lun_fail(r->cx, LUN_EIO, "%s: general.alignment is %g, wanted a power of two up to 1048576", r->path, v.n);
    r->alignment = (size_t)v.i;
  }
  if (v.type == LUN_STR) v.text = lun_weights_keep(r->cx, r->w, v.text, v.length);
  return v.type == LUN_STR && !v.text ? lun_error(r->cx) : lun_weights_add_meta(r->cx, r->w, key, &v);
}

/* Reads dimensions, which lie innermost first; gives the elements of a row and of all. */
static lun_status read_shape(reader *r, lun_weight *t, uint64_t i, uint64_t *row, uint64_t *count) {
  uint64_t rank, dim;
  bool     empty = false;
  *row = *count = 1;
  if (!lun_gguf_number(&r->p, r->end, 4, &rank)) return cut_short(r, "tensor", i);
  if (rank > 1000) return lun_fail(r->cx, LUN_EIO, "%s: tensor '%.200s' has %llu dimensions", r->path, t->name, (unsigned long long)rank);
  t->rank = (int)rank;
  for (int k = t->rank - 1; k >= 0; k--) {
    if (!lun_gguf_number(&r->p, r->end, 8, &dim)) return cut_short(r, "tensor", i);
    if (dim > INT64_MAX || (dim && __builtin_mul_overflow(*count, dim, count)))
      return lun_fail(r->cx, LUN_EIO, "%s: tensor '%.200s': the elements of its shape do not fit 64 bits", r->path, t->name);
    if (k < LUN_MAXRANK) t->dim[k] = (int64_t)dim;
    if (k == t->rank - 1) *row = dim;
    if (dim == 0) empty = true;
  }
  if (empty) *count = 0;
  return LUN_OK;
}

static lun_status read_type(reader *r, lun_weight *t, uint64_t code, uint64_t row, uint64_t count) {
  const lun_file_type *type = lun_gguf_types;
  uint64_t             bytes;
  char                 word[32];
  while (type->name && (uint64_t)type->code != code) type++;
  t->dtype = type->dtype;
  t->type = type->name;
  if (!type->name) {
    snprintf(word, sizeof word, "number %llu", (unsigned long long)code);
    t->type = lun_weights_keep(r->cx, r->w, word, strlen(word));
    return lun_error(r->cx);
  }
  if (row % (uint64_t)type->block != 0)
    return lun_fail(r->cx, LUN_EIO, "%s: tensor '%.200s': rows of %llu elements do not fill blocks of %s, which have %d", r->path, t->name,
                    (unsigned long long)row, type->name, type->block);
  if (!lun_type_bytes(type, count, &bytes))
    return lun_fail(r->cx, LUN_EIO, "%s: tensor '%.200s': the bytes of %llu elements of %s do not fit 64 bits", r->path, t->name,
                    (unsigned long long)count, type->name);
  t->bytes = (size_t)bytes;
  return LUN_OK;
}

/* 'at' is the offset from where the contents begin; place_contents() makes it one in the file. */
static lun_status read_tensor(reader *r, uint64_t i) {
  lun_weight t = { .name = read_name(r, "tensor", i) };
  uint64_t   row, count, code, offset;
  if (!t.name || read_shape(r, &t, i, &row, &count) != LUN_OK) return lun_error(r->cx);
  if (!lun_gguf_number(&r->p, r->end, 4, &code) || !lun_gguf_number(&r->p, r->end, 8, &offset)) return cut_short(r, "tensor", i);
  if (read_type(r, &t, code, row, count) != LUN_OK) return lun_error(r->cx);
  if (offset % r->alignment != 0)
    return lun_fail(r->cx, LUN_EIO, "%s: tensor '%.200s' lies at offset %llu, not a multiple of %zu", r->path, t.name, (unsigned long long)offset, r->alignment);
  t.at = (size_t)offset;
  lun_weights_add(r->cx, r->w, r->map, &t);
  return lun_error(r->cx);
}

static lun_status place_contents(reader *r) {
  size_t start = (size_t)(r->p - r->map->data);
  size_t pad = (r->alignment - start % r->alignment) % r->alignment;
  size_t room = r->map->size - start > pad ? r->map->size - start - pad : 0;
  if (room == 0) start = r->map->size;            /* nothing but empty tensors can lie there */
  else start += pad;
  for (size_t i = 0; i < r->w->weight_count; i++) {
    lun_weight *t = &r->w->weight[i];
    if (t->at > room || t->bytes > room - t->at)
      return lun_fail(r->cx, LUN_EIO, "%s: tensor '%.200s' has %zu bytes at offset %zu of contents of %zu bytes", r->path, t->name, t->bytes, t->at, room);
    t->at += start;
  }
  return lun_weights_check_places(r->cx, r->w, r->path, start, false);
}

lun_status lun_read_gguf(lun_ctx *cx, lun_weights *w, const char *path, lun_map *map) {
  reader   r = { cx, w, path, map, map->data + 4, map->data + map->size, LUN_GGUF_ALIGNMENT };
  uint64_t version, tensors, values;
  if (!lun_gguf_number(&r.p, r.end, 4, &version) || !lun_gguf_number(&r.p, r.end, 8, &tensors) || !lun_gguf_number(&r.p, r.end, 8, &values))
    return lun_fail(cx, LUN_EIO, "%s: %zu bytes are too few for a GGUF file", path, map->size);
  if (version != 2 && version != 3)
    return lun_fail(cx, LUN_EIO, "%s: GGUF version %llu%s, versions 2 and 3 are read", path, (unsigned long long)version,
                    (version & 0xFFFF) == 0 ? " (a big-endian file?)" : "");
  for (uint64_t i = 0; i < values; i++)
    if (read_entry(&r, i) != LUN_OK) return lun_error(cx);
  for (uint64_t i = 0; i < tensors; i++)
    if (read_tensor(&r, i) != LUN_OK) return lun_error(cx);
  return place_contents(&r);
}
