/*
** blocks.h - parts that built-in blocks are composed of; private to core/blocks.
**
** Each part reads its arguments under a prefix: attention_init(.., "cross") takes
** "cross.heads", "cross.q.weight" and so on, so that a layer and the block of the
** same name share one list.
*/
#ifndef LUN_BLOCKS_H
#define LUN_BLOCKS_H

#include "../lun.h"
#include "../block.h"

/* y = x weight^T + bias; weight [N, K], or [K, N] if transposed */
typedef struct projection {
  lun_tensor *weight, *bias;
  bool        transposed;
} projection;

/* layer norm ([C] weight and bias) or RMS norm (weight alone) */
typedef struct norm {
  lun_tensor *weight, *bias;
  double      eps, weight_offset;
  bool        rms;
} norm;

/* Keys and values of one layer; rows are the batch of the decoder. */
typedef struct kv_cache {
  lun_tensor *k, *v;              /* self: [R, G, capacity, D], NULL until the first step */
  int64_t     length, capacity;
  lun_tensor *cross_k, *cross_v;  /* [I, G, S, D] of I images, projected once */
  lun_tensor *rows;               /* [R] i64: the image of each row; NULL: one each */
} kv_cache;

typedef struct attention {
  int64_t     heads, kv_heads;
  double      scale;
  bool        causal;
  projection  q, k, v, qkv, kv, out;   /* qkv, or kv and q, or q, k and v */
  lun_tensor *layer_scale;             /* [C] or NULL */
} attention;

typedef struct mlp {
  projection  up, down, gate;
  int         activation;
  lun_tensor *layer_scale;
} mlp;

lun_status  projection_init(lun_ctx *cx, projection *p, const lun_args *a, const char *prefix, const char *name, bool transposed);
lun_tensor *project(lun_ctx *cx, const projection *p, lun_tensor *x, int activation);
void        projection_drop(projection *p);
int64_t     projection_outputs(const projection *p);

lun_status  norm_init(lun_ctx *cx, norm *n, const lun_args *a, const char *prefix, double eps, bool rms);
lun_tensor *normalise(lun_ctx *cx, const norm *n, lun_tensor *x);
void        norm_drop(norm *n);

lun_status  attention_init(lun_ctx *cx, attention *t, const lun_args *a, const char *prefix);
lun_tensor *attend_self(lun_ctx *cx, const attention *t, lun_tensor *x, lun_tensor *mask, kv_cache *cache);
lun_tensor *attend_cross(lun_ctx *cx, const attention *t, lun_tensor *x, lun_tensor *memory, lun_tensor *mask, kv_cache *cache);
void        attention_drop(attention *t);

lun_status  mlp_init(lun_ctx *cx, mlp *m, const lun_args *a, const char *prefix);
lun_tensor *mlp_forward(lun_ctx *cx, const mlp *m, lun_tensor *x);
void        mlp_drop(mlp *m);

lun_status  cache_append(lun_ctx *cx, kv_cache *c, lun_tensor **k, lun_tensor **v);   /* in: of the new steps; out: of all so far */

extern const lun_class class_kv_cache;

/* "prefix.name" looked up among the declared arguments; "" is no prefix */
lun_tensor *tensor_at(const lun_args *a, const char *prefix, const char *name);
const char *shape_of(char *out, size_t size, const lun_tensor *t);
const char *path_of(char *out, size_t size, const char *prefix, const char *name);

/* Rows of lun_arg for the parts; P is the prefix with its dot. */
#define PROJECTION_ARGS(P, N, WHAT)                                                  \
  { LUN_TENSOR, 0, P N ".weight", 0, 0, WHAT },                                      \
  { LUN_TENSOR, 0, P N ".bias", 0, 0, "[N]" }

#define ATTENTION_ARGS(P)                                                            \
  { LUN_INT, 0, P "heads", 0, 0, "H, which divides the outputs of q" },              \
  { LUN_INT, 0, P "kv_heads", 0, 0, "G, which divides H; 0: H" },                    \
  { LUN_NUM, 0, P "scale", 0, 0, "of the scores; 0: 1/sqrt(D)" },                    \
  { LUN_BOOL, 0, P "causal", 0, 0, "a query sees no later key" },                    \
  { LUN_BOOL, 0, P "transposed", 0, 0, "weights are [K, N], as GPT-2 stores them" }, \
  PROJECTION_ARGS(P, "q", "[H D, C]"),                                               \
  PROJECTION_ARGS(P, "k", "[G D, C]"),                                               \
  PROJECTION_ARGS(P, "v", "[G D, C]"),                                               \
  PROJECTION_ARGS(P, "qkv", "q, k and v in one: [(H + 2 G) D, C]"),                  \
  PROJECTION_ARGS(P, "kv", "k and v in one: [2 G D, C]"),                            \
  PROJECTION_ARGS(P, "out", "[C, H D]"),                                             \
  { LUN_TENSOR, 0, P "layer_scale", 0, 0, "[C], multiplies what is added to x (Touvron et al. 2021, arXiv:2103.17239)" }

#define MLP_ARGS(P)                                                                  \
  { LUN_STR, 0, P "activation", 0, 0, "gelu_erf, gelu_tanh, gelu_quick, silu or relu" }, \
  { LUN_BOOL, 0, P "transposed", 0, 0, "weights are [K, N], as GPT-2 stores them" }, \
  PROJECTION_ARGS(P, "up", "[F, C]"),                                                \
  PROJECTION_ARGS(P, "down", "[C, F]"),                                              \
  PROJECTION_ARGS(P, "gate", "[F, C]; multiplies up (Shazeer 2020, arXiv:2002.05202)"), \
  { LUN_TENSOR, 0, P "layer_scale", 0, 0, "[C], multiplies what is added to x" }

#define NORM_ARGS(P)                                                                 \
  { LUN_TENSOR, 0, P "norm.weight", 0, 0, "[C]" },                                   \
  { LUN_TENSOR, 0, P "norm.bias", 0, 0, "[C], of a layer norm" }

#endif
