/* model.h - what turns a word into tokens: BPE, WordPiece or WordLevel. */
#ifndef TEXT_MODEL_H
#define TEXT_MODEL_H

#include "vocab.h"

/* A token of a word. */
struct token {
  uint32_t id;
  size_t begin, end; /* bytes of the word */
  const char *text;  /* of the token, 'len' bytes, kept by the model */
  size_t len;
};

struct tokens {
  struct token *items;
  size_t count, cap;
};

struct model;

/* Reads the member "model" of tokenizer.json, and its lists.  LUN_EIO, with the name of what is unsupported; LUN_EMEM. */
lun_status model_read(const cJSON *json, const struct json_lists *lists, struct model **out, struct text_error *err);

/* Appends the tokens of a word (valid UTF-8, not empty).  LUN_EIO when the unknown token is needed and missing. */
lun_status model_tokenize(struct model *m, const char *word, size_t len, struct tokens *out, struct text_error *err);

const struct vocab *model_vocab(const struct model *m);
int model_is_bpe(const struct model *m);

void model_free(struct model *m);

/* Appends a token.  LUN_EMEM. */
lun_status tokens_add(struct tokens *out, const struct token *t, struct text_error *err);

/*
** The kinds.  Each reads its part of the JSON and, given the vocabulary, appends the tokens of a word.
*/
struct bpe;
lun_status bpe_read(const cJSON *json, struct json_text merges, const struct vocab *vocab, struct bpe **out,
                    struct text_error *err);
lun_status bpe_tokenize(struct bpe *b, const char *word, size_t len, struct tokens *out, struct text_error *err);
void bpe_free(struct bpe *b);

struct word_piece;
lun_status word_piece_read(const cJSON *json, const struct vocab *vocab, struct word_piece **out, struct text_error *err);
lun_status word_piece_tokenize(struct word_piece *w, const char *word, size_t len, struct tokens *out,
                               struct text_error *err);
void word_piece_free(struct word_piece *w);

struct word_level;
lun_status word_level_read(const cJSON *json, const struct vocab *vocab, struct word_level **out, struct text_error *err);
lun_status word_level_tokenize(struct word_level *w, const char *word, size_t len, struct tokens *out,
                               struct text_error *err);
void word_level_free(struct word_level *w);

#endif
