/*
** copy.c - moving elements between tensors of any strides: contiguous, assign,
** concat and gather are this one loop nest.
*/
#include <string.h>
#include "copy.h"
#include "../dtype.h"

/* What is moved as one: an element, or a block of q8_0.  Strides in bytes. */
typedef struct nest {
  int            rank;
  int64_t        dim[LUN_MAXRANK], to_step[LUN_MAXRANK], from_step[LUN_MAXRANK];
  const int64_t *index;      /* along axis 'indexed', or NULL */
  int            indexed;
  size_t         unit;
  char          *to;
  const char    *from;
} nest;

static void append(nest *n, int64_t dim, int64_t to_step, int64_t from_step, bool indexed) {
  int  last = n->rank - 1;
  bool joins = last >= 0 && !indexed && n->indexed != last && n->to_step[last] == dim * to_step &&
               n->from_step[last] == dim * from_step;
  if (dim == 1 && !indexed) return;
  if (joins) {
    n->dim[last] *= dim;
  } else {
    n->dim[++last] = dim;
    n->rank = last + 1;
    if (indexed) n->indexed = last;
  }
  n->to_step[last] = to_step;
  n->from_step[last] = from_step;
}

/* Axes of 1 are left out and neighbours joined where both tensors allow it. */
static void describe(nest *n, const lun_tensor *to, const lun_tensor *from, int axis, const int64_t *index) {
  int64_t unit = to->dtype == LUN_Q8_0 ? LUN_Q8_BYTES : (int64_t)lun_dtype_bytes(to->dtype, 1);
  int64_t block = to->dtype == LUN_Q8_0 ? LUN_Q8_BLOCK : 1;
  *n = (nest){ .index = index, .indexed = -1, .unit = (size_t)unit, .to = to->data, .from = from->data };
  for (int i = 0; i < to->rank; i++) {
    bool last = i == to->rank - 1;
    append(n, last ? to->dim[i] / block : to->dim[i], last ? to->stride[i] * unit : to->stride[i] / block * unit,
           last ? from->stride[i] * unit : from->stride[i] / block * unit, index && i == axis);
  }
  if (n->rank == 0) append(n, 1, unit, unit, index != NULL);
}

#define MOVE(type) \
  do { \
    for (int64_t i = 0; i < count; i++, to += to_step, from += from_step) *(type *)(void *)to = *(const type *)(const void *)from; \
  } while (0)

static void move_row(char *to, int64_t to_step, const char *from, int64_t from_step, int64_t count, size_t unit) {
  if (to_step == (int64_t)unit && from_step == (int64_t)unit) {
    memcpy(to, from, (size_t)count * unit);
    return;
  }
  switch (unit) {
  case 1: MOVE(uint8_t); break;
  case 2: MOVE(uint16_t); break;
  case 4: MOVE(uint32_t); break;
  case 8: MOVE(uint64_t); break;
  default: for (int64_t i = 0; i < count; i++) memcpy(to + i * to_step, from + i * from_step, unit);
  }
}

static int64_t from_place(const nest *n, int axis, int64_t at) {
  return (axis == n->indexed ? n->index[at] : at) * n->from_step[axis];
}

/* Rows [begin, end) of all rows along the last axis. */
static void move_rows(void *arg, int64_t begin, int64_t end) {
  const nest *n = arg;
  int         last = n->rank - 1;
  int64_t     at[LUN_MAXRANK], rest = begin;
  for (int i = last - 1; i >= 0; i--) {
    at[i] = rest % n->dim[i];
    rest /= n->dim[i];
  }
  for (int64_t row = begin; row < end; row++) {
    char       *to = n->to;
    const char *from = n->from;
    for (int i = 0; i < last; i++) {
      to += at[i] * n->to_step[i];
      from += from_place(n, i, at[i]);
    }
    if (n->indexed == last) {
      for (int64_t i = 0; i < n->dim[last]; i++) memcpy(to + i * n->to_step[last], from + from_place(n, last, i), n->unit);
    } else {
      move_row(to, n->to_step[last], from, n->from_step[last], n->dim[last], n->unit);
    }
    for (int i = last - 1; i >= 0 && ++at[i] == n->dim[i]; i--) at[i] = 0;
  }
}

enum { GRAIN = 64 << 10 };    /* bytes worth waking a thread for */

void copy_elements(lun_ctx *cx, const lun_tensor *to, const lun_tensor *from, int axis, const int64_t *index) {
  nest    n;
  int64_t rows = 1, bytes;
  if (lun_count(to) == 0) return;
  describe(&n, to, from, axis, index);
  for (int i = 0; i + 1 < n.rank; i++) rows *= n.dim[i];
  bytes = n.dim[n.rank - 1] * (int64_t)n.unit;
  lun_parallel(cx, rows, bytes > GRAIN ? 1 : GRAIN / bytes, move_rows, &n);
}

/* ---- the kernels ----------------------------------------------------------- */

lun_status cpu_copy(lun_call *c) {
  copy_elements(c->cx, c->out[0], c->in[0], 0, NULL);
  return LUN_OK;
}

lun_status cpu_concat(lun_call *c) {
  int     axis = (int)c->p[0];
  int64_t start = 0;
  for (int in = 0; in < LUN_MAXIN; in++) {
    lun_tensor part = *c->out[0];
    if (!c->in[in]) continue;
    part.dim[axis] = c->in[in]->dim[axis];
    part.data += lun_dtype_bytes(part.dtype, start * part.stride[axis]);
    copy_elements(c->cx, &part, c->in[in], 0, NULL);
    start += part.dim[axis];
  }
  return LUN_OK;
}

lun_status cpu_gather(lun_call *c) {
  int            axis = (int)c->p[0];
  const int64_t *index = i64(c->in[1]);
  for (int64_t i = 0; i < c->in[1]->dim[0]; i++)
    if (index[i] < 0 || index[i] >= c->in[0]->dim[axis])
      return lun_fail(c->cx, LUN_EARG, "gather: index[%lld] is %lld, outside the %lld of axis %d (from 0)", (long long)i,
                      (long long)index[i], (long long)c->in[0]->dim[axis], axis + 1);
  copy_elements(c->cx, c->out[0], c->in[0], axis, index);
  return LUN_OK;
}
