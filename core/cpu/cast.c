/* cast.c - conversion of a whole tensor, and the tensors made from nothing: fill, arange. */
#include "../dtype.h"
#include "../ops.h"

enum { BLOCK = 4096 };    /* elements a piece is cut into; whole blocks of q8_0 */

static void cast_blocks(void *arg, int64_t begin, int64_t end) {
  const lun_call   *c = arg;
  const lun_tensor *x = c->in[0], *y = c->out[0];
  int64_t from = begin * BLOCK, to = end * BLOCK, count = lun_count(x);
  if (to > count) to = count;
  lun_row_cast(x->dtype, x->data + lun_dtype_bytes(x->dtype, from), y->dtype, y->data + lun_dtype_bytes(y->dtype, from), to - from);
}

lun_status cpu_cast(lun_call *c) {
  lun_parallel(c->cx, (lun_count(c->in[0]) + BLOCK - 1) / BLOCK, 8, cast_blocks, c);
  return LUN_OK;
}

/* Writes start + i * step, computed in f64. */
static void ramp(lun_tensor *y, double start, double step) {
  double  value[256];
  int64_t n = lun_count(y);
  for (int64_t done = 0; done < n; done += 256) {
    int64_t count = n - done < 256 ? n - done : 256;
    for (int64_t i = 0; i < count; i++) value[i] = start + (double)(done + i) * step;
    lun_row_cast(LUN_F64, value, y->dtype, y->data + lun_dtype_bytes(y->dtype, done), count);
  }
}

lun_status cpu_fill(lun_call *c) {
  ramp(c->out[0], c->p[6], 0);
  return LUN_OK;
}

lun_status cpu_arange(lun_call *c) {
  ramp(c->out[0], c->p[0], c->p[2]);
  return LUN_OK;
}
