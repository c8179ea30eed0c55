/* normalizer.h - the member "normalizer" of tokenizer.json: a list of steps. */
#ifndef TEXT_NORMALIZER_H
#define TEXT_NORMALIZER_H

#include "json.h"
#include "normalized.h"

struct normalizer;

/* Reads it; *out is NULL when 'json' is.  LUN_EIO, with the name of what is unsupported; LUN_EMEM. */
lun_status normalizer_read(const cJSON *json, struct normalizer **out, struct text_error *err);

/* Normalises 'text' in place; a NULL normalizer leaves it as it is.  LUN_EARG, LUN_EMEM. */
lun_status normalizer_run(struct normalizer *n, struct normalized *text, struct text_error *err);

void normalizer_free(struct normalizer *n);

/* {"String": text} or {"Regex": pattern}, the member "pattern" of Replace and Split. */
struct regex;
lun_status pattern_read(const cJSON *owner, const char *where, struct regex **out, struct text_error *err);

/* Appends 'in' with every match replaced: what is added takes the span of the last byte before it.  LUN_EARG, LUN_EMEM. */
lun_status normalized_replace(struct normalized *out, const struct normalized *in, struct regex *re,
                              const char *content, struct text_error *err);

#endif
