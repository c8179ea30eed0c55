/* op_rows.c - norms of groups, reductions, topk, rotary positions, buckets, against independent loops in f64. */
#include "op_call.h"

static lun_ctx *cx;

/* ---- norms of channels ------------------------------------------------------------ */

static void check_group_norm(int64_t b, int64_t c, int64_t y, int64_t x_size, int64_t groups, double centre, int weights) {
  lun_tensor *x = random_tensor(cx, centre, DIM(b, c, y, x_size)), *w = random_tensor(cx, 1, DIM(c)), *s = random_tensor(cx, 0, DIM(c));
  lun_tensor *got = call_op(cx, LUN_OP_group_norm, IN(x, weights ? w : NULL, weights ? s : NULL), PARAMS((double)groups, 1e-6), NULL);
  int64_t     n = c / groups * y * x_size;
  double     *want = calloc((size_t)lun_count(x), sizeof *want);
  for (int64_t g = 0; g < b * groups; g++) {
    double mean = 0, var = 0;
    for (int64_t i = 0; i < n; i++) mean += (double)f32(x)[g * n + i] / (double)n;
    for (int64_t i = 0; i < n; i++) var += pow((double)f32(x)[g * n + i] - mean, 2) / (double)n;
    for (int64_t i = 0; i < n; i++) {
      int64_t channel = (g * n + i) / (y * x_size) % c;
      want[g * n + i] = ((double)f32(x)[g * n + i] - mean) / sqrt(var + 1e-6) * (weights ? (double)f32(w)[channel] : 1) +
                        (weights ? (double)f32(s)[channel] : 0);
    }
  }
  expect_near(got, want, 1e-5, "group_norm");
  free(want);
}

static void check_batch_norm(int rank, const int64_t *dim) {
  int64_t     c = dim[1], inner = 1;
  lun_tensor *x = random_tensor(cx, 1000, rank, dim), *mean = random_tensor(cx, 1000, DIM(c)), *var = random_tensor(cx, 2, DIM(c));
  lun_tensor *w = random_tensor(cx, 1, DIM(c)), *s = random_tensor(cx, 0, DIM(c));
  double     *want = calloc((size_t)lun_count(x), sizeof *want);
  for (int i = 2; i < rank; i++) inner *= dim[i];
  for (int weights = 0; weights < 2; weights++) {
    for (int64_t i = 0; i < lun_count(x); i++) {
      int64_t k = i / inner % c;
      want[i] = ((double)f32(x)[i] - (double)f32(mean)[k]) / sqrt((double)f32(var)[k] + 1e-3);
      if (weights) want[i] = want[i] * (double)f32(w)[k] + (double)f32(s)[k];
    }
    expect_near(call_op(cx, LUN_OP_batch_norm, IN(x, mean, var, weights ? w : NULL, weights ? s : NULL), PARAMS(1e-3), NULL), want, 1e-5, "batch_norm");
  }
  free(want);
}

/* ---- reductions -------------------------------------------------------------------- */

static void check_reduce(int rank, const int64_t *dim, int axis, double centre) {
  lun_tensor *x = random_tensor(cx, centre, rank, dim), *at;
  int64_t     inner = 1, n = dim[axis], count, wrong = 0;
  for (int i = axis + 1; i < rank; i++) inner *= dim[i];
  count = lun_count(x) / n;
  for (int64_t i = 0; i < lun_count(x); i += 3) f32(x)[i] = roundf(f32(x)[i] * 2) / 2;      /* ties */
  double  *sum = calloc((size_t)count, sizeof *sum), *mean = calloc((size_t)count, sizeof *mean), *most = calloc((size_t)count, sizeof *most);
  int64_t *place = calloc((size_t)count, sizeof *place);
  for (int64_t i = 0; i < count; i++) {
    most[i] = -INFINITY;
    for (int64_t k = 0; k < n; k++) {
      double v = (double)f32(x)[i / inner * n * inner + k * inner + i % inner];
      sum[i] += v;
      mean[i] += v / (double)n;
      if (v > most[i]) most[i] = v, place[i] = k;
    }
  }
  expect_near(call_op(cx, LUN_OP_sum, IN(x), PARAMS(axis), NULL), sum, 1e-7, "sum");
  expect_near(call_op(cx, LUN_OP_mean, IN(x), PARAMS(axis - rank), NULL), mean, 1e-7, "mean");
  expect_near(call_op(cx, LUN_OP_max, IN(x), PARAMS(axis, 1), NULL), most, 0, "max");
  at = call_op(cx, LUN_OP_argmax, IN(x), PARAMS(axis), NULL);
  for (int64_t i = 0; at && i < count; i++) wrong += i64(at)[i] != place[i];
  CHECK(wrong == 0, "argmax: %lld of %lld wrong", (long long)wrong, (long long)count);
  free(sum), free(mean), free(most), free(place);
}

