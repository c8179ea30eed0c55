/* shape_product.c - rules of the products: linear, matmul, sdpa. */
#include "shape.h"

lun_status shape_linear(lun_call *c) {
  const lun_tensor *x = c->in[0], *weight = c->in[1];
  int64_t dim[LUN_MAXRANK], outputs, act;
  bool    transposed;
  if (want_flag(c, 0) != LUN_OK || want_int(c, 1, LUN_ACT_NONE, LUN_ACT_RELU, &act) != LUN_OK) return lun_error(c->cx);
  transposed = c->p[0] != 0;
  if (want_f32(c, 0, 1, LUN_MAXRANK) != LUN_OK || want_float(c, 1) != LUN_OK) return lun_error(c->cx);
  if (want_shape(c, 1, 0, 2, transposed ? (int64_t[]){ lun_dim(x, -1), ANY } : (int64_t[]){ ANY, lun_dim(x, -1) }) != LUN_OK)
    return lun_error(c->cx);
  outputs = weight->dim[transposed ? 1 : 0];
  if (want_contiguous(c, 1) != LUN_OK || want_vector(c, 2, 1, outputs) != LUN_OK) return lun_error(c->cx);
  for (int i = 0; i < x->rank; i++) dim[i] = x->dim[i];
  dim[x->rank - 1] = outputs;
  return give(c, 0, LUN_F32, x->rank, dim);
}

lun_status shape_matmul(lun_call *c) {
  const lun_tensor *a = c->in[0], *b = c->in[1];
  int64_t dim[LUN_MAXRANK];
  int     rank, columns;
  bool    ok;
  char    left[96], right[96];
  want_flag(c, 0);
  if (want_f32(c, 0, 2, LUN_MAXRANK) != LUN_OK || want_f32(c, 1, 2, LUN_MAXRANK) != LUN_OK) return lun_error(c->cx);
  columns = c->p[0] != 0 ? -2 : -1;
  rank = a->rank > b->rank ? a->rank : b->rank;
  ok = lun_dim(a, -1) == lun_dim(b, -3 - columns);
  for (int i = 3; i <= rank && ok; i++) {
    int64_t x = i <= a->rank ? a->dim[a->rank - i] : 1, y = i <= b->rank ? b->dim[b->rank - i] : 1;
    ok = x == y || x == 1 || y == 1;
    dim[rank - i] = x == 1 ? y : x;
  }
  if (!ok)
    return lun_fail(c->cx, LUN_ESHAPE, "matmul: a is %s and b is %s, wanted [..., M, K] and [..., %s] with leading axes that broadcast",
                    lun_shape_text(left, sizeof left, a->rank, a->dim), lun_shape_text(right, sizeof right, b->rank, b->dim),
                    columns == -2 ? "N, K" : "K, N");
  dim[rank - 2] = lun_dim(a, -2);
  dim[rank - 1] = lun_dim(b, columns);
  return give(c, 0, LUN_F32, rank, dim);
}

/* ---- attention -------------------------------------------------------------- */

/*
** Stored as [.., D, S] so that the kernel can read keys by the panel: the last one
** may reach past the last key, but not past the storage.
*/
static bool transposed_keys(const lun_tensor *t) {
  int64_t padded = (t->dim[2] + LUN_KEY_PANEL - 1) / LUN_KEY_PANEL * LUN_KEY_PANEL, end = padded;
  if (t->stride[2] != 1 || t->stride[3] % LUN_KEY_PANEL != 0 || t->stride[3] < padded) return false;
  for (int axis = 0; axis < 4; axis++)
    if (axis != 2 && t->dim[axis] > 0) end += (t->dim[axis] - 1) * t->stride[axis];
  return (size_t)end * sizeof(float) <= t->buffer->size - (size_t)(t->data - (char *)t->buffer->data);
}

/* q, k and v may have any strides but the last, which must be 1; k may be transposed. */
static lun_status want_heads(lun_call *c, int in) {
  if (want_dtype(c, in, LUN_F32) != LUN_OK || want_rank(c, in, 4, 4) != LUN_OK) return lun_error(c->cx);
  if (c->in[in]->stride[3] == 1 || c->in[in]->dim[3] <= 1 || (in == 1 && transposed_keys(c->in[in]))) return LUN_OK;
  return want_contiguous(c, in);
}

