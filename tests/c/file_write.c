/* file_write.c - writing safetensors and GGUF: what is written reads back equal; failures leave nothing behind. */
#define _GNU_SOURCE    /* mkdtemp */
#include <dirent.h>
#include "file_bytes.h"

static lun_ctx *cx;

static const struct { const char *name; lun_dtype dtype; int rank; int64_t dim[LUN_MAXRANK]; } tensors[] = {
  { "u8.\"quoted\"\\\n", LUN_U8, 1, { 3 } },
  { "f16.h\xc3\xa9", LUN_F16, 2, { 1, 5 } },
  { "f32", LUN_F32, 3, { 2, 3, 7 } },
  { "q8", LUN_Q8_0, 2, { 5, 64 } },
  { "scalar", LUN_F32, 0, { 0 } },
  { "none", LUN_F32, 2, { 0, 4 } },
  { "i64", LUN_I64, 1, { 2 } },
  { "bf16", LUN_BF16, 6, { 1, 2, 1, 3, 1, 1 } },
  { "f64", LUN_F64, 1, { 1 } },
  { "i32", LUN_I32, 2, { 3, 1 } },
  { "long", LUN_F32, 1, { 300000 } },       /* more than is copied at a time */
};

enum { COUNT = sizeof tensors / sizeof *tensors };

static bool holds(lun_format format, int i) { return tensors[i].dtype != (format == LUN_GGUF ? LUN_U8 : LUN_Q8_0); }

/* Tensor i, its bytes made from a seed. */
static lun_tensor *make(int i) {
  lun_tensor *t = lun_make(cx, tensors[i].dtype, tensors[i].rank, tensors[i].dim);
  unsigned    seed = (unsigned)i * 2654435761u + 1;
  if (!t) return NULL;
  for (size_t k = 0; k < lun_bytes(t); k++) {
    seed = seed * 1664525u + 1013904223u;
    ((unsigned char *)lun_data_mutable(t))[k] = (unsigned char)(seed >> 24);
  }
  return t;
}

static lun_status write_all(lun_format format, const char *path) {
  lun_writer *out = lun_writer_open(cx, format, path);
  if (!out) return lun_error(cx);
  lun_writer_text(out, "general.architecture", "vit \"x\" \xc3\xa9");
  lun_writer_int(out, "general.file_type", 7);
  for (int i = 0; i < COUNT; i++) {
    size_t mark = lun_scope_open(cx);
    if (holds(format, i)) lun_writer_add(out, tensors[i].name, make(i));
    lun_scope_close(cx, mark, NULL);
  }
  return lun_writer_close(out);
}

static void check_all(lun_format format, const char *path) {
  lun_weights *w = lun_weights_open(cx, path);
  lun_meta    v;
  if (!CHECK(w != NULL, "%s", lun_message(cx))) return;
  CHECK(lun_weights_count(w) == COUNT - 1);
  CHECK(strcmp(lun_weights_metadata(w, "general.architecture"), "vit \"x\" \xc3\xa9") == 0);
  CHECK(lun_weights_meta(w, "general.file_type", &v) && (format == LUN_GGUF ? v.type == LUN_INT && v.i == 7 : v.type == LUN_STR && strcmp(v.text, "7") == 0));
  for (int i = 0; i < COUNT; i++) {
    size_t      mark = lun_scope_open(cx);
    lun_tensor *a = make(i), *b;
    int64_t     at = lun_weights_find(w, tensors[i].name);
    CHECK((at >= 0) == holds(format, i));
    b = at >= 0 ? lun_weights_get(cx, w, at) : NULL;
    if (b) {
      CHECK(lun_dtype_of(a) == lun_dtype_of(b) && lun_rank(a) == lun_rank(b) && lun_bytes(a) == lun_bytes(b), "%s: another type or shape", tensors[i].name);
      for (int k = 0; k < lun_rank(a); k++) CHECK(lun_dim(a, k) == lun_dim(b, k));
      CHECK(memcmp(lun_data(a), lun_data(b), lun_bytes(a)) == 0, "%s: other contents", tensors[i].name);
      CHECK(b->buffer->release != lun_free, "%s: not aligned, so not a view of the file", tensors[i].name);
    }
    lun_scope_close(cx, mark, NULL);
  }
  lun_weights_free(w);
}

