/* op_places.c - operations that move or make elements: contiguous, assign, concat, gather, pick, put, embedding, fill, arange. */
#include "op_call.h"

static lun_ctx *cx;

/* 0, 1, 2, ... in any type but q8_0 */
static lun_tensor *counting(lun_dtype dtype, int rank, const int64_t *dim) {
  lun_tensor *t = lun_make(cx, LUN_I64, rank, dim);
  for (int64_t i = 0; t && i < lun_count(t); i++) i64(t)[i] = i % 251;
  return lun_run(cx, LUN_OP_cast, 1, &t, 1, (double[]){ dtype }, NULL);
}

static const void *element(const lun_tensor *t, const int64_t *at) {
  int64_t offset = 0;
  for (int i = 0; i < t->rank; i++) offset += at[i] * t->stride[i];
  return t->data + offset * (int64_t)lun_dtype_bytes(t->dtype, 1);
}

/* Compares every element of y with the one wanted there. */
static void each_place(const lun_tensor *y, const void *(*wanted)(const int64_t *at, const void *arg), const void *arg, const char *what) {
  int64_t at[LUN_MAXRANK] = { 0 }, wrong = 0;
  if (!y) return;
  for (int64_t i = 0; i < lun_count(y); i++) {
    wrong += memcmp(element(y, at), wanted(at, arg), lun_dtype_bytes(y->dtype, 1)) != 0;
    for (int a = y->rank - 1; a >= 0 && ++at[a] == y->dim[a]; a--) at[a] = 0;
  }
  CHECK(wrong == 0, "%s %s: %lld of %lld wrong", what, lun_dtype_name(y->dtype), (long long)wrong, (long long)lun_count(y));
}

/* ---- copies ---------------------------------------------------------------------- */

static const void *from_itself(const int64_t *at, const void *x) { return element(x, at); }

static void check_copies(lun_dtype dtype) {
  lun_tensor *x = counting(dtype, DIM(3, 5, 7, 4)), *view, *y;
  const int   order[][4] = { { 3, 2, 1, 0 }, { 0, 2, 1, 3 }, { 1, 0, 3, 2 }, { 2, 3, 0, 1 } };
  for (int i = 0; i < 4; i++) {
    view = lun_permute(cx, x, order[i]);
    each_place(call_op(cx, LUN_OP_contiguous, IN(view), NONE, NULL), from_itself, view, "contiguous");
    view = lun_narrow(cx, view, 2, 1, 2);
    each_place(call_op(cx, LUN_OP_contiguous, IN(view), NONE, NULL), from_itself, view, "contiguous");
  }
  view = lun_run(cx, LUN_OP_expand, 1, (lun_tensor *[]){ lun_narrow(cx, x, 3, 2, 1) }, PARAMS(3, 5, 7, 6, NAN, NAN), NULL);
  each_place(call_op(cx, LUN_OP_contiguous, IN(view), NONE, NULL), from_itself, view, "contiguous");
  for (int64_t n = 31; n < 67; n += 5) {      /* transpositions go in tiles, and a rest */
    view = lun_permute(cx, counting(dtype, DIM(2, n, 50)), (int[]){ 0, 2, 1 });
    each_place(call_op(cx, LUN_OP_contiguous, IN(view), NONE, NULL), from_itself, view, "transposed");
    view = lun_permute(cx, counting(dtype, DIM(n, 3, 40)), (int[]){ 2, 1, 0 });
    each_place(call_op(cx, LUN_OP_contiguous, IN(view), NONE, NULL), from_itself, view, "transposed");
  }
  y = lun_run(cx, LUN_OP_contiguous, 1, &x, NONE, NULL);
  CHECK(y && y->data == x->data && y != x, "what is contiguous is not copied");
}

static void check_assign(void) {
  lun_tensor *x = counting(LUN_F32, DIM(4, 6)), *row = counting(LUN_F32, DIM(3)), *to = lun_narrow(cx, lun_permute(cx, x, (int[]){ 1, 0 }), 1, 1, 3);
  CHECK(lun_assign(cx, to, row) == LUN_OK, "%s", lun_message(cx));
  for (int64_t i = 0; i < 24; i++)
    CHECK(f32(x)[i] == (float)(i / 6 == 0 ? i : i / 6 - 1), "element %lld after assign is %g", (long long)i, (double)f32(x)[i]);
  lun_clear(cx);
}

