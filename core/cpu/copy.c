/*
** copy.c - moving elements between tensors of any strides: contiguous, assign,
** concat and gather are this one loop nest.
*/
#include <string.h>
#include "copy.h"
#include "../dtype.h"

typedef struct axis {
  int64_t dim, to_step, from_step;     /* steps in bytes */
  bool    indexed;
} axis;

/* What is moved as one is an element, or a block of q8_0. */
typedef struct nest {
  int            rank;
  axis           axis[LUN_MAXRANK + 1];
  const int64_t *index;      /* along the axis that is 'indexed' */
  size_t         unit;
  char          *to;
  const char    *from;
} nest;

/* Puts an axis where the steps of 'to' keep falling. */
static void insert(nest *n, axis one) {
  int at = n->rank++;
  for (; at > 0 && n->axis[at - 1].to_step < one.to_step; at--) n->axis[at] = n->axis[at - 1];
  n->axis[at] = one;
}

/* Neighbours become one axis where both tensors allow it. */
static void join(nest *n) {
  int last = 0;
  for (int i = 1; i < n->rank; i++) {
    axis *outer = &n->axis[last], *inner = &n->axis[i];
    if (!outer->indexed && !inner->indexed && outer->to_step == inner->dim * inner->to_step && outer->from_step == inner->dim * inner->from_step)
      *outer = (axis){ outer->dim * inner->dim, inner->to_step, inner->from_step, false };
    else n->axis[++last] = *inner;
  }
  n->rank = last + 1;
}

static void describe(nest *n, const lun_tensor *to, const lun_tensor *from, int indexed, const int64_t *index) {
  int64_t unit = to->dtype == LUN_Q8_0 ? LUN_Q8_BYTES : (int64_t)lun_dtype_bytes(to->dtype, 1);
  int64_t block = to->dtype == LUN_Q8_0 ? LUN_Q8_BLOCK : 1;
  *n = (nest){ .index = index, .unit = (size_t)unit, .to = to->data, .from = from->data };
  for (int i = 0; i < to->rank; i++) {
    int64_t last = i == to->rank - 1;
    axis    one = { last ? to->dim[i] / block : to->dim[i], (last ? to->stride[i] : to->stride[i] / block) * unit,
                    (last ? from->stride[i] : from->stride[i] / block) * unit, index && i == indexed };
    if (one.dim != 1 || one.indexed) insert(n, one);
  }
  if (n->rank == 0) insert(n, (axis){ 1, unit, unit, false });
  join(n);
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

static int64_t from_place(const nest *n, const axis *a, int64_t at) {
  return (a->indexed ? n->index[at] : at) * a->from_step;
}

/* Rows [begin, end) of all rows along the last axis. */
static void move_rows(void *arg, int64_t begin, int64_t end) {
  const nest *n = arg;
  int         outer = n->rank - 1;
  const axis *last = &n->axis[outer];
  int64_t     at[LUN_MAXRANK + 1], rest = begin;
  for (int i = outer - 1; i >= 0; i--) {
    at[i] = rest % n->axis[i].dim;
    rest /= n->axis[i].dim;
  }
  for (int64_t row = begin; row < end; row++) {
    char       *to = n->to;
    const char *from = n->from;
    for (int i = 0; i < outer; i++) {
      to += at[i] * n->axis[i].to_step;
      from += from_place(n, &n->axis[i], at[i]);
    }
    if (last->indexed) for (int64_t i = 0; i < last->dim; i++) memcpy(to + i * last->to_step, from + from_place(n, last, i), n->unit);
    else move_row(to, last->to_step, from, last->from_step, last->dim, n->unit);
    for (int i = outer - 1; i >= 0 && ++at[i] == n->axis[i].dim; i--) at[i] = 0;
  }
}

enum { GRAIN = 64 << 10 };    /* bytes worth waking a thread for */

static void move_all(lun_ctx *cx, nest *n) {
  int64_t rows = 1, bytes = n->axis[n->rank - 1].dim * (int64_t)n->unit;
  for (int i = 0; i + 1 < n->rank; i++) rows *= n->axis[i].dim;
  lun_parallel(cx, rows, bytes > GRAIN ? 1 : GRAIN / bytes, move_rows, n);
}

enum { TILE = 16 };

/*
** A transposition reads across rows.  Its last axis is cut into tiles of 16, and
** the axis along which 'from' is contiguous goes between tile and cut: each line
** of the cache that is read is used up before it is lost.
*/
static void move_tiles(lun_ctx *cx, nest *n, int across) {
  axis last = n->axis[n->rank - 1], along = n->axis[across];
  for (int i = across; i + 2 < n->rank; i++) n->axis[i] = n->axis[i + 1];
  n->axis[n->rank - 2] = (axis){ last.dim / TILE, last.to_step * TILE, last.from_step * TILE, false };
  n->axis[n->rank - 1] = along;
  n->axis[n->rank++] = (axis){ TILE, last.to_step, last.from_step, false };
  move_all(cx, n);
}

void copy_elements(lun_ctx *cx, const lun_tensor *to, const lun_tensor *from, int indexed, const int64_t *index) {
  nest  n, rest;
  int   across = 0;
  axis *last;
  if (lun_count(to) == 0) return;
  describe(&n, to, from, indexed, index);
  last = &n.axis[n.rank - 1];
  while (across < n.rank && n.axis[across].from_step != (int64_t)n.unit) across++;
  if (across < n.rank - 1 && !n.axis[across].indexed && !last->indexed && last->dim >= 2 * TILE) {
    rest = n;
    rest.axis[n.rank - 1].dim = last->dim % TILE;
    rest.to += (last->dim - last->dim % TILE) * last->to_step;
    rest.from += (last->dim - last->dim % TILE) * last->from_step;
    if (last->dim % TILE) move_all(cx, &rest);
    move_tiles(cx, &n, across);
  } else {
    move_all(cx, &n);
  }
}

/* ---- the kernels ----------------------------------------------------------- */

lun_status cpu_copy(lun_call *c) {
  copy_elements(c->cx, c->out[0], c->in[0], 0, NULL);
  return LUN_OK;
}

lun_status cpu_concat(lun_call *c) {
  int     joined = (int)c->p[0];
  int64_t start = 0;
  for (int in = 0; in < LUN_MAXIN; in++) {
    lun_tensor part = *c->out[0];
    if (!c->in[in]) continue;
    part.dim[joined] = c->in[in]->dim[joined];
    part.data += lun_dtype_bytes(part.dtype, start * part.stride[joined]);
    copy_elements(c->cx, &part, c->in[in], 0, NULL);
    start += part.dim[joined];
  }
  return LUN_OK;
}

lun_status cpu_gather(lun_call *c) {
  int            indexed = (int)c->p[0];
  const int64_t *index = i64(c->in[1]);
  for (int64_t i = 0; i < c->in[1]->dim[0]; i++)
    if (index[i] < 0 || index[i] >= c->in[0]->dim[indexed])
      return lun_fail(c->cx, LUN_EARG, "gather: index[%lld] is %lld, outside the %lld of axis %d (from 0)", (long long)i,
                      (long long)index[i], (long long)c->in[0]->dim[indexed], indexed + 1);
  copy_elements(c->cx, c->out[0], c->in[0], indexed, index);
  return LUN_OK;
}
