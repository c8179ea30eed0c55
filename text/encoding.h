/* encoding.h - what a text becomes: parallel lists of ids, tokens, offsets and type ids. */
#ifndef TEXT_ENCODING_H
#define TEXT_ENCODING_H

#include <stddef.h>
#include <stdint.h>

#include "text_error.h"
#include "utf8.h"

struct encoded {
  uint32_t id, type_id;
  size_t begin, end;      /* code points of the original text */
  size_t text, text_len;  /* the token, in 'texts' */
};

struct encoding {
  struct encoded *items;
  size_t count, cap;
  struct utf8_bytes texts;
};

/* A list of encodings, which a post-processor turns into another. */
struct encodings {
  struct encoding *items;
  size_t count, cap;
};

/* Appends a token; 'text' is copied.  LUN_EMEM. */
lun_status encoding_add(struct encoding *e, uint32_t id, uint32_t type_id, size_t begin, size_t end, const char *text,
                        size_t len, struct text_error *err);

/* Appends all of 'from'.  LUN_EMEM. */
lun_status encoding_append(struct encoding *e, const struct encoding *from, struct text_error *err);

/* Keeps the first 'count' tokens, or the last ones. */
void encoding_keep(struct encoding *e, size_t count, int last);

/* Appends an empty one, valid until the next; NULL when memory is out. */
struct encoding *encodings_add(struct encodings *list);

void encoding_free(struct encoding *e);
void encodings_free(struct encodings *list);

#endif
