/*
** layer.c - one Transformer layer, encoder's or decoder's, of every family.
**
**     norm.before       x + attend(norm(x))     x + cross(norm(x))     x + mlp(norm(x))
**     otherwise         norm(x + attend(x))     norm(x + cross(x))     norm(x + mlp(x))
**
** Source: Vaswani et al. 2017, arXiv:1706.03762; norms before: Xiong et al. 2020,
** arXiv:2002.04745.
*/
#include <string.h>
#include "blocks.h"

typedef struct layer {
  bool      before, crosses;
  attention self, cross;
  mlp       mlp;
  norm      self_norm, cross_norm, mlp_norm;
} layer;

static const lun_arg args[] = {
  { LUN_STR, 0, "norm.kind", 0, 0, "layer (without it) or rms" },
  { LUN_NUM, 0, "norm.eps", 1e-5, 0, "the config names it" },
  { LUN_BOOL, 0, "norm.before", 1, 0, "norms come before their part, not after the sum" },
  ATTENTION_ARGS("attention."),
  NORM_ARGS("attention."),
  ATTENTION_ARGS("cross."),
  NORM_ARGS("cross."),
  MLP_ARGS("mlp."),
  NORM_ARGS("mlp."),
  { LUN_END, 0, NULL, 0, 0, NULL }
};
static const lun_arg inputs[] = {
  { LUN_TENSOR, 1, "x", 0, 0, "[B, T, C]" },
  { LUN_OBJECT, 0, "cache", 0, 0, "a kv_cache: earlier positions, and the projected memory" },
  { LUN_TENSOR, 0, "memory", 0, 0, "[I, S, C'] for cross attention; projected once if there is a cache" },
  { LUN_TENSOR, 0, "mask", 0, 0, "added to the scores of self attention; broadcasts to [B, H, T, S]" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};

static lun_status init(lun_ctx *cx, void *state, const lun_args *a) {
  const lun_host *h = lun_host_table();
  layer          *l = state;
  const char     *kind = h->arg_str(a, "norm.kind", NULL);
  double          eps = h->arg_num(a, "norm.eps");
  bool            rms = kind && strcmp(kind, "rms") == 0;
  if (kind && !rms && strcmp(kind, "layer") != 0)
    return lun_fail(cx, LUN_EARG, "norm.kind is \"%s\", wanted layer or rms", kind);
  l->before = h->arg_int(a, "norm.before") != 0;
  l->crosses = h->arg_given(a, "cross.heads") != 0;
  if (attention_init(cx, &l->self, a, "attention") != LUN_OK) return lun_error(cx);
  if (l->crosses && attention_init(cx, &l->cross, a, "cross") != LUN_OK) return lun_error(cx);
  if (mlp_init(cx, &l->mlp, a, "mlp") != LUN_OK) return lun_error(cx);
  if (norm_init(cx, &l->self_norm, a, "attention.norm", eps, rms) != LUN_OK ||
      norm_init(cx, &l->cross_norm, a, "cross.norm", eps, rms) != LUN_OK) return lun_error(cx);
  return norm_init(cx, &l->mlp_norm, a, "mlp.norm", eps, rms);
}

static lun_tensor *run(lun_ctx *cx, const layer *l, lun_tensor *x, lun_tensor *memory, lun_tensor *mask, kv_cache *cache) {
  if (l->before) {
    x = lun_add(cx, x, attend_self(cx, &l->self, normalise(cx, &l->self_norm, x), mask, cache));
    if (l->crosses) x = lun_add(cx, x, attend_cross(cx, &l->cross, normalise(cx, &l->cross_norm, x), memory, NULL, cache));
    return lun_add(cx, x, mlp_forward(cx, &l->mlp, normalise(cx, &l->mlp_norm, x)));
  }
  x = normalise(cx, &l->self_norm, lun_add(cx, x, attend_self(cx, &l->self, x, mask, cache)));
  if (l->crosses) x = normalise(cx, &l->cross_norm, lun_add(cx, x, attend_cross(cx, &l->cross, x, memory, NULL, cache)));
  return normalise(cx, &l->mlp_norm, lun_add(cx, x, mlp_forward(cx, &l->mlp, x)));
}

static lun_tensor *forward(lun_ctx *cx, void *state, const lun_args *in) {
  kv_cache   *cache = lun_host_table()->arg_object(in, "cache", &class_kv_cache);
  int64_t     length = cache ? cache->length : 0;
  lun_tensor *y = run(cx, state, tensor_at(in, "", "x"), tensor_at(in, "", "memory"), tensor_at(in, "", "mask"), cache);
  if (!y && cache) cache->length = length;      /* a step that failed left nothing */
  return y;
}

static void drop(void *state) {
  layer *l = state;
  attention_drop(&l->self);
  attention_drop(&l->cross);
  mlp_drop(&l->mlp);
  norm_drop(&l->self_norm);
  norm_drop(&l->cross_norm);
  norm_drop(&l->mlp_norm);
}

const lun_block block_layer = {
  sizeof(lun_block), sizeof(layer), "layer", "a Transformer layer: [B, T, C] -> [B, T, C]", args, inputs, init, forward, drop
};
