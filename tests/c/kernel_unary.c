/* kernel_unary.c - functions of single elements against libm in f64: units in the last place, and the ends of the range. */
#include "kernel_isa.h"

/* How far 'got' is from 'want', in units in the last place of f32 there. */
static double ulps(float got, double want) {
  int exponent;
  if (isnan(want) || isinf((float)want)) return (isnan(want) ? isnan(got) : got == (float)want) ? 0 : INFINITY;
  frexp(want, &exponent);
  return fabs((double)got - want) / ldexp(1, exponent - 24 < -149 ? -149 : exponent - 24);
}

static double x_sigmoid(double x, double factor) { return x / (1 + exp(-factor * x)); }

static double reference(lun_op op, double x) {
  switch (op) {
    case LUN_OP_neg: return -x;
    case LUN_OP_exp: return exp(x);
    case LUN_OP_log: return log(x);
    case LUN_OP_sqrt: return sqrt(x);
    case LUN_OP_abs: return fabs(x);
    case LUN_OP_tanh: return tanh(x);
    case LUN_OP_sigmoid: return 1 / (1 + exp(-x));
    case LUN_OP_softplus: return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
    case LUN_OP_relu: return x < 0 ? 0 : x;
    case LUN_OP_relu6: return x < 0 ? 0 : x > 6 ? 6 : x;
    case LUN_OP_silu: return x_sigmoid(x, 1);
    case LUN_OP_gelu_erf: return x * (0.5 * erfc(-x / sqrt(2)));
    case LUN_OP_gelu_tanh: return x_sigmoid(x, 2 * 0.79788456080286535588 * (1 + 0.044715 * x * x));
    default: return x_sigmoid(x, 1.702);
  }
}

static lun_tensor *run(lun_ctx *cx, lun_op op, const float *x, int64_t n) {
  return lun_run(cx, op, IN(lun_from_host(cx, LUN_F32, 1, &n, x)), NONE, NULL);
}

/*
** 'limit' in units in the last place, or with 'relative' in parts of 1 + |value|, over
** every 3001th float of either sign: 1.4 million, subnormal ones, infinity and NaN with them.
*/
static void check_all(lun_ctx *cx, lun_op op, double limit, bool relative) {
  enum { BATCH = 65536, STEP = 3001 };
  static float x[BATCH];
  double worst = 0;
  float  where = 0, got = 0;
  for (uint64_t bits = 0; bits < (uint64_t)1 << 32; ) {
    size_t mark = lun_scope_open(cx);
    int    n = 0;
    for (; n < BATCH && bits < (uint64_t)1 << 32; n++, bits += STEP) {
      uint32_t b = (uint32_t)bits;
      memcpy(&x[n], &b, sizeof b);
    }
    lun_tensor *y = run(cx, op, x, n);
    for (int i = 0; y && i < n; i++) {
      double want = reference(op, (double)x[i]), off = ulps(f32(y)[i], want);
      if (relative && off > 0 && !isinf(off)) off = fabs((double)f32(y)[i] - want) / (1 + fabs(want));
      if (!(off <= worst)) worst = off, where = x[i], got = f32(y)[i];
    }
    lun_scope_close(cx, mark, NULL);
  }
  CHECK(worst <= limit, "%s %s: off by %g %s at %.9g: %.9g, wanted %.9g", isa_now()->name, lun_op_info(op)->name, worst,
        relative ? "of 1 + |value|" : "units", (double)where, (double)got, reference(op, (double)where));
}

static void accuracy(lun_ctx *cx) {
  check_all(cx, LUN_OP_neg, 0, false);
  check_all(cx, LUN_OP_abs, 0, false);
  check_all(cx, LUN_OP_relu, 0, false);
  check_all(cx, LUN_OP_relu6, 0, false);
  check_all(cx, LUN_OP_sqrt, 0.5, false);
  check_all(cx, LUN_OP_exp, 2, false);
  check_all(cx, LUN_OP_log, 2, false);
  check_all(cx, LUN_OP_tanh, 2, false);
  check_all(cx, LUN_OP_softplus, 2, false);
  check_all(cx, LUN_OP_sigmoid, 2e-7, true);
  check_all(cx, LUN_OP_silu, 2e-7, true);
  check_all(cx, LUN_OP_gelu_erf, 2e-7, true);
  check_all(cx, LUN_OP_gelu_tanh, 3e-7, true);
  check_all(cx, LUN_OP_gelu_quick, 3e-7, true);
}

/* An element's value does not depend on where it stands: rows of every length up to 40, through views and guards too. */
static void places(lun_ctx *cx) {
  for (int op = 0; op < LUN_NOPS; op++) {
    if (op_row[op].kernel != cpu_unary) continue;
    lun_tensor *x = random_tensor(cx, 0.5, DIM(40)), *all = lun_run(cx, (lun_op)op, IN(x), NONE, NULL);
    for (int64_t n = 0; n <= 40; n++) {
      lun_tensor *y = call_op(cx, (lun_op)op, IN(lun_narrow(cx, x, 0, 40 - n, n)), NONE, NULL);
      CHECK(y && memcmp(lun_data(y), f32(all) + 40 - n, (size_t)n * sizeof(float)) == 0, "%s: the last %d differ", lun_op_info((lun_op)op)->name, (int)n);
    }
  }
}

int main(void) {
  setenv("LUN_ISA", isa_base.name, 1);
  CHECK(isa_now() == &isa_base, "LUN_ISA=%s gives %s", isa_base.name, isa_now()->name);
  on_each_isa(accuracy);
  on_each_isa(places);
  return check_end();
}
