/* linear.c - the product of rows with a weight. */
#include "gemm.h"
#include "ops.h"

/* x weight bias?; transposed activation */
lun_status cpu_linear(lun_call *c) {
  static const int kernel[] = { UNARIES, UNARY_GELU_ERF, UNARY_GELU_TANH, UNARY_GELU_QUICK, UNARY_SILU, UNARY_RELU };
  lun_tensor *x = c->in[0], *weight = c->in[1];
  bool        transposed = c->p[0] != 0;
  int         activation = kernel[(int)c->p[1]];
  gemm        g = { .batch = 1, .m = 1, .n = lun_dim(c->out[0], -1), .k = lun_dim(x, -1), .a = f32(x), .dtype = weight->dtype,
                    .right = weight->data, .transposed = transposed, .c = f32(c->out[0]) };
  for (int i = 0; i < x->rank - 1; i++) g.m *= x->dim[i];
  if (weight->constant) {
    if (lun_prepack(weight, transposed) != LUN_OK) return lun_error(c->cx);
    g.pack = weight->pack;
  }
  if (c->in[2]) g.bias = f32(c->in[2]);
  if (activation != UNARIES) g.activation = isa_now()->unary[activation];
  return gemm_run(c->cx, &g);
}
