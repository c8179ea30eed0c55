/* word_level.c - the model that knows whole words only. */
#include <stdlib.h>
#include <string.h>

#include "model.h"

struct word_level {
  const struct vocab *vocab;
  char *unk_token;
};

lun_status word_level_read(const cJSON *json, const struct vocab *vocab, struct word_level **out, struct text_error *err) {
  const char *unk;
  lun_status st = json_string(json, "model \"WordLevel\"", "unk_token", &unk, err);
  if (st != LUN_OK) return st;
  *out = calloc(1, sizeof **out);
  if (*out == NULL || ((*out)->unk_token = string_copy(unk)) == NULL) return text_no_memory(err);
  (*out)->vocab = vocab;
  return LUN_OK;
}

lun_status word_level_tokenize(struct word_level *w, const char *word, size_t len, struct tokens *out,
                               struct text_error *err) {
  struct token t = {0};
  t.end = len;
  if (!vocab_find(w->vocab, word, len, &t.id) && !vocab_find(w->vocab, w->unk_token, strlen(w->unk_token), &t.id))
    return text_fail(err, LUN_EIO, "unk_token \"%.80s\" is not in the vocabulary", w->unk_token);
  t.text = vocab_token(w->vocab, t.id, &t.len);
  return tokens_add(out, &t, err);
}

void word_level_free(struct word_level *w) {
  if (w == NULL) return;
  free(w->unk_token);
  free(w);
}
