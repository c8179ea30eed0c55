/* kernel_product.c - linear and matmul against independent loops in f64, and rows against themselves in any company. */
#include "kernel_isa.h"

static double activated(double x, int activation) {
  switch (activation) {
    case LUN_ACT_GELU_ERF: return 0.5 * x * erfc(-x / sqrt(2));
    case LUN_ACT_GELU_TANH: return 0.5 * x * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
    case LUN_ACT_GELU_QUICK: return x / (1 + exp(-1.702 * x));
    case LUN_ACT_SILU: return x / (1 + exp(-x));
    case LUN_ACT_RELU: return x > 0 ? x : 0;
    default: return x;
  }
}

/* [N, K], or [K, N] if transposed, of any type; constant ones are packed, others read as they are. */
static lun_tensor *weight_of(lun_ctx *cx, lun_dtype dtype, int64_t n, int64_t k, bool transposed, bool constant) {
  int64_t     dim[2] = { transposed ? k : n, transposed ? n : k };
  lun_tensor *w = random_tensor(cx, 0, 2, dim);
  if (dtype != LUN_F32) w = lun_run(cx, LUN_OP_cast, IN(w), PARAMS(dtype), NULL);      /* the choices of its row are in this order */
  return constant && w ? lun_from_memory(cx, dtype, 2, dim, lun_data(w), NULL, NULL) : w;
}

static void check_linear(lun_ctx *cx, int64_t m, int64_t n, int64_t k, lun_dtype dtype, bool transposed, bool constant, int activation) {
  size_t      mark = lun_scope_open(cx);
  char        what[160];
  lun_tensor *x = random_tensor(cx, 0, DIM(m, k)), *b = random_tensor(cx, 0, DIM(n));
  lun_tensor *w = weight_of(cx, dtype, n, k, transposed, constant);
  double     *want = calloc((size_t)(m * n) + 1, sizeof *want);
  float      *row = malloc((size_t)(n * k + 1) * sizeof *row);
  lun_tensor *y = call_op(cx, LUN_OP_linear, IN(x, w, activation == LUN_ACT_SILU ? NULL : b), PARAMS(transposed, activation), NULL);
  if (w) lun_row_to_f32(dtype, w->data, n * k, row);
  for (int64_t i = 0; w && i < m; i++)
    for (int64_t j = 0; j < n; j++) {
      double sum = activation == LUN_ACT_SILU ? 0 : (double)f32(b)[j];
      for (int64_t s = 0; s < k; s++) sum += (double)f32(x)[i * k + s] * (double)row[transposed ? s * n + j : j * k + s];
      want[i * n + j] = activated(sum, activation);
    }
  snprintf(what, sizeof what, "%s linear [%d, %d] by [%d] %s%s%s", isa_now()->name, (int)m, (int)k, (int)n, lun_dtype_name(dtype),
           transposed ? " transposed" : "", constant ? " constant" : "");
  if (m * n > 0) expect_near(y, want, 1e-6 + 1.5e-7 * sqrt((double)k), what);      /* a sum's error grows with the root of its length */
  expect_shape(y, DIM(m, n));
  free(want);
  free(row);
  lun_scope_close(cx, mark, NULL);
}

static void linear(lun_ctx *cx) {
  static const int64_t sizes[][3] = { { 1, 1, 1 }, { 2, 31, 1 }, { 3, 33, 7 }, { 5, 32, 64 }, { 13, 65, 33 }, { 14, 1, 129 }, { 15, 96, 31 },
                                      { 29, 37, 13 }, { 57, 64, 5 }, { 0, 5, 3 }, { 4, 5, 0 }, { 4, 0, 3 }, { 8, 34, 257 }, { 15, 34, 1024 } };
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
    for (int how = 0; how < 4; how++)
      check_linear(cx, sizes[i][0], sizes[i][1], sizes[i][2], LUN_F32, how & 1, how & 2, (int)(i % 6));
  for (int64_t m = 1; m <= 31; m += 5)
    for (int how = 0; how < 4; how++) {
      check_linear(cx, m, 45, 23, LUN_F16, how & 1, how & 2, (int)(m % 6));
      check_linear(cx, m, 33, 65, LUN_BF16, how & 1, how & 2, LUN_ACT_NONE);
      check_linear(cx, m, 3, 66, LUN_F64, how & 1, how & 2, LUN_ACT_NONE);
      check_linear(cx, m, 64, 96, LUN_Q8_0, how & 1, how & 2, LUN_ACT_NONE);
      check_linear(cx, m, how & 1 ? 96 : 41, how & 1 ? 41 : 96, LUN_Q8_0, how & 1, how & 2, LUN_ACT_NONE);
    }
}

