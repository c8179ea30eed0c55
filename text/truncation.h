/* truncation.h - the members "truncation" and "padding" of tokenizer.json. */
#ifndef TEXT_TRUNCATION_H
#define TEXT_TRUNCATION_H

#include "encoding.h"
#include "json.h"

enum truncation_strategy { TRUNCATE_LONGEST_FIRST, TRUNCATE_ONLY_FIRST, TRUNCATE_ONLY_SECOND };

struct truncation {
  int active;
  uint32_t max_length, stride;
  int from_left; /* tokens are taken off the start */
  enum truncation_strategy strategy;
};

struct padding {
  int active;
  int to_left;
  uint32_t fixed;    /* the length, 0 for that of the longest */
  uint32_t multiple; /* 0: any length */
  uint32_t id, type_id;
  char *token;
};

/* A NULL 'json' leaves them off.  LUN_EIO, LUN_EMEM. */
lun_status truncation_read(const cJSON *json, struct truncation *out, struct text_error *err);
lun_status padding_read(const cJSON *json, struct padding *out, struct text_error *err);

/* Shortens one encoding or a pair so that 'added' tokens more fit.  LUN_EARG when they cannot. */
lun_status truncation_apply(const struct truncation *t, size_t added, struct encodings *list, struct text_error *err);

/* Lengthens the finished encoding.  LUN_EMEM. */
lun_status padding_apply(const struct padding *p, struct encoding *e, struct text_error *err);

#endif
