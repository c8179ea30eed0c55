/*
** conv.c - convolution of pictures.
**
** Patches become rows of a matrix, which 'linear' multiplies by the weight: one
** product, one arithmetic, whatever the stride.  A convolution of single
** channels (depthwise) has too little to multiply and is added up in place.
*/
#include <string.h>
#include "../ops.h"
#include "copy.h"

typedef struct conv {
  const float *x;           /* [B, C, in[0], in[1]] */
  const float *weight;      /* [O, C / groups, kernel[0], kernel[1]] */
  const float *bias;        /* [O] or NULL */
  float       *y;           /* [B, O, out[0], out[1]] */
  int64_t channels, outputs, groups;
  int64_t in[2], out[2], kernel[2], stride[2], padding[2], dilation[2];
} conv;

static conv conv_of(const lun_call *c) {
  const lun_tensor *x = c->in[0], *weight = c->in[1], *y = c->out[0];
  conv v = { .x = f32(x), .weight = f32(weight), .bias = c->in[2] ? f32(c->in[2]) : NULL, .y = f32(y),
             .channels = x->dim[1], .outputs = y->dim[1], .groups = (int64_t)c->p[6] };
  for (int i = 0; i < 2; i++) {
    v.in[i] = x->dim[2 + i];
    v.out[i] = y->dim[2 + i];
    v.kernel[i] = weight->dim[2 + i];
    v.stride[i] = (int64_t)c->p[i];
    v.padding[i] = (int64_t)c->p[2 + i];
    v.dilation[i] = (int64_t)c->p[4 + i];
  }
  return v;
}

/* ---- patches as rows ------------------------------------------------------- */

typedef struct patches {
  const conv *v;
  float      *rows;         /* [images, places, K], K = size kernel[0] kernel[1] */
  int64_t     image, channel, size;     /* the first image; the first channel and how many */
  int64_t     place, places;            /* the first place and how many of each image */
} patches;

/* One row of a kernel over one row of the picture, zeros outside. */
static void take_line(const conv *v, const float *x, int64_t left, float *to) {
  int64_t n = v->kernel[1], last = left + (n - 1) * v->dilation[1];
  if (v->dilation[1] == 1 && left >= 0 && last < v->in[1]) {
    memcpy(to, x + left, (size_t)n * sizeof *to);
    return;
  }
  for (int64_t k = 0; k < n; k++) {
    int64_t at = left + k * v->dilation[1];
    to[k] = at >= 0 && at < v->in[1] ? x[at] : 0.0f;
  }
}

static void take_rows(void *arg, int64_t begin, int64_t end) {
  const patches *p = arg;
  const conv    *v = p->v;
  for (int64_t row = begin; row < end; row++) {
    int64_t image = p->image + row / p->places, place = p->place + row % p->places;
    int64_t top = place / v->out[1] * v->stride[0] - v->padding[0], left = place % v->out[1] * v->stride[1] - v->padding[1];
    float  *to = p->rows + row * p->size * v->kernel[0] * v->kernel[1];
    for (int64_t c = 0; c < p->size; c++)
      for (int64_t k = 0; k < v->kernel[0]; k++, to += v->kernel[1]) {
        int64_t      at = top + k * v->dilation[0];
        const float *line = v->x + ((image * v->channels + p->channel + c) * v->in[0] + at) * v->in[1];
        if (at >= 0 && at < v->in[0]) take_line(v, line, left, to);
        else memset(to, 0, (size_t)v->kernel[1] * sizeof *to);
      }
  }
}

/* The product of some patches of some images with the weights of one group, put in its place in y. */
static lun_status multiply(lun_call *c, patches *p, int64_t images, lun_tensor *weight, lun_tensor *bias, int64_t group) {
  const conv *v = p->v;
  int64_t     wide = weight->dim[0], plane = v->out[0] * v->out[1];
  size_t      mark = lun_scope_open(c->cx);
  lun_tensor *rows = lun_make(c->cx, LUN_F32, 3, (int64_t[]){ images, p->places, weight->dim[1] }), *product = NULL;
  if (rows) {
    p->rows = f32(rows);
    lun_parallel(c->cx, images * p->places, 1 + 4096 / (weight->dim[1] + 1), take_rows, p);
    product = lun_linear(c->cx, rows, weight, bias, false, LUN_ACT_NONE);
  }
  if (product) {
    lun_tensor to = *product;
    to.data = (char *)(v->y + (p->image * v->outputs + group * wide) * plane + p->place);
    to.stride[0] = v->outputs * plane;
    to.stride[1] = 1;
    to.stride[2] = plane;
    copy_elements(c->cx, &to, product, 0, NULL);
  }
  lun_scope_close(c->cx, mark, NULL);
  return lun_error(c->cx);
}

