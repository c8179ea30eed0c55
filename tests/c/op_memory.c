/* op_memory.c - operations whose n-th allocation fails, for every n: an error, no crash, no leak. */
#include "op_call.h"

/* Runs until it succeeds, with one allocation more allowed each time, in a context of its own that has kept nothing. */
static void starve(lun_op op, int count, const int64_t dim[][4], const int *ranks, int nparams, const double *params) {
  int refused = 0;
  for (long n = 1; n < 200; n++) {
    lun_ctx    *cx = lun_open(2);
    lun_tensor *in[LUN_MAXIN] = { NULL }, *y;
    for (int i = 0; i < count; i++) in[i] = padded_view(cx, random_tensor(cx, 0, ranks[i], dim[i]));
    if (op == LUN_OP_gather) in[1] = whole_tensor(cx, (int64_t[]){ 1, 0 }, DIM(2));
    if (op == LUN_OP_embedding) in[0] = padded_view(cx, whole_tensor(cx, (int64_t[]){ 1, 0 }, DIM(2)));
    lun_alloc_fail_at(n);
    y = lun_run(cx, op, count, in, nparams, params, NULL);
    lun_alloc_fail_at(0);
    CHECK(y || lun_error(cx) == LUN_EMEM, "%s at allocation %ld: %s", lun_op_info(op)->name, n, lun_message(cx));
    lun_close(cx);
    refused += !y;
    if (y) break;
  }
  CHECK(refused > 0 && refused < 199, "%s failed %d times", lun_op_info(op)->name, refused);
}

int main(void) {
  starve(LUN_OP_conv2d, 3, (int64_t[][4]){ { 2, 4, 9, 9 }, { 6, 2, 3, 3 }, { 6 } }, (int[]){ 4, 4, 1 }, PARAMS(2, 2, 1, 1, 1, 1, 2));
  starve(LUN_OP_conv_transpose2d, 3, (int64_t[][4]){ { 2, 4, 5, 5 }, { 4, 3, 3, 3 }, { 3 } }, (int[]){ 4, 4, 1 }, PARAMS(2));
  starve(LUN_OP_interpolate, 1, (int64_t[][4]){ { 1, 2, 7, 7 } }, (int[]){ 4 }, PARAMS(5, 9, 2, 0, 1));
  starve(LUN_OP_max_pool2d, 1, (int64_t[][4]){ { 1, 2, 7, 7 } }, (int[]){ 4 }, PARAMS(2));
  starve(LUN_OP_group_norm, 2, (int64_t[][4]){ { 1, 4, 7 }, { 4 } }, (int[]){ 3, 1 }, PARAMS(2));
  starve(LUN_OP_topk, 1, (int64_t[][4]){ { 3, 100 } }, (int[]){ 2 }, PARAMS(7));
  starve(LUN_OP_mean, 1, (int64_t[][4]){ { 3, 100 } }, (int[]){ 2 }, NONE);
  starve(LUN_OP_rope, 3, (int64_t[][4]){ { 2, 3, 4, 8 }, { 4 }, { 4 } }, (int[]){ 4, 1, 1 }, NONE);
  starve(LUN_OP_concat, 2, (int64_t[][4]){ { 2, 3 }, { 4, 3 } }, (int[]){ 2, 2 }, NONE);
  starve(LUN_OP_gather, 2, (int64_t[][4]){ { 3, 4 }, { 1 } }, (int[]){ 2, 1 }, NONE);
  starve(LUN_OP_embedding, 2, (int64_t[][4]){ { 1 }, { 3, 4 } }, (int[]){ 1, 2 }, NONE);
  starve(LUN_OP_cast, 1, (int64_t[][4]){ { 3, 4 } }, (int[]){ 2 }, PARAMS(LUN_F16));
  starve(LUN_OP_linear, 3, (int64_t[][4]){ { 3, 4 }, { 5, 4 }, { 5 } }, (int[]){ 2, 2, 1 }, NONE);
  starve(LUN_OP_sdpa, 4, (int64_t[][4]){ { 1, 2, 3, 4 }, { 1, 2, 5, 4 }, { 1, 2, 5, 4 }, { 3, 5 } }, (int[]){ 4, 4, 4, 2 }, NONE);
  return check_end();
}
