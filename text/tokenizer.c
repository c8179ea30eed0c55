/* tokenizer.c - reads the parts of a tokenizer.json and runs them in order. */
#include "tokenizer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "added_tokens.h"
#include "array.h"
#include "decoder.h"
#include "truncation.h"
#include "model.h"
#include "normalizer.h"
#include "postprocessor.h"
#include "pretokenizer.h"

/* For every byte of a text, the code point it belongs to. */
struct char_map {
  uint32_t *items;
  size_t count, cap;
};

struct tokenizer {
  struct normalizer *normalizer;
  struct pretokenizer *pretokenizer;
  struct model *model;
  struct postprocessor *postprocessor;
  struct decoder *decoder;
  struct added_tokens *added;
  struct truncation truncation;
  struct padding padding;
  /* working memory of encode and decode */
  struct utf8_bytes original;
  struct char_map chars;
  struct pieces pieces;
  struct tokens tokens;
  struct string_list strings;
};

static lun_status read_parts(struct tokenizer *t, const cJSON *json, const struct json_lists *lists, struct text_error *err) {
  const char *version;
  lun_status st;
  if (!cJSON_IsObject(json)) return text_fail(err, LUN_EIO, "not a tokenizer: the JSON is no object");
  st = json_string_or(json, "tokenizer", "version", "1.0", &version, err);
  if (st == LUN_OK && strcmp(version, "1.0") != 0)
    st = text_fail(err, LUN_EIO, "unsupported version \"%.40s\" of the tokenizer, want \"1.0\"", version);
  if (st == LUN_OK) st = truncation_read(json_member(json, "truncation"), &t->truncation, err);
  if (st == LUN_OK) st = padding_read(json_member(json, "padding"), &t->padding, err);
  if (st == LUN_OK) st = normalizer_read(json_member(json, "normalizer"), &t->normalizer, err);
  if (st == LUN_OK) st = pretokenizer_read(json_member(json, "pre_tokenizer"), &t->pretokenizer, err);
  if (st == LUN_OK) st = postprocessor_read(json_member(json, "post_processor"), &t->postprocessor, err);
  if (st == LUN_OK) st = decoder_read(json_member(json, "decoder"), &t->decoder, err);
  if (st == LUN_OK) st = model_read(json_member(json, "model"), lists, &t->model, err);
  if (st != LUN_OK) return st;
  return added_tokens_read(json_member(json, "added_tokens"), model_vocab(t->model), t->normalizer, &t->added, err);
}

lun_status tokenizer_parse(const char *json, size_t len, struct tokenizer **out, struct text_error *err) {
  cJSON *root;
  struct json_lists lists;
  struct tokenizer *t;
  lun_status st;
  *out = NULL;
  if (len > TOKENIZER_MAX_FILE)
    return text_fail(err, LUN_EIO, "a tokenizer of %zu bytes, want at most %d", len, TOKENIZER_MAX_FILE);
  st = json_parse(json, len, &root, &lists, err);
  if (st != LUN_OK) return st;
  t = calloc(1, sizeof *t);
  st = t == NULL ? text_no_memory(err) : read_parts(t, root, &lists, err);
  cJSON_Delete(root);
  if (st != LUN_OK) tokenizer_free(t);
  else *out = t;
  return st;
}

static lun_status read_file(const char *path, struct utf8_bytes *out, struct text_error *err) {
  FILE *f = fopen(path, "rb");
  lun_status st = LUN_OK;
  size_t got = 1;
  if (f == NULL) return text_fail(err, LUN_EIO, "%.300s: %s", path, strerror(errno));
  while (st == LUN_OK && got > 0) {
    if (!ARRAY_RESERVE(out, out->count + (1 << 16))) {
      st = text_no_memory(err);
      break;
    }
    got = fread(out->items + out->count, 1, out->cap - out->count, f);
    out->count += got;
    if (out->count > TOKENIZER_MAX_FILE)
      st = text_fail(err, LUN_EIO, "%.300s: larger than %d bytes", path, TOKENIZER_MAX_FILE);
  }
  if (st == LUN_OK && ferror(f)) st = text_fail(err, LUN_EIO, "%.300s: %s", path, strerror(errno));
  fclose(f);
  return st;
}

