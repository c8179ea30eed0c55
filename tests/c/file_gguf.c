/* file_gguf.c - reading GGUF: good files, broken ones, every kind of metadata, no memory. */
#define _GNU_SOURCE    /* mkdtemp */
#include "file_bytes.h"
#include "files/gguf.h"

static lun_ctx *cx;
static bytes    b;

static void begin_file(uint64_t version, uint64_t tensors, uint64_t values) {
  b.size = 0;
  put(&b, "GGUF", 4);
  put_number(&b, version, 4);
  put_number(&b, tensors, 8);
  put_number(&b, values, 8);
}

static void put_string(const char *s) {
  put_number(&b, strlen(s), 8);
  put(&b, s, strlen(s));
}

static void put_key(const char *key, int type) {
  put_string(key);
  put_number(&b, (uint64_t)type, 4);
}

static void put_list(const char *key, int type, uint64_t count) {
  put_key(key, LUN_GGUF_ARRAY);
  put_number(&b, (uint64_t)type, 4);
  put_number(&b, count, 8);
}

/* Dimensions outermost first, ended by -1. */
static void put_tensor(const char *name, const int64_t *dim, int type, uint64_t offset) {
  int rank = 0;
  while (dim[rank] >= 0) rank++;
  put_string(name);
  put_number(&b, (uint64_t)rank, 4);
  while (rank > 0) put_number(&b, (uint64_t)dim[--rank], 8);
  put_number(&b, (uint64_t)type, 4);
  put_number(&b, offset, 8);
}

#define SHAPE(...) (const int64_t[]){ __VA_ARGS__, -1 }

static void put_contents(size_t alignment, size_t n) {
  while (b.size % alignment) put_number(&b, 255, 1);
  for (size_t i = 0; i < n; i++) put_number(&b, i & 255, 1);
}

static const char *save(void) {
  write_file(in_folder("model.gguf"), b.data, b.size);
  return in_folder("model.gguf");
}

#define REFUSED(wanted) refused(cx, save(), wanted, __LINE__)

static void test_tensors(void) {
  static const struct { const char *name; int code; lun_dtype dtype; size_t bytes, at; } want[] = {
    { "f32", 0, LUN_F32, 2 * 32 * 4, 0 }, { "f16", 1, LUN_F16, 2 * 32 * 2, 256 }, { "bf16", 30, LUN_BF16, 2 * 32 * 2, 384 }, { "f64", 28, LUN_F64, 2 * 32 * 8, 512 },
    { "i32", 26, LUN_I32, 2 * 32 * 4, 1024 }, { "i64", 27, LUN_I64, 2 * 32 * 8, 1280 }, { "q8_0", 8, LUN_Q8_0, 2 * 34, 1792 },
  };
  int64_t   dim[LUN_MAXRANK];
  lun_dtype dtype;
  int       rank;
  for (uint64_t version = 2; version <= 3; version++) {
    lun_weights *w;
    begin_file(version, 11, 0);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) put_tensor(want[i].name, SHAPE(2, 32), want[i].code, want[i].at);
    put_tensor("q4", SHAPE(1, 1, 1, 256), 12, 1888);
    put_tensor("new", SHAPE(3), 999, 0);
    put_tensor("deep", SHAPE(1, 2, 1, 1, 1, 1, 3), 24, 2048);
    put_tensor("one", (const int64_t[]){ -1 }, 0, 2080);
    put_contents(32, 2084);
    w = lun_weights_open(cx, save());
    if (!CHECK(w != NULL, "%s", lun_message(cx))) return;
    CHECK(lun_weights_count(w) == 11);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
      lun_tensor          *t = lun_weights_get(cx, w, lun_weights_find(w, want[i].name));
      const unsigned char *data;
      if (!CHECK(t != NULL, "%s: %s", want[i].name, lun_message(cx))) break;
      CHECK(lun_dtype_of(t) == want[i].dtype && lun_rank(t) == 2 && lun_dim(t, 0) == 2 && lun_dim(t, 1) == 32 && lun_bytes(t) == want[i].bytes,
            "%s is not as described", want[i].name);
      data = lun_data(t);
      CHECK(data[0] == want[i].at % 256 && data[want[i].bytes - 1] == (want[i].at + want[i].bytes - 1) % 256, "%s begins with %d", want[i].name, data[0]);
    }
    CHECK(lun_rank(lun_weights_get(cx, w, lun_weights_find(w, "one"))) == 0);
    CHECK(strcmp(lun_weights_about(w, lun_weights_find(w, "q4"), &dtype, &rank, dim), "Q4_K") == 0 && dtype == LUN_NDTYPES && rank == 4 && dim[3] == 256);
    CHECK(strcmp(lun_weights_about(w, lun_weights_find(w, "deep"), &dtype, &rank, dim), "I8") == 0 && rank == 7 && dim[1] == 2);
    CHECK(!lun_weights_get(cx, w, lun_weights_find(w, "q4")) && strstr(lun_message(cx), "tensor 'q4' has type Q4_K, not supported yet"));
    lun_clear(cx);
    CHECK(!lun_weights_get(cx, w, lun_weights_find(w, "new")) && strstr(lun_message(cx), "tensor 'new' has type number 999, not supported yet"));
    lun_clear(cx);
    lun_weights_free(w);
    lun_scope_close(cx, 0, NULL);
  }
}

