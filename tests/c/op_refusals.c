/* op_refusals.c - what operations refuse, by status and message. */
#include "op_call.h"

static lun_ctx *cx;

static lun_tensor *f(int rank, const int64_t *dim) { return random_tensor(cx, 0, rank, dim); }

static lun_tensor *ids(int rank, const int64_t *dim) {
  lun_tensor *t = lun_make(cx, LUN_I64, rank, dim);
  if (t) memset(t->data, 0, lun_bytes(t));
  return t;
}

static lun_tensor *as(lun_tensor *x, lun_dtype dtype) { return lun_run(cx, LUN_OP_cast, 1, &x, 1, (double[]){ dtype }, NULL); }

#define REFUSED(op, ...) expect_refusal(cx, LUN_OP_##op, __VA_ARGS__)

static void check_elements(void) {
  lun_tensor *x = f(DIM(2, 3)), *i = ids(DIM(2, 3));
  REFUSED(add, IN(x, f(DIM(2, 4))), NONE, LUN_ESHAPE, "add: a is [2, 3] and b is [2, 4], which do not broadcast together");
  REFUSED(add, IN(x, i), NONE, LUN_EDTYPE, "add: b is i64, wanted f32");
  REFUSED(mul, IN(i, x), NONE, LUN_EDTYPE, "mul: b is f32, wanted i64");
  REFUSED(div, IN(i, i), NONE, LUN_EDTYPE, "div: a is i64, wanted f32");
  REFUSED(exp, IN(i), NONE, LUN_EDTYPE, "exp: x is i64, wanted f32");
  REFUSED(softmax, IN(f(0, NULL)), NONE, LUN_ESHAPE, "softmax: x is [], wanted at least 1 dimensions");
  REFUSED(layer_norm, IN(x, f(DIM(4))), NONE, LUN_ESHAPE, "layer_norm: weight is [4], wanted [3] to fit x [2, 3]");
  REFUSED(layer_norm, IN(x, f(DIM(3)), f(DIM(1, 3))), NONE, LUN_ESHAPE, "layer_norm: bias is [1, 3], wanted [3] to fit x [2, 3]");
  REFUSED(layer_norm, IN(x), PARAMS(-1), LUN_EARG, "layer_norm: eps is -1, wanted a finite number of at least 0");
  REFUSED(rms_norm, IN(x, as(f(DIM(3)), LUN_F16)), NONE, LUN_EDTYPE, "rms_norm: weight is f16, wanted f32");
  REFUSED(rms_norm, IN(x), PARAMS(1e-6, INFINITY), LUN_EARG, "rms_norm: weight_offset is inf, wanted a finite number");
  REFUSED(group_norm, IN(f(DIM(1, 6, 2))), PARAMS(4), LUN_ESHAPE, "group_norm: 4 groups do not divide 6 channels");
  REFUSED(group_norm, IN(f(DIM(1, 6, 2))), NONE, LUN_EARG, "group_norm: groups is missing");
  REFUSED(group_norm, IN(f(DIM(1, 6, 2))), PARAMS(1.5), LUN_EARG, "group_norm: groups is 1.5, wanted a whole number of at least 1");
  REFUSED(group_norm, IN(f(DIM(6))), PARAMS(1), LUN_ESHAPE, "group_norm: x is [6], wanted at least 2 dimensions");
  REFUSED(batch_norm, IN(f(DIM(1, 6, 2)), f(DIM(6)), f(DIM(5))), NONE, LUN_ESHAPE, "batch_norm: var is [5], wanted [6] to fit x [1, 6, 2]");
  REFUSED(batch_norm, IN(f(DIM(1, 6, 2)), f(DIM(6))), NONE, LUN_EARG, "batch_norm: var is missing");
}

