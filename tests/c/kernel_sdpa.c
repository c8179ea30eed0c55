/* kernel_sdpa.c - attention against independent loops in f64, and queries against themselves in any company. */
#include "kernel_isa.h"

typedef struct shape {
  int64_t batch, heads, groups, queries, keys, size, rows;      /* rows > 0: that many of k and v, picked by 'rows' */
  double  scale, causal, window, softcap;
  int     mask;                                                 /* 0: none; 1: [T, S]; 2: [B, 1, 1, S], 3: [H, T, 1] */
} shape;

static const shape shapes[] = {
  { 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0 },
  { 2, 3, 3, 7, 33, 13, 0, 0, 0, 0, 0, 1 },
  { 1, 4, 2, 31, 31, 16, 0, 0, 1, 0, 0, 0 },
  { 2, 6, 1, 5, 40, 48, 0, 1, 1, 0, 0, 2 },
  { 1, 2, 2, 65, 65, 64, 0, 0, 1, 4, 0, 0 },
  { 1, 2, 2, 9, 70, 64, 0, 0, 1, 33, 20, 3 },
  { 3, 4, 2, 1, 100, 33, 2, 0, 0, 0, 0, 2 },
  { 5, 4, 4, 2, 37, 8, 3, 0.3, 1, 0, 0, 1 },
  { 1, 2, 1, 6, 3, 5, 0, 0, 1, 0, 0, 0 },          /* the first three queries see no key */
  { 1, 2, 1, 4, 50, 5, 0, 0, 0, 3, 0, 0 },         /* a window alone */
  { 2, 2, 2, 3, 0, 4, 0, 0, 0, 0, 0, 0 },          /* no keys at all */
  { 2, 2, 2, 0, 5, 4, 0, 0, 0, 0, 0, 0 },
  { 1, 1, 1, 130, 129, 72, 0, 0, 0, 0, 0, 0 },
};

static double score_of(const shape *s, const lun_tensor *q, const lun_tensor *k, const lun_tensor *mask, const int64_t *rows, int64_t b,
                       int64_t h, int64_t t, int64_t key) {
  double  sum = 0, scale = s->scale > 0 ? s->scale : 1 / sqrt((double)s->size);
  int64_t row = rows ? rows[b] : b, g = h / (s->heads / s->groups), last = t + s->keys - s->queries;
  if (s->causal != 0 && key > last) return -INFINITY;
  if (s->window > 0 && (double)key <= (double)last - s->window) return -INFINITY;
  for (int64_t c = 0; c < s->size; c++)
    sum += (double)f32(q)[((b * s->heads + h) * s->queries + t) * s->size + c] *
           (double)f32(k)[((row * s->groups + g) * s->keys + key) * s->size + c];
  sum *= scale;
  if (s->softcap > 0) sum = s->softcap * tanh(sum / s->softcap);
  if (s->mask == 1) sum += (double)f32(mask)[t * s->keys + key];
  if (s->mask == 2) sum += (double)f32(mask)[b * s->keys + key];
  if (s->mask == 3) sum += (double)f32(mask)[h * s->queries + t];
  return sum;
}

/* Row (b, h, t) of the result, [D]. */
static void want_row(const shape *s, const lun_tensor *q, const lun_tensor *k, const lun_tensor *v, const lun_tensor *mask,
                     const int64_t *rows, int64_t b, int64_t h, int64_t t, double *want) {
  double  top = -INFINITY, total = 0;
  int64_t row = rows ? rows[b] : b, g = h / (s->heads / s->groups);
  for (int64_t key = 0; key < s->keys; key++) top = fmax(top, score_of(s, q, k, mask, rows, b, h, t, key));
  for (int64_t c = 0; c < s->size; c++) want[c] = 0;
  if (top == -INFINITY) return;
  for (int64_t key = 0; key < s->keys; key++) {
    double p = exp(score_of(s, q, k, mask, rows, b, h, t, key) - top);
    total += p;
    for (int64_t c = 0; c < s->size; c++) want[c] += p * (double)f32(v)[((row * s->groups + g) * s->keys + key) * s->size + c];
  }
  for (int64_t c = 0; c < s->size; c++) want[c] /= total;
}

/* Noise with hidden pairs; the first row of each is hidden whole. */
static lun_tensor *mask_of(lun_ctx *cx, const shape *s) {
  lun_tensor *m = s->mask == 1 ? random_tensor(cx, 0, DIM(s->queries, s->keys))
                : s->mask == 2 ? random_tensor(cx, 0, DIM(s->batch, 1, 1, s->keys))
                : s->mask == 3 ? random_tensor(cx, 0, DIM(s->heads, s->queries, 1)) : NULL;
  int64_t     hidden = s->mask == 3 ? 1 : s->keys;
  for (int64_t i = 0; m && i < lun_count(m); i++)
    if (i < hidden || i % 7 == 3) f32(m)[i] = -INFINITY;
  return m;
}

