/*
** fuzz_gguf.c - libFuzzer target: any bytes behind the magic of GGUF must give an
** error, or tensors and metadata whose every byte can be read.
*/
#define _GNU_SOURCE    /* memfd_create */
#include <stdlib.h>
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const uint8_t magic[] = { 'G', 'G', 'U', 'F' };
  uint8_t *file;
  if (size < sizeof magic) return 0;
  file = malloc(size);
  if (!file) return 0;
  memcpy(file, data, size);
  memcpy(file, magic, sizeof magic);
  fuzz_file(file, size);
  free(file);
  return 0;
}
