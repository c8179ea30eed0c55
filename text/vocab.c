/* vocab.c - tokens and their ids. */
#include "vocab.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

static lun_status add_token(struct vocab *v, const struct utf8_bytes *token, uint32_t id, struct text_error *err) {
  uint32_t index;
  lun_status st = strings_add(&v->tokens, token->items, token->count, &index, err);
  if (st != LUN_OK) return st;
  if (index == v->ids.count) {
    if (!ARRAY_RESERVE(&v->ids, v->ids.count + 1)) return text_no_memory(err);
    v->ids.count++;
  }
  v->ids.items[index] = id;
  if (token->count > v->longest) v->longest = token->count;
  if (id >= v->id_count) v->id_count = (size_t)id + 1;
  return LUN_OK;
}

static lun_status read_tokens(struct vocab *v, struct json_text *json, struct utf8_bytes *token, struct text_error *err) {
  lun_status st = LUN_OK;
  uint32_t id;
  if (!json_take(json, '{')) return text_fail(err, LUN_EIO, "model: \"vocab\" is not an object");
  if (json_take(json, '}')) return LUN_OK;
  do {
    st = json_read_string(json, token, err);
    if (st != LUN_OK) return st;
    if (!json_take(json, ':') || !json_read_u32(json, &id))
      return text_fail(err, LUN_EIO, "vocab: token \"%.*s\" has no id, want an integer from 0 to 4294967295",
                       (int)(token->count > 80 ? 80 : token->count), token->items);
    st = add_token(v, token, id, err);
  } while (st == LUN_OK && json_take(json, ','));
  if (st == LUN_OK && !json_take(json, '}')) return text_fail(err, LUN_EIO, "vocab: malformed JSON after token %zu", v->ids.count);
  return st;
}

lun_status vocab_read(struct vocab *v, struct json_text json, struct text_error *err) {
  struct utf8_bytes token = {0};
  lun_status st = read_tokens(v, &json, &token, err);
  size_t i;
  free(token.items);
  if (st != LUN_OK) return st;
  /* ids may leave gaps, but the table by id must stay in proportion to the file that asked for it */
  if (v->id_count > v->ids.count * 8 + 65536)
    return text_fail(err, LUN_EIO, "vocab: id %zu is too large for %zu tokens", v->id_count - 1, v->ids.count);
  v->by_id = malloc((v->id_count + 1) * sizeof *v->by_id);
  if (v->by_id == NULL) return text_no_memory(err);
  for (i = 0; i < v->id_count; i++) v->by_id[i] = STRINGS_NONE;
  for (i = 0; i < v->ids.count; i++) v->by_id[v->ids.items[i]] = (uint32_t)i;
  return LUN_OK;
}

int vocab_find(const struct vocab *v, const char *token, size_t len, uint32_t *id) {
  uint32_t index = strings_find(&v->tokens, token, len);
  if (index == STRINGS_NONE) return 0;
  *id = v->ids.items[index];
  return 1;
}

const char *vocab_token(const struct vocab *v, uint32_t id, size_t *len) {
  if (id >= v->id_count || v->by_id[id] == STRINGS_NONE) return NULL;
  return strings_get(&v->tokens, v->by_id[id], len);
}

void vocab_free(struct vocab *v) {
  strings_free(&v->tokens);
  free(v->ids.items);
  free(v->by_id);
  memset(v, 0, sizeof *v);
}
