/* added_tokens.h - the member "added_tokens" of tokenizer.json: tokens found before the model runs. */
#ifndef TEXT_ADDED_TOKENS_H
#define TEXT_ADDED_TOKENS_H

#include "normalizer.h"
#include "pieces.h"
#include "vocab.h"

struct added_tokens;

/*
** Reads them; none when 'json' is NULL.  An added token has the id of the model's token of that name,
** or the next free one, whatever the file says: so does the reference.  LUN_EIO, LUN_EARG, LUN_EMEM.
*/
lun_status added_tokens_read(const cJSON *json, const struct vocab *vocab, struct normalizer *normalizer,
                             struct added_tokens **out, struct text_error *err);

/*
** Cuts the added tokens out of the open pieces of 'p': those with "normalized" false from the text as it
** is, then, piece by piece after 'normalizer' has run, the others.  LUN_EARG, LUN_EMEM.
*/
lun_status added_tokens_extract(struct added_tokens *a, struct normalizer *normalizer, struct pieces *p,
                                struct text_error *err);

/* 1 and *id when there is one of that name. */
int added_tokens_find(const struct added_tokens *a, const char *token, size_t len, uint32_t *id);

/* The token of an id, as decoding shows it, NULL when there is none; *special when decoding may skip it. */
const char *added_tokens_token(const struct added_tokens *a, uint32_t id, size_t *len, int *special);

/* How many names there are that 'vocab' lacks. */
size_t added_tokens_new(const struct added_tokens *a, const struct vocab *vocab);

/* The ids flagged special, ascending; *count of them, kept by 'a'. */
const int64_t *added_tokens_special(const struct added_tokens *a, size_t *count);

void added_tokens_free(struct added_tokens *a);

#endif