static int files_in_folder(void) {
  DIR *d = opendir(test_folder);
  int  n = 0;
  while (d && readdir(d)) n++;
  if (d) closedir(d);
  return n - 2;
}

static void test_format(lun_format format) {
  const char *path = in_folder(format == LUN_GGUF ? "w.gguf" : "w.safetensors");
  int         before;
  CHECK(write_all(format, path) == LUN_OK, "%s", lun_message(cx));
  check_all(format, path);
  before = files_in_folder();
  for (long n = 1, done = 0; n < 1000 && !done; n++) {      /* over a file that is there: it stays as it was, or is the new one */
    lun_alloc_fail_at(n);
    done = write_all(format, path) == LUN_OK;
    lun_alloc_fail_at(0);
    CHECK(done || lun_error(cx) == LUN_EMEM, "allocation %ld: %s", n, lun_message(cx));
    CHECK(!done || n > 10, "only %ld allocations were made to fail", n - 1);
    lun_clear(cx);
    CHECK(files_in_folder() == before, "allocation %ld: a file was left behind", n);
  }
  check_all(format, path);
}

static void failed(lun_status code, const char *wanted, int line) {
  check_report(lun_error(cx) == code && strstr(lun_message(cx), wanted), __FILE__, line, "wanted '%s', got %s: '%s'", wanted,
               lun_status_name(lun_error(cx)), lun_message(cx));
  lun_clear(cx);
}

static void test_refusals(void) {
  const char *path = in_folder("refused");
  lun_writer *out = lun_writer_open(cx, LUN_SAFETENSORS, path);
  int         before = files_in_folder();
  lun_writer_add(out, "q8", make(3));
  failed(LUN_EDTYPE, "tensor 'q8': safetensors has no type for q8_0", __LINE__);
  CHECK(lun_writer_close(out) == LUN_EDTYPE);
  failed(LUN_EDTYPE, "not written, because adding to it failed", __LINE__);

  out = lun_writer_open(cx, LUN_GGUF, path);
  lun_writer_add(out, "u8", make(0));
  failed(LUN_EDTYPE, "tensor 'u8': gguf has no type for u8", __LINE__);
  lun_writer_abandon(out);

  out = lun_writer_open(cx, LUN_GGUF, path);
  lun_writer_add(out, "a", make(2));
  lun_writer_add(out, "a", make(4));
  CHECK(lun_writer_close(out) == LUN_EIO);
  failed(LUN_EIO, "tensor 'a' occurs twice", __LINE__);

  out = lun_writer_open(cx, LUN_SAFETENSORS, path);
  lun_writer_add(out, "__metadata__", make(2));
  failed(LUN_EARG, "__metadata__", __LINE__);
  lun_writer_add(out, "\xff", make(2));
  failed(LUN_EARG, "not UTF-8", __LINE__);
  lun_writer_int(out, "k", -1);
  failed(LUN_EARG, "metadata 'k' is -1", __LINE__);
  lun_writer_abandon(out);
  lun_writer_abandon(NULL);

  CHECK(!lun_writer_open(cx, LUN_GGUF, in_folder("no/such/folder")));
  failed(LUN_EIO, "No such file or directory", __LINE__);
  CHECK(files_in_folder() == before, "files were left behind");
  lun_scope_close(cx, 0, NULL);
}

int main(void) {
  cx = lun_open(1);
  test_format(LUN_SAFETENSORS);
  test_format(LUN_GGUF);
  test_refusals();
  remove_folder();
  lun_close(cx);
  return check_end();
}
