/*
** json.c - JSON text from files nobody vouches for.
**
** cJSON builds the tree.  Before it does, one pass checks what cJSON lets
** through (depth, NUL and control characters in strings, broken UTF-8, junk at
** the end); after that pass only memory can make cJSON fail, which tells the two
** kinds of error apart.
*/
#include <stdlib.h>
#include <string.h>
#include "json.h"
#include "tensor.h"

typedef struct scan {
  const unsigned char *p, *end;
  const char          *wrong;   /* what was found wrong at p; NULL so far */
} scan;

static bool fail(scan *s, const char *wrong) {
  if (!s->wrong) s->wrong = wrong;
  return false;
}

static void skip_space(scan *s) {
  while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r')) s->p++;
}

static int peek(const scan *s) { return s->p < s->end ? *s->p : -1; }

static bool is_digit(int c) { return c >= '0' && c <= '9'; }

static int hex_digit(int c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* The four digits after \u; -1 if they are not there. */
static long code_unit(scan *s) {
  long v = 0;
  if (s->end - s->p < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int h = hex_digit(s->p[i]);
    if (h < 0) return -1;
    v = v * 16 + h;
  }
  s->p += 4;
  return v;
}

static bool scan_unicode_escape(scan *s) {
  long unit = code_unit(s), low;
  if (unit < 0) return fail(s, "\\u without four hexadecimal digits");
  if (unit == 0) return fail(s, "a NUL inside a string");
  if (unit < 0xD800 || unit > 0xDFFF) return true;
  if (unit > 0xDBFF || s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u') return fail(s, "half of a surrogate pair");
  s->p += 2;
  low = code_unit(s);
  return (low >= 0xDC00 && low <= 0xDFFF) || fail(s, "half of a surrogate pair");
}

/* Bytes of the UTF-8 character at p (RFC 3629: no overlong forms, no surrogates); 0 if it is none. */
static int utf8_length(const unsigned char *p, const unsigned char *end) {
  int length = *p < 0x80 ? 1 : *p >= 0xC2 && *p <= 0xDF ? 2 : *p >= 0xE0 && *p <= 0xEF ? 3 : *p >= 0xF0 && *p <= 0xF4 ? 4 : 0;
  if (length == 0 || end - p < length) return 0;
  for (int i = 1; i < length; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  if ((*p == 0xE0 && p[1] < 0xA0) || (*p == 0xED && p[1] > 0x9F) || (*p == 0xF0 && p[1] < 0x90) || (*p == 0xF4 && p[1] > 0x8F)) return 0;
  return length;
}

static bool scan_string(scan *s) {
  if (peek(s) != '"') return fail(s, "a string is missing");
  s->p++;
  while (s->p < s->end && *s->p != '"') {
    int length = utf8_length(s->p, s->end);
    if (length == 0) return fail(s, "bytes that are not UTF-8");
    if (*s->p < 0x20) return fail(s, "a control character inside a string");
    if (*s->p != '\\') {
      s->p += length;
      continue;
    }
    s->p++;
    if (peek(s) == 'u') {
      s->p++;
      if (!scan_unicode_escape(s)) return false;
    } else if (s->p < s->end && *s->p && strchr("\"\\/bfnrt", *s->p)) {
      s->p++;
    } else {
      return fail(s, "an unknown escape");
    }
  }
  if (s->p == s->end) return fail(s, "a string without end");
  s->p++;
  return true;
}

static bool scan_digits(scan *s) {
  if (!is_digit(peek(s))) return fail(s, "a digit is missing");
  while (is_digit(peek(s))) s->p++;
  return true;
}

static bool scan_number(scan *s) {
  const unsigned char *start = s->p;
  if (peek(s) == '-') s->p++;
  if (peek(s) == '0') s->p++;
  else if (!scan_digits(s)) return false;
  if (peek(s) == '.') {
    s->p++;
    if (!scan_digits(s)) return false;
  }
  if (peek(s) == 'e' || peek(s) == 'E') {
    s->p++;
    if (peek(s) == '+' || peek(s) == '-') s->p++;
    if (!scan_digits(s)) return false;
  }
  return s->p - start < 63 || fail(s, "a number of more than 62 characters");   /* cJSON's buffer */
}

static bool scan_scalar(scan *s) {
  static const char *const word[] = { "true", "false", "null" };
  int c = peek(s);
  if (c == '"') return scan_string(s);
  if (c == '-' || is_digit(c)) return scan_number(s);
  for (int i = 0; i < 3; i++) {
    size_t length = strlen(word[i]);
    if ((size_t)(s->end - s->p) < length || memcmp(s->p, word[i], length) != 0) continue;
    s->p += length;
    return true;
  }
  return fail(s, c < 0 ? "the text ends too early" : "a value is missing");
}

static bool scan_key(scan *s) {
  skip_space(s);
  if (!scan_string(s)) return false;
  skip_space(s);
  if (peek(s) != ':') return fail(s, "a colon is missing");
  s->p++;
  return true;
}

/* One value and nothing after it.  'close' is the stack of brackets to come. */
static bool scan_text(scan *s) {
  char close[LUN_JSON_DEPTH];
  int  depth = 0;
  for (;;) {
    int c;
    skip_space(s);
    c = peek(s);
    if (c == '{' || c == '[') {
      if (depth == LUN_JSON_DEPTH) return fail(s, "nested deeper than 64");
      close[depth++] = c == '{' ? '}' : ']';
      s->p++;
      skip_space(s);
      if (peek(s) != close[depth - 1]) {
        if (c == '{' && !scan_key(s)) return false;
        continue;
      }
    } else if (!scan_scalar(s)) {
      return false;
    }
    for (;;) {                                   /* after a value: brackets close, or the next one comes */
      skip_space(s);
      if (depth == 0) return s->p == s->end || fail(s, "more text after the value");
      if (peek(s) == close[depth - 1]) {
        depth--;
        s->p++;
        continue;
      }
      if (peek(s) != ',') return fail(s, s->p == s->end ? "the text ends too early" : "a comma or bracket is missing");
      s->p++;
      if (close[depth - 1] == '}' && !scan_key(s)) return false;
      break;
    }
  }
}

static int compare_keys(const void *a, const void *b) {
  return strcmp((*(const cJSON *const *)a)->string, (*(const cJSON *const *)b)->string);
}

static lun_status check_keys(lun_ctx *cx, const char *what, const cJSON *object) {
  const cJSON **key, *child;
  size_t        count = 0, i = 0;
  for (child = object->child; child; child = child->next) {
    count++;
    if (child->child && check_keys(cx, what, child) != LUN_OK) return lun_error(cx);
  }
  if (!cJSON_IsObject(object) || count < 2) return LUN_OK;
  key = lun_alloc(count * sizeof *key);
  if (!key) return lun_fail(cx, LUN_EMEM, "out of memory");
  for (child = object->child; child; child = child->next) key[i++] = child;
  qsort(key, count, sizeof *key, compare_keys);
  for (i = 1; i < count; i++)
    if (strcmp(key[i - 1]->string, key[i]->string) == 0) {
      lun_fail(cx, LUN_EIO, "%s: the key '%.200s' occurs twice", what, key[i]->string);
      break;
    }
  lun_free(key);
  return lun_error(cx);
}

bool lun_is_utf8(const char *text, size_t length) {
  const unsigned char *p = (const unsigned char *)text, *end = p + length;
  while (p < end) {
    int step = utf8_length(p, end);
    if (step == 0) return false;
    p += step;
  }
  return true;
}

cJSON *lun_json_parse(lun_ctx *cx, const char *what, const char *text, size_t length) {
  scan   s = { (const unsigned char *)text, (const unsigned char *)text + length, NULL };
  cJSON *json;
  if (!scan_text(&s)) {
    lun_fail(cx, LUN_EIO, "%s: not JSON: %s at byte %zu", what, s.wrong, (size_t)((const char *)s.p - text));
    return NULL;
  }
  json = cJSON_ParseWithLength(text, length);
  if (!json) {
    lun_fail(cx, LUN_EMEM, "out of memory: %zu bytes of JSON", length);
    return NULL;
  }
  if (check_keys(cx, what, json) == LUN_OK) return json;
  cJSON_Delete(json);
  return NULL;
}

bool lun_json_size(const cJSON *item, uint64_t *out) {
  double v = cJSON_IsNumber(item) ? item->valuedouble : -1;
  if (!(v >= 0 && v <= 9007199254740992.0)) return false;
  *out = (uint64_t)v;
  return (double)*out == v;
}
