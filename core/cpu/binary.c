/* binary.c - arithmetic of two tensors that broadcast together. */
#include "ops.h"

enum { GRAIN = 16384 };     /* elements worth a second thread */

/*
** Axes that lie one after the other in both inputs are merged first; what is left
** is rows along the last axis, over which an input has step 1, 0 or any other.
*/
typedef struct job {
  lun_op         op;
  bool           whole;               /* i64 */
  int            rank;                /* of the rows' axes */
  int64_t        dim[LUN_MAXRANK], a_step[LUN_MAXRANK], b_step[LUN_MAXRANK];
  int64_t        length, a_last, b_last;
  const void    *a, *b;
  void          *y;
} job;

/* Each kind of step has its own loop, since compilers make vectors of those with known steps. */
#define LOOP(type, expression)                                                                               \
  do {                                                                                                       \
    const type *a = p, *b = q;                                                                               \
    type       *y = to;                                                                                      \
    if (as == 1 && bs == 1) for (int64_t i = 0; i < n; i++) { type u = a[i], v = b[i]; y[i] = expression; }   \
    else if (as == 1 && bs == 0) for (int64_t i = 0; i < n; i++) { type u = a[i], v = b[0]; y[i] = expression; } \
    else if (as == 0 && bs == 1) for (int64_t i = 0; i < n; i++) { type u = a[0], v = b[i]; y[i] = expression; } \
    else for (int64_t i = 0; i < n; i++) { type u = a[i * as], v = b[i * bs]; y[i] = expression; }            \
  } while (0)

static void row_f32(lun_op op, const void *p, int64_t as, const void *q, int64_t bs, void *to, int64_t n) {
  switch (op) {
    case LUN_OP_add: LOOP(float, u + v); break;
    case LUN_OP_sub: LOOP(float, u - v); break;
    case LUN_OP_mul: LOOP(float, u * v); break;
    case LUN_OP_div: LOOP(float, u / v); break;
    case LUN_OP_maximum: LOOP(float, u > v || u != u ? u : v); break;     /* NaN in either gives NaN */
    default: LOOP(float, u < v || u != u ? u : v); break;
  }
}

/* Wraps around, as unsigned arithmetic does. */
static void row_i64(lun_op op, const void *p, int64_t as, const void *q, int64_t bs, void *to, int64_t n) {
  switch (op) {
    case LUN_OP_add: LOOP(uint64_t, u + v); break;
    case LUN_OP_sub: LOOP(uint64_t, u - v); break;
    default: LOOP(uint64_t, u * v); break;
  }
}

static void run(void *arg, int64_t begin, int64_t end) {
  const job *j = arg;
  size_t     size = j->whole ? 8 : 4;
  for (int64_t at = begin; at < end; ) {
    int64_t row = at / j->length, from = at % j->length, n = j->length - from < end - at ? j->length - from : end - at;
    int64_t a = from * j->a_last, b = from * j->b_last;
    for (int i = j->rank - 1; i >= 0; i--) {
      a += row % j->dim[i] * j->a_step[i];
      b += row % j->dim[i] * j->b_step[i];
      row /= j->dim[i];
    }
    (j->whole ? row_i64 : row_f32)(j->op, (const char *)j->a + a * (int64_t)size, j->a_last,
                                   (const char *)j->b + b * (int64_t)size, j->b_last, (char *)j->y + at * (int64_t)size, n);
    at += n;
  }
}

/* The step of t along an axis of the result, counted from the end. */
static int64_t step_of(const lun_tensor *t, int from_end) {
  int axis = t->rank - from_end;
  return axis >= 0 && t->dim[axis] != 1 ? t->stride[axis] : 0;
}

/* Adds an axis outside those there are, or widens the outermost of them by it. */
static void add_axis(job *j, int64_t dim, int64_t a, int64_t b) {
  int64_t *outer = j->rank > 0 ? &j->dim[0] : &j->length;
  int64_t  a_step = j->rank > 0 ? j->a_step[0] : j->a_last, b_step = j->rank > 0 ? j->b_step[0] : j->b_last;
  if (dim == 1) return;
  if (*outer == 1) {                   /* the first axis of all */
    j->length = dim, j->a_last = a, j->b_last = b;
    return;
  }
  if (a == a_step * *outer && b == b_step * *outer) {
    *outer *= dim;
    return;
  }
  for (int i = j->rank; i > 0; i--) j->dim[i] = j->dim[i - 1], j->a_step[i] = j->a_step[i - 1], j->b_step[i] = j->b_step[i - 1];
  j->dim[0] = dim, j->a_step[0] = a, j->b_step[0] = b;
  j->rank++;
}

lun_status cpu_binary(lun_call *c) {
  const lun_tensor *a = c->in[0], *b = c->in[1], *y = c->out[0];
  job j = { .op = c->op, .whole = y->dtype == LUN_I64, .length = 1, .a = a->data, .b = b->data, .y = y->data };
  if (lun_count(y) == 0) return LUN_OK;
  for (int i = 1; i <= y->rank; i++) add_axis(&j, lun_dim(y, -i), step_of(a, i), step_of(b, i));
  lun_parallel(c->cx, lun_count(y), GRAIN, run, &j);
  return LUN_OK;
}