static void test_alignment(void) {
  static const int alignment[] = { 1, 2, 8, 64, 4096 };
  for (size_t i = 0; i < sizeof alignment / sizeof *alignment; i++) {
    lun_weights *w;
    lun_tensor  *t;
    begin_file(3, 2, 1);
    put_key("general.alignment", LUN_GGUF_U32);
    put_number(&b, (uint64_t)alignment[i], 4);
    put_tensor("a", SHAPE(3), 24, 0);
    put_tensor("b", SHAPE(2), 0, alignment[i] < 3 ? 4 : alignment[i]);
    put_contents((size_t)alignment[i], 4200);
    w = lun_weights_open(cx, save());
    t = w ? lun_weights_get(cx, w, 1) : NULL;
    CHECK(t && ((const unsigned char *)lun_data(t))[1] == ((alignment[i] < 3 ? 4 : alignment[i]) + 1) % 256, "alignment %d: %s", alignment[i], lun_message(cx));
    lun_weights_free(w);
    lun_scope_close(cx, 0, NULL);
  }
}

static void put_double(double v) { put(&b, &v, 8); }
static void put_float(float v) { put(&b, &v, 4); }

static void many_values(void) {
  begin_file(3, 0, 17);
  put_key("u8", LUN_GGUF_U8), put_number(&b, 200, 1);
  put_key("i8", LUN_GGUF_I8), put_number(&b, 200, 1);
  put_key("u16", LUN_GGUF_U16), put_number(&b, 65535, 2);
  put_key("i16", LUN_GGUF_I16), put_number(&b, 65535, 2);
  put_key("u32", LUN_GGUF_U32), put_number(&b, 4294967295u, 4);
  put_key("i32", LUN_GGUF_I32), put_number(&b, 4294967295u, 4);
  put_key("u64", LUN_GGUF_U64), put_number(&b, 1ull << 62, 8);
  put_key("huge", LUN_GGUF_U64), put_number(&b, UINT64_MAX, 8);
  put_key("i64", LUN_GGUF_I64), put_number(&b, UINT64_MAX, 8);
  put_key("f32", LUN_GGUF_F32), put_float(1.5f);
  put_key("f64", LUN_GGUF_F64), put_double(-0.1);
  put_key("bool", LUN_GGUF_BOOL), put_number(&b, 1, 1);
  put_key("text", LUN_GGUF_STRING), put_string("caf\xc3\xa9");
  put_list("words", LUN_GGUF_STRING, 3), put_string("a"), put_string(""), put_string("bc");
  put_list("ints", LUN_GGUF_I16, 2), put_number(&b, 7, 2), put_number(&b, 0xFFFE, 2);
  put_list("floats", LUN_GGUF_F32, 2), put_float(0.5f), put_float(2);
  put_list("lists", LUN_GGUF_ARRAY, 2);
  put_number(&b, LUN_GGUF_BOOL, 4), put_number(&b, 2, 8), put_number(&b, 1, 1), put_number(&b, 0, 1);
  put_number(&b, LUN_GGUF_STRING, 4), put_number(&b, 1, 8), put_string("x");
}

