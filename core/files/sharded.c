/*
** sharded.c - reads the index of a model that is spread over several files:
**
**     {"metadata": {"total_size": 123}, "weight_map": {"name": "model-00001-of-00002.safetensors", ...}}
**
** Every name must be in the file the index says; what a file holds besides is
** not part of the model.  Shards are plain file names in the index's folder.
*/
#include <stdlib.h>
#include <string.h>
#include "json.h"
#include "weights.h"

#define LARGEST_INDEX 100000000u    /* bytes, as for the header of one file */

/* JSON text has no NUL; the length a safetensors file begins with always has. */
bool lun_is_index(const lun_map *map) {
  size_t i = 0;
  while (i < map->size && strchr(" \t\r\n", map->data[i]) && map->data[i]) i++;
  return i < map->size && map->data[i] == '{' && !memchr(map->data, 0, map->size < 8 ? map->size : 8);
}

/* The path of a shard beside the index; NULL after an error.  Free with lun_free(). */
static char *shard_path(lun_ctx *cx, const char *path, const char *shard) {
  const char *slash = strrchr(path, '/');
  size_t      folder = slash ? (size_t)(slash - path) + 1 : 0;
  char       *out;
  if (strchr(shard, '/') || strchr(shard, '\\') || shard[0] == '\0' || strcmp(shard, ".") == 0 || strcmp(shard, "..") == 0) {
    lun_fail(cx, LUN_EIO, "%s: the shard '%.200s' is not a plain file name", path, shard);
    return NULL;
  }
  out = lun_alloc(folder + strlen(shard) + 1);
  if (!out) {
    lun_fail(cx, LUN_EMEM, "out of memory");
    return NULL;
  }
  memcpy(out, path, folder);
  strcpy(out + folder, shard);
  return out;
}

static lun_weights *open_shard(lun_ctx *cx, const char *path) {
  lun_weights *w = NULL;
  lun_map     *map = lun_map_open(cx, path);
  if (!map) return NULL;
  if (lun_is_index(map)) lun_fail(cx, LUN_EIO, "%s: a shard cannot be an index itself", path);
  else w = lun_weights_from_map(cx, path, map);
  lun_map_drop(map);
  return w;
}

/* Takes the tensors that 'item' (as many as 'count') names from their shard, and its metadata if there is none yet. */
static lun_status take_shard(lun_ctx *cx, lun_weights *w, const char *path, const cJSON *const *item, size_t count) {
  char        *from = shard_path(cx, path, item[0]->valuestring);
  lun_weights *shard = from ? open_shard(cx, from) : NULL;
  for (size_t i = 0; shard && i < count && lun_error(cx) == LUN_OK; i++) {
    int64_t    at = lun_weights_find(shard, item[i]->string);
    lun_weight t;
    if (at < 0) {
      lun_fail(cx, LUN_EIO, "%s: tensor '%.200s' is not in %s", path, item[i]->string, item[i]->valuestring);
      break;
    }
    t = shard->weight[at];
    t.name = lun_weights_keep(cx, w, t.name, strlen(t.name));
    if (t.name && t.dtype == LUN_NDTYPES) t.type = lun_weights_keep(cx, w, t.type, strlen(t.type));
    if (t.name && t.type) lun_weights_add(cx, w, t.map, &t);
  }
  for (size_t i = 0, have = w->entry_count; shard && have == 0 && i < shard->entry_count && lun_error(cx) == LUN_OK; i++) {
    lun_entry   e = shard->entry[i];
    const char *key = lun_weights_keep(cx, w, e.key, strlen(e.key));
    if (e.value.type != LUN_STR) continue;
    e.value.text = lun_weights_keep(cx, w, e.value.text, e.value.length);
    if (key && e.value.text) lun_weights_add_meta(cx, w, key, &e.value);
  }
  lun_weights_free(shard);
  lun_free(from);
  return lun_error(cx);
}

static int compare_shards(const void *a, const void *b) {
  return strcmp((*(const cJSON *const *)a)->valuestring, (*(const cJSON *const *)b)->valuestring);
}

static lun_status read_weight_map(lun_ctx *cx, lun_weights *w, const char *path, const cJSON *weight_map) {
  const cJSON **item, *child;
  size_t        count = 0, n = 0;
  if (!cJSON_IsObject(weight_map)) return lun_fail(cx, LUN_EIO, "%s: no weight_map, so no index of a sharded model", path);
  cJSON_ArrayForEach(child, weight_map) {
    if (!cJSON_IsString(child)) return lun_fail(cx, LUN_EIO, "%s: the shard of tensor '%.200s' is not a string", path, child->string);
    count++;
  }
  item = lun_alloc((count + 1) * sizeof *item);
  if (!item) return lun_fail(cx, LUN_EMEM, "out of memory");
  cJSON_ArrayForEach(child, weight_map) item[n++] = child;
  qsort(item, count, sizeof *item, compare_shards);
  for (size_t i = 0; i < count; i += n) {
    for (n = 1; i + n < count && compare_shards(&item[i], &item[i + n]) == 0; n++) {}
    if (take_shard(cx, w, path, item + i, n) != LUN_OK) break;
  }
  lun_free(item);
  return lun_error(cx);
}

lun_status lun_read_index(lun_ctx *cx, lun_weights *w, const char *path, const lun_map *map) {
  cJSON *index;
  if (map->size > LARGEST_INDEX)
    return lun_fail(cx, LUN_EIO, "%s: an index of %zu bytes, at most %u are read", path, map->size, LARGEST_INDEX);
  index = lun_json_parse(cx, path, (const char *)map->data, map->size);
  if (index) read_weight_map(cx, w, path, cJSON_GetObjectItemCaseSensitive(index, "weight_map"));
  cJSON_Delete(index);
  return lun_error(cx);
}
