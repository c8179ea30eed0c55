/* share.c - work in units, taken by whichever thread is free. */
#include <stdatomic.h>
#include "share.h"

typedef struct share {
  void         (*run)(const void *arg, int64_t begin, int64_t end, void *own);
  const void    *arg;
  char          *memory;
  size_t         bytes;
  int64_t        units, grain;
  _Atomic int64_t next;
} share;

/* 'slot' is a place in the memory, not a thread: one thread may come to fill several, one after the other. */
static void fill_slots(void *arg, int64_t begin, int64_t end) {
  share *s = arg;
  for (int64_t slot = begin; slot < end; slot++)
    for (;;) {
      int64_t from = atomic_fetch_add(&s->next, s->grain);
      if (from >= s->units) break;
      s->run(s->arg, from, s->units - from > s->grain ? from + s->grain : s->units, s->memory + (size_t)slot * s->bytes);
    }
}

lun_status share_run(lun_ctx *cx, int64_t units, int64_t grain, size_t bytes,
                     void (*run)(const void *arg, int64_t begin, int64_t end, void *own), const void *arg) {
  int64_t slots = lun_threads(cx);
  size_t  all;
  share   s = { run, arg, NULL, (bytes + 63) & ~(size_t)63, units, grain > 0 ? grain : 1, 0 };
  if (slots > (units + s.grain - 1) / s.grain) slots = (units + s.grain - 1) / s.grain;
  if (slots < 1) return LUN_OK;
  if (__builtin_mul_overflow((size_t)slots, s.bytes, &all)) all = SIZE_MAX;
  if (bytes > 0 && !(s.memory = lun_scratch(cx, all))) return lun_error(cx);
  lun_parallel(cx, slots, 1, fill_slots, &s);
  return LUN_OK;
}
