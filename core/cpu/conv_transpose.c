/*
** conv_transpose.c - transposed convolution: each input adds its kernel, times
** its value, to the output.  'linear' makes the products of all channels
** first; then every output row adds up its own.
*/
#include "../ops.h"

typedef struct spread {
  const float *products;    /* [in[0] in[1], planes, kernel[0], kernel[1]] */
  const float *bias;        /* [planes] or NULL */
  float       *y;           /* [planes, out[0], out[1]] */
  int64_t planes;
  int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
} spread;

/* Adds row ky of the kernels of input row iy to output row y, for all planes. */
static void add_row(const spread *s, int64_t y, int64_t ky, int64_t iy) {
  int64_t size = s->kernel[0] * s->kernel[1], plane = s->out[0] * s->out[1];
  for (int64_t ix = 0; ix < s->in[1]; ix++) {
    const float *from = s->products + (iy * s->in[1] + ix) * s->planes * size + ky * s->kernel[1];
    for (int64_t kx = 0; kx < s->kernel[1]; kx++) {
      int64_t x = ix * s->stride[1] - s->padding[1] + kx * s->dilation[1];
      float  *to = s->y + y * s->out[1] + x;
      if (x >= 0 && x < s->out[1]) for (int64_t i = 0; i < s->planes; i++) to[i * plane] += from[i * size + kx];
    }
  }
}

/* Output rows, of all planes: products lie side by side as they are read. */
static void add_rows(void *arg, int64_t begin, int64_t end) {
  const spread *s = arg;
  for (int64_t y = begin; y < end; y++) {
    for (int64_t i = 0; i < s->planes; i++)
      for (int64_t x = 0; x < s->out[1]; x++) s->y[(i * s->out[0] + y) * s->out[1] + x] = s->bias ? s->bias[i] : 0.0f;
    for (int64_t ky = 0; ky < s->kernel[0]; ky++) {
      int64_t at = y + s->padding[0] - ky * s->dilation[0];
      if (at >= 0 && at % s->stride[0] == 0 && at / s->stride[0] < s->in[0]) add_row(s, y, ky, at / s->stride[0]);
    }
  }
}

/* One group of one image. */
static lun_status spread_group(lun_call *c, spread *s, int64_t image, int64_t group, int64_t groups, lun_tensor *weight) {
  lun_tensor *x = c->in[0];
  int64_t     pixels = s->in[0] * s->in[1], channels = weight->dim[0];
  size_t      mark = lun_scope_open(c->cx);
  lun_tensor *rows = lun_view(x, 2, (int64_t[]){ pixels, channels }, (int64_t[]){ 1, pixels }, (image * x->dim[1] + group * channels) * pixels);
  lun_tensor *products = lun_linear(c->cx, rows, weight, NULL, true, LUN_ACT_NONE);
  if (products) {
    s->products = f32(products);
    s->bias = c->in[2] ? f32(c->in[2]) + group * s->planes : NULL;
    s->y = f32(c->out[0]) + (image * groups + group) * s->planes * s->out[0] * s->out[1];
    lun_parallel(c->cx, s->out[0], 1, add_rows, s);
  }
  lun_scope_close(c->cx, mark, NULL);
  return lun_error(c->cx);
}

/* stride[2] padding[2] output_padding[2] groups dilation[2] */
lun_status cpu_conv_transpose2d(lun_call *c) {
  lun_tensor *x = c->in[0], *weight = c->in[1];
  int64_t     groups = (int64_t)c->p[6], channels = x->dim[1] / groups, wide;
  spread      s = { .planes = weight->dim[1] };
  if (lun_count(c->out[0]) == 0) return LUN_OK;
  for (int i = 0; i < 2; i++) {
    s.in[i] = x->dim[2 + i];
    s.out[i] = c->out[0]->dim[2 + i];
    s.kernel[i] = weight->dim[2 + i];
    s.stride[i] = (int64_t)c->p[i];
    s.padding[i] = (int64_t)c->p[2 + i];
    s.dilation[i] = (int64_t)c->p[7 + i];
  }
  wide = s.planes * s.kernel[0] * s.kernel[1];
  for (int64_t group = 0; group < groups; group++) {
    lun_tensor *part = lun_view(weight, 2, (int64_t[]){ channels, wide }, NULL, group * channels * wide);
    for (int64_t image = 0; image < x->dim[0] && part; image++)
      if (spread_group(c, &s, image, group, groups, part) != LUN_OK) return lun_error(c->cx);
  }
  return lun_error(c->cx);
}
