/* op_dtype.c - element types: every f16, rounding of halves, q8_0 as ggml's reference does it, casts between all types. */
#include "op_call.h"

static lun_ctx *cx;

static double half_value(unsigned h) {
  double   sign = h & 0x8000 ? -1 : 1;
  unsigned exponent = h >> 10 & 31, mantissa = h & 1023;
  if (exponent == 31) return mantissa ? NAN : sign * INFINITY;
  return sign * (exponent ? ldexp(1024 + mantissa, (int)exponent - 25) : ldexp(mantissa, -24));
}

static double brain_value(unsigned b) {
  uint32_t bits = (uint32_t)b << 16;
  float    x;
  memcpy(&x, &bits, sizeof x);
  return (double)x;
}

static void check_names(void) {
  static const char *const name[] = { "f32", "f16", "bf16", "f64", "i64", "i32", "u8", "q8_0" };
  for (int i = 0; i < LUN_NDTYPES; i++) {
    CHECK(strcmp(lun_dtype_name((lun_dtype)i), name[i]) == 0);
    CHECK(lun_dtype_find(name[i]) == i);
  }
  CHECK(lun_dtype_find("F32") == LUN_F32 && lun_dtype_find("float32") == LUN_F32 && lun_dtype_find("bfloat16") == LUN_BF16);
  CHECK(lun_dtype_find("BF16") == LUN_BF16 && lun_dtype_find("int64") == LUN_I64 && lun_dtype_find("Q8_0") == LUN_Q8_0);
  CHECK(lun_dtype_find("") == -1 && lun_dtype_find("f3") == -1 && lun_dtype_find("q4_k") == -1);
  CHECK(lun_dtype_bytes(LUN_F16, 3) == 6 && lun_dtype_bytes(LUN_I64, 0) == 0 && lun_dtype_bytes(LUN_U8, 5) == 5);
  CHECK(lun_dtype_bytes(LUN_Q8_0, 64) == 68 && lun_dtype_bytes(LUN_Q8_0, 33) == 0);
  CHECK(lun_dtype_bytes(LUN_F64, INT64_MAX) == 0 && lun_dtype_bytes(LUN_F32, -1) == 0, "sizes that overflow");
}

/* All of them in one row, which goes through the vector code, and one by one, which does not. */
static void check_halves(void) {
  static uint16_t half[65536], back[65536];
  static float    value[65536];
  int             wrong = 0, alone = 0, returned = 0;
  for (unsigned h = 0; h < 65536; h++) half[h] = (uint16_t)h;
  lun_row_to_f32(LUN_F16, half, 65536, value);
  lun_row_from_f32(LUN_F16, value, 65536, back);
  for (unsigned h = 0; h < 65536; h++) {
    double   want = half_value(h);
    float    one;
    uint16_t one_back;
    lun_row_to_f32(LUN_F16, half + h, 1, &one);
    lun_row_from_f32(LUN_F16, &one, 1, &one_back);
    wrong += isnan(want) ? !isnan(value[h]) : (double)value[h] != want || !signbit(value[h]) != !signbit(want);
    alone += memcmp(&one, value + h, sizeof one) != 0 || one_back != back[h];
    returned += isnan(want) ? back[h] != (half[h] | 0x200) : back[h] != half[h];
  }
  CHECK(wrong == 0, "%d of 65536 f16 have the wrong value", wrong);
  CHECK(alone == 0, "%d of 65536 f16 convert differently alone", alone);
  CHECK(returned == 0, "%d of 65536 f16 do not come back", returned);
}

/* Between any two neighbours: just below, at and just above the middle; ties go to the even one. */
static void check_rounding(lun_dtype dtype, unsigned infinity, double (*value_of)(unsigned)) {
  int wrong = 0;
  for (unsigned h = 0; h + 1 < infinity; h++) {
    double   middle = (value_of(h) + value_of(h + 1)) / 2;
    float    x[6] = { nextafterf((float)middle, 0), (float)middle, nextafterf((float)middle, INFINITY) };
    uint16_t got[6];
    for (int i = 0; i < 3; i++) x[3 + i] = -x[i];
    lun_row_from_f32(dtype, x, 6, got);
    for (unsigned sign = 0; sign < 2; sign++)
      wrong += got[sign * 3] != (h | sign << 15) || got[sign * 3 + 1] != ((h + (h & 1)) | sign << 15) || got[sign * 3 + 2] != ((h + 1) | sign << 15);
  }
  CHECK(wrong == 0, "%s: %d middles round wrongly", lun_dtype_name(dtype), wrong);
}

static void check_large_halves(void) {
  const float x[] = { 65504, 65519.996f, 65520, 1e30f, -INFINITY, 0x1p-25f, nextafterf(0x1p-25f, 1), -0.0f };
  uint16_t    got[8];
  lun_row_from_f32(LUN_F16, x, 8, got);
  CHECK(got[0] == 0x7bff && got[1] == 0x7bff && got[2] == 0x7c00 && got[3] == 0x7c00 && got[4] == 0xfc00);
  CHECK(got[5] == 0 && got[6] == 1 && got[7] == 0x8000);
}

