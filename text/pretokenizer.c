/*
** pretokenizer.c - reads and runs the stages of a pre-tokenizer.
**
** Every kind of tokenizer.json is one or more of five stages: split at a pattern, split at characters,
** add a prefix, replace, spell out bytes.
*/
#include "pretokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "byte_level.h"
#include "normalizer.h"
#include "pattern.h"
#include "split.h"
#include "string_set.h"
#include "unicode.h"
#include "utf8.h"

enum stage_kind { STAGE_SPLIT, STAGE_SPLIT_CHARS, STAGE_PREFIX, STAGE_REPLACE, STAGE_BYTES };

enum char_class { CHARS_SPACE, CHARS_PUNCTUATION, CHARS_NUMERIC, CHARS_DELIMITER };

struct stage {
  enum stage_kind kind;
  struct regex *pattern; /* STAGE_SPLIT, STAGE_REPLACE */
  enum split_behavior behavior;
  int invert;
  enum char_class chars; /* STAGE_SPLIT_CHARS */
  uint32_t delimiter;    /* of CHARS_DELIMITER */
  char *content;         /* STAGE_PREFIX, STAGE_REPLACE */
  int first_only;        /* STAGE_PREFIX: at the start of the text only */
};

struct pretokenizer {
  struct stage *items;
  size_t count, cap;
  struct pieces other;     /* the pieces after a stage, before they are swapped in */
  struct ranges cut;       /* of the piece at hand */
  struct normalized piece; /* STAGE_REPLACE: the piece alone, before and after */
  struct normalized replaced;
};

/* A new last stage, valid until the next; NULL when memory is out. */
static struct stage *add_stage(struct pretokenizer *t, enum stage_kind kind) {
  struct stage *s;
  if (!ARRAY_RESERVE(t, t->count + 1)) return NULL;
  s = &t->items[t->count++];
  memset(s, 0, sizeof *s);
  s->kind = kind;
  return s;
}

static lun_status add_chars(struct pretokenizer *t, enum char_class chars, enum split_behavior behavior,
                            struct text_error *err) {
  struct stage *s = add_stage(t, STAGE_SPLIT_CHARS);
  if (s == NULL) return text_no_memory(err);
  s->chars = chars;
  s->behavior = behavior;
  return LUN_OK;
}

static lun_status add_prefix(struct pretokenizer *t, const char *content, int first_only, struct text_error *err) {
  struct stage *s = add_stage(t, STAGE_PREFIX);
  if (s == NULL) return text_no_memory(err);
  s->first_only = first_only;
  s->content = string_copy(content);
  return s->content == NULL ? text_no_memory(err) : LUN_OK;
}

static lun_status read_byte_level(struct pretokenizer *t, const cJSON *json, struct text_error *err) {
  static const char where[] = "pre_tokenizer \"ByteLevel\"";
  int prefix, use_regex;
  struct stage *s;
  lun_status st = json_bool(json, where, "add_prefix_space", &prefix, err);
  if (st == LUN_OK) st = json_bool_or(json, where, "use_regex", 1, &use_regex, err);
  if (st == LUN_OK && prefix) st = add_prefix(t, " ", 0, err);
  if (st == LUN_OK && use_regex) {
    s = add_stage(t, STAGE_SPLIT);
    if (s == NULL) return text_no_memory(err);
    s->behavior = SPLIT_ISOLATED;
    st = regex_compile(byte_level_pattern, REGEX_PATTERN, &s->pattern, err);
  }
  if (st != LUN_OK) return st;
  return add_stage(t, STAGE_BYTES) == NULL ? text_no_memory(err) : LUN_OK;
}

/* A string of exactly one character. */
static lun_status read_char(const cJSON *json, const char *where, const char *name, const char **text, uint32_t *c,
                            struct text_error *err) {
  lun_status st = json_string(json, where, name, text, err);
  if (st != LUN_OK) return st;
  if (**text == '\0' || utf8_decode(*text, c) != strlen(*text))
    return text_fail(err, LUN_EIO, "%s: \"%s\" is \"%.40s\", want one character", where, name, *text);
  return LUN_OK;
}

