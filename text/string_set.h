/*
** string_set.h - a set of strings, numbered from 0 in the order they were added.
**
** The vocabulary, its added tokens and the tokens of an encoding are such
** strings: bytes of one pool, found again by hash.
*/
#ifndef TEXT_STRING_SET_H
#define TEXT_STRING_SET_H

#include <stdint.h>

#include "text_error.h"

#define STRINGS_NONE UINT32_MAX

struct string_ref {
  uint32_t offset, len; /* bytes in the pool */
};

struct string_pool {
  char *items;
  size_t count, cap;
};

struct strings {
  struct string_pool pool;
  struct string_ref *items; /* of string i */
  size_t count, cap;
  uint32_t *slots;   /* open addressing: index + 1, 0 is free */
  size_t slot_count; /* a power of two, at least twice 'count' */
};

/* Number of the string, or STRINGS_NONE. */
uint32_t strings_find(const struct strings *set, const char *text, size_t len);

/* Adds a string, or finds the equal one; *index is its number.  LUN_EMEM. */
lun_status strings_add(struct strings *set, const char *text, size_t len, uint32_t *index, struct text_error *err);

/* Bytes of string 'index', not ended by a NUL. */
const char *strings_get(const struct strings *set, uint32_t index, size_t *len);

void strings_free(struct strings *set);

/* A copy of one C string, for free(); NULL when memory is out. */
char *string_copy(const char *text);

#endif
