/*
** safetensors.c - reads safetensors files.
**
**     8 bytes      length of the header, little-endian
**     header       JSON: {"name": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ..., "__metadata__": {"key": "text"}}
**     the rest     contents, row-major, little-endian; offsets count from here
**
** The contents must be covered by tensors without gap or overlap.
** Source: https://huggingface.co/docs/safetensors, section Format.
*/
#include <string.h>
#include "json.h"
#include "weights.h"

#define LARGEST_HEADER 100000000u    /* bytes; the limit of the format's own reader */

const lun_file_type lun_safetensors_types[] = {
  { "F32",     0, LUN_F32,     1, 32 },
  { "F16",     0, LUN_F16,     1, 16 },
  { "BF16",    0, LUN_BF16,    1, 16 },
  { "F64",     0, LUN_F64,     1, 64 },
  { "I64",     0, LUN_I64,     1, 64 },
  { "I32",     0, LUN_I32,     1, 32 },
  { "U8",      0, LUN_U8,      1, 8 },
  { "BOOL",    0, LUN_U8,      1, 8 },
  { "I8",      0, LUN_NDTYPES, 1, 8 },
  { "I16",     0, LUN_NDTYPES, 1, 16 },
  { "U16",     0, LUN_NDTYPES, 1, 16 },
  { "U32",     0, LUN_NDTYPES, 1, 32 },
  { "U64",     0, LUN_NDTYPES, 1, 64 },
  { "C64",     0, LUN_NDTYPES, 1, 64 },
  { "F8_E4M3", 0, LUN_NDTYPES, 1, 8 },
  { "F8_E5M2", 0, LUN_NDTYPES, 1, 8 },
  { "F8_E8M0", 0, LUN_NDTYPES, 1, 8 },
  { "F6_E2M3", 0, LUN_NDTYPES, 1, 6 },
  { "F6_E3M2", 0, LUN_NDTYPES, 1, 6 },
  { "F4",      0, LUN_NDTYPES, 1, 4 },
  { NULL,      0, LUN_NDTYPES, 1, 0 },
};

typedef struct reader {
  lun_ctx     *cx;
  lun_weights *w;
  const char  *path;
  lun_map     *map;
  size_t       start;   /* of the contents in the file */
} reader;

static lun_status bad(reader *r, const char *name, const char *what) {
  return lun_fail(r->cx, LUN_EIO, "%s: tensor '%.200s': %s", r->path, name, what);
}

/* Reads 'shape' and the number of elements it makes. */
static lun_status read_shape(reader *r, lun_weight *t, const cJSON *shape, uint64_t *count) {
  const cJSON *item;
  bool         empty = false;
  *count = 1;
  if (!cJSON_IsArray(shape)) return bad(r, t->name, "shape is not a list");
  cJSON_ArrayForEach(item, shape) {
    uint64_t dim;
    if (!lun_json_size(item, &dim)) return bad(r, t->name, "shape holds something other than whole numbers");
    if (t->rank < LUN_MAXRANK) t->dim[t->rank] = (int64_t)dim;
    if (++t->rank > 1000) return bad(r, t->name, "more than 1000 dimensions");
    if (dim == 0) empty = true;
    else if (__builtin_mul_overflow(*count, dim, count)) return bad(r, t->name, "the elements of its shape do not fit 64 bits");
  }
  if (empty) *count = 0;
  return LUN_OK;
}

/* Reads 'data_offsets' and checks them against the file. */
static lun_status read_place(reader *r, lun_weight *t, const cJSON *offsets) {
  uint64_t begin, end, room = r->map->size - r->start;
  if (!cJSON_IsArray(offsets) || cJSON_GetArraySize(offsets) != 2 ||
      !lun_json_size(offsets->child, &begin) || !lun_json_size(offsets->child->next, &end))
    return bad(r, t->name, "data_offsets are not two whole numbers");
  if (begin > end || end > room)
    return lun_fail(r->cx, LUN_EIO, "%s: tensor '%.200s' lies at bytes %llu to %llu of contents of %llu bytes", r->path, t->name,
                    (unsigned long long)begin, (unsigned long long)end, (unsigned long long)room);
  t->at = r->start + (size_t)begin;
  t->bytes = (size_t)(end - begin);
  return LUN_OK;
}

