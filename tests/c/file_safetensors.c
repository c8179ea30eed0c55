/* file_safetensors.c - reading safetensors: good files, broken ones, indexes, no memory. */
#define _GNU_SOURCE    /* mkdtemp, mkfifo, truncate */
#include <cjson/cJSON.h>
#include <sys/stat.h>
#include "file_bytes.h"

static lun_ctx *cx;

/* A file with this header (padded with 'pad' spaces) and n bytes 0, 1, 2, ... of contents. */
static const char *make(const char *header, size_t pad, size_t n) {
  static bytes b;
  const char  *path = in_folder("model.safetensors");
  size_t       length = strlen(header) + pad;
  b.size = 0;
  put_number(&b, length, 8);
  put(&b, header, strlen(header));
  for (size_t i = 0; i < pad; i++) put(&b, " ", 1);
  for (size_t i = 0; i < n; i++) put_number(&b, i & 255, 1);
  write_file(path, b.data, b.size);
  return path;
}

#define REFUSED(header, n, wanted) refused(cx, make(header, 0, n), wanted, __LINE__)

static void test_types(void) {
  const char *header = "{\"__metadata__\":{\"format\":\"pt\",\"b\":\"caf\\u00e9\"},"
    "\"c\":{\"dtype\":\"F32\",\"shape\":[2,2],\"data_offsets\":[0,16]},"
    "\"f64\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[16,24]},"
    "\"i64\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]},"
    "\"i32\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[32,36]},"
    "\"f16\":{\"dtype\":\"F16\",\"shape\":[1,2],\"data_offsets\":[36,40]},"
    "\"bf16\":{\"dtype\":\"BF16\",\"shape\":[2],\"data_offsets\":[40,44]},"
    "\"u8\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[44,46]},"
    "\"none\":{\"dtype\":\"F32\",\"shape\":[3,0,4],\"data_offsets\":[46,46]},"
    "\"bool\":{\"dtype\":\"BOOL\",\"shape\":[2],\"data_offsets\":[46,48]},"
    "\"f8\":{\"dtype\":\"F8_E4M3\",\"shape\":[2],\"data_offsets\":[48,50]},"
    "\"new\":{\"dtype\":\"Z9\",\"shape\":[2],\"data_offsets\":[50,51]},"
    "\"deep\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1],\"data_offsets\":[51,52]}}";
  static const struct { const char *name; lun_dtype dtype; int rank; size_t bytes, at; } want[] = {
    { "c", LUN_F32, 2, 16, 0 }, { "f64", LUN_F64, 1, 8, 16 }, { "i64", LUN_I64, 0, 8, 24 }, { "i32", LUN_I32, 1, 4, 32 },
    { "f16", LUN_F16, 2, 4, 36 }, { "bf16", LUN_BF16, 1, 4, 40 }, { "u8", LUN_U8, 1, 2, 44 }, { "none", LUN_F32, 3, 0, 46 },
    { "bool", LUN_U8, 1, 2, 46 },
  };
  for (size_t pad = 0; pad < 8; pad++) {           /* every alignment of the contents */
    lun_weights *w = lun_weights_open(cx, make(header, pad, 52));
    size_t       mark = lun_scope_open(cx);
    int64_t      dim[LUN_MAXRANK];
    lun_dtype    dtype;
    int          rank;
    if (!CHECK(w != NULL, "%s", lun_message(cx))) return;
    CHECK(lun_weights_count(w) == 12);
    CHECK(strcmp(lun_weights_name(w, 0), "bf16") == 0 && strcmp(lun_weights_name(w, 11), "u8") == 0, "names are not in order");
    CHECK(lun_weights_name(w, 12) == NULL && lun_weights_name(w, -1) == NULL);
    CHECK(strcmp(lun_weights_metadata(w, "b"), "caf\xc3\xa9") == 0);
    CHECK(strcmp(lun_weights_metadata(w, "format"), "pt") == 0);
    CHECK(lun_weights_metadata(w, "a") == NULL && lun_weights_meta_count(w) == 2);
    CHECK(lun_weights_find(w, "d") == -1 && lun_weights_find(w, "") == -1 && lun_weights_find(w, "zz") == -1);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
      lun_tensor          *t = lun_weights_get(cx, w, lun_weights_find(w, want[i].name));
      const unsigned char *data;
      if (!CHECK(t != NULL, "%s: %s", want[i].name, lun_message(cx))) break;
      CHECK(lun_dtype_of(t) == want[i].dtype && lun_rank(t) == want[i].rank && lun_bytes(t) == want[i].bytes, "%s is not as described", want[i].name);
      data = lun_data(t);
      for (size_t k = 0; k < want[i].bytes; k++) CHECK(data[k] == want[i].at + k, "%s: byte %zu is %d", want[i].name, k, data[k]);
      CHECK(lun_data_mutable(t) == NULL && lun_error(cx) == LUN_EARG, "%s may be written", want[i].name);
      lun_clear(cx);
    }
    CHECK(strcmp(lun_weights_about(w, lun_weights_find(w, "f8"), &dtype, &rank, dim), "F8_E4M3") == 0 && dtype == LUN_NDTYPES && rank == 1 && dim[0] == 2);
    CHECK(strcmp(lun_weights_about(w, lun_weights_find(w, "bool"), &dtype, &rank, dim), "BOOL") == 0 && dtype == LUN_U8);
    CHECK(strcmp(lun_weights_about(w, lun_weights_find(w, "deep"), &dtype, &rank, dim), "U8") == 0 && rank == 7);
    CHECK(!lun_weights_get(cx, w, lun_weights_find(w, "f8")) && strstr(lun_message(cx), "tensor 'f8' has type F8_E4M3, not supported yet"));
    lun_clear(cx);
    CHECK(!lun_weights_get(cx, w, lun_weights_find(w, "new")) && strstr(lun_message(cx), "tensor 'new' has type Z9, not supported yet"));
    lun_clear(cx);
    CHECK(!lun_weights_get(cx, w, lun_weights_find(w, "deep")) && strstr(lun_message(cx), "tensor 'deep' has 7 dimensions, at most 6"));
    lun_clear(cx);
    CHECK(!lun_weights_get(cx, w, 12) && lun_error(cx) == LUN_EARG);
    lun_clear(cx);
    lun_weights_free(w);
    lun_scope_close(cx, mark, NULL);
  }
}