lun_status tokenizer_load(const char *path, struct tokenizer **out, struct text_error *err) {
  struct utf8_bytes file = {0};
  lun_status st = read_file(path, &file, err);
  *out = NULL;
  if (st == LUN_OK) {
    struct text_error why;
    st = tokenizer_parse(file.items, file.count, out, &why);
    if (st != LUN_OK) text_fail(err, st, "%.300s: %.200s", path, why.message);
  }
  free(file.items);
  return st;
}

/* Takes in a text: one open piece, each byte from its own character. */
static lun_status start_text(struct tokenizer *t, const char *text, size_t len, struct text_error *err) {
  struct normalized *n = &t->pieces.text;
  size_t i, bytes;
  uint32_t at = 0, c;
  lun_status st;
  if (len > TOKENIZER_MAX_TEXT)
    return text_fail(err, LUN_EARG, "a text of %zu bytes, want at most %d", len, TOKENIZER_MAX_TEXT);
  t->original.count = 0;
  st = utf8_append_lossy(&t->original, text, len, err);
  if (st != LUN_OK) return st;
  len = t->original.count;
  if (!ARRAY_RESERVE(&t->chars, len)) return text_no_memory(err);
  t->chars.count = len;
  pieces_clear(&t->pieces);
  st = normalized_reserve(n, len, err);
  if (st != LUN_OK) return st;
  for (i = 0; i < len; at++) {
    struct span from = {(uint32_t)i, 0};
    bytes = utf8_decode(t->original.items + i, &c);
    from.end = (uint32_t)(i + bytes);
    for (; bytes > 0; bytes--, i++) {
      n->text[i] = t->original.items[i];
      n->from[i] = from;
      t->chars.items[i] = at;
    }
  }
  n->len = len;
  return pieces_add(&t->pieces.list, 0, len, PIECE_OPEN, err);
}

/* Bytes of the original text to code points; what lies outside of it stays, as in the reference. */
static void to_chars(const struct char_map *chars, size_t *begin, size_t *end) {
  if (*begin >= chars->count) return;
  if (*end < chars->count) *end = chars->items[*end];
  else *end = (*end - 1 < chars->count ? chars->items[*end - 1] : chars->items[*begin] + 1) + 1;
  *begin = chars->items[*begin];
}

/* The tokens of a piece, in t->tokens: those of the model, or the added token it is. */
static lun_status tokenize_piece(struct tokenizer *t, const struct piece *piece, struct text_error *err) {
  const char *text = t->pieces.text.text + piece->begin;
  size_t len = piece->end - piece->begin;
  struct token added = {(uint32_t)piece->id, 0, len, text, len};
  t->tokens.count = 0;
  return piece->id == PIECE_OPEN ? model_tokenize(t->model, text, len, &t->tokens, err)
                                 : tokens_add(&t->tokens, &added, err);
}

static lun_status add_piece(struct tokenizer *t, const struct piece *piece, uint32_t type_id, struct encoding *out,
                            struct text_error *err) {
  const struct span *from = t->pieces.text.from + piece->begin;
  size_t len = piece->end - piece->begin, i;
  lun_status st = tokenize_piece(t, piece, err);
  for (i = 0; st == LUN_OK && i < t->tokens.count; i++) {
    const struct token *k = &t->tokens.items[i];
    size_t begin = k->begin, end = k->end;
    if (end <= len) { /* a byte fallback of an added suffix reaches past the piece: it keeps its own offsets */
      begin = from[begin].begin;
      end = from[end - 1].end;
    }
    to_chars(&t->chars, &begin, &end);
    st = encoding_add(out, k->id, type_id, begin, end, k->text, k->len, err);
  }
  return st;
}

static lun_status encode_text(struct tokenizer *t, const char *text, size_t len, uint32_t type_id, struct encoding *out,
                              struct text_error *err) {
  size_t i;
  lun_status st = start_text(t, text, len, err);
  if (st == LUN_OK) st = added_tokens_extract(t->added, t->normalizer, &t->pieces, err);
  if (st == LUN_OK) st = pretokenizer_run(t->pretokenizer, &t->pieces, err);
  for (i = 0; st == LUN_OK && i < t->pieces.list.count; i++)
    st = add_piece(t, &t->pieces.list.items[i], type_id, out, err);
  return st;
}

