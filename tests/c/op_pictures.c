/* op_pictures.c - convolutions, pooling and interpolation against independent loops in f64. */
#include "op_call.h"

static lun_ctx *cx;

static int64_t at4(const lun_tensor *t, int64_t a, int64_t b, int64_t c, int64_t d) {
  return ((a * t->dim[1] + b) * t->dim[2] + c) * t->dim[3] + d;
}

/* ---- convolutions -------------------------------------------------------------- */

typedef struct shape {
  int64_t images, channels, outputs, y, x, ky, kx;
  int     stride[2], padding[2], dilation[2], groups, output_padding[2];
} shape;

static const shape convolutions[] = {
  { 1, 1, 1, 1, 1, 1, 1, { 1, 1 }, { 0, 0 }, { 1, 1 }, 1, { 0, 0 } },
  { 2, 3, 8, 28, 28, 14, 14, { 14, 14 }, { 0, 0 }, { 1, 1 }, 1, { 0, 0 } },      /* patches */
  { 1, 3, 5, 29, 31, 14, 14, { 14, 14 }, { 0, 0 }, { 1, 1 }, 1, { 0, 0 } },      /* a rest at the border */
  { 2, 4, 6, 7, 5, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1, { 0, 0 } },
  { 1, 6, 4, 11, 13, 3, 5, { 2, 1 }, { 2, 0 }, { 1, 2 }, 2, { 1, 0 } },
  { 1, 5, 5, 9, 7, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 5, { 0, 0 } },            /* depthwise */
  { 2, 3, 6, 10, 9, 5, 3, { 2, 3 }, { 2, 1 }, { 1, 2 }, 3, { 1, 2 } },           /* two outputs a channel */
  { 1, 4, 4, 3, 2, 3, 2, { 3, 4 }, { 4, 3 }, { 2, 1 }, 4, { 2, 3 } },            /* padding wider than the kernel */
  { 3, 17, 31, 4, 4, 1, 1, { 1, 1 }, { 0, 0 }, { 1, 1 }, 1, { 0, 0 } },
  { 1, 8, 12, 5, 1, 5, 1, { 1, 1 }, { 0, 0 }, { 1, 1 }, 4, { 0, 0 } },
};

static void check_conv2d(const shape *s) {
  int64_t     each = s->channels / s->groups, wide = s->outputs / s->groups;
  lun_tensor *x = random_tensor(cx, 0, DIM(s->images, s->channels, s->y, s->x));
  lun_tensor *w = random_tensor(cx, 0, DIM(s->outputs, each, s->ky, s->kx)), *b = random_tensor(cx, 0, DIM(s->outputs));
  for (int with_bias = 0; with_bias < 2; with_bias++) {
    lun_tensor *y = call_op(cx, LUN_OP_conv2d, IN(x, w, with_bias ? b : NULL), PARAMS(s->stride[0], s->stride[1], s->padding[0],
                            s->padding[1], s->dilation[0], s->dilation[1], s->groups), NULL);
    if (!y) return;
    double *want = calloc((size_t)lun_count(y), sizeof *want);
    expect_shape(y, DIM(s->images, s->outputs, (s->y + 2 * s->padding[0] - s->dilation[0] * (s->ky - 1) - 1) / s->stride[0] + 1,
                        (s->x + 2 * s->padding[1] - s->dilation[1] * (s->kx - 1) - 1) / s->stride[1] + 1));
    for (int64_t n = 0; n < s->images; n++) for (int64_t o = 0; o < s->outputs; o++)
      for (int64_t i = 0; i < y->dim[2]; i++) for (int64_t k = 0; k < y->dim[3]; k++) {
        double sum = with_bias ? (double)f32(b)[o] : 0;
        for (int64_t c = 0; c < each; c++) for (int64_t ky = 0; ky < s->ky; ky++) for (int64_t kx = 0; kx < s->kx; kx++) {
          int64_t iy = i * s->stride[0] - s->padding[0] + ky * s->dilation[0], ix = k * s->stride[1] - s->padding[1] + kx * s->dilation[1];
          if (iy < 0 || ix < 0 || iy >= s->y || ix >= s->x) continue;
          sum += (double)f32(x)[at4(x, n, o / wide * each + c, iy, ix)] * (double)f32(w)[at4(w, o, c, ky, kx)];
        }
        want[at4(y, n, o, i, k)] = sum;
      }
    expect_near(y, want, 1e-5, "conv2d");
    free(want);
  }
}

