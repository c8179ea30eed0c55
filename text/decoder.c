/* decoder.c - reads and runs the stages of a decoder. */
#include "decoder.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "byte_level.h"
#include "normalizer.h"
#include "pattern.h"

enum decode_kind {
  DECODE_BYTE_LEVEL,
  DECODE_WORD_PIECE,
  DECODE_BPE,
  DECODE_METASPACE,
  DECODE_REPLACE,
  DECODE_FUSE,
  DECODE_STRIP,
  DECODE_BYTE_FALLBACK
};

struct decode_stage {
  enum decode_kind kind;
  char *text;            /* prefix, suffix, content, replacement or character */
  int cleanup;           /* DECODE_WORD_PIECE */
  int drop_first;        /* DECODE_METASPACE: the replacement in the first token is the prefix */
  uint32_t start, stop;  /* DECODE_STRIP: characters, at most */
  struct regex *pattern; /* DECODE_REPLACE */
};

struct decoder {
  struct decode_stage *items;
  size_t count, cap;
  struct string_list other; /* the tokens after a stage, before they are swapped in */
  struct ranges cut;
};

lun_status string_list_add(struct string_list *list, const char *text, size_t len, struct text_error *err) {
  size_t at = list->bytes.count;
  lun_status st = utf8_append(&list->bytes, text, len, err);
  if (st != LUN_OK) return st;
  if (list->bytes.count > UINT32_MAX || !ARRAY_RESERVE(list, list->count + 1)) return text_no_memory(err);
  list->items[list->count++] = (struct string_ref){(uint32_t)at, (uint32_t)len};
  return LUN_OK;
}

void string_list_clear(struct string_list *list) { list->count = list->bytes.count = 0; }

void string_list_free(struct string_list *list) {
  free(list->items);
  free(list->bytes.items);
  memset(list, 0, sizeof *list);
}

static lun_status copy_member(const cJSON *json, const char *where, const char *name, char **out,
                              struct text_error *err) {
  const char *text;
  lun_status st = json_string(json, where, name, &text, err);
  if (st != LUN_OK) return st;
  *out = string_copy(text);
  return *out == NULL ? text_no_memory(err) : LUN_OK;
}

static lun_status read_metaspace(struct decode_stage *s, const cJSON *json, const char *where, struct text_error *err) {
  const char *scheme;
  int prefix_space;
  lun_status st = json_string_or(json, where, "prepend_scheme", "always", &scheme, err);
  if (st == LUN_OK) st = json_bool_or(json, where, "add_prefix_space", 1, &prefix_space, err);
  if (st != LUN_OK) return st;
  s->drop_first = prefix_space && strcmp(scheme, "never") != 0;
  return copy_member(json, where, "replacement", &s->text, err);
}

