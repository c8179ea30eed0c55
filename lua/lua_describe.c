/*
** lua_describe.c - core.describe(name): what a loaded plugin offers, as tables, for
** lunette.help and for the generated types and reference.
**
**   { name=, version=, license=, blocks = { { name=, label=, doc=, args = ARGS, inputs = ARGS } },
**     functions = { { name=, label=, doc=, may_fail=, args = ARGS } },
**     classes = { { name=, label=, doc=, methods = { like a function } } } }
**   ARGS: { { name=, type=, required=, default=, min=, doc= } }
**
** What is built in has operations as well, in the words of core/ops.def:
** { { name=, label=, doc=, inputs = "x weight bias?", params = "eps=1e-5", outputs = "y" } }.
*/
#include <math.h>
#include "lua_plugin.h"

static void set_string(lua_State *L, const char *key, const char *value) {
  lua_pushstring(L, value ? value : "");
  lua_setfield(L, -2, key);
}

static void set_number(lua_State *L, const char *key, double value) {
  if (value == floor(value) && fabs(value) < 0x1p53) lua_pushinteger(L, (lua_Integer)value);
  else lua_pushnumber(L, value);
  lua_setfield(L, -2, key);
}

static void push_arg(lua_State *L, const lun_arg *a) {
  static const char *const types[] = { "", "int", "num", "bool", "str", "ints", "nums", "strs", "tensor", "object" };
  bool single = a->type == LUN_INT || a->type == LUN_NUM;
  lua_createtable(L, 0, 6);
  set_string(L, "name", a->name);
  set_string(L, "type", types[a->type]);
  set_string(L, "doc", a->doc);
  lua_pushboolean(L, a->required);
  lua_setfield(L, -2, "required");
  if (!a->required && single) set_number(L, "default", a->def);
  if (!a->required && a->type == LUN_BOOL) {
    lua_pushboolean(L, a->def != 0);
    lua_setfield(L, -2, "default");
  }
  if ((single || a->type == LUN_INTS || a->type == LUN_NUMS) && isfinite(a->min)) set_number(L, "min", a->min);
}

static void set_args(lua_State *L, const char *key, const lun_arg *a) {
  int count = lun_arg_count(a);
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    push_arg(L, &a[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, key);
}

static void push_thing(lua_State *L, const lun_plugin *p, const lun_class *cls, const char *name, const char *doc) {
  char label[LUN_MAXLABEL];
  lua_createtable(L, 0, 5);
  set_string(L, "name", name);
  set_string(L, "label", lun_plugin_label(label, p, cls, name));
  set_string(L, "doc", doc);
}

static void push_func(lua_State *L, const lun_plugin *p, const lun_class *cls, const lun_func *f) {
  push_thing(L, p, cls, f->name, f->doc);
  set_args(L, "args", f->args);
  lua_pushboolean(L, f->flags & LUN_MAYFAIL);
  lua_setfield(L, -2, "may_fail");
}

static void push_block(lua_State *L, const lun_plugin *p, const lun_block *b) {
  push_thing(L, p, NULL, b->name, b->doc);
  set_args(L, "args", b->args);
  set_args(L, "inputs", b->inputs);
}

static void push_class(lua_State *L, const lun_plugin *p, const lun_class *c) {
  const lun_func *f;
  push_thing(L, p, NULL, c->name, c->doc);
  lua_newtable(L);
  for (int i = 0; (f = lun_class_method(c, i)) != NULL; i++) {
    push_func(L, p, c, f);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "methods");
}

static void push_op(lua_State *L, const lun_op_about *op) {
  lua_createtable(L, 0, 6);
  set_string(L, "name", op->name);
  lua_pushfstring(L, "lunette.ops.%s", op->name);
  lua_setfield(L, -2, "label");
  set_string(L, "doc", op->doc);
  set_string(L, "inputs", op->inputs);
  set_string(L, "params", op->params);
  set_string(L, "outputs", op->outputs);
}

/* core.describe(name) -> what it offers, or nil if no plugin of this name is loaded; "" is what is built in */
static int describe(lua_State *L) {
  const char      *name = luaL_checkstring(L, 1);
  lun_plugin      *p = *name ? lun_plugin_find(name) : lun_plugin_builtin(begin(L));
  const lun_func  *f;
  const lun_block *b;
  const lun_class *c;
  if (!p) return luaL_pushfail(L), 1;
  luaL_checkstack(L, 16, NULL);
  lua_createtable(L, 0, 7);
  set_string(L, "name", lun_plugin_facts(p)->name);
  set_string(L, "version", lun_plugin_facts(p)->version);
  set_string(L, "license", lun_plugin_facts(p)->license);
  lua_newtable(L);
  for (int i = 0; (b = lun_plugin_block(p, i)) != NULL; i++) push_block(L, p, b), lua_rawseti(L, -2, i + 1);
  lua_setfield(L, -2, "blocks");
  lua_newtable(L);
  for (int i = 0; (f = lun_plugin_func(p, i)) != NULL; i++) push_func(L, p, NULL, f), lua_rawseti(L, -2, i + 1);
  lua_setfield(L, -2, "functions");
  lua_newtable(L);
  for (int i = 0; (c = lun_plugin_class(p, i)) != NULL; i++) push_class(L, p, c), lua_rawseti(L, -2, i + 1);
  lua_setfield(L, -2, "classes");
  lua_newtable(L);
  for (int i = 0; !*name && i < LUN_NOPS; i++) push_op(L, lun_op_info((lun_op)i)), lua_rawseti(L, -2, i + 1);
  lua_setfield(L, -2, "operations");
  return 1;
}

void open_describe(lua_State *L) {
  lua_pushcfunction(L, describe);
  lua_setfield(L, -2, "describe");
}