/* Each row of products of 1 to 40 rows is bit for bit the product of that row alone, packed or not. */
static void rows_alone(lun_ctx *cx) {
  static const lun_dtype types[] = { LUN_F32, LUN_F16, LUN_Q8_0 };
  enum { MOST = 40, N = 96, K = 160 };
  for (int how = 0; how < 6; how++) {
    bool        transposed = how & 1;
    lun_dtype   dtype = types[how / 2];
    lun_tensor *x = random_tensor(cx, 0, DIM(MOST, K)), *w = weight_of(cx, dtype, N, K, transposed, true), *alone[MOST];
    lun_tensor *loose = lun_from_host(cx, dtype, 2, w->dim, w->data);
    for (int m = 0; m < MOST; m++)
      alone[m] = lun_run(cx, LUN_OP_linear, IN(lun_narrow(cx, x, 0, m, 1), w), PARAMS(transposed, LUN_ACT_GELU_ERF), NULL);
    for (int m = 1; m <= MOST; m++)
      for (int packed = 0; packed < 2; packed++) {
        lun_tensor *y = lun_run(cx, LUN_OP_linear, IN(lun_narrow(cx, x, 0, 0, m), packed ? w : loose), PARAMS(transposed, LUN_ACT_GELU_ERF), NULL);
        int         equal = y != NULL;
        for (int r = 0; equal && r < m; r++) equal = memcmp(f32(y) + r * N, f32(alone[r]), N * sizeof(float)) == 0;
        CHECK(equal, "%s %s: rows of a product of %d differ from the same alone", isa_now()->name, lun_dtype_name(dtype), m);
      }
  }
}

static void check_matmul(lun_ctx *cx, int rank_a, const int64_t *a_dim, int rank_b, const int64_t *b_dim, bool transpose_b) {
  size_t      mark = lun_scope_open(cx);
  lun_tensor *a = random_tensor(cx, 0, rank_a, a_dim), *b = random_tensor(cx, 0, rank_b, b_dim);
  lun_tensor *y = call_op(cx, LUN_OP_matmul, IN(a, b), PARAMS(transpose_b), NULL);
  if (!y) return;
  int64_t m = lun_dim(y, -2), n = lun_dim(y, -1), k = lun_dim(a, -1);
  double *want = calloc((size_t)lun_count(y) + 1, sizeof *want);
  for (int64_t i = 0; i < lun_count(y); i++) {
    int64_t rest = i / (m * n), at_a = 0, at_b = 0, step_a = 1, step_b = 1, row = i / n % m, column = i % n;
    for (int axis = -3; axis >= -y->rank; axis--) {
      int64_t place = rest % lun_dim(y, axis);
      rest /= lun_dim(y, axis);
      if (-axis <= rank_a) at_a += (lun_dim(a, axis) == 1 ? 0 : place) * step_a, step_a *= lun_dim(a, axis);
      if (-axis <= rank_b) at_b += (lun_dim(b, axis) == 1 ? 0 : place) * step_b, step_b *= lun_dim(b, axis);
    }
    for (int64_t s = 0; s < k; s++)
      want[i] += (double)f32(a)[(at_a * m + row) * k + s] *
                 (double)f32(b)[at_b * n * k + (transpose_b ? column * k + s : s * n + column)];
  }
  if (lun_count(y) > 0) expect_near(y, want, 2e-6, "matmul");
  free(want);
  lun_scope_close(cx, mark, NULL);
}

static void matmul(lun_ctx *cx) {
  check_matmul(cx, DIM(1, 1), DIM(1, 1), false);
  check_matmul(cx, DIM(13, 17), DIM(17, 33), false);
  check_matmul(cx, DIM(13, 17), DIM(33, 17), true);
  check_matmul(cx, DIM(3, 2, 5, 31), DIM(3, 2, 31, 7), false);
  check_matmul(cx, DIM(3, 1, 5, 8), DIM(2, 65, 8), true);
  check_matmul(cx, DIM(1, 4, 5, 8), DIM(3, 1, 8, 3), false);
  check_matmul(cx, DIM(3, 15, 9), DIM(9, 34), false);
  check_matmul(cx, DIM(2, 3, 0), DIM(2, 0, 4), false);
  check_matmul(cx, DIM(2, 0, 3), DIM(2, 3, 4), false);
  check_matmul(cx, DIM(0, 2, 3), DIM(1, 3, 4), false);
  check_matmul(cx, DIM(2, 2, 3), DIM(2, 3, 0), false);
}

/* The n-th allocation fails, for every n: an error that says so, and nothing lost (under ASan). */
static void memory_runs_out(lun_ctx *cx) {
  lun_tensor *x = random_tensor(cx, 0, DIM(20, 40)), *y = NULL;
  for (long n = 1; !y && n < 50; n++) {
    size_t      mark = lun_scope_open(cx);
    lun_tensor *w = weight_of(cx, LUN_F16, 50, 40, false, true);
    lun_alloc_fail_at(n);
    y = lun_run(cx, LUN_OP_linear, IN(x, w), NONE, NULL);
    lun_alloc_fail_at(0);
    if (!y) {
      CHECK(lun_error(cx) == LUN_EMEM, "allocation %ld fails: %s", n, lun_message(cx));
      lun_clear(cx);
    }
    lun_scope_close(cx, mark, NULL);
  }
  CHECK(y != NULL, "no call with enough memory");
}

int main(void) {
  on_each_isa(linear);
  on_each_isa(rows_alone);
  on_each_isa(matmul);
  on_each_isa(memory_runs_out);
  return check_end();
}