static void check_conv_transpose2d(const shape *s) {
  int64_t     each = s->channels / s->groups, wide = s->outputs / s->groups;
  lun_tensor *x = random_tensor(cx, 0, DIM(s->images, s->channels, s->y, s->x));
  lun_tensor *w = random_tensor(cx, 0, DIM(s->channels, wide, s->ky, s->kx)), *b = random_tensor(cx, 0, DIM(s->outputs));
  lun_tensor *y;
  int64_t     dim[4] = { s->images, s->outputs,
    (s->y - 1) * s->stride[0] - 2 * s->padding[0] + s->dilation[0] * (s->ky - 1) + s->output_padding[0] + 1,
    (s->x - 1) * s->stride[1] - 2 * s->padding[1] + s->dilation[1] * (s->kx - 1) + s->output_padding[1] + 1 };
  if (dim[2] < 1 || dim[3] < 1) return;
  y = call_op(cx, LUN_OP_conv_transpose2d, IN(x, w, b), PARAMS(s->stride[0], s->stride[1], s->padding[0], s->padding[1],
              s->output_padding[0], s->output_padding[1], s->groups, s->dilation[0], s->dilation[1]), NULL);
  if (!y) return;
  expect_shape(y, 4, dim);
  double *want = calloc((size_t)lun_count(y), sizeof *want);
  for (int64_t i = 0; i < lun_count(y); i++) want[i] = (double)f32(b)[i / (dim[2] * dim[3]) % dim[1]];
  for (int64_t n = 0; n < s->images; n++) for (int64_t c = 0; c < s->channels; c++) for (int64_t o = 0; o < wide; o++)
    for (int64_t i = 0; i < s->y; i++) for (int64_t k = 0; k < s->x; k++)
      for (int64_t ky = 0; ky < s->ky; ky++) for (int64_t kx = 0; kx < s->kx; kx++) {
        int64_t oy = i * s->stride[0] - s->padding[0] + ky * s->dilation[0], ox = k * s->stride[1] - s->padding[1] + kx * s->dilation[1];
        if (oy < 0 || ox < 0 || oy >= dim[2] || ox >= dim[3]) continue;
        want[at4(y, n, c / each * wide + o, oy, ox)] += (double)f32(x)[at4(x, n, c, i, k)] * (double)f32(w)[at4(w, c, o, ky, kx)];
      }
  expect_near(y, want, 1e-5, "conv_transpose2d");
  free(want);
}

/* More patches than are made at a time: several images at once, and one image in pieces. */
static void check_large_conv2d(void) {
  const shape many = { 7, 40, 3, 24, 25, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1, { 0, 0 } };
  const shape wide = { 1, 20, 2, 90, 80, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1 }, 1, { 0, 0 } };
  check_conv2d(&many);
  check_conv2d(&wide);
}

/* ---- pooling --------------------------------------------------------------------- */

