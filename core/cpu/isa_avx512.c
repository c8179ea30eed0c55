/* isa_avx512.c - the kernels for AVX-512F. */
#include "isa.h"
#if defined(__x86_64__)
#include <immintrin.h>      /* before the pragma: its functions carry their own targets */
#include <math.h>
#include <string.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx512f,avx2,fma,f16c"))), apply_to = function)
#else
#pragma GCC target("avx512f,avx2,fma,f16c")
#endif
#define ISA_WIDTH 16
#define ISA_ROWS  14         /* 28 sums, 2 columns of the panel, 1 value of a: 31 of 32 registers */
#define ISA_TABLE isa_avx512
#define ISA_NAME  "avx512"
#include "isa.inc"
#if defined(__clang__)
#pragma clang attribute pop
#endif
#endif
