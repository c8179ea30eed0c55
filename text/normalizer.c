/* normalizer.c - reads and runs the steps of a normalizer. */
#include "normalizer.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "byte_level.h"
#include "normal_form.h"
#include "pattern.h"
#include "string_set.h"
#include "unicode.h"
#include "utf8.h"

enum step_kind {
  /* character by character, see map_char() */
  STEP_LOWERCASE,
  STEP_STRIP_ACCENTS,
  STEP_BERT_CLEAN,
  STEP_BERT_IDEOGRAPHS,
  STEP_BERT_ACCENTS,
  STEP_NMT,
  STEP_BYTE_LEVEL,
  /* on the whole text */
  STEP_NORMAL_FORM,
  STEP_STRIP,
  STEP_PREPEND,
  STEP_REPLACE
};

struct step {
  enum step_kind kind;
  int compat, compose;     /* STEP_NORMAL_FORM */
  int left, right;         /* STEP_STRIP */
  char *content;           /* STEP_PREPEND, STEP_REPLACE */
  struct regex *pattern;   /* STEP_REPLACE */
};

struct normalizer {
  struct step *items;
  size_t count, cap;
  struct normalized other; /* the text after a step, before it is swapped in */
  struct changes changes;
};

/* A new last step, valid until the next; NULL when memory is out. */
static struct step *add_step(struct normalizer *n, enum step_kind kind) {
  struct step *s;
  if (!ARRAY_RESERVE(n, n->count + 1)) return NULL;
  s = &n->items[n->count++];
  memset(s, 0, sizeof *s);
  s->kind = kind;
  return s;
}

static lun_status copy_member(const cJSON *json, const char *where, const char *name, char **out,
                              struct text_error *err) {
  const char *text;
  lun_status st = json_string(json, where, name, &text, err);
  if (st != LUN_OK) return st;
  *out = string_copy(text);
  return *out == NULL ? text_no_memory(err) : LUN_OK;
}

lun_status pattern_read(const cJSON *owner, const char *where, struct regex **out, struct text_error *err) {
  const cJSON *pattern = json_member(owner, "pattern"), *text = json_member(pattern, "String"),
              *regex = json_member(pattern, "Regex");
  if (cJSON_IsString(text)) return regex_compile(text->valuestring, REGEX_LITERAL, out, err);
  if (cJSON_IsString(regex)) return regex_compile(regex->valuestring, REGEX_PATTERN, out, err);
  return text_fail(err, LUN_EIO, "%s: \"pattern\" is neither {\"String\": ...} nor {\"Regex\": ...}", where);
}

/* BERT's normalizer is a list of steps, each of which can be switched off. */
static lun_status read_bert(struct normalizer *n, const cJSON *json, struct text_error *err) {
  static const char where[] = "normalizer \"BertNormalizer\"";
  int clean, ideographs, accents, lowercase;
  lun_status st = json_bool(json, where, "clean_text", &clean, err);
  if (st == LUN_OK) st = json_bool(json, where, "handle_chinese_chars", &ideographs, err);
  if (st == LUN_OK) st = json_bool(json, where, "lowercase", &lowercase, err);
  if (st == LUN_OK) st = json_bool_or(json, where, "strip_accents", lowercase, &accents, err);
  if (st != LUN_OK) return st;
  if (clean && add_step(n, STEP_BERT_CLEAN) == NULL) return text_no_memory(err);
  if (ideographs && add_step(n, STEP_BERT_IDEOGRAPHS) == NULL) return text_no_memory(err);
  if (accents && add_step(n, STEP_NORMAL_FORM) == NULL) return text_no_memory(err); /* NFD */
  if (accents && add_step(n, STEP_BERT_ACCENTS) == NULL) return text_no_memory(err);
  if (lowercase && add_step(n, STEP_LOWERCASE) == NULL) return text_no_memory(err);
  return LUN_OK;
}

static const struct {
  const char *name;
  enum step_kind kind;
  int compat, compose;
} plain[] = {
    {"NFC", STEP_NORMAL_FORM, 0, 1},  {"NFD", STEP_NORMAL_FORM, 0, 0},
    {"NFKC", STEP_NORMAL_FORM, 1, 1}, {"NFKD", STEP_NORMAL_FORM, 1, 0},
    {"Lowercase", STEP_LOWERCASE, 0, 0}, {"StripAccents", STEP_STRIP_ACCENTS, 0, 0},
    {"Nmt", STEP_NMT, 0, 0},          {"ByteLevel", STEP_BYTE_LEVEL, 0, 0},
};

