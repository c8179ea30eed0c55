/*
** core_memory.c - the n-th allocation fails, for every n: operations and layers end in
** LUN_EMEM or with the result they have with memory enough, the next call works, and
** nothing leaks (under a sanitizer).
*/
#include "op_call.h"
#include "lun_host.h"

/* What a call gave with memory enough. */
typedef struct result {
  size_t bytes;
  char  *data;
} result;

static void keep(result *r, lun_tensor *t) {
  r->bytes = lun_bytes(t);
  r->data = malloc(r->bytes + 1);
  if (r->data) memcpy(r->data, lun_data(t), r->bytes);
}

static bool same(const result *r, lun_tensor *t) {
  return r->data && lun_bytes(t) == r->bytes && memcmp(lun_data(t), r->data, r->bytes) == 0;
}

enum { ENOUGH = 5000 };      /* allocations: more than any call here makes */

/* True if none of the n allocations before this was the one to fail; ends the failing. */
static bool none_failed(long n) {
  bool failed = true;
  for (long i = 0; failed && i < n; i++) {
    void *p = lun_alloc(1);
    failed = p != NULL;
    lun_free(p);
  }
  lun_alloc_fail_at(0);
  return !failed;
}

/* ---- operations ------------------------------------------------------------- */

/* One call: inputs by their letters in 'in', each of a shape that fits the others. */
typedef struct row {
  lun_op op;
  int    count, nparams;
  struct { char kind; int rank; int64_t dim[4]; } in[5];   /* kind: f noise, p noise around 2, i whole numbers from 0, q q8_0, h f16 */
  double params[7];
} row;

