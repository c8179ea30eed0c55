/* gemm.h - the product of matrices under linear and matmul; private to cpu/. */
#ifndef CPU_GEMM_H
#define CPU_GEMM_H

#include "pack.h"

/*
** c[b] = f(a[b] right[b] + bias) for 'batch' pairs of matrices: a[b] is [M, K], c[b] is
** [M, N], both contiguous.  Every element is summed over k in one order (isa.h),
** with FMA where the processor has it: it depends on its row and its column alone.
*/
typedef struct gemm {
  int64_t         batch, m, n, k;
  const float    *a;
  const int64_t  *a_offset;      /* of a[b], in elements; NULL where batch is 1 */
  const lun_pack *pack;          /* the right operand, packed; or NULL and then */
  lun_dtype       dtype;         /*   its type, */
  const void     *right;         /*   its elements, */
  bool            transposed;    /*   [K, N], else [N, K], */
  const int64_t  *right_offset;  /*   and where right[b] begins, in elements; NULL where batch is 1 */
  const float    *bias;          /* [N] or NULL */
  unary_kernel   *activation;    /* or NULL */
  float          *c;
} gemm;

lun_status gemm_run(lun_ctx *cx, const gemm *g);

#endif
