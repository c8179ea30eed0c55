/* group_norm.c - normalisation over groups of channels, and by given statistics (batch_norm). */
#include "../ops.h"
#include "sum.h"

/* x [B, C, inner]; planes are its B C rows. */
typedef struct planes {
  const float *x, *weight, *bias, *mean, *var;
  float       *y;
  int64_t      channels, inner, in_group;
  double       eps;
} planes;

static planes planes_of(const lun_call *c, int weight, double eps) {
  const lun_tensor *x = c->in[0];
  planes p = { .x = f32(x), .y = f32(c->out[0]), .channels = x->dim[1], .inner = 1, .eps = eps };
  for (int i = 2; i < x->rank; i++) p.inner *= x->dim[i];
  if (c->in[weight]) p.weight = f32(c->in[weight]);
  if (c->in[weight + 1]) p.bias = f32(c->in[weight + 1]);
  return p;
}

/* (x - mean) scale weight + bias over one plane */
static void normalise(const planes *p, int64_t plane, double mean, double scale) {
  int64_t      channel = plane % p->channels;
  const float *x = p->x + plane * p->inner;
  float       *y = p->y + plane * p->inner;
  float        centre = (float)mean, low = (float)(mean - (double)centre);   /* what the mean loses as f32 */
  float        factor = (float)(scale * (p->weight ? (double)p->weight[channel] : 1.0));
  float        shift = p->bias ? p->bias[channel] : 0.0f;
  for (int64_t i = 0; i < p->inner; i++) y[i] = (x[i] - centre - low) * factor + shift;
}

/* Mean and variance in f64, two passes. */
static void groups(void *arg, int64_t begin, int64_t end) {
  const planes *p = arg;
  int64_t       n = p->in_group * p->inner;
  for (int64_t group = begin; group < end; group++) {
    const float *x = p->x + group * n;
    double       mean = row_sum(x, n) / (double)n, var = row_squares(x, n, mean) / (double)n;
    for (int64_t k = 0; k < p->in_group; k++) normalise(p, group * p->in_group + k, mean, 1.0 / sqrt(var + p->eps));
  }
}

lun_status cpu_group_norm(lun_call *c) {
  planes  p = planes_of(c, 1, c->p[1]);
  int64_t count = (int64_t)c->p[0];
  p.in_group = p.channels / count;
  if (lun_count(c->in[0]) > 0) lun_parallel(c->cx, c->in[0]->dim[0] * count, 1, groups, &p);
  return LUN_OK;
}

static void given(void *arg, int64_t begin, int64_t end) {
  const planes *p = arg;
  for (int64_t plane = begin; plane < end; plane++) {
    int64_t channel = plane % p->channels;
    normalise(p, plane, (double)p->mean[channel], 1.0 / sqrt((double)p->var[channel] + p->eps));
  }
}

lun_status cpu_batch_norm(lun_call *c) {
  planes p = planes_of(c, 3, c->p[0]);
  p.mean = f32(c->in[1]);
  p.var = f32(c->in[2]);
  if (lun_count(c->in[0]) > 0) lun_parallel(c->cx, c->in[0]->dim[0] * p.channels, 1 + 8192 / p.inner, given, &p);
  return LUN_OK;
}
