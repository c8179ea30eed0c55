/*
** fuzz_image.c - libFuzzer target: any bytes decode to a picture or an error.
**
**   clang -g -O1 -fsanitize=fuzzer,address,undefined -Icore -Ivision tests/fuzz/fuzz_image.c \
**     $(find vision -name "*.c" ! -name plugin.c ! -name functions.c ! -name patch_embedding.c) \
**     -ljpeg -lpng -lwebpdemux -lwebp -lgif -lexif -lm -o fuzz_image
**   ./fuzz_image -max_total_time=60 CORPUS tests/data/png/primary tests/data/jpeg/crash tests/data/{webp,gif,heic,avif,jxl}
*/
#include "image.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
  const decode_options options = { 1, 1, 0 };
  image_error error = { LUN_OK, "" };
  image picture = { 0 };
  decode_facts facts;
  image_decode(bytes, size, &options, &picture, &facts, &error);
  if ((error.code == LUN_OK) != (picture.data != NULL)) abort();
  if (error.code == LUN_OK && picture.height * picture.width > 1000000) abort();
  if (strchr(error.text, '\n') != NULL) abort();
  free(picture.data);
  return 0;
}
