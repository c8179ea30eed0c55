/* shape_view.c - rules of the operations whose result is a view: reshape, permute, narrow, expand. */
#include <string.h>
#include "shape.h"

enum { LEAST = -(1 << 30) };     /* of a list: what is wrong with smaller numbers is said with the shapes */

static lun_status view(lun_call *c, int rank, const int64_t *dim, const int64_t *stride, int64_t offset) {
  c->out[0] = lun_view(c->in[0], rank, dim, stride, offset);
  c->done = true;
  return lun_error(c->cx);
}

/*
** Strides over the storage of x for the same elements in another shape; false where
** only a copy will do.  Axes of 1 in x are left out: their strides mean nothing.
*/
static bool restride(const lun_tensor *x, int rank, const int64_t *dim, int64_t *stride) {
  int64_t size[LUN_MAXRANK], place[LUN_MAXRANK];
  int     axes = 0, i = 0, o = 0;
  for (int k = 0; k < x->rank; k++) {
    if (x->dim[k] == 1) continue;
    size[axes] = x->dim[k];
    place[axes++] = x->stride[k];
  }
  while (o < rank || i < axes) {
    int64_t have = 1, want = 1;
    int     i0 = i, o0 = o;
    if (i < axes) have = size[i++];
    if (o < rank) want = dim[o++];
    while (have != want) {
      if (have < want && i < axes) have *= size[i++];
      else if (o < rank) want *= dim[o++];
      else return false;
    }
    for (int k = i0; k + 1 < i; k++)
      if (place[k] != place[k + 1] * size[k + 1]) return false;
    int64_t step = i > i0 ? place[i - 1] : 1;
    for (int k = o - 1; k >= o0; k--) {
      stride[k] = step;
      step *= dim[k];
    }
  }
  return true;
}

lun_status shape_reshape(lun_call *c) {
  int64_t dim[LUN_MAXRANK], stride[LUN_MAXRANK], known = 1, count = lun_count(c->in[0]);
  int     rank, unknown = -1;
  char    have[96], want[96];
  if (want_list(c, 0, LEAST, &rank, dim) != LUN_OK) return lun_error(c->cx);
  for (int i = 0; i < rank; i++) {
    if (dim[i] == -1 && unknown < 0) unknown = i;
    else if (dim[i] < 0 || __builtin_mul_overflow(known, dim[i], &known)) {
      known = -1;
      break;
    }
  }
  lun_shape_text(want, sizeof want, rank, dim);
  if (unknown >= 0 && known > 0 && count % known == 0) {
    dim[unknown] = count / known;
    known = count;
  }
  if (known != count || (unknown >= 0 && dim[unknown] < 0))
    return lun_fail(c->cx, LUN_ESHAPE, "reshape: %s has %lld elements, which do not make %s",
                    lun_shape_text(have, sizeof have, c->in[0]->rank, c->in[0]->dim), (long long)count, want);
  if (count == 0 || lun_is_contiguous(c->in[0])) return view(c, rank, dim, NULL, 0);
  if (restride(c->in[0], rank, dim, stride)) return view(c, rank, dim, stride, 0);
  return want_contiguous(c, 0) == LUN_OK ? view(c, rank, dim, NULL, 0) : lun_error(c->cx);
}

/* Blocks of q8_0 lie along the last axis: it must stay whole and in place. */
static lun_status whole_blocks(lun_call *c, bool ok) {
  if (ok || c->in[0]->dtype != LUN_Q8_0) return LUN_OK;
  return lun_fail(c->cx, LUN_EDTYPE, "%s: a view would split blocks of q8_0", c->name);
}

lun_status shape_permute(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int64_t axes[LUN_MAXRANK], dim[LUN_MAXRANK], stride[LUN_MAXRANK];
  bool    seen[LUN_MAXRANK] = { false };
  int     count, axis;
  char    have[96];
  if (want_list(c, 0, LEAST, &count, axes) != LUN_OK) return lun_error(c->cx);
  if (count != x->rank)
    return lun_fail(c->cx, LUN_EARG, "permute: %d axes for %s", count, lun_shape_text(have, sizeof have, x->rank, x->dim));
  for (int i = 0; i < count; i++) {
    if (want_axis(c, (double)axes[i], x->rank, &axis) != LUN_OK) return lun_error(c->cx);
    if (seen[axis]) return lun_fail(c->cx, LUN_EARG, "permute: axis %d twice", axis + 1);
    seen[axis] = true;
    axes[i] = axis;
    dim[i] = x->dim[axis];
    stride[i] = x->stride[axis];
  }
  for (int i = 0; i < count; i++)
    if (axes[i] != i && whole_blocks(c, false) != LUN_OK) return lun_error(c->cx);
  return view(c, x->rank, dim, stride, 0);
}

lun_status shape_narrow(lun_call *c) {
  const lun_tensor *x = c->in[0];
  double  start = c->p[1], length = c->p[2];
  int64_t dim[LUN_MAXRANK];
  int     axis;
  char    have[96];
  for (int i = 0; i < 3; i++)
    if (want_number(c, i, -INFINITY) != LUN_OK) return lun_error(c->cx);
  if (want_axis(c, c->p[0], x->rank, &axis) != LUN_OK) return lun_error(c->cx);
  if (start < 0) start += (double)x->dim[axis];
  if (!(start >= 0 && length >= 0 && start == floor(start) && length == floor(length) && start + length <= (double)x->dim[axis]))
    return lun_fail(c->cx, LUN_EARG, "narrow: %g elements from position %g of dimension %d of %s", c->p[2], c->p[1] + (c->p[1] >= 0), axis + 1,
                    lun_shape_text(have, sizeof have, x->rank, x->dim));
  if (whole_blocks(c, axis == 0 && x->rank > 1) != LUN_OK) return lun_error(c->cx);
  memcpy(dim, x->dim, sizeof dim);
  dim[axis] = (int64_t)length;
  return view(c, x->rank, dim, x->stride, length > 0 ? (int64_t)start * x->stride[axis] : 0);
}

lun_status shape_expand(lun_call *c) {
  const lun_tensor *x = c->in[0];
  int64_t dim[LUN_MAXRANK], stride[LUN_MAXRANK];
  int     rank, lead;
  char    have[96], want[96];
  if (want_list(c, 0, LEAST, &rank, dim) != LUN_OK) return lun_error(c->cx);
  lead = rank - x->rank;
  lun_shape_text(want, sizeof want, rank, dim);
  for (int i = 0; i < rank; i++) {
    int64_t from = i < lead ? 1 : x->dim[i - lead];
    if (lead < 0 || (dim[i] != from && from != 1) || dim[i] < 0) lead = -1;
    if (lead < 0) break;
    stride[i] = from == 1 && dim[i] != 1 ? 0 : i < lead ? 0 : x->stride[i - lead];
  }
  if (lead < 0)
    return lun_fail(c->cx, LUN_ESHAPE, "%s: %s cannot become %s", c->name, lun_shape_text(have, sizeof have, x->rank, x->dim), want);
  if (whole_blocks(c, false) != LUN_OK) return lun_error(c->cx);
  return view(c, rank, dim, stride, 0);
}
