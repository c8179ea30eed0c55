/* shape_reduce.c - rules of reductions along an axis, and of topk. */
#include "shape.h"

/* @axis keep; the axis is left in p[0], counted from the front. */
lun_status shape_reduce(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int64_t dim[LUN_MAXRANK];
  int     axis, rank = 0;
  char    have[96];
  want_flag(c, 1);
  if (want_f32(c, 0, 1, LUN_MAXRANK) != LUN_OK || want_axis(c, c->p[0], x->rank, &axis) != LUN_OK) return lun_error(c->cx);
  if (x->dim[axis] == 0 && (c->op == LUN_OP_max || c->op == LUN_OP_argmax))
    return lun_fail(c->cx, LUN_ESHAPE, "%s: x is %s, nothing along axis %d", c->name,
                    lun_shape_text(have, sizeof have, x->rank, x->dim), axis + 1);
  c->p[0] = axis;
  for (int i = 0; i < x->rank; i++) {
    if (i != axis) dim[rank++] = x->dim[i];
    else if (c->p[1] != 0) dim[rank++] = 1;
  }
  return give(c, 0, c->op == LUN_OP_argmax ? LUN_I64 : LUN_F32, rank, dim);
}

lun_status shape_topk(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int64_t k, dim[LUN_MAXRANK], most;
  if (want_f32(c, 0, 1, LUN_MAXRANK) != LUN_OK) return lun_error(c->cx);
  most = lun_dim(x, -1);
  if (most < 1 || most > UINT32_MAX)
    return lun_fail(c->cx, LUN_ESHAPE, "topk: %lld values in a row, wanted 1 to %lld", (long long)most, (long long)UINT32_MAX);
  if (want_int(c, 0, 1, most, &k) != LUN_OK) return lun_error(c->cx);
  for (int i = 0; i < x->rank; i++) dim[i] = x->dim[i];
  dim[x->rank - 1] = k;
  if (give(c, 0, LUN_F32, x->rank, dim) != LUN_OK) return lun_error(c->cx);
  return give(c, 1, LUN_I64, x->rank, dim);
}
