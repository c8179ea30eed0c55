/*
** fuzz_safetensors.c - libFuzzer target: any bytes opened as a safetensors file
** or an index must give an error or tensors whose every byte can be read.
*/
#define _GNU_SOURCE    /* memfd_create */
#include "fuzz_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  fuzz_file(data, size);
  return 0;
}
