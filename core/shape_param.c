/* shape_param.c - the questions of shape.h. */
#include <stdio.h>
#include "shape.h"

/* ---- parameters ------------------------------------------------------------ */

static const char *param_name(const lun_call *c, int slot) {
  int              count;
  const lun_param *p = lun_op_params(c->op, &count);
  for (int i = 0; i < count; i++)
    if (slot >= p[i].slot && slot < p[i].slot + p[i].length) return p[i].name;
  return "?";
}

static lun_status missing(lun_call *c, int slot) {
  return lun_fail(c->cx, LUN_EARG, "%s: %s is missing", c->name, param_name(c, slot));
}

lun_status want_int(lun_call *c, int slot, int64_t least, int64_t most, int64_t *value) {
  double v = c->p[slot];
  char   limit[64];
  if (v == floor(v) && v >= (double)least && v <= (double)most && fabs(v) <= 0x1p53) {
    *value = (int64_t)v;
    return LUN_OK;
  }
  if (isnan(v)) return missing(c, slot);
  if (most >= INT32_MAX) snprintf(limit, sizeof limit, "of at least %lld", (long long)least);
  else snprintf(limit, sizeof limit, "from %lld to %lld", (long long)least, (long long)most);
  return lun_fail(c->cx, LUN_EARG, "%s: %s is %g, wanted a whole number %s", c->name, param_name(c, slot), v, limit);
}

lun_status want_flag(lun_call *c, int slot) {
  int64_t value;
  return want_int(c, slot, 0, 1, &value);
}

lun_status want_number(lun_call *c, int slot, double least) {
  double v = c->p[slot];
  if (isfinite(v) && v >= least) return LUN_OK;
  if (isnan(v)) return missing(c, slot);
  if (isinf(least)) return lun_fail(c->cx, LUN_EARG, "%s: %s is %g, wanted a finite number", c->name, param_name(c, slot), v);
  return lun_fail(c->cx, LUN_EARG, "%s: %s is %g, wanted a finite number of at least %g", c->name, param_name(c, slot), v, least);
}

lun_status want_pair(lun_call *c, int slot, int64_t least, int64_t value[2]) {
  if (isnan(c->p[slot + 1])) c->p[slot + 1] = c->p[slot];
  want_int(c, slot, least, INT32_MAX, &value[0]);
  want_int(c, slot + 1, least, INT32_MAX, &value[1]);
  return lun_error(c->cx);
}

lun_status want_list(lun_call *c, int slot, int64_t least, int *count, int64_t value[LUN_MAXRANK]) {
  *count = 0;
  while (*count < LUN_MAXRANK && !isnan(c->p[slot + *count])) {
    if (want_int(c, slot + *count, least, (int64_t)1 << 53, &value[*count]) != LUN_OK) return lun_error(c->cx);
    ++*count;
  }
  return LUN_OK;
}

/* ---- inputs ---------------------------------------------------------------- */

lun_status want_float(lun_call *c, int in) {
  char      name[32];
  lun_dtype dtype = c->in[in]->dtype;
  if (dtype == LUN_F32 || dtype == LUN_F16 || dtype == LUN_BF16 || dtype == LUN_F64 || dtype == LUN_Q8_0) return LUN_OK;
  return lun_fail(c->cx, LUN_EDTYPE, "%s: %s is %s, wanted f32, f16, bf16, f64 or q8_0", c->name,
                  input_name(c, in, name, sizeof name), lun_dtype_name(dtype));
}

/* "[*, 384]" */
static void wanted_text(char *out, size_t size, int rank, const int64_t *dim) {
  size_t n = (size_t)snprintf(out, size, "[");
  for (int i = 0; i < rank && n < size; i++) {
    if (i) n += (size_t)snprintf(out + n, size - n, ", ");
    if (n >= size) break;
    if (dim[i] == ANY) n += (size_t)snprintf(out + n, size - n, "*");
    else n += (size_t)snprintf(out + n, size - n, "%lld", (long long)dim[i]);
  }
  if (n < size) snprintf(out + n, size - n, "]");
}

lun_status want_shape(lun_call *c, int in, int fit, int rank, const int64_t *dim) {
  char name[32], other[32], have[96], want[160], shape[96];
  const lun_tensor *t = c->in[in], *to = c->in[fit];
  bool ok = !t || t->rank == rank;
  for (int i = 0; t && ok && i < rank; i++) ok = dim[i] == ANY || t->dim[i] == dim[i];
  if (ok) return LUN_OK;
  wanted_text(want, sizeof want, rank, dim);
  return lun_fail(c->cx, LUN_ESHAPE, "%s: %s is %s, wanted %s to fit %s %s", c->name,
                  input_name(c, in, name, sizeof name), lun_shape_text(have, sizeof have, t->rank, t->dim), want,
                  input_name(c, fit, other, sizeof other), lun_shape_text(shape, sizeof shape, to->rank, to->dim));
}

lun_status want_f32(lun_call *c, int in, int least, int most) {
  want_dtype(c, in, LUN_F32);
  want_rank(c, in, least, most);
  if (lun_error(c->cx) == LUN_OK) want_contiguous(c, in);
  return lun_error(c->cx);
}

lun_status want_vector(lun_call *c, int in, int fit, int64_t dim) {
  if (want_shape(c, in, fit, 1, &dim) != LUN_OK) return lun_error(c->cx);
  return want_f32(c, in, 1, 1);
}
