/*
** pack.h - weights of products arranged for the kernels: panels of 32 columns
** (isa.h).  A weight is packed once, at the first product or by lun_prepack().
*/
#ifndef CPU_PACK_H
#define CPU_PACK_H

#include "isa.h"
#include "tensor.h"

typedef struct lun_pack {
  panel_kind kind;
  bool       transposed;    /* packed from [K, N] rather than [N, K] */
  int64_t    n, k;
  size_t     panel_bytes;
  char      *data;          /* panels, one after the other */
  size_t     shared;        /* bytes, if they lie in a file of packs; 0: they are private */
} lun_pack;

/*
** Packs a weight [N, K] ([K, N] if 'transposed') of any float type or q8_0.  f16
** and q8_0 stay as small as they are, other types become f32.  What may change
** (not constant), is a view with gaps, or is packed already is left as it is:
** 'linear' reads it panel by panel each time.  LUN_EMEM.
*/
lun_status lun_prepack(lun_tensor *weight, bool transposed);

/* Panel number 'panel' of an unpacked [N, K] or [K, N] right operand, as F32 [K][32]. */
void pack_panel(lun_dtype dtype, const void *data, bool transposed, int64_t n, int64_t k, int64_t panel, float *to);

#endif
