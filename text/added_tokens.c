/*
** added_tokens.c - added tokens: read, looked up, and cut out of a text.
**
** The search takes the longest token at the leftmost place.  Whether a token is bounded (single_word)
** is asked after it was found: one that is not is passed over whole.
*/
#include "added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "pattern.h"
#include "string_set.h"
#include "unicode.h"
#include "utf8.h"

struct added {
  uint32_t id;
  int single_word, lstrip, rstrip, normalized, special;
  char *shown; /* the content, normalised where 'normalized' says so */
  size_t len;
  int hidden; /* 'shown' is the content of a special token */
};

/* Tokens to search for, by their first byte; those of a byte are in order of falling length. */
struct finder {
  const struct added **items;
  size_t first[257]; /* those of byte b are first[b] to first[b + 1] */
};

struct added_tokens {
  struct strings names; /* contents */
  struct added *items;  /* of name i */
  size_t count, cap;
  const struct added **by_id; /* ascending, one an id: the last of the file */
  size_t id_count;
  int64_t *special;
  size_t special_count;
  struct finder plain, normalized;
  struct regex *word; /* \w, there when a token is a single_word */
  struct pieces other;
  struct normalized piece;
};

static int by_id(const void *a, const void *b) {
  const struct added *x = *(const struct added *const *)a, *y = *(const struct added *const *)b;
  if (x->id != y->id) return x->id < y->id ? -1 : 1;
  return x < y ? -1 : x > y; /* in the order of the file */
}

static int by_first_byte(const void *a, const void *b) {
  const struct added *x = *(const struct added *const *)a, *y = *(const struct added *const *)b;
  if (x->shown[0] != y->shown[0]) return (unsigned char)x->shown[0] < (unsigned char)y->shown[0] ? -1 : 1;
  if (x->len != y->len) return x->len > y->len ? -1 : 1;
  return x < y ? -1 : x > y;
}

/* The content as it looks in the text it is searched in. */
static lun_status normalize_content(struct added *t, const char *content, struct normalizer *normalizer,
                                    struct text_error *err) {
  struct normalized text = {0};
  size_t len = strlen(content), i;
  lun_status st = LUN_OK;
  for (i = 0; st == LUN_OK && i < len; i++)
    st = normalized_append(&text, content + i, &(struct span){(uint32_t)i, (uint32_t)i + 1}, 1, err);
  if (st == LUN_OK && t->normalized) st = normalizer_run(normalizer, &text, err);
  if (st == LUN_OK) {
    free(t->shown);
    t->shown = malloc(text.len + 1);
    if (t->shown == NULL) st = text_no_memory(err);
    else if (text.len > 0) memcpy(t->shown, text.text, text.len);
    t->len = text.len;
  }
  normalized_free(&text);
  return st;
}

static lun_status read_token(struct added_tokens *a, const cJSON *json, const struct vocab *vocab,
                             struct normalizer *normalizer, uint32_t *next_id, struct text_error *err) {
  static const char where[] = "added token";
  const char *content;
  struct added t = {0}, *slot;
  uint32_t index;
  lun_status st = json_string(json, where, "content", &content, err);
  if (st == LUN_OK) st = json_bool(json, where, "single_word", &t.single_word, err);
  if (st == LUN_OK) st = json_bool(json, where, "lstrip", &t.lstrip, err);
  if (st == LUN_OK) st = json_bool(json, where, "rstrip", &t.rstrip, err);
  if (st == LUN_OK) st = json_bool(json, where, "normalized", &t.normalized, err);
  if (st == LUN_OK) st = json_bool(json, where, "special", &t.special, err);
  if (st != LUN_OK || *content == '\0') return st;
  st = strings_add(&a->names, content, strlen(content), &index, err);
  if (st != LUN_OK) return st;
  if (index < a->count) { /* named again: the later flags hold, a special one stays special to decoding */
    t.id = a->items[index].id;
    t.hidden = a->items[index].hidden;
    t.shown = a->items[index].shown;
  } else {
    if (!ARRAY_RESERVE(a, a->count + 1)) return text_no_memory(err);
    if (!vocab_find(vocab, content, strlen(content), &t.id)) t.id = (*next_id)++;
    a->count++;
  }
  t.hidden |= t.special;
  slot = &a->items[index];
  *slot = t;
  return normalize_content(slot, content, normalizer, err);
}

static lun_status build_finder(const struct added_tokens *a, int normalized, struct finder *f, struct text_error *err) {
  size_t count = 0, i, b;
  f->items = malloc((a->id_count + 1) * sizeof *f->items);
  if (f->items == NULL) return text_no_memory(err);
  for (i = 0; i < a->id_count; i++)
    if (a->by_id[i]->normalized == normalized && a->by_id[i]->len > 0) f->items[count++] = a->by_id[i];
  qsort(f->items, count, sizeof *f->items, by_first_byte);
  for (b = 0, i = 0; b < 256; b++) {
    f->first[b] = i;
    while (i < count && (unsigned char)f->items[i]->shown[0] == b) i++;
  }
  f->first[256] = i;
  return LUN_OK;
}

