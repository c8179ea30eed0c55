/*
** gemm.c - speed of 'linear' beside OpenBLAS, and of attention beside the products in it.
**
** usage: bench_gemm [threads]     LUN_ISA=sse2|avx2|avx512 chooses the kernels
**
** Best of several runs each, in GFLOP/s; for few rows, where memory is what
** counts, the weight's bytes as packed in GB/s.
*/
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <cblas.h>
#include "lun.h"

void openblas_set_num_threads(int threads);

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static lun_tensor *random_tensor(lun_ctx *cx, int rank, const int64_t *dim) {
  lun_tensor *t = lun_make(cx, LUN_F32, rank, dim);
  float      *p = lun_data_mutable(t);
  for (int64_t i = 0; i < lun_count(t); i++) p[i] = (float)rand() / (float)RAND_MAX - 0.5f;
  return t;
}

/* A constant weight [n, k] of another type, which 'linear' packs at its first use. */
static lun_tensor *weight_of(lun_ctx *cx, lun_dtype dtype, int64_t n, int64_t k) {
  lun_tensor *w = random_tensor(cx, 2, (int64_t[]){ n, k });
  if (dtype != LUN_F32) w = lun_run(cx, LUN_OP_cast, 1, &w, 1, (double[]){ dtype == LUN_Q8_0 ? 7 : dtype }, NULL);
  return lun_from_memory(cx, dtype, 2, (int64_t[]){ n, k }, lun_data(w), NULL, NULL);
}

static double time_linear(lun_ctx *cx, lun_tensor *x, lun_tensor *w, int runs) {
  double best = 1e9;
  for (int i = 0; i < runs; i++) {
    size_t mark = lun_scope_open(cx);
    double t = now();
    lun_linear(cx, x, w, NULL, false, 0);
    t = now() - t;
    lun_scope_close(cx, mark, NULL);
    if (t < best) best = t;
  }
  return best;
}

static double time_blas(lun_tensor *x, lun_tensor *w, int64_t m, int64_t n, int64_t k, int runs) {
  float *c = malloc((size_t)(m * n) * sizeof *c);
  double best = 1e9;
  for (int i = 0; i < runs; i++) {
    double t = now();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, 1, lun_data(x), (int)k, lun_data(w), (int)k, 0, c, (int)n);
    t = now() - t;
    if (t < best) best = t;
  }
  free(c);
  return best;
}

static void products(lun_ctx *cx) {
  static const int64_t rows[] = { 257, 2056 }, shape[][2] = { { 1152, 384 }, { 384, 384 }, { 1536, 384 }, { 384, 1536 }, { 3072, 1024 } };
  printf("%6s %6s %6s %10s %10s %10s\n", "M", "N", "K", "lunette", "f16", "OpenBLAS");
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
    for (size_t j = 0; j < sizeof shape / sizeof *shape; j++) {
      int64_t m = rows[i], n = shape[j][0], k = shape[j][1];
      size_t  mark = lun_scope_open(cx);
      int     times = m > 1000 ? 10 : 40;
      double  flop = 2e-9 * (double)m * (double)n * (double)k;
      lun_tensor *x = random_tensor(cx, 2, (int64_t[]){ m, k }), *w = weight_of(cx, LUN_F32, n, k), *h = weight_of(cx, LUN_F16, n, k);
      printf("%6d %6d %6d %10.1f %10.1f %10.1f\n", (int)m, (int)n, (int)k, flop / time_linear(cx, x, w, times),
             flop / time_linear(cx, x, h, times), flop / time_blas(x, w, m, n, k, times));
      lun_scope_close(cx, mark, NULL);
    }
}

/* Weights of 64 M elements, so that no cache keeps them. */
static void few_rows(lun_ctx *cx) {
  static const struct { lun_dtype dtype; const char *name; double bytes; } type[] =
    { { LUN_F32, "f32", 4 }, { LUN_F16, "f16", 2 }, { LUN_Q8_0, "q8_0", 1.125 } };
  int64_t n = 16384, k = 1536;
  printf("\n%6s %6s %10s %10s\n", "M", "type", "GB/s", "ms");
  for (size_t i = 0; i < sizeof type / sizeof *type; i++)
    for (int64_t m = 1; m <= 8; m *= 2) {
      size_t      mark = lun_scope_open(cx);
      lun_tensor *x = random_tensor(cx, 2, (int64_t[]){ m, k }), *w = weight_of(cx, type[i].dtype, n, k);
      double      t = time_linear(cx, x, w, 12);
      printf("%6d %6s %10.1f %10.2f\n", (int)m, type[i].name, 1e-9 * type[i].bytes * (double)(n * k) / t, 1e3 * t);
      lun_scope_close(cx, mark, NULL);
    }
}

static void attention(lun_ctx *cx) {
  static const int64_t shape[][4] = { { 1, 6, 257, 257 }, { 8, 6, 257, 257 }, { 1, 6, 1, 257 }, { 3, 6, 1, 257 }, { 1, 12, 577, 577 }, { 1, 12, 1, 4096 } };
  printf("\n%6s %6s %6s %6s %10s %10s\n", "B", "H", "T", "S", "GFLOP/s", "us");
  for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
    const int64_t *s = shape[i];
    size_t      mark = lun_scope_open(cx);
    double      best = 1e9;
    lun_tensor *q = random_tensor(cx, 4, (int64_t[]){ s[0], s[1], s[2], 64 });
    lun_tensor *k = random_tensor(cx, 4, (int64_t[]){ s[0], s[1], s[3], 64 }), *v = random_tensor(cx, 4, (int64_t[]){ s[0], s[1], s[3], 64 });
    for (int run = 0; run < 40; run++) {
      size_t inner = lun_scope_open(cx);
      double t = now();
      lun_run(cx, LUN_OP_sdpa, 3, (lun_tensor *[]){ q, k, v }, 0, NULL, NULL);
      t = now() - t;
      lun_scope_close(cx, inner, NULL);
      if (t < best) best = t;
    }
    printf("%6d %6d %6d %6d %10.1f %10.1f\n", (int)s[0], (int)s[1], (int)s[2], (int)s[3],
           4e-9 * (double)(s[0] * s[1] * s[2] * s[3] * 64) / best, 1e6 * best);
    lun_scope_close(cx, mark, NULL);
  }
}

int main(int argc, char **argv) {
  int      threads = argc > 1 ? atoi(argv[1]) : 2;
  lun_ctx *cx = lun_open(threads);
  if (!cx) return 1;
  openblas_set_num_threads(threads);
  printf("%d threads, GFLOP/s\n", lun_threads(cx));
  products(cx);
  few_rows(cx);
  attention(cx);
  if (lun_error(cx) != LUN_OK) printf("%s\n", lun_message(cx));
  lun_close(cx);
  return 0;
}
