/*
** bpe.c - byte-pair encoding: joins neighbours in the order of the merges.
**
** Source: Sennrich et al. 2016, arXiv:1508.07909.  The queue follows the tokenizers library, stale
** entries included: an entry is stale only when its pair no longer makes the token it was queued for.
*/
#include <stdlib.h>
#include <string.h>

#include "array.h"
#include "model.h"
#include "utf8.h"

#define NO_SYMBOL SIZE_MAX

struct merge {
  uint32_t left, right; /* ids */
  uint32_t rank, id;    /* order; what they make */
};

/* A part of the word that is one token so far. */
struct symbol {
  uint32_t id;
  size_t len;        /* bytes; 0 when merged into the one before */
  size_t prev, next; /* NO_SYMBOL at the ends */
};

struct symbols {
  struct symbol *items;
  size_t count, cap;
};

struct candidate {
  size_t at; /* the left symbol */
  uint32_t rank, id;
};

struct queue {
  struct candidate *items; /* a binary heap, least (rank, at) first */
  size_t count, cap;
};

/* Short words and their tokens: a table where a new word takes the place of an old one. */
enum { CACHE_SLOTS = 8192, CACHE_WORD = 24, CACHE_TOKENS = 6 };
struct cached {
  uint8_t len, count; /* len 0: a free slot */
  uint8_t end[CACHE_TOKENS];
  char word[CACHE_WORD];
  uint32_t id[CACHE_TOKENS];
};

struct bpe {
  const struct vocab *vocab;
  struct merge *merges; /* open addressing on (left, right); rank STRINGS_NONE is free */
  size_t merge_slots;   /* a power of two, at least twice 'merge_count' */
  size_t merge_count;
  char *unk_token, *prefix, *suffix; /* NULL where there is none */
  int fuse_unk, byte_fallback, ignore_merges;
  struct cached *cache;
  struct symbols symbols;
  struct queue queue;
  struct utf8_bytes scratch;
};

static size_t mix(uint32_t left, uint32_t right) {
  uint64_t h = ((uint64_t)left << 32 | right) * UINT64_C(0x9E3779B97F4A7C15);
  return (size_t)(h >> 32 ^ h);
}

/* The slot of a pair, or the free one where it would go. */
static struct merge *merge_slot(const struct bpe *b, uint32_t left, uint32_t right) {
  size_t i = mix(left, right) & (b->merge_slots - 1);
  while (b->merges[i].rank != STRINGS_NONE && (b->merges[i].left != left || b->merges[i].right != right))
    i = (i + 1) & (b->merge_slots - 1);
  return &b->merges[i];
}

static const struct merge *find_merge(const struct bpe *b, uint32_t left, uint32_t right) {
  const struct merge *m = merge_slot(b, left, right);
  return m->rank == STRINGS_NONE ? NULL : m;
}

/* Doubles the table, from nothing to 64. */
static lun_status grow_merges(struct bpe *b, struct text_error *err) {
  struct merge *old = b->merges;
  size_t old_slots = b->merge_slots, slots = old_slots == 0 ? 64 : old_slots * 2, i;
  struct merge *merges = malloc(slots * sizeof *merges);
  if (merges == NULL) return text_no_memory(err);
  for (i = 0; i < slots; i++) merges[i].rank = STRINGS_NONE;
  b->merges = merges;
  b->merge_slots = slots;
  for (i = 0; i < old_slots; i++)
    if (old[i].rank != STRINGS_NONE) *merge_slot(b, old[i].left, old[i].right) = old[i];
  free(old);
  return LUN_OK;
}

static lun_status not_in_vocab(const char *token, size_t len, uint32_t rank, struct text_error *err) {
  return text_fail(err, LUN_EIO, "merge %u: token \"%.*s\" is not in the vocabulary", (unsigned)rank,
                   (int)(len > 80 ? 80 : len), token);
}

static lun_status add_merge(struct bpe *b, const char *left, size_t left_len, const char *right, size_t right_len,
                            uint32_t rank, struct text_error *err) {
  size_t skip = b->prefix == NULL ? 0 : strlen(b->prefix);
  struct merge *slot, m = {0};
  lun_status st;
  if (!vocab_find(b->vocab, left, left_len, &m.left)) return not_in_vocab(left, left_len, rank, err);
  if (!vocab_find(b->vocab, right, right_len, &m.right)) return not_in_vocab(right, right_len, rank, err);
  if (right_len < skip)
    return text_fail(err, LUN_EIO, "merge %u: \"%.*s\" is shorter than the prefix \"%.80s\"", (unsigned)rank,
                     (int)right_len, right, b->prefix);
  b->scratch.count = 0;
  st = utf8_append(&b->scratch, left, left_len, err);
  if (st == LUN_OK) st = utf8_append(&b->scratch, right + skip, right_len - skip, err);
  if (st != LUN_OK) return st;
  if (!vocab_find(b->vocab, b->scratch.items, b->scratch.count, &m.id))
    return not_in_vocab(b->scratch.items, b->scratch.count, rank, err);
  m.rank = rank;
  if ((b->merge_count + 1) * 2 > b->merge_slots && (st = grow_merges(b, err)) != LUN_OK) return st;
  slot = merge_slot(b, m.left, m.right);
  b->merge_count += slot->rank == STRINGS_NONE;
  *slot = m; /* of equal pairs the last holds */
  return LUN_OK;
}