static lun_status read_metaspace(struct pretokenizer *t, const cJSON *json, struct text_error *err) {
  static const char where[] = "pre_tokenizer \"Metaspace\"";
  const char *replacement, *scheme;
  uint32_t c = 0;
  int prefix_space, split;
  struct stage *s;
  lun_status st = read_char(json, where, "replacement", &replacement, &c, err);
  if (st == LUN_OK) st = json_string_or(json, where, "prepend_scheme", "always", &scheme, err);
  if (st == LUN_OK) st = json_bool_or(json, where, "add_prefix_space", 1, &prefix_space, err);
  if (st == LUN_OK) st = json_bool_or(json, where, "split", 1, &split, err);
  if (st == LUN_OK && strcmp(scheme, "always") != 0 && strcmp(scheme, "first") != 0 && strcmp(scheme, "never") != 0)
    st = text_fail(err, LUN_EIO, "%s: unknown prepend_scheme \"%.40s\"", where, scheme);
  if (st != LUN_OK) return st;
  s = add_stage(t, STAGE_REPLACE);
  if (s == NULL || (s->content = string_copy(replacement)) == NULL) return text_no_memory(err);
  st = regex_compile(" ", REGEX_LITERAL, &s->pattern, err);
  if (st == LUN_OK && prefix_space && strcmp(scheme, "never") != 0)
    st = add_prefix(t, replacement, strcmp(scheme, "first") == 0, err);
  if (st == LUN_OK && split) {
    st = add_chars(t, CHARS_DELIMITER, SPLIT_MERGED_WITH_NEXT, err);
    if (st == LUN_OK) t->items[t->count - 1].delimiter = c;
  }
  return st;
}

static lun_status read_split(struct pretokenizer *t, const cJSON *json, struct text_error *err) {
  static const char where[] = "pre_tokenizer \"Split\"";
  struct stage *s = add_stage(t, STAGE_SPLIT);
  lun_status st;
  if (s == NULL) return text_no_memory(err);
  st = split_behavior_read(json, where, &s->behavior, err);
  if (st == LUN_OK) st = json_bool(json, where, "invert", &s->invert, err);
  return st == LUN_OK ? pattern_read(json, where, &s->pattern, err) : st;
}

/* \w+|[^\w\s]+ as the Rust crate 'regex' reads it; what lies between is removed. */
static lun_status read_whitespace(struct pretokenizer *t, struct text_error *err) {
  struct utf8_bytes pattern = {0};
  const char *const parts[] = {"[", regex_rust_word, "]+|[^\\x09-\\x0D\\x{85}\\p{Z}", regex_rust_word, "]+"};
  struct stage *s = add_stage(t, STAGE_SPLIT);
  size_t i;
  lun_status st = s == NULL ? text_no_memory(err) : LUN_OK;
  for (i = 0; st == LUN_OK && i < sizeof parts / sizeof *parts; i++)
    st = utf8_append(&pattern, parts[i], strlen(parts[i]), err);
  if (st == LUN_OK) st = utf8_append(&pattern, "", 1, err);
  if (st == LUN_OK) {
    s->behavior = SPLIT_REMOVED;
    s->invert = 1;
    st = regex_compile(pattern.items, REGEX_NATIVE, &s->pattern, err);
  }
  free(pattern.items);
  return st;
}

static lun_status read_delimiter(struct pretokenizer *t, const cJSON *json, struct text_error *err) {
  const char *text;
  uint32_t c = 0;
  lun_status st = read_char(json, "pre_tokenizer \"CharDelimiterSplit\"", "delimiter", &text, &c, err);
  if (st == LUN_OK) st = add_chars(t, CHARS_DELIMITER, SPLIT_REMOVED, err);
  if (st == LUN_OK) t->items[t->count - 1].delimiter = c;
  return st;
}