static void check_products(void) {
  lun_tensor *x = f(DIM(2, 257, 384)), *q = f(DIM(2, 6, 5, 8)), *k = f(DIM(2, 3, 7, 8));
  REFUSED(linear, IN(x, f(DIM(384, 100))), NONE, LUN_ESHAPE, "linear: weight is [384, 100], wanted [*, 384] to fit x [2, 257, 384]");
  REFUSED(linear, IN(x, f(DIM(100, 384))), PARAMS(1), LUN_ESHAPE, "linear: weight is [100, 384], wanted [384, *] to fit x [2, 257, 384]");
  REFUSED(linear, IN(x, f(DIM(384))), NONE, LUN_ESHAPE, "linear: weight is [384], wanted [*, 384] to fit x [2, 257, 384]");
  REFUSED(linear, IN(x, f(DIM(100, 384)), f(DIM(99))), NONE, LUN_ESHAPE, "linear: bias is [99], wanted [100] to fit weight [100, 384]");
  REFUSED(linear, IN(x, ids(DIM(100, 384))), NONE, LUN_EDTYPE, "linear: weight is i64, wanted f32, f16, bf16, f64 or q8_0");
  REFUSED(linear, IN(x, f(DIM(100, 384))), PARAMS(0, 6), LUN_EARG, "linear: activation is 6, wanted a whole number from 0 to 5");
  REFUSED(linear, IN(x, f(DIM(100, 384))), PARAMS(2), LUN_EARG, "linear: transposed is 2, wanted a whole number from 0 to 1");
  REFUSED(matmul, IN(f(DIM(2, 3)), f(DIM(4, 5))), NONE, LUN_ESHAPE,
          "matmul: a is [2, 3] and b is [4, 5], wanted [..., M, K] and [..., K, N] with leading axes that broadcast");
  REFUSED(matmul, IN(f(DIM(2, 3)), f(DIM(3, 5))), PARAMS(1), LUN_ESHAPE,
          "matmul: a is [2, 3] and b is [3, 5], wanted [..., M, K] and [..., N, K] with leading axes that broadcast");
  REFUSED(matmul, IN(f(DIM(2, 2, 3)), f(DIM(3, 3, 5))), NONE, LUN_ESHAPE,
          "matmul: a is [2, 2, 3] and b is [3, 3, 5], wanted [..., M, K] and [..., K, N] with leading axes that broadcast");
  REFUSED(matmul, IN(f(DIM(3)), f(DIM(3, 5))), NONE, LUN_ESHAPE, "matmul: a is [3], wanted at least 2 dimensions");
  REFUSED(sdpa, IN(f(DIM(6, 5, 8)), k, k), NONE, LUN_ESHAPE, "sdpa: q is [6, 5, 8], wanted 4 dimensions");
  REFUSED(sdpa, IN(q, f(DIM(2, 4, 7, 8)), f(DIM(2, 4, 7, 8))), NONE, LUN_ESHAPE, "sdpa: 4 heads of k do not divide 6 heads of q");
  REFUSED(sdpa, IN(q, f(DIM(2, 3, 7, 9)), k), NONE, LUN_ESHAPE, "sdpa: k is [2, 3, 7, 9], wanted [*, *, *, 8] to fit q [2, 6, 5, 8]");
  REFUSED(sdpa, IN(q, k, f(DIM(2, 3, 6, 8))), NONE, LUN_ESHAPE, "sdpa: v is [2, 3, 6, 8], wanted [2, 3, 7, 8] to fit k [2, 3, 7, 8]");
  REFUSED(sdpa, IN(q, f(DIM(1, 3, 7, 8)), f(DIM(1, 3, 7, 8))), NONE, LUN_ESHAPE,
          "sdpa: k is [1, 3, 7, 8], wanted [2, *, *, 8] to fit q [2, 6, 5, 8]");
  REFUSED(sdpa, IN(q, k, k, f(DIM(5, 6))), NONE, LUN_ESHAPE, "sdpa: mask is [5, 6], which does not broadcast to [B, H, T, S] = [2, 6, 5, 7]");
  REFUSED(sdpa, IN(q, k, k, NULL, ids(DIM(3))), NONE, LUN_ESHAPE, "sdpa: rows is [3], wanted [2] to fit q [2, 6, 5, 8]");
  REFUSED(sdpa, IN(q, k, k, NULL, whole_tensor(cx, (int64_t[]){ 1, 2 }, DIM(2))), NONE, LUN_EARG,
          "sdpa: rows[1] is 2, outside the 2 rows of k (from 0)");
  REFUSED(sdpa, IN(q, k, k), PARAMS(-1), LUN_EARG, "sdpa: scale is -1, wanted a finite number of at least 0");
}

