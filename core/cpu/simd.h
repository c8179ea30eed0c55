/*
** simd.h - vectors of floats for the kernels; included once by each isa_*.c.
**
** ISA_WIDTH floats make a vector: 16 with AVX-512F, 8 with AVX2 and FMA, 4 with
** SSE2, NEON or whatever else there is.  Arithmetic is written with the
** operators of GCC's vector extensions; what they lack is here by name.  NaN:
** v_max(a, b) and v_min(a, b) return b where either is NaN, as x86 does, so a
** NaN survives v_min(limit, x).
*/
#if ISA_WIDTH > 4
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON)
#include <arm_neon.h>
#endif
#include <math.h>
#include <stdint.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline, unused))

typedef float    vf __attribute__((vector_size(ISA_WIDTH * 4)));
typedef int32_t  vi __attribute__((vector_size(ISA_WIDTH * 4)));
typedef uint32_t vu __attribute__((vector_size(ISA_WIDTH * 4)));

INLINE vf v_load(const float *p) { vf x; memcpy(&x, p, sizeof x); return x; }
INLINE void v_store(float *p, vf x) { memcpy(p, &x, sizeof x); }
INLINE vf v_splat(float x) { return x - (vf){ 0 }; }      /* x - 0 is x, -0 and NaN too */
INLINE vf v_choose(vi mask, vf yes, vf no) { return (vf)(((vi)yes & mask) | ((vi)no & ~mask)); }

#if ISA_WIDTH == 16
INLINE vf v_fma(vf a, vf b, vf c) { return (vf)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c); }
INLINE vf v_max(vf a, vf b) { return (vf)_mm512_max_ps((__m512)a, (__m512)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm512_min_ps((__m512)a, (__m512)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm512_sqrt_ps((__m512)a); }
INLINE vf v_scale2(vf x, vf n) { return (vf)_mm512_scalef_ps((__m512)x, (__m512)n); }
INLINE vf v_half(const uint16_t *p) { return (vf)_mm512_cvtph_ps(_mm256_loadu_si256((const void *)p)); }
INLINE vf v_bytes(const int8_t *p) { return (vf)_mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(_mm_loadu_si128((const void *)p))); }
#elif ISA_WIDTH == 8
INLINE vf v_fma(vf a, vf b, vf c) { return (vf)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c); }
INLINE vf v_max(vf a, vf b) { return (vf)_mm256_max_ps((__m256)a, (__m256)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm256_min_ps((__m256)a, (__m256)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm256_sqrt_ps((__m256)a); }
INLINE vf v_half(const uint16_t *p) { return (vf)_mm256_cvtph_ps(_mm_loadu_si128((const void *)p)); }
INLINE vf v_bytes(const int8_t *p) { return (vf)_mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(_mm_loadl_epi64((const void *)p))); }
#else
#if defined(__SSE2__)
INLINE vf v_max(vf a, vf b) { return (vf)_mm_max_ps((__m128)a, (__m128)b); }
INLINE vf v_min(vf a, vf b) { return (vf)_mm_min_ps((__m128)a, (__m128)b); }
INLINE vf v_sqrt(vf a) { return (vf)_mm_sqrt_ps((__m128)a); }
INLINE vf v_fma(vf a, vf b, vf c) { return a * b + c; }
#else
INLINE vf v_max(vf a, vf b) { return v_choose(a > b, a, b); }
INLINE vf v_min(vf a, vf b) { return v_choose(a < b, a, b); }
INLINE vf v_sqrt(vf a) { for (int i = 0; i < ISA_WIDTH; i++) a[i] = sqrtf(a[i]); return a; }
#if defined(__aarch64__)
INLINE vf v_fma(vf a, vf b, vf c) { return (vf)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b); }
#else
INLINE vf v_fma(vf a, vf b, vf c) { return a * b + c; }
#endif
#endif
/* Without F16C packed weights never stay halves (see pack.c). */
INLINE vf v_bytes(const int8_t *p) {
  vi x;
  for (int i = 0; i < ISA_WIDTH; i++) x[i] = p[i];
  return __builtin_convertvector(x, vf);
}
#endif

#if ISA_WIDTH < 16
/* x 2^n for whole n in [-252, 254]; in two steps, since 2^n itself may not be a float. */
INLINE vf v_scale2(vf x, vf n) {
  vi whole = __builtin_convertvector(n, vi), half = whole >> 1;
  return x * (vf)((half + 127) << 23) * (vf)((whole - half + 127) << 23);
}
#endif

/* Lanes are added in one fixed order: halves, quarters, ... */
INLINE float v_sum(vf x) {
  float lane[ISA_WIDTH];
  v_store(lane, x);
  for (int n = ISA_WIDTH / 2; n > 0; n /= 2)
    for (int i = 0; i < n; i++) lane[i] += lane[i + n];
  return lane[0];
}

INLINE float v_top(vf x) {
  float lane[ISA_WIDTH];
  v_store(lane, x);
  for (int n = ISA_WIDTH / 2; n > 0; n /= 2)
    for (int i = 0; i < n; i++) lane[i] = lane[i] > lane[i + n] ? lane[i] : lane[i + n];
  return lane[0];
}

/* The first n < ISA_WIDTH floats of p, 'fill' in the other lanes. */
INLINE vf v_load_some(const float *p, int64_t n, float fill) {
  float lane[ISA_WIDTH];
  for (int i = 0; i < ISA_WIDTH; i++) lane[i] = i < n ? p[i] : fill;
  return v_load(lane);
}

INLINE void v_store_some(float *p, int64_t n, vf x) {
  float lane[ISA_WIDTH];
  v_store(lane, x);
  memcpy(p, lane, (size_t)n * sizeof *p);
}