/* Looks up 'dtype'; of types that are new to us the size cannot be checked. */
static lun_status read_type(reader *r, lun_weight *t, const cJSON *dtype, uint64_t count) {
  const lun_file_type *type = lun_safetensors_types;
  uint64_t             bytes;
  if (!cJSON_IsString(dtype)) return bad(r, t->name, "dtype is not a string");
  while (type->name && strcmp(type->name, dtype->valuestring) != 0) type++;
  t->dtype = type->dtype;
  t->type = type->name ? type->name : lun_weights_keep(r->cx, r->w, dtype->valuestring, strlen(dtype->valuestring));
  if (!type->name) return lun_error(r->cx);
  if (!lun_type_bytes(type, count, &bytes) || bytes != t->bytes)
    return lun_fail(r->cx, LUN_EIO, "%s: tensor '%.200s' has %zu bytes, but %llu elements of %s", r->path, t->name, t->bytes,
                    (unsigned long long)count, type->name);
  return LUN_OK;
}

static lun_status read_tensor(reader *r, const cJSON *item) {
  lun_weight t = { .name = lun_weights_keep(r->cx, r->w, item->string, strlen(item->string)) };
  uint64_t   count;
  if (!t.name) return lun_error(r->cx);
  if (!cJSON_IsObject(item)) return bad(r, t.name, "not described by an object");
  if (read_shape(r, &t, cJSON_GetObjectItemCaseSensitive(item, "shape"), &count) != LUN_OK ||
      read_place(r, &t, cJSON_GetObjectItemCaseSensitive(item, "data_offsets")) != LUN_OK ||
      read_type(r, &t, cJSON_GetObjectItemCaseSensitive(item, "dtype"), count) != LUN_OK)
    return lun_error(r->cx);
  lun_weights_add(r->cx, r->w, r->map, &t);
  return lun_error(r->cx);
}

static lun_status read_metadata(reader *r, const cJSON *object) {
  const cJSON *item;
  if (!cJSON_IsObject(object)) return lun_fail(r->cx, LUN_EIO, "%s: __metadata__ is not an object", r->path);
  cJSON_ArrayForEach(item, object) {
    lun_meta   v = { .type = LUN_STR };
    const char *key;
    if (!cJSON_IsString(item)) return lun_fail(r->cx, LUN_EIO, "%s: metadata '%.200s' is not a string", r->path, item->string);
    v.length = strlen(item->valuestring);
    key = lun_weights_keep(r->cx, r->w, item->string, strlen(item->string));
    v.text = lun_weights_keep(r->cx, r->w, item->valuestring, v.length);
    if (!key || !v.text || lun_weights_add_meta(r->cx, r->w, key, &v) != LUN_OK) break;
  }
  return lun_error(r->cx);
}

static lun_status read_header(reader *r, const cJSON *header) {
  const cJSON *item;
  if (!cJSON_IsObject(header)) return lun_fail(r->cx, LUN_EIO, "%s: the header is not an object", r->path);
  cJSON_ArrayForEach(item, header) {
    lun_status status = strcmp(item->string, "__metadata__") == 0 ? read_metadata(r, item) : read_tensor(r, item);
    if (status != LUN_OK) return status;
  }
  return lun_weights_check_places(r->cx, r->w, r->path, r->start, true);
}

lun_status lun_read_safetensors(lun_ctx *cx, lun_weights *w, const char *path, lun_map *map) {
  reader   r = { cx, w, path, map, 0 };
  uint64_t length = 0;
  cJSON   *header;
  if (map->size < 8) return lun_fail(cx, LUN_EIO, "%s: %zu bytes are too few for a model file", path, map->size);
  for (int i = 7; i >= 0; i--) length = length << 8 | map->data[i];
  if (length > map->size - 8)
    return lun_fail(cx, LUN_EIO, "%s: no safetensors file, or cut short: its header would have %llu bytes, the file has %zu", path,
                    (unsigned long long)length, map->size);
  if (length > LARGEST_HEADER)
    return lun_fail(cx, LUN_EIO, "%s: a header of %llu bytes, at most %u are read", path, (unsigned long long)length, LARGEST_HEADER);
  r.start = 8 + (size_t)length;
  header = lun_json_parse(cx, path, (const char *)map->data + 8, (size_t)length);
  if (header) read_header(&r, header);
  cJSON_Delete(header);
  return lun_error(cx);
}
