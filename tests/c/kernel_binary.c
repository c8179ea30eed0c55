/* kernel_binary.c - arithmetic of tensors that broadcast, against loops over every index. */
#include "op_call.h"

static lun_ctx *cx;

static double calculated(lun_op op, double a, double b) {
  switch (op) {
    case LUN_OP_add: return a + b;
    case LUN_OP_sub: return a - b;
    case LUN_OP_mul: return a * b;
    case LUN_OP_div: return a / b;
    case LUN_OP_maximum: return isnan(a) || a > b ? a : b;
    default: return isnan(a) || a < b ? a : b;
  }
}

/* Place in t of element i of y. */
static int64_t place(const lun_tensor *t, const lun_tensor *y, int64_t i) {
  int64_t at = 0;
  for (int axis = -1; axis >= -y->rank; axis--) {
    if (-axis <= t->rank && lun_dim(t, axis) > 1) at += i % lun_dim(y, axis) * t->stride[t->rank + axis];
    i /= lun_dim(y, axis);
  }
  return at;
}

static void check(lun_tensor *a, lun_tensor *b) {
  static const lun_op ops[] = { LUN_OP_add, LUN_OP_sub, LUN_OP_mul, LUN_OP_div, LUN_OP_maximum, LUN_OP_minimum };
  bool whole = a->dtype == LUN_I64;
  for (int o = 0; o < (whole ? 3 : 6); o++) {
    lun_tensor *y = call_op(cx, ops[o], IN(a, b), NONE, NULL);
    int64_t     bad = -1;
    for (int64_t i = 0; y && i < lun_count(y) && bad < 0; i++) {
      int64_t p = place(a, y, i), q = place(b, y, i);
      if (whole) {
        if (i64(y)[i] != (int64_t)calculated(ops[o], (double)i64(a)[p], (double)i64(b)[q])) bad = i;
      } else {
        float want = (float)calculated(ops[o], (double)f32(a)[p], (double)f32(b)[q]);      /* one rounding: f64 holds the rest */
        if (memcmp(&want, &f32(y)[i], sizeof want) != 0 && !(isnan(want) && isnan(f32(y)[i]))) bad = i;
      }
    }
    CHECK(y && bad < 0, "%s: element %lld", lun_op_info(ops[o])->name, (long long)bad);
  }
}

#define F(...) random_tensor(cx, 0.1, DIM(__VA_ARGS__))

int main(void) {
  cx = lun_open(2);
  check(F(1), F(1));
  check(F(5, 7), F(5, 7));
  check(F(5, 7), F(7));
  check(F(7), F(5, 7));
  check(F(5, 7), F(5, 1));
  check(F(5, 1), F(1, 7));
  check(F(2, 3, 4, 5), F(3, 1, 5));
  check(F(2, 3, 4, 5), F(2, 1, 1, 5));
  check(F(2, 1, 4, 1, 3), F(5, 1, 2, 3));
  check(F(2, 3, 2, 2, 3, 2), F(2, 3, 1, 2, 1, 1));
  check(F(40, 1031), F(1031));
  check(F(0, 5), F(1, 5));
  check(lun_permute(cx, F(6, 5, 4), (int[]){ 2, 0, 1 }), F(4, 6, 5));
  check(lun_permute(cx, F(6, 5), (int[]){ 1, 0 }), F(1));
  check(lun_narrow(cx, F(9, 33), 1, 2, 17), lun_narrow(cx, F(9, 17), 0, 3, 1));
  check(lun_run(cx, LUN_OP_fill, 0, NULL, PARAMS(3, 4, NAN, NAN, NAN, NAN, -INFINITY), NULL), F(4));
  check(lun_run(cx, LUN_OP_fill, 0, NULL, PARAMS(4, NAN, NAN, NAN, NAN, NAN, NAN), NULL), F(3, 4));
  check(F(3, 4), lun_run(cx, LUN_OP_fill, 0, NULL, PARAMS(4, NAN, NAN, NAN, NAN, NAN, NAN), NULL));
  check(whole_tensor(cx, (int64_t[]){ 1, -2, 3, 4, 5, 6 }, DIM(2, 3)), whole_tensor(cx, (int64_t[]){ 7, 0, -9 }, DIM(3)));
  CHECK(lun_error(cx) == LUN_OK, "%s", lun_message(cx));
  lun_close(cx);
  return check_end();
}