enum { ROOM = 1 << 20 };    /* floats of patches at a time, about */

static lun_status multiply_group(lun_call *c, const conv *v, int64_t group) {
  int64_t  images = c->in[0]->dim[0], all = v->out[0] * v->out[1], wide = v->outputs / v->groups;
  patches  p = { .v = v, .size = v->channels / v->groups, .channel = group * (v->channels / v->groups) };
  int64_t  size = p.size * v->kernel[0] * v->kernel[1], room = ROOM / (size + 1) + 1, step = room / all;
  lun_tensor *weight = lun_view(c->in[1], 2, (int64_t[]){ wide, size }, NULL, group * wide * size);
  lun_tensor *bias = c->in[2] ? lun_view(c->in[2], 1, &wide, NULL, group * wide) : NULL;
  if (step < 1) step = 1;
  for (p.image = 0; p.image < images && lun_error(c->cx) == LUN_OK; p.image += step)
    for (p.place = 0; p.place < all && lun_error(c->cx) == LUN_OK; p.place += p.places) {
      p.places = all - p.place < room ? all - p.place : room;
      multiply(c, &p, images - p.image < step ? images - p.image : step, weight, bias, group);
    }
  return lun_error(c->cx);
}

/* ---- depthwise ------------------------------------------------------------- */

/* Places [*from, *to) along an axis at which element k of the kernel lies inside the picture. */
static void reach(const conv *v, int axis, int64_t k, int64_t *from, int64_t *to) {
  int64_t shift = k * v->dilation[axis] - v->padding[axis], stride = v->stride[axis];
  *from = shift >= 0 ? 0 : (stride - 1 - shift) / stride;
  *to = shift >= v->in[axis] ? 0 : (v->in[axis] - 1 - shift) / stride + 1;
  if (*to > v->out[axis]) *to = v->out[axis];
}

static void add_weighted(const conv *v, const float *x, float weight, int64_t ky, int64_t kx, float *y) {
  int64_t y0, y1, x0, x1;
  reach(v, 0, ky, &y0, &y1);
  reach(v, 1, kx, &x0, &x1);
  for (int64_t i = y0; i < y1; i++) {
    const float *from = x + (i * v->stride[0] + ky * v->dilation[0] - v->padding[0]) * v->in[1] + kx * v->dilation[1] - v->padding[1];
    float       *to = y + i * v->out[1];
    if (v->stride[1] == 1) for (int64_t k = x0; k < x1; k++) to[k] += from[k] * weight;
    else for (int64_t k = x0; k < x1; k++) to[k] += from[k * v->stride[1]] * weight;
  }
}

static void depthwise(void *arg, int64_t begin, int64_t end) {
  const conv *v = arg;
  int64_t     plane = v->out[0] * v->out[1], size = v->kernel[0] * v->kernel[1];
  for (int64_t i = begin; i < end; i++) {
    int64_t      output = i % v->outputs, channel = output / (v->outputs / v->groups);
    const float *x = v->x + (i / v->outputs * v->channels + channel) * v->in[0] * v->in[1];
    float       *y = v->y + i * plane;
    for (int64_t k = 0; k < plane; k++) y[k] = v->bias ? v->bias[output] : 0.0f;
    for (int64_t k = 0; k < size; k++)
      add_weighted(v, x, v->weight[output * size + k], k / v->kernel[1], k % v->kernel[1], y);
  }
}

lun_status cpu_conv2d(lun_call *c) {
  conv v = conv_of(c);
  if (lun_count(c->out[0]) == 0) return LUN_OK;
  if (v.groups == v.channels) {
    lun_parallel(c->cx, c->in[0]->dim[0] * v.outputs, 1, depthwise, &v);
    return LUN_OK;
  }
  for (int64_t group = 0; group < v.groups; group++)
    if (multiply_group(c, &v, group) != LUN_OK) return lun_error(c->cx);
  return LUN_OK;
}