static void check_tables(void) {
  lun_tensor *x = f(DIM(2, 3, 5, 8)), *table = f(DIM(10, 4));
  REFUSED(embedding, IN(f(DIM(2)), table), NONE, LUN_EDTYPE, "embedding: ids is f32, wanted i64");
  REFUSED(embedding, IN(whole_tensor(cx, (int64_t[]){ 3, 10 }, DIM(2)), table), NONE, LUN_EARG,
          "embedding: id 10 is outside the 10 rows of weight (from 0)");
  REFUSED(embedding, IN(whole_tensor(cx, (int64_t[]){ -1 }, DIM(1)), table), NONE, LUN_EARG,
          "embedding: id -1 is outside the 10 rows of weight (from 0)");
  REFUSED(rope, IN(x, ids(DIM(4)), f(DIM(4))), NONE, LUN_ESHAPE, "rope: positions is [4], wanted [5] to fit x [2, 3, 5, 8]");
  REFUSED(rope, IN(x, ids(DIM(1, 5)), f(DIM(4))), NONE, LUN_ESHAPE, "rope: positions is [1, 5], wanted [2, 5] to fit x [2, 3, 5, 8]");
  REFUSED(rope, IN(x, ids(DIM(5)), f(DIM(5))), NONE, LUN_ESHAPE, "rope: inv_freq has 5 frequencies, at most 4 for 8 channels");
  REFUSED(rope, IN(x, as(ids(DIM(5)), LUN_I32), f(DIM(4))), NONE, LUN_EDTYPE, "rope: positions is i32, wanted f32");
  REFUSED(alibi_slopes, NONE, PARAMS(0), LUN_EARG, "alibi_slopes: heads is 0, wanted a whole number from 1 to 65536");
  REFUSED(relative_buckets, IN(ids(DIM(2))), PARAMS(1, 3), LUN_EARG, "relative_buckets: num_buckets is 3, wanted a whole number of at least 4");
  REFUSED(relative_buckets, IN(ids(DIM(2))), PARAMS(0, 32, 16), LUN_EARG, "relative_buckets: max_distance is 16, wanted a whole number of at least 17");
}