static void test_values(void) {
  static const struct { const char *key; lun_type type; int64_t i; double n; } want[] = {
    { "u8", LUN_INT, 200, 200 }, { "i8", LUN_INT, -56, -56 }, { "u16", LUN_INT, 65535, 65535 }, { "i16", LUN_INT, -1, -1 },
    { "u32", LUN_INT, 4294967295, 4294967295.0 }, { "i32", LUN_INT, -1, -1 }, { "u64", LUN_INT, (int64_t)1 << 62, 4611686018427387904.0 },
    { "huge", LUN_NUM, 0, 18446744073709551616.0 }, { "i64", LUN_INT, -1, -1 }, { "f32", LUN_NUM, 0, 1.5 }, { "f64", LUN_NUM, 0, -0.1 },
    { "bool", LUN_BOOL, 1, 0 },
  };
  lun_weights *w;
  lun_meta    v, item, inner;
  many_values();
  w = lun_weights_open(cx, save());
  if (!CHECK(w != NULL, "%s", lun_message(cx))) return;
  CHECK(lun_weights_meta_count(w) == 17 && strcmp(lun_weights_meta_name(w, 0), "bool") == 0 && !lun_weights_meta_name(w, 17));
  for (size_t i = 0; i < sizeof want / sizeof *want; i++)
    CHECK(lun_weights_meta(w, want[i].key, &v) && v.type == want[i].type && v.i == want[i].i && v.n == want[i].n && v.length == 1,
          "%s: type %d, %lld, %g", want[i].key, v.type, (long long)v.i, v.n);
  CHECK(strcmp(lun_weights_metadata(w, "text"), "caf\xc3\xa9") == 0 && !lun_weights_metadata(w, "u8") && !lun_weights_meta(w, "none", &v));

  CHECK(lun_weights_meta(w, "words", &v) && v.type == LUN_STRS && v.length == 3);
  CHECK(lun_meta_next(&v, &item) && item.type == LUN_STR && item.length == 1 && item.text[0] == 'a');
  CHECK(lun_meta_next(&v, &item) && item.length == 0);
  CHECK(lun_meta_next(&v, &item) && item.length == 2 && memcmp(item.text, "bc", 2) == 0);
  CHECK(!lun_meta_next(&v, &item) && !lun_meta_next(&v, &item));
  CHECK(lun_weights_meta(w, "ints", &v) && v.type == LUN_INTS && lun_meta_next(&v, &item) && item.i == 7 && lun_meta_next(&v, &item) && item.i == -2);
  CHECK(lun_weights_meta(w, "floats", &v) && v.type == LUN_NUMS && lun_meta_next(&v, &item) && item.n == 0.5 && lun_meta_next(&v, &item) && item.n == 2);
  CHECK(lun_weights_meta(w, "lists", &v) && v.type == LUN_OBJECT && v.length == 2);
  CHECK(lun_meta_next(&v, &item) && item.type == LUN_INTS && lun_meta_next(&item, &inner) && inner.i == 1 && lun_meta_next(&item, &inner) && inner.i == 0);
  CHECK(lun_meta_next(&v, &item) && item.type == LUN_STRS && lun_meta_next(&item, &inner) && inner.text[0] == 'x' && !lun_meta_next(&item, &inner));
  CHECK(lun_weights_meta(w, "text", &v) && !lun_meta_next(&v, &item), "a string is no list");
  lun_weights_free(w);
}

/* Every file that is cut anywhere must be refused, or open with all it still promises. */
static void test_cuts(void) {
  many_values();
  b.data[8] = 1;                                     /* one tensor */
  put_tensor("a", SHAPE(2), 0, 0);
  put_contents(32, 8);
  for (size_t whole = b.size, size = 0; size <= whole; size++) {
    lun_weights *w;
    b.size = size;
    w = lun_weights_open(cx, save());
    CHECK((w != NULL) == (size == whole), "%zu of %zu bytes: %s", size, whole, w ? "opened" : lun_message(cx));
    CHECK(w || lun_error(cx) == LUN_EIO);
    lun_clear(cx);
    lun_weights_free(w);
  }
}

