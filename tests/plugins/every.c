/*
** every.c - a plugin for tests with one of each: every type of argument and of
** result, a function that may fail, a class, a block of operations, a loop over the pool.
**
**   gcc -shared -fPIC -I core tests/plugins/every.c -o every.so
*/
#include <string.h>
#include "lun_plugin.h"

LUN_PLUGIN("every", "1.2.3", "MIT");

static const lun_host *host;

/* ---- echo: returns what it is given ---------------------------------------------- */

static const lun_arg echo_args[] = {
  { .type = LUN_INT, .name = "int", .def = 7, .min = -10, .doc = "an integer" },
  { .type = LUN_NUM, .name = "num", .def = 0.5, .doc = "a number" },
  { .type = LUN_BOOL, .name = "bool", .def = 1, .doc = "a boolean" },
  { .type = LUN_STR, .name = "str", .doc = "a string" },
  { .type = LUN_INTS, .name = "list.ints", .doc = "integers" },
  { .type = LUN_NUMS, .name = "list.nums", .min = -1e300, .doc = "numbers" },
  { .type = LUN_STRS, .name = "list.strs", .doc = "strings" },
  { .type = LUN_TENSOR, .name = "tensor", .doc = "f32 [...]" },
  { .type = LUN_END },
};

static lun_status echo_strings(const lun_args *in, lun_result *out) {
  const char *s[8];
  size_t      len[8], count = 0;
  while (count < 8 && (s[count] = host->arg_item(in, "list.strs", count, &len[count])) != NULL) count++;
  return count > 0 ? host->ret_strs(out, s, len, count) : host->ret_nil(out);
}

static lun_status echo(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  size_t         len;
  const char    *s = host->arg_str(in, "str", &len);
  const int64_t *ints;
  const double  *nums;
  lun_tensor    *t = host->arg_tensor(in, "tensor");
  (void)cx, (void)self;
  host->ret_int(out, host->arg_int(in, "int"));
  host->ret_num(out, host->arg_num(in, "num"));
  host->ret_bool(out, (int)host->arg_int(in, "bool"));
  if (s) host->ret_str(out, s, len);
  else host->ret_nil(out);
  ints = host->arg_ints(in, "list.ints", &len);
  if (ints) host->ret_ints(out, ints, len);
  else host->ret_nil(out);
  nums = host->arg_nums(in, "list.nums", &len);
  if (nums) host->ret_nums(out, nums, len);
  else host->ret_nil(out);
  echo_strings(in, out);
  return t ? host->ret_tensor(out, t) : host->ret_nil(out);
}

/* ---- open: fails as it is told ----------------------------------------------------- */

static const lun_arg open_args[] = {
  { .type = LUN_STR, .required = 1, .name = "path", .doc = "\"good\" is there" },
  { .type = LUN_INT, .name = "code", .def = LUN_EIO, .doc = "lun_status to fail with" },
  { .type = LUN_BOOL, .name = "silent", .doc = "fail without saying why" },
  { .type = LUN_END },
};

static lun_status open_file(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  const char *path = host->arg_str(in, "path", NULL);
  lun_status  code = (lun_status)host->arg_int(in, "code");
  (void)self;
  if (strcmp(path, "nothing") == 0) return LUN_OK;
  if (strcmp(path, "good") == 0) return host->ret_bool(out, 1);
  host->ret_int(out, 1);
  return host->arg_int(in, "silent") ? code : host->fail(cx, code, "%s: no such file", path);
}

/* ---- squares: a list made over the pool --------------------------------------------- */

static void square(void *arg, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) ((int64_t *)arg)[i] = i * i;
}

static lun_status squares(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  int64_t  n = host->arg_int(in, "n");
  int64_t *list = host->scratch(cx, (size_t)n * sizeof *list);
  (void)self;
  if (!list) return host->status(cx);
  host->parallel(cx, n, 16, square, list);
  return host->ret_ints(out, list, (size_t)n);
}

static const lun_arg squares_args[] = {
  { .type = LUN_INT, .required = 1, .name = "n", .doc = "how many" },
  { .type = LUN_END },
};

/* ---- counter: a class --------------------------------------------------------------- */

typedef struct counter { int64_t at; lun_tensor *held; } counter;

static int64_t living;       /* counters not dropped yet */

static void drop_counter(void *state) {
  host->drop(((counter *)state)->held);
  living--;
}

static lun_status add(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  (void)cx;
  return host->ret_int(out, ((counter *)self)->at += host->arg_int(in, "by"));
}

static const lun_arg none[] = { { .type = LUN_END } };
static const lun_arg add_args[] = { { .type = LUN_INT, .name = "by", .def = 1, .min = -100 }, { .type = LUN_END } };

static lun_status held(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  (void)cx, (void)in;
  return host->ret_tensor(out, ((counter *)self)->held);
}

static const lun_func counter_methods[] = {
  { .size = sizeof(lun_func), .name = "add", .doc = "counts on", .args = add_args, .call = add },
  { .size = sizeof(lun_func), .name = "held", .args = none, .call = held },
  { .name = NULL },
};
static const lun_class counter_class = {
  .size = sizeof(lun_class), .state_size = sizeof(counter), .name = "counter", .doc = "counts", .methods = counter_methods, .drop = drop_counter
};
static const lun_func other_methods[] = { { .name = NULL } };
static const lun_class other_class = { .size = sizeof(lun_class), .name = "other", .doc = "nothing", .methods = other_methods };
static const lun_class secret_class = { .size = sizeof(lun_class), .name = "secret", .methods = other_methods };

