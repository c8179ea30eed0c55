/* weights.c - tensors and metadata by name, whatever format they came in. */
#include <stdlib.h>
#include <string.h>
#include "weights.h"

/* ---- filling ----------------------------------------------------------- */

struct lun_text {
  struct lun_text *next;
  size_t           used, size;
  char             data[];
};

const char *lun_weights_keep(lun_ctx *cx, lun_weights *w, const char *text, size_t length) {
  struct lun_text *t = w->text;
  char            *to;
  if (!t || t->size - t->used < length + 1) {
    size_t size = length + 1 > 4000 ? length + 1 : 4000;
    t = lun_alloc(sizeof *t + size);
    if (!t) {
      lun_fail(cx, LUN_EMEM, "out of memory");
      return NULL;
    }
    *t = (struct lun_text){ w->text, 0, size };
    w->text = t;
  }
  to = t->data + t->used;
  memcpy(to, text, length);
  to[length] = '\0';
  t->used += length + 1;
  return to;
}

/* Room for one more item of 'size' bytes in a growing array. */
static bool grow(lun_ctx *cx, void **array, size_t count, size_t *room, size_t size) {
  void *more;
  if (count < *room) return true;
  more = lun_alloc((*room ? *room * 2 : 64) * size);
  if (!more) {
    lun_fail(cx, LUN_EMEM, "out of memory");
    return false;
  }
  if (count) memcpy(more, *array, count * size);
  lun_free(*array);
  *array = more;
  *room = *room ? *room * 2 : 64;
  return true;
}

lun_weight *lun_weights_add(lun_ctx *cx, lun_weights *w, lun_map *map, const lun_weight *from) {
  void       *array = w->weight;
  lun_weight *to;
  bool        ok = grow(cx, &array, w->weight_count, &w->weight_room, sizeof *to);
  w->weight = array;
  if (!ok) return NULL;
  to = &w->weight[w->weight_count++];
  *to = *from;
  to->map = map;
  if (map) map->refs++;
  return to;
}

lun_status lun_weights_add_meta(lun_ctx *cx, lun_weights *w, const char *key, const lun_meta *value) {
  void *array = w->entry;
  bool  ok = grow(cx, &array, w->entry_count, &w->entry_room, sizeof *w->entry);
  w->entry = array;
  if (ok) w->entry[w->entry_count++] = (lun_entry){ key, *value };
  return lun_error(cx);
}

bool lun_type_bytes(const lun_file_type *type, uint64_t count, uint64_t *bytes) {
  uint64_t bits;
  if (count % (uint64_t)type->block != 0) return false;
  if (__builtin_mul_overflow(count / (uint64_t)type->block, (uint64_t)type->bits, &bits)) return false;
  *bytes = bits / 8;
  return bits % 8 == 0;
}

/* ---- checking ---------------------------------------------------------- */

static int compare_places(const void *a, const void *b) {
  const lun_weight *x = a, *y = b;
  if (x->at != y->at) return x->at < y->at ? -1 : 1;
  return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;      /* empty ones first */
}

lun_status lun_weights_check_places(lun_ctx *cx, lun_weights *w, const char *path, size_t start, bool dense) {
  size_t end = start;
  if (w->weight_count) qsort(w->weight, w->weight_count, sizeof *w->weight, compare_places);
  for (size_t i = 0; i < w->weight_count; i++) {
    const lun_weight *t = &w->weight[i];
    if (t->at < end)
      return lun_fail(cx, LUN_EIO, "%s: tensor '%.200s' at byte %zu overlaps '%.200s', which ends at %zu", path, t->name, t->at, w->weight[i - 1].name, end);
    if (dense && t->at > end)
      return lun_fail(cx, LUN_EIO, "%s: %zu bytes at %zu before tensor '%.200s' belong to no tensor", path, t->at - end, end, t->name);
    end = t->at + t->bytes;
  }
  if (dense && end < w->map->size)
    return lun_fail(cx, LUN_EIO, "%s: %zu bytes at %zu after the last tensor belong to no tensor", path, w->map->size - end, end);
  return LUN_OK;
}

static int compare_names(const void *a, const void *b) {
  return strcmp(((const lun_weight *)a)->name, ((const lun_weight *)b)->name);
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(((const lun_entry *)a)->key, ((const lun_entry *)b)->key);
}

lun_status lun_weights_sort(lun_ctx *cx, lun_weights *w, const char *path) {
  if (w->weight_count) qsort(w->weight, w->weight_count, sizeof *w->weight, compare_names);
  if (w->entry_count) qsort(w->entry, w->entry_count, sizeof *w->entry, compare_keys);
  for (size_t i = 1; i < w->weight_count; i++)
    if (compare_names(&w->weight[i - 1], &w->weight[i]) == 0)
      return lun_fail(cx, LUN_EIO, "%s: tensor '%.200s' occurs twice", path, w->weight[i].name);
  for (size_t i = 1; i < w->entry_count; i++)
    if (compare_keys(&w->entry[i - 1], &w->entry[i]) == 0)
      return lun_fail(cx, LUN_EIO, "%s: metadata '%.200s' occurs twice", path, w->entry[i].key);
  return LUN_OK;
}

/* ---- opening ----------------------------------------------------------- */

static bool begins_with(const lun_map *map, const char *magic) {
  return map->size >= strlen(magic) && memcmp(map->data, magic, strlen(magic)) == 0;
}