static void check_pictures(void) {
  lun_tensor *x = f(DIM(1, 4, 5, 6)), *w = f(DIM(6, 4, 3, 3));
  REFUSED(conv2d, IN(f(DIM(4, 5, 6)), w), NONE, LUN_ESHAPE, "conv2d: x is [4, 5, 6], wanted 4 dimensions");
  REFUSED(conv2d, IN(x, f(DIM(6, 3, 3, 3))), NONE, LUN_ESHAPE, "conv2d: weight is [6, 3, 3, 3], wanted [*, 4, *, *] to fit x [1, 4, 5, 6]");
  REFUSED(conv2d, IN(x, w, f(DIM(4))), NONE, LUN_ESHAPE, "conv2d: bias is [4], wanted [6] to fit weight [6, 4, 3, 3]");
  REFUSED(conv2d, IN(x, w), PARAMS(1, 1, 0, 0, 1, 1, 3), LUN_ESHAPE, "conv2d: 3 groups do not divide the channels of x [1, 4, 5, 6]");
  REFUSED(conv2d, IN(x, f(DIM(3, 2, 3, 3))), PARAMS(1, 1, 0, 0, 1, 1, 2), LUN_ESHAPE, "conv2d: 2 groups do not divide the outputs of weight [3, 2, 3, 3]");
  REFUSED(conv2d, IN(x, w), PARAMS(0), LUN_EARG, "conv2d: stride is 0, wanted a whole number of at least 1");
  REFUSED(conv2d, IN(x, w), PARAMS(1, 1, 0, 0, 3, 1), LUN_ESHAPE, "conv2d: a kernel [3, 3] has no place in x [1, 4, 5, 6] with padding [0, 0]");
  REFUSED(conv2d, IN(x, f(DIM(6, 4, 0, 3))), NONE, LUN_ESHAPE, "conv2d: a kernel [0, 3] has no place in x [1, 4, 5, 6] with padding [0, 0]");
  REFUSED(conv2d, IN(x, w), PARAMS(1, 1, -1), LUN_EARG, "conv2d: padding is -1, wanted a whole number of at least 0");
  REFUSED(conv2d, IN(x, as(w, LUN_F16)), NONE, LUN_EDTYPE, "conv2d: weight is f16, wanted f32");
  REFUSED(conv_transpose2d, IN(x, f(DIM(3, 4, 2, 2))), NONE, LUN_ESHAPE, "conv_transpose2d: weight is [3, 4, 2, 2], wanted [4, *, *, *] to fit x [1, 4, 5, 6]");
  REFUSED(conv_transpose2d, IN(x, f(DIM(4, 4, 2, 2))), PARAMS(2, 2, 0, 0, 2, 0), LUN_EARG,
          "conv_transpose2d: output_padding is 2, wanted less than stride 2 or dilation 1");
  REFUSED(conv_transpose2d, IN(x, f(DIM(4, 4, 2, 2))), PARAMS(1, 1, 5, 5), LUN_ESHAPE,
          "conv_transpose2d: a kernel [2, 2] has no place in x [1, 4, 5, 6] with padding [5, 5]");
  REFUSED(conv_transpose2d, IN(x, f(DIM(4, 4, 2, 2))), PARAMS(1e9, 1e9, 0, 0, 0, 0, 1, 1e9, 1e9), LUN_ESHAPE,
          "no tensor can have shape [1, 4, 5000000001, 6000000001] of type f32");
  REFUSED(max_pool2d, IN(x), NONE, LUN_EARG, "max_pool2d: kernel is missing");
  REFUSED(max_pool2d, IN(x), PARAMS(3, 3, 1, 1, 2, 0), LUN_EARG, "max_pool2d: padding is 2, wanted at most half the kernel's 3");
  REFUSED(avg_pool2d, IN(x), PARAMS(6, 6), LUN_ESHAPE, "avg_pool2d: a kernel [6, 6] has no place in x [1, 4, 5, 6] with padding [0, 0]");
  REFUSED(interpolate, IN(x), NONE, LUN_EARG, "interpolate: size or scale is missing");
  REFUSED(interpolate, IN(x), PARAMS(2, 2, 1, 0, 0, 2, 2), LUN_EARG, "interpolate: size and scale are given, wanted one of them");
  REFUSED(interpolate, IN(x), PARAMS(0, 2), LUN_EARG, "interpolate: size is 0, wanted a whole number of at least 1");
  REFUSED(interpolate, IN(x), PARAMS(2, 2, 0, 1), LUN_EARG, "interpolate: align_corners goes with bilinear and bicubic only");
  REFUSED(interpolate, IN(x), PARAMS(2, 2, 0, 0, 1), LUN_EARG, "interpolate: antialias goes with bilinear and bicubic only");
  REFUSED(interpolate, IN(x), PARAMS(NAN, NAN, 1, 0, 0, 0.1, 1), LUN_EARG, "interpolate: scale is 0.1, which makes 5 pixels 0.5");
  REFUSED(interpolate, IN(f(DIM(1, 1, 0, 3))), PARAMS(2, 2), LUN_ESHAPE, "interpolate: x is [1, 1, 0, 3], an empty picture");
}

static void check_rows(void) {
  lun_tensor *x = f(DIM(2, 5));
  REFUSED(sum, IN(x), PARAMS(2), LUN_EARG, "sum: axis 3 of a tensor of 2 dimensions");
  REFUSED(sum, IN(x), PARAMS(-3), LUN_EARG, "sum: axis -3 of a tensor of 2 dimensions");
  REFUSED(argmax, IN(f(DIM(2, 0))), NONE, LUN_ESHAPE, "argmax: x is [2, 0], nothing along axis 2");
  REFUSED(max, IN(f(0, NULL)), NONE, LUN_ESHAPE, "max: x is [], wanted at least 1 dimensions");
  REFUSED(topk, IN(x), PARAMS(6), LUN_EARG, "topk: k is 6, wanted a whole number from 1 to 5");
  REFUSED(topk, IN(x), NONE, LUN_EARG, "topk: k is missing");
  REFUSED(topk, IN(f(DIM(2, 0))), PARAMS(1), LUN_ESHAPE, "topk: 0 values in a row, wanted 1 to 4294967295");
}

