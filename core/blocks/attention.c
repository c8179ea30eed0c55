/*
** attention.c - multi-head attention over itself or over a memory, with a cache.
**
** Source: Vaswani et al. 2017, arXiv:1706.03762, section 3.2; key heads: Ainslie
** et al. 2023, arXiv:2305.13245.
*/
#include "blocks.h"
#include "../ops.h"

static lun_status bad_heads(lun_ctx *cx, const attention *t, const char *prefix, int64_t outputs) {
  return lun_fail(cx, LUN_ESHAPE, "%s%sheads is %lld and kv_heads %lld, which do not divide %lld outputs", prefix, *prefix ? "." : "",
                  (long long)t->heads, (long long)t->kv_heads, (long long)outputs);
}

lun_status attention_init(lun_ctx *cx, attention *t, const lun_args *a, const char *prefix) {
  static const char *const names[] = { "q", "k", "v", "qkv", "kv", "out" };
  const lun_host *h = lun_host_table();
  projection     *parts[] = { &t->q, &t->k, &t->v, &t->qkv, &t->kv, &t->out };
  char            path[64];
  bool            transposed = h->arg_int(a, path_of(path, sizeof path, prefix, "transposed")) != 0;
  int64_t         groups;
  t->heads = h->arg_int(a, path_of(path, sizeof path, prefix, "heads"));
  t->kv_heads = h->arg_int(a, path_of(path, sizeof path, prefix, "kv_heads"));
  t->scale = h->arg_num(a, path_of(path, sizeof path, prefix, "scale"));
  t->causal = h->arg_int(a, path_of(path, sizeof path, prefix, "causal")) != 0;
  t->layer_scale = lun_hold(tensor_at(a, prefix, "layer_scale"));
  if (t->kv_heads == 0) t->kv_heads = t->heads;
  for (int i = 0; i < 6; i++)
    if (projection_init(cx, parts[i], a, prefix, names[i], transposed) != LUN_OK) return lun_error(cx);
  if (t->heads < 1 || t->heads > INT32_MAX || t->heads % t->kv_heads != 0)
    return lun_fail(cx, LUN_EARG, "%s%sheads is %lld and kv_heads %lld, wanted 1 to %d heads, a multiple of kv_heads", prefix, *prefix ? "." : "",
                    (long long)t->heads, (long long)t->kv_heads, INT32_MAX);
  if (!t->qkv.weight && !(t->q.weight && (t->kv.weight || (t->k.weight && t->v.weight))))
    return lun_fail(cx, LUN_EARG, "%s needs qkv, or q and kv, or q, k and v", *prefix ? prefix : "attention");
  if (!t->out.weight) return lun_fail(cx, LUN_EARG, "%s needs out", *prefix ? prefix : "attention");
  groups = t->heads + 2 * t->kv_heads;
  if (t->qkv.weight && projection_outputs(&t->qkv) % groups != 0) return bad_heads(cx, t, prefix, projection_outputs(&t->qkv));
  if (t->q.weight && projection_outputs(&t->q) % t->heads != 0) return bad_heads(cx, t, prefix, projection_outputs(&t->q));
  if (t->kv.weight && projection_outputs(&t->kv) % (2 * t->kv_heads) != 0) return bad_heads(cx, t, prefix, projection_outputs(&t->kv));
  if (t->k.weight && projection_outputs(&t->k) % t->kv_heads != 0) return bad_heads(cx, t, prefix, projection_outputs(&t->k));
  if (t->v.weight && projection_outputs(&t->v) % t->kv_heads != 0) return bad_heads(cx, t, prefix, projection_outputs(&t->v));
  return LUN_OK;
}

/* False after an error: x is not [B, T, C], or NULL. */
static bool is_batch(lun_ctx *cx, const char *name, const lun_tensor *x) {
  char shape[96];
  if (x && lun_rank(x) != 3) lun_fail(cx, LUN_ESHAPE, "%s is %s, wanted 3 dimensions", name, shape_of(shape, sizeof shape, x));
  return lun_error(cx) == LUN_OK;
}