static void check_reduce_edges(void) {
  const float x[] = { NAN, -INFINITY, 3, NAN, 3, -INFINITY, -INFINITY, NAN, NAN, NAN, NAN, NAN };
  lun_tensor *t = lun_from_host(cx, LUN_F32, DIM(3, 4), x), *flat = lun_from_host(cx, LUN_F32, DIM(3, 4, 1), x), *y;
  for (int as_columns = 0; as_columns < 2; as_columns++) {
    y = call_op(cx, LUN_OP_argmax, IN(as_columns ? flat : t), PARAMS(1), NULL);
    CHECK(y && i64(y)[0] == 2 && i64(y)[1] == 0 && i64(y)[2] == 0, "NaN is smaller than everything");
    y = call_op(cx, LUN_OP_max, IN(as_columns ? flat : t), PARAMS(1), NULL);
    CHECK(y && f32(y)[0] == 3 && f32(y)[1] == 3 && isnan(f32(y)[2]));
  }
  y = call_op(cx, LUN_OP_argmax, IN(lun_permute(cx, t, (int[]){ 1, 0 })), PARAMS(0), NULL);
  CHECK(y && i64(y)[0] == 2 && i64(y)[1] == 0 && i64(y)[2] == 0, "and along a column");
  expect_shape(call_op(cx, LUN_OP_mean, IN(random_tensor(cx, 0, DIM(2, 3, 5))), PARAMS(1, 1), NULL), DIM(2, 1, 5));
  expect_shape(call_op(cx, LUN_OP_sum, IN(random_tensor(cx, 0, DIM(4))), NONE, NULL), 0, NULL);
  y = call_op(cx, LUN_OP_sum, IN(random_tensor(cx, 0, DIM(3, 0))), NONE, NULL);
  CHECK(y && f32(y)[0] == 0 && f32(y)[2] == 0, "a sum of nothing");
}

/* ---- topk --------------------------------------------------------------------------- */

static const float *sorted_row;

static int by_value(const void *a, const void *b) {
  int64_t p = *(const int64_t *)a, q = *(const int64_t *)b;
  float   x = sorted_row[p], y = sorted_row[q];
  if (isnan(x) != isnan(y)) return isnan(x) ? 1 : -1;
  if (x != y && !isnan(x)) return x > y ? -1 : 1;
  return p < q ? -1 : 1;
}

static void check_topk(int64_t rows, int64_t n, int64_t k, int kind) {
  lun_tensor *x = random_tensor(cx, 0, DIM(rows, n)), *indices = NULL, *values;
  int64_t    *order = calloc((size_t)n, sizeof *order), wrong = 0;
  for (int64_t i = 0; i < rows * n; i++) {
    float *v = f32(x) + i;
    if (kind == 1) *v = roundf(*v * 4) / 4;                                /* many ties, -0 among them */
    if (kind == 2) *v = i % 3 ? -INFINITY : i % 2 ? NAN : *v;
    if (kind == 3) *v = (float)(i % n);                                    /* every one displaces another */
    if (kind == 4) *v = NAN;
  }
  values = call_op(cx, LUN_OP_topk, IN(x), PARAMS((double)k), &indices);
  for (int64_t row = 0; values && row < rows; row++) {
    sorted_row = f32(x) + row * n;
    for (int64_t i = 0; i < n; i++) order[i] = i;
    qsort(order, (size_t)n, sizeof *order, by_value);
    for (int64_t i = 0; i < k; i++)
      wrong += i64(indices)[row * k + i] != order[i] || memcmp(f32(values) + row * k + i, sorted_row + order[i], 4) != 0;
  }
  CHECK(wrong == 0, "topk %lld of [%lld, %lld] kind %d: %lld wrong", (long long)k, (long long)rows, (long long)n, kind, (long long)wrong);
  free(order);
}

/* ---- positions ------------------------------------------------------------------------ */