/* A merge is "left right" or ["left", "right"]; strings[0] and [1] are scratch. */
static lun_status read_merge(struct bpe *b, struct json_text *json, struct utf8_bytes *strings, uint32_t *rank,
                             struct text_error *err) {
  struct utf8_bytes *left = &strings[0], *right = &strings[1];
  const char *space;
  size_t left_len;
  lun_status st;
  if (json_take(json, '[')) {
    st = json_read_string(json, left, err);
    if (st == LUN_OK && !json_take(json, ',')) st = text_fail(err, LUN_EIO, "merge %u is not a pair", (unsigned)*rank);
    if (st == LUN_OK) st = json_read_string(json, right, err);
    if (st == LUN_OK && !json_take(json, ']')) st = text_fail(err, LUN_EIO, "merge %u is not a pair", (unsigned)*rank);
    return st == LUN_OK ? add_merge(b, left->items, left->count, right->items, right->count, (*rank)++, err) : st;
  }
  st = json_read_string(json, left, err);
  if (st != LUN_OK || (left->count >= 8 && memcmp(left->items, "#version", 8) == 0)) return st;
  space = memchr(left->items, ' ', left->count);
  left_len = space == NULL ? 0 : (size_t)(space - left->items);
  if (space == NULL || memchr(space + 1, ' ', left->count - left_len - 1) != NULL)
    return text_fail(err, LUN_EIO, "merge %u is not two tokens with a space between", (unsigned)*rank);
  return add_merge(b, left->items, left_len, space + 1, left->count - left_len - 1, (*rank)++, err);
}

static lun_status read_list(struct bpe *b, struct json_text *json, struct utf8_bytes *strings, struct text_error *err) {
  uint32_t rank = 0;
  lun_status st = LUN_OK;
  if (!json_take(json, '[')) return text_fail(err, LUN_EIO, "model \"BPE\": \"merges\" is not an array");
  if (json_take(json, ']')) return LUN_OK;
  do st = read_merge(b, json, strings, &rank, err);
  while (st == LUN_OK && json_take(json, ','));
  if (st == LUN_OK && !json_take(json, ']')) return text_fail(err, LUN_EIO, "malformed JSON after merge %u", (unsigned)rank);
  return st;
}

static lun_status read_merges(struct bpe *b, struct json_text json, struct text_error *err) {
  struct utf8_bytes strings[2] = {{0}, {0}};
  lun_status st = grow_merges(b, err);
  if (st == LUN_OK) st = read_list(b, &json, strings, err);
  free(strings[0].items);
  free(strings[1].items);
  return st;
}

/* A string member that may be missing; "" counts as missing for prefix and suffix. */
static lun_status copy_string(const cJSON *json, const char *name, int empty_too, char **out, struct text_error *err) {
  const char *text;
  lun_status st = json_string_or(json, "model \"BPE\"", name, NULL, &text, err);
  if (st != LUN_OK || text == NULL || (*text == '\0' && !empty_too)) return st;
  *out = string_copy(text);
  return *out == NULL ? text_no_memory(err) : LUN_OK;
}

static lun_status read_members(struct bpe *b, const cJSON *json, struct json_text merges, struct text_error *err) {
  static const char where[] = "model \"BPE\"";
  const cJSON *dropout = json_member(json, "dropout");
  lun_status st = LUN_OK;
  if (dropout != NULL && !(cJSON_IsNumber(dropout) && dropout->valuedouble == 0))
    st = text_fail(err, LUN_EIO, "unsupported dropout in model \"BPE\": it makes tokens random");
  if (st == LUN_OK) st = copy_string(json, "unk_token", 1, &b->unk_token, err);
  if (st == LUN_OK) st = copy_string(json, "continuing_subword_prefix", 0, &b->prefix, err);
  if (st == LUN_OK) st = copy_string(json, "end_of_word_suffix", 0, &b->suffix, err);
  if (st == LUN_OK) st = json_bool_or(json, where, "fuse_unk", 0, &b->fuse_unk, err);
  if (st == LUN_OK) st = json_bool_or(json, where, "byte_fallback", 0, &b->byte_fallback, err);
  if (st == LUN_OK) st = json_bool_or(json, where, "ignore_merges", 0, &b->ignore_merges, err);
  return st == LUN_OK ? read_merges(b, merges, err) : st;
}

