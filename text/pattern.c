/* pattern.c - compiles and runs patterns; what the syntaxes do not share is in pattern_syntax.c. */
#include "pattern.h"

#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "array.h"
#include "pattern_syntax.h"
#include "utf8.h"

/* A hostile pattern ends in an error after this much work on one match. */
enum { MATCH_LIMIT = 2000000, DEPTH_LIMIT = 20000, HEAP_LIMIT_KIB = 65536 };

struct regex {
  pcre2_code *code;
  pcre2_match_data *match;
  pcre2_match_context *context;
};

static lun_status compile(struct regex *re, const char *pattern, size_t len, uint32_t options, struct text_error *err) {
  PCRE2_SIZE at = 0;
  int code = 0;
  pcre2_compile_context *context = pcre2_compile_context_create(NULL);
  if (context == NULL) return text_no_memory(err);
  pcre2_set_newline(context, PCRE2_NEWLINE_LF);
  re->code = pcre2_compile((PCRE2_SPTR)pattern, len, options, &code, &at, context);
  pcre2_compile_context_free(context);
  if (re->code == NULL) {
    PCRE2_UCHAR why[128];
    if (code == PCRE2_ERROR_HEAP_FAILED) return text_no_memory(err);
    pcre2_get_error_message(code, why, sizeof why);
    return text_fail(err, LUN_EIO, "bad regular expression: %s, at byte %zu of its translation \"%.200s\"", (char *)why,
                     (size_t)at, pattern);
  }
  pcre2_jit_compile(re->code, PCRE2_JIT_COMPLETE); /* without it, as where it is not built in, the interpreter runs */
  re->match = pcre2_match_data_create(1, NULL);
  re->context = pcre2_match_context_create(NULL);
  if (re->match == NULL || re->context == NULL) return text_no_memory(err);
  pcre2_set_match_limit(re->context, MATCH_LIMIT);
  pcre2_set_depth_limit(re->context, DEPTH_LIMIT);
  pcre2_set_heap_limit(re->context, HEAP_LIMIT_KIB);
  return LUN_OK;
}

lun_status regex_compile(const char *pattern, enum regex_kind kind, struct regex **out, struct text_error *err) {
  struct utf8_bytes translation = {0};
  struct regex *re = calloc(1, sizeof *re);
  lun_status st;
  *out = NULL;
  if (re == NULL) return text_no_memory(err);
  if (kind == REGEX_LITERAL) {
    st = compile(re, pattern, strlen(pattern), PCRE2_UTF | PCRE2_LITERAL, err);
  } else {
    st = kind == REGEX_PATTERN ? regex_translate(pattern, &translation, err)
                               : utf8_append(&translation, pattern, strlen(pattern) + 1, err);
    if (st == LUN_OK)
      st = compile(re, translation.items, translation.count - 1,
                   PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, err);
  }
  free(translation.items);
  if (st != LUN_OK) regex_free(re);
  else *out = re;
  return st;
}

lun_status ranges_add(struct ranges *out, size_t begin, size_t end, int match, struct text_error *err) {
  if (!ARRAY_RESERVE(out, out->count + 1)) return text_no_memory(err);
  out->items[out->count].begin = begin;
  out->items[out->count].end = end;
  out->items[out->count++].match = match;
  return LUN_OK;
}

lun_status regex_cut(struct regex *re, const char *text, size_t len, struct ranges *out, struct text_error *err) {
  const PCRE2_SIZE *found = pcre2_get_ovector_pointer(re->match);
  size_t at = 0, last = SIZE_MAX, rest = 0; /* where to search; end of the last match; what is not in 'out' yet */
  lun_status st;
  out->count = 0;
  while (len > 0 && at <= len) {
    int rc = pcre2_match(re->code, (PCRE2_SPTR)text, len, at, PCRE2_NO_UTF_CHECK, re->match, re->context);
    if (rc == PCRE2_ERROR_NOMATCH) break;
    if (rc == PCRE2_ERROR_NOMEMORY) return text_no_memory(err);
    if (rc < 0) {
      PCRE2_UCHAR why[128];
      pcre2_get_error_message(rc, why, sizeof why);
      return text_fail(err, LUN_EARG, "regular expression gave up at byte %zu of %zu: %s", at, len, (char *)why);
    }
    if (found[0] > found[1] || found[0] < rest) /* \K in a look-around can do that */
      return text_fail(err, LUN_EARG, "regular expression matched backwards, from byte %zu to %zu", (size_t)found[0],
                       (size_t)found[1]);
    if (found[0] == found[1] && found[1] == last) {
      uint32_t c;
      at += at < len ? utf8_decode(text + at, &c) : 1;
      continue;
    }
    if (rest < found[0] && (st = ranges_add(out, rest, found[0], 0, err)) != LUN_OK) return st;
    if ((st = ranges_add(out, found[0], found[1], 1, err)) != LUN_OK) return st;
    at = last = rest = found[1];
  }
  return rest < len ? ranges_add(out, rest, len, 0, err) : LUN_OK;
}

void regex_free(struct regex *re) {
  if (re == NULL) return;
  pcre2_code_free(re->code);
  pcre2_match_data_free(re->match);
  pcre2_match_context_free(re->context);
  free(re);
}
