/* kernel_isa.h - runs a test of kernels on every instruction set this processor has. */
#ifndef KERNEL_ISA_H
#define KERNEL_ISA_H

#include "op_call.h"
#include "cpu/isa.h"

static inline void on_each_isa(void (*test)(lun_ctx *cx)) {
  static const char *const names[] = { "sse2", "neon", "avx2", "avx512" };
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    lun_ctx *cx;
    if (!isa_find(names[i])) continue;
    isa_use(isa_find(names[i]));
    noise_state = 88172645463325252u;
    cx = lun_open(1);
    test(cx);
    CHECK(lun_error(cx) == LUN_OK, "%s: %s", names[i], lun_message(cx));
    lun_close(cx);
  }
}

#endif