/* The tables that hold pointers into 'items', once it grows no more. */
static lun_status build_tables(struct added_tokens *a, struct text_error *err) {
  size_t i, single = 0;
  struct utf8_bytes pattern = {0};
  lun_status st;
  a->by_id = malloc((a->count + 1) * sizeof *a->by_id);
  a->special = malloc((a->count + 1) * sizeof *a->special);
  if (a->by_id == NULL || a->special == NULL) return text_no_memory(err);
  for (i = 0; i < a->count; i++) {
    struct added *t = &a->items[i];
    uint32_t shown = strings_find(&a->names, t->shown, t->len);
    a->by_id[i] = t;
    single += t->single_word != 0;
    /* what decoding looks up is the text it would show */
    if (shown != i) t->hidden = shown != STRINGS_NONE && a->items[shown].special;
  }
  qsort(a->by_id, a->count, sizeof *a->by_id, by_id);
  for (i = 0; i < a->count; i++) {
    if (a->id_count > 0 && a->by_id[a->id_count - 1]->id == a->by_id[i]->id) a->id_count--;
    a->by_id[a->id_count++] = a->by_id[i];
  }
  for (i = 0; i < a->id_count; i++)
    if (a->by_id[i]->special) a->special[a->special_count++] = a->by_id[i]->id;
  st = build_finder(a, 0, &a->plain, err);
  if (st == LUN_OK) st = build_finder(a, 1, &a->normalized, err);
  if (st != LUN_OK || single == 0) return st;
  st = utf8_append(&pattern, "[", 1, err);
  if (st == LUN_OK) st = utf8_append(&pattern, regex_rust_word, strlen(regex_rust_word), err);
  if (st == LUN_OK) st = utf8_append(&pattern, "]", 2, err);
  if (st == LUN_OK) st = regex_compile(pattern.items, REGEX_NATIVE, &a->word, err);
  free(pattern.items);
  return st;
}

lun_status added_tokens_read(const cJSON *json, const struct vocab *vocab, struct normalizer *normalizer,
                             struct added_tokens **out, struct text_error *err) {
  struct added_tokens *a = calloc(1, sizeof *a);
  const cJSON *item;
  uint32_t next_id = (uint32_t)vocab->tokens.count;
  lun_status st = LUN_OK;
  *out = NULL;
  if (a == NULL) return text_no_memory(err);
  if (json != NULL && !cJSON_IsArray(json)) st = text_fail(err, LUN_EIO, "\"added_tokens\" is not an array");
  for (item = json == NULL ? NULL : json->child; st == LUN_OK && item != NULL; item = item->next)
    st = read_token(a, item, vocab, normalizer, &next_id, err);
  if (st == LUN_OK) st = build_tables(a, err);
  if (st != LUN_OK) added_tokens_free(a);
  else *out = a;
  return st;
}

/* Whether the character is a word character. */
static lun_status is_word(struct added_tokens *a, const char *text, size_t len, int *answer, struct text_error *err) {
  struct ranges cut = {0};
  lun_status st = regex_cut(a->word, text, len, &cut, err);
  *answer = st == LUN_OK && cut.count > 0 && cut.items[0].match;
  free(cut.items);
  return st;
}

/* Whether the token at [begin, end) has no word character on either side. */
static lun_status is_bounded(struct added_tokens *a, const char *text, size_t len, size_t begin, size_t end,
                             int *answer, struct text_error *err) {
  size_t at = begin;
  uint32_t c;
  int word = 0;
  lun_status st = LUN_OK;
  while (at > 0 && ((unsigned char)text[--at] & 0xC0) == 0x80) continue;
  if (at < begin) st = is_word(a, text + at, begin - at, &word, err);
  if (st == LUN_OK && !word && end < len) st = is_word(a, text + end, utf8_decode(text + end, &c), &word, err);
  *answer = !word;
  return st;
}

static const struct added *token_at(const struct finder *f, const char *text, size_t len) {
  unsigned char b = (unsigned char)text[0];
  size_t i;
  for (i = f->first[b]; i < f->first[b + 1]; i++)
    if (f->items[i]->len <= len && memcmp(f->items[i]->shown, text, f->items[i]->len) == 0) return f->items[i];
  return NULL;
}

/* End of the white space that starts at 'at'. */
static size_t space_end(const char *text, size_t at, size_t len) {
  while (at < len) {
    uint32_t c;
    size_t n = utf8_decode(text + at, &c);
    if (!unicode_is_space(c)) break;
    at += n;
  }
  return at;
}

