/*
** op_call.h - how the tests of operations call them.
**
** call_op() runs an operation four times: as it is; on two threads; on inputs
** that are views into larger tensors of other numbers; and into memory with
** guards around it.  All four must give the same bits.
*/
#ifndef OP_CALL_H
#define OP_CALL_H

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "check.h"
#include "ops.h"
#include "context.h"
#include "dtype.h"

#define IN(...)     (int)(sizeof((lun_tensor *[]){ __VA_ARGS__ }) / sizeof(lun_tensor *)), (lun_tensor *[]){ __VA_ARGS__ }
#define PARAMS(...) (int)(sizeof((double[]){ __VA_ARGS__ }) / sizeof(double)), (double[]){ __VA_ARGS__ }
#define NONE        0, NULL
#define DIM(...)    (int)(sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t)), (int64_t[]){ __VA_ARGS__ }

/* ---- inputs ---------------------------------------------------------------- */

static uint64_t noise_state = 88172645463325252u;

/* xorshift64* (Vigna 2016), uniform in [-1, 1) */
static inline double noise(void) {
  noise_state ^= noise_state >> 12;
  noise_state ^= noise_state << 25;
  noise_state ^= noise_state >> 27;
  return (double)(noise_state * 2685821657736338717u >> 11) * 0x1p-52 - 1;
}

/* f32 noise around 'centre' */
static inline lun_tensor *random_tensor(lun_ctx *cx, double centre, int rank, const int64_t *dim) {
  lun_tensor *t = lun_make(cx, LUN_F32, rank, dim);
  for (int64_t i = 0; t && i < lun_count(t); i++) f32(t)[i] = (float)(centre + noise());
  return t;
}

static inline lun_tensor *whole_tensor(lun_ctx *cx, const int64_t *value, int rank, const int64_t *dim) {
  return lun_from_host(cx, LUN_I64, rank, dim, value);
}

/* The same contents as a view in the middle of a larger tensor. */
static inline lun_tensor *padded_view(lun_ctx *cx, lun_tensor *t) {
  int64_t     dim[LUN_MAXRANK], at[LUN_MAXRANK] = { 0 }, offset = 0, unit;
  lun_tensor *large, *view;
  if (!t || t->rank == 0 || t->dtype == LUN_Q8_0) return t;
  unit = (int64_t)lun_dtype_bytes(t->dtype, 1);
  for (int i = 0; i < t->rank; i++) dim[i] = t->dim[i] + 2;
  large = lun_make(cx, t->dtype, t->rank, dim);
  if (!large) return NULL;
  memset(large->data, 0x7f, lun_bytes(large));
  for (int i = 0; i < t->rank; i++) offset += large->stride[i];
  view = lun_view(large, t->rank, t->dim, large->stride, offset);
  for (int64_t i = 0; view && i < lun_count(t); i++) {
    int64_t to = 0, from = 0;
    for (int a = 0; a < t->rank; a++) {
      to += at[a] * view->stride[a];
      from += at[a] * t->stride[a];
    }
    memcpy(view->data + to * unit, t->data + from * unit, (size_t)unit);
    for (int a = t->rank - 1; a >= 0 && ++at[a] == t->dim[a]; a--) at[a] = 0;
  }
  return view;
}

/* ---- calls ------------------------------------------------------------------ */

static const struct { lun_rule *rule; lun_kernel *kernel; } op_row[LUN_NOPS] = {
#define OP(name, inputs, params, outputs, rule, kernel, gradient, doc) { rule, kernel },
#include "ops.def"
#undef OP
};

enum { GUARD = 64, GUARD_BYTE = 0xa5 };

/* Storage for a result between guards; the caller frees it. */
static inline unsigned char *guard(lun_ctx *cx, lun_tensor *t) {
  size_t         bytes = lun_bytes(t);
  unsigned char *memory = malloc(bytes + 2 * GUARD);
  lun_tensor    *held = lun_from_memory(cx, t->dtype, t->rank, t->dim, memory + GUARD, NULL, NULL);
  memset(memory, GUARD_BYTE, bytes + 2 * GUARD);
  t->buffer = held->buffer;
  t->buffer->refs++;
  t->data = held->data;
  return memory;
}

static inline int guards_stand(const unsigned char *memory, size_t bytes) {
  for (int i = 0; i < GUARD; i++)
    if (memory[i] != GUARD_BYTE || memory[GUARD + bytes + (size_t)i] != GUARD_BYTE) return 0;
  return 1;
}

