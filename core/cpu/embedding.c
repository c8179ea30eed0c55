/* embedding.c - rows of a table of any float type, by ids. */
#include "../dtype.h"
#include "../ops.h"

static void look_up(void *arg, int64_t begin, int64_t end) {
  const lun_call   *c = arg;
  const lun_tensor *weight = c->in[1];
  int64_t           size = weight->dim[1];
  for (int64_t i = begin; i < end; i++)
    lun_row_to_f32(weight->dtype, weight->data + lun_dtype_bytes(weight->dtype, i64(c->in[0])[i] * size), size, f32(c->out[0]) + i * size);
}

lun_status cpu_embedding(lun_call *c) {
  const int64_t *ids = i64(c->in[0]);
  int64_t        count = lun_count(c->in[0]), rows = c->in[1]->dim[0];
  for (int64_t i = 0; i < count; i++)
    if (ids[i] < 0 || ids[i] >= rows)
      return lun_fail(c->cx, LUN_EARG, "embedding: id %lld is outside the %lld rows of weight (from 0)", (long long)ids[i], (long long)rows);
  lun_parallel(c->cx, count, 32, look_up, c);
  return LUN_OK;
}
