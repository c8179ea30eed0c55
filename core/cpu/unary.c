/* unary.c - functions of single elements. */
#include "isa.h"
#include "ops.h"

enum { GRAIN = 8192 };      /* elements worth a second thread */

typedef struct job {
  unary_kernel *kernel;
  const float  *x;
  float        *y;
} job;

static void run(void *arg, int64_t begin, int64_t end) {
  const job *j = arg;
  j->kernel(j->x + begin, j->y + begin, end - begin);
}

lun_status cpu_unary(lun_call *c) {
  static const unary_kind kind[LUN_NOPS] = {
    [LUN_OP_neg] = UNARY_NEG, [LUN_OP_exp] = UNARY_EXP, [LUN_OP_log] = UNARY_LOG, [LUN_OP_sqrt] = UNARY_SQRT,
    [LUN_OP_abs] = UNARY_ABS, [LUN_OP_tanh] = UNARY_TANH, [LUN_OP_sigmoid] = UNARY_SIGMOID,
    [LUN_OP_softplus] = UNARY_SOFTPLUS, [LUN_OP_relu] = UNARY_RELU, [LUN_OP_relu6] = UNARY_RELU6,
    [LUN_OP_silu] = UNARY_SILU, [LUN_OP_gelu_erf] = UNARY_GELU_ERF, [LUN_OP_gelu_tanh] = UNARY_GELU_TANH,
    [LUN_OP_gelu_quick] = UNARY_GELU_QUICK,
  };
  job j = { isa_now()->unary[kind[c->op]], f32(c->in[0]), f32(c->out[0]) };
  lun_parallel(c->cx, lun_count(c->in[0]), GRAIN, run, &j);
  return LUN_OK;
}
