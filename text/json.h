/* json.h - typed reading of tokenizer.json, over cJSON. */
#ifndef TEXT_JSON_H
#define TEXT_JSON_H

#include <cjson/cJSON.h>
#include <stddef.h>
#include <stdint.h>

#include "text_error.h"
#include "utf8.h"

/* JSON text not parsed yet; 'at' moves as it is read.  Both NULL where there is none. */
struct json_text {
  const char *at, *end;
};

/* The two long lists of a tokenizer: as a tree of nodes they would be ten times the file. */
struct json_lists {
  struct json_text vocab, merges; /* in the text that was parsed */
};

/*
** Parses 'len' bytes, but for the vocabulary and the merges of the model, which are left out of the tree
** and found in *lists.  The bytes are untrusted: UTF-8 is checked, nesting is limited to 64, and a NUL in
** a string (which cJSON cannot represent) is refused.  LUN_EIO says what is wrong; LUN_EMEM.
*/
lun_status json_parse(const char *text, size_t len, cJSON **out, struct json_lists *lists, struct text_error *err);

/* Member 'name' of an object; NULL when it is absent or null. */
const cJSON *json_member(const cJSON *object, const char *name);

/*
** Typed members.  'where' names the object in messages ("normalizer \"Strip\"").  The _or forms take a
** default when the member is absent or null; the others then fail.  LUN_EIO on another type.
*/
lun_status json_bool_or(const cJSON *object, const char *where, const char *name, int def, int *out,
                        struct text_error *err);
lun_status json_bool(const cJSON *object, const char *where, const char *name, int *out, struct text_error *err);
lun_status json_string_or(const cJSON *object, const char *where, const char *name, const char *def, const char **out,
                          struct text_error *err);
lun_status json_string(const cJSON *object, const char *where, const char *name, const char **out,
                       struct text_error *err);
lun_status json_u32(const cJSON *object, const char *where, const char *name, uint32_t *out, struct text_error *err);
lun_status json_array(const cJSON *object, const char *where, const char *name, const cJSON **out,
                      struct text_error *err);

/* Takes 'c', after white space, if it comes next. */
int json_take(struct json_text *t, char c);

/* Reads a string into *out, in the place of what it held.  LUN_EIO, LUN_EMEM. */
lun_status json_read_string(struct json_text *t, struct utf8_bytes *out, struct text_error *err);

/* Reads an integer of 32 bits without sign.  0 when something else comes next. */
int json_read_u32(struct json_text *t, uint32_t *out);

/* A number that is an integer of 32 bits without sign. */
int json_is_u32(const cJSON *item, uint32_t *out);

/*
** Opens a part of the pipeline ("normalizer", "decoder"): *type is its "type".  LUN_EIO when it is not
** an object with one.
*/
lun_status json_type(const cJSON *item, const char *part, const char **type, struct text_error *err);

#endif