static lun_status read_stage(struct pretokenizer *t, const cJSON *json, struct text_error *err) {
  const char *type;
  lun_status st = json_type(json, "pre_tokenizer", &type, err);
  if (st != LUN_OK) return st;
  if (strcmp(type, "Sequence") == 0) {
    const cJSON *list, *item;
    st = json_array(json, "pre_tokenizer \"Sequence\"", "pretokenizers", &list, err);
    for (item = st == LUN_OK ? list->child : NULL; st == LUN_OK && item != NULL; item = item->next)
      st = read_stage(t, item, err);
    return st;
  }
  if (strcmp(type, "ByteLevel") == 0) return read_byte_level(t, json, err);
  if (strcmp(type, "Split") == 0) return read_split(t, json, err);
  if (strcmp(type, "Metaspace") == 0) return read_metaspace(t, json, err);
  if (strcmp(type, "Whitespace") == 0) return read_whitespace(t, err);
  if (strcmp(type, "CharDelimiterSplit") == 0) return read_delimiter(t, json, err);
  if (strcmp(type, "WhitespaceSplit") == 0) return add_chars(t, CHARS_SPACE, SPLIT_REMOVED, err);
  if (strcmp(type, "BertPreTokenizer") == 0) {
    st = add_chars(t, CHARS_SPACE, SPLIT_REMOVED, err);
    return st == LUN_OK ? add_chars(t, CHARS_PUNCTUATION, SPLIT_ISOLATED, err) : st;
  }
  if (strcmp(type, "Punctuation") == 0) {
    enum split_behavior behavior = SPLIT_ISOLATED;
    if (json_member(json, "behavior") != NULL)
      st = split_behavior_read(json, "pre_tokenizer \"Punctuation\"", &behavior, err);
    return st == LUN_OK ? add_chars(t, CHARS_PUNCTUATION, behavior, err) : st;
  }
  if (strcmp(type, "Digits") == 0) {
    int individual;
    st = json_bool(json, "pre_tokenizer \"Digits\"", "individual_digits", &individual, err);
    return st == LUN_OK ? add_chars(t, CHARS_NUMERIC, individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS, err) : st;
  }
  return text_fail(err, LUN_EIO, "unsupported pre_tokenizer \"%.80s\"", type);
}

lun_status pretokenizer_read(const cJSON *json, struct pretokenizer **out, struct text_error *err) {
  lun_status st;
  *out = NULL;
  if (json == NULL) return LUN_OK;
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return text_no_memory(err);
  st = read_stage(*out, json, err);
  if (st != LUN_OK) {
    pretokenizer_free(*out);
    *out = NULL;
  }
  return st;
}

static int is_match(const struct stage *s, uint32_t c) {
  switch (s->chars) {
    case CHARS_SPACE: return unicode_is_space(c);
    case CHARS_PUNCTUATION: return unicode_is_punctuation(c);
    case CHARS_NUMERIC: return unicode_is_numeric(c);
    default: return c == s->delimiter;
  }
}

/* Every matching character is a range of its own. */
static lun_status cut_chars(const struct stage *s, const char *text, size_t len, struct ranges *cut,
                            struct text_error *err) {
  size_t at = 0, rest = 0, n;
  lun_status st = LUN_OK;
  cut->count = 0;
  for (; st == LUN_OK && at < len; at += n) {
    uint32_t c;
    n = utf8_decode(text + at, &c);
    if (!is_match(s, c)) continue;
    if (rest < at) st = ranges_add(cut, rest, at, 0, err);
    if (st == LUN_OK) st = ranges_add(cut, at, at + n, 1, err);
    rest = at + n;
  }
  return st == LUN_OK && rest < len ? ranges_add(cut, rest, len, 0, err) : st;
}

