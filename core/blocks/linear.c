/* linear.c - projections, and the block 'linear'. */
#include <string.h>
#include "blocks.h"
#include "../cpu/pack.h"

const char *path_of(char *out, size_t size, const char *prefix, const char *name) {
  size_t length = strlen(prefix);
  if (length + strlen(name) + 2 > size) length = 0;       /* declared names are shorter than any 'out' */
  memcpy(out, prefix, length);
  if (length && *name) out[length++] = '.';
  memcpy(out + length, name, strlen(name) + 1);
  return out;
}

lun_tensor *tensor_at(const lun_args *a, const char *prefix, const char *name) {
  char path[64];
  return lun_host_table()->arg_tensor(a, path_of(path, sizeof path, prefix, name));
}

const char *shape_of(char *out, size_t size, const lun_tensor *t) {
  int64_t dim[LUN_MAXRANK];
  for (int i = 0; i < lun_rank(t); i++) dim[i] = lun_dim(t, i);
  return lun_shape_text(out, size, lun_rank(t), dim);
}

int64_t projection_outputs(const projection *p) { return lun_dim(p->weight, p->transposed ? 1 : 0); }

lun_status projection_init(lun_ctx *cx, projection *p, const lun_args *a, const char *prefix, const char *name, bool transposed) {
  char        path[64], shape[96];
  lun_tensor *weight, *bias;
  path_of(path, sizeof path, prefix, name);
  weight = tensor_at(a, path, "weight");
  bias = tensor_at(a, path, "bias");
  if (!weight) return bias ? lun_fail(cx, LUN_EARG, "%s.bias without its weight", path) : LUN_OK;
  if (lun_rank(weight) != 2)
    return lun_fail(cx, LUN_ESHAPE, "%s%sweight is %s, wanted 2 dimensions", path, *path ? "." : "", shape_of(shape, sizeof shape, weight));
  p->weight = lun_hold(weight);
  p->bias = lun_hold(bias);
  p->transposed = transposed;
  if (bias && (lun_rank(bias) != 1 || lun_dim(bias, 0) != projection_outputs(p)))
    return lun_fail(cx, LUN_ESHAPE, "%s%sbias is %s, wanted [%lld]", path, *path ? "." : "", shape_of(shape, sizeof shape, bias),
                    (long long)projection_outputs(p));
  return lun_prepack(weight, transposed);
}

lun_tensor *project(lun_ctx *cx, const projection *p, lun_tensor *x, int activation) {
  return lun_linear(cx, x, p->weight, p->bias, p->transposed, activation);
}

void projection_drop(projection *p) {
  lun_drop(p->weight);
  lun_drop(p->bias);
}

/* ---- the block ------------------------------------------------------------ */

static const lun_arg args[] = {
  { LUN_TENSOR, 1, "weight", 0, 0, "[N, K], any float type or q8_0" },
  { LUN_TENSOR, 0, "bias", 0, 0, "[N]" },
  { LUN_BOOL, 0, "transposed", 0, 0, "weight is [K, N], as GPT-2 stores it" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};
static const lun_arg inputs[] = {
  { LUN_TENSOR, 1, "x", 0, 0, "[..., K]" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};

static lun_status init(lun_ctx *cx, void *state, const lun_args *a) {
  return projection_init(cx, state, a, "", "", lun_host_table()->arg_int(a, "transposed") != 0);
}

static lun_tensor *forward(lun_ctx *cx, void *state, const lun_args *in) {
  return project(cx, state, tensor_at(in, "", "x"), 0);
}

static void drop(void *state) { projection_drop(state); }

const lun_block block_linear = {
  sizeof(lun_block), sizeof(projection), "linear", "x weight^T + bias: [..., K] -> [..., N]",
  args, inputs, init, forward, drop
};