/* Start of the white space that ends at 'at', not before 'limit'. */
static size_t space_begin(const char *text, size_t at, size_t limit) {
  while (at > limit) {
    size_t before = at - 1;
    uint32_t c;
    while (before > limit && ((unsigned char)text[before] & 0xC0) == 0x80) before--;
    utf8_decode(text + before, &c);
    if (!unicode_is_space(c)) break;
    at = before;
  }
  return at;
}

/* Appends the piece [begin, end) of 'text' to 'list', cut at its added tokens. */
static lun_status cut_piece(struct added_tokens *a, const struct finder *f, const char *text, size_t begin, size_t end,
                            struct piece_list *list, struct text_error *err) {
  size_t at = begin, done = begin; /* 'done': what is in the list */
  lun_status st = LUN_OK;
  while (at < end) {
    const struct added *t = token_at(f, text + at, end - at);
    size_t from = at, to;
    int bounded = 1;
    if (t == NULL) {
      at++;
      continue;
    }
    at = to = at + t->len;
    if (t->single_word) st = is_bounded(a, text + begin, end - begin, from - begin, to - begin, &bounded, err);
    if (st != LUN_OK) return st;
    if (!bounded) continue;
    /* the white space that the token before took may hold the start of this one: with lstrip it keeps to what is left */
    if (t->lstrip) from = from < done ? done : space_begin(text, from, done);
    if (t->rstrip) to = space_end(text, to, end);
    if (from > to) continue;
    if (done < from) st = pieces_add(list, done, from, PIECE_OPEN, err);
    if (st == LUN_OK) st = pieces_add(list, from, to, t->id, err);
    if (st != LUN_OK) return st;
    done = to;
  }
  return done < end ? pieces_add(list, done, end, PIECE_OPEN, err) : LUN_OK;
}

lun_status added_tokens_extract(struct added_tokens *a, struct normalizer *normalizer, struct pieces *p,
                                struct text_error *err) {
  lun_status st = LUN_OK;
  size_t i;
  pieces_clear(&a->other);
  for (i = 0; st == LUN_OK && i < p->list.count; i++) {
    const struct piece *piece = &p->list.items[i];
    st = cut_piece(a, &a->plain, p->text.text, piece->begin, piece->end, &a->other.list, err);
  }
  if (st != LUN_OK) return st;
  normalized_swap(&p->text, &a->other.text);
  pieces_swap(p, &a->other);
  pieces_clear(&a->other);
  for (i = 0; st == LUN_OK && i < p->list.count; i++) {
    const struct piece *piece = &p->list.items[i];
    size_t begin = a->other.text.len;
    if (piece->id != PIECE_OPEN) {
      st = pieces_copy(&a->other, p, piece, err);
      continue;
    }
    a->piece.len = 0;
    st = normalized_append(&a->piece, p->text.text + piece->begin, p->text.from + piece->begin,
                           piece->end - piece->begin, err);
    if (st == LUN_OK) st = normalizer_run(normalizer, &a->piece, err);
    if (st == LUN_OK) st = normalized_append(&a->other.text, a->piece.text, a->piece.from, a->piece.len, err);
    if (st == LUN_OK)
      st = cut_piece(a, &a->normalized, a->other.text.text, begin, a->other.text.len, &a->other.list, err);
  }
  if (st == LUN_OK) pieces_swap(p, &a->other);
  return st;
}

int added_tokens_find(const struct added_tokens *a, const char *token, size_t len, uint32_t *id) {
  uint32_t index = strings_find(&a->names, token, len);
  if (index == STRINGS_NONE) return 0;
  *id = a->items[index].id;
  return 1;
}

const char *added_tokens_token(const struct added_tokens *a, uint32_t id, size_t *len, int *special) {
  size_t low = 0, high = a->id_count;
  while (low < high) {
    size_t mid = (low + high) / 2;
    if (a->by_id[mid]->id < id) low = mid + 1;
    else high = mid;
  }
  if (low == a->id_count || a->by_id[low]->id != id) return NULL;
  *len = a->by_id[low]->len;
  *special = a->by_id[low]->hidden;
  return a->by_id[low]->shown;
}

size_t added_tokens_new(const struct added_tokens *a, const struct vocab *vocab) {
  size_t i, n = 0;
  for (i = 0; i < a->count; i++) {
    size_t len;
    const char *name = strings_get(&a->names, (uint32_t)i, &len);
    n += strings_find(&vocab->tokens, name, len) == STRINGS_NONE;
  }
  return n;
}

const int64_t *added_tokens_special(const struct added_tokens *a, size_t *count) {
  *count = a->special_count;
  return a->special;
}

void added_tokens_free(struct added_tokens *a) {
  size_t i;
  if (a == NULL) return;
  for (i = 0; i < a->count; i++) free(a->items[i].shown);
  strings_free(&a->names);
  free(a->items);
  free(a->by_id);
  free(a->special);
  free(a->plain.items);
  free(a->normalized.items);
  regex_free(a->word);
  pieces_free(&a->other);
  normalized_free(&a->piece);
  free(a);
}