static void check_pool2d(int64_t y_size, int64_t x_size, int ky, int kx, int sy, int sx, int py, int px, int count_pad) {
  lun_tensor *x = random_tensor(cx, 100, DIM(2, 3, y_size, x_size)), *largest, *mean;
  f32(x)[0] = -INFINITY;
  largest = call_op(cx, LUN_OP_max_pool2d, IN(x), PARAMS(ky, kx, sy, sx, py, px), NULL);
  mean = call_op(cx, LUN_OP_avg_pool2d, IN(x), PARAMS(ky, kx, sy, sx, py, px, count_pad), NULL);
  if (!largest || !mean) return;
  double *most = calloc((size_t)lun_count(largest), sizeof *most), *sum = calloc((size_t)lun_count(largest), sizeof *sum);
  for (int64_t p = 0; p < 6; p++) for (int64_t i = 0; i < largest->dim[2]; i++) for (int64_t k = 0; k < largest->dim[3]; k++) {
    int64_t place = (p * largest->dim[2] + i) * largest->dim[3] + k, count = 0;
    most[place] = -INFINITY;
    for (int a = 0; a < ky; a++) for (int b = 0; b < kx; b++) {
      int64_t iy = i * sy - py + a, ix = k * sx - px + b;
      if (iy < 0 || ix < 0 || iy >= y_size || ix >= x_size) continue;
      double v = (double)f32(x)[(p * y_size + iy) * x_size + ix];
      most[place] = fmax(most[place], v);
      sum[place] += v;
      count++;
    }
    sum[place] /= count_pad ? ky * kx : (double)count;
  }
  expect_near(largest, most, 0, "max_pool2d");
  expect_near(mean, sum, 1e-6, "avg_pool2d");
  free(most);
  free(sum);
}

static void check_pooling(void) {
  lun_tensor *x = random_tensor(cx, 0, DIM(1, 1, 4, 6)), *y;
  check_pool2d(11, 8, 3, 3, 2, 2, 1, 1, 1);
  check_pool2d(11, 8, 3, 3, 2, 2, 1, 1, 0);
  check_pool2d(7, 5, 2, 4, 3, 1, 0, 2, 1);
  check_pool2d(7, 5, 2, 4, 3, 1, 0, 2, 0);
  check_pool2d(1, 1, 1, 1, 1, 1, 0, 0, 1);
  y = call_op(cx, LUN_OP_max_pool2d, IN(x), PARAMS(2, 3), NULL);      /* the stride is the kernel's size */
  expect_shape(y, DIM(1, 1, 2, 2));
  f32(x)[7] = NAN;
  y = call_op(cx, LUN_OP_max_pool2d, IN(x), PARAMS(2, 3), NULL);
  CHECK(y && isnan(f32(y)[0]) && !isnan(f32(y)[1]));
}

/* ---- interpolation ----------------------------------------------------------------- */

static double keys(double x, double a) {
  x = fabs(x);
  if (x < 1) return (a + 2) * x * x * x - (a + 3) * x * x + 1;
  return x < 2 ? a * x * x * x - 5 * a * x * x + 8 * a * x - 4 * a : 0;
}

static double kernel_at(int mode, int antialias, double x) {
  if (mode == 2) return keys(x, antialias ? -0.5 : -0.75);
  return fabs(x) < 1 ? 1 - fabs(x) : 0;
}

/* Weight of input 'in' (before clamping to the border) for output 'out' along one axis; by definition, no tables. */
static double share(int mode, int corners, int antialias, double step, int64_t size, int64_t out, int64_t in) {
  double at = corners && !antialias ? step * (double)out : step * ((double)out + 0.5) - 0.5, wide = antialias && step > 1 ? step : 1, total = 0;
  if (mode == 1 && !antialias && at < 0) at = 0;
  if (mode == 1 && !antialias && at > (double)(size - 1)) at = (double)(size - 1);
  if (!antialias) return kernel_at(mode, 0, at - (double)in);
  for (int64_t k = 0; k < size; k++) total += kernel_at(mode, 1, ((double)k - at) / wide);
  return in < 0 || in >= size ? 0 : kernel_at(mode, 1, ((double)in - at) / wide) / total;
}