static const row rows[] = {
  { LUN_OP_add, 2, 0, { { 'f', 2, { 40, 300 } }, { 'f', 1, { 300 } } }, { 0 } },
  { LUN_OP_gelu_erf, 1, 0, { { 'f', 2, { 40, 300 } } }, { 0 } },
  { LUN_OP_linear, 3, 2, { { 'f', 2, { 5, 64 } }, { 'f', 2, { 70, 64 } }, { 'f', 1, { 70 } } }, { 0, 1 } },
  { LUN_OP_linear, 2, 1, { { 'f', 2, { 40, 64 } }, { 'h', 2, { 64, 96 } } }, { 1 } },
  { LUN_OP_linear, 2, 0, { { 'f', 2, { 3, 64 } }, { 'q', 2, { 70, 64 } } }, { 0 } },
  { LUN_OP_matmul, 2, 1, { { 'f', 3, { 2, 30, 40 } }, { 'f', 3, { 2, 50, 40 } } }, { 1 } },
  { LUN_OP_sdpa, 3, 2, { { 'f', 4, { 2, 4, 70, 16 } }, { 'f', 4, { 2, 2, 70, 16 } }, { 'f', 4, { 2, 2, 70, 16 } } }, { 0, 1 } },
  { LUN_OP_sdpa, 5, 0, { { 'f', 4, { 2, 2, 1, 16 } }, { 'f', 4, { 3, 2, 9, 16 } }, { 'f', 4, { 3, 2, 9, 16 } }, { 'f', 1, { 9 } }, { 'i', 1, { 2 } } },
    { 0 } },
  { LUN_OP_layer_norm, 3, 0, { { 'f', 2, { 40, 300 } }, { 'f', 1, { 300 } }, { 'f', 1, { 300 } } }, { 0 } },
  { LUN_OP_rms_norm, 2, 0, { { 'f', 2, { 40, 300 } }, { 'f', 1, { 300 } } }, { 0 } },
  { LUN_OP_group_norm, 1, 1, { { 'f', 3, { 2, 6, 50 } } }, { 3 } },
  { LUN_OP_batch_norm, 3, 0, { { 'f', 3, { 2, 6, 50 } }, { 'f', 1, { 6 } }, { 'p', 1, { 6 } } }, { 0 } },
  { LUN_OP_softmax, 1, 0, { { 'f', 2, { 40, 300 } } }, { 0 } },
  { LUN_OP_embedding, 2, 0, { { 'i', 1, { 6 } }, { 'h', 2, { 8, 64 } } }, { 0 } },
  { LUN_OP_rope, 3, 0, { { 'f', 3, { 2, 6, 8 } }, { 'i', 1, { 6 } }, { 'p', 1, { 4 } } }, { 0 } },
  { LUN_OP_alibi_slopes, 0, 1, { { 0 } }, { 12 } },
  { LUN_OP_relative_buckets, 1, 0, { { 'i', 2, { 9, 9 } } }, { 0 } },
  { LUN_OP_conv2d, 3, 7, { { 'f', 4, { 2, 4, 20, 21 } }, { 'f', 4, { 6, 2, 3, 3 } }, { 'f', 1, { 6 } } }, { 2, 2, 1, 1, 1, 1, 2 } },
  { LUN_OP_conv2d, 2, 2, { { 'f', 4, { 1, 3, 28, 28 } }, { 'f', 4, { 40, 3, 14, 14 } } }, { 14, 14 } },
  { LUN_OP_conv_transpose2d, 2, 2, { { 'f', 4, { 1, 4, 9, 9 } }, { 'f', 4, { 4, 6, 2, 2 } } }, { 2, 2 } },
  { LUN_OP_max_pool2d, 1, 2, { { 'f', 4, { 1, 4, 9, 9 } } }, { 3, 2 } },
  { LUN_OP_interpolate, 1, 5, { { 'f', 4, { 1, 4, 16, 16 } } }, { 9, 23, 2, 0, 1 } },
  { LUN_OP_sum, 1, 1, { { 'f', 3, { 7, 30, 50 } } }, { 1 } },
  { LUN_OP_argmax, 1, 1, { { 'f', 3, { 7, 30, 50 } } }, { -1 } },
  { LUN_OP_topk, 1, 1, { { 'f', 2, { 4, 5000 } } }, { 9 } },
  { LUN_OP_reshape, 1, 2, { { 'f', 3, { 4, 6, 5 } } }, { 6, 20 } },
  { LUN_OP_permute, 1, 3, { { 'f', 3, { 4, 6, 5 } } }, { 2, 0, 1 } },
  { LUN_OP_narrow, 1, 3, { { 'f', 2, { 40, 300 } } }, { 1, 7, 100 } },
  { LUN_OP_expand, 1, 2, { { 'f', 2, { 1, 300 } } }, { 40, 300 } },
  { LUN_OP_contiguous, 1, 0, { { 'f', 2, { 40, 300 } } }, { 0 } },
  { LUN_OP_cast, 1, 1, { { 'f', 2, { 4, 64 } } }, { LUN_Q8_0 } },
  { LUN_OP_concat, 3, 1, { { 'f', 2, { 40, 3 } }, { 'f', 2, { 40, 5 } }, { 'f', 2, { 40, 1 } } }, { 1 } },
  { LUN_OP_gather, 2, 1, { { 'f', 2, { 40, 300 } }, { 'i', 1, { 9 } } }, { 1 } },
  { LUN_OP_pick, 2, 0, { { 'f', 2, { 2, 300 } }, { 'i', 2, { 2, 9 } } }, { 0 } },
  { LUN_OP_put, 3, 0, { { 'f', 2, { 2, 300 } }, { 'i', 2, { 2, 9 } }, { 'f', 2, { 2, 9 } } }, { 0 } },
  { LUN_OP_fill, 0, 6, { { 0 } }, { 3, 4, NAN, NAN, NAN, NAN } },
  { LUN_OP_arange, 0, 2, { { 0 } }, { 2, 50 } },
};

static lun_tensor *input(lun_ctx *cx, char kind, int rank, const int64_t *dim) {
  lun_tensor *t;
  if (kind == 'i') {
    t = lun_make(cx, LUN_I64, rank, dim);
    for (int64_t i = 0; i < lun_count(t); i++) i64(t)[i] = i % 3;
    return t;
  }
  t = random_tensor(cx, kind == 'p' ? 2 : 0, rank, dim);
  if (kind == 'h') t = lun_run(cx, LUN_OP_cast, 1, &t, 1, (double[]){ LUN_F16 }, NULL);
  if (kind == 'q') t = lun_run(cx, LUN_OP_cast, 1, &t, 1, (double[]){ LUN_Q8_0 }, NULL);
  return t;
}

