/*
** share.h - work in units of unequal cost, taken one handful after the other by
** whichever thread is free, with scratch memory for each thread; private to cpu/.
*/
#ifndef CPU_SHARE_H
#define CPU_SHARE_H

#include "lun.h"

/*
** Runs 'run(arg, begin, end, own)' until every unit of [0, units) was in one
** [begin, end) of at most 'grain' units; 'own' are 'bytes' of memory, 64-byte
** aligned, that no other thread uses meanwhile.  LUN_EMEM if there is no scratch.
*/
lun_status share_run(lun_ctx *cx, int64_t units, int64_t grain, size_t bytes,
                     void (*run)(const void *arg, int64_t begin, int64_t end, void *own), const void *arg);

#endif
