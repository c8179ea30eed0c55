/* vocab.h - tokens and their ids, as a model has them. */
#ifndef TEXT_VOCAB_H
#define TEXT_VOCAB_H

#include "json.h"
#include "string_set.h"

struct vocab_ids {
  uint32_t *items;
  size_t count, cap;
};

struct vocab {
  struct strings tokens;
  struct vocab_ids ids; /* of token i */
  uint32_t *by_id;      /* token of id, STRINGS_NONE where there is none */
  size_t id_count;      /* ids are below it */
  size_t longest;       /* bytes of the longest token */
};

/* Reads {"token": id, ...}.  LUN_EIO on a bad id, LUN_EMEM. */
lun_status vocab_read(struct vocab *v, struct json_text json, struct text_error *err);

/* 1 and *id when the token is there. */
int vocab_find(const struct vocab *v, const char *token, size_t len, uint32_t *id);

/* The token of an id, NULL when there is none. */
const char *vocab_token(const struct vocab *v, uint32_t id, size_t *len);

void vocab_free(struct vocab *v);

#endif
