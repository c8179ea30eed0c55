/*
** word_piece.c - the WordPiece model: from the left, the longest token that fits.
**
** Source: Schuster and Nakajima 2012; the greedy search of BERT's tokenization.py.
*/
#include <stdlib.h>
#include <string.h>

#include "model.h"
#include "utf8.h"

struct word_piece {
  const struct vocab *vocab;
  char *unk_token, *prefix;
  size_t max_chars;
  struct utf8_bytes scratch; /* the prefix, then the word */
};

lun_status word_piece_read(const cJSON *json, const struct vocab *vocab, struct word_piece **out,
                           struct text_error *err) {
  static const char where[] = "model \"WordPiece\"";
  const char *unk, *prefix;
  uint32_t max_chars;
  lun_status st = json_string(json, where, "unk_token", &unk, err);
  if (st == LUN_OK) st = json_string(json, where, "continuing_subword_prefix", &prefix, err);
  if (st == LUN_OK) st = json_u32(json, where, "max_input_chars_per_word", &max_chars, err);
  if (st != LUN_OK) return st;
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return text_no_memory(err);
  (*out)->vocab = vocab;
  (*out)->max_chars = max_chars;
  (*out)->unk_token = string_copy(unk);
  (*out)->prefix = string_copy(prefix);
  return (*out)->unk_token == NULL || (*out)->prefix == NULL ? text_no_memory(err) : LUN_OK;
}

static size_t count_chars(const char *word, size_t len) {
  size_t n = 0, i;
  for (i = 0; i < len; i++) n += ((unsigned char)word[i] & 0xC0) != 0x80;
  return n;
}

/* Appends the pieces of the word; *whole is 0 when some part fits no token. */
static lun_status split_word(struct word_piece *w, size_t prefix, size_t len, struct tokens *out, int *whole,
                             struct text_error *err) {
  char *word = w->scratch.items + prefix;
  struct token t = {0};
  lun_status st;
  for (*whole = 1; t.begin < len; t.begin = t.end) {
    size_t head = t.begin > 0 ? prefix : 0;
    /* what comes before this piece is spent: the prefix goes there */
    memcpy(word + t.begin - head, w->prefix, head);
    t.end = len;
    if (t.end - t.begin > w->vocab->longest) t.end = t.begin + w->vocab->longest;
    while (t.end < len && ((unsigned char)word[t.end] & 0xC0) == 0x80) t.end--;
    while (t.end > t.begin && !vocab_find(w->vocab, word + t.begin - head, t.end - t.begin + head, &t.id))
      do t.end--;
      while (((unsigned char)word[t.end] & 0xC0) == 0x80);
    if (t.end <= t.begin) {
      *whole = 0;
      return LUN_OK;
    }
    t.text = vocab_token(w->vocab, t.id, &t.len);
    st = tokens_add(out, &t, err);
    if (st != LUN_OK) return st;
  }
  return LUN_OK;
}

lun_status word_piece_tokenize(struct word_piece *w, const char *word, size_t len, struct tokens *out,
                               struct text_error *err) {
  struct token unk = {0};
  size_t before = out->count, prefix = strlen(w->prefix);
  int whole = 0;
  lun_status st = LUN_OK;
  if (count_chars(word, len) <= w->max_chars) {
    w->scratch.count = 0;
    st = utf8_append(&w->scratch, w->prefix, prefix, err);
    if (st == LUN_OK) st = utf8_append(&w->scratch, word, len, err);
    if (st == LUN_OK) st = split_word(w, prefix, len, out, &whole, err);
  }
  if (whole || st != LUN_OK) return st;
  out->count = before;
  unk.end = len;
  if (!vocab_find(w->vocab, w->unk_token, strlen(w->unk_token), &unk.id))
    return text_fail(err, LUN_EIO, "unk_token \"%.80s\" is not in the vocabulary", w->unk_token);
  unk.text = vocab_token(w->vocab, unk.id, &unk.len);
  return tokens_add(out, &unk, err);
}

void word_piece_free(struct word_piece *w) {
  if (w == NULL) return;
  free(w->unk_token);
  free(w->prefix);
  free(w->scratch.items);
  free(w);
}
