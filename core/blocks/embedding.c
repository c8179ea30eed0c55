/* embedding.c - the block 'embedding': rows of a table by id. */
#include "blocks.h"

static const lun_arg args[] = {
  { LUN_TENSOR, 1, "weight", 0, 0, "[V, C], any float type or q8_0" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};
static const lun_arg inputs[] = {
  { LUN_TENSOR, 1, "ids", 0, 0, "[...] i64, from 0" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};

static lun_status init(lun_ctx *cx, void *state, const lun_args *a) {
  (void)cx;
  *(lun_tensor **)state = lun_hold(tensor_at(a, "", "weight"));
  return LUN_OK;
}

static lun_tensor *forward(lun_ctx *cx, void *state, const lun_args *in) {
  return lun_run(cx, LUN_OP_embedding, 2, (lun_tensor *[]){ tensor_at(in, "", "ids"), *(lun_tensor **)state }, 0, NULL, NULL);
}

static void drop(void *state) { lun_drop(*(lun_tensor **)state); }

const lun_block block_embedding = {
  sizeof(lun_block), sizeof(lun_tensor *), "embedding", "rows of a table: ids [...] -> [..., C]", args, inputs, init, forward, drop
};