static void check_places(void) {
  lun_tensor *x = f(DIM(2, 5)), *q = as(f(DIM(2, 64)), LUN_Q8_0), *constant = lun_from_memory(cx, LUN_F32, DIM(1, 4), (float[]){ 0, 1, 2, 3 }, NULL, NULL);
  REFUSED(cast, IN(x), PARAMS(LUN_Q8_0), LUN_ESHAPE, "cast: x is [2, 5], wanted a last dimension that is a multiple of 32 for q8_0");
  REFUSED(cast, IN(x), PARAMS(8), LUN_EARG, "cast: dtype is 8, wanted a whole number from 0 to 7");
  REFUSED(concat, IN(x, f(DIM(3, 4))), NONE, LUN_ESHAPE, "concat: b is [3, 4], wanted [*, 5] to fit a [2, 5]");
  REFUSED(concat, IN(x, f(DIM(2, 5, 1))), NONE, LUN_ESHAPE, "concat: b is [2, 5, 1], wanted [*, 5] to fit a [2, 5]");
  REFUSED(concat, IN(x, ids(DIM(2, 5))), NONE, LUN_EDTYPE, "concat: b is i64, wanted f32");
  REFUSED(gather, IN(x, whole_tensor(cx, (int64_t[]){ 0, 2 }, DIM(2))), NONE, LUN_EARG, "gather: index[1] is 2, outside the 2 of axis 1 (from 0)");
  REFUSED(gather, IN(x, whole_tensor(cx, (int64_t[]){ -1 }, DIM(1))), NONE, LUN_EARG, "gather: index[0] is -1, outside the 2 of axis 1 (from 0)");
  REFUSED(gather, IN(x, ids(DIM(1, 1))), NONE, LUN_ESHAPE, "gather: index is [1, 1], wanted 1 dimensions");
  REFUSED(gather, IN(q, ids(DIM(1))), PARAMS(1), LUN_EDTYPE, "gather: the last axis of q8_0 is stored in blocks");
  REFUSED(pick, IN(x, whole_tensor(cx, (int64_t[]){ 0, 5 }, DIM(2, 1))), NONE, LUN_EARG,
          "pick: index[0] of row 1 is 5, outside the 5 of the last axis (from 0)");
  REFUSED(put, IN(x, whole_tensor(cx, (int64_t[]){ -1, 0 }, DIM(2, 1)), f(DIM(2, 1))), NONE, LUN_EARG,
          "put: index[0] of row 0 is -1, outside the 5 of the last axis (from 0)");
  REFUSED(pick, IN(x, ids(DIM(3, 1))), NONE, LUN_ESHAPE, "pick: index is [3, 1], wanted [2, *] to fit x [2, 5]");
  REFUSED(pick, IN(q, ids(DIM(2, 1))), NONE, LUN_EDTYPE, "pick: x is q8_0, whose elements do not stand alone");
  REFUSED(put, IN(constant, ids(DIM(1, 1)), f(DIM(1, 1))), NONE, LUN_EARG, "put: a constant tensor cannot be written");
  REFUSED(put, IN(x, ids(DIM(2, 2)), f(DIM(2, 1))), NONE, LUN_ESHAPE, "put: values is [2, 1], wanted [2, 2] to fit index [2, 2]");
  REFUSED(put, IN(x, ids(DIM(2, 2)), ids(DIM(2, 2))), NONE, LUN_EDTYPE, "put: values is i64, wanted f32");
  REFUSED(fill, NONE, PARAMS(2, -1), LUN_EARG, "fill: shape is -1, wanted a whole number of at least 0");
  REFUSED(fill, NONE, PARAMS(1e15, 1e15), LUN_ESHAPE, "no tensor can have shape [1000000000000000, 1000000000000000] of type f32");
  REFUSED(arange, NONE, PARAMS(0), LUN_EARG, "arange: stop is missing");
  REFUSED(arange, NONE, PARAMS(0, 5, 0), LUN_EARG, "arange: from 0 below 5 in steps of 0 has no end");
  REFUSED(arange, NONE, PARAMS(0, INFINITY), LUN_EARG, "arange: stop is inf, wanted a finite number");
}

int main(void) {
  cx = lun_open(1);
  check_elements();
  check_products();
  check_tables();
  check_pictures();
  check_rows();
  check_places();
  lun_close(cx);
  return check_end();
}
