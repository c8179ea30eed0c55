/* mlp.c - two projections with an activation between, gated or not. */
#include <string.h>
#include "blocks.h"

/* The number that 'linear' knows an activation by; -1 if it is none. */
static int activation_number(const char *name) {
  int count;
  const lun_param *p = lun_op_params(LUN_OP_linear, &count);
  return name ? lun_param_choice(&p[1], name) : -1;
}

lun_status mlp_init(lun_ctx *cx, mlp *m, const lun_args *a, const char *prefix) {
  const lun_host *h = lun_host_table();
  char            path[64];
  const char     *name = h->arg_str(a, path_of(path, sizeof path, prefix, "activation"), NULL);
  bool            transposed = h->arg_int(a, path_of(path, sizeof path, prefix, "transposed")) != 0;
  m->activation = activation_number(name);
  if (m->activation < 0)
    return lun_fail(cx, LUN_EARG, "%s%sactivation is \"%s\", wanted none, gelu_erf, gelu_tanh, gelu_quick, silu or relu", prefix, *prefix ? "." : "", name ? name : "");
  m->layer_scale = lun_hold(tensor_at(a, prefix, "layer_scale"));
  if (projection_init(cx, &m->up, a, prefix, "up", transposed) != LUN_OK ||
      projection_init(cx, &m->down, a, prefix, "down", transposed) != LUN_OK ||
      projection_init(cx, &m->gate, a, prefix, "gate", transposed) != LUN_OK) return lun_error(cx);
  if (!m->up.weight || !m->down.weight) return lun_fail(cx, LUN_EARG, "%s needs up and down", *prefix ? prefix : "mlp");
  return LUN_OK;
}

lun_tensor *mlp_forward(lun_ctx *cx, const mlp *m, lun_tensor *x) {
  lun_tensor *y = m->gate.weight ? lun_mul(cx, project(cx, &m->gate, x, m->activation), project(cx, &m->up, x, 0))
                                 : project(cx, &m->up, x, m->activation);
  y = project(cx, &m->down, y, 0);
  return m->layer_scale ? lun_mul(cx, y, m->layer_scale) : y;
}

void mlp_drop(mlp *m) {
  projection_drop(&m->up);
  projection_drop(&m->down);
  projection_drop(&m->gate);
  lun_drop(m->layer_scale);
}

/* ---- the block ------------------------------------------------------------ */

static const lun_arg args[] = { MLP_ARGS(""), { LUN_END, 0, NULL, 0, 0, NULL } };
static const lun_arg inputs[] = {
  { LUN_TENSOR, 1, "x", 0, 0, "[..., C]" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};

static lun_status init(lun_ctx *cx, void *state, const lun_args *a) { return mlp_init(cx, state, a, ""); }
static lun_tensor *forward(lun_ctx *cx, void *state, const lun_args *in) { return mlp_forward(cx, state, tensor_at(in, "", "x")); }
static void drop(void *state) { mlp_drop(state); }

const lun_block block_mlp = {
  sizeof(lun_block), sizeof(mlp), "mlp", "down(activation(up(x))), or down(activation(gate(x)) up(x)): [..., C] -> [..., C]",
  args, inputs, init, forward, drop
};
