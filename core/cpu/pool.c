/* pool.c - largest or mean of a window: max_pool2d, avg_pool2d. */
#include "../ops.h"

typedef struct pooling {
  const float *x;
  float       *y;
  int64_t      in[2], out[2], kernel[2], stride[2], padding[2];
  bool         largest, count_padding;
} pooling;

/* The part of a window inside the picture: [*from, *to). */
static void inside(const pooling *p, int axis, int64_t place, int64_t *from, int64_t *to) {
  int64_t start = place * p->stride[axis] - p->padding[axis], end = start + p->kernel[axis];
  *from = start > 0 ? start : 0;
  *to = end < p->in[axis] ? end : p->in[axis];
}

/* NaN wins, as in torch.  No branch: which value is the largest nobody can foresee. */
static float largest(const float *x, int64_t width, const int64_t from[2], const int64_t to[2]) {
  float most = -INFINITY;
  int   unordered = 0;
  for (int64_t i = from[0]; i < to[0]; i++)
    for (int64_t k = from[1]; k < to[1]; k++) {
      float v = x[i * width + k];
      most = v > most ? v : most;
      unordered |= v != v;
    }
  return unordered ? NAN : most;
}

static double sum(const float *x, int64_t width, const int64_t from[2], const int64_t to[2]) {
  double total = 0;
  for (int64_t i = from[0]; i < to[0]; i++)
    for (int64_t k = from[1]; k < to[1]; k++) total += (double)x[i * width + k];
  return total;
}

static void pool_rows(void *arg, int64_t begin, int64_t end) {
  const pooling *p = arg;
  for (int64_t row = begin; row < end; row++) {
    const float *x = p->x + row / p->out[0] * p->in[0] * p->in[1];
    float       *y = p->y + row * p->out[1];
    int64_t      from[2], to[2];
    inside(p, 0, row % p->out[0], &from[0], &to[0]);
    for (int64_t i = 0; i < p->out[1]; i++) {
      inside(p, 1, i, &from[1], &to[1]);
      if (p->largest) y[i] = largest(x, p->in[1], from, to);
      else y[i] = (float)(sum(x, p->in[1], from, to) / (double)(p->count_padding ? p->kernel[0] * p->kernel[1] : (to[0] - from[0]) * (to[1] - from[1])));
    }
  }
}

lun_status cpu_pool2d(lun_call *c) {
  const lun_tensor *x = c->in[0], *y = c->out[0];
  pooling p = { .x = f32(x), .y = f32(y), .largest = c->op == LUN_OP_max_pool2d, .count_padding = c->p[6] != 0 };
  for (int i = 0; i < 2; i++) {
    p.in[i] = x->dim[2 + i];
    p.out[i] = y->dim[2 + i];
    p.kernel[i] = (int64_t)c->p[i];
    p.stride[i] = (int64_t)c->p[2 + i];
    p.padding[i] = (int64_t)c->p[4 + i];
  }
  if (lun_count(y) > 0) lun_parallel(c->cx, y->dim[0] * y->dim[1] * p.out[0], 1 + 4096 / p.out[1], pool_rows, &p);
  return LUN_OK;
}