/* Heads [from, from + count) of x [B, T, heads D] as [B, count, T, D]: a view. */
static lun_tensor *split(lun_ctx *cx, lun_tensor *x, int64_t heads, int64_t from, int64_t count) {
  int64_t dim[4];
  if (!x) return NULL;
  dim[0] = lun_dim(x, 0);
  dim[1] = lun_dim(x, 1);
  dim[2] = heads;
  dim[3] = lun_dim(x, 2) / heads;
  x = lun_narrow(cx, lun_reshape(cx, x, 4, dim), 2, from, count);
  return lun_permute(cx, x, (int[]){ 0, 2, 1, 3 });
}

/* y [B, H, T, D], stored as [B, T, H, D], joined and projected. */
static lun_tensor *join(lun_ctx *cx, const attention *t, lun_tensor *y) {
  int64_t dim[3];
  if (!y) return NULL;
  dim[0] = lun_dim(y, 0);
  dim[1] = lun_dim(y, 2);
  dim[2] = lun_dim(y, 1) * lun_dim(y, 3);
  y = lun_reshape(cx, lun_permute(cx, y, (int[]){ 0, 2, 1, 3 }), 3, dim);
  y = project(cx, &t->out, y, 0);
  return t->layer_scale ? lun_mul(cx, y, t->layer_scale) : y;
}

/* Keys and values of x [B, S, C] by whichever projections there are. */
static void keys_values(lun_ctx *cx, const attention *t, lun_tensor *x, lun_tensor **k, lun_tensor **v) {
  int64_t g = t->kv_heads;
  if (t->kv.weight) {
    lun_tensor *both = project(cx, &t->kv, x, 0);
    *k = split(cx, both, 2 * g, 0, g);
    *v = split(cx, both, 2 * g, g, g);
  } else {
    *k = split(cx, project(cx, &t->k, x, 0), g, 0, g);
    *v = split(cx, project(cx, &t->v, x, 0), g, 0, g);
  }
}

static lun_tensor *scores(lun_ctx *cx, const attention *t, lun_tensor *q, lun_tensor *k, lun_tensor *v, lun_tensor *mask, lun_tensor *rows, bool causal) {
  return lun_run(cx, LUN_OP_sdpa, 5, (lun_tensor *[]){ q, k, v, mask, rows }, 2, (double[]){ t->scale, causal }, NULL);
}

lun_tensor *attend_self(lun_ctx *cx, const attention *t, lun_tensor *x, lun_tensor *mask, kv_cache *cache) {
  lun_tensor *q, *k, *v;
  if (!is_batch(cx, "x", x)) return NULL;
  if (t->qkv.weight) {
    lun_tensor *all = project(cx, &t->qkv, x, 0);
    int64_t     heads = t->heads + 2 * t->kv_heads;
    q = split(cx, all, heads, 0, t->heads);
    k = split(cx, all, heads, t->heads, t->kv_heads);
    v = split(cx, all, heads, t->heads + t->kv_heads, t->kv_heads);
  } else {
    q = split(cx, project(cx, &t->q, x, 0), t->heads, 0, t->heads);
    keys_values(cx, t, x, &k, &v);
  }
  if (cache && cache_append(cx, cache, &k, &v) != LUN_OK) return NULL;
  return join(cx, t, scores(cx, t, q, k, v, mask, NULL, t->causal));
}

static lun_tensor *contiguous(lun_ctx *cx, lun_tensor *x) { return lun_run(cx, LUN_OP_contiguous, 1, &x, 0, NULL, NULL); }

