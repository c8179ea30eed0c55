/* fuzz_file.h - opens bytes as a model file and touches all it offers. */
#ifndef FUZZ_FILE_H
#define FUZZ_FILE_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include "lun_files.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned fuzz_sum;

static void touch(const void *data, size_t size) {
  for (size_t i = 0; i < size; i++) fuzz_sum += ((const unsigned char *)data)[i];
}

static void touch_value(lun_meta v) {
  lun_meta item;
  if (v.type == LUN_STR) touch(v.text, v.length);
  while (lun_meta_next(&v, &item)) touch_value(item);
}

static void touch_all(lun_ctx *cx, lun_weights *w) {
  lun_meta v;
  for (int64_t i = 0; i < lun_weights_count(w); i++) {
    size_t      mark = lun_scope_open(cx);
    lun_tensor *t;
    if (lun_weights_find(w, lun_weights_name(w, i)) != i) __builtin_trap();
    t = lun_weights_get(cx, w, i);
    if (t) touch(lun_data(t), lun_bytes(t));
    lun_scope_close(cx, mark, NULL);
    lun_clear(cx);
  }
  for (int64_t i = 0; i < lun_weights_meta_count(w); i++) {
    if (!lun_weights_meta(w, lun_weights_meta_name(w, i), &v)) __builtin_trap();
    touch_value(v);
  }
}

static void fuzz_file(const uint8_t *data, size_t size) {
  static lun_ctx *cx;
  char            path[64];
  lun_weights    *w;
  int             fd = memfd_create("fuzz", 0);
  if (!cx) cx = lun_open(1);
  if (!cx || fd < 0 || write(fd, data, size) != (ssize_t)size) __builtin_trap();
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  w = lun_weights_open(cx, path);
  if (w) touch_all(cx, w);
  else if (lun_error(cx) == LUN_OK) __builtin_trap();    /* an error must say so */
  lun_weights_free(w);
  lun_clear(cx);
  close(fd);
}

#endif
