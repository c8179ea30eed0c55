/*
** dtype.h - element types: conversion of rows; private to the core.
**
** Both functions convert 'n' elements that lie one after the other; for q8_0
** 'n' is a multiple of 32 (a block is an f16 scale and 32 signed bytes).
*/
#ifndef LUN_DTYPE_H
#define LUN_DTYPE_H

#include "lun.h"

enum { LUN_Q8_BLOCK = 32, LUN_Q8_BYTES = 34 };

void lun_row_to_f32(lun_dtype dtype, const void *src, int64_t n, float *dst);

/*
** Rounds to nearest, ties to even; integers towards zero, clipped to their
** range, NaN to 0.  q8_0: d = max|x| / 127 stored as f16, q = round(x / d) half
** away from zero, as ggml's reference does; max|x| must stay below 127 * 65504.
*/
void lun_row_from_f32(lun_dtype dtype, const float *src, int64_t n, void *dst);

/* Any type to any other.  Integers and f64 convert without passing through f32. */
void lun_row_cast(lun_dtype from, const void *src, lun_dtype to, void *dst, int64_t n);

#endif
