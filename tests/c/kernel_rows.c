/* kernel_rows.c - softmax and norms of rows of every awkward length against independent loops in f64. */
#include "kernel_isa.h"

static const int64_t lengths[] = { 1, 2, 3, 7, 15, 16, 17, 31, 33, 129, 384, 1031 };
enum { LENGTHS = sizeof lengths / sizeof *lengths, ROWS = 5 };

static void check_softmax(lun_ctx *cx, int64_t n, double spread) {
  size_t      mark = lun_scope_open(cx);
  lun_tensor *x = random_tensor(cx, 0, DIM(ROWS, n)), *y;
  double     *want = malloc((size_t)(ROWS * n) * sizeof *want);
  for (int64_t i = 0; i < ROWS * n; i++) {
    f32(x)[i] *= (float)spread;
    if (i < n || (i < 2 * n && i % 3 != 0)) f32(x)[i] = -INFINITY;      /* the first row whole */
  }
  for (int logarithm = 0; logarithm < 2; logarithm++) {
    for (int64_t r = 0; r < ROWS; r++) {
      double top = -INFINITY, total = 0;
      for (int64_t i = 0; i < n; i++) top = fmax(top, (double)f32(x)[r * n + i]);
      for (int64_t i = 0; i < n && top > -INFINITY; i++) total += exp((double)f32(x)[r * n + i] - top);
      for (int64_t i = 0; i < n; i++) {
        double d = top == -INFINITY ? -INFINITY : (double)f32(x)[r * n + i] - top;
        want[r * n + i] = logarithm ? (total > 0 ? d - log(total) : d) : total > 0 ? exp(d) / total : 0;
      }
    }
    y = call_op(cx, logarithm ? LUN_OP_log_softmax : LUN_OP_softmax, IN(x), NONE, NULL);
    expect_near(y, want, 1e-6, logarithm ? "log_softmax" : "softmax");
  }
  free(want);
  lun_scope_close(cx, mark, NULL);
}

static void softmax(lun_ctx *cx) {
  float const lost[3] = { 1, NAN, -INFINITY };
  for (int i = 0; i < LENGTHS; i++) {
    check_softmax(cx, lengths[i], 1);
    check_softmax(cx, lengths[i], 1e4);
  }
  lun_tensor *y = lun_run(cx, LUN_OP_softmax, IN(lun_from_host(cx, LUN_F32, DIM(3), lost)), NONE, NULL);
  CHECK(y && isnan(f32(y)[0]) && isnan(f32(y)[1]), "NaN spreads over its row");
  call_op(cx, LUN_OP_softmax, IN(random_tensor(cx, 0, DIM(0, 5))), NONE, NULL);
  call_op(cx, LUN_OP_softmax, IN(random_tensor(cx, 0, DIM(5, 0))), NONE, NULL);
}

/* 'centre': the mean of x, where one pass in f32 would lose the variance. */
static void check_layer_norm(lun_ctx *cx, int64_t n, double centre, bool with_weight, bool with_bias, double eps) {
  size_t      mark = lun_scope_open(cx);
  lun_tensor *x = random_tensor(cx, centre, DIM(ROWS, n)), *w = random_tensor(cx, 1, DIM(n)), *b = random_tensor(cx, 0, DIM(n));
  double     *want = malloc((size_t)(ROWS * n) * sizeof *want);
  for (int64_t r = 0; r < ROWS; r++) {
    double mean = 0, var = 0;
    for (int64_t i = 0; i < n; i++) mean += (double)f32(x)[r * n + i] / (double)n;
    for (int64_t i = 0; i < n; i++) var += ((double)f32(x)[r * n + i] - mean) * ((double)f32(x)[r * n + i] - mean) / (double)n;
    for (int64_t i = 0; i < n; i++)
      want[r * n + i] = ((double)f32(x)[r * n + i] - mean) / sqrt(var + eps) * (with_weight ? (double)f32(w)[i] : 1) +
                        (with_bias ? (double)f32(b)[i] : 0);
  }
  expect_near(call_op(cx, LUN_OP_layer_norm, IN(x, with_weight ? w : NULL, with_bias ? b : NULL), PARAMS(eps), NULL), want, 3e-6,
              "layer_norm");
  free(want);
  lun_scope_close(cx, mark, NULL);
}

static void layer_norm(lun_ctx *cx) {
  for (int i = 0; i < LENGTHS; i++)
    for (int how = 0; how < 4; how++) {
      check_layer_norm(cx, lengths[i], 0, how & 1, how & 2, 1e-5);
      check_layer_norm(cx, lengths[i], 1000, how & 1, how & 2, 1e-6);
      check_layer_norm(cx, lengths[i], -3e4, how & 1, how & 2, 1e-12);
    }
}

static void check_rms_norm(lun_ctx *cx, int64_t n, double centre, bool with_weight, double offset) {
  size_t      mark = lun_scope_open(cx);
  lun_tensor *x = random_tensor(cx, centre, DIM(ROWS, n)), *w = random_tensor(cx, 0, DIM(n));
  double     *want = malloc((size_t)(ROWS * n) * sizeof *want);
  for (int64_t r = 0; r < ROWS; r++) {
    double square = 0;
    for (int64_t i = 0; i < n; i++) square += (double)f32(x)[r * n + i] * (double)f32(x)[r * n + i] / (double)n;
    for (int64_t i = 0; i < n; i++)
      want[r * n + i] = (double)f32(x)[r * n + i] / sqrt(square + 1e-6) * (with_weight ? (double)f32(w)[i] + offset : 1);
  }
  expect_near(call_op(cx, LUN_OP_rms_norm, IN(x, with_weight ? w : NULL), PARAMS(1e-6, offset), NULL), want, 1e-6, "rms_norm");
  free(want);
  lun_scope_close(cx, mark, NULL);
}

static void rms_norm(lun_ctx *cx) {
  for (int i = 0; i < LENGTHS; i++) {
    check_rms_norm(cx, lengths[i], 0, true, 0);
    check_rms_norm(cx, lengths[i], 1000, true, 1);
    check_rms_norm(cx, lengths[i], 0, false, 0);
  }
}

int main(void) {
  on_each_isa(softmax);
  on_each_isa(layer_norm);
  on_each_isa(rms_norm);
  return check_end();
}
