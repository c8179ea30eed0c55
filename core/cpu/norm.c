/* norm.c - layer norm and RMS norm over the last axis. */
#include "isa.h"
#include "ops.h"

enum { GRAIN = 16384 };     /* elements worth a second thread */

typedef struct job {
  const cpu_isa *isa;
  bool           rms;
  int64_t        columns;
  const float   *x, *weight, *bias;
  float         *y, eps, offset;
} job;

static void run(void *arg, int64_t begin, int64_t end) {
  const job *j = arg;
  for (int64_t r = begin; r < end; r++) {
    const float *x = j->x + r * j->columns;
    float       *y = j->y + r * j->columns;
    if (j->rms) j->isa->rms_norm(x, y, j->columns, j->weight, j->eps, j->offset);
    else j->isa->layer_norm(x, y, j->columns, j->weight, j->bias, j->eps);
  }
}

static lun_status norm(lun_call *c, bool rms) {
  const lun_tensor *x = c->in[0];
  job j = { .isa = isa_now(), .rms = rms, .columns = lun_dim(x, -1), .x = f32(x), .y = f32(c->out[0]), .eps = (float)c->p[0] };
  if (lun_count(x) == 0) return LUN_OK;
  if (c->in[1]) j.weight = f32(c->in[1]);
  if (rms) j.offset = (float)c->p[1];
  else if (c->in[2]) j.bias = f32(c->in[2]);
  lun_parallel(c->cx, lun_count(x) / j.columns, GRAIN / j.columns, run, &j);
  return LUN_OK;
}

lun_status cpu_layer_norm(lun_call *c) { return norm(c, false); }
lun_status cpu_rms_norm(lun_call *c) { return norm(c, true); }