lun_status bpe_read(const cJSON *json, struct json_text merges, const struct vocab *vocab, struct bpe **out,
                    struct text_error *err) {
  struct bpe *b = *out = calloc(1, sizeof *b);
  if (b == NULL) return text_no_memory(err);
  b->vocab = vocab;
  b->cache = calloc(CACHE_SLOTS, sizeof *b->cache);
  return b->cache == NULL ? text_no_memory(err) : read_members(b, json, merges, err);
}

static lun_status add_symbol(struct bpe *b, uint32_t id, size_t len, struct text_error *err) {
  struct symbols *list = &b->symbols;
  struct symbol *s;
  if (!ARRAY_RESERVE(list, list->count + 1)) return text_no_memory(err);
  s = &list->items[list->count];
  s->id = id;
  s->len = len;
  s->prev = list->count > 0 ? list->count - 1 : NO_SYMBOL;
  s->next = NO_SYMBOL;
  if (list->count > 0) list->items[list->count - 1].next = list->count;
  list->count++;
  return LUN_OK;
}

/* The character with its prefix and suffix as <0xHH> tokens, one a byte; *done is 0 when one is missing. */
static lun_status add_bytes(struct bpe *b, const char *text, size_t len, int *done, struct text_error *err) {
  size_t before = b->symbols.count, i;
  *done = 1;
  for (i = 0; i < len; i++) {
    static const char hex[] = "0123456789ABCDEF";
    unsigned char byte = (unsigned char)text[i];
    char name[6] = {'<', '0', 'x', hex[byte >> 4], hex[byte & 15], '>'};
    uint32_t id;
    lun_status st;
    if (!vocab_find(b->vocab, name, sizeof name, &id)) {
      b->symbols.count = before;
      if (before > 0) b->symbols.items[before - 1].next = NO_SYMBOL;
      *done = 0;
      return LUN_OK;
    }
    st = add_symbol(b, id, 1, err);
    if (st != LUN_OK) return st;
  }
  return LUN_OK;
}

/* The word character by character; what the vocabulary lacks becomes bytes or the unknown token. */
static lun_status start_word(struct bpe *b, const char *word, size_t len, struct text_error *err) {
  size_t at = 0, unk_len = 0, n;
  uint32_t unk_id = 0, c;
  lun_status st = LUN_OK;
  b->symbols.count = 0;
  for (; st == LUN_OK && at < len; at += n) {
    const char *text = word + at;
    size_t text_len = n = utf8_decode(text, &c);
    uint32_t id;
    if ((at > 0 && b->prefix != NULL) || (at + n == len && b->suffix != NULL)) {
      b->scratch.count = 0;
      if (at > 0 && b->prefix != NULL) st = utf8_append(&b->scratch, b->prefix, strlen(b->prefix), err);
      if (st == LUN_OK) st = utf8_append(&b->scratch, text, n, err);
      if (st == LUN_OK && at + n == len && b->suffix != NULL)
        st = utf8_append(&b->scratch, b->suffix, strlen(b->suffix), err);
      if (st != LUN_OK) return st;
      text = b->scratch.items;
      text_len = b->scratch.count;
    }
    if (vocab_find(b->vocab, text, text_len, &id)) {
      if (unk_len > 0) st = add_symbol(b, unk_id, unk_len, err);
      unk_len = 0;
      if (st == LUN_OK) st = add_symbol(b, id, n, err);
      continue;
    }
    if (b->byte_fallback) {
      /* as the reference: an unknown token that waits is then put after the bytes */
      int done;
      st = add_bytes(b, text, text_len, &done, err);
      if (st != LUN_OK || done) continue;
    }
    if (b->unk_token == NULL) continue;
    if (unk_len > 0 && !b->fuse_unk) {
      st = add_symbol(b, unk_id, unk_len, err);
      unk_len = 0;
    }
    if (!vocab_find(b->vocab, b->unk_token, strlen(b->unk_token), &unk_id))
      return text_fail(err, LUN_EIO, "unk_token \"%.80s\" is not in the vocabulary", b->unk_token);
    unk_len += n;
  }
  return st == LUN_OK && unk_len > 0 ? add_symbol(b, unk_id, unk_len, err) : st;
}

static int before(const struct candidate *a, const struct candidate *b) {
  return a->rank != b->rank ? a->rank < b->rank : a->at < b->at;
}

