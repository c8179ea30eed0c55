/* pretokenizer.h - the member "pre_tokenizer" of tokenizer.json: cuts text into words. */
#ifndef TEXT_PRETOKENIZER_H
#define TEXT_PRETOKENIZER_H

#include "json.h"
#include "pieces.h"

struct pretokenizer;

/* Reads it; *out is NULL when 'json' is.  LUN_EIO, with the name of what is unsupported; LUN_EMEM. */
lun_status pretokenizer_read(const cJSON *json, struct pretokenizer **out, struct text_error *err);

/* Cuts the open pieces of 'p' into words; NULL leaves them.  LUN_EARG, LUN_EMEM. */
lun_status pretokenizer_run(struct pretokenizer *t, struct pieces *p, struct text_error *err);

void pretokenizer_free(struct pretokenizer *t);

#endif
