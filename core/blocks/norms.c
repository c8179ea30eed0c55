/* norms.c - layer norm and RMS norm, as a part of layers and as blocks. */
#include "blocks.h"

lun_status norm_init(lun_ctx *cx, norm *n, const lun_args *a, const char *prefix, double eps, bool rms) {
  (void)cx;
  n->weight = lun_hold(tensor_at(a, prefix, "weight"));
  n->bias = rms ? NULL : lun_hold(tensor_at(a, prefix, "bias"));
  n->eps = eps;
  n->rms = rms;
  return LUN_OK;
}

lun_tensor *normalise(lun_ctx *cx, const norm *n, lun_tensor *x) {
  return n->rms ? lun_rms_norm(cx, x, n->weight, n->eps, n->weight_offset)
                : lun_layer_norm(cx, x, n->weight, n->bias, n->eps);
}

void norm_drop(norm *n) {
  lun_drop(n->weight);
  lun_drop(n->bias);
}

/* ---- the blocks ------------------------------------------------------------ */

static const lun_arg layer_args[] = {
  { LUN_TENSOR, 0, "weight", 0, 0, "[C]" },
  { LUN_TENSOR, 0, "bias", 0, 0, "[C]" },
  { LUN_NUM, 0, "eps", 1e-5, 0, "added to the variance; the config names it" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};
static const lun_arg rms_args[] = {
  { LUN_TENSOR, 0, "weight", 0, 0, "[C]" },
  { LUN_NUM, 0, "eps", 1e-6, 0, "added to the mean square; the config names it" },
  { LUN_NUM, 0, "weight_offset", 0, -1e30, "added to the weight: 1 in Gemma" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};
static const lun_arg inputs[] = {
  { LUN_TENSOR, 1, "x", 0, 0, "[..., C]" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};

static lun_status init_layer(lun_ctx *cx, void *state, const lun_args *a) {
  return norm_init(cx, state, a, "", lun_host_table()->arg_num(a, "eps"), false);
}

static lun_status init_rms(lun_ctx *cx, void *state, const lun_args *a) {
  norm *n = state;
  n->weight_offset = lun_host_table()->arg_num(a, "weight_offset");
  return norm_init(cx, n, a, "", lun_host_table()->arg_num(a, "eps"), true);
}

static lun_tensor *forward(lun_ctx *cx, void *state, const lun_args *in) {
  return normalise(cx, state, tensor_at(in, "", "x"));
}

static void drop(void *state) { norm_drop(state); }

const lun_block block_layer_norm = {
  sizeof(lun_block), sizeof(norm), "layer_norm",
  "(x - mean) / sqrt(var + eps) * weight + bias over the last axis; Ba et al. 2016, arXiv:1607.06450",
  layer_args, inputs, init_layer, forward, drop
};

const lun_block block_rms_norm = {
  sizeof(lun_block), sizeof(norm), "rms_norm",
  "x / sqrt(mean(x^2) + eps) * weight over the last axis; Zhang and Sennrich 2019, arXiv:1910.07467",
  rms_args, inputs, init_rms, forward, drop
};
