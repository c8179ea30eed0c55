/* shape_place.c - rules of operations that move or make elements: cast, concat, gather, pick, put, fill, arange. */
#include "shape.h"

lun_status shape_cast(lun_call *c) {
  lun_tensor *x = c->in[0];
  int64_t     dtype;
  char        have[96];
  if (want_int(c, 0, 0, LUN_NDTYPES - 1, &dtype) != LUN_OK) return lun_error(c->cx);
  if ((lun_dtype)dtype == x->dtype) {
    c->out[0] = lun_view(x, x->rank, x->dim, x->stride, 0);
    c->done = true;
    return lun_error(c->cx);
  }
  if (dtype == LUN_Q8_0 && (x->rank < 1 || lun_dim(x, -1) % 32))
    return lun_fail(c->cx, LUN_ESHAPE, "cast: x is %s, wanted a last dimension that is a multiple of 32 for q8_0",
                    lun_shape_text(have, sizeof have, x->rank, x->dim));
  if (want_contiguous(c, 0) != LUN_OK) return lun_error(c->cx);
  return give(c, 0, (lun_dtype)dtype, x->rank, x->dim);
}

/* Any strides.  The axis is left in p[0], counted from the front. */
lun_status shape_concat(lun_call *c) {
  const lun_tensor *a = c->in[0];
  int64_t fit[LUN_MAXRANK], dim[LUN_MAXRANK];
  int     axis;
  if (want_axis(c, c->p[0], a->rank, &axis) != LUN_OK) return lun_error(c->cx);
  c->p[0] = axis;
  for (int i = 0; i < a->rank; i++) fit[i] = dim[i] = a->dim[i];
  fit[axis] = ANY;
  for (int in = 1; in < LUN_MAXIN; in++) {
    if (!c->in[in]) continue;
    if (want_dtype(c, in, a->dtype) != LUN_OK || want_shape(c, in, 0, a->rank, fit) != LUN_OK) return lun_error(c->cx);
    if (__builtin_add_overflow(dim[axis], c->in[in]->dim[axis], &dim[axis])) dim[axis] = INT64_MAX;
  }
  return give(c, 0, a->dtype, a->rank, dim);
}

/* Any strides of x.  The axis is left in p[0], counted from the front. */
lun_status shape_gather(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int64_t dim[LUN_MAXRANK];
  int     axis;
  if (want_axis(c, c->p[0], x->rank, &axis) != LUN_OK) return lun_error(c->cx);
  if (want_dtype(c, 1, LUN_I64) != LUN_OK || want_rank(c, 1, 1, 1) != LUN_OK || want_contiguous(c, 1) != LUN_OK) return lun_error(c->cx);
  if (x->dtype == LUN_Q8_0 && axis == x->rank - 1)
    return lun_fail(c->cx, LUN_EDTYPE, "gather: the last axis of q8_0 is stored in blocks");
  c->p[0] = axis;
  for (int i = 0; i < x->rank; i++) dim[i] = x->dim[i];
  dim[axis] = c->in[1]->dim[0];
  return give(c, 0, x->dtype, x->rank, dim);
}

/* index [..., J] i64 beside x [..., V] of any type whose elements stand alone; any strides of x. */
static lun_status want_index(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int64_t dim[LUN_MAXRANK];
  if (x->dtype == LUN_Q8_0) return lun_fail(c->cx, LUN_EDTYPE, "%s: x is q8_0, whose elements do not stand alone", c->name);
  want_rank(c, 0, 1, LUN_MAXRANK);
  want_dtype(c, 1, LUN_I64);
  if (lun_error(c->cx) != LUN_OK) return lun_error(c->cx);
  for (int i = 0; i < x->rank; i++) dim[i] = x->dim[i];
  dim[x->rank - 1] = ANY;
  if (want_shape(c, 1, 0, x->rank, dim) != LUN_OK) return lun_error(c->cx);
  return want_contiguous(c, 1);
}

lun_status shape_pick(lun_call *c) {
  if (want_index(c) != LUN_OK) return lun_error(c->cx);
  return give(c, 0, c->in[0]->dtype, c->in[1]->rank, c->in[1]->dim);
}

lun_status shape_put(lun_call *c) {
  lun_tensor *x = c->in[0];
  if (want_index(c) != LUN_OK) return lun_error(c->cx);
  if (want_writable(c, x) != LUN_OK) return lun_error(c->cx);
  want_dtype(c, 2, x->dtype);
  want_shape(c, 2, 1, c->in[1]->rank, c->in[1]->dim);
  if (lun_error(c->cx) != LUN_OK || want_contiguous(c, 2) != LUN_OK) return lun_error(c->cx);
  c->out[0] = x;
  return LUN_OK;
}

/* shape[6] value dtype */
lun_status shape_fill(lun_call *c) {
  int64_t dim[LUN_MAXRANK], dtype;
  int     rank;
  if (want_list(c, 0, 0, &rank, dim) != LUN_OK || want_int(c, 7, 0, LUN_U8, &dtype) != LUN_OK) return lun_error(c->cx);
  return give(c, 0, (lun_dtype)dtype, rank, dim);
}

/* start stop step dtype */
lun_status shape_arange(lun_call *c) {
  int64_t count, dtype;
  double  steps;
  for (int slot = 0; slot < 3; slot++)
    if (want_number(c, slot, -INFINITY) != LUN_OK) return lun_error(c->cx);
  if (want_int(c, 3, 0, LUN_U8, &dtype) != LUN_OK) return lun_error(c->cx);
  steps = ceil((c->p[1] - c->p[0]) / c->p[2]);
  if (c->p[2] == 0 || !(steps <= 0x1p53))
    return lun_fail(c->cx, LUN_EARG, "arange: from %g below %g in steps of %g has no end", c->p[0], c->p[1], c->p[2]);
  count = steps > 0 ? (int64_t)steps : 0;
  return give(c, 0, (lun_dtype)dtype, 1, &count);
}