static void test_lifetime(void) {
  const char  *path = make("{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 0, 4);
  lun_weights *w = lun_weights_open(cx, path);
  lun_tensor  *t = lun_weights_get(cx, w, 0);
  lun_weights_free(w);
  remove(path);
  CHECK(t && ((const unsigned char *)lun_data(t))[3] == 3, "a tensor does not outlive its file");
  lun_weights_free(NULL);
  lun_scope_close(cx, 0, NULL);
}

static void test_broken(void) {
  bytes *b = calloc(1, sizeof *b);
  const char *path = in_folder("raw");
  static const struct { const char *header; size_t n; const char *wanted; } header[] = {
    { "", 0, "not JSON" },
    { "[]", 0, "not an object" },
    { "{\"a\":1}", 0, "tensor 'a': not described by an object" },
    { "{\"a\":{}}", 0, "tensor 'a': shape is not a list" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0]}}", 4, "tensor 'a': data_offsets" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,-4]}}", 4, "tensor 'a': data_offsets" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4.5]}}", 4, "tensor 'a': data_offsets" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,1e300]}}", 4, "tensor 'a': data_offsets" },
    { "{\"a\":{\"dtype\":7,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, "tensor 'a': dtype is not a string" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[\"1\"],\"data_offsets\":[0,4]}}", 4, "tensor 'a': shape holds" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}", 4, "tensor 'a': shape holds" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", 4, "tensor 'a' lies at bytes 0 to 8 of contents of 4 bytes" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,4]}}", 8, "tensor 'a' lies at bytes 8 to 4" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,4]}}", 4, "tensor 'a' has 4 bytes, but 2 elements of F32" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, "tensor 'a': the elements of its shape do not fit 64 bits" },
    { "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,1073741824],\"data_offsets\":[0,0]}}", 0, "tensor 'a' has 0 bytes, but 4611686018427387904 elements" },
    { "{\"a\":{\"dtype\":\"F4\",\"shape\":[1],\"data_offsets\":[0,1]}}", 1, "tensor 'a' has 1 bytes, but 1 elements of F4" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[3,7]}}", 7, "tensor 'b' at byte" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[5,9]}}", 9, "1 bytes at" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 6, "2 bytes at" },
    { "{}", 6, "after the last tensor" },
    { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[4,8]}}", 8, "the key 'a' occurs twice" },
    { "{\"a\":{\"dtype\":\"U8\",\"dtype\":\"I8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "the key 'dtype' occurs twice" },
    { "{\"a\\u0000b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4, "a NUL inside a string at byte 9" },
    { "{\"a\xff\":1}", 0, "not UTF-8" },
    { "{\"a\":tru}", 0, "a value is missing at byte 5" },
    { "{\"a\":1,}", 0, "a string is missing" },
    { "{\"a\":[1,]}", 0, "a value is missing" },
    { "{\"a\":\"\\x\"}", 0, "an unknown escape" },
    { "{\"a\":\"\\ud800\"}", 0, "half of a surrogate pair" },
    { "{\"a\":01}", 0, "a comma or bracket is missing" },
    { "{\"a\":1", 0, "the text ends too early" },
    { "{\"a", 0, "a string without end" },
    { "{} {}", 0, "more text after the value" },
    { "{\"__metadata__\":{\"a\":1}}", 0, "metadata 'a' is not a string" },
    { "{\"__metadata__\":[]}", 0, "__metadata__ is not an object" },
  };
  for (size_t i = 0; i < sizeof header / sizeof *header; i++) {
    refused(cx, make(header[i].header, 0, header[i].n), header[i].wanted, __LINE__);
  }

  for (int i = 0; i < 65; i++) put(b, "[", 1);
  REFUSED((const char *)b->data, 0, "nested deeper than 64 at byte 64");

  refused(cx, in_folder("absent"), "No such file or directory", __LINE__);
  refused(cx, test_folder, "not a regular file", __LINE__);
  CHECK(mkfifo(in_folder("pipe"), 0600) == 0);
  refused(cx, in_folder("pipe"), "not a regular file", __LINE__);
  write_file(path, "", 0);
  refused(cx, path, "empty file", __LINE__);
  write_file(path, "1234567", 7);
  refused(cx, path, "7 bytes are too few", __LINE__);
  write_file(path, "PK\003\004xxxxxxxxxxxx", 16);
  refused(cx, path, "a PyTorch pickle", __LINE__);
  write_file(path, "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
  refused(cx, path, "18446744073709551615 bytes, the file has 10", __LINE__);
  write_file(path, "\3\0\0\0\0\0\0\0{}", 10);
  refused(cx, path, "3 bytes, the file has 10", __LINE__);
  CHECK(truncate(path, 200000000) == 0);            /* a hole: 200 MB of zeros that take no room */
  b->size = 0;
  put_number(b, 100000001, 8);
  FILE *f = fopen(path, "r+b");
  fwrite(b->data, 1, 8, f);
  fclose(f);
  refused(cx, path, "a header of 100000001 bytes, at most 100000000", __LINE__);
  free(b);
}

static void index_file(const char *text) { write_file(in_folder("model.safetensors.index.json"), text, strlen(text)); }

static void test_index(void) {
  const char  *path = in_folder("model.safetensors.index.json");
  lun_weights *w;
  make("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"spare\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[2,4]},"
       "\"__metadata__\":{\"format\":\"pt\"}}", 0, 4);
  CHECK(rename(in_folder("model.safetensors"), in_folder("s1")) == 0);
  make("{\"b\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"spare\":{\"dtype\":\"BOOL\",\"shape\":[1],\"data_offsets\":[2,3]}}", 0, 3);
  CHECK(rename(in_folder("model.safetensors"), in_folder("s2")) == 0);

  index_file("\n{\"metadata\":{\"total_size\":7},\"weight_map\":{\"b\":\"s2\",\"a\":\"s1\",\"spare\":\"s2\"}}\n");
  w = lun_weights_open(cx, path);
  if (!CHECK(w != NULL, "%s", lun_message(cx))) return;
  CHECK(lun_weights_count(w) == 3);
  CHECK(lun_weights_find(w, "a") == 0 && lun_weights_find(w, "b") == 1 && lun_weights_find(w, "spare") == 2);
  CHECK(strcmp(lun_weights_metadata(w, "format"), "pt") == 0);
  CHECK(((const unsigned char *)lun_data(lun_weights_get(cx, w, 1)))[1] == 1);
  CHECK(lun_bytes(lun_weights_get(cx, w, 2)) == 1, "the spare one comes from the wrong shard");
  lun_weights_free(w);
  without_memory(cx, path);

  index_file("{\"weight_map\":{\"b\":\"s1\"}}");
  refused(cx, path, "tensor 'b' is not in s1", __LINE__);
  index_file("{\"weight_map\":{\"b\":\"../s1\"}}");
  refused(cx, path, "the shard '../s1' is not a plain file name", __LINE__);
  index_file("{\"weight_map\":{\"b\":\"..\"}}");
  refused(cx, path, "the shard '..' is not a plain file name", __LINE__);
  index_file("{\"weight_map\":{\"b\":\"/etc/passwd\"}}");
  refused(cx, path, "is not a plain file name", __LINE__);
  index_file("{\"weight_map\":{\"b\":\"\"}}");
  refused(cx, path, "is not a plain file name", __LINE__);
  index_file("{\"weight_map\":{\"b\":3}}");
  refused(cx, path, "the shard of tensor 'b' is not a string", __LINE__);
  index_file("{\"weight_map\":{\"b\":\"model.safetensors.index.json\"}}");
  refused(cx, path, "a shard cannot be an index itself", __LINE__);
  index_file("{\"weight_map\":{\"a\":\"s1\",\"b\":\"absent\"}}");
  CHECK(!lun_weights_open(cx, path) && strstr(lun_message(cx), "absent: No such file"), "%s", lun_message(cx));
  lun_clear(cx);
  index_file("{\"weight_maps\":{}}");
  refused(cx, path, "no weight_map", __LINE__);
  index_file("{\"weight_map\":{\"a\":\"s1\"");
  refused(cx, path, "the text ends too early", __LINE__);
}

/* cJSON takes its memory from malloc: here the n-th time it asks is made to fail. */
static long json_left;
static void *json_alloc(size_t n) { return json_left > 0 && --json_left == 0 ? NULL : malloc(n); }

static void test_memory(void) {
  const char *path = make("{\"__metadata__\":{\"x\":\"y\"},\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                          "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[1,5]}}", 0, 5);
  cJSON_Hooks hooks = { json_alloc, free };
  bool        done = false;
  without_memory(cx, path);
  cJSON_InitHooks(&hooks);
  for (long n = 1; n < 1000 && !done; n++) {
    lun_weights *w;
    json_left = n;
    w = lun_weights_open(cx, path);
    done = w != NULL;
    CHECK(done || lun_error(cx) == LUN_EMEM, "cJSON's allocation %ld: %s", n, lun_message(cx));
    lun_weights_free(w);
    lun_clear(cx);
  }
  CHECK(done);
  cJSON_InitHooks(NULL);
}

int main(void) {
  cx = lun_open(1);
  test_types();
  test_lifetime();
  test_broken();
  test_index();
  test_memory();
  remove_folder();
  lun_close(cx);
  return check_end();
}
