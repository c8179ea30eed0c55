/* shape_element.c - rules of operations element by element or row by row: arithmetic, activations, softmax, norms. */
#include "shape.h"

/* Axis i, from the end, of two shapes that broadcast: -1 where they do not. */
static int64_t together(const lun_tensor *a, const lun_tensor *b, int i) {
  int64_t x = i < a->rank ? a->dim[a->rank - 1 - i] : 1, y = i < b->rank ? b->dim[b->rank - 1 - i] : 1;
  return x == y || y == 1 ? x : x == 1 ? y : -1;
}

/*
** Any strides: the kernel reads them.  i64 takes part in sums and products, for
** positions; everything else is f32.
*/
lun_status shape_broadcast(lun_call *c) {
  const lun_tensor *a = c->in[0], *b = c->in[1];
  bool    whole = a->dtype == LUN_I64 && (c->op == LUN_OP_add || c->op == LUN_OP_sub || c->op == LUN_OP_mul);
  int     rank = a->rank > b->rank ? a->rank : b->rank;
  int64_t dim[LUN_MAXRANK];
  char    left[96], right[96];
  if (!whole) want_dtype(c, 0, LUN_F32);
  want_dtype(c, 1, whole ? LUN_I64 : LUN_F32);
  for (int i = 0; i < rank; i++) {
    dim[rank - 1 - i] = together(a, b, i);
    if (dim[rank - 1 - i] >= 0) continue;
    return lun_fail(c->cx, LUN_ESHAPE, "%s: a is %s and b is %s, which do not broadcast together", c->name,
                    lun_shape_text(left, sizeof left, a->rank, a->dim), lun_shape_text(right, sizeof right, b->rank, b->dim));
  }
  if (lun_error(c->cx) != LUN_OK) return lun_error(c->cx);
  return give(c, 0, a->dtype, rank, dim);
}

lun_status shape_same(lun_call *c) {
  lun_tensor *x = c->in[0];
  bool        rows = c->op == LUN_OP_softmax || c->op == LUN_OP_log_softmax;
  if (c->op == LUN_OP_contiguous) {
    if (!lun_is_contiguous(x)) return give(c, 0, x->dtype, x->rank, x->dim);
    c->out[0] = lun_view(x, x->rank, x->dim, NULL, 0);
    c->done = true;
    return lun_error(c->cx);
  }
  if (want_f32(c, 0, rows, LUN_MAXRANK) != LUN_OK) return lun_error(c->cx);
  return give(c, 0, LUN_F32, x->rank, x->dim);
}

/* layer_norm (x weight? bias?; eps) and rms_norm (x weight?; eps weight_offset) */
lun_status shape_norm(lun_call *c) {
  const lun_tensor *x = c->in[0];
  if (want_f32(c, 0, 1, LUN_MAXRANK) != LUN_OK) return lun_error(c->cx);
  want_vector(c, 1, 0, lun_dim(x, -1));
  want_vector(c, 2, 0, lun_dim(x, -1));
  want_number(c, 0, 0);
  if (c->op == LUN_OP_rms_norm) want_number(c, 1, -INFINITY);
  if (lun_error(c->cx) != LUN_OK) return lun_error(c->cx);
  return give(c, 0, LUN_F32, x->rank, x->dim);
}

lun_status shape_group_norm(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int64_t groups, channels;
  if (want_f32(c, 0, 2, LUN_MAXRANK) != LUN_OK) return lun_error(c->cx);
  channels = x->dim[1];
  want_vector(c, 1, 0, channels);
  want_vector(c, 2, 0, channels);
  want_number(c, 1, 0);
  if (want_int(c, 0, 1, INT32_MAX, &groups) != LUN_OK) return lun_error(c->cx);
  if (channels % groups)
    return lun_fail(c->cx, LUN_ESHAPE, "group_norm: %lld groups do not divide %lld channels", (long long)groups, (long long)channels);
  return give(c, 0, LUN_F32, x->rank, x->dim);
}

lun_status shape_batch_norm(lun_call *c) {
  const lun_tensor *x = c->in[0];
  if (want_f32(c, 0, 2, LUN_MAXRANK) != LUN_OK) return lun_error(c->cx);
  for (int in = 1; in < 5; in++) want_vector(c, in, 0, x->dim[1]);
  if (want_number(c, 0, 0) != LUN_OK) return lun_error(c->cx);
  return give(c, 0, LUN_F32, x->rank, x->dim);
}