/* The call of a row in a new context, with allocation n failing; false when no more of them fail. */
static bool try_row(const row *r, bool views, long n, result *want) {
  lun_ctx    *cx = lun_open(2);
  lun_tensor *in[5] = { NULL }, *y;
  bool        done;
  if (!CHECK(cx != NULL)) return false;
  noise_state = 88172645463325252u;
  for (int i = 0; i < r->count; i++) {
    in[i] = input(cx, r->in[i].kind, r->in[i].rank, r->in[i].dim);
    if (views) in[i] = padded_view(cx, in[i]);
  }
  lun_alloc_fail_at(n);
  y = lun_run(cx, r->op, r->count, in, r->nparams, r->params, NULL);
  done = none_failed(n);
  if (done) {
    if (CHECK(y != NULL, "%s: %s", lun_op_info(r->op)->name, lun_message(cx)) && !want->data) keep(want, y);
  } else if (!y) {
    CHECK(lun_error(cx) == LUN_EMEM, "%s, allocation %ld: %s", lun_op_info(r->op)->name, n, lun_message(cx));
  }
  lun_clear(cx);
  if (!y && !done) y = lun_run(cx, r->op, r->count, in, r->nparams, r->params, NULL);
  CHECK(y != NULL, "%s after allocation %ld: %s", lun_op_info(r->op)->name, n, lun_message(cx));
  if (y && want->data) CHECK(same(want, y), "%s, allocation %ld: another result", lun_op_info(r->op)->name, n);
  lun_close(cx);
  return !done;
}

static void check_row(const row *r, bool views) {
  result want = { 0, NULL };
  long   n = 1;
  try_row(r, views, ENOUGH, &want);
  while (n < 200 && try_row(r, views, n, &want)) n++;
  CHECK(n < 200, "%s: %ld allocations", lun_op_info(r->op)->name, n);
  free(want.data);
}

/* ---- a layer, its cache, a decoder's steps --------------------------------------- */

enum { C = 32, F = 64, S = 5, E = 48 };

static const lun_block *find_block(const lun_plugin *p, const char *name) {
  int i = 0;
  while (strcmp(lun_plugin_block(p, i)->name, name) != 0) i++;
  return lun_plugin_block(p, i);
}

static void give_value(lun_args *a, const lun_arg *declared, const char *name, lun_value value) {
  int i = 0;
  while (strcmp(declared[i].name, name) != 0) i++;
  value.type = (lun_type)declared[i].type;
  *lun_args_value(a, i) = value;
}

static void give_tensor(lun_args *a, const lun_arg *declared, const char *name, lun_tensor *t) {
  give_value(a, declared, name, (lun_value){ .as.tensor = t });
}

static lun_args *layer_args(lun_ctx *cx, const lun_block *block, lun_tensor *const *weight) {
  static const struct { const char *name; int weight; } given[] = {
    { "attention.qkv.weight", 0 }, { "attention.qkv.bias", 1 }, { "attention.out.weight", 2 }, { "attention.norm.weight", 3 },
    { "cross.q.weight", 2 }, { "cross.kv.weight", 4 }, { "cross.out.weight", 2 }, { "cross.norm.weight", 3 },
    { "mlp.up.weight", 5 }, { "mlp.down.weight", 6 }, { "mlp.norm.weight", 3 }
  };
  lun_args *a = lun_args_make(cx, block->args);
  if (!a) return NULL;
  for (size_t i = 0; i < sizeof given / sizeof *given; i++) give_tensor(a, block->args, given[i].name, weight[given[i].weight]);
  give_value(a, block->args, "attention.heads", (lun_value){ .as.integer = 4 });
  give_value(a, block->args, "attention.causal", (lun_value){ .as.integer = 1 });
  give_value(a, block->args, "cross.heads", (lun_value){ .as.integer = 4 });
  give_value(a, block->args, "mlp.activation", (lun_value){ .as.string = { "gelu_tanh", 9 } });
  return a;
}

static lun_object *new_cache(lun_ctx *cx, lun_plugin *p) {
  const lun_func *make = lun_plugin_func(p, 0);
  lun_args       *a = lun_args_make(cx, make->args);
  lun_object     *cache;
  lun_result     *r;
  if (!a) return NULL;
  give_value(a, make->args, "capacity", (lun_value){ .as.integer = 8 });
  r = lun_func_call(cx, p, make, NULL, a);
  cache = r ? lun_result_take(r, 0) : NULL;
  lun_result_close(r);
  return cache;
}

