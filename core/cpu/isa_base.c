/* isa_base.c - the kernels for what every processor of the architecture has: SSE2, or NEON. */
#include "isa.h"
#define ISA_WIDTH 4
#define ISA_ROWS  6
#define ISA_TABLE isa_base
#if defined(__ARM_NEON)
#define ISA_NAME  "neon"
#else
#define ISA_NAME  "sse2"
#endif
#include "isa.inc"