static lun_status read_step(struct normalizer *n, const cJSON *json, struct text_error *err) {
  const char *type;
  struct step *s;
  size_t i;
  lun_status st = json_type(json, "normalizer", &type, err);
  if (st != LUN_OK) return st;
  for (i = 0; i < sizeof plain / sizeof *plain; i++)
    if (strcmp(type, plain[i].name) == 0) {
      s = add_step(n, plain[i].kind);
      if (s == NULL) return text_no_memory(err);
      s->compat = plain[i].compat;
      s->compose = plain[i].compose;
      return LUN_OK;
    }
  if (strcmp(type, "Sequence") == 0) {
    const cJSON *list, *item;
    st = json_array(json, "normalizer \"Sequence\"", "normalizers", &list, err);
    for (item = st == LUN_OK ? list->child : NULL; st == LUN_OK && item != NULL; item = item->next)
      st = read_step(n, item, err);
    return st;
  }
  if (strcmp(type, "BertNormalizer") == 0) return read_bert(n, json, err);
  if (strcmp(type, "Strip") == 0) {
    static const char where[] = "normalizer \"Strip\"";
    s = add_step(n, STEP_STRIP);
    if (s == NULL) return text_no_memory(err);
    st = json_bool(json, where, "strip_left", &s->left, err);
    return st == LUN_OK ? json_bool(json, where, "strip_right", &s->right, err) : st;
  }
  if (strcmp(type, "Prepend") == 0) {
    s = add_step(n, STEP_PREPEND);
    if (s == NULL) return text_no_memory(err);
    return copy_member(json, "normalizer \"Prepend\"", "prepend", &s->content, err);
  }
  if (strcmp(type, "Replace") == 0) {
    static const char where[] = "normalizer \"Replace\"";
    s = add_step(n, STEP_REPLACE);
    if (s == NULL) return text_no_memory(err);
    st = copy_member(json, where, "content", &s->content, err);
    return st == LUN_OK ? pattern_read(json, where, &s->pattern, err) : st;
  }
  return text_fail(err, LUN_EIO, "unsupported normalizer \"%.80s\"", type);
}

lun_status normalizer_read(const cJSON *json, struct normalizer **out, struct text_error *err) {
  lun_status st;
  *out = NULL;
  if (json == NULL) return LUN_OK;
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return text_no_memory(err);
  st = read_step(*out, json, err);
  if (st != LUN_OK) {
    normalizer_free(*out);
    *out = NULL;
  }
  return st;
}

/* The clean-up of neural machine translation (SentencePiece's nmt rules): -1 removes. */
static int64_t nmt_char(uint32_t c) {
  if ((c >= 0x01 && c <= 0x08) || c == 0x0B || (c >= 0x0E && c <= 0x1F) || c == 0x7F || c == 0x8F || c == 0x9F) return -1;
  if (c == 0x09 || c == 0x0A || c == 0x0C || c == 0x0D || c == 0x1680 || (c >= 0x200B && c <= 0x200F) || c == 0x2028 ||
      c == 0x2029 || c == 0x2581 || c == 0xFEFF || c == 0xFFFD)
    return ' ';
  return c;
}

/* The characters, at most 4, that take the place of 'c' (whose bytes are 'text'). */
static int map_char(enum step_kind kind, uint32_t c, const char *text, size_t bytes, uint32_t out[4]) {
  size_t i;
  out[0] = c;
  switch (kind) {
    case STEP_LOWERCASE: return unicode_lower(c, out);
    case STEP_STRIP_ACCENTS: return !unicode_is_mark(c);
    case STEP_BERT_ACCENTS: return !unicode_is_nonspacing(c);
    case STEP_BERT_CLEAN:
      if (unicode_is_space(c) && (c >= 0xA0 || c == '\t' || c == '\n' || c == '\r')) out[0] = ' ';
      else if (c == 0xFFFD || unicode_is_control(c)) return 0;
      return 1;
    case STEP_BERT_IDEOGRAPHS:
      if (!unicode_is_ideograph(c)) return 1;
      out[0] = out[2] = ' ';
      out[1] = c;
      return 3;
    case STEP_NMT: {
      int64_t mapped = nmt_char(c);
      out[0] = (uint32_t)mapped;
      return mapped >= 0;
    }
    default: /* STEP_BYTE_LEVEL */
      for (i = 0; i < bytes; i++) out[i] = byte_level_char((unsigned char)text[i]);
      return (int)bytes;
  }
}

