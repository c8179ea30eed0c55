/* unicode.c - properties of code points: utf8proc, corrected by unicode_tables.h. */
#include "unicode.h"

#include <stddef.h>
#include <utf8proc.h>

#include "unicode_tables.h"

#define IN_TABLE(c, table) in_ranges((c), (table), sizeof(table) / sizeof *(table))

static int in_ranges(uint32_t c, const struct code_range *ranges, size_t count) {
  size_t low = 0, high = count;
  while (low < high) {
    size_t mid = (low + high) / 2;
    if (c > ranges[mid].last) low = mid + 1;
    else high = mid;
  }
  return low < count && c >= ranges[low].first;
}

static utf8proc_category_t category(uint32_t c) { return utf8proc_category((utf8proc_int32_t)c); }

int unicode_is_space(uint32_t c) {
  return c == ' ' || (c >= 0x09 && c <= 0x0D) || c == 0x85 || c == 0xA0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200A) ||
         c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F || c == 0x3000;
}

int unicode_is_numeric(uint32_t c) {
  utf8proc_category_t cat;
  if (c < 0x80) return c >= '0' && c <= '9';
  cat = category(c);
  return cat == UTF8PROC_CATEGORY_ND || cat == UTF8PROC_CATEGORY_NL || cat == UTF8PROC_CATEGORY_NO ||
         IN_TABLE(c, newer_numeric);
}

int unicode_is_punctuation(uint32_t c) {
  utf8proc_category_t cat;
  if (c < 0x80) return (c > ' ' && c < '0') || (c > '9' && c < 'A') || (c > 'Z' && c < 'a') || (c > 'z' && c < 0x7F);
  /* a vowel sign and a symbol by now, punctuation until Unicode 9 */
  if (c == 0x166D || c == 0x111C9) return 1;
  cat = category(c);
  return cat >= UTF8PROC_CATEGORY_PC && cat <= UTF8PROC_CATEGORY_PO && !IN_TABLE(c, not_punctuation);
}

int unicode_is_control(uint32_t c) {
  utf8proc_category_t cat;
  if (c < 0x80) return c < ' ' || c == 0x7F;
  cat = category(c);
  return (cat == UTF8PROC_CATEGORY_CC || cat == UTF8PROC_CATEGORY_CF || cat == UTF8PROC_CATEGORY_CO) &&
         !IN_TABLE(c, not_control);
}

int unicode_is_nonspacing(uint32_t c) {
  if (c < 0x300) return 0;
  if (c == 0x1734) return 1; /* spacing since Unicode 14 */
  return category(c) == UTF8PROC_CATEGORY_MN && !IN_TABLE(c, not_nonspacing);
}

int unicode_is_mark(uint32_t c) {
  utf8proc_category_t cat;
  if (c < 0x300) return 0;
  if (c == 0x1CF2 || c == 0x1CF3) return 1; /* letters since Unicode 12 */
  cat = category(c);
  return cat >= UTF8PROC_CATEGORY_MN && cat <= UTF8PROC_CATEGORY_ME && !IN_TABLE(c, not_mark);
}

/* The blocks of BERT's tokenizer; U+2B920 is where the reference has it. */
int unicode_is_ideograph(uint32_t c) {
  return (c >= 0x4E00 && c <= 0x9FFF) || (c >= 0x3400 && c <= 0x4DBF) || (c >= 0x20000 && c <= 0x2A6DF) ||
         (c >= 0x2A700 && c <= 0x2B73F) || (c >= 0x2B740 && c <= 0x2B81F) || (c >= 0x2B920 && c <= 0x2CEAF) ||
         (c >= 0xF900 && c <= 0xFAFF) || (c >= 0x2F800 && c <= 0x2FA1F);
}

int unicode_lower(uint32_t c, uint32_t out[2]) {
  size_t i;
  if (c < 0x80) {
    out[0] = c >= 'A' && c <= 'Z' ? c + 32 : c;
    return 1;
  }
  if (c == 0x130) { /* the one capital whose lower case is two characters: SpecialCasing.txt */
    out[0] = 'i';
    out[1] = 0x307;
    return 2;
  }
  out[0] = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
  if (out[0] != c) return 1;
  for (i = 0; i < sizeof newer_lower / sizeof *newer_lower; i++) {
    const struct case_range *r = &newer_lower[i];
    if (c >= r->first && c <= r->last) out[0] = r->lower + (c - r->first);
  }
  return 1;
}

int unicode_combining_class(uint32_t c) {
  if (c < 0x300 || IN_TABLE(c, not_mark)) return 0;
  return utf8proc_get_property((utf8proc_int32_t)c)->combining_class;
}

int unicode_decompose(uint32_t c, int compat, uint32_t out[UNICODE_DECOMPOSED]) {
  utf8proc_int32_t buffer[UNICODE_DECOMPOSED];
  utf8proc_option_t options = compat ? UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT : UTF8PROC_DECOMPOSE;
  utf8proc_ssize_t n = 0, i;
  int boundclass = 0;
  if (c >= 0x80 && !IN_TABLE(c, no_decomposition))
    n = utf8proc_decompose_char((utf8proc_int32_t)c, buffer, UNICODE_DECOMPOSED, options, &boundclass);
  if (n < 1 || n > UNICODE_DECOMPOSED) {
    out[0] = c;
    return 1;
  }
  for (i = 0; i < n; i++) out[i] = (uint32_t)buffer[i];
  return (int)n;
}

uint32_t unicode_compose(uint32_t a, uint32_t b) {
  utf8proc_int32_t pair[2];
  utf8proc_ssize_t n;
  uint32_t c;
  if (b < 0x300) return 0; /* no second half of a composition is below the combining marks */
  pair[0] = (utf8proc_int32_t)a;
  pair[1] = (utf8proc_int32_t)b;
  n = utf8proc_normalize_utf32(pair, 2, UTF8PROC_COMPOSE | UTF8PROC_STABLE);
  if (n != 1) return 0;
  c = (uint32_t)pair[0];
  return IN_TABLE(c, no_decomposition) ? 0 : c;
}
