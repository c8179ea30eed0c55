/* position.c - numbers that say how far a key is from a query: ALiBi's slopes, T5's buckets. */
#include "../ops.h"

/*
** 2^(-8 (i + 1) / P) for P heads, a power of two; for another number of heads
** those of the power below, then every second one of the power above
** (Press et al. 2021, arXiv:2108.12409, and its published code).
*/
lun_status cpu_alibi_slopes(lun_call *c) {
  float  *y = f32(c->out[0]);
  int64_t heads = c->out[0]->dim[0], power = 1;
  while (power * 2 <= heads) power *= 2;
  for (int64_t i = 0; i < heads; i++) {
    double exponent = i < power ? 8.0 * (double)(i + 1) / (double)power : 4.0 * (double)(2 * (i - power) + 1) / (double)power;
    y[i] = (float)exp2(-exponent);
  }
  return LUN_OK;
}

/*
** Near distances have a bucket each, far ones share theirs logarithmically up
** to max_distance (Raffel et al. 2019, arXiv:1910.10683).  In f32, as
** transformers computes it: the rounding decides at the edges of a bucket.
*/
lun_status cpu_relative_buckets(lun_call *c) {
  const int64_t *x = i64(c->in[0]);
  int64_t       *y = i64(c->out[0]);
  bool    both = c->p[0] != 0;
  int64_t count = lun_count(c->in[0]), buckets = (int64_t)c->p[1] / (both ? 2 : 1), exact = buckets / 2;
  float   span = (float)log(c->p[2] / (double)exact);
  for (int64_t i = 0; i < count; i++) {
    uint64_t size = x[i] < 0 ? -(uint64_t)x[i] : (uint64_t)x[i];
    uint64_t distance = both || x[i] < 0 ? size : 0;
    int64_t  far = buckets - 1;
    if (distance < (uint64_t)exact) {
      far = (int64_t)distance;
    } else {
      float place = logf((float)distance / (float)exact) / span * (float)(buckets - exact);
      if (place < (float)(buckets - 1 - exact)) far = exact + (int64_t)place;
    }
    y[i] = far + (both && x[i] > 0 ? buckets : 0);
  }
  return LUN_OK;
}
