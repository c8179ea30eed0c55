/* postprocessor.h - the member "post_processor" of tokenizer.json: special tokens around the text. */
#ifndef TEXT_POSTPROCESSOR_H
#define TEXT_POSTPROCESSOR_H

#include "encoding.h"
#include "json.h"

struct postprocessor;

/* Reads it; *out is NULL when 'json' is.  LUN_EIO, with the name of what is unsupported; LUN_EMEM. */
lun_status postprocessor_read(const cJSON *json, struct postprocessor **out, struct text_error *err);

/* How many tokens it adds to one text, or to a pair. */
size_t postprocessor_added(const struct postprocessor *p, int pair);

/*
** Turns the one or two encodings of 'list' into those whose concatenation is the result; NULL leaves
** them.  LUN_EIO, LUN_EMEM.
*/
lun_status postprocessor_run(const struct postprocessor *p, int add_special_tokens, struct encodings *list,
                             struct text_error *err);

void postprocessor_free(struct postprocessor *p);

#endif