static lun_status make_counters(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  (void)self;
  for (int64_t i = 0; i < host->arg_int(in, "count"); i++) {
    counter *c = host->ret_object(out, &counter_class);
    if (!c) return host->status(cx);
    living++;
    c->at = i;
    c->held = host->hold(host->arg_tensor(in, "hold"));
  }
  return host->arg_int(in, "fail") ? host->fail(cx, LUN_EARG, "told to") : LUN_OK;
}

static const lun_arg make_args[] = {
  { .type = LUN_INT, .required = 1, .name = "count" },
  { .type = LUN_TENSOR, .name = "hold" },
  { .type = LUN_BOOL, .name = "fail" },
  { .type = LUN_END },
};

static lun_status make_other(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  (void)self, (void)in;
  return host->ret_object(out, &other_class) ? LUN_OK : host->status(cx);
}

static lun_status make_secret(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  (void)self, (void)in;
  return host->ret_object(out, &secret_class) ? LUN_OK : host->status(cx);
}

static lun_status count_living(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  (void)cx, (void)self, (void)in;
  return host->ret_int(out, living);
}

static lun_status value(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  const counter *c = host->arg_object(in, "counter", &counter_class);
  (void)self;
  if (!c) return host->status(cx) != LUN_OK ? host->status(cx) : host->ret_nil(out);
  return host->ret_int(out, c->at);
}

static const lun_arg value_args[] = { { .type = LUN_OBJECT, .name = "counter" }, { .type = LUN_END } };

/* ---- careless: asks for what it did not declare ---------------------------------------- */

static lun_status careless(lun_ctx *cx, void *self, const lun_args *in, lun_result *out) {
  (void)cx, (void)self;
  return host->ret_int(out, host->arg_int(in, host->arg_given(in, "str") ? "str" : "nowhere"));
}

static const lun_arg careless_args[] = { { .type = LUN_STR, .name = "str" }, { .type = LUN_END } };

/* ---- affine: a block, x * weight + bias ------------------------------------------------ */

typedef struct affine { lun_tensor *weight, *bias; int mode; } affine;

static const lun_arg affine_args[] = {
  { .type = LUN_TENSOR, .required = 1, .name = "weight", .doc = "as x" },
  { .type = LUN_TENSOR, .name = "extra.bias", .doc = "as x" },
  { .type = LUN_INT, .name = "mode", .doc = "0; 1: return NULL and say nothing; 2: an unknown operation; 3: return x" },
  { .type = LUN_END },
};
static const lun_arg affine_inputs[] = {
  { .type = LUN_TENSOR, .required = 1, .name = "x", .doc = "[N]" },
  { .type = LUN_TENSOR, .name = "more", .doc = "added" },
  { .type = LUN_END },
};

static lun_status affine_init(lun_ctx *cx, void *state, const lun_args *args) {
  affine *a = state;
  a->weight = host->hold(host->arg_tensor(args, "weight"));
  a->bias = host->hold(host->arg_tensor(args, "extra.bias"));
  a->mode = (int)host->arg_int(args, "mode");
  if (a->mode > 3) return host->fail(cx, LUN_EARG, "mode: %d, wanted 0 to 3", a->mode);
  living++;
  return LUN_OK;
}

static lun_tensor *affine_forward(lun_ctx *cx, void *state, const lun_args *in) {
  const affine *a = state;
  lun_tensor   *x = host->arg_tensor(in, "x"), *more = host->arg_tensor(in, "more"), *y;
  if (a->mode == 1) return NULL;
  if (a->mode == 2) return host->op(cx, "nonsense", 1, &x, 0, NULL);
  if (a->mode == 3) return x;
  y = host->op(cx, "mul", 2, (lun_tensor *[]){ x, a->weight }, 0, NULL);
  if (host->dim(y, 0) < 0) return NULL;        /* y may be NULL here */
  if (a->bias) y = host->op(cx, "add", 2, (lun_tensor *[]){ y, a->bias }, 0, NULL);
  return more ? host->op(cx, "add", 2, (lun_tensor *[]){ y, more }, 0, NULL) : y;
}

static void affine_drop(void *state) {
  affine *a = state;
  living -= a->mode <= 3;
  host->drop(a->weight);
  host->drop(a->bias);
}

static const lun_block affine_block = {
  .size = sizeof(lun_block), .state_size = sizeof(affine), .name = "affine", .doc = "x * weight + bias",
  .args = affine_args, .inputs = affine_inputs, .init = affine_init, .forward = affine_forward, .drop = affine_drop
};

/* ---- the plugin ------------------------------------------------------------------------ */

static const lun_func functions[] = {
#define FUNC(name_, flags_, args_, call_) \
  { .size = sizeof(lun_func), .flags = flags_, .name = name_, .doc = name_ " of the test plugin", .args = args_, .call = call_ }
  FUNC("echo", 0, echo_args, echo),
  FUNC("open", LUN_MAYFAIL, open_args, open_file),
  FUNC("must_open", 0, open_args, open_file),
  FUNC("squares", 0, squares_args, squares),
  FUNC("counters", 0, make_args, make_counters),
  FUNC("other", 0, none, make_other),
  FUNC("secret", 0, none, make_secret),
  FUNC("living", 0, none, count_living),
  FUNC("value", 0, value_args, value),
  FUNC("careless", 0, careless_args, careless),
};

lun_status lun_plugin_open(const lun_host *given, lun_plugin *self, const char **why) {
  host = given;
  (void)why;
  host->add_class(self, &counter_class);
  host->add_class(self, &other_class);
  for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) host->add_func(self, &functions[i]);
  return host->add_block(self, &affine_block);
}
