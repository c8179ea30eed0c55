/* tensor.c - tensors: counted storage, descriptions, views. */
#include <stdio.h>
#include <string.h>
#include "context.h"

/* ---- storage ----------------------------------------------------------- */

static lun_buffer *new_buffer(void *data, size_t size, void (*release)(void *), void *owner) {
  lun_buffer *b = lun_alloc(sizeof *b);
  if (b) *b = (lun_buffer){ .refs = 1, .data = data, .size = size, .release = release, .owner = owner };
  return b;
}

static void drop_buffer(lun_buffer *b) {
  if (!b || --b->refs > 0) return;
  if (b->release) b->release(b->owner);
  lun_free(b);
}

/* ---- descriptions ------------------------------------------------------ */

static void contiguous_strides(lun_tensor *t) {
  int64_t step = 1;
  for (int i = t->rank - 1; i >= 0; i--) {
    t->stride[i] = step;
    step *= t->dim[i] > 0 ? t->dim[i] : 1;
  }
}

/* Axes of 0 count as 1: strides, and products of some of the axes, must fit for tensors without elements too. */
static bool can_be(lun_dtype dtype, int rank, const int64_t *dim) {
  int64_t count = 1, row = rank > 0 && rank <= LUN_MAXRANK ? dim[rank - 1] : 1;
  if ((unsigned)dtype >= LUN_NDTYPES || rank < 0 || rank > LUN_MAXRANK) return false;
  for (int i = 0; i < rank; i++)
    if (dim[i] < 0 || __builtin_mul_overflow(count, dim[i] > 0 ? dim[i] : 1, &count)) return false;
  return count <= INT64_MAX / 16 && (row == 0 || lun_dtype_bytes(dtype, row) > 0);      /* whole blocks of q8_0 */
}

static lun_tensor *new_tensor(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim) {
  lun_tensor *t;
  char        shape[96];
  if (cx->code != LUN_OK) return NULL;
  if (!can_be(dtype, rank, dim)) {
    lun_fail(cx, LUN_ESHAPE, "no tensor can have shape %s of type %s",
             lun_shape_text(shape, sizeof shape, rank, dim), lun_dtype_name(dtype));
    return NULL;
  }
  t = lun_alloc(sizeof *t);
  if (!t) {
    lun_fail(cx, LUN_EMEM, "out of memory");
    return NULL;
  }
  memset(t, 0, sizeof *t);
  t->cx = cx;
  t->refs = 1;
  t->dtype = dtype;
  t->rank = rank;
  for (int i = 0; i < rank; i++) t->dim[i] = dim[i];
  contiguous_strides(t);
  cx->refs++;
  return lun_scope_add(cx, t) ? t : NULL;
}

lun_tensor *lun_describe(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim) {
  return new_tensor(cx, dtype, rank, dim);
}

lun_status lun_provide(lun_tensor *t) {
  size_t bytes = lun_bytes(t);
  void  *data = lun_alloc(bytes);
  char   shape[96];
  t->buffer = data ? new_buffer(data, bytes, lun_free, data) : NULL;
  if (!t->buffer) {
    lun_free(data);
    return lun_fail(t->cx, LUN_EMEM, "out of memory: %zu bytes for a tensor %s", bytes,
                    lun_shape_text(shape, sizeof shape, t->rank, t->dim));
  }
  t->data = data;
  return LUN_OK;
}

lun_tensor *lun_make(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim) {
  lun_tensor *t = lun_describe(cx, dtype, rank, dim);
  return t && lun_provide(t) == LUN_OK ? t : NULL;
}

lun_tensor *lun_from_host(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim, const void *data) {
  lun_tensor *t = lun_make(cx, dtype, rank, dim);
  if (t && lun_bytes(t)) memcpy(t->data, data, lun_bytes(t));
  return t;
}

