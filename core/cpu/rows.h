/* rows.h - where the rows of a strided tensor lie; private to the CPU backend. */
#ifndef LUN_CPU_ROWS_H
#define LUN_CPU_ROWS_H

#include "../tensor.h"

/* Elements from the start of t to its row-th slice along the first 'axes' axes. */
static inline int64_t row_offset(const lun_tensor *t, int axes, int64_t row) {
  int64_t offset = 0;
  for (int i = axes - 1; i >= 0; i--) {
    offset += row % t->dim[i] * t->stride[i];
    row /= t->dim[i];
  }
  return offset;
}

#endif
