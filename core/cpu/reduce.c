/*
** reduce.c - sum, mean, max and argmax along one axis.
**
** x is seen as [outer, n, inner].  Sums run in f64, in an order that depends on
** n alone.  NaN is smaller than everything.
*/
#include "../ops.h"
#include "sum.h"

typedef struct reduction {
  lun_op       op;
  const float *x;
  float       *y;
  int64_t     *at;      /* argmax: instead of y */
  int64_t      n, inner;
} reduction;

static float row_max(const float *x, int64_t n) {
  float   lane[LANES], largest = -INFINITY;
  int64_t i = 0;
  for (int k = 0; k < LANES; k++) lane[k] = -INFINITY;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++) lane[k] = x[i + k] > lane[k] ? x[i + k] : lane[k];
  for (; i < n; i++) lane[0] = x[i] > lane[0] ? x[i] : lane[0];
  for (int k = 0; k < LANES; k++) largest = lane[k] > largest ? lane[k] : largest;
  return largest;
}

/* The first of the largest; 0 where all are NaN. */
static int64_t row_argmax(const float *x, int64_t n) {
  float largest = row_max(x, n);
  for (int64_t i = 0; i < n; i++)
    if (x[i] == largest) return i;
  return 0;
}

static void reduce_rows(void *arg, int64_t begin, int64_t end) {
  const reduction *r = arg;
  for (int64_t row = begin; row < end; row++) {
    const float *x = r->x + row * r->n;
    if (r->op == LUN_OP_sum) r->y[row] = (float)row_sum(x, r->n);
    else if (r->op == LUN_OP_mean) r->y[row] = (float)(row_sum(x, r->n) / (double)r->n);
    else if (r->op == LUN_OP_argmax) r->at[row] = row_argmax(x, r->n);
    else r->y[row] = x[row_argmax(x, r->n)];
  }
}

/* 'width' results that lie side by side, from n values each, 'inner' apart. */
static void reduce_tile(const reduction *r, int64_t place, int64_t width) {
  const float *x = r->x + place / r->inner * r->n * r->inner + place % r->inner;
  double       sum[LANES] = { 0 };
  int64_t      best[LANES] = { 0 };
  for (int64_t i = 0; i < r->n; i++)
    for (int64_t k = 0; k < width; k++) {
      float v = x[i * r->inner + k], largest = x[best[k] * r->inner + k];
      if (r->op == LUN_OP_sum || r->op == LUN_OP_mean) sum[k] += (double)v;
      else if (v > largest || (isnan(largest) && !isnan(v))) best[k] = i;
    }
  for (int64_t k = 0; k < width; k++) {
    if (r->op == LUN_OP_sum) r->y[place + k] = (float)sum[k];
    else if (r->op == LUN_OP_mean) r->y[place + k] = (float)(sum[k] / (double)r->n);
    else if (r->op == LUN_OP_argmax) r->at[place + k] = best[k];
    else r->y[place + k] = x[best[k] * r->inner + k];
  }
}

static void reduce_columns(void *arg, int64_t begin, int64_t end) {
  const reduction *r = arg;
  for (int64_t width; begin < end; begin += width) {
    width = r->inner - begin % r->inner;
    if (width > LANES) width = LANES;
    if (width > end - begin) width = end - begin;
    reduce_tile(r, begin, width);
  }
}

lun_status cpu_reduce(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int        axis = (int)c->p[0];
  int64_t    count = lun_count(c->out[0]);
  reduction  r = { .op = c->op, .x = f32(x), .y = f32(c->out[0]), .at = i64(c->out[0]), .n = x->dim[axis], .inner = 1 };
  for (int i = axis + 1; i < x->rank; i++) r.inner *= x->dim[i];
  lun_parallel(c->cx, count, 1 + 65536 / (r.n + 1), r.inner == 1 ? reduce_rows : reduce_columns, &r);
  return LUN_OK;
}