static lun_status map_chars(enum step_kind kind, struct normalized *out, const struct normalized *in,
                            struct text_error *err) {
  size_t at = 0, n;
  for (; at < in->len; at += n) {
    uint32_t c, mapped[4];
    int count, i;
    n = utf8_decode(in->text + at, &c);
    count = map_char(kind, c, in->text + at, n, mapped);
    for (i = 0; i < count; i++) {
      lun_status st = normalized_append_char(out, mapped[i], in->from[at], err);
      if (st != LUN_OK) return st;
    }
  }
  return LUN_OK;
}

static lun_status strip(const struct step *s, struct normalized *out, const struct normalized *in,
                        struct text_error *err) {
  size_t begin = 0, end = in->len, at = 0;
  uint32_t c;
  while (s->left && begin < end) {
    size_t n = utf8_decode(in->text + begin, &c);
    if (!unicode_is_space(c)) break;
    begin += n;
  }
  if (s->right)
    for (end = at = begin; at < in->len;) {
      at += utf8_decode(in->text + at, &c);
      if (!unicode_is_space(c)) end = at;
    }
  return normalized_append(out, in->text + begin, in->from + begin, end - begin, err);
}

lun_status normalized_replace(struct normalized *out, const struct normalized *in, struct regex *re,
                              const char *content, struct text_error *err) {
  struct ranges cut = {0};
  size_t len = strlen(content), i, at;
  struct span start = {0, 0}; /* of nothing, before the first byte */
  uint32_t c;
  lun_status st = regex_cut(re, in->text, in->len, &cut, err);
  if (in->len > 0) start.begin = start.end = in->from[0].begin;
  for (i = 0; st == LUN_OK && i < cut.count; i++) {
    const struct range *r = &cut.items[i];
    if (!r->match) {
      st = normalized_append(out, in->text + r->begin, in->from + r->begin, r->end - r->begin, err);
      continue;
    }
    for (at = 0; st == LUN_OK && at < len; at += utf8_decode(content + at, &c)) {
      utf8_decode(content + at, &c);
      st = normalized_append_char(out, c, r->end > 0 ? in->from[r->end - 1] : start, err);
    }
  }
  free(cut.items);
  return st;
}

static lun_status prepend(const char *content, struct normalized *out, const struct normalized *in,
                          struct text_error *err) {
  size_t len = strlen(content), at, n;
  lun_status st = LUN_OK;
  for (at = 0; st == LUN_OK && in->len > 0 && at < len; at += n) {
    uint32_t c;
    n = utf8_decode(content + at, &c);
    st = normalized_append_char(out, c, in->from[0], err);
  }
  return st == LUN_OK ? normalized_append(out, in->text, in->from, in->len, err) : st;
}

static int is_ascii(const char *text, size_t len) {
  size_t i;
  for (i = 0; i < len && (unsigned char)text[i] < 0x80; i++) continue;
  return i == len;
}

static lun_status run_step(struct normalizer *n, const struct step *s, const struct normalized *in,
                           struct text_error *err) {
  lun_status st;
  n->other.len = 0;
  switch (s->kind) {
    case STEP_NORMAL_FORM:
      st = normal_form(in->text, in->len, s->compat, s->compose, &n->changes, err);
      return st == LUN_OK ? normalized_rewrite(&n->other, in, &n->changes, err) : st;
    case STEP_STRIP: return strip(s, &n->other, in, err);
    case STEP_PREPEND: return prepend(s->content, &n->other, in, err);
    case STEP_REPLACE: return normalized_replace(&n->other, in, s->pattern, s->content, err);
    default: return map_chars(s->kind, &n->other, in, err);
  }
}

lun_status normalizer_run(struct normalizer *n, struct normalized *text, struct text_error *err) {
  size_t i;
  for (i = 0; n != NULL && text->len > 0 && i < n->count; i++) {
    lun_status st;
    if (n->items[i].kind == STEP_NORMAL_FORM && is_ascii(text->text, text->len)) continue; /* it is its own normal form */
    st = run_step(n, &n->items[i], text, err);
    if (st != LUN_OK) return st;
    normalized_swap(text, &n->other);
  }
  return LUN_OK;
}

void normalizer_free(struct normalizer *n) {
  size_t i;
  if (n == NULL) return;
  for (i = 0; i < n->count; i++) {
    free(n->items[i].content);
    regex_free(n->items[i].pattern);
  }
  free(n->items);
  free(n->changes.items);
  normalized_free(&n->other);
  free(n);
}
