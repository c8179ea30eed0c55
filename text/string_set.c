/* string_set.c - a set of strings: one pool of bytes, one open-addressing table. */
#include "string_set.h"

#include <stdlib.h>
#include <string.h>

#include "array.h"

/* Eight bytes a step, multiplied and folded; the tail is padded with zeros. */
static uint64_t hash_bytes(const char *text, size_t len) {
  const uint64_t k = UINT64_C(0x9E3779B97F4A7C15);
  uint64_t h = len * k;
  while (len > 0) {
    uint64_t word = 0;
    size_t n = len < 8 ? len : 8;
    memcpy(&word, text, n);
    h = (h ^ word) * k;
    h ^= h >> 32;
    text += n;
    len -= n;
  }
  return h;
}

/* The slot that holds the string, or the free one where it would go. */
static size_t slot_of(const struct strings *set, const char *text, size_t len) {
  size_t mask = set->slot_count - 1, i = (size_t)hash_bytes(text, len) & mask;
  while (set->slots[i] != 0) {
    const struct string_ref *s = &set->items[set->slots[i] - 1];
    if (s->len == len && memcmp(set->pool.items + s->offset, text, len) == 0) break;
    i = (i + 1) & mask;
  }
  return i;
}

static int grow_table(struct strings *set) {
  size_t n = set->slot_count == 0 ? 64 : set->slot_count * 2, i;
  uint32_t *slots = calloc(n, sizeof *slots);
  if (slots == NULL) return 0;
  free(set->slots);
  set->slots = slots;
  set->slot_count = n;
  for (i = 0; i < set->count; i++) {
    const struct string_ref *s = &set->items[i];
    set->slots[slot_of(set, set->pool.items + s->offset, s->len)] = (uint32_t)i + 1;
  }
  return 1;
}

uint32_t strings_find(const struct strings *set, const char *text, size_t len) {
  if (set->slot_count == 0) return STRINGS_NONE;
  return set->slots[slot_of(set, text, len)] - 1; /* a free slot wraps to STRINGS_NONE */
}

lun_status strings_add(struct strings *set, const char *text, size_t len, uint32_t *index, struct text_error *err) {
  size_t slot;
  if (set->count * 2 >= set->slot_count && !grow_table(set)) return text_no_memory(err);
  slot = slot_of(set, text, len);
  if (set->slots[slot] != 0) {
    *index = set->slots[slot] - 1;
    return LUN_OK;
  }
  if (len > UINT32_MAX - set->pool.count || set->count >= STRINGS_NONE - 1) return text_no_memory(err);
  /* one byte more, so that the pool is never NULL: memcpy and memcmp want a pointer */
  if (!ARRAY_RESERVE(&set->pool, set->pool.count + len + 1)) return text_no_memory(err);
  if (!ARRAY_RESERVE(set, set->count + 1)) return text_no_memory(err);
  memcpy(set->pool.items + set->pool.count, text, len);
  set->items[set->count].offset = (uint32_t)set->pool.count;
  set->items[set->count].len = (uint32_t)len;
  set->pool.count += len;
  *index = (uint32_t)set->count++;
  set->slots[slot] = *index + 1;
  return LUN_OK;
}

const char *strings_get(const struct strings *set, uint32_t index, size_t *len) {
  *len = set->items[index].len;
  return set->pool.items + set->items[index].offset;
}

void strings_free(struct strings *set) {
  free(set->pool.items);
  free(set->items);
  free(set->slots);
  memset(set, 0, sizeof *set);
}

char *string_copy(const char *text) {
  size_t bytes = strlen(text) + 1;
  char *copy = malloc(bytes);
  if (copy != NULL) memcpy(copy, text, bytes);
  return copy;
}
