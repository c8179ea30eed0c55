/*
** pattern_syntax.c - translates Oniguruma's Ruby syntax to PCRE2's.
**
** What differs: \h \v \O \b \w \s \d, (?m), {,n}, intersections and nested classes, scripts, and
** the version of Unicode.  Debian 12's PCRE2 knows Unicode 14, Oniguruma 6.9.10 knows 16: classes
** get the newer characters added, found by asking the tokenizers library about every code point.
** A negated property inside a class ([\P{L}x]) is left as PCRE2 has it.
** Source: Oniguruma's doc/RE and doc/SYNTAX.md; pcre2pattern(3).
*/
#include "pattern_syntax.h"

#include <ctype.h>
#include <string.h>

#include "pattern.h"

#define NEW_LU \
  "\\x{1C89}\\x{A7CB}-\\x{A7CC}\\x{A7DA}\\x{A7DC}\\x{10D50}-\\x{10D65}"
#define NEW_LL \
  "\\x{1C8A}\\x{A7CD}\\x{A7DB}\\x{10D70}-\\x{10D85}\\x{1DF25}-\\x{1DF2A}"
#define NEW_L_OTHER \
  "\\x{105C0}-\\x{105F3}\\x{10D4A}-\\x{10D4F}\\x{10D6F}\\x{10EC2}-\\x{10EC4}\\x{1123F}-\\x{11240}" \
  "\\x{11380}-\\x{11389}\\x{1138B}\\x{1138E}\\x{11390}-\\x{113B5}\\x{113B7}\\x{113D1}\\x{113D3}" \
  "\\x{11BC0}-\\x{11BE0}\\x{11F02}\\x{11F04}-\\x{11F10}\\x{11F12}-\\x{11F33}\\x{1342F}\\x{13441}-\\x{13446}" \
  "\\x{13460}-\\x{143FA}\\x{16100}-\\x{1611D}\\x{16D40}-\\x{16D6C}\\x{18CFF}\\x{1B132}\\x{1B155}" \
  "\\x{1E030}-\\x{1E06D}\\x{1E4D0}-\\x{1E4EB}\\x{1E5D0}-\\x{1E5ED}\\x{1E5F0}\\x{2B739}\\x{2EBF0}-\\x{2EE5D}" \
  "\\x{31350}-\\x{323AF}"
#define NEW_M \
  "\\x{897}\\x{CF3}\\x{ECE}\\x{10D69}-\\x{10D6D}\\x{10EFC}-\\x{10EFF}\\x{11241}\\x{113B8}-\\x{113C0}" \
  "\\x{113C2}\\x{113C5}\\x{113C7}-\\x{113CA}\\x{113CC}-\\x{113D0}\\x{113D2}\\x{113E1}-\\x{113E2}" \
  "\\x{11F00}-\\x{11F01}\\x{11F03}\\x{11F34}-\\x{11F3A}\\x{11F3E}-\\x{11F42}\\x{11F5A}\\x{13440}" \
  "\\x{13447}-\\x{13455}\\x{1611E}-\\x{1612F}\\x{1E08F}\\x{1E4EC}-\\x{1E4EF}\\x{1E5EE}-\\x{1E5EF}"
#define NEW_ND \
  "\\x{10D40}-\\x{10D49}\\x{116D0}-\\x{116E3}\\x{11BF0}-\\x{11BF9}\\x{11F50}-\\x{11F59}" \
  "\\x{16130}-\\x{16139}\\x{16D70}-\\x{16D79}\\x{1CCF0}-\\x{1CCF9}\\x{1E4F0}-\\x{1E4F9}" \
  "\\x{1E5F1}-\\x{1E5FA}"
#define NEW_P \
  "\\x{1B4E}-\\x{1B4F}\\x{1B7F}\\x{10D6E}\\x{113D4}-\\x{113D5}\\x{113D7}-\\x{113D8}\\x{11B00}-\\x{11B09}" \
  "\\x{11BE1}\\x{11F43}-\\x{11F4F}\\x{16D6D}-\\x{16D6F}\\x{1E5FF}"
