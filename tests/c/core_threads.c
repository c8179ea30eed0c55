/*
** core_threads.c - contexts on several threads at once: the plugin table, the free lists, the choice
** of kernels and everything else that a process has once.  Each thread has a context of its own and
** must find the numbers that one thread alone finds; tests/source/races.lua runs this under
** ThreadSanitizer.
*/
#include <pthread.h>
#include "op_call.h"
#include "lun_files.h"
#include "lun_host.h"
#include "plugin_build.h"

enum { THREADS = 4, ROUNDS = 6, STEPS = 7 };

static const char        *plugin_path;
static pthread_barrier_t  start;

typedef struct worker {
  pthread_t thread;
  int       wrong, failed;             /* results that differ, calls that failed */
  char      message[256];
  float     sum[STEPS];                /* of each result: the first of its numbers, and all of them */
} worker;

/* Numbers that depend on 'seed' alone; noise() of op_call.h has a state for the whole process. */
static lun_tensor *numbers(lun_ctx *cx, unsigned seed, int rank, const int64_t *dim) {
  lun_tensor *t = lun_make(cx, LUN_F32, rank, dim);
  for (int64_t i = 0; t && i < lun_count(t); i++) {
    seed = seed * 1664525u + 1013904223u;
    f32(t)[i] = (float)(seed >> 8) / 8388608.0f - 1;
  }
  return t;
}

static float total(lun_tensor *t) {
  const float *v = t ? lun_data(t) : NULL;
  float        sum = 0;
  for (int64_t i = 0; v && i < lun_count(t); i++) sum = sum * 0.75f + v[i];
  return sum;
}

/* A constant weight of a type that 'linear' packs. */
static lun_tensor *weight(lun_ctx *cx, lun_dtype dtype) {
  lun_tensor *t = numbers(cx, 7, DIM(96, 64));
  t = lun_run(cx, LUN_OP_cast, 1, &t, PARAMS(dtype), NULL);
  if (t) t->constant = true;
  return t;
}

static void compute(lun_ctx *cx, float sum[STEPS]) {
  lun_tensor *x = numbers(cx, 1, DIM(40, 64)), *large = numbers(cx, 2, DIM(300, 300)), *q = numbers(cx, 3, DIM(2, 4, 20, 16));
  sum[0] = total(lun_linear(cx, x, weight(cx, LUN_F32), NULL, false, 0));
  sum[1] = total(lun_linear(cx, x, weight(cx, LUN_F16), NULL, false, 1));
  sum[2] = total(lun_linear(cx, x, weight(cx, LUN_Q8_0), NULL, false, 0));
  sum[3] = total(lun_run(cx, LUN_OP_softmax, IN(large), NONE, NULL));
  sum[4] = total(lun_run(cx, LUN_OP_sdpa, IN(q, q, q), NONE, NULL));
  sum[5] = total(lun_run(cx, LUN_OP_conv2d, IN(numbers(cx, 4, DIM(1, 3, 28, 28)), numbers(cx, 5, DIM(8, 3, 7, 7))), PARAMS(7, 7), NULL));
  sum[6] = total(lun_add(cx, large, large));
}

static void note(worker *w, lun_ctx *cx) {
  w->failed++;
  snprintf(w->message, sizeof w->message, "%.200s", lun_message(cx));
}

/* Plugins open once, whoever comes first, and their functions can be called by all. */
static void use_plugins(worker *w, lun_ctx *cx) {
  lun_plugin     *builtin = lun_plugin_builtin(cx), *every = lun_plugin_load(cx, plugin_path);
  const lun_block *block = builtin ? lun_plugin_block(builtin, 0) : NULL;
  if (!builtin || !block || !every || lun_plugin_find(lun_plugin_facts(every)->name) != every) note(w, cx);
}

/* An error belongs to its context. */
static void fail_once(worker *w, lun_ctx *cx) {
  lun_weights_open(cx, "no/such/file");
  if (lun_error(cx) != LUN_EIO) note(w, cx);
  lun_clear(cx);
}

static void *work(void *arg) {
  worker *w = arg;
  float   sum[STEPS];
  pthread_barrier_wait(&start);
  for (int round = 0; round < ROUNDS; round++) {
    lun_ctx *cx = lun_open(2);
    use_plugins(w, cx);
    fail_once(w, cx);
    compute(cx, round == 0 ? w->sum : sum);
    if (lun_error(cx) != LUN_OK) note(w, cx);
    if (round > 0 && memcmp(sum, w->sum, sizeof sum) != 0) w->wrong++;
    lun_close(cx);
  }
  return NULL;
}

int main(void) {
  worker   w[THREADS] = { 0 };
  float    alone[STEPS];
  lun_ctx *cx;
  plugin_path = build_every();
  if (!CHECK(plugin_path, "tests/plugins/every.c")) return check_end();
  pthread_barrier_init(&start, NULL, THREADS);
  for (int i = 0; i < THREADS; i++) CHECK(pthread_create(&w[i].thread, NULL, work, &w[i]) == 0);
  for (int i = 0; i < THREADS; i++) pthread_join(w[i].thread, NULL);
  pthread_barrier_destroy(&start);
  cx = lun_open(1);
  compute(cx, alone);
  CHECK(lun_error(cx) == LUN_OK, "%s", lun_message(cx));
  lun_close(cx);
  for (int i = 0; i < THREADS; i++) {
    CHECK(w[i].failed == 0, "thread %d: %d calls failed: %s", i, w[i].failed, w[i].message);
    CHECK(w[i].wrong == 0, "thread %d: %d rounds differ from its first", i, w[i].wrong);
    CHECK(memcmp(w[i].sum, alone, sizeof alone) == 0, "thread %d differs from one thread alone", i);
  }
  return check_end();
}