lun_tensor *lun_from_memory(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim,
                            const void *data, void (*release)(void *), void *owner) {
  lun_tensor *t = lun_describe(cx, dtype, rank, dim);
  if (!t) return NULL;
  t->buffer = new_buffer((void *)(uintptr_t)data, lun_bytes(t), release, owner);
  if (!t->buffer) {
    lun_fail(cx, LUN_EMEM, "out of memory");
    return NULL;
  }
  t->data = t->buffer->data;
  t->constant = true;
  return t;
}

lun_tensor *lun_view(lun_tensor *x, int rank, const int64_t *dim, const int64_t *stride, int64_t offset) {
  lun_tensor *t = new_tensor(x->cx, x->dtype, rank, dim);
  if (!t) return NULL;
  if (stride) for (int i = 0; i < rank; i++) t->stride[i] = stride[i];
  t->buffer = x->buffer;
  t->buffer->refs++;
  t->constant = x->constant;
  t->data = x->data + (offset ? (int64_t)lun_dtype_bytes(x->dtype, offset) : 0);
  return t;
}

lun_tensor *lun_hold(lun_tensor *t) {
  if (t) t->refs++;
  return t;
}

void lun_drop(lun_tensor *t) {
  lun_ctx *cx;
  if (!t || --t->refs > 0) return;
  cx = t->cx;
  if (t->pack) lun_pack_free(t->pack);
  drop_buffer(t->buffer);
  lun_free(t);
  lun_ctx_drop(cx);
}

/* ---- questions --------------------------------------------------------- */

lun_ctx  *lun_context(const lun_tensor *t) { return t->cx; }
lun_dtype lun_dtype_of(const lun_tensor *t) { return t->dtype; }
int       lun_rank(const lun_tensor *t) { return t->rank; }

int64_t lun_dim(const lun_tensor *t, int axis) {
  if (axis < 0) axis += t->rank;
  return axis >= 0 && axis < t->rank ? t->dim[axis] : 1;
}

int64_t lun_count(const lun_tensor *t) {
  int64_t count = 1;
  for (int i = 0; i < t->rank; i++) count *= t->dim[i];
  return count;
}

size_t lun_bytes(const lun_tensor *t) { return lun_dtype_bytes(t->dtype, lun_count(t)); }

bool lun_is_contiguous(const lun_tensor *t) {
  int64_t step = 1;
  if (lun_count(t) == 0) return true;
  for (int i = t->rank - 1; i >= 0; i--) {
    if (t->dim[i] != 1 && t->stride[i] != step) return false;
    step *= t->dim[i];
  }
  return true;
}

const void *lun_data(lun_tensor *t) {
  if (!lun_is_contiguous(t)) t = lun_run(t->cx, LUN_OP_contiguous, 1, &t, 0, NULL, NULL);
  return t ? t->data : NULL;
}

void *lun_data_mutable(lun_tensor *t) {
  if (!t->constant && lun_is_contiguous(t)) return t->data;
  lun_fail(t->cx, LUN_EARG, t->constant ? "a constant tensor cannot be written" : "a strided view has no contiguous contents");
  return NULL;
}

lun_status lun_to_host(lun_tensor *t, void *data, size_t bytes) {
  size_t      mark = lun_scope_open(t->cx);
  const void *from;
  if (bytes != lun_bytes(t))
    return lun_fail(t->cx, LUN_EARG, "%zu bytes wanted of a tensor of %zu", bytes, lun_bytes(t));
  from = lun_data(t);
  if (from && bytes) memcpy(data, from, bytes);
  lun_scope_close(t->cx, mark, NULL);
  return lun_error(t->cx);
}

const char *lun_shape_text(char *out, size_t size, int rank, const int64_t *dim) {
  size_t n = 0;
  n += (size_t)snprintf(out, size, "[");
  for (int i = 0; i < rank && i < LUN_MAXRANK && n < size; i++)
    n += (size_t)snprintf(out + n, size - n, i ? ", %lld" : "%lld", (long long)dim[i]);
  if (n < size) snprintf(out + n, size - n, "]");
  return out;
}
