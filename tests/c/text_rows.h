/* text_rows.h - compares a tokenizer with rows of expected ids, tokens, offsets and texts. */
#ifndef TEXT_ROWS_H
#define TEXT_ROWS_H

#include <cjson/cJSON.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "tokenizer.h"

/* Contents of a file, ended by a NUL, NULL when it is not there; to be freed. */
static inline char *read_whole(const char *path) {
  FILE *f = fopen(path, "rb");
  char *text = NULL;
  long size = -1;
  if (f != NULL && fseek(f, 0, SEEK_END) == 0) size = ftell(f);
  if (size >= 0 && (text = malloc((size_t)size + 1)) != NULL) {
    rewind(f);
    text[fread(text, 1, (size_t)size, f)] = '\0';
  }
  if (f != NULL) fclose(f);
  return text;
}

static inline cJSON *read_json(const char *path) {
  char *text = read_whole(path);
  cJSON *json = text == NULL ? NULL : cJSON_Parse(text);
  free(text);
  return json;
}

static inline int same_text(const cJSON *want, const char *text, size_t len) {
  return cJSON_IsString(want) && strlen(want->valuestring) == len && (len == 0 || memcmp(want->valuestring, text, len) == 0);
}

static inline int same_ids(const cJSON *want, const struct encoding *e) {
  const cJSON *w = want == NULL ? NULL : want->child;
  size_t i = 0;
  for (; w != NULL && i < e->count; w = w->next, i++)
    if (e->items[i].id != w->valuedouble) return 0;
  return want != NULL && w == NULL && i == e->count;
}

/* Tokens, offsets and, where the row has them, type ids. */
static inline int same_details(const cJSON *row, const struct encoding *e) {
  const cJSON *token = cJSON_GetObjectItem(row, "tokens")->child, *offsets = cJSON_GetObjectItem(row, "offsets")->child,
              *types = cJSON_GetObjectItem(row, "type_ids"), *type = types == NULL ? NULL : types->child;
  size_t i;
  for (i = 0; i < e->count; i++) {
    const struct encoded *t = &e->items[i];
    if (!same_text(token, e->texts.items + t->text, t->text_len)) return 0;
    if (offsets == NULL || offsets->child->valuedouble != (double)t->begin || offsets->child->next->valuedouble != (double)t->end) return 0;
    if (types != NULL && (type == NULL || type->valuedouble != t->type_id)) return 0;
    token = token->next;
    offsets = offsets->next;
    if (type != NULL) type = type->next;
  }
  return token == NULL && offsets == NULL && type == NULL;
}

static inline int same_decoding(struct tokenizer *t, const struct encoding *e, int skip_special_tokens, const cJSON *want) {
  int64_t *ids = malloc((e->count + 1) * sizeof *ids);
  struct utf8_bytes text = {0};
  struct text_error err;
  size_t i;
  int same;
  for (i = 0; i < e->count; i++) ids[i] = e->items[i].id;
  same = tokenizer_decode(t, ids, e->count, skip_special_tokens, 0, &text, &err) == LUN_OK && same_text(want, text.items, text.count);
  free(ids);
  free(text.items);
  return same;
}

/* Checks one row; 'full' says that tokens and offsets are those of the encoding with special tokens. */
static inline void check_row(struct tokenizer *t, const char *name, const cJSON *row, int full) {
  const char *text = cJSON_GetObjectItem(row, "text")->valuestring;
  const cJSON *pair_item = cJSON_GetObjectItem(row, "pair");
  const char *pair = pair_item == NULL ? NULL : pair_item->valuestring;
  size_t pair_len = pair == NULL ? 0 : strlen(pair);
  struct encoding with = {0}, plain = {0};
  struct text_error err = {0};
  if (CHECK(tokenizer_encode(t, text, strlen(text), pair, pair_len, 1, &with, &err) == LUN_OK, "%s: \"%s\": %s", name, text, err.message) &&
      CHECK(tokenizer_encode(t, text, strlen(text), pair, pair_len, 0, &plain, &err) == LUN_OK, "%s: \"%s\": %s", name, text, err.message)) {
    CHECK(same_ids(cJSON_GetObjectItem(row, "ids"), &with), "%s: ids of \"%s\"", name, text);
    CHECK(same_ids(cJSON_GetObjectItem(row, "ids_plain"), &plain), "%s: ids_plain of \"%s\"", name, text);
    CHECK(same_details(row, full ? &with : &plain), "%s: tokens and offsets of \"%s\"", name, text);
    CHECK(same_decoding(t, &with, 1, cJSON_GetObjectItem(row, "decoded")), "%s: decoded of \"%s\"", name, text);
    CHECK(same_decoding(t, &plain, 0, cJSON_GetObjectItem(row, "decoded_raw")), "%s: decoded_raw of \"%s\"", name, text);
  }
  encoding_free(&with);
  encoding_free(&plain);
}

#endif