static void check_rope(int64_t b, int64_t h, int64_t t, int64_t d, int64_t half, int interleaved, int batched, int whole) {
  lun_tensor *x = random_tensor(cx, 0, DIM(b, h, t, d)), *inv_freq = lun_make(cx, LUN_F32, DIM(half)), *positions;
  int64_t     places[64], dim[2] = { b, t };
  double     *want = calloc((size_t)lun_count(x), sizeof *want);
  for (int64_t i = 0; i < b * t; i++) places[i] = i * 37 % 1000;
  for (int64_t i = 0; i < half; i++) f32(inv_freq)[i] = (float)pow(10000, -(double)i / (double)half);
  positions = lun_from_host(cx, LUN_I64, batched ? 2 : 1, batched ? dim : dim + 1, places);
  if (!whole) positions = call_op(cx, LUN_OP_cast, IN(positions), PARAMS(LUN_F32), NULL);
  for (int64_t row = 0; row < b * h * t; row++) {
    const float *from = f32(x) + row * d;
    int64_t      place = places[(batched ? row / (h * t) * t : 0) + row % t];
    for (int64_t i = 0; i < d; i++) want[row * d + i] = (double)from[i];
    for (int64_t i = 0; i < half; i++) {
      int64_t p = interleaved ? 2 * i : i, q = interleaved ? 2 * i + 1 : i + half;
      double  angle = (double)place * (double)f32(inv_freq)[i];
      want[row * d + p] = 1.25 * (cos(angle) * (double)from[p] - sin(angle) * (double)from[q]);
      want[row * d + q] = 1.25 * (sin(angle) * (double)from[p] + cos(angle) * (double)from[q]);
    }
  }
  expect_near(call_op(cx, LUN_OP_rope, IN(x, positions, inv_freq), PARAMS(interleaved, 1.25), NULL), want, 1e-6, "rope");
  free(want);
}

static void check_alibi(void) {
  const double three[] = { 0.0625, 0.00390625, 0.25 };      /* 2^-4, 2^-8 of two heads, then 2^-2 of four */
  lun_tensor  *y = call_op(cx, LUN_OP_alibi_slopes, NONE, PARAMS(3), NULL);
  expect_near(y, three, 0, "alibi_slopes");
  y = call_op(cx, LUN_OP_alibi_slopes, NONE, PARAMS(8), NULL);
  for (int i = 0; y && i < 8; i++) CHECK((double)f32(y)[i] == ldexp(1, -1 - i));
}

/* By hand from the paper's text: 16 buckets a direction, 8 of them exact, the others up to 128. */
static void check_buckets(void) {
  const int64_t x[] = { 0, 1, -1, 7, -7, 8, -8, 15, -16, 127, -128, 100000, INT64_MIN, INT64_MAX };
  const int64_t both[] = { 0, 17, 1, 23, 7, 24, 8, 25, 10, 31, 15, 31, 15, 31 }, one[] = { 0, 0, 1, 0, 7, 0, 8, 0, 16, 0, 31, 0, 31, 0 };
  lun_tensor *t = whole_tensor(cx, x, DIM(14)), *y = call_op(cx, LUN_OP_relative_buckets, IN(t), NONE, NULL);
  for (int i = 0; y && i < 14; i++) CHECK(i64(y)[i] == both[i], "bucket of %lld is %lld, wanted %lld", (long long)x[i], (long long)i64(y)[i], (long long)both[i]);
  y = call_op(cx, LUN_OP_relative_buckets, IN(t), PARAMS(0, 32, 128), NULL);
  for (int i = 0; y && i < 14; i++) CHECK(i64(y)[i] == one[i], "one way, bucket of %lld is %lld, wanted %lld", (long long)x[i], (long long)i64(y)[i], (long long)one[i]);
}

int main(void) {
  static const int64_t lengths[] = { 1, 2, 15, 16, 17, 31, 33, 129, 1031 };
  cx = lun_open(1);
  for (int centre = 0; centre <= 1000; centre += 1000) {
    check_group_norm(2, 6, 5, 7, 3, centre, 1);
    check_group_norm(1, 32, 4, 4, 32, centre, 0);
    check_group_norm(3, 5, 1, 13, 1, centre, 1);
  }
  check_batch_norm(DIM(2, 7));
  check_batch_norm(DIM(2, 3, 5, 11));
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    int64_t n = lengths[i];
    size_t  mark = lun_scope_open(cx);
    check_reduce(DIM(3, n), 1, 0);
    check_reduce(DIM(n, 3), 0, 1000);
    check_reduce(DIM(2, n, 19), 1, 0);
    check_reduce(DIM(2, 3, n), 1, -5);
    for (int kind = 0; kind < 5; kind++) {
      check_topk(3, n, 1, kind);
      check_topk(2, n, n, kind);
      check_topk(2, n, (n + 1) / 2, kind);
    }
    lun_scope_close(cx, mark, NULL);
  }
  check_topk(3, 50257, 16, 0);
  check_topk(3, 50257, 4, 3);
  check_reduce_edges();
  check_rope(2, 3, 9, 16, 8, 0, 0, 1);
  check_rope(2, 3, 9, 16, 8, 1, 1, 1);
  check_rope(2, 1, 5, 13, 3, 0, 1, 0);      /* the first six of thirteen channels turn */
  check_rope(1, 2, 7, 10, 4, 1, 0, 0);
  check_rope(1, 1, 1, 2, 1, 0, 0, 1);
  check_alibi();
  check_buckets();
  lun_close(cx);
  return check_end();
}