#define NEW_S \
  "\\x{2427}-\\x{2429}\\x{2FFC}-\\x{2FFF}\\x{31E4}-\\x{31E5}\\x{31EF}\\x{10D8E}-\\x{10D8F}" \
  "\\x{1CC00}-\\x{1CCEF}\\x{1CD00}-\\x{1CEB3}\\x{1F6DC}\\x{1F774}-\\x{1F776}\\x{1F77B}-\\x{1F77F}\\x{1F7D9}" \
  "\\x{1F8B2}-\\x{1F8BB}\\x{1F8C0}-\\x{1F8C1}\\x{1FA75}-\\x{1FA77}\\x{1FA87}-\\x{1FA89}\\x{1FA8F}" \
  "\\x{1FAAD}-\\x{1FAAF}\\x{1FABB}-\\x{1FABF}\\x{1FAC6}\\x{1FACE}-\\x{1FACF}\\x{1FADA}-\\x{1FADC}\\x{1FADF}" \
  "\\x{1FAE8}-\\x{1FAE9}\\x{1FAF7}-\\x{1FAF8}\\x{1FBCB}-\\x{1FBEF}"
#define NEW_HAN \
  "\\x{2B739}\\x{2EBF0}-\\x{2EE5D}\\x{31350}-\\x{323AF}"
#define NEW_L NEW_LU NEW_LL NEW_L_OTHER
#define WORD_BASE "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}" NEW_L NEW_M NEW_ND

/* Insides of classes.  White_Space is spelled out: PCRE2's \s has U+180E too. */
#define SPACE "\\x09-\\x0D\\x20\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
#define NOT_SPACE \
  "\\x00-\\x08\\x0E-\\x1F\\x21-\\x{84}\\x{86}-\\x{9F}\\x{A1}-\\x{167F}\\x{1681}-\\x{1FFF}\\x{200B}-\\x{2027}" \
  "\\x{202A}-\\x{202E}\\x{2030}-\\x{205E}\\x{2060}-\\x{2FFF}\\x{3001}-\\x{10FFFF}"
#define DIGIT "\\p{Nd}" NEW_ND
#define HEX_DIGIT "0-9a-fA-F"
/* Outside of a class Oniguruma counts the Latin-1 superscripts and fractions as word characters too */
#define WORD WORD_BASE "\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}"

const char regex_rust_word[] = WORD_BASE "\\x{200C}\\x{200D}";

/* Properties with characters newer than PCRE2's tables, as insides of classes. */
static const struct {
  const char *name, *class;
} properties[] = {
    {"L", "\\p{L}" NEW_L},    {"Letter", "\\p{L}" NEW_L}, {"Lu", "\\p{Lu}" NEW_LU}, {"Ll", "\\p{Ll}" NEW_LL},
    {"M", "\\p{M}" NEW_M},    {"Mark", "\\p{M}" NEW_M},   {"Lo", "\\p{Lo}" NEW_L_OTHER},
    {"N", "\\p{N}" NEW_ND "\\x{1D2C0}-\\x{1D2D3}"},       {"Nd", "\\p{Nd}" NEW_ND}, {"P", "\\p{P}" NEW_P},
    {"S", "\\p{S}" NEW_S},    {"Han", "\\p{sc:Han}" NEW_HAN},
};

/* POSIX brackets, as insides of classes. */
static const struct {
  const char *name, *class;
} posix[] = {
    {"[:alpha:]", "\\p{Alphabetic}" NEW_L}, {"[:alnum:]", "\\p{Alphabetic}" NEW_L DIGIT}, {"[:digit:]", DIGIT},
    {"[:upper:]", "\\p{Uppercase}" NEW_LU}, {"[:lower:]", "\\p{Lowercase}" NEW_LL},     {"[:space:]", SPACE},
    {"[:blank:]", "\\p{Zs}\\x09"},          {"[:cntrl:]", "\\p{Cc}"},                   {"[:word:]", WORD_BASE},
    {"[:xdigit:]", HEX_DIGIT},              {"[:punct:]", "\\p{P}" NEW_P "\\p{S}" NEW_S},
};

/* Names that are neither a general category nor a script. */
static const char *const binary_properties[] = {"Alphabetic", "Emoji", "Emoji_Presentation", "Extended_Pictographic",
                                                "Ideographic", "Lowercase", "Uppercase", "White_Space", "Any"};

struct translator {
  const char *pattern, *at;
  struct utf8_bytes *out;
  struct text_error *err;
};

static lun_status emit(struct translator *t, const char *text, size_t len) {
  return utf8_append(t->out, text, len, t->err);
}

static lun_status emit_string(struct translator *t, const char *text) { return emit(t, text, strlen(text)); }

