/* file_bytes.h - files for the tests of model files: built byte by byte, in a folder of their own. */
#ifndef FILE_BYTES_H
#define FILE_BYTES_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lun_files.h"
#include "tensor.h"
#include "check.h"

typedef struct bytes {
  unsigned char data[1 << 16];
  size_t        size;
} bytes;

static char test_folder[256];

static inline void put(bytes *b, const void *data, size_t size) {
  memcpy(b->data + b->size, data, size);
  b->size += size;
}

static inline void put_number(bytes *b, uint64_t v, int size) {
  for (int i = 0; i < size; i++) b->data[b->size++] = (unsigned char)(v >> (8 * i));
}

/* The path of a file in the test's folder, which is made when first asked for; the same one for the same name. */
static inline const char *in_folder(const char *name) {
  static char path[32][320];
  int         i = 0;
  if (!test_folder[0]) {
    const char *temporary = getenv("TMPDIR");
    snprintf(test_folder, sizeof test_folder, "%s/lunette-test-XXXXXX", temporary ? temporary : "/tmp");
    CHECK(mkdtemp(test_folder) != NULL);
  }
  while (path[i][0] && strcmp(path[i] + strlen(test_folder) + 1, name) != 0) i++;
  if (!path[i][0]) snprintf(path[i], sizeof path[i], "%s/%s", test_folder, name);
  return path[i];
}

static inline void remove_folder(void) {
  char command[320];
  snprintf(command, sizeof command, "rm -r '%s'", test_folder);
  if (test_folder[0]) CHECK(system(command) == 0);
}

static inline void write_file(const char *path, const void *data, size_t size) {
  FILE *f = fopen(path, "wb");
  CHECK(f && fwrite(data, 1, size, f) == size, "cannot write %s", path);
  if (f) fclose(f);
}

/* Opens a file that must be refused with a message that holds 'wanted'. */
static inline void refused(lun_ctx *cx, const char *path, const char *wanted, int line) {
  lun_weights *w = lun_weights_open(cx, path);
  check_report(!w && strstr(lun_message(cx), wanted) && (strstr(lun_message(cx), path) || lun_error(cx) == LUN_EMEM), __FILE__, line,
               "wanted '%s', got %s: '%s'", wanted, w ? "an open file" : lun_status_name(lun_error(cx)), lun_message(cx));
  lun_weights_free(w);
  lun_clear(cx);
}

/* Calls open and get of everything with the n-th allocation failing, for every n; then all is well again. */
static inline void without_memory(lun_ctx *cx, const char *path) {
  for (long n = 1; n < 10000; n++) {
    size_t       mark = lun_scope_open(cx);
    lun_weights *w;
    bool         done;
    lun_alloc_fail_at(n);
    w = lun_weights_open(cx, path);
    for (int64_t i = 0; w && i < lun_weights_count(w) && lun_error(cx) == LUN_OK; i++) lun_weights_get(cx, w, i);
    done = lun_error(cx) == LUN_OK;
    if (!CHECK(done || lun_error(cx) == LUN_EMEM, "allocation %ld: %s", n, lun_message(cx))) n = 10000;
    lun_weights_free(w);
    lun_scope_close(cx, mark, NULL);
    lun_clear(cx);
    lun_alloc_fail_at(0);
    if (done) {
      CHECK(n > 3, "only %ld allocations were made to fail", n - 1);
      return;
    }
  }
  CHECK(0, "no end of allocations, or another error");
}

#endif
