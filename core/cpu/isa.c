/* isa.c - which instruction set's kernels are used. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "isa.h"

static const cpu_isa  *chosen;
static pthread_once_t  once = PTHREAD_ONCE_INIT;

const cpu_isa *isa_find(const char *name) {
#if defined(__x86_64__)
  bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (strcmp(name, isa_avx2.name) == 0) return avx2 ? &isa_avx2 : NULL;
  if (strcmp(name, isa_avx512.name) == 0) return avx2 && __builtin_cpu_supports("avx512f") ? &isa_avx512 : NULL;
#endif
  return strcmp(name, isa_base.name) == 0 ? &isa_base : NULL;
}

static void choose(void) {
  static const char *const best_last[] = { "avx2", "avx512" };
  const char *asked = getenv("LUN_ISA");
  chosen = &isa_base;
  for (size_t i = 0; i < sizeof best_last / sizeof *best_last; i++)
    if (isa_find(best_last[i])) chosen = isa_find(best_last[i]);
  if (asked && isa_find(asked)) chosen = isa_find(asked);
}

const cpu_isa *isa_now(void) {
  pthread_once(&once, choose);
  return chosen;
}

void isa_use(const cpu_isa *isa) {
  pthread_once(&once, choose);
  chosen = isa;
}