static void check_concat(lun_dtype dtype) {
  for (int axis = 0; axis < 3; axis++) {
    int64_t     dim[3] = { 2, 3, dtype == LUN_Q8_0 ? 64 : 5 }, start = 0;
    lun_tensor *part[4], *y;
    for (int i = 0; i < 4; i++) {
      dim[axis] = dtype == LUN_Q8_0 && axis == 2 ? 32 * (i + 1) : i;         /* one of them is empty */
      part[i] = counting(dtype == LUN_Q8_0 ? LUN_F32 : dtype, 3, dim);
      if (dtype == LUN_Q8_0) part[i] = lun_run(cx, LUN_OP_cast, 1, &part[i], PARAMS(LUN_Q8_0), NULL);
    }
    y = call_op(cx, LUN_OP_concat, IN(part[0], part[1], part[2], NULL, part[3]), PARAMS(axis - 3), NULL);
    for (int i = 0; y && i < 4; i++) {
      lun_tensor *back = y;
      if (dtype == LUN_Q8_0) back = lun_run(cx, LUN_OP_cast, 1, &back, PARAMS(LUN_F32), NULL), part[i] = lun_run(cx, LUN_OP_cast, 1, &part[i], PARAMS(LUN_F32), NULL);
      each_place(part[i], from_itself, lun_narrow(cx, back, axis, start, part[i]->dim[axis]), "concat");
      start += part[i]->dim[axis];
    }
    CHECK(y && y->dim[axis] == start);
  }
}

/* ---- by index ---------------------------------------------------------------------- */

static const int64_t chosen[] = { 2, 0, 2, 1 };
static int           chosen_axis;

static const void *from_chosen(const int64_t *at, const void *x) {
  int64_t place[LUN_MAXRANK];
  memcpy(place, at, sizeof place);
  place[chosen_axis] = chosen[at[chosen_axis]];
  return element(x, place);
}

static void check_gather(lun_dtype dtype) {
  lun_tensor *x = counting(dtype, DIM(4, 3, 6, 5)), *index = whole_tensor(cx, chosen, DIM(4)), *turned = lun_permute(cx, x, (int[]){ 2, 3, 1, 0 });
  for (chosen_axis = 0; chosen_axis < 4; chosen_axis++) {
    each_place(call_op(cx, LUN_OP_gather, IN(x, index), PARAMS(chosen_axis), NULL), from_chosen, x, "gather");
    each_place(call_op(cx, LUN_OP_gather, IN(turned, index), PARAMS(chosen_axis - 4), NULL), from_chosen, turned, "gather of a view");
  }
}

static void check_gather_edges(void) {
  lun_tensor *x = random_tensor(cx, 0, DIM(3, 64)), *index = whole_tensor(cx, chosen, DIM(4)), *none = whole_tensor(cx, chosen, DIM(0)), *y, *q;
  expect_shape(call_op(cx, LUN_OP_gather, IN(x, none), NONE, NULL), DIM(0, 64));
  q = lun_run(cx, LUN_OP_cast, 1, &x, PARAMS(LUN_Q8_0), NULL);
  y = call_op(cx, LUN_OP_gather, IN(q, index), NONE, NULL);
  for (int64_t i = 0; y && i < 4; i++) CHECK(memcmp(y->data + i * 68, q->data + chosen[i] * 68, 68) == 0, "row %lld of q8_0", (long long)i);
}

