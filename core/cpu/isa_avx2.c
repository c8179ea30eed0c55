/* isa_avx2.c - the kernels for AVX2 with FMA and F16C. */
#include "isa.h"
#if defined(__x86_64__)
#include <immintrin.h>      /* before the pragma: its functions carry their own targets */
#include <math.h>
#include <string.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx2,fma,f16c")
#endif
#define ISA_WIDTH 8
#define ISA_ROWS  6          /* 12 sums, 2 columns of the panel, 1 value of a: 15 of 16 registers */
#define ISA_TABLE isa_avx2
#define ISA_NAME  "avx2"
#include "isa.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
