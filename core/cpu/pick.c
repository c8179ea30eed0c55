/*
** pick.c - single elements of the rows of a tensor: pick reads, put writes.
** Both touch what the index names and nothing else: a logits processor bans a
** token without a pass over the vocabulary.
*/
#include <string.h>
#include "../ops.h"
#include "rows.h"

/* Calls of both: x [..., V] of any strides, index [..., J]. */
static lun_status each(lun_call *c, void (*move)(char *x, char *value, size_t unit), char *values) {
  lun_tensor    *x = c->in[0];
  const int64_t *index = i64(c->in[1]);
  int            last = x->rank - 1;
  size_t         unit = lun_dtype_bytes(x->dtype, 1);
  int64_t        places = c->in[1]->dim[last], rows = places > 0 ? lun_count(c->in[1]) / places : 0;
  for (int64_t row = 0; row < rows; row++) {
    char *at = x->data + row_offset(x, last, row) * (int64_t)unit;
    for (int64_t j = 0; j < places; j++, index++, values += unit) {
      if (*index < 0 || *index >= x->dim[last])
        return lun_fail(c->cx, LUN_EARG, "%s: index[%lld] of row %lld is %lld, outside the %lld of the last axis (from 0)", c->name,
                        (long long)j, (long long)row, (long long)*index, (long long)x->dim[last]);
      move(at + *index * x->stride[last] * (int64_t)unit, values, unit);
    }
  }
  return LUN_OK;
}

static void read(char *x, char *value, size_t unit) { memcpy(value, x, unit); }
static void write(char *x, char *value, size_t unit) { memcpy(x, value, unit); }

lun_status cpu_pick(lun_call *c) { return each(c, read, c->out[0]->data); }
lun_status cpu_put(lun_call *c) { return each(c, write, c->in[2]->data); }