static lun_status read_stage(struct decoder *d, const cJSON *json, struct text_error *err) {
  static const struct {
    const char *name, *where;
  } kinds[] = {
      [DECODE_BYTE_LEVEL] = {"ByteLevel", "decoder \"ByteLevel\""},
      [DECODE_WORD_PIECE] = {"WordPiece", "decoder \"WordPiece\""},
      [DECODE_BPE] = {"BPEDecoder", "decoder \"BPEDecoder\""},
      [DECODE_METASPACE] = {"Metaspace", "decoder \"Metaspace\""},
      [DECODE_REPLACE] = {"Replace", "decoder \"Replace\""},
      [DECODE_FUSE] = {"Fuse", "decoder \"Fuse\""},
      [DECODE_STRIP] = {"Strip", "decoder \"Strip\""},
      [DECODE_BYTE_FALLBACK] = {"ByteFallback", "decoder \"ByteFallback\""},
  };
  const char *type, *where;
  struct decode_stage *s;
  size_t kind;
  lun_status st = json_type(json, "decoder", &type, err);
  if (st != LUN_OK) return st;
  if (strcmp(type, "Sequence") == 0) {
    const cJSON *list, *item;
    st = json_array(json, "decoder \"Sequence\"", "decoders", &list, err);
    for (item = st == LUN_OK ? list->child : NULL; st == LUN_OK && item != NULL; item = item->next)
      st = read_stage(d, item, err);
    return st;
  }
  for (kind = 0; kind < sizeof kinds / sizeof *kinds && strcmp(type, kinds[kind].name) != 0; kind++) continue;
  if (kind == sizeof kinds / sizeof *kinds) return text_fail(err, LUN_EIO, "unsupported decoder \"%.80s\"", type);
  if (!ARRAY_RESERVE(d, d->count + 1)) return text_no_memory(err);
  s = &d->items[d->count++];
  memset(s, 0, sizeof *s);
  s->kind = (enum decode_kind)kind;
  where = kinds[kind].where;
  switch (s->kind) {
    case DECODE_WORD_PIECE:
      st = json_bool(json, where, "cleanup", &s->cleanup, err);
      return st == LUN_OK ? copy_member(json, where, "prefix", &s->text, err) : st;
    case DECODE_BPE: return copy_member(json, where, "suffix", &s->text, err);
    case DECODE_METASPACE: return read_metaspace(s, json, where, err);
    case DECODE_REPLACE:
      st = copy_member(json, where, "content", &s->text, err);
      return st == LUN_OK ? pattern_read(json, where, &s->pattern, err) : st;
    case DECODE_STRIP:
      st = copy_member(json, where, "content", &s->text, err);
      if (st == LUN_OK) st = json_u32(json, where, "start", &s->start, err);
      return st == LUN_OK ? json_u32(json, where, "stop", &s->stop, err) : st;
    default: return LUN_OK;
  }
}

lun_status decoder_read(const cJSON *json, struct decoder **out, struct text_error *err) {
  lun_status st;
  *out = NULL;
  if (json == NULL) return LUN_OK;
  *out = calloc(1, sizeof **out);
  if (*out == NULL) return text_no_memory(err);
  st = read_stage(*out, json, err);
  if (st != LUN_OK) {
    decoder_free(*out);
    *out = NULL;
  }
  return st;
}

/* Replaces 'from' by the shorter 'to' in the text from byte 'begin' on. */
static void replace_shorter(struct utf8_bytes *text, size_t begin, const char *from, const char *to) {
  size_t from_len = strlen(from), to_len = strlen(to), read = begin, write = begin;
  while (read < text->count) {
    if (text->count - read >= from_len && memcmp(text->items + read, from, from_len) == 0) {
      memcpy(text->items + write, to, to_len);
      read += from_len;
      write += to_len;
    } else {
      text->items[write++] = text->items[read++];
    }
  }
  text->count = write;
}

void decoder_clean_up(struct utf8_bytes *text, size_t begin, int do_not) {
  static const char *const pairs[][2] = {{" .", "."},     {" ?", "?"},     {" !", "!"},   {" ,", ","},
                                         {" ' ", "'"},    {" n't", "n't"}, {" 'm", "'m"}, {" do not", " don't"},
                                         {" 's", "'s"},   {" 've", "'ve"}, {" 're", "'re"}};
  size_t i;
  for (i = 0; i < sizeof pairs / sizeof *pairs; i++)
    if (do_not || pairs[i][0][1] != 'd') replace_shorter(text, begin, pairs[i][0], pairs[i][1]);
}

/* All tokens, spelled in the alphabet of bytes, become one text. */
static lun_status decode_byte_level(const struct string_list *in, struct string_list *out, struct text_error *err) {
  struct utf8_bytes raw = {0}, text = {0};
  size_t i, at;
  lun_status st = LUN_OK;
  for (i = 0; st == LUN_OK && i < in->count; i++) {
    const char *token = in->bytes.items + in->items[i].offset;
    size_t len = in->items[i].len, before = raw.count;
    for (at = 0; st == LUN_OK && at < len;) {
      uint32_t c;
      int byte;
      at += utf8_decode(token + at, &c);
      byte = byte_level_byte(c);
      if (byte < 0) { /* not spelled in that alphabet: the token stands for itself */
        raw.count = before;
        st = utf8_append(&raw, token, len, err);
        break;
      }
      st = utf8_append(&raw, &(char){(char)byte}, 1, err);
    }
  }
  if (st == LUN_OK) st = utf8_append_lossy(&text, raw.items == NULL ? "" : raw.items, raw.count, err);
  if (st == LUN_OK) st = string_list_add(out, text.items, text.count, err);
  free(raw.items);
  free(text.items);
  return st;
}