static lun_status unsupported(struct translator *t, const char *what, size_t len) {
  return text_fail(t->err, LUN_EIO, "unsupported \"%.*s\" in the regular expression \"%.200s\"", (int)len, what,
                   t->pattern);
}

/* A class by its inside: as it is in a class, in brackets elsewhere. */
static lun_status emit_class(struct translator *t, int in_class, int negated, const char *inside) {
  lun_status st;
  if (in_class) return emit_string(t, inside);
  st = emit_string(t, negated ? "[^" : "[");
  if (st == LUN_OK) st = emit_string(t, inside);
  return st == LUN_OK ? emit_string(t, "]") : st;
}

/* \p{Name}, \p{^Name}, \P{Name}; 'at' is at the p. */
static lun_status translate_property(struct translator *t, int in_class) {
  const char *start = t->at - 1, *name = t->at + 2, *end;
  int negated = t->at[0] == 'P', script = 1;
  size_t len, i;
  lun_status st;
  if (t->at[1] != '{' || (end = strchr(name, '}')) == NULL) return unsupported(t, start, 2);
  if (*name == '^') {
    negated = !negated;
    name++;
  }
  len = (size_t)(end - name);
  t->at = end + 1;
  if (len == 0 || len > 40) return unsupported(t, start, 2);
  for (i = 0; i < sizeof properties / sizeof *properties; i++)
    if (strlen(properties[i].name) == len && memcmp(properties[i].name, name, len) == 0 && !(in_class && negated))
      return emit_class(t, in_class, negated, properties[i].class);
  if (len <= 2) script = 0;
  for (i = 0; i < sizeof binary_properties / sizeof *binary_properties; i++)
    if (strlen(binary_properties[i]) == len && memcmp(binary_properties[i], name, len) == 0) script = 0;
  st = emit_string(t, negated ? "\\P{" : "\\p{");
  if (st == LUN_OK && script) st = emit_string(t, "sc:");
  if (st == LUN_OK) st = emit(t, name, len);
  return st == LUN_OK ? emit_string(t, "}") : st;
}

/* \uHHHH, \xHH and \x{H...} become \x{...}; 'at' is at the u or x. */
static lun_status translate_code(struct translator *t) {
  const char *start = t->at - 1, *digits = t->at + 1;
  size_t n = 0, want = t->at[0] == 'u' ? 4 : 2;
  int braces = t->at[0] == 'x' && *digits == '{';
  lun_status st;
  if (braces) {
    digits++;
    want = 8;
  }
  while (n < want && isxdigit((unsigned char)digits[n])) n++;
  if (n == 0 || (t->at[0] == 'u' && n != 4) || (braces && digits[n] != '}')) return unsupported(t, start, 2);
  if (!braces && n == 2 && t->at[0] == 'x' && digits[0] >= '8') return unsupported(t, start, 4); /* a lone byte */
  st = emit_string(t, "\\x{");
  if (st == LUN_OK) st = emit(t, digits, n);
  t->at = digits + n + (braces ? 1 : 0);
  return st == LUN_OK ? emit_string(t, "}") : st;
}

/* An escape; 'at' is at the backslash. */
static lun_status translate_escape(struct translator *t, int in_class) {
  char c = *++t->at;
  switch (c) {
    case 'p': case 'P': return translate_property(t, in_class);
    case 'u': case 'x': return translate_code(t);
    default: break;
  }
  if (c == '\0') return unsupported(t, t->at - 1, 1);
  t->at++;
  switch (c) {
    case 's': return emit_class(t, in_class, 0, SPACE);
    case 'S': return in_class ? emit_string(t, NOT_SPACE) : emit_class(t, 0, 1, SPACE);
    case 'w': return emit_class(t, in_class, 0, in_class ? WORD_BASE : WORD);
    case 'd': return emit_class(t, in_class, 0, DIGIT);
    case 'h': return emit_class(t, in_class, 0, HEX_DIGIT);
    case 'W': return in_class ? emit_string(t, "\\W") : emit_class(t, 0, 1, WORD);
    case 'D': return in_class ? emit_string(t, "\\D") : emit_class(t, 0, 1, DIGIT);
    case 'v': return emit_string(t, "\\x0B");
    case 'b':
      if (in_class) return emit_string(t, "\\x08");
      return emit_string(t, "(?:(?<=[" WORD "])(?![" WORD "])|(?<![" WORD "])(?=[" WORD "]))");
    default: break;
  }
  if (!in_class) {
    switch (c) {
      case 'H': return emit_class(t, 0, 1, HEX_DIGIT);
      case 'O': return emit_string(t, "(?s:.)");
      case 'B': return emit_string(t, "(?:(?<=[" WORD "])(?=[" WORD "])|(?<![" WORD "])(?![" WORD "]))");
      default: break;
    }
  }
  if (isalnum((unsigned char)c) && strchr(in_class ? "ntrfae" : "ntrfaeAzZGKRXNkg123456789", c) == NULL)
    return unsupported(t, t->at - 2, 2);
  return emit(t, t->at - 2, 2);
}

