/* json.c - checks the bytes of a JSON text before cJSON sees them, and reads typed members after. */
#include "json.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

/* Where a walk over the text is. */
struct walk {
  const char *text;
  size_t at;
  int depth;
  size_t string, string_len; /* the last string */
  int model;                 /* the member of the root that is open is "model" */
  size_t list;               /* where the vocabulary or the merges began, 0 outside of them */
};

static int string_is(const struct walk *w, const char *name) {
  return w->string_len == strlen(name) && memcmp(w->text + w->string, name, w->string_len) == 0;
}

/* Moves over a string, from its first quote to behind its last. */
static lun_status walk_string(struct walk *w, size_t len, struct text_error *err) {
  size_t i = w->string = w->at + 1;
  while (i < len && w->text[i] != '"') {
    if (w->text[i] == '\\' && len - i >= 6 && memcmp(w->text + i, "\\u0000", 6) == 0)
      return text_fail(err, LUN_EIO, "\\u0000 in a string, at byte %zu of %zu, is not supported", i, len);
    i += w->text[i] == '\\' ? 2 : 1;
  }
  if (i >= len) return text_fail(err, LUN_EIO, "malformed JSON: the string at byte %zu of %zu has no end", w->at, len);
  w->string_len = i - w->string;
  w->at = i + 1;
  return LUN_OK;
}

/*
** Finds what cJSON would take and should not (bad UTF-8, NULs, deep nesting), and the two lists.  'rest' is
** the text with null in their place.
*/
static lun_status walk_text(const char *text, size_t len, struct json_lists *lists, struct utf8_bytes *rest,
                            struct text_error *err) {
  struct walk w = {.text = text};
  size_t valid = utf8_valid_prefix(text, len), kept = 0;
  lun_status st = LUN_OK;
  if (valid < len) return text_fail(err, LUN_EIO, "not UTF-8 at byte %zu of %zu", valid, len);
  if (memchr(text, '\0', len) != NULL) return text_fail(err, LUN_EIO, "a NUL at byte %zu of %zu", strlen(text), len);
  while (st == LUN_OK && w.at < len) {
    char c = text[w.at];
    if (c == '"') {
      st = walk_string(&w, len, err);
      continue;
    }
    if (c == '[' || c == '{') {
      if (++w.depth > MAX_DEPTH)
        return text_fail(err, LUN_EIO, "nested deeper than %d at byte %zu of %zu", MAX_DEPTH, w.at, len);
      if (w.depth == 2) w.model = string_is(&w, "model");
      if (w.depth == 3 && w.model && (string_is(&w, "vocab") || string_is(&w, "merges"))) {
        w.list = w.at;
        st = utf8_append(rest, text + kept, w.at - kept, err);
        if (st == LUN_OK) st = utf8_append(rest, "null", 4, err);
        (string_is(&w, "vocab") ? &lists->vocab : &lists->merges)->at = text + w.at;
      }
    } else if (c == ']' || c == '}') {
      if (w.list > 0 && w.depth == 3) {
        (lists->vocab.at == text + w.list ? &lists->vocab : &lists->merges)->end = text + w.at + 1;
        kept = w.at + 1;
        w.list = 0;
      }
      w.depth--;
    }
    w.at++;
  }
  if (st == LUN_OK && w.list > 0) return text_fail(err, LUN_EIO, "malformed JSON: the list at byte %zu of %zu has no end", w.list, len);
  return st == LUN_OK ? utf8_append(rest, text + kept, len - kept, err) : st;
}

lun_status json_parse(const char *text, size_t len, cJSON **out, struct json_lists *lists, struct text_error *err) {
  struct utf8_bytes rest = {0};
  const char *end = NULL;
  lun_status st;
  *out = NULL;
  memset(lists, 0, sizeof *lists);
  st = walk_text(text, len, lists, &rest, err);
  if (st == LUN_OK) {
    *out = cJSON_ParseWithLengthOpts(rest.items, rest.count, &end, 0);
    if (*out != NULL)
      while (end < rest.items + rest.count && strchr(" \t\r\n", *end) != NULL) end++;
    if (*out == NULL || end < rest.items + rest.count) {
      int shown = (int)(rest.items + rest.count - end);
      st = text_fail(err, LUN_EIO, "malformed JSON at \"%.*s\"", shown < 40 ? shown : 40, end);
      cJSON_Delete(*out);
      *out = NULL;
    }
  }
  free(rest.items);
  return st;
}

static void skip_space(struct json_text *t) {
  while (t->at < t->end && (*t->at == ' ' || *t->at == '\n' || *t->at == '\r' || *t->at == '\t')) t->at++;
}

int json_take(struct json_text *t, char c) {
  skip_space(t);
  if (t->at == t->end || *t->at != c) return 0;
  t->at++;
  return 1;
}

/* Four hexadecimal digits, or -1. */
static int32_t read_hex4(struct json_text *t) {
  int32_t value = 0;
  int i;
  for (i = 0; i < 4; i++, t->at++) {
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *d = t->at < t->end ? memchr(digits, *t->at, 22) : NULL;
    if (d == NULL) return -1;
    value = value * 16 + (int32_t)(d - digits) - (d - digits > 15 ? 6 : 0);
  }
  return value;
}