/* Both rows of the cache become its second one. */
static void select_rows(lun_ctx *cx, lun_plugin *p, lun_object *cache) {
  static const int64_t at[] = { 2, 2 };
  const lun_func *method = lun_class_method(lun_object_class(cache), 1);
  lun_args       *a = lun_args_make(cx, method->args);
  if (!a) return;
  give_value(a, method->args, "index", (lun_value){ .count = 2, .as.integers = at });
  lun_result_close(lun_func_call(cx, p, method, cache, a));
}

static lun_tensor *forward(lun_ctx *cx, lun_node *node, lun_tensor *x, lun_tensor *memory, lun_object *cache) {
  const lun_arg *inputs = lun_node_block(node)->inputs;
  lun_args      *in = lun_args_make(cx, inputs);
  if (!in) return NULL;
  give_tensor(in, inputs, "x", x);
  give_tensor(in, inputs, "memory", memory);
  give_value(in, inputs, "cache", (lun_value){ .as.object = cache });
  return lun_node_forward(cx, node, in);
}

/* Makes a layer, runs two positions, reorders the rows, runs one more: its output. */
static lun_tensor *decode(lun_ctx *cx, lun_plugin *p, lun_tensor *const *weight, lun_tensor *x, lun_tensor *memory) {
  const lun_block *block = find_block(p, "layer");
  lun_args        *a = layer_args(cx, block, weight);
  lun_node        *node = a ? lun_node_make(cx, p, block, a) : NULL;
  lun_object      *cache = node ? new_cache(cx, p) : NULL;
  lun_tensor      *y = NULL;
  if (cache) {
    forward(cx, node, lun_narrow(cx, x, 1, 0, 2), memory, cache);
    if (lun_error(cx) != LUN_OK) {                  /* whatever the failure left in the cache, it can be asked again */
      lun_status code = lun_error(cx);
      char       message[256];
      snprintf(message, sizeof message, "%s", lun_message(cx));
      lun_clear(cx);
      select_rows(cx, p, cache);
      lun_clear(cx);
      forward(cx, node, lun_narrow(cx, x, 1, 0, 2), memory, cache);
      lun_clear(cx);
      lun_fail(cx, code, "%s", message);
    }
    select_rows(cx, p, cache);
    y = forward(cx, node, lun_narrow(cx, x, 1, 2, 1), NULL, cache);
  }
  lun_object_drop(cache);
  lun_node_drop(node);
  return y;
}

static bool try_layer(long n, result *want) {
  static const int64_t shape[][2] = { { 3 * C, C }, { 3 * C, 0 }, { C, C }, { C, 0 }, { 2 * C, E }, { F, C }, { C, F } };
  lun_ctx    *cx = lun_open(2);
  lun_plugin *p = cx ? lun_plugin_builtin(cx) : NULL;
  lun_tensor *weight[7], *x, *memory, *y;
  bool        done;
  if (!CHECK(p != NULL)) return false;
  noise_state = 88172645463325252u;
  for (int i = 0; i < 7; i++) weight[i] = random_tensor(cx, 0, shape[i][1] ? 2 : 1, shape[i]);
  x = random_tensor(cx, 0, DIM(2, 3, C));
  memory = random_tensor(cx, 0, DIM(2, S, E));
  lun_alloc_fail_at(n);
  y = decode(cx, p, weight, x, memory);
  done = none_failed(n);
  if (y) CHECK(!want->data || same(want, y), "a layer, allocation %ld: another result", n);
  else CHECK(lun_error(cx) == LUN_EMEM && strstr(lun_message(cx), "memory"), "a layer, allocation %ld: %s", n, lun_message(cx));
  if (done && y && !want->data) keep(want, y);
  lun_close(cx);
  return !done;
}

/* ---- contexts ---------------------------------------------------------------------- */

static void check_contexts(void) {
  long n = 0;
  bool done = false;
  while (!done && ++n < 100) {
    lun_ctx *cx;
    lun_alloc_fail_at(n);
    cx = lun_open(3);
    done = none_failed(n);
    CHECK(!done || cx, "no context");
    lun_close(cx);
  }
  CHECK(n > 2 && n < 100, "a context: %ld allocations", n);
}

int main(void) {
  result want = { 0, NULL };
  long   n = 1;
  check_contexts();
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    check_row(&rows[i], false);
    check_row(&rows[i], true);
  }
  try_layer(ENOUGH, &want);
  while (n < 2000 && try_layer(n, &want)) n++;
  CHECK(n > 50 && n < 2000, "a layer: %ld allocations", n);
  free(want.data);
  return check_end();
}