/* [:name:] in a class; 'at' is at its bracket. */
static lun_status translate_posix(struct translator *t) {
  size_t i;
  for (i = 0; i < sizeof posix / sizeof *posix; i++) {
    size_t len = strlen(posix[i].name);
    if (strncmp(t->at, posix[i].name, len) == 0) {
      t->at += len;
      return emit_string(t, posix[i].class);
    }
  }
  return unsupported(t, t->at, strlen(t->at) < 12 ? strlen(t->at) : 12);
}

/* A bracketed class; 'at' is at the bracket. */
static lun_status translate_class(struct translator *t) {
  const char *start = t->at, *first;
  size_t head = t->at[1] == '^' ? 2 : 1;
  lun_status st = emit(t, t->at, head);
  t->at += head;
  first = t->at;
  while (st == LUN_OK && (*t->at != ']' || t->at == first)) {
    if (*t->at == '\0') return text_fail(t->err, LUN_EIO, "unfinished class \"%.40s\" in a regular expression", start);
    if (*t->at == '\\') {
      st = translate_escape(t, 1);
    } else if (t->at[0] == '&' && t->at[1] == '&') {
      st = unsupported(t, t->at, 2);
    } else if (*t->at == '[') {
      st = translate_posix(t);
    } else {
      st = emit(t, t->at++, 1);
    }
  }
  if (st == LUN_OK) st = emit(t, t->at++, 1);
  return st;
}

/* The opening of a group; 'at' is at the parenthesis. */
static lun_status translate_group(struct translator *t) {
  const char *p = t->at + 1;
  size_t n;
  lun_status st;
  if (*p == '*') return unsupported(t, t->at, 2);
  if (*p != '?') return emit(t, t->at++, 1);
  p++;
  if (*p == '\0') return unsupported(t, t->at, 2);
  if (strchr(":=!><", *p) != NULL) { /* what follows < is a name, or = or !, and reads the same */
    st = emit(t, t->at, 3);
    t->at += 3;
    return st;
  }
  n = strspn(p, "imx-");
  if (n == 0 || (p[n] != ':' && p[n] != ')')) return unsupported(t, t->at, 3);
  st = emit_string(t, "(?");
  for (; st == LUN_OK && n > 0; n--, p++) st = emit_string(t, *p == 'm' ? "s" : *p == 'i' ? "i" : *p == 'x' ? "x" : "-");
  if (st == LUN_OK) st = emit(t, p, 1);
  t->at = p + 1;
  return st;
}

/* {n}, {n,}, {n,m} or {,m}, or a plain brace. */
static lun_status translate_brace(struct translator *t) {
  const char *start = t->at, *p = start + 1 + strspn(start + 1, "0123456789");
  size_t digits = (size_t)(p - start - 1), more = 0;
  lun_status st;
  if (*p == ',') {
    more = strspn(p + 1, "0123456789");
    p += 1 + more;
  }
  if (*p != '}' || digits + more == 0) return emit(t, t->at++, 1);
  t->at = p + 1;
  if (*t->at == '+') return unsupported(t, start, (size_t)(t->at + 1 - start)); /* repeats there, is possessive here */
  st = emit_string(t, digits == 0 ? "{0" : "{");
  return st == LUN_OK ? emit(t, start + 1, (size_t)(p - start)) : st;
}

lun_status regex_translate(const char *pattern, struct utf8_bytes *out, struct text_error *err) {
  struct translator t = {pattern, pattern, out, err};
  lun_status st = LUN_OK;
  while (st == LUN_OK && *t.at != '\0') {
    switch (*t.at) {
      case '\\': st = translate_escape(&t, 0); break;
      case '[': st = translate_class(&t); break;
      case '(': st = translate_group(&t); break;
      case '{': st = translate_brace(&t); break;
      default: st = emit(&t, t.at++, 1); break;
    }
  }
  return st == LUN_OK ? emit(&t, "", 1) : st;
}