/* The character of an escape, 'at' behind its backslash; 0 when it is none. */
static uint32_t read_escape(struct json_text *t) {
  static const char letters[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const char *l = t->at < t->end ? memchr(letters, *t->at, sizeof letters - 1) : NULL;
  int32_t high, low;
  if (l != NULL) {
    t->at++;
    return (uint32_t)meant[l - letters];
  }
  if (t->at == t->end || *t->at++ != 'u' || (high = read_hex4(t)) < 0) return 0;
  if (high < 0xD800 || high > 0xDFFF) return (uint32_t)high;
  if (high > 0xDBFF || t->end - t->at < 6 || t->at[0] != '\\' || t->at[1] != 'u') return 0;
  t->at += 2;
  low = read_hex4(t);
  return low < 0xDC00 || low > 0xDFFF ? 0 : 0x10000u + ((uint32_t)(high - 0xD800) << 10) + (uint32_t)(low - 0xDC00);
}

lun_status json_read_string(struct json_text *t, struct utf8_bytes *out, struct text_error *err) {
  const char *run;
  out->count = 0;
  if (!json_take(t, '"')) return text_fail(err, LUN_EIO, "malformed JSON: no string where one is wanted");
  for (;;) {
    char bytes[4];
    uint32_t c;
    lun_status st;
    for (run = t->at; t->at < t->end && *t->at != '"' && *t->at != '\\'; t->at++) continue;
    st = utf8_append(out, run, (size_t)(t->at - run), err);
    if (st != LUN_OK) return st;
    if (t->at == t->end) return text_fail(err, LUN_EIO, "malformed JSON: a string has no end");
    if (*t->at++ == '"') return LUN_OK;
    c = read_escape(t);
    if (c == 0) return text_fail(err, LUN_EIO, "malformed JSON: bad escape in a string");
    st = utf8_append(out, bytes, utf8_encode(c, bytes), err);
    if (st != LUN_OK) return st;
  }
}

int json_read_u32(struct json_text *t, uint32_t *out) {
  uint64_t value = 0;
  int digits = 0;
  skip_space(t);
  for (; t->at < t->end && *t->at >= '0' && *t->at <= '9' && digits < 11; t->at++, digits++)
    value = value * 10 + (uint64_t)(*t->at - '0');
  *out = (uint32_t)value;
  return digits > 0 && value <= UINT32_MAX && (t->at == t->end || strchr(".eE", *t->at) == NULL);
}

const cJSON *json_member(const cJSON *object, const char *name) {
  const cJSON *item = cJSON_GetObjectItemCaseSensitive(object, name);
  return cJSON_IsNull(item) ? NULL : item;
}

static const char *kind_of(const cJSON *item) {
  if (item == NULL) return "nothing";
  if (cJSON_IsBool(item)) return "a boolean";
  if (cJSON_IsNumber(item)) return "a number";
  if (cJSON_IsString(item)) return "a string";
  if (cJSON_IsArray(item)) return "an array";
  return cJSON_IsNull(item) ? "null" : "an object";
}

static lun_status wrong(const char *where, const char *name, const cJSON *item, const char *want,
                        struct text_error *err) {
  return text_fail(err, LUN_EIO, "%s: \"%s\" is %s, want %s", where, name, kind_of(item), want);
}

lun_status json_bool(const cJSON *object, const char *where, const char *name, int *out, struct text_error *err) {
  const cJSON *item = json_member(object, name);
  if (!cJSON_IsBool(item)) return wrong(where, name, item, "a boolean", err);
  *out = cJSON_IsTrue(item);
  return LUN_OK;
}

lun_status json_bool_or(const cJSON *object, const char *where, const char *name, int def, int *out,
                        struct text_error *err) {
  *out = def;
  return json_member(object, name) == NULL ? LUN_OK : json_bool(object, where, name, out, err);
}

lun_status json_string(const cJSON *object, const char *where, const char *name, const char **out,
                       struct text_error *err) {
  const cJSON *item = json_member(object, name);
  if (!cJSON_IsString(item)) return wrong(where, name, item, "a string", err);
  *out = item->valuestring;
  return LUN_OK;
}

lun_status json_string_or(const cJSON *object, const char *where, const char *name, const char *def, const char **out,
                          struct text_error *err) {
  *out = def;
  return json_member(object, name) == NULL ? LUN_OK : json_string(object, where, name, out, err);
}

int json_is_u32(const cJSON *item, uint32_t *out) {
  if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble <= UINT32_MAX)) return 0;
  *out = (uint32_t)item->valuedouble;
  return *out == item->valuedouble;
}

lun_status json_u32(const cJSON *object, const char *where, const char *name, uint32_t *out, struct text_error *err) {
  const cJSON *item = json_member(object, name);
  return json_is_u32(item, out) ? LUN_OK : wrong(where, name, item, "an integer from 0 to 4294967295", err);
}

lun_status json_array(const cJSON *object, const char *where, const char *name, const cJSON **out,
                      struct text_error *err) {
  *out = json_member(object, name);
  return cJSON_IsArray(*out) ? LUN_OK : wrong(where, name, *out, "an array", err);
}

lun_status json_type(const cJSON *item, const char *part, const char **type, struct text_error *err) {
  if (!cJSON_IsObject(item)) return text_fail(err, LUN_EIO, "%s is %s, want an object", part, kind_of(item));
  return json_string(item, part, "type", type, err);
}
