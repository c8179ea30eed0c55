/*
** fuzz_tokenizer.c - libFuzzer target: any bytes are a tokenizer or an error, and a tokenizer encodes
** and decodes any bytes.  The input is a tokenizer.json, then, behind a byte 0xFF, a text.
**
**   clang -g -O1 -fsanitize=fuzzer,address,undefined -Icore -Itext tests/fuzz/fuzz_tokenizer.c \
**     $(ls text/[!p]*.c text/p[!l]*.c) -lcjson -lutf8proc -lpcre2-8 -o fuzz_tokenizer
**   ./fuzz_tokenizer -max_total_time=60 CORPUS tests/fuzz/corpus/tokenizer
*/
#include <stdlib.h>
#include <string.h>

#include "tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_error(lun_status st, const struct text_error *err) {
  if (st != err->code || strlen(err->message) == 0 || strchr(err->message, '\n') != NULL) abort();
}

static void encode_and_decode(struct tokenizer *t, const char *text, size_t len) {
  struct encoding e = {0};
  struct utf8_bytes back = {0};
  struct text_error err = {0};
  lun_status st = tokenizer_encode(t, text, len, text, len / 2, 1, &e, &err);
  if (st != LUN_OK) check_error(st, &err);
  int64_t *ids = malloc((e.count + 1) * sizeof *ids);
  for (size_t i = 0; i < e.count; i++) {
    ids[i] = e.items[i].id;
    if (e.items[i].text + e.items[i].text_len > e.texts.count) abort();
  }
  st = tokenizer_decode(t, ids, e.count, 1, 1, &back, &err);
  if (st != LUN_OK) check_error(st, &err);
  else if (utf8_valid_prefix(back.items, back.count) != back.count) abort();
  free(ids);
  free(back.items);
  encoding_free(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  const uint8_t *text = size > 0 ? memchr(bytes, 0xFF, size) : NULL;
  size_t len = text == NULL ? size : (size_t)(text - bytes);
  struct tokenizer *t = NULL;
  struct text_error err = {0};
  lun_status st = tokenizer_parse((const char *)bytes, len, &t, &err);
  if ((st == LUN_OK) != (t != NULL)) abort();
  if (st != LUN_OK) check_error(st, &err);
  else encode_and_decode(t, text == NULL ? "a \xC3\xA9 b" : (const char *)text + 1, text == NULL ? 6 : size - len - 1);
  tokenizer_free(t);
  return 0;
}
