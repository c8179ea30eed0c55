/* shape_picture.c - rules of operations on pictures [B, C, Y, X]: convolutions, pooling, interpolation. */
#include "shape.h"

/* Places of a window along one axis, -1 if it fits nowhere. */
static int64_t places(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
  int64_t span;
  if (kernel < 1 || __builtin_mul_overflow(kernel - 1, dilation, &span)) return -1;
  if (__builtin_sub_overflow(size + 2 * padding, span, &span) || span < 1) return -1;
  return (span - 1) / stride + 1;
}

static lun_status no_place(lun_call *c, const int64_t kernel[2], const int64_t padding[2]) {
  char have[96], window[96];
  return lun_fail(c->cx, LUN_ESHAPE, "%s: a kernel %s has no place in x %s with padding [%lld, %lld]", c->name,
                  lun_shape_text(window, sizeof window, 2, kernel), lun_shape_text(have, sizeof have, 4, c->in[0]->dim),
                  (long long)padding[0], (long long)padding[1]);
}

/* Inputs of both convolutions; the axis of the weight's channels that x must match is 1 or 0. */
static lun_status want_pictures(lun_call *c, int groups_slot, int64_t *groups) {
  char have[96];
  if (want_f32(c, 0, 4, 4) != LUN_OK || want_f32(c, 1, 4, 4) != LUN_OK || want_int(c, groups_slot, 1, INT32_MAX, groups) != LUN_OK)
    return lun_error(c->cx);
  if (c->in[0]->dim[1] % *groups == 0) return LUN_OK;
  return lun_fail(c->cx, LUN_ESHAPE, "%s: %lld groups do not divide the channels of x %s", c->name, (long long)*groups,
                  lun_shape_text(have, sizeof have, 4, c->in[0]->dim));
}

/* stride[2] padding[2] dilation[2] groups */
lun_status shape_conv2d(lun_call *c) {
  const lun_tensor *x = c->in[0], *weight = c->in[1];
  int64_t stride[2], padding[2], dilation[2], groups, dim[4];
  char    have[96];
  want_pair(c, 0, 1, stride);
  want_pair(c, 2, 0, padding);
  want_pair(c, 4, 1, dilation);
  if (lun_error(c->cx) != LUN_OK || want_pictures(c, 6, &groups) != LUN_OK) return lun_error(c->cx);
  want_shape(c, 1, 0, 4, (int64_t[]){ ANY, x->dim[1] / groups, ANY, ANY });
  if (want_vector(c, 2, 1, weight->dim[0]) != LUN_OK) return lun_error(c->cx);
  if (weight->dim[0] % groups)
    return lun_fail(c->cx, LUN_ESHAPE, "conv2d: %lld groups do not divide the outputs of weight %s", (long long)groups,
                    lun_shape_text(have, sizeof have, 4, weight->dim));
  dim[0] = x->dim[0];
  dim[1] = weight->dim[0];
  for (int i = 0; i < 2; i++) {
    dim[2 + i] = places(x->dim[2 + i], weight->dim[2 + i], stride[i], padding[i], dilation[i]);
    if (dim[2 + i] < 0) return no_place(c, weight->dim + 2, padding);
  }
  return give(c, 0, LUN_F32, 4, dim);
}

/* (in - 1) stride - 2 padding + (kernel - 1) dilation + output_padding + 1, -1 if that is none. */
static int64_t spread(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation, int64_t extra) {
  int64_t steps, span, all;
  if (size < 1 || kernel < 1 || __builtin_mul_overflow(size - 1, stride, &steps) || __builtin_mul_overflow(kernel - 1, dilation, &span))
    return -1;
  if (__builtin_add_overflow(steps, span, &all) || __builtin_add_overflow(all, extra + 1 - 2 * padding, &all)) return -1;
  return all < 1 ? -1 : all;
}

