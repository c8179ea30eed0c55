/* model.c - reads and dispatches the kinds of models. */
#include "model.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

struct model {
  struct vocab vocab;
  /* exactly one of them */
  struct bpe *bpe;
  struct word_piece *word_piece;
  struct word_level *word_level;
};

/* Files from before 2021 have no "type": what is there tells. */
static const char *guess_type(const cJSON *json, const struct json_lists *lists) {
  if (lists->vocab.at != NULL && *lists->vocab.at == '[') return "Unigram";
  if (lists->merges.at != NULL) return "BPE";
  return json_member(json, "max_input_chars_per_word") != NULL ? "WordPiece" : "WordLevel";
}

static lun_status read_kind(struct model *m, const cJSON *json, const struct json_lists *lists, struct text_error *err) {
  const char *type;
  lun_status st;
  if (!cJSON_IsObject(json)) return text_fail(err, LUN_EIO, "no \"model\" in the tokenizer");
  st = json_string_or(json, "model", "type", guess_type(json, lists), &type, err);
  if (st != LUN_OK) return st;
  if (strcmp(type, "BPE") != 0 && strcmp(type, "WordPiece") != 0 && strcmp(type, "WordLevel") != 0)
    return text_fail(err, LUN_EIO, "unsupported model \"%.80s\"", type);
  st = vocab_read(&m->vocab, lists->vocab, err);
  if (st != LUN_OK) return st;
  if (strcmp(type, "BPE") == 0) return bpe_read(json, lists->merges, &m->vocab, &m->bpe, err);
  if (strcmp(type, "WordPiece") == 0) return word_piece_read(json, &m->vocab, &m->word_piece, err);
  return word_level_read(json, &m->vocab, &m->word_level, err);
}

lun_status model_read(const cJSON *json, const struct json_lists *lists, struct model **out, struct text_error *err) {
  struct model *m = calloc(1, sizeof *m);
  lun_status st;
  if (m == NULL) return text_no_memory(err);
  st = read_kind(m, json, lists, err);
  if (st != LUN_OK) {
    model_free(m);
    return st;
  }
  *out = m;
  return LUN_OK;
}

lun_status model_tokenize(struct model *m, const char *word, size_t len, struct tokens *out, struct text_error *err) {
  if (m->bpe != NULL) return bpe_tokenize(m->bpe, word, len, out, err);
  if (m->word_piece != NULL) return word_piece_tokenize(m->word_piece, word, len, out, err);
  return word_level_tokenize(m->word_level, word, len, out, err);
}

const struct vocab *model_vocab(const struct model *m) { return &m->vocab; }

int model_is_bpe(const struct model *m) { return m->bpe != NULL; }

void model_free(struct model *m) {
  if (m == NULL) return;
  bpe_free(m->bpe);
  word_piece_free(m->word_piece);
  word_level_free(m->word_level);
  vocab_free(&m->vocab);
  free(m);
}

lun_status tokens_add(struct tokens *out, const struct token *t, struct text_error *err) {
  if (!ARRAY_RESERVE(out, out->count + 1)) return text_no_memory(err);
  out->items[out->count++] = *t;
  return LUN_OK;
}
