/*
** cache.c - keys and values of one layer, kept between steps.
**
** Self attention appends to [R, G, capacity, D].  Cross attention projects the
** picture once, and any number of rows (beams) share it through 'rows'.
*/
#include "blocks.h"

static void replace(lun_tensor **slot, lun_tensor *t) {
  lun_hold(t);
  lun_drop(*slot);
  *slot = t;
}

lun_status cache_append(lun_ctx *cx, kv_cache *c, lun_tensor **k, lun_tensor **v) {
  int64_t steps, room[4];
  if (!*k || !*v) return lun_error(cx);
  steps = lun_dim(*k, 2);
  if (c->length + steps > c->capacity)
    return lun_fail(cx, LUN_EARG, "cache: %lld positions and %lld more, capacity %lld", (long long)c->length, (long long)steps, (long long)c->capacity);
  if (c->length == 0) {
    for (int i = 0; i < 4; i++) room[i] = i == 2 ? c->capacity : lun_dim(*k, i);
    lun_tensor *keys = lun_make(cx, LUN_F32, 4, room), *values = lun_make(cx, LUN_F32, 4, room);
    if (!values) return lun_error(cx);                  /* both or none */
    replace(&c->k, keys);
    replace(&c->v, values);
  }
  if (lun_dim(*k, 0) != lun_dim(c->k, 0))
    return lun_fail(cx, LUN_ESHAPE, "cache: a batch of %lld, the cache holds %lld", (long long)lun_dim(*k, 0), (long long)lun_dim(c->k, 0));
  if (lun_dim(*k, 1) != lun_dim(c->k, 1) || lun_dim(*k, 3) != lun_dim(c->k, 3))
    return lun_fail(cx, LUN_ESHAPE, "cache: %lld key heads of %lld channels, the cache holds %lld of %lld", (long long)lun_dim(*k, 1),
                    (long long)lun_dim(*k, 3), (long long)lun_dim(c->k, 1), (long long)lun_dim(c->k, 3));
  if (lun_assign(cx, lun_narrow(cx, c->k, 2, c->length, steps), *k) != LUN_OK) return lun_error(cx);
  if (lun_assign(cx, lun_narrow(cx, c->v, 2, c->length, steps), *v) != LUN_OK) return lun_error(cx);
  c->length += steps;
  *k = lun_narrow(cx, c->k, 2, 0, c->length);
  *v = lun_narrow(cx, c->v, 2, 0, c->length);
  return lun_error(cx);
}

/* The rows 'index' of [R, G, capacity, D], of which only 'length' positions matter. */
static lun_tensor *select_rows(lun_ctx *cx, lun_tensor *x, lun_tensor *index, int64_t length) {
  int64_t     dim[4];
  lun_tensor *used, *t;
  for (int i = 0; i < 4; i++) dim[i] = i == 0 ? lun_dim(index, 0) : lun_dim(x, i);
  t = lun_make(cx, LUN_F32, 4, dim);
  used = lun_run(cx, LUN_OP_gather, 2, (lun_tensor *[]){ lun_narrow(cx, x, 2, 0, length), index }, 0, NULL, NULL);
  return t && used && lun_assign(cx, lun_narrow(cx, t, 2, 0, length), used) == LUN_OK ? t : NULL;
}

/* ---- the class --------------------------------------------------------------- */

static lun_status length(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  (void)cx, (void)in;
  return lun_host_table()->ret_int(out, ((kv_cache *)self)->length);
}

static lun_status select_method(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  kv_cache      *c = self;
  size_t         n;
  const int64_t *at = lun_host_table()->arg_ints(in, "index", &n);
  lun_tensor    *held = c->k ? c->k : c->rows ? c->rows : c->cross_k;
  int64_t        dim = (int64_t)n, rows = held ? lun_dim(held, 0) : 0;
  lun_tensor    *index = lun_make(cx, LUN_I64, 1, &dim), *map, *k = NULL, *v = NULL;
  int64_t       *data = index ? lun_data_mutable(index) : NULL;
  (void)out;
  if (!data) return lun_error(cx);
  for (size_t i = 0; i < n; i++) {
    if (at[i] < 1 || (rows > 0 && at[i] > rows))
      return lun_fail(cx, LUN_EARG, "select: row %lld of %lld", (long long)at[i], (long long)rows);
    data[i] = at[i] - 1;
  }
  if (c->k) {
    k = select_rows(cx, c->k, index, c->length);
    v = select_rows(cx, c->v, index, c->length);
  }
  map = c->rows ? lun_run(cx, LUN_OP_gather, 2, (lun_tensor *[]){ c->rows, index }, 0, NULL, NULL) : index;
  if (lun_error(cx) != LUN_OK) return lun_error(cx);    /* all or none */
  replace(&c->k, k);
  replace(&c->v, v);
  replace(&c->rows, map);
  return LUN_OK;
}

static void drop(void *state) {
  kv_cache *c = state;
  lun_drop(c->k);
  lun_drop(c->v);
  lun_drop(c->cross_k);
  lun_drop(c->cross_v);
  lun_drop(c->rows);
}

static const lun_arg none[] = { { LUN_END, 0, NULL, 0, 0, NULL } };
static const lun_arg select_args[] = {
  { LUN_INTS, 1, "index", 0, 1, "the rows to keep, in their new order; positions from 1, any may repeat" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};
static const lun_func methods[] = {
  { sizeof(lun_func), 0, "length", "positions held", none, length },
  { sizeof(lun_func), 0, "select", "keeps, reorders or repeats rows; the picture's keys and values stay where they are", select_args, select_method },
  { sizeof(lun_func), 0, NULL, NULL, NULL, NULL }
};

const lun_class class_kv_cache = {
  sizeof(lun_class), sizeof(kv_cache), "kv_cache", "keys and values of one layer", methods, drop
};

static lun_status make(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  kv_cache *c = lun_host_table()->ret_object(out, &class_kv_cache);
  (void)self;
  if (!c) return lun_fail(cx, LUN_EMEM, "out of memory");
  c->capacity = lun_host_table()->arg_int(in, "capacity");
  return LUN_OK;
}

static const lun_arg make_args[] = {
  { LUN_INT, 1, "capacity", 0, 1, "positions it can hold" },
  { LUN_END, 0, NULL, 0, 0, NULL }
};

const lun_func func_kv_cache = { sizeof(lun_func), 0, "kv_cache", "an empty cache for one layer", make_args, make };