static lun_status encode_all(struct tokenizer *t, const char *text, size_t len, const char *pair, size_t pair_len,
                             int add_special_tokens, struct encodings *list, struct text_error *err) {
  struct encoding *e = encodings_add(list);
  size_t added = add_special_tokens ? postprocessor_added(t->postprocessor, pair != NULL) : 0;
  lun_status st = e == NULL ? text_no_memory(err) : encode_text(t, text, len, 0, e, err);
  if (st == LUN_OK && pair != NULL) {
    e = encodings_add(list);
    st = e == NULL ? text_no_memory(err) : encode_text(t, pair, pair_len, 1, e, err);
  }
  if (st == LUN_OK) st = truncation_apply(&t->truncation, added, list, err);
  return st == LUN_OK ? postprocessor_run(t->postprocessor, add_special_tokens, list, err) : st;
}

lun_status tokenizer_encode(struct tokenizer *t, const char *text, size_t len, const char *pair, size_t pair_len,
                            int add_special_tokens, struct encoding *out, struct text_error *err) {
  struct encodings list = {0};
  size_t i;
  lun_status st = encode_all(t, text, len, pair, pair_len, add_special_tokens, &list, err);
  for (i = 0; st == LUN_OK && i < list.count; i++) st = encoding_append(out, &list.items[i], err);
  encodings_free(&list);
  return st == LUN_OK ? padding_apply(&t->padding, out, err) : st;
}

const char *tokenizer_token(const struct tokenizer *t, int64_t id, size_t *len) {
  const char *token;
  int special;
  if (id < 0 || id > UINT32_MAX) return NULL;
  token = added_tokens_token(t->added, (uint32_t)id, len, &special);
  return token != NULL ? token : vocab_token(model_vocab(t->model), (uint32_t)id, len);
}

lun_status tokenizer_decode(struct tokenizer *t, const int64_t *ids, size_t count, int skip_special_tokens, int clean_up,
                            struct utf8_bytes *out, struct text_error *err) {
  size_t begin = out->count, i;
  lun_status st = LUN_OK;
  string_list_clear(&t->strings);
  for (i = 0; st == LUN_OK && i < count; i++) {
    size_t len = 0;
    int special = 0;
    const char *token = tokenizer_token(t, ids[i], &len);
    if (token == NULL) continue;
    if (skip_special_tokens && added_tokens_token(t->added, (uint32_t)ids[i], &len, &special) != NULL && special) continue;
    st = string_list_add(&t->strings, token, len, err);
  }
  if (st == LUN_OK) st = decoder_run(t->decoder, &t->strings, out, err);
  if (st == LUN_OK && clean_up && !model_is_bpe(t->model)) decoder_clean_up(out, begin, 0);
  return st;
}

int tokenizer_find(const struct tokenizer *t, const char *token, size_t len, uint32_t *id) {
  return added_tokens_find(t->added, token, len, id) || vocab_find(model_vocab(t->model), token, len, id);
}

size_t tokenizer_vocab_size(const struct tokenizer *t, int with_added_tokens) {
  const struct vocab *vocab = model_vocab(t->model);
  return vocab->tokens.count + (with_added_tokens ? added_tokens_new(t->added, vocab) : 0);
}

const int64_t *tokenizer_special_ids(const struct tokenizer *t, size_t *count) {
  return added_tokens_special(t->added, count);
}

void tokenizer_free(struct tokenizer *t) {
  if (t == NULL) return;
  normalizer_free(t->normalizer);
  pretokenizer_free(t->pretokenizer);
  model_free(t->model);
  postprocessor_free(t->postprocessor);
  decoder_free(t->decoder);
  added_tokens_free(t->added);
  free(t->padding.token);
  free(t->original.items);
  free(t->chars.items);
  pieces_free(&t->pieces);
  free(t->tokens.items);
  string_list_free(&t->strings);
  free(t);
}