static void push(struct queue *q, struct candidate c) {
  size_t i = q->count++;
  while (i > 0 && before(&c, &q->items[(i - 1) / 2])) {
    q->items[i] = q->items[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  q->items[i] = c;
}

static struct candidate pop(struct queue *q) {
  struct candidate top = q->items[0], last = q->items[--q->count];
  size_t i = 0, child;
  while ((child = 2 * i + 1) < q->count) {
    if (child + 1 < q->count && before(&q->items[child + 1], &q->items[child])) child++;
    if (!before(&q->items[child], &last)) break;
    q->items[i] = q->items[child];
    i = child;
  }
  q->items[i] = last;
  return top;
}

/* Queues the merge of the symbol with the one after it, if there is such a merge. */
static void consider(struct bpe *b, size_t at) {
  const struct symbol *s = &b->symbols.items[at];
  const struct merge *m;
  if (s->next == NO_SYMBOL) return;
  m = find_merge(b, s->id, b->symbols.items[s->next].id);
  if (m != NULL) push(&b->queue, (struct candidate){at, m->rank, m->id});
}

static lun_status merge_word(struct bpe *b, struct text_error *err) {
  struct symbol *s = b->symbols.items;
  size_t n = b->symbols.count, i;
  b->queue.count = 0;
  /* n - 1 pairs at the start, and each of at most n - 1 merges adds two and takes one */
  if (!ARRAY_RESERVE(&b->queue, 2 * n + 1)) return text_no_memory(err);
  for (i = 0; i + 1 < n; i++) consider(b, i);
  while (b->queue.count > 0) {
    struct candidate top = pop(&b->queue);
    struct symbol *left = &s[top.at], *right;
    const struct merge *m;
    if (left->len == 0 || left->next == NO_SYMBOL) continue;
    right = &s[left->next];
    m = find_merge(b, left->id, right->id);
    if (m == NULL || m->id != top.id) continue;
    left->id = top.id;
    left->len += right->len;
    left->next = right->next;
    right->len = 0;
    if (left->next != NO_SYMBOL) s[left->next].prev = top.at;
    if (left->prev != NO_SYMBOL) consider(b, left->prev);
    consider(b, top.at);
  }
  return LUN_OK;
}

static lun_status add_token(struct bpe *b, uint32_t id, size_t begin, size_t end, struct tokens *out,
                            struct text_error *err) {
  struct token t = {id, begin, end, NULL, 0};
  t.text = vocab_token(b->vocab, id, &t.len);
  return tokens_add(out, &t, err);
}

static struct cached *cache_slot(struct bpe *b, const char *word, size_t len) {
  uint32_t h = (uint32_t)len;
  size_t i;
  for (i = 0; i < len; i++) h = (h ^ (unsigned char)word[i]) * UINT32_C(0x01000193);
  return &b->cache[(h ^ h >> 15) % CACHE_SLOTS];
}

/* Keeps the tokens of 'out' from 'first' on as those of the word. */
static void remember(struct cached *slot, const char *word, size_t len, const struct tokens *out, size_t first) {
  size_t count = out->count - first, i;
  if (count > CACHE_TOKENS) return;
  slot->len = (uint8_t)len;
  slot->count = (uint8_t)count;
  memcpy(slot->word, word, len);
  for (i = 0; i < count; i++) {
    /* with a byte fallback for prefix or suffix, tokens can reach past the word: not worth a slot */
    if (out->items[first + i].end > CACHE_WORD) {
      slot->len = 0;
      return;
    }
    slot->id[i] = out->items[first + i].id;
    slot->end[i] = (uint8_t)out->items[first + i].end;
  }
}

lun_status bpe_tokenize(struct bpe *b, const char *word, size_t len, struct tokens *out, struct text_error *err) {
  struct cached *slot = len <= CACHE_WORD ? cache_slot(b, word, len) : NULL;
  size_t first = out->count, begin = 0, i;
  uint32_t id;
  lun_status st = LUN_OK;
  if (slot != NULL && slot->len == len && memcmp(slot->word, word, len) == 0) {
    for (i = 0; st == LUN_OK && i < slot->count; i++) {
      st = add_token(b, slot->id[i], begin, slot->end[i], out, err);
      begin = slot->end[i];
    }
    return st;
  }
  if (b->ignore_merges && vocab_find(b->vocab, word, len, &id)) {
    st = add_token(b, id, 0, len, out, err);
  } else {
    st = start_word(b, word, len, err);
    if (st == LUN_OK) st = merge_word(b, err);
    for (i = 0; st == LUN_OK && i < b->symbols.count; i++) {
      const struct symbol *s = &b->symbols.items[i];
      if (s->len == 0) continue;
      st = add_token(b, s->id, begin, begin + s->len, out, err);
      begin += s->len;
    }
  }
  if (st == LUN_OK && slot != NULL) remember(slot, word, len, out, first);
  return st;
}

void bpe_free(struct bpe *b) {
  if (b == NULL) return;
  free(b->merges);
  free(b->unk_token);
  free(b->prefix);
  free(b->suffix);
  free(b->cache);
  free(b->symbols.items);
  free(b->queue.items);
  free(b->scratch.items);
  free(b);
}
