/*
** pattern.h - regular expressions of tokenizer.json, by PCRE2.
**
** Hugging Face's patterns are written for Oniguruma's Ruby syntax with the Unicode tables of
** version 16; pattern_syntax.c translates what PCRE2 reads differently.
*/
#ifndef TEXT_PATTERN_H
#define TEXT_PATTERN_H

#include <stddef.h>

#include "text_error.h"

struct regex;

enum regex_kind {
  REGEX_PATTERN, /* Oniguruma's syntax */
  REGEX_LITERAL, /* the text itself */
  REGEX_NATIVE   /* PCRE2's syntax, as it stands */
};

/* What the Rust crate 'regex' calls \w, for the inside of a native class. */
extern const char regex_rust_word[];

/* LUN_EIO when the pattern is malformed or not supported, LUN_EMEM. */
lun_status regex_compile(const char *pattern, enum regex_kind kind, struct regex **out, struct text_error *err);

/* A piece of a text: a match, or what lies between two matches. */
struct range {
  size_t begin, end; /* bytes */
  int match;
};

struct ranges {
  struct range *items;
  size_t count, cap;
};

/*
** Cuts 'text' (valid UTF-8) into matches and the rest, in order, in the place of what 'out' held.
** Matches do not overlap; an empty one right after another match is not taken.  An empty text has none.
** LUN_EARG when the match limits are passed, LUN_EMEM.
*/
lun_status regex_cut(struct regex *re, const char *text, size_t len, struct ranges *out, struct text_error *err);

/* Appends a range.  LUN_EMEM. */
lun_status ranges_add(struct ranges *out, size_t begin, size_t end, int match, struct text_error *err);

void regex_free(struct regex *re);

#endif