/* Keys [I, G, S, D] stored as sdpa reads them without packing, which every step would repeat. */
static lun_tensor *transposed(lun_ctx *cx, lun_tensor *k) {
  double      shape[LUN_MAXRANK + 1];
  lun_tensor *t;
  int64_t     keys;
  if (!k) return NULL;
  keys = lun_dim(k, 2);
  for (int i = 0; i < LUN_MAXRANK; i++) shape[i] = NAN;
  shape[0] = (double)lun_dim(k, 0);
  shape[1] = (double)lun_dim(k, 1);
  shape[2] = (double)lun_dim(k, 3);
  shape[3] = (double)((keys + LUN_KEY_PANEL - 1) / LUN_KEY_PANEL * LUN_KEY_PANEL);
  shape[LUN_MAXRANK] = 0;
  t = lun_narrow(cx, lun_run(cx, LUN_OP_fill, 0, NULL, LUN_MAXRANK + 1, shape, NULL), 3, 0, keys);
  if (!t || lun_assign(cx, t, lun_permute(cx, k, (int[]){ 0, 1, 3, 2 })) != LUN_OK) return NULL;
  return lun_permute(cx, t, (int[]){ 0, 1, 3, 2 });
}

lun_tensor *attend_cross(lun_ctx *cx, const attention *t, lun_tensor *x, lun_tensor *memory, lun_tensor *mask, kv_cache *cache) {
  lun_tensor *q, *k, *v, *rows = NULL;
  if (!is_batch(cx, "x", x) || !is_batch(cx, "memory", memory)) return NULL;
  if (!t->q.weight) return lun_fail(cx, LUN_EARG, "cross attention needs q beside kv, or q, k and v"), NULL;
  q = split(cx, project(cx, &t->q, x, 0), t->heads, 0, t->heads);
  if (cache && cache->cross_k) {
    k = cache->cross_k;
    v = cache->cross_v;
    rows = cache->rows;
  } else {
    if (!memory) return lun_fail(cx, LUN_EARG, "cross attention needs a memory"), NULL;
    keys_values(cx, t, memory, &k, &v);
    if (cache) {
      k = transposed(cx, k);
      v = contiguous(cx, v);
      if (!k || !v) return NULL;                          /* both or none */
      cache->cross_k = lun_hold(k);
      cache->cross_v = lun_hold(v);
      rows = cache->rows;
    }
  }
  return join(cx, t, scores(cx, t, q, k, v, mask, rows, false));
}

void attention_drop(attention *t) {
  projection *parts[] = { &t->q, &t->k, &t->v, &t->qkv, &t->kv, &t->out };
  for (int i = 0; i < 6; i++) projection_drop(parts[i]);
  lun_drop(t->layer_scale);
}

/* ---- the block ------------------------------------------------------------ */

static const lun_arg args[] = { ATTENTION_ARGS(""), { LUN_END, 0, NULL, 0, 0, NULL } };
static const lun_arg inputs[] = {
  { LUN_TENSOR, 1, "x", 0, 0, "[B, T, C]" },
  { LUN_OBJECT, 0, "cache", 0, 0, "a kv_cache" },
  { LUN_TENSOR, 0, "memory", 0, 0, "[B, S, C'] to attend to instead of x" },
  { LUN_TENSOR, 0, "mask", 0, 0, "added to the scores; broadcasts to [B, H, T, S]" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};

static lun_status init(lun_ctx *cx, void *state, const lun_args *a) { return attention_init(cx, state, a, ""); }

static lun_tensor *forward(lun_ctx *cx, void *state, const lun_args *in) {
  lun_tensor *x = tensor_at(in, "", "x"), *memory = tensor_at(in, "", "memory"), *mask = tensor_at(in, "", "mask");
  kv_cache   *cache = lun_host_table()->arg_object(in, "cache", &class_kv_cache);
  int64_t     length = cache ? cache->length : 0;
  lun_tensor *y = memory || (cache && cache->cross_k) ? attend_cross(cx, state, x, memory, mask, cache) : attend_self(cx, state, x, mask, cache);
  if (!y && cache) cache->length = length;      /* a step that failed left nothing */
  return y;
}

static void drop(void *state) { attention_drop(state); }

const lun_block block_attention = {
  sizeof(lun_block), sizeof(attention), "attention",
  "multi-head attention: [B, T, C] -> [B, T, C]; Vaswani et al. 2017, arXiv:1706.03762", args, inputs, init, forward, drop
};