static inline void call_guarded(lun_ctx *cx, lun_op op, int count, lun_tensor *const *in, int nparams, const double *params,
                                lun_tensor *const *expected) {
  lun_call         c = { .cx = cx, .op = op, .name = lun_op_info(op)->name };
  int              slots = 0, rows;
  const lun_param *row = lun_op_params(op, &rows);
  unsigned char   *memory[LUN_MAXOUT] = { NULL };
  size_t           scratch = lun_scratch_mark(cx);
  for (int i = 0; i < count; i++) c.in[i] = in[i];
  for (int i = 0; i < rows; i++)
    for (int k = 0; k < row[i].length; k++) c.p[slots++] = row[i].def;
  for (int i = 0; i < nparams; i++) c.p[i] = params[i];
  if (op_row[op].rule(&c) != LUN_OK || c.done || !op_row[op].kernel) return;
  for (int i = 0; i < LUN_MAXOUT && c.out[i]; i++)
    if (!c.out[i]->buffer) memory[i] = guard(cx, c.out[i]);
  CHECK(op_row[op].kernel(&c) == LUN_OK, "%s: %s", c.name, lun_message(cx));
  for (int i = 0; i < LUN_MAXOUT && memory[i]; i++) {
    CHECK(guards_stand(memory[i], lun_bytes(c.out[i])), "%s writes outside its result %d", c.name, i);
    CHECK(memcmp(c.out[i]->data, expected[i]->data, lun_bytes(c.out[i])) == 0, "%s into guarded memory differs", c.name);
    free(memory[i]);
  }
  lun_scratch_reset(cx, scratch);
}

/* Compares two results bit by bit; 'how' says what was different about the call. */
static inline void expect_same(lun_op op, const char *how, lun_tensor *const *a, lun_tensor *const *b) {
  for (int i = 0; i < LUN_MAXOUT && a[i]; i++)
    CHECK(b[i] && a[i]->rank == b[i]->rank && lun_count(a[i]) == lun_count(b[i]) &&
          memcmp(lun_data(a[i]), lun_data(b[i]), lun_bytes(a[i])) == 0, "%s %s differs", lun_op_info(op)->name, how);
}

/* 'second' gets the second result where it is not NULL.  Not for operations that change an input. */
static inline lun_tensor *call_op(lun_ctx *cx, lun_op op, int count, lun_tensor *const *in, int nparams, const double *params,
                                  lun_tensor **second) {
  lun_tensor *plain[LUN_MAXOUT] = { NULL }, *other[LUN_MAXOUT] = { NULL }, *views[LUN_MAXIN] = { NULL };
  lun_set_threads(cx, 1);
  if (!CHECK(lun_run(cx, op, count, in, nparams, params, plain) != NULL, "%s: %s", lun_op_info(op)->name, lun_message(cx))) {
    lun_clear(cx);
    return NULL;
  }
  for (int i = 0; i < count; i++) views[i] = padded_view(cx, in[i]);
  lun_run(cx, op, count, views, nparams, params, other);
  expect_same(op, "of views", plain, other);
  call_guarded(cx, op, count, in, nparams, params, plain);
  lun_set_threads(cx, 2);
  lun_run(cx, op, count, in, nparams, params, other);
  expect_same(op, "on two threads", plain, other);
  CHECK(lun_error(cx) == LUN_OK, "%s: %s", lun_op_info(op)->name, lun_message(cx));
  lun_clear(cx);
  if (second) *second = plain[1];
  return plain[0];
}

/* ---- expectations ------------------------------------------------------------ */

/* Within 'tolerance' relative to 1 + |value|; the first difference is shown. */
static inline void expect_near(lun_tensor *t, const double *want, double tolerance, const char *what) {
  int64_t bad = -1;
  if (!t) return;
  const float *got = lun_data(t);
  for (int64_t i = 0; bad < 0 && i < lun_count(t); i++) {
    if (isnan(want[i]) ? isnan(got[i]) : isinf(want[i]) ? (double)got[i] == want[i]
                                       : fabs((double)got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))) continue;
    bad = i;
  }
  CHECK(bad < 0, "%s: element %lld is %.9g, wanted %.9g", what, (long long)bad, (double)got[bad < 0 ? 0 : bad], want[bad < 0 ? 0 : bad]);
}

static inline void expect_shape(lun_tensor *t, int rank, const int64_t *dim) {
  char have[96], want[96];
  if (!t) return;
  CHECK(strcmp(lun_shape_text(have, sizeof have, t->rank, t->dim), lun_shape_text(want, sizeof want, rank, dim)) == 0,
        "shape %s, wanted %s", have, want);
}

/* The call fails with exactly this status and message. */
static inline void expect_refusal(lun_ctx *cx, lun_op op, int count, lun_tensor *const *in, int nparams, const double *params,
                                  lun_status code, const char *message) {
  lun_tensor *y = lun_run(cx, op, count, in, nparams, params, NULL);
  CHECK(!y && lun_error(cx) == code && strcmp(lun_message(cx), message) == 0, "%s: got '%s' (%s), wanted '%s' (%s)",
        lun_op_info(op)->name, lun_message(cx), lun_status_name(lun_error(cx)), message, lun_status_name(code));
  lun_clear(cx);
}

#endif