/* The byte of a token <0xHH>, or -1. */
static int fallback_byte(const char *token, size_t len) {
  static const char digits[] = "0123456789ABCDEFabcdef";
  const char *high, *low;
  if (len != 6 || memcmp(token, "<0x", 3) != 0 || token[5] != '>') return -1;
  /* the reference's parser takes a sign before the digits: <0x+A> is 10 */
  high = token[3] == '+' ? digits : memchr(digits, token[3], 22);
  low = memchr(digits, token[4], 22);
  if (high == NULL || low == NULL) return -1;
  return (int)((high - digits) - (high - digits > 15 ? 6 : 0)) * 16 + (int)((low - digits) - (low - digits > 15 ? 6 : 0));
}

/* Bytes in a row become a string when they are UTF-8, else one U+FFFD a byte. */
static lun_status end_bytes(struct utf8_bytes *bytes, struct string_list *out, struct text_error *err) {
  lun_status st = LUN_OK;
  size_t i;
  if (bytes->count == 0) return LUN_OK;
  if (utf8_valid_prefix(bytes->items, bytes->count) == bytes->count)
    st = string_list_add(out, bytes->items, bytes->count, err);
  else
    for (i = 0; st == LUN_OK && i < bytes->count; i++) st = string_list_add(out, "\xEF\xBF\xBD", 3, err);
  bytes->count = 0;
  return st;
}

static lun_status decode_byte_fallback(const struct string_list *in, struct string_list *out, struct text_error *err) {
  struct utf8_bytes bytes = {0};
  size_t i;
  lun_status st = LUN_OK;
  for (i = 0; st == LUN_OK && i < in->count; i++) {
    const char *token = in->bytes.items + in->items[i].offset;
    int byte = fallback_byte(token, in->items[i].len);
    if (byte >= 0) {
      st = utf8_append(&bytes, &(char){(char)byte}, 1, err);
      continue;
    }
    st = end_bytes(&bytes, out, err);
    if (st == LUN_OK) st = string_list_add(out, token, in->items[i].len, err);
  }
  if (st == LUN_OK) st = end_bytes(&bytes, out, err);
  free(bytes.items);
  return st;
}

/* Up to 'start' times the text off the front of the token, up to 'stop' times off its end. */
static lun_status decode_strip(const struct decode_stage *s, const char *token, size_t len, struct string_list *out,
                               struct text_error *err) {
  size_t unit = strlen(s->text), i;
  const char *begin = token, *end = token + len;
  for (i = 0; unit > 0 && i < s->start && (size_t)(end - begin) >= unit && memcmp(begin, s->text, unit) == 0; i++)
    begin += unit;
  for (i = 0; unit > 0 && i < s->stop && (size_t)(end - begin) >= unit && memcmp(end - unit, s->text, unit) == 0; i++)
    end -= unit;
  return string_list_add(out, begin, (size_t)(end - begin), err);
}

/* Appends the token with every 'from' replaced; an empty 'from' replaces nothing. */
static lun_status append_replaced(struct utf8_bytes *bytes, const char *token, size_t len, const char *from,
                                  const char *to, struct text_error *err) {
  size_t unit = strlen(from), at = 0;
  lun_status st = LUN_OK;
  while (st == LUN_OK && at < len) {
    int found = unit > 0 && len - at >= unit && memcmp(token + at, from, unit) == 0;
    st = found ? utf8_append(bytes, to, strlen(to), err) : utf8_append(bytes, token + at, 1, err);
    at += found ? unit : 1;
  }
  return st;
}

