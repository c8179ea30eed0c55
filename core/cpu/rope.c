/*
** rope.c - rotary positions (Su et al. 2021, arXiv:2104.09864).
**
**     y[a] = x[a] cos - x[b] sin,  y[b] = x[b] cos + x[a] sin
**
** where the pair (a, b) is (i, i + R/2), or (2i, 2i + 1) if interleaved.  The
** angle is a double: as a float it would be off by 3e-5 at position 1000, and so
** it is by frequencies that were rounded to f32; they may be f64.
*/
#include "../dtype.h"
#include "../ops.h"
#include "rows.h"

typedef struct turn {
  const lun_tensor *x;
  float            *y;
  const float      *cosine, *sine;    /* [T, R/2] or [B, T, R/2] */
  int64_t           length, size, half;
  int64_t           rows_each;        /* rows of x that share a table: all of them, or those of one b */
  bool              interleaved;
} turn;

static void turn_rows(void *arg, int64_t begin, int64_t end) {
  const turn *t = arg;
  for (int64_t row = begin; row < end; row++) {
    const float *x = f32(t->x) + row_offset(t->x, t->x->rank - 1, row);
    float       *y = t->y + row * t->size;
    int64_t      at = (row / t->rows_each * t->length + row % t->length) * t->half;
    int64_t      step = t->interleaved ? 2 : 1, other = t->interleaved ? 1 : t->half;
    for (int64_t i = 0; i < t->half; i++) {
      float a = x[i * step], b = x[i * step + other], cosine = t->cosine[at + i], sine = t->sine[at + i];
      y[i * step] = a * cosine - b * sine;
      y[i * step + other] = b * cosine + a * sine;
    }
    for (int64_t i = 2 * t->half; i < t->size; i++) y[i] = x[i];
  }
}

lun_status cpu_rope(lun_call *c) {
  const lun_tensor *x = c->in[0], *positions = c->in[1];
  const double     *exact = c->in[2]->dtype == LUN_F64 ? (const double *)(const void *)c->in[2]->data : NULL;
  int64_t half = c->in[2]->dim[0], count = lun_count(positions), rows;
  float  *table, factor = (float)c->p[1];
  turn    t = { .x = x, .y = f32(c->out[0]), .length = lun_dim(x, -2), .size = lun_dim(x, -1), .half = half, .interleaved = c->p[0] != 0 };
  if (lun_count(x) == 0) return LUN_OK;
  table = lun_scratch(c->cx, (size_t)(count * half) * 2 * sizeof *table);
  if (!table) return lun_error(c->cx);
  for (int64_t p = 0; p < count; p++) {
    float position;
    lun_row_to_f32(positions->dtype, positions->data + lun_dtype_bytes(positions->dtype, p), 1, &position);
    for (int64_t i = 0; i < half; i++) {
      double angle = (double)position * (exact ? exact[i] : (double)f32(c->in[2])[i]);
      table[p * half + i] = (float)cos(angle) * factor;
      table[(count + p) * half + i] = (float)sin(angle) * factor;
    }
  }
  rows = lun_count(x) / t.size;
  t.cosine = table;
  t.sine = table + count * half;
  t.rows_each = positions->rank == 2 ? rows / x->dim[0] : rows;
  lun_parallel(c->cx, rows, 1 + 16384 / t.size, turn_rows, &t);
  return LUN_OK;
}
