/* dtype.c - element types: names, sizes, and conversion of rows of elements. */
#include <math.h>
#include <string.h>
#include <strings.h>
#include "dtype.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* ---- names and sizes ------------------------------------------------------ */

/* Our name, numpy's and torch's name, bytes of one element. */
static const struct { const char *name, *other; size_t bytes; } types[LUN_NDTYPES] = {
  [LUN_F32] = { "f32", "float32", 4 },    [LUN_F16] = { "f16", "float16", 2 },
  [LUN_BF16] = { "bf16", "bfloat16", 2 }, [LUN_F64] = { "f64", "float64", 8 },
  [LUN_I64] = { "i64", "int64", 8 },      [LUN_I32] = { "i32", "int32", 4 },
  [LUN_U8] = { "u8", "uint8", 1 },        [LUN_Q8_0] = { "q8_0", "q8_0", 0 },
};

const char *lun_dtype_name(lun_dtype dtype) {
  return (unsigned)dtype < LUN_NDTYPES ? types[dtype].name : "unknown";
}

int lun_dtype_find(const char *name) {
  for (int i = 0; i < LUN_NDTYPES; i++)
    if (strcasecmp(types[i].name, name) == 0 || strcasecmp(types[i].other, name) == 0) return i;
  return -1;
}

size_t lun_dtype_bytes(lun_dtype dtype, int64_t count) {
  size_t bytes;
  if ((unsigned)dtype >= LUN_NDTYPES || count < 0) return 0;
  if (dtype == LUN_Q8_0) {
    if (count % LUN_Q8_BLOCK) return 0;
    return (size_t)(count / LUN_Q8_BLOCK) * LUN_Q8_BYTES;
  }
  return __builtin_mul_overflow((size_t)count, types[dtype].bytes, &bytes) ? 0 : bytes;
}

/* ---- half precision ------------------------------------------------------- */

static float bits_float(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static uint32_t float_bits(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

/* As F16C does it: a signalling NaN becomes quiet and keeps its payload. */
static float f16_to_f32(uint16_t h) {
  uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = h >> 10 & 31, mantissa = h & 1023;
  if (exponent == 31) return bits_float(sign | 0x7f800000 | mantissa << 13 | (mantissa ? 0x400000 : 0));
  if (exponent > 0) return bits_float(sign | (exponent + 112) << 23 | mantissa << 13);
  float small = (float)mantissa * 0x1p-24f;
  return sign ? -small : small;
}

static uint16_t f32_to_f16(float x) {
  uint32_t bits = float_bits(x), sign = bits >> 16 & 0x8000, rest = bits & 0x7fffffff;
  if (rest > 0x7f800000) return (uint16_t)(sign | 0x7e00 | (rest >> 13 & 0x3ff));
  if (rest >= 0x477ff000) return (uint16_t)(sign | 0x7c00);        /* 65520 and more round to infinity */
  if (rest < 0x38800000)           /* below 2^-14: a sum with 0.5 rounds to units of 2^-24, ties to even */
    return (uint16_t)(sign | (float_bits(bits_float(rest) + 0.5f) - 0x3f000000));
  rest += 0xfff + (rest >> 13 & 1);
  return (uint16_t)(sign | (rest - 0x38000000) >> 13);
}

static uint16_t f32_to_bf16(float x) {
  uint32_t bits = float_bits(x);
  if (x != x) return (uint16_t)(bits >> 16 | 0x40);
  return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

#if defined(__x86_64__)
/* clang's builtin knows no "f16c"; every processor with AVX2 has it. */
static int has_f16c(void) { return __builtin_cpu_supports("avx2"); }

/* Each returns how many elements it did: those that fill whole vectors. */
__attribute__((target("f16c,avx")))
static int64_t f16_to_f32_fast(const uint16_t *src, int64_t n, float *dst) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)(src + i))));
  return i;
}

