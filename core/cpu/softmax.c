/* softmax.c - softmax and its logarithm over the last axis. */
#include "isa.h"
#include "ops.h"

enum { GRAIN = 8192 };      /* elements worth a second thread */

typedef struct job {
  void       (*row)(const float *x, float *y, int64_t n);
  int64_t      columns;
  const float *x;
  float       *y;
} job;

static void run(void *arg, int64_t begin, int64_t end) {
  const job *j = arg;
  for (int64_t r = begin; r < end; r++) j->row(j->x + r * j->columns, j->y + r * j->columns, j->columns);
}

lun_status cpu_softmax(lun_call *c) {
  const lun_tensor *x = c->in[0];
  const cpu_isa    *isa = isa_now();
  job j = { c->op == LUN_OP_softmax ? isa->softmax : isa->log_softmax, lun_dim(x, -1), f32(x), f32(c->out[0]) };
  if (lun_count(x) == 0) return LUN_OK;
  lun_parallel(c->cx, lun_count(x) / j.columns, GRAIN / j.columns, run, &j);
  return LUN_OK;
}
