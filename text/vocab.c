/* vocab.c - tokens and their ids. */
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

/* Ids may leave gaps, but a table by id must stay in proportion to the file that asked for it. */
static int id_is_sane(uint32_t id, size_t tokens) { return id < tokens * 8 + 65536; }

lun_status vocab_read(struct vocab *v, const cJSON *object, struct text_error *err) {
  const cJSON *item;
  size_t total = 0, i;
  if (!cJSON_IsObject(object)) return text_fail(err, LUN_EIO, "model: \"vocab\" is not an object");
  for (item = object->child; item != NULL; item = item->next) total++;
  v->id = malloc((total + 1) * sizeof *v->id);
  if (v->id == NULL) return text_no_memory(err);
  for (item = object->child; item != NULL; item = item->next) {
    uint32_t index, id;
    size_t len = strlen(item->string);
    lun_status st;
    if (!json_is_u32(item, &id) || !id_is_sane(id, total))
      return text_fail(err, LUN_EIO, "vocab: token \"%.80s\" has no id that fits a vocabulary of %zu", item->string, total);
    st = strings_add(&v->tokens, item->string, len, &index, err);
    if (st != LUN_OK) return st;
    v->id[index] = id;
    if (len > v->longest) v->longest = len;
    if (id >= v->id_count) v->id_count = (size_t)id + 1;
  }
  v->by_id = malloc((v->id_count + 1) * sizeof *v->by_id);
  if (v->by_id == NULL) return text_no_memory(err);
  for (i = 0; i < v->id_count; i++) v->by_id[i] = STRINGS_NONE;
  for (i = 0; i < v->tokens.count; i++) v->by_id[v->id[i]] = (uint32_t)i;
  return LUN_OK;
}

int vocab_find(const struct vocab *v, const char *token, size_t len, uint32_t *id) {
  uint32_t index = strings_find(&v->tokens, token, len);
  if (index == STRINGS_NONE) return 0;
  *id = v->id[index];
  return 1;
}

const char *vocab_token(const struct vocab *v, uint32_t id, size_t *len) {
  if (id >= v->id_count || v->by_id[id] == STRINGS_NONE) return NULL;
  return strings_get(&v->tokens, v->by_id[id], len);
}

void vocab_free(struct vocab *v) {
  strings_free(&v->tokens);
  free(v->id);
  free(v->by_id);
  memset(v, 0, sizeof *v);
}