static void check_shape(lun_ctx *cx, const shape *s) {
  size_t      mark = lun_scope_open(cx);
  int64_t     rows[8] = { 0 }, kv = s->rows ? s->rows : s->batch;
  char        what[160];
  for (int64_t b = 0; b < s->batch; b++) rows[b] = s->rows ? (b * 5 + 1) % s->rows : b;
  lun_tensor *q = random_tensor(cx, 0, DIM(s->batch, s->heads, s->queries, s->size));
  lun_tensor *k = random_tensor(cx, 0, DIM(kv, s->groups, s->keys, s->size)), *v = random_tensor(cx, 0, DIM(kv, s->groups, s->keys, s->size));
  lun_tensor *mask = mask_of(cx, s), *picked = s->rows ? whole_tensor(cx, rows, DIM(s->batch)) : NULL;
  lun_tensor *y = call_op(cx, LUN_OP_sdpa, IN(q, k, v, mask, picked), PARAMS(s->scale, s->causal, s->window, s->softcap), NULL);
  double     *want = malloc((size_t)(lun_count(q) + 1) * sizeof *want);
  for (int64_t b = 0; b < s->batch; b++)
    for (int64_t h = 0; h < s->heads; h++)
      for (int64_t t = 0; t < s->queries; t++)
        want_row(s, q, k, v, mask, rows, b, h, t, want + ((b * s->heads + h) * s->queries + t) * s->size);
  snprintf(what, sizeof what, "%s sdpa [%d, %d, %d, %d] on %d keys", isa_now()->name, (int)s->batch, (int)s->heads, (int)s->queries,
           (int)s->size, (int)s->keys);
  if (lun_count(q) > 0) expect_near(y, want, 2e-6, what);
  expect_shape(y, DIM(s->batch, s->heads, s->queries, s->size));
  CHECK(!y || y->stride[2] == s->heads * s->size || lun_count(y) == 0, "the result is not stored as [B, T, H, D]");
  free(want);
  lun_scope_close(cx, mark, NULL);
}

static void against_loops(lun_ctx *cx) {
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) check_shape(cx, &shapes[i]);
}

/* A query alone, with the keys up to its own, gives the bits it gives amid all queries: a cache changes nothing. */
static void check_alone(lun_ctx *cx, lun_tensor *const q_k_v[3], double window) {
  lun_tensor *all = lun_run(cx, LUN_OP_sdpa, 3, q_k_v, PARAMS(0, 1, window), NULL);
  int64_t     length = q_k_v[0]->dim[2];
  for (int64_t b = 0; b < q_k_v[0]->dim[0]; b++)
    for (int64_t t = 0; t < length; t += 17) {
      lun_tensor *row[4], *alone;
      for (int i = 0; i < 3; i++)
        row[i] = lun_narrow(cx, lun_narrow(cx, q_k_v[i], 0, b, 1), 2, i == 0 ? t : 0, i == 0 ? 1 : t + 1);
      row[3] = lun_narrow(cx, lun_narrow(cx, all, 0, b, 1), 2, t, 1);
      alone = lun_run(cx, LUN_OP_sdpa, 3, row, PARAMS(0, 1, window), NULL);
      CHECK(alone && row[3] && memcmp(lun_data(alone), lun_data(row[3]), lun_bytes(alone)) == 0,
            "%s: query %d of batch row %d differs when it is alone, window %g", isa_now()->name, (int)t, (int)b, window);
    }
}

static void queries_alone(lun_ctx *cx) {
  lun_tensor *in[3];
  for (int i = 0; i < 3; i++) in[i] = random_tensor(cx, 0, DIM(2, 3, 600, 24));
  check_alone(cx, in, 0);
  check_alone(cx, in, 300);
  check_alone(cx, in, 5);
}

/* Keys stored as [B, G, D, S] in rows of whole panels give the bits that ordinary ones give, whatever lies past S. */
static void keys_transposed(lun_ctx *cx) {
  static const int64_t lengths[] = { 1, 31, 32, 33, 257, 290 };
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    size_t      mark = lun_scope_open(cx);
    int64_t     keys = lengths[i], row = (keys + LUN_KEY_PANEL - 1) / LUN_KEY_PANEL * LUN_KEY_PANEL;
    lun_tensor *q = random_tensor(cx, 0, DIM(2, 4, 3, 40)), *v = random_tensor(cx, 0, DIM(2, 2, keys, 40));
    lun_tensor *wide = lun_narrow(cx, random_tensor(cx, 0, DIM(2, 2, 40, row)), 3, 0, keys);
    lun_tensor *k = lun_permute(cx, wide, (int[]){ 0, 1, 3, 2 });
    lun_tensor *plain = lun_run(cx, LUN_OP_sdpa, IN(q, lun_run(cx, LUN_OP_contiguous, IN(k), NONE, NULL), v), NONE, NULL);
    lun_tensor *y = lun_run(cx, LUN_OP_sdpa, IN(q, k, v), NONE, NULL);
    CHECK(plain && y && memcmp(f32(plain), f32(y), lun_bytes(y)) == 0, "%s: %d keys stored transposed", isa_now()->name, (int)keys);
    lun_scope_close(cx, mark, NULL);
  }
}

/* Scores that overflow e^x, keys whose scores are -infinity of their own, and NaN, which may not be lost. */
static void extremes(lun_ctx *cx) {
  enum { S = 40, D = 8 };
  lun_tensor *q = random_tensor(cx, 0, DIM(1, 1, 2, D)), *k = random_tensor(cx, 0, DIM(1, 1, S, D)), *v = random_tensor(cx, 0, DIM(1, 1, S, D));
  lun_tensor *y;
  double      want[2 * D];
  const shape large = { 1, 1, 1, 2, S, D, 0, 1e4, 0, 0, 0, 0 };
  y = call_op(cx, LUN_OP_sdpa, IN(q, k, v), PARAMS(1e4), NULL);
  for (int t = 0; t < 2; t++) want_row(&large, q, k, v, NULL, NULL, 0, 0, t, want + t * D);
  expect_near(y, want, 1e-4, "sdpa of large scores");
  f32(q)[0] = NAN;
  y = lun_run(cx, LUN_OP_sdpa, IN(q, k, v), NONE, NULL);
  CHECK(y && isnan(f32(y)[0]) && !isnan(f32(y)[D]), "NaN in a query stays in its row");
}

int main(void) {
  on_each_isa(against_loops);
  on_each_isa(queries_alone);
  on_each_isa(keys_transposed);
  on_each_isa(extremes);
  return check_end();
}