static lun_status read_map(lun_ctx *cx, lun_weights *w, const char *path, lun_map *map) {
  if (lun_is_gguf(map)) return lun_read_gguf(cx, w, path, map);
  if (lun_is_index(map)) return lun_read_index(cx, w, path, map);
  if (begins_with(map, "PK\003\004") || begins_with(map, "\200\002"))
    return lun_fail(cx, LUN_EIO, "%s: a PyTorch pickle, which can run code; convert it to safetensors", path);
  return lun_read_safetensors(cx, w, path, map);
}

lun_weights *lun_weights_from_map(lun_ctx *cx, const char *path, lun_map *map) {
  lun_weights *w = lun_alloc(sizeof *w);
  if (!w) {
    lun_fail(cx, LUN_EMEM, "out of memory");
    return NULL;
  }
  memset(w, 0, sizeof *w);
  w->map = map;
  map->refs++;
  if (read_map(cx, w, path, map) == LUN_OK && lun_weights_sort(cx, w, path) == LUN_OK) return w;
  lun_weights_free(w);
  return NULL;
}

lun_weights *lun_weights_open(lun_ctx *cx, const char *path) {
  lun_map     *map;
  lun_weights *w;
  if (lun_error(cx) != LUN_OK) return NULL;
  map = lun_map_open(cx, path);
  if (!map) return NULL;
  w = lun_weights_from_map(cx, path, map);
  lun_map_drop(map);
  return w;
}

void lun_weights_free(lun_weights *w) {
  if (!w) return;
  lun_map_drop(w->map);
  for (size_t i = 0; i < w->weight_count; i++) lun_map_drop(w->weight[i].map);
  while (w->text) {
    struct lun_text *next = w->text->next;
    lun_free(w->text);
    w->text = next;
  }
  lun_free(w->weight);
  lun_free(w->entry);
  lun_free(w);
}

/* ---- tensors ----------------------------------------------------------- */

static const lun_weight *weight_at(const lun_weights *w, int64_t i) {
  return i >= 0 && (uint64_t)i < w->weight_count ? &w->weight[i] : NULL;
}

int64_t lun_weights_count(const lun_weights *w) { return (int64_t)w->weight_count; }

const char *lun_weights_name(const lun_weights *w, int64_t i) {
  const lun_weight *t = weight_at(w, i);
  return t ? t->name : NULL;
}

int64_t lun_weights_find(const lun_weights *w, const char *name) {
  lun_weight        key = { .name = name };
  const lun_weight *t = w->weight_count ? bsearch(&key, w->weight, w->weight_count, sizeof key, compare_names) : NULL;
  return t ? t - w->weight : -1;
}

const char *lun_weights_about(const lun_weights *w, int64_t i, lun_dtype *dtype, int *rank, int64_t dim[LUN_MAXRANK]) {
  const lun_weight *t = weight_at(w, i);
  if (!t) return NULL;
  *dtype = t->dtype;
  *rank = t->rank;
  memcpy(dim, t->dim, sizeof t->dim);
  return t->type;
}

static void release_map(void *owner) { lun_map_drop(owner); }

size_t lun_dtype_alignment(lun_dtype dtype) { return dtype == LUN_Q8_0 ? 2 : lun_dtype_bytes(dtype, 1); }

lun_tensor *lun_weights_get(lun_ctx *cx, lun_weights *w, int64_t i) {
  const lun_weight    *t = weight_at(w, i);
  const unsigned char *data;
  lun_tensor          *x;
  if (lun_error(cx) != LUN_OK) return NULL;
  if (!t) lun_fail(cx, LUN_EARG, "weight %lld of %lld", (long long)i, (long long)w->weight_count);
  else if (t->dtype == LUN_NDTYPES) lun_fail(cx, LUN_EDTYPE, "tensor '%.200s' has type %.60s, not supported yet", t->name, t->type);
  else if (t->rank > LUN_MAXRANK) lun_fail(cx, LUN_ESHAPE, "tensor '%.200s' has %d dimensions, at most %d are supported", t->name, t->rank, LUN_MAXRANK);
  if (lun_error(cx) != LUN_OK) return NULL;
  data = t->map->data + t->at;
  if ((uintptr_t)data % lun_dtype_alignment(t->dtype) != 0) {
    x = lun_from_host(cx, t->dtype, t->rank, t->dim, data);
    if (x) x->constant = true;
  } else {
    x = lun_from_memory(cx, t->dtype, t->rank, t->dim, data, release_map, t->map);
    if (x) t->map->refs++;
  }
  if (!x) return NULL;
  x->buffer->origin = t->map->origin;
  x->buffer->origin.at = t->at;
  return x;
}

/* ---- metadata ---------------------------------------------------------- */

bool lun_weights_meta(const lun_weights *w, const char *key, lun_meta *out) {
  lun_entry        want = { .key = key };
  const lun_entry *e = w->entry_count ? bsearch(&want, w->entry, w->entry_count, sizeof want, compare_keys) : NULL;
  if (e) *out = e->value;
  return e != NULL;
}

const char *lun_weights_metadata(const lun_weights *w, const char *key) {
  lun_meta v;
  return lun_weights_meta(w, key, &v) && v.type == LUN_STR ? v.text : NULL;
}

int64_t lun_weights_meta_count(const lun_weights *w) { return (int64_t)w->entry_count; }

const char *lun_weights_meta_name(const lun_weights *w, int64_t i) {
  return i >= 0 && (uint64_t)i < w->entry_count ? w->entry[i].key : NULL;
}

void lun_weights_rest(lun_weights *w) {
  const lun_map *last = NULL;
  for (size_t i = 0; i < w->weight_count; i++) {
    if (w->weight[i].map && w->weight[i].map != last) lun_map_rest(w->weight[i].map);
    last = w->weight[i].map;
  }
}