static void check_interpolate(int64_t y_size, int64_t x_size, int64_t to_y, int64_t to_x, int mode, int corners, int antialias, double scale) {
  lun_tensor *x = random_tensor(cx, 3, DIM(1, 2, y_size, x_size)), *y;
  double      step_y = corners ? (to_y > 1 ? (double)(y_size - 1) / (double)(to_y - 1) : 0) : (double)y_size / (double)to_y;
  double      step_x = corners ? (to_x > 1 ? (double)(x_size - 1) / (double)(to_x - 1) : 0) : (double)x_size / (double)to_x;
  if (scale > 0) step_y = step_x = 1 / scale;
  y = scale > 0 ? call_op(cx, LUN_OP_interpolate, IN(x), PARAMS(NAN, NAN, mode, corners, antialias, scale, NAN), NULL)
                : call_op(cx, LUN_OP_interpolate, IN(x), PARAMS((double)to_y, (double)to_x, mode, corners, antialias), NULL);
  if (!y) return;
  expect_shape(y, DIM(1, 2, to_y, to_x));
  double *want = calloc((size_t)lun_count(y), sizeof *want);
  for (int64_t c = 0; c < 2; c++) for (int64_t i = 0; i < to_y; i++) for (int64_t k = 0; k < to_x; k++) {
    double sum = 0;
    for (int64_t a = -3; a < y_size + 3; a++) for (int64_t b = -3; b < x_size + 3; b++) {
      int64_t iy = a < 0 ? 0 : a < y_size ? a : y_size - 1, ix = b < 0 ? 0 : b < x_size ? b : x_size - 1;
      double  weight = mode == 0 ? a == (int64_t)floor((double)i * step_y) && b == (int64_t)floor((double)k * step_x)
                                 : share(mode, corners, antialias, step_y, y_size, i, a) * share(mode, corners, antialias, step_x, x_size, k, b);
      sum += weight * (double)f32(x)[(c * y_size + iy) * x_size + ix];
    }
    want[(c * to_y + i) * to_x + k] = sum;
  }
  char what[96];
  snprintf(what, sizeof what, "interpolate mode %d corners %d antialias %d %lldx%lld to %lldx%lld scale %g", mode, corners, antialias,
           (long long)y_size, (long long)x_size, (long long)to_y, (long long)to_x, scale);
  expect_near(y, want, 1e-6, what);
  free(want);
}

static void check_interpolations(void) {
  static const int64_t size[][4] = { { 4, 4, 7, 3 }, { 1, 1, 2, 5 }, { 7, 7, 14, 14 }, { 9, 6, 4, 4 }, { 6, 6, 6, 6 }, { 37, 37, 16, 16 },
                                     { 16, 13, 29, 31 }, { 23, 2, 1, 1 }, { 2, 40, 3, 3 } };
  for (int mode = 0; mode < 3; mode++) {
    for (size_t i = 0; i < sizeof size / sizeof *size; i++) {
      check_interpolate(size[i][0], size[i][1], size[i][2], size[i][3], mode, 0, 0, 0);
      if (mode == 0) continue;
      check_interpolate(size[i][0], size[i][1], size[i][2], size[i][3], mode, 1, 0, 0);
      check_interpolate(size[i][0], size[i][1], size[i][2], size[i][3], mode, 0, 1, 0);
      check_interpolate(size[i][0], size[i][1], size[i][2], size[i][3], mode, 1, 1, 0);
    }
    check_interpolate(4, 4, 7, 7, mode, 0, 0, 1.75);
    check_interpolate(5, 3, 10, 6, mode, 0, 0, 2);
    check_interpolate(8, 9, 5, 5, mode, 0, 0, 0.63);      /* 5.04 and 5.67 */
  }
  check_interpolate(8, 9, 5, 5, 2, 0, 1, 0.63);
}

int main(void) {
  cx = lun_open(1);
  for (size_t i = 0; i < sizeof convolutions / sizeof *convolutions; i++) {
    size_t mark = lun_scope_open(cx);
    check_conv2d(&convolutions[i]);
    check_conv_transpose2d(&convolutions[i]);
    lun_scope_close(cx, mark, NULL);
  }
  check_large_conv2d();
  check_pooling();
  check_interpolations();
  lun_close(cx);
  return check_end();
}
