/* matmul.c - products of batches of matrices. */
#include "gemm.h"
#include "ops.h"

/* Where each matrix of the batch begins in t, in elements; an axis of 1 repeats. */
static void batch_offsets(const lun_tensor *t, const lun_tensor *y, int64_t batch, int64_t *offset) {
  for (int64_t b = 0; b < batch; b++) {
    int64_t rest = b, step = lun_dim(t, -1) * lun_dim(t, -2);
    offset[b] = 0;
    for (int axis = -3; axis >= -y->rank; axis--) {
      int64_t dim = -axis <= t->rank ? lun_dim(t, axis) : 1;
      if (dim > 1) offset[b] += rest % lun_dim(y, axis) * step;
      rest /= lun_dim(y, axis);
      step *= dim;
    }
  }
}

/* a b; transpose_b */
lun_status cpu_matmul(lun_call *c) {
  lun_tensor *a = c->in[0], *b = c->in[1], *y = c->out[0];
  int64_t    *offset;
  size_t      bytes;
  gemm        g = { .batch = 1, .m = lun_dim(a, -2), .n = lun_dim(y, -1), .k = lun_dim(a, -1), .a = f32(a), .dtype = LUN_F32,
                    .right = f32(b), .transposed = c->p[0] == 0, .c = f32(y) };
  if (lun_count(y) == 0) return LUN_OK;
  for (int i = 0; i < y->rank - 2; i++) g.batch *= y->dim[i];
  if (lun_count(b) == g.n * g.k) {               /* one b for all: the rows of every a in one product */
    g.m *= g.batch;
    g.batch = 1;
    return gemm_run(c->cx, &g);
  }
  if (__builtin_mul_overflow((size_t)g.batch, 2 * sizeof *offset, &bytes)) bytes = SIZE_MAX / 2;
  offset = lun_scratch(c->cx, bytes);
  if (!offset) return lun_error(c->cx);
  batch_offsets(a, y, g.batch, offset);
  batch_offsets(b, y, g.batch, offset + g.batch);
  g.a_offset = offset;
  g.right_offset = offset + g.batch;
  return gemm_run(c->cx, &g);
}