__attribute__((target("f16c,avx")))
static int64_t f32_to_f16_fast(const float *src, int64_t n, uint16_t *dst) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8)
    _mm_storeu_si128((__m128i *)(void *)(dst + i), _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT));
  return i;
}
#else
static int has_f16c(void) { return 0; }
static int64_t f16_to_f32_fast(const uint16_t *src, int64_t n, float *dst) { (void)src, (void)n, (void)dst; return 0; }
static int64_t f32_to_f16_fast(const float *src, int64_t n, uint16_t *dst) { (void)src, (void)n, (void)dst; return 0; }
#endif

static void row_f16_to_f32(const uint16_t *src, int64_t n, float *dst) {
  int64_t i = has_f16c() ? f16_to_f32_fast(src, n, dst) : 0;
  for (; i < n; i++) dst[i] = f16_to_f32(src[i]);
}

static void row_f32_to_f16(const float *src, int64_t n, uint16_t *dst) {
  int64_t i = has_f16c() ? f32_to_f16_fast(src, n, dst) : 0;
  for (; i < n; i++) dst[i] = f32_to_f16(src[i]);
}

/* ---- q8_0 ------------------------------------------------------------------ */

static void row_q8_to_f32(const unsigned char *src, int64_t n, float *dst) {
  for (; n > 0; n -= LUN_Q8_BLOCK, src += LUN_Q8_BYTES, dst += LUN_Q8_BLOCK) {
    const signed char *q = (const signed char *)src + 2;
    float              d = f16_to_f32((uint16_t)(src[0] | src[1] << 8));
    for (int i = 0; i < LUN_Q8_BLOCK; i++) dst[i] = (float)q[i] * d;
  }
}

/*
** Half away from zero, without a branch on the sign, which nobody can foresee.
** 0.5 - 2^-25 is the f32 below a half: a half would carry the number below it over.
*/
static signed char q8_round(float x) {
  x = x < 127.0f ? x : 127.0f;       /* NaN too */
  x = x > -127.0f ? x : -127.0f;
  return (signed char)(int)(x + copysignf(0x1.fffffep-2f, x));
}

static void row_f32_to_q8(const float *src, int64_t n, unsigned char *dst) {
  for (; n > 0; n -= LUN_Q8_BLOCK, src += LUN_Q8_BLOCK, dst += LUN_Q8_BYTES) {
    float    largest = 0, d, inverse;
    uint16_t stored;
    for (int i = 0; i < LUN_Q8_BLOCK; i++) {
      float a = fabsf(src[i]);
      largest = a > largest ? a : largest;
    }
    d = largest / 127.0f;
    inverse = d > 0 ? 1.0f / d : 0.0f;
    stored = f32_to_f16(d);
    dst[0] = stored & 255;
    dst[1] = stored >> 8;
    for (int i = 0; i < LUN_Q8_BLOCK; i++) dst[2 + i] = (unsigned char)q8_round(src[i] * inverse);
  }
}

/* ---- rows ------------------------------------------------------------------ */

/* Towards zero, clipped to what the type holds; both limits are exact in a double but INT64_MAX, which rounds up. */
static int64_t clip(double x, double least, double most) {
  if (x != x) return 0;
  if (x >= most) return most >= 0x1p63 ? INT64_MAX : (int64_t)most;
  return x <= least ? (int64_t)least : (int64_t)x;
}

static int64_t f64_to_i64(double x) { return clip(x, -0x1p63, 0x1p63); }
static int32_t f64_to_i32(double x) { return (int32_t)clip(x, INT32_MIN, INT32_MAX); }
static uint8_t f64_to_u8(double x) { return (uint8_t)clip(x, 0, UINT8_MAX); }

static int32_t i64_to_i32(int64_t x) { return x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : (int32_t)x; }
static uint8_t i64_to_u8(int64_t x) { return x > UINT8_MAX ? UINT8_MAX : x < 0 ? 0 : (uint8_t)x; }

#define EACH(to_type, expression) \
  do { to_type *to_ = dst; for (int64_t i = 0; i < n; i++) to_[i] = (expression); } while (0)