/* The mask becomes a view of [B, H, T, S] whose repeated axes have stride 0. */
static lun_status want_mask(lun_call *c, const int64_t dim[4]) {
  lun_tensor *mask = c->in[3];
  int64_t     stride[4] = { 0, 0, 0, 0 };
  char        have[96], want[96];
  bool        ok;
  if (!mask) return LUN_OK;
  if (want_dtype(c, 3, LUN_F32) != LUN_OK) return lun_error(c->cx);
  ok = mask->rank <= 4;
  for (int i = 4 - mask->rank; ok && i < 4; i++) {
    int64_t have_dim = mask->dim[i - 4 + mask->rank];
    ok = have_dim == dim[i] || have_dim == 1;
    stride[i] = have_dim == 1 ? 0 : mask->stride[i - 4 + mask->rank];
  }
  if (!ok)
    return lun_fail(c->cx, LUN_ESHAPE, "sdpa: mask is %s, which does not broadcast to [B, H, T, S] = %s",
                    lun_shape_text(have, sizeof have, mask->rank, mask->dim), lun_shape_text(want, sizeof want, 4, dim));
  c->in[3] = lun_view(mask, 4, dim, stride, 0);
  return lun_error(c->cx);
}

/* rows[b] in [0, R) for each b; without it R is B. */
static lun_status want_rows(lun_call *c) {
  const lun_tensor *q = c->in[0], *k = c->in[1];
  lun_tensor       *rows = c->in[4];
  if (!rows) return want_shape(c, 1, 0, 4, (int64_t[]){ q->dim[0], ANY, ANY, q->dim[3] });
  if (want_dtype(c, 4, LUN_I64) != LUN_OK || want_shape(c, 4, 0, 1, q->dim) != LUN_OK || want_contiguous(c, 4) != LUN_OK)
    return lun_error(c->cx);
  for (int64_t b = 0; b < q->dim[0]; b++) {
    int64_t row = i64(c->in[4])[b];
    if (row < 0 || row >= k->dim[0])
      return lun_fail(c->cx, LUN_EARG, "sdpa: rows[%lld] is %lld, outside the %lld rows of k (from 0)",
                      (long long)b, (long long)row, (long long)k->dim[0]);
  }
  return LUN_OK;
}

/* q k v mask? rows?; scale causal window softcap.  The result is stored as [B, T, H, D]. */
lun_status shape_sdpa(lun_call *c) {
  const lun_tensor *q = c->in[0], *k = c->in[1];
  int64_t batch, heads, length, size, window;
  for (int in = 0; in < 3; in++)
    if (want_heads(c, in) != LUN_OK) return lun_error(c->cx);
  batch = c->in[0]->dim[0], heads = q->dim[1], length = q->dim[2], size = q->dim[3];
  want_shape(c, 1, 0, 4, (int64_t[]){ ANY, ANY, ANY, size });
  want_shape(c, 2, 1, 4, k->dim);
  want_rows(c);
  if (lun_error(c->cx) != LUN_OK) return lun_error(c->cx);
  if (k->dim[1] < 1 || heads % k->dim[1])
    return lun_fail(c->cx, LUN_ESHAPE, "sdpa: %lld heads of k do not divide %lld heads of q", (long long)k->dim[1], (long long)heads);
  want_number(c, 0, 0);
  want_flag(c, 1);
  want_int(c, 2, 0, INT32_MAX, &window);
  want_number(c, 3, 0);
  want_mask(c, (int64_t[]){ batch, heads, length, k->dim[2] });
  if (lun_error(c->cx) != LUN_OK || give(c, 0, LUN_F32, 4, q->dim) != LUN_OK) return lun_error(c->cx);
  c->out[0]->stride[0] = length * heads * size;
  c->out[0]->stride[1] = size;
  c->out[0]->stride[2] = heads * size;
  return LUN_OK;
}
