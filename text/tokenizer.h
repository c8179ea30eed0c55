/*
** tokenizer.h - a Hugging Face tokenizer.json: text to token ids and back.
**
** encode: added tokens are cut out, the rest is normalised, cut into words, each word turned into
** tokens by the model, and special tokens put around; decode goes back.  All results equal those of
** the tokenizers library 0.23.  An object keeps working memory and a cache: one call at a time.
*/
#ifndef TEXT_TOKENIZER_H
#define TEXT_TOKENIZER_H

#include "encoding.h"
#include "text_error.h"
#include "utf8.h"

enum {
  TOKENIZER_MAX_FILE = 1 << 28, /* bytes of a tokenizer.json */
  TOKENIZER_MAX_TEXT = 1 << 28  /* bytes of a text to encode */
};

struct tokenizer;

/*
** From the bytes of a tokenizer.json, which are untrusted.  LUN_EIO when they are malformed, or with the
** name of what is unsupported; LUN_EMEM.
*/
lun_status tokenizer_parse(const char *json, size_t len, struct tokenizer **out, struct text_error *err);

/* From a file; also LUN_EIO when it cannot be read or is larger than TOKENIZER_MAX_FILE. */
lun_status tokenizer_load(const char *path, struct tokenizer **out, struct text_error *err);

/*
** Encodes a text, or a pair when 'pair' is not NULL.  Ill-formed UTF-8 counts as U+FFFD.  *out, empty
** before, holds ids, tokens, type ids and offsets in code points of the text each is from.
** LUN_EARG, LUN_EIO when the model lacks its unknown token, LUN_EMEM; *out is to be freed in any case.
*/
lun_status tokenizer_encode(struct tokenizer *t, const char *text, size_t len, const char *pair, size_t pair_len,
                            int add_special_tokens, struct encoding *out, struct text_error *err);

/*
** Appends the text of 'count' ids; ids that do not exist are passed over.  'clean_up' is
** clean_up_tokenization_spaces, which, as in transformers 5, does nothing to BPE.  LUN_EARG, LUN_EMEM.
*/
lun_status tokenizer_decode(struct tokenizer *t, const int64_t *ids, size_t count, int skip_special_tokens, int clean_up,
                            struct utf8_bytes *out, struct text_error *err);

/* 1 and *id when there is such a token. */
int tokenizer_find(const struct tokenizer *t, const char *token, size_t len, uint32_t *id);

/* The token of an id, kept by 't', NULL when there is none. */
const char *tokenizer_token(const struct tokenizer *t, int64_t id, size_t *len);

size_t tokenizer_vocab_size(const struct tokenizer *t, int with_added_tokens);

/* The ids flagged special, ascending, kept by 't'. */
const int64_t *tokenizer_special_ids(const struct tokenizer *t, size_t *count);

void tokenizer_free(struct tokenizer *t);

#endif
