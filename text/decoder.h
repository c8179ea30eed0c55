/* decoder.h - the member "decoder" of tokenizer.json: tokens back to text. */
#ifndef TEXT_DECODER_H
#define TEXT_DECODER_H

#include "json.h"
#include "string_set.h"
#include "utf8.h"

/* Tokens on their way to text: strings that may be equal, in one pool. */
struct string_list {
  struct string_ref *items;
  size_t count, cap;
  struct utf8_bytes bytes;
};

/* Appends a string.  LUN_EMEM. */
lun_status string_list_add(struct string_list *list, const char *text, size_t len, struct text_error *err);

void string_list_clear(struct string_list *list);
void string_list_free(struct string_list *list);

struct decoder;

/* Reads it; *out is NULL when 'json' is.  LUN_EIO, with the name of what is unsupported; LUN_EMEM. */
lun_status decoder_read(const cJSON *json, struct decoder **out, struct text_error *err);

/* Appends the text of the tokens, which are spent; a NULL decoder puts spaces between them.  LUN_EARG, LUN_EMEM. */
lun_status decoder_run(struct decoder *d, struct string_list *tokens, struct utf8_bytes *out, struct text_error *err);

/*
** Takes spaces away before punctuation and contractions, in place; 'do_not' also turns " do not" into
** " don't", as the WordPiece decoder does and transformers' clean_up_tokenization does not.
*/
void decoder_clean_up(struct utf8_bytes *text, size_t begin, int do_not);

void decoder_free(struct decoder *d);

#endif