/* Stages that turn one token into one; 'i' is its place, 'last' the last place. */
static lun_status decode_token(struct decoder *d, const struct decode_stage *s, const char *token, size_t len, size_t i,
                               size_t last, struct string_list *out, struct text_error *err) {
  size_t begin = out->bytes.count, prefix, k;
  lun_status st = LUN_OK;
  switch (s->kind) {
    case DECODE_WORD_PIECE:
      prefix = strlen(s->text);
      if (i > 0 && len >= prefix && memcmp(token, s->text, prefix) == 0) st = utf8_append(&out->bytes, token + prefix, len - prefix, err);
      else {
        if (i > 0) st = utf8_append(&out->bytes, " ", 1, err);
        if (st == LUN_OK) st = utf8_append(&out->bytes, token, len, err);
      }
      if (st == LUN_OK && s->cleanup) decoder_clean_up(&out->bytes, begin, 1);
      break;
    case DECODE_BPE: st = append_replaced(&out->bytes, token, len, s->text, i == last ? "" : " ", err); break;
    case DECODE_METASPACE:
      st = append_replaced(&out->bytes, token, len, s->text, i == 0 && s->drop_first ? "" : " ", err);
      break;
    default: /* DECODE_REPLACE */
      st = regex_cut(s->pattern, token, len, &d->cut, err);
      for (k = 0; st == LUN_OK && k < d->cut.count; k++) {
        const struct range *r = &d->cut.items[k];
        st = r->match ? utf8_append(&out->bytes, s->text, strlen(s->text), err)
                      : utf8_append(&out->bytes, token + r->begin, r->end - r->begin, err);
      }
      break;
  }
  if (st != LUN_OK) return st;
  if (out->bytes.count > UINT32_MAX || !ARRAY_RESERVE(out, out->count + 1)) return text_no_memory(err);
  out->items[out->count++] = (struct string_ref){(uint32_t)begin, (uint32_t)(out->bytes.count - begin)};
  return LUN_OK;
}

static lun_status run_stage(struct decoder *d, const struct decode_stage *s, const struct string_list *in,
                            struct string_list *out, struct text_error *err) {
  size_t i;
  lun_status st = LUN_OK;
  if (s->kind == DECODE_BYTE_LEVEL) return decode_byte_level(in, out, err);
  if (s->kind == DECODE_BYTE_FALLBACK) return decode_byte_fallback(in, out, err);
  if (s->kind == DECODE_FUSE) return string_list_add(out, in->bytes.items == NULL ? "" : in->bytes.items, in->bytes.count, err);
  for (i = 0; st == LUN_OK && i < in->count; i++) {
    const char *token = in->bytes.items + in->items[i].offset;
    size_t len = in->items[i].len;
    st = s->kind == DECODE_STRIP ? decode_strip(s, token, len, out, err)
                                 : decode_token(d, s, token, len, i, in->count - 1, out, err);
  }
  return st;
}

lun_status decoder_run(struct decoder *d, struct string_list *tokens, struct utf8_bytes *out, struct text_error *err) {
  size_t i;
  lun_status st = LUN_OK;
  for (i = 0; d != NULL && i < d->count; i++) {
    struct string_list before = *tokens;
    string_list_clear(&d->other);
    st = run_stage(d, &d->items[i], tokens, &d->other, err);
    if (st != LUN_OK) return st;
    *tokens = d->other;
    d->other = before;
  }
  for (i = 0; st == LUN_OK && i < tokens->count; i++) {
    if (d == NULL && i > 0) st = utf8_append(out, " ", 1, err);
    if (st == LUN_OK) st = utf8_append(out, tokens->bytes.items + tokens->items[i].offset, tokens->items[i].len, err);
  }
  return st;
}

void decoder_free(struct decoder *d) {
  size_t i;
  if (d == NULL) return;
  for (i = 0; i < d->count; i++) {
    free(d->items[i].text);
    regex_free(d->items[i].pattern);
  }
  free(d->items);
  string_list_free(&d->other);
  free(d->cut.items);
  free(d);
}