static void check_pick_and_put(void) {
  const int64_t places[] = { 4, 0, 4, 3, 3, 1 };
  const float   values[] = { -INFINITY, 1.5f, 7, -1, -2, -INFINITY };
  lun_tensor   *x = counting(LUN_F32, DIM(2, 5)), *index = whole_tensor(cx, places, DIM(2, 3)), *to = lun_from_host(cx, LUN_F32, DIM(2, 3), values), *y, *turned;
  expect_near(call_op(cx, LUN_OP_pick, IN(x, index), NONE, NULL), (double[]){ 4, 0, 4, 8, 8, 6 }, 0, "pick");
  turned = lun_permute(cx, counting(LUN_F32, DIM(5, 2)), (int[]){ 1, 0 });
  expect_near(call_op(cx, LUN_OP_pick, IN(turned, index), NONE, NULL), (double[]){ 8, 0, 8, 7, 7, 3 }, 0, "pick from a view");
  y = lun_run(cx, LUN_OP_put, 3, (lun_tensor *[]){ x, index, to }, NONE, NULL);
  CHECK(y == x, "put returns what it changes");
  expect_near(x, (double[]){ 1.5, 1, 2, 3, 7, 5, -INFINITY, 7, -2, 9 }, 0, "put, later values win");
  lun_run(cx, LUN_OP_put, 3, (lun_tensor *[]){ turned, index, to }, NONE, NULL);
  expect_near(turned, (double[]){ 1.5, 2, 4, 6, 7, 1, -INFINITY, 5, -2, 9 }, 0, "put into a view");
  y = call_op(cx, LUN_OP_pick, IN(counting(LUN_I64, DIM(2, 5)), index), NONE, NULL);
  CHECK(y && i64(y)[3] == 8);
}

static void check_embedding(void) {
  static const lun_dtype types[] = { LUN_F32, LUN_F16, LUN_BF16, LUN_F64, LUN_Q8_0 };
  const int64_t          ids[] = { 6, 0, 3, 3, 1, 2 };
  lun_tensor            *index = whole_tensor(cx, ids, DIM(2, 1, 3)), *weight = random_tensor(cx, 0, DIM(7, 96));
  for (int i = 0; i < 5; i++) {
    lun_tensor *table = lun_run(cx, LUN_OP_cast, 1, &weight, PARAMS(types[i]), NULL), *plain = lun_run(cx, LUN_OP_cast, 1, &table, PARAMS(LUN_F32), NULL);
    lun_tensor *y = call_op(cx, LUN_OP_embedding, IN(index, table), NONE, NULL);
    expect_shape(y, DIM(2, 1, 3, 96));
    for (int k = 0; y && k < 6; k++)
      CHECK(memcmp(f32(y) + k * 96, f32(plain) + ids[k] * 96, 384) == 0, "row %d of %s", k, lun_dtype_name(types[i]));
  }
}

/* ---- from nothing -------------------------------------------------------------------- */

static void check_fill_and_arange(void) {
  static double want[1000];
  lun_tensor   *y;
  for (int i = 0; i < 1000; i++) want[i] = -INFINITY;
  expect_near(call_op(cx, LUN_OP_fill, NONE, PARAMS(10, 100, NAN, NAN, NAN, NAN, -INFINITY), NULL), want, 0, "fill");
  y = call_op(cx, LUN_OP_fill, NONE, PARAMS(NAN, NAN, NAN, NAN, NAN, NAN, 3, LUN_I64), NULL);
  CHECK(y && y->rank == 0 && i64(y)[0] == 3, "a single number");
  y = call_op(cx, LUN_OP_fill, NONE, PARAMS(2, 0, 5), NULL);
  CHECK(y && lun_count(y) == 0);
  for (int i = 0; i < 1000; i++) want[i] = 2.5 - i * 0.125;
  y = call_op(cx, LUN_OP_arange, NONE, PARAMS(2.5, 2.5 - 1000 * 0.125, -0.125), NULL);
  expect_shape(y, DIM(1000));
  expect_near(y, want, 0, "arange");
  y = call_op(cx, LUN_OP_arange, NONE, PARAMS(3, 10, 3, LUN_I64), NULL);
  CHECK(y && y->dim[0] == 3 && i64(y)[0] == 3 && i64(y)[2] == 9);
  expect_shape(call_op(cx, LUN_OP_arange, NONE, PARAMS(3, 9, 3), NULL), DIM(2));
  expect_shape(call_op(cx, LUN_OP_arange, NONE, PARAMS(5, 2), NULL), DIM(0));
}

int main(void) {
  static const lun_dtype types[] = { LUN_F32, LUN_F16, LUN_F64, LUN_I64, LUN_I32, LUN_U8 };
  cx = lun_open(1);
  for (int i = 0; i < 6; i++) {
    check_copies(types[i]);
    check_concat(types[i]);
    check_gather(types[i]);
  }
  check_concat(LUN_Q8_0);
  check_assign();
  check_gather_edges();
  check_pick_and_put();
  check_embedding();
  check_fill_and_arange();
  CHECK(lun_error(cx) == LUN_OK, "%s", lun_message(cx));
  lun_close(cx);
  return check_end();
}
