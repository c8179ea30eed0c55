/*
** interpolate.c - resizing of pictures as torch's interpolate does it.
**
** Each axis has a table that says which inputs an output is a weighted sum of;
** the mode is in the tables alone.  The vertical sums come first, then the
** horizontal ones.  Sources of the rules: aten/src/ATen/native/UpSample.h and
** cpu/UpSampleKernel.cpp of PyTorch; cubic: Keys 1981, doi:10.1109/TASSP.1981.1163711.
*/
#include "../ops.h"

enum { NEAREST, BILINEAR, BICUBIC };

typedef struct taps {
  int64_t  size;       /* outputs */
  int64_t  most;       /* room for weights of each */
  int64_t *start;      /* [size] the first input */
  int64_t *count;      /* [size] */
  float   *weight;     /* [size, most] */
} taps;

/* Keys' cubic: a = -0.75 in torch's plain bicubic, -0.5 with antialias as in Pillow. */
static double cubic(double x, double a) {
  x = fabs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

static double triangle(double x) {
  x = fabs(x);
  return x < 1 ? 1 - x : 0;
}

/*
** torch's index is computed in f32 and does not move continuously, so f32 it is
** here.  Once and twice the size ignore the scale given: torch on the CPU does so
** while height and width of the result come to 128 or less, and not above.
*/
static void nearest_taps(taps *t, int64_t in, double scale) {
  float step = isnan(scale) || t->size == in || t->size == 2 * in ? (float)in / (float)t->size : (float)(1.0 / scale);
  for (int64_t i = 0; i < t->size; i++) {
    int64_t at = (int64_t)floorf((float)i * step);
    t->start[i] = at < in ? at : in - 1;
    t->count[i] = 1;
    t->weight[i] = 1;
  }
}

/* Two or four neighbours of a point; those outside count for the border. */
static void neighbour_taps(taps *t, int64_t in, double step, int mode, bool align_corners) {
  int64_t reach = mode == BICUBIC ? 2 : 1;
  for (int64_t i = 0; i < t->size; i++) {
    float  *weight = t->weight + i * t->most;
    double  at = align_corners ? step * (double)i : step * ((double)i + 0.5) - 0.5;
    int64_t first, start, end;
    first = (int64_t)floor(at) - reach + 1;
    start = first < 0 ? 0 : first < in ? first : in - 1;
    end = first + 2 * reach < in ? first + 2 * reach : in;
    t->start[i] = start;
    t->count[i] = end > start + 1 ? end - start : 1;
    for (int64_t k = 0; k < t->most; k++) weight[k] = 0;
    for (int64_t k = first; k < first + 2 * reach; k++) {
      double  w = mode == BICUBIC ? cubic(at - (double)k, -0.75) : triangle(at - (double)k);
      int64_t inside = k < start ? start : k < start + t->count[i] ? k : start + t->count[i] - 1;
      weight[inside - start] += (float)w;
    }
  }
}

/*
** A kernel as wide as an output's share of the input; its weights add up to 1.
** With align_corners torch changes the step and nothing else, so corners do not
** quite meet; so it is here.
*/
static void antialias_taps(taps *t, int64_t in, double step, int mode) {
  double wide = step >= 1 ? step : 1, support = (mode == BICUBIC ? 2 : 1) * wide;
  for (int64_t i = 0; i < t->size; i++) {
    float  *weight = t->weight + i * t->most;
    double  centre = step * ((double)i + 0.5), total = 0;
    int64_t start = (int64_t)(centre - support + 0.5), end = (int64_t)(centre + support + 0.5);
    if (start < 0) start = 0;
    if (end > in) end = in;
    t->start[i] = start;
    t->count[i] = end - start;
    for (int64_t k = start; k < end; k++) {
      double x = ((double)k - centre + 0.5) / wide;
      total += mode == BICUBIC ? cubic(x, -0.5) : triangle(x);
    }
    for (int64_t k = start; k < end; k++) {
      double x = ((double)k - centre + 0.5) / wide;
      weight[k - start] = (float)((mode == BICUBIC ? cubic(x, -0.5) : triangle(x)) / total);
    }
  }
}

/* size[2] mode align_corners antialias scale[2] */
static lun_status make_taps(lun_call *c, taps *t, int axis) {
  int     mode = (int)c->p[2];
  bool    align_corners = c->p[3] != 0, antialias = c->p[4] != 0;
  int64_t in = c->in[0]->dim[2 + axis];
  double  scale = c->p[5 + axis], step, wide;
  t->size = c->out[0]->dim[2 + axis];
  if (align_corners) step = t->size > 1 ? (double)(in - 1) / (double)(t->size - 1) : 0;
  else step = isnan(scale) ? (double)in / (double)t->size : 1 / scale;
  if ((mode == BILINEAR || antialias) && t->size == in) step = 1;     /* torch copies, whatever the scale */
  wide = antialias && step > 1 ? step : 1;
  t->most = mode == NEAREST ? 1 : (int64_t)((mode == BICUBIC ? 2 : 1) * ceil(wide)) * 2 + 1;
  if (t->most > in && antialias) t->most = in;
  t->start = lun_scratch(c->cx, (size_t)t->size * sizeof *t->start);
  t->count = lun_scratch(c->cx, (size_t)t->size * sizeof *t->count);
  t->weight = lun_scratch(c->cx, (size_t)t->size * (size_t)t->most * sizeof *t->weight);
  if (lun_error(c->cx) != LUN_OK) return lun_error(c->cx);
  if (mode == NEAREST) nearest_taps(t, in, scale);
  else if (antialias) antialias_taps(t, in, step, mode);
  else neighbour_taps(t, in, step, mode, align_corners);
  return LUN_OK;
}

typedef struct resize {
  const float *x;      /* [planes, in_y, in_x] */
  float       *y;      /* [planes, vertical.size, horizontal.size] */
  float       *half;   /* [planes, vertical.size, in_x] */
  int64_t      in_y, in_x;
  taps         vertical, horizontal;
} resize;

static void resize_rows(void *arg, int64_t begin, int64_t end) {
  const resize *r = arg;
  const taps   *v = &r->vertical, *h = &r->horizontal;
  for (int64_t row = begin; row < end; row++) {
    int64_t      place = row % v->size;
    const float *x = r->x + (row / v->size * r->in_y + v->start[place]) * r->in_x;
    float       *half = r->half + row * r->in_x, *y = r->y + row * h->size;
    for (int64_t i = 0; i < r->in_x; i++) half[i] = x[i] * v->weight[place * v->most];
    for (int64_t k = 1; k < v->count[place]; k++) {
      float weight = v->weight[place * v->most + k];
      for (int64_t i = 0; i < r->in_x; i++) half[i] += x[k * r->in_x + i] * weight;
    }
    for (int64_t i = 0; i < h->size; i++) {
      const float *from = half + h->start[i], *weight = h->weight + i * h->most;
      float        sum = from[0] * weight[0];
      for (int64_t k = 1; k < h->count[i]; k++) sum += from[k] * weight[k];
      y[i] = sum;
    }
  }
}

lun_status cpu_interpolate(lun_call *c) {
  const lun_tensor *x = c->in[0], *y = c->out[0];
  resize  r = { .x = f32(x), .y = f32(y), .in_y = x->dim[2], .in_x = x->dim[3] };
  int64_t rows = y->dim[0] * y->dim[1] * y->dim[2];
  if (rows == 0) return LUN_OK;
  if (make_taps(c, &r.vertical, 0) != LUN_OK || make_taps(c, &r.horizontal, 1) != LUN_OK) return lun_error(c->cx);
  r.half = lun_scratch(c->cx, (size_t)rows * (size_t)r.in_x * sizeof *r.half);
  if (!r.half) return lun_error(c->cx);
  lun_parallel(c->cx, rows, 1 + 4096 / y->dim[3], resize_rows, &r);
  return LUN_OK;
}