/* stride[2] padding[2] output_padding[2] groups dilation[2] */
lun_status shape_conv_transpose2d(lun_call *c) {
  const lun_tensor *x = c->in[0], *weight = c->in[1];
  int64_t stride[2], padding[2], extra[2], dilation[2], groups, dim[4];
  want_pair(c, 0, 1, stride);
  want_pair(c, 2, 0, padding);
  want_pair(c, 4, 0, extra);
  want_pair(c, 7, 1, dilation);
  if (lun_error(c->cx) != LUN_OK || want_pictures(c, 6, &groups) != LUN_OK) return lun_error(c->cx);
  for (int i = 0; i < 2; i++)
    if (extra[i] >= stride[i] && extra[i] >= dilation[i])
      return lun_fail(c->cx, LUN_EARG, "conv_transpose2d: output_padding is %lld, wanted less than stride %lld or dilation %lld",
                      (long long)extra[i], (long long)stride[i], (long long)dilation[i]);
  if (want_shape(c, 1, 0, 4, (int64_t[]){ x->dim[1], ANY, ANY, ANY }) != LUN_OK) return lun_error(c->cx);
  dim[0] = x->dim[0];
  if (__builtin_mul_overflow(weight->dim[1], groups, &dim[1])) dim[1] = INT64_MAX;
  if (want_vector(c, 2, 1, dim[1]) != LUN_OK) return lun_error(c->cx);
  for (int i = 0; i < 2; i++) {
    dim[2 + i] = spread(x->dim[2 + i], weight->dim[2 + i], stride[i], padding[i], dilation[i], extra[i]);
    if (dim[2 + i] < 0) return no_place(c, weight->dim + 2, padding);
  }
  return give(c, 0, LUN_F32, 4, dim);
}

/* kernel[2] stride[2] padding[2], and count_include_pad of avg_pool2d */
lun_status shape_pool2d(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int64_t kernel[2], stride[2], padding[2], dim[4];
  want_pair(c, 0, 1, kernel);
  if (isnan(c->p[2])) {
    c->p[2] = c->p[0];
    c->p[3] = c->p[1];
  }
  want_pair(c, 2, 1, stride);
  want_pair(c, 4, 0, padding);
  if (c->op == LUN_OP_avg_pool2d) want_flag(c, 6);
  if (lun_error(c->cx) != LUN_OK || want_f32(c, 0, 4, 4) != LUN_OK) return lun_error(c->cx);
  for (int i = 0; i < 4; i++) dim[i] = x->dim[i];
  for (int i = 0; i < 2; i++) {
    if (padding[i] > kernel[i] / 2)      /* a window could lie in the padding alone */
      return lun_fail(c->cx, LUN_EARG, "%s: padding is %lld, wanted at most half the kernel's %lld", c->name,
                      (long long)padding[i], (long long)kernel[i]);
    dim[2 + i] = places(x->dim[2 + i], kernel[i], stride[i], padding[i], 1);
    if (dim[2 + i] < 0) return no_place(c, kernel, padding);
  }
  return give(c, 0, LUN_F32, 4, dim);
}

/* size[2] mode align_corners antialias scale[2] */
lun_status shape_interpolate(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int64_t mode, dim[4], size[2];
  bool    by_scale = !isnan(c->p[5]);
  char    have[96];
  if (want_f32(c, 0, 4, 4) != LUN_OK) return lun_error(c->cx);
  if (by_scale && !isnan(c->p[0])) return lun_fail(c->cx, LUN_EARG, "interpolate: size and scale are given, wanted one of them");
  if (!by_scale && isnan(c->p[0])) return lun_fail(c->cx, LUN_EARG, "interpolate: size or scale is missing");
  if (by_scale && isnan(c->p[6])) c->p[6] = c->p[5];
  want_int(c, 2, 0, 2, &mode);
  want_flag(c, 3);
  want_flag(c, 4);
  if (lun_error(c->cx) != LUN_OK) return lun_error(c->cx);
  if (mode == 0 && (c->p[3] != 0 || c->p[4] != 0))
    return lun_fail(c->cx, LUN_EARG, "interpolate: %s goes with bilinear and bicubic only", c->p[3] != 0 ? "align_corners" : "antialias");
  if (x->dim[2] < 1 || x->dim[3] < 1)
    return lun_fail(c->cx, LUN_ESHAPE, "interpolate: x is %s, an empty picture", lun_shape_text(have, sizeof have, 4, x->dim));
  if (!by_scale && want_pair(c, 0, 1, size) != LUN_OK) return lun_error(c->cx);
  for (int i = 0; i < 2 && by_scale; i++) {
    double wanted = c->p[5 + i] * (double)x->dim[2 + i];
    if (want_number(c, 5 + i, 0) != LUN_OK) return lun_error(c->cx);
    if (!(wanted >= 1 && wanted <= INT32_MAX))
      return lun_fail(c->cx, LUN_EARG, "interpolate: scale is %g, which makes %lld pixels %g", c->p[5 + i], (long long)x->dim[2 + i], wanted);
    size[i] = (int64_t)wanted;
  }
  dim[0] = x->dim[0];
  dim[1] = x->dim[1];
  dim[2] = size[0];
  dim[3] = size[1];
  return give(c, 0, LUN_F32, 4, dim);
}
