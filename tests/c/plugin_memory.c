/*
** plugin_memory.c - the n-th allocation fails, for every n: loading a plugin, making
** blocks and objects and calling them ends in LUN_EMEM or works, and nothing leaks.
*/
#include <string.h>
#include "check.h"
#include "lun_host.h"
#include "plugin_build.h"
#include "tensor.h"

static const char *path;
static lun_plugin *every;

static const lun_func *func(const char *name) {
  int i = 0;
  while (strcmp(lun_plugin_func(every, i)->name, name) != 0) i++;
  return lun_plugin_func(every, i);
}

static void load(lun_ctx *cx) { every = lun_plugin_load(cx, path); }
static void builtin(lun_ctx *cx) { lun_plugin_builtin(cx); }

static lun_tensor *ones(lun_ctx *cx) {
  static const float one[3] = { 1, 1, 1 };
  return lun_from_host(cx, LUN_F32, 1, (int64_t[]){ 3 }, one);
}

/* Calls a function whose first argument is an integer, its second a tensor if that is not NULL. */
static lun_result *call(lun_ctx *cx, const char *name, int64_t n, lun_tensor *t) {
  lun_args *args = lun_args_make(cx, func(name)->args);
  if (!args) return NULL;
  *lun_args_value(args, 0) = (lun_value){ .type = LUN_INT, .as.integer = n };
  if (t) *lun_args_value(args, 1) = (lun_value){ .type = LUN_TENSOR, .as.tensor = t };
  return lun_func_call(cx, every, func(name), NULL, args);
}

static void functions(lun_ctx *cx) {
  const lun_value *v;
  int              count;
  lun_result      *r = call(cx, "counters", 30, ones(cx));
  if (r) {
    v = lun_result_values(r, &count);
    CHECK(count == 30 && v[1].type == LUN_OBJECT, "%d objects", count);
    lun_object_drop(lun_result_take(r, 1));
    CHECK(!lun_result_take(r, 1), "an object can be taken once");
  }
  lun_result_close(r);
  r = call(cx, "squares", 40000, NULL);
  if (r) {
    v = lun_result_values(r, &count);
    CHECK(count == 1 && v->count == 40000 && v->as.integers[39999] == 39999LL * 39999, "squares");
  }
  lun_result_close(r);
}

/* Strings, lists and a tensor come back as they went. */
static void echo(lun_ctx *cx) {
  static const int64_t    ints[] = { 1, 2 };
  static const double     nums[] = { 0.5 };
  static const lun_string strs[] = { { "", 0 }, { "ab", 2 } };
  lun_args   *args = lun_args_make(cx, func("echo")->args);
  lun_tensor *t = ones(cx);
  lun_result *r;
  int         count;
  if (!args || !t) return;
  *lun_args_value(args, 3) = (lun_value){ .type = LUN_STR, .as.string = strs[1] };
  *lun_args_value(args, 4) = (lun_value){ .type = LUN_INTS, .count = 2, .as.integers = ints };
  *lun_args_value(args, 5) = (lun_value){ .type = LUN_NUMS, .count = 1, .as.numbers = nums };
  *lun_args_value(args, 6) = (lun_value){ .type = LUN_STRS, .count = 2, .as.strings = strs };
  *lun_args_value(args, 7) = (lun_value){ .type = LUN_TENSOR, .as.tensor = t };
  r = lun_func_call(cx, every, func("echo"), NULL, args);
  if (r) {
    const lun_value *v = lun_result_values(r, &count);
    CHECK(count == 8 && v[0].as.integer == 7 && v[1].as.number == 0.5 && v[2].as.integer == 1, "defaults");
    CHECK(strcmp(v[3].as.string.s, "ab") == 0 && v[3].as.string.len == 2, "a string");
    CHECK(v[4].count == 2 && v[4].as.integers[1] == 2 && v[5].as.numbers[0] == 0.5, "lists of numbers");
    CHECK(v[6].count == 2 && v[6].as.strings[0].len == 0 && strcmp(v[6].as.strings[1].s, "ab") == 0, "a list of strings");
    CHECK(v[7].as.tensor == t, "a tensor");
  }
  lun_result_close(r);
}

static void block(lun_ctx *cx) {
  lun_tensor *x = ones(cx), *y;
  lun_args   *args = x ? lun_args_make(cx, lun_plugin_block(every, 0)->args) : NULL, *in;
  lun_node   *node;
  if (!args) return;
  *lun_args_value(args, 0) = (lun_value){ .type = LUN_TENSOR, .as.tensor = x };
  *lun_args_value(args, 1) = (lun_value){ .type = LUN_TENSOR, .as.tensor = x };
  node = lun_node_make(cx, every, lun_plugin_block(every, 0), args);
  in = node && lun_node_set_path(cx, node, "a.block") == LUN_OK ? lun_args_make(cx, lun_plugin_block(every, 0)->inputs) : NULL;
  if (in) {
    *lun_args_value(in, 0) = (lun_value){ .type = LUN_TENSOR, .as.tensor = x };
    y = lun_node_forward(cx, node, in);
    CHECK(y ? ((const float *)lun_data(y))[2] == 2 : lun_error(cx) == LUN_EMEM, "a block: %s", lun_message(cx));
  }
  lun_node_drop(node);
}

static int64_t living(void) {
  lun_ctx    *cx = lun_open(1);
  lun_result *r = lun_func_call(cx, every, func("living"), NULL, lun_args_make(cx, func("living")->args));
  int         count;
  int64_t     n = lun_result_values(r, &count)->as.integer;
  lun_result_close(r);
  lun_close(cx);
  return n;
}

/* Runs 'what' with the n-th allocation failing, for n = 1, 2, ... until none fails. */
static void exhaust(const char *name, void (*what)(lun_ctx *cx)) {
  int n = 0, done = 0;
  while (!done && ++n < 1000) {
    lun_ctx *cx = lun_open(1);
    lun_alloc_fail_at(n);
    what(cx);
    lun_alloc_fail_at(0);
    done = lun_error(cx) == LUN_OK;
    CHECK(done || (lun_error(cx) == LUN_EMEM && strstr(lun_message(cx), "memory")), "%s, allocation %d: %s", name, n, lun_message(cx));
    lun_close(cx);
    if (every) CHECK(living() == 0, "%s, allocation %d: %lld things are left", name, n, (long long)living());
  }
  CHECK(done && n > 1, "%s: %d allocations", name, n);
}

int main(void) {
  path = build_every();
  if (!CHECK(path != NULL, "every.c does not compile")) return check_end();
  exhaust("built in", builtin);
  exhaust("load", load);
  exhaust("functions", functions);
  exhaust("echo", echo);
  exhaust("block", block);
  return check_end();
}
