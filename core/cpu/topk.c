/*
** topk.c - the k largest of each row, in one pass.
**
** A value and its position make one 64-bit key that sorts as wanted: larger
** values first, of equals the first one, NaN last.  The k best so far are a
** heap with the worst of them on top; almost every value fails the one
** comparison with it, and the heap is sorted at the end.
*/
#include <string.h>
#include "../ops.h"

/* Grows with the value and falls with the position. */
static uint64_t key_of(float value, int64_t at) {
  uint32_t bits, rank = 0;
  if (value == value) {
    value += 0.0f;                       /* -0 equals +0 */
    memcpy(&bits, &value, sizeof bits);
    rank = bits & 0x80000000 ? ~bits : bits | 0x80000000;
  }
  return (uint64_t)rank << 32 | (UINT32_MAX - (uint32_t)at);
}

static int64_t place_of(uint64_t key) { return UINT32_MAX - (uint32_t)key; }

/* Puts 'key' on top of a heap of k and lets it sink below smaller ones. */
static void sink(uint64_t *heap, int64_t k, int64_t i, uint64_t key) {
  for (;;) {
    int64_t child = 2 * i + 1;
    if (child >= k) break;
    if (child + 1 < k && heap[child + 1] < heap[child]) child++;
    if (key <= heap[child]) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = key;
}

typedef struct search {
  const float *x;
  float       *values;
  int64_t     *indices;
  uint64_t    *heap;       /* [rows, k] */
  int64_t      n, k;
} search;

enum { STEP = 16 };

static int any_above(const float *x, float limit) {
  int above = 0;
  for (int i = 0; i < STEP; i++) above |= x[i] > limit;
  return above;
}

static void search_row(const search *s, int64_t row) {
  const float *x = s->x + row * s->n;
  uint64_t    *heap = s->heap + row * s->k;
  int64_t      k = s->k;
  for (int64_t i = 0; i < k; i++) heap[i] = key_of(x[i], i);
  for (int64_t i = k / 2 - 1; i >= 0; i--) sink(heap, k, i, heap[i]);
  for (int64_t i = k; i < s->n;) {
    float   limit = x[place_of(heap[0])];
    int64_t end = i + STEP;
    if (end > s->n) end = s->n;
    else if (limit == limit && !any_above(x + i, limit)) {
      i = end;
      continue;
    }
    for (; i < end; i++) {
      uint64_t key = key_of(x[i], i);
      if (key > heap[0]) sink(heap, k, 0, key);
    }
  }
  for (int64_t left = k; left > 0; left--) {     /* the worst goes to the end */
    int64_t at = place_of(heap[0]);
    s->values[row * k + left - 1] = x[at];
    s->indices[row * k + left - 1] = at;
    sink(heap, left - 1, 0, heap[left - 1]);
  }
}

static void search_rows(void *arg, int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; row++) search_row(arg, row);
}

lun_status cpu_topk(lun_call *c) {
  int64_t n = lun_dim(c->in[0], -1), k = (int64_t)c->p[0], rows = lun_count(c->in[0]) / n;
  search  s = { .x = f32(c->in[0]), .values = f32(c->out[0]), .indices = i64(c->out[1]), .n = n, .k = k };
  s.heap = lun_scratch(c->cx, (size_t)(rows * k) * sizeof *s.heap);
  if (!s.heap) return lun_error(c->cx);
  lun_parallel(c->cx, rows, 1 + 8192 / n, search_rows, &s);
  return LUN_OK;
}