void lun_row_to_f32(lun_dtype dtype, const void *src, int64_t n, float *dst) {
  switch (dtype) {
  case LUN_F32:  if (n > 0) memcpy(dst, src, (size_t)n * sizeof *dst); break;
  case LUN_F16:  row_f16_to_f32(src, n, dst); break;
  case LUN_BF16: EACH(float, bits_float((uint32_t)((const uint16_t *)src)[i] << 16)); break;
  case LUN_F64:  EACH(float, (float)((const double *)src)[i]); break;
  case LUN_I64:  EACH(float, (float)((const int64_t *)src)[i]); break;
  case LUN_I32:  EACH(float, (float)((const int32_t *)src)[i]); break;
  case LUN_U8:   EACH(float, (float)((const uint8_t *)src)[i]); break;
  case LUN_Q8_0: row_q8_to_f32(src, n, dst); break;
  case LUN_NDTYPES: break;
  }
}

void lun_row_from_f32(lun_dtype dtype, const float *src, int64_t n, void *dst) {
  switch (dtype) {
  case LUN_F32:  if (n > 0) memcpy(dst, src, (size_t)n * sizeof *src); break;
  case LUN_F16:  row_f32_to_f16(src, n, dst); break;
  case LUN_BF16: EACH(uint16_t, f32_to_bf16(src[i])); break;
  case LUN_F64:  EACH(double, (double)src[i]); break;
  case LUN_I64:  EACH(int64_t, f64_to_i64((double)src[i])); break;
  case LUN_I32:  EACH(int32_t, f64_to_i32((double)src[i])); break;
  case LUN_U8:   EACH(uint8_t, f64_to_u8((double)src[i])); break;
  case LUN_Q8_0: row_f32_to_q8(src, n, dst); break;
  case LUN_NDTYPES: break;
  }
}

/* f64 and the integers: the types that f32 cannot stand in for. */
static int is_wide(lun_dtype dtype) {
  return dtype == LUN_F64 || dtype == LUN_I64 || dtype == LUN_I32 || dtype == LUN_U8;
}

static void row_f64_to(lun_dtype to, const double *src, int64_t n, void *dst) {
  if (to == LUN_F64) memcpy(dst, src, (size_t)n * sizeof *src);
  else if (to == LUN_I64) EACH(int64_t, f64_to_i64(src[i]));
  else if (to == LUN_I32) EACH(int32_t, f64_to_i32(src[i]));
  else EACH(uint8_t, f64_to_u8(src[i]));
}

static void row_i64_to(lun_dtype to, const int64_t *src, int64_t n, void *dst) {
  if (to == LUN_F64) EACH(double, (double)src[i]);
  else if (to == LUN_I64) memcpy(dst, src, (size_t)n * sizeof *src);
  else if (to == LUN_I32) EACH(int32_t, i64_to_i32(src[i]));
  else EACH(uint8_t, i64_to_u8(src[i]));
}

static void row_to_i64(lun_dtype from, const void *src, int64_t n, int64_t *dst) {
  if (from == LUN_I64) memcpy(dst, src, (size_t)n * sizeof *dst);
  else if (from == LUN_I32) EACH(int64_t, ((const int32_t *)src)[i]);
  else EACH(int64_t, ((const uint8_t *)src)[i]);
}

enum { PIECE = 512 };    /* elements in the buffer on the stack, whole blocks of q8_0 */

void lun_row_cast(lun_dtype from, const void *src, lun_dtype to, void *dst, int64_t n) {
  const char *in = src;
  char       *out = dst;
  union { float f32[PIECE]; int64_t i64[PIECE]; } buffer;
  for (; n > 0; n -= PIECE) {
    int64_t count = n < PIECE ? n : PIECE;
    if (is_wide(from) && is_wide(to)) {
      if (from == LUN_F64) {
        row_f64_to(to, (const double *)(const void *)in, count, out);
      } else {
        row_to_i64(from, in, count, buffer.i64);
        row_i64_to(to, buffer.i64, count, out);
      }
    } else {
      lun_row_to_f32(from, in, count, buffer.f32);
      lun_row_from_f32(to, buffer.f32, count, out);
    }
    in += lun_dtype_bytes(from, count);
    out += lun_dtype_bytes(to, count);
  }
}
