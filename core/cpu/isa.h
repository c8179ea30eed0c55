/*
** isa.h - the kernels that exist once for each instruction set, and the choice
** between them; private to cpu/.
**
** The same text (simd.h, *.inc) is compiled by isa_avx512.c, isa_avx2.c and
** isa_base.c (SSE2 on x86-64, NEON on ARM); the best one the processor has is
** used.  LUN_ISA=sse2|avx2|avx512 in the environment asks for a lesser one; a
** word that is none of these, or names more than the processor has, changes nothing.
*/
#ifndef CPU_ISA_H
#define CPU_ISA_H

#include <stdbool.h>
#include <stdint.h>

/*
** A panel holds 32 columns of the right operand of a product, K rows of them one
** after the other; columns past the end are 0.  Every kind stands for exact floats:
**   F32, F16   [K][32]
**   Q8_K       blocks of 32 rows: 32 scales (f32), one a column, then [32][32] signed bytes
**   Q8_N       rows: a scale (f32), then 32 signed bytes
*/
enum { PANEL = 32, STRETCH = 256 };
typedef enum panel_kind { PANEL_F32, PANEL_F16, PANEL_Q8_K, PANEL_Q8_N, PANEL_KINDS } panel_kind;
enum { Q8_K_BYTES = 32 * 4 + 32 * 32, Q8_N_BYTES = 4 + 32 };

/* the kernels of cpu_unary */
typedef enum unary_kind {
  UNARY_NEG, UNARY_EXP, UNARY_LOG, UNARY_SQRT, UNARY_ABS, UNARY_TANH, UNARY_SIGMOID, UNARY_SOFTPLUS, UNARY_RELU,
  UNARY_RELU6, UNARY_SILU, UNARY_GELU_ERF, UNARY_GELU_TANH, UNARY_GELU_QUICK, UNARIES
} unary_kind;

typedef void unary_kernel(const float *x, float *y, int64_t n);    /* y[i] = f(x[i]); y may be x */

/* How scores of one query become weights: see sdpa.inc. */
typedef struct score_row {
  const float *mask;          /* NULL, or mask[s * mask_step] for key s */
  int64_t      mask_step;
  int64_t      first, end;    /* keys [first, end) are seen, the others hidden */
  float        softcap;       /* 0: none */
} score_row;

typedef struct cpu_isa {
  const char *name;
  int  tile_rows;             /* the most rows of a tile of F32 panels */
  int  few_rows;              /* the most rows of a tile of any other kind */
  bool halves;                /* F16 panels can be read */

  /*
  ** c[r][j] = sum_k a[r][k] panel[k][j] + bias[j] for rows r, 32 columns j; bias may be NULL.
  ** A F32 panel has 'step' floats from row to row, so that it may lie in a larger matrix.
  ** Each stretch of 256 k, counted from the first, is summed in order from 0, and then the
  ** stretches in order, whatever 'rows' and 'kind': an element depends on its row and column alone.
  */
  void (*tile)(panel_kind kind, int rows, const float *a, int64_t lda, const void *panel, int64_t step, int64_t k,
               const float *bias, float *c, int64_t ldc);
  void (*widen)(panel_kind kind, const void *panel, int64_t k, float *to);      /* to a F32 panel */

  /* panel[j][i] = x[i * stride + j] for 'columns' <= 32 rows i of x and j < k, 0 for the other i */
  void (*pack)(const float *x, int64_t stride, int columns, int64_t k, float *panel);

  unary_kernel *unary[UNARIES];

  /* rows of C values */
  void (*softmax)(const float *x, float *y, int64_t n);
  void (*log_softmax)(const float *x, float *y, int64_t n);
  void (*layer_norm)(const float *x, float *y, int64_t n, const float *weight, const float *bias, float eps);
  void (*rms_norm)(const float *x, float *y, int64_t n, const float *weight, float eps, float offset);

  /*
  ** Scores s[begin .. end) of one query to e^(score - largest), in place, zeros for hidden keys;
  ** returns 1 / their sum, 0 where no key is seen.  begin and end are multiples of PANEL.
  */
  float (*weigh)(float *s, int64_t begin, int64_t end, const score_row *row);
} cpu_isa;

extern const cpu_isa isa_base;
#if defined(__x86_64__)
extern const cpu_isa isa_avx2, isa_avx512;
#endif

const cpu_isa *isa_now(void);                 /* the one in use */
const cpu_isa *isa_find(const char *name);    /* NULL unless the processor has it */
void           isa_use(const cpu_isa *isa);   /* from now on, whatever the environment says; for tests */

#endif
