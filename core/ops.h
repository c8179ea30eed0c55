/*
** ops.h - what a shape rule and a kernel get; private to the core.
**
** lun_run() fills a lun_call, asks the row's rule to check it and to describe
** out[], gives the results storage and runs the kernel.  Kernels trust their
** call: inputs they did not ask to see strided are contiguous, shapes are right.
*/
#ifndef LUN_OPS_H
#define LUN_OPS_H

#include <math.h>
#include "tensor.h"

typedef struct lun_call {
  lun_ctx    *cx;
  lun_op      op;
  const char *name;
  lun_tensor *in[LUN_MAXIN];      /* NULL where left out */
  lun_tensor *out[LUN_MAXOUT];
  double      p[LUN_MAXPARAM];    /* in the order of the row; NAN where a list ends or nothing was given */
  bool        done;               /* set by a rule whose out[] holds the result already (a view): no kernel runs */
} lun_call;

typedef lun_status lun_rule(lun_call *c);
typedef lun_status lun_kernel(lun_call *c);      /* may fail with LUN_EMEM, or LUN_EARG for contents (an id outside a table) */

#define OP(name, inputs, params, outputs, rule, kernel, gradient, doc) lun_rule rule;
#include "ops.def"
#undef OP

lun_kernel cpu_binary, cpu_unary, cpu_linear, cpu_matmul, cpu_sdpa, cpu_layer_norm, cpu_rms_norm, cpu_group_norm,
  cpu_batch_norm, cpu_softmax, cpu_embedding, cpu_rope, cpu_alibi_slopes, cpu_relative_buckets, cpu_conv2d,
  cpu_conv_transpose2d, cpu_pool2d, cpu_interpolate, cpu_reduce, cpu_topk, cpu_copy, cpu_cast,
  cpu_concat, cpu_gather, cpu_pick, cpu_put, cpu_fill, cpu_arange;

/* Keys of sdpa may be stored transposed, in rows that are a multiple of this. */
enum { LUN_KEY_PANEL = 32 };

/* The activations that 'linear' can apply, in the order of its row. */
enum { LUN_ACT_NONE, LUN_ACT_GELU_ERF, LUN_ACT_GELU_TANH, LUN_ACT_GELU_QUICK, LUN_ACT_SILU, LUN_ACT_RELU };

/* for rules: each returns LUN_OK or records an error that names the operation, the input and both shapes */
lun_status want_dtype(lun_call *c, int in, lun_dtype dtype);
lun_status want_rank(lun_call *c, int in, int least, int most);
lun_status want_contiguous(lun_call *c, int in);                      /* replaces in[] by a contiguous copy if need be */
lun_status want_axis(lun_call *c, double value, int rank, int *axis); /* negative from the end */
lun_status want_writable(lun_call *c, const lun_tensor *t);
lun_status give(lun_call *c, int out, lun_dtype dtype, int rank, const int64_t *dim);
const char *input_name(const lun_call *c, int in, char *text, size_t size);

#endif
