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

static float pool(const pooling *p, const float *x, int64_t place_y, int64_t place_x) {
  int64_t y0, y1, x0, x1;
  float   largest = -INFINITY;
  double  sum = 0;
  inside(p, 0, place_y, &y0, &y1);
  inside(p, 1, place_x, &x0, &x1);
  for (int64_t i = y0; i < y1; i++)
    for (int64_t k = x0; k < x1; k++) {
      float v = x[i * p->in[1] + k];
      if (v > largest || v != v) largest = v;     /* NaN wins, as in torch: nothing is larger afterwards */
      sum += (double)v;
    }
  if (p->largest) return largest;
  return (float)(sum / (double)(p->count_padding ? p->kernel[0] * p->kernel[1] : (y1 - y0) * (x1 - x0)));
}

static void pool_rows(void *arg, int64_t begin, int64_t end) {
  const pooling *p = arg;
  for (int64_t row = begin; row < end; row++) {
    const float *x = p->x + row / p->out[0] * p->in[0] * p->in[1];
    for (int64_t i = 0; i < p->out[1]; i++) p->y[row * p->out[1] + i] = pool(p, x, row % p->out[0], i);
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
