/* shape_table.c - rules of tables and positions: embedding, rope, alibi_slopes, relative_buckets. */
#include "shape.h"

lun_status shape_embedding(lun_call *c) {
  const lun_tensor *ids = c->in[0], *weight = c->in[1];
  int64_t dim[LUN_MAXRANK];
  want_dtype(c, 0, LUN_I64);
  want_rank(c, 0, 0, LUN_MAXRANK - 1);
  want_float(c, 1);
  want_rank(c, 1, 2, 2);
  if (lun_error(c->cx) != LUN_OK || want_contiguous(c, 0) != LUN_OK || want_contiguous(c, 1) != LUN_OK) return lun_error(c->cx);
  for (int i = 0; i < ids->rank; i++) dim[i] = ids->dim[i];
  dim[ids->rank] = weight->dim[1];
  return give(c, 0, LUN_F32, ids->rank + 1, dim);
}

/* x may have any strides but the last. */
lun_status shape_rope(lun_call *c) {
  lun_tensor *x = c->in[0], *positions = c->in[1], *inv_freq = c->in[2];
  int64_t length;
  if (want_dtype(c, 0, LUN_F32) != LUN_OK || want_rank(c, 0, 2, LUN_MAXRANK) != LUN_OK) return lun_error(c->cx);
  if (lun_dim(x, -1) > 1 && x->stride[x->rank - 1] != 1) want_contiguous(c, 0);
  length = x->dim[x->rank - 2];
  if (positions->dtype != LUN_I64) want_dtype(c, 1, LUN_F32);
  if (positions->rank == 2 && x->rank > 2) want_shape(c, 1, 0, 2, (int64_t[]){ x->dim[0], length });
  else want_shape(c, 1, 0, 1, &length);
  if (inv_freq->dtype != LUN_F64) want_f32(c, 2, 1, 1);
  want_rank(c, 2, 1, 1);
  want_flag(c, 0);
  want_number(c, 1, -INFINITY);
  if (lun_error(c->cx) != LUN_OK || want_contiguous(c, 1) != LUN_OK || want_contiguous(c, 2) != LUN_OK) return lun_error(c->cx);
  if (inv_freq->dim[0] > lun_dim(x, -1) / 2)
    return lun_fail(c->cx, LUN_ESHAPE, "rope: inv_freq has %lld frequencies, at most %lld for %lld channels",
                    (long long)inv_freq->dim[0], (long long)(lun_dim(x, -1) / 2), (long long)lun_dim(x, -1));
  return give(c, 0, LUN_F32, x->rank, x->dim);
}

lun_status shape_alibi_slopes(lun_call *c) {
  int64_t heads;
  if (want_int(c, 0, 1, 65536, &heads) != LUN_OK) return lun_error(c->cx);
  return give(c, 0, LUN_F32, 1, &heads);
}

/* Half of the buckets (a quarter with both directions) hold one distance each; the last lies before max_distance. */
lun_status shape_relative_buckets(lun_call *c) {
  lun_tensor *x = c->in[0];
  int64_t     buckets, distance, exact;
  want_dtype(c, 0, LUN_I64);
  want_flag(c, 0);
  if (lun_error(c->cx) != LUN_OK || want_int(c, 1, c->p[0] != 0 ? 4 : 2, INT32_MAX, &buckets) != LUN_OK) return lun_error(c->cx);
  exact = buckets / (c->p[0] != 0 ? 4 : 2);
  if (want_int(c, 2, exact + 1, INT32_MAX, &distance) != LUN_OK || want_contiguous(c, 0) != LUN_OK) return lun_error(c->cx);
  return give(c, 0, LUN_I64, x->rank, x->dim);
}