static lun_status split_piece(struct pretokenizer *t, const struct stage *s, const struct pieces *in,
                              const struct piece *piece, struct text_error *err) {
  const char *text = in->text.text + piece->begin;
  size_t len = piece->end - piece->begin, i;
  lun_status st = s->kind == STAGE_SPLIT ? regex_cut(s->pattern, text, len, &t->cut, err)
                                         : cut_chars(s, text, len, &t->cut, err);
  if (st != LUN_OK) return st;
  split_apply(&t->cut, s->behavior, s->invert);
  for (i = 0; st == LUN_OK && i < t->cut.count; i++) {
    const struct range *r = &t->cut.items[i];
    if (!r->match) st = pieces_add(&t->other.list, piece->begin + r->begin, piece->begin + r->end, PIECE_OPEN, err);
  }
  return st;
}

/* Writes the piece, changed, to the end of 'other'. */
static lun_status rewrite_piece(struct pretokenizer *t, const struct stage *s, const struct pieces *in,
                                const struct piece *piece, struct text_error *err) {
  struct normalized *out = &t->other.text;
  const char *text = in->text.text + piece->begin;
  const struct span *from = in->text.from + piece->begin;
  size_t len = piece->end - piece->begin, begin = out->len, i;
  lun_status st = LUN_OK;
  switch (s->kind) {
    case STAGE_BYTES:
      for (i = 0; st == LUN_OK && i < len; i++)
        st = normalized_append_char(out, byte_level_char((unsigned char)text[i]), from[i], err);
      break;
    case STAGE_REPLACE:
      t->piece.len = t->replaced.len = 0;
      st = normalized_append(&t->piece, text, from, len, err);
      if (st == LUN_OK) st = normalized_replace(&t->replaced, &t->piece, s->pattern, s->content, err);
      if (st == LUN_OK) st = normalized_append(out, t->replaced.text, t->replaced.from, t->replaced.len, err);
      break;
    default: { /* STAGE_PREFIX, unless it is there already */
      size_t prefix = strlen(s->content);
      if ((len < prefix || memcmp(text, s->content, prefix) != 0) && (!s->first_only || from[0].begin == 0))
        for (i = 0; st == LUN_OK && i < prefix; i++) st = normalized_append(out, s->content + i, from, 1, err);
      if (st == LUN_OK) st = normalized_append(out, text, from, len, err);
      break;
    }
  }
  return st == LUN_OK ? pieces_add(&t->other.list, begin, out->len, PIECE_OPEN, err) : st;
}

lun_status pretokenizer_run(struct pretokenizer *t, struct pieces *p, struct text_error *err) {
  size_t i, k;
  for (i = 0; t != NULL && i < t->count; i++) {
    const struct stage *s = &t->items[i];
    int rewrites = s->kind != STAGE_SPLIT && s->kind != STAGE_SPLIT_CHARS;
    lun_status st = LUN_OK;
    pieces_clear(&t->other);
    for (k = 0; st == LUN_OK && k < p->list.count; k++) {
      const struct piece *piece = &p->list.items[k];
      if (rewrites)
        st = piece->id != PIECE_OPEN ? pieces_copy(&t->other, p, piece, err) : rewrite_piece(t, s, p, piece, err);
      else
        st = piece->id != PIECE_OPEN ? pieces_add(&t->other.list, piece->begin, piece->end, piece->id, err)
                                     : split_piece(t, s, p, piece, err);
    }
    if (st != LUN_OK) return st;
    if (!rewrites) normalized_swap(&p->text, &t->other.text); /* the text stays: only its pieces change */
    pieces_swap(p, &t->other);
  }
  return LUN_OK;
}

void pretokenizer_free(struct pretokenizer *t) {
  size_t i;
  if (t == NULL) return;
  for (i = 0; i < t->count; i++) {
    regex_free(t->items[i].pattern);
    free(t->items[i].content);
  }
  free(t->items);
  free(t->cut.items);
  pieces_free(&t->other);
  normalized_free(&t->piece);
  normalized_free(&t->replaced);
  free(t);
}