static void test_broken(void) {
  begin_file(1, 0, 0), REFUSED("GGUF version 1,");
  begin_file(3 << 24, 0, 0), REFUSED("big-endian");
  begin_file(3, UINT64_MAX, 0), REFUSED("cut short: the file ends at byte 24, inside tensor 1");
  begin_file(3, 0, UINT64_MAX), REFUSED("inside value 1");
  begin_file(3, 0, 1), put_number(&b, UINT64_MAX, 8), REFUSED("the name of value 1 has 18446744073709551615 bytes");
  begin_file(3, 1, 0), put_number(&b, 65536, 8), REFUSED("the name of tensor 1 has 65536 bytes, at most 65535");
  begin_file(3, 0, 1), put_number(&b, 2, 8), put(&b, "a\0", 2), put_number(&b, 0, 8), REFUSED("the name of value 1 holds a NUL");
  begin_file(3, 1, 0), put_number(&b, 3, 8), put(&b, "a\0b", 3), put_number(&b, 0, 8), REFUSED("the name of tensor 1 holds a NUL");
  begin_file(3, 0, 1), put_string("\xff"), put_number(&b, 0, 8), REFUSED("the name of value 1 is not UTF-8");
  begin_file(3, 0, 1), put_key("k", 13), put_number(&b, 0, 8), REFUSED("metadata 'k': an unknown type");
  begin_file(3, 0, 1), put_key("k", LUN_GGUF_STRING), put_number(&b, 1ull << 40, 8), REFUSED("metadata 'k': a string reaches beyond");
  begin_file(3, 0, 1), put_list("k", LUN_GGUF_U64, 1ull << 61), REFUSED("metadata 'k': a list reaches beyond");
  begin_file(3, 0, 1), put_list("k", LUN_GGUF_STRING, UINT64_MAX), REFUSED("metadata 'k': a list reaches beyond");
  begin_file(3, 0, 1), put_list("k", 77, 1), REFUSED("metadata 'k': a list of an unknown type");
  begin_file(3, 0, 1), put_key("k", LUN_GGUF_ARRAY);
  for (int i = 0; i < 9; i++) put_number(&b, LUN_GGUF_ARRAY, 4), put_number(&b, 1, 8);
  REFUSED("metadata 'k': lists nested deeper than 8");
  begin_file(3, 0, 2), put_key("k", LUN_GGUF_U8), put_number(&b, 1, 1), put_key("k", LUN_GGUF_U8), put_number(&b, 1, 1), REFUSED("metadata 'k' occurs twice");
  for (int i = 0; i < 3; i++) {
    static const uint64_t wrong[] = { 0, 24, 1 << 21 };
    begin_file(3, 0, 1), put_key("general.alignment", LUN_GGUF_U32), put_number(&b, wrong[i], 4), REFUSED("general.alignment is");
  }
  begin_file(3, 0, 1), put_key("general.alignment", LUN_GGUF_STRING), put_string("32"), REFUSED("general.alignment is");
  begin_file(3, 1, 0), put_tensor("a", SHAPE(2), 0, 1), put_contents(32, 64), REFUSED("tensor 'a' lies at offset 1, not a multiple of 32");
  begin_file(3, 1, 0), put_tensor("a", SHAPE(2), 0, 64), put_contents(32, 64), REFUSED("tensor 'a' has 8 bytes at offset 64 of contents of 64");
  begin_file(3, 1, 0), put_tensor("a", SHAPE(2), 0, UINT64_MAX - 31), put_contents(32, 64), REFUSED("tensor 'a' has 8 bytes at offset 18446744073709551584");
  begin_file(3, 1, 0), put_tensor("a", SHAPE(17), 0, 0), put_contents(32, 64), REFUSED("tensor 'a' has 68 bytes");
  begin_file(3, 1, 0), put_tensor("a", SHAPE(3, 33), 8, 0), put_contents(32, 640), REFUSED("tensor 'a': rows of 33 elements do not fill blocks of Q8_0, which have 32");
  begin_file(3, 1, 0), put_tensor("a", SHAPE(32, 1), 8, 0), put_contents(32, 640), REFUSED("tensor 'a': rows of 1 elements");
  begin_file(3, 1, 0), put_tensor("a", SHAPE(1ll << 32, 1ll << 32), 0, 0), put_contents(32, 64), REFUSED("tensor 'a': the elements of its shape do not fit");
  begin_file(3, 1, 0), put_tensor("a", SHAPE(1ll << 31, 1ll << 32), 28, 0), put_contents(32, 64), REFUSED("tensor 'a': the bytes of");
  begin_file(3, 1, 0), put_string("a"), put_number(&b, 1001, 4), REFUSED("tensor 'a' has 1001 dimensions");
  begin_file(3, 2, 0), put_tensor("a", SHAPE(9), 0, 0), put_tensor("b", SHAPE(2), 0, 32), put_contents(32, 64), REFUSED("overlaps 'a'");
  begin_file(3, 2, 0), put_tensor("a", SHAPE(2), 0, 0), put_tensor("a", SHAPE(2), 0, 32), put_contents(32, 64), REFUSED("tensor 'a' occurs twice");
}

int main(void) {
  cx = lun_open(1);
  test_tensors();
  test_alignment();
  test_values();
  test_cuts();
  test_broken();
  many_values();
  b.data[8] = 1;
  put_tensor("a", SHAPE(2), 0, 0);
  put_contents(32, 8);
  without_memory(cx, save());
  remove_folder();
  lun_close(cx);
  return check_end();
}