/* d = max|x| / 127 and q = round(x / d), ggml's quantize_row_q8_0_ref */
static void check_q8(void) {
  float         x[96], back[96];
  unsigned char block[3 * LUN_Q8_BYTES];
  for (int i = 0; i < 96; i++) x[i] = i < 32 ? (float)noise() : i < 64 ? 0 : (float)(i - 80) * 0.5f;
  x[64] = 63.5f;                                   /* d = 0.5: every other value ends in .5 */
  for (int i = 65; i < 96; i++) x[i] = (float)(i - 80) * 0.25f;
  lun_row_from_f32(LUN_Q8_0, x, 96, block);
  for (int b = 0; b < 3; b++) {
    float         largest = 0, d;
    uint16_t      stored;
    for (int i = 0; i < 32; i++) largest = fmaxf(largest, fabsf(x[b * 32 + i]));
    d = largest / 127;
    memcpy(&stored, block + b * 34, 2);
    CHECK(fabs(half_value(stored) - (double)d) <= (double)d * 0x1p-11, "scale of block %d", b);
    for (int i = 0; i < 32; i++) {
      int want = d > 0 ? (int)roundf(x[b * 32 + i] * (1.0f / d)) : 0;
      CHECK((signed char)block[b * 34 + 2 + i] == want, "block %d, element %d: %d, wanted %d", b, i, (signed char)block[b * 34 + 2 + i], want);
    }
  }
  lun_row_to_f32(LUN_Q8_0, block, 96, back);
  for (int i = 0; i < 96; i++) {
    uint16_t stored;
    memcpy(&stored, block + i / 32 * 34, 2);
    CHECK((double)back[i] == half_value(stored) * (signed char)block[i / 32 * 34 + 2 + i % 32]);
  }
  x[3] = NAN, x[4] = INFINITY;                     /* nothing sensible, but no undefined conversion */
  lun_row_from_f32(LUN_Q8_0, x, 32, block);
}

static lun_tensor *cast(lun_tensor *x, lun_dtype dtype) { return call_op(cx, LUN_OP_cast, IN(x), PARAMS(dtype), NULL); }

static void check_casts(void) {
  const int64_t whole[] = { 0, -1, 255, 256, -129, 16777217, INT32_MAX, (int64_t)INT32_MAX + 1, INT64_MAX, INT64_MIN, (int64_t)1 << 53 };
  const double  real[] = { 0, -0.9, 1.9, 255.9, 256, -3e9, 1e19, -1e19, NAN, INFINITY, 0x1p53 };
  lun_tensor   *w = lun_from_host(cx, LUN_I64, DIM(11), whole), *r = lun_from_host(cx, LUN_F64, DIM(11), real), *y;
  y = cast(w, LUN_I32);
  CHECK(y && memcmp(y->data, (int32_t[]){ 0, -1, 255, 256, -129, 16777217, INT32_MAX, INT32_MAX, INT32_MAX, INT32_MIN, INT32_MAX }, 44) == 0);
  y = cast(w, LUN_U8);
  CHECK(y && memcmp(y->data, (uint8_t[]){ 0, 0, 255, 255, 0, 255, 255, 255, 255, 0, 255 }, 11) == 0);
  y = cast(w, LUN_F64);
  for (int i = 0; y && i < 11; i++) CHECK(((double *)(void *)y->data)[i] == (double)whole[i]);
  y = cast(w, LUN_F32);
  for (int i = 0; y && i < 11; i++) CHECK(f32(y)[i] == (float)whole[i]);
  y = cast(cast(w, LUN_F64), LUN_I64);
  for (int i = 0; y && i < 11; i++) CHECK(i64(y)[i] == whole[i], "i64 %lld through f64", (long long)whole[i]);
  y = cast(r, LUN_I64);
  CHECK(y && memcmp(y->data, (int64_t[]){ 0, 0, 1, 255, 256, -3000000000, INT64_MAX, INT64_MIN, 0, INT64_MAX, (int64_t)1 << 53 }, 88) == 0);
  y = cast(r, LUN_U8);
  CHECK(y && memcmp(y->data, (uint8_t[]){ 0, 0, 1, 255, 255, 0, 255, 0, 0, 255, 255 }, 11) == 0);
  y = cast(cast(r, LUN_F32), LUN_I32);
  CHECK(y && memcmp(y->data, (int32_t[]){ 0, 0, 1, 255, 256, INT32_MIN, INT32_MAX, INT32_MIN, 0, INT32_MAX, INT32_MAX }, 44) == 0);
}

/* Longer than a piece of any loop, and back again. */
static void check_long_casts(void) {
  static const lun_dtype types[] = { LUN_F16, LUN_BF16, LUN_F64, LUN_I64, LUN_I32, LUN_U8, LUN_Q8_0 };
  lun_tensor *x = lun_make(cx, LUN_F32, DIM(3, 37, 1024));
  for (int64_t i = 0; i < lun_count(x); i++) f32(x)[i] = (float)(i * 7 % 128);      /* every type holds these */
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    lun_tensor *y = cast(cast(x, types[i]), LUN_F32);
    int64_t     wrong = 0;
    for (int64_t k = 0; y && k < lun_count(x); k++) wrong += fabsf(f32(y)[k] - f32(x)[k]) > (types[i] == LUN_Q8_0 ? 0.6f : 0);
    CHECK(wrong == 0, "%s: %lld values do not come back", lun_dtype_name(types[i]), (long long)wrong);
  }
  CHECK(lun_data(cast(x, LUN_F32)) == lun_data(x), "a cast to the same type moves nothing");
}

int main(void) {
  cx = lun_open(1);
  check_names();
  check_halves();
  check_rounding(LUN_F16, 0x7c00, half_value);
  check_rounding(LUN_BF16, 0x7f80, brain_value);
  check_large_halves();
  check_q8();
  check_casts();
  check_long_casts();
  lun_close(cx);
  return check_end();
}
