/*
** lua_ops.c - every operation of ops.def as a function of core.ops and as a method of tensors.
**
** The inputs come first; then the parameters, in the order of the row or as a
** table by name:  ops.topk(x, 5)   x:sum(-1)   x:conv2d(w, b, {stride = 2}).
** A list parameter is a list or one number; a word is a string; positions count
** from 1 (-1 is the last).
*/
#include <math.h>
#include <string.h>
#include "lua_lunette.h"

static double read_number(lua_State *L, const char *op, const lun_param *p, int at) {
  lua_Number v;
  if (lua_isboolean(L, at) && !p->choices && !p->position) return lua_toboolean(L, at);
  if (p->choices) {
    int n = lua_type(L, at) == LUA_TSTRING ? lun_param_choice(p, lua_tostring(L, at)) : -1;
    if (n < 0) {
      const char *found = plain_text(L, at);
      lua_pushlstring(L, p->choices, strcspn(p->choices, " "));
      luaL_error(L, "%s: %s is %s, wanted one of %s", op, p->name, found, lua_tostring(L, -1));
    }
    return n;
  }
  if (lua_type(L, at) != LUA_TNUMBER) luaL_error(L, "%s: %s is a %s, wanted a number", op, p->name, luaL_typename(L, at));
  v = lua_tonumber(L, at);
  if (!p->position) return v;
  if (v == 0) luaL_error(L, "%s: %s is 0, but positions count from 1 (-1 is the last)", op, p->name);
  return v > 0 ? v - 1 : v;
}

static void read_param(lua_State *L, const char *op, const lun_param *p, int at, double *values) {
  lua_Integer n;
  double     *to = values + p->slot;
  at = lua_absindex(L, at);
  if (p->length == 1 || !lua_istable(L, at)) {      /* one number stands for both of a pair */
    to[0] = read_number(L, op, p, at);
    for (int i = 1; i < p->length; i++) to[i] = p->length == 2 ? to[0] : NAN;
    return;
  }
  n = (lua_Integer)lua_rawlen(L, at);
  if (n > p->length) luaL_error(L, "%s: %s holds %I numbers, at most %d", op, p->name, (LUAI_UACINT)n, p->length);
  for (int i = 0; i < p->length; i++) {
    to[i] = NAN;
    if (i >= n) continue;
    lua_rawgeti(L, at, i + 1);
    to[i] = read_number(L, op, p, -1);
    lua_pop(L, 1);
  }
}

/* A table of names after the inputs. */
static void read_named(lua_State *L, lun_op op, int at, double *values) {
  const lun_op_about *about = lun_op_info(op);
  int                 count;
  const lun_param    *p = lun_op_params(op, &count);
  lua_pushnil(L);
  while (lua_next(L, at)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    int         i = 0;
    while (i < count && strcmp(p[i].name, key) != 0) i++;
    if (i == count) luaL_error(L, "%s: unknown argument \"%s\" (takes %s)", about->name, plain_text(L, -2), about->params);
    read_param(L, about->name, &p[i], -1, values);
    lua_pop(L, 1);
  }
}

static bool is_named(lua_State *L, int at) {
  return lua_istable(L, at) && lua_rawlen(L, at) == 0 && (lua_pushnil(L), lua_next(L, at) ? (lua_pop(L, 2), true) : false);
}

static int run(lua_State *L) {
  lun_op              op = (lun_op)lua_tointeger(L, lua_upvalueindex(1));
  const lun_op_about *about = lun_op_info(op);
  lun_ctx            *cx = begin(L);
  lun_tensor         *in[LUN_MAXIN], *out[LUN_MAXOUT] = { NULL };
  double              values[LUN_MAXPARAM];
  int                 count = 0, params, i = 0, arg = 1, top = lua_gettop(L), outputs;
  const lun_param    *p = lun_op_params(op, &params);
  for (const char *s = about->inputs; *s; count++) {
    size_t len = strcspn(s, " ");
    bool   optional = s[len - 1] == '?';
    in[count] = NULL;
    if (!optional || luaL_testudata(L, arg, "lunette.tensor")) in[count] = tensor_from_value(L, cx, arg++);
    else if (lua_isnil(L, arg)) arg++;
    s += len + (s[len] == ' ');
  }
  for (int k = 0; k < params; k++)
    for (int n = 0; n < p[k].length; n++) values[p[k].slot + n] = p[k].def;
  for (; i < params && arg <= top && !(arg == top && is_named(L, arg)); i++, arg++)
    if (!lua_isnil(L, arg)) read_param(L, about->name, &p[i], arg, values);
  if (arg == top && is_named(L, arg)) read_named(L, op, arg++, values);
  if (arg <= top) return luaL_error(L, "%s: %d arguments too many", about->name, top - arg + 1);
  lun_run(cx, op, count, in, params ? p[params - 1].slot + p[params - 1].length : 0, values, out);
  if (lun_error(cx) != LUN_OK) return raise_error(L, cx);
  outputs = out[1] ? 2 : 1;
  for (int k = 0; k < outputs; k++) push_tensor(L, out[k]);
  lun_scope_close(cx, 0, NULL);
  return outputs;
}

/* to:assign(from): copies a tensor or a number into a view */
static int assign(lua_State *L) {
  lun_tensor *to = check_tensor(L, 1);
  lun_ctx    *cx = begin(L);
  if (lun_assign(cx, to, value_for(L, cx, 2, lun_dtype_of(to))) != LUN_OK) return raise_error(L, cx);
  lun_scope_close(cx, 0, NULL);
  lua_settop(L, 1);
  return 1;
}

static void push_op(lua_State *L, const char *name) {
  lua_pushinteger(L, lun_op_find(name));
  lua_pushcclosure(L, run, 1);
}

void open_ops(lua_State *L) {
  static const char *const operators[][2] = {
    { "__add", "add" }, { "__sub", "sub" }, { "__mul", "mul" }, { "__div", "div" }
  };
  lua_createtable(L, 0, LUN_NOPS);
  luaL_getmetatable(L, "lunette.tensor");
  for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
    push_op(L, operators[i][1]);
    lua_setfield(L, -2, operators[i][0]);
  }
  lua_getfield(L, -1, "methods");
  for (int op = 0; op < LUN_NOPS; op++) {
    const char *name = lun_op_info((lun_op)op)->name;
    push_op(L, name);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, name);      /* the method */
    lua_setfield(L, -4, name);      /* the function */
  }
  lua_pushcfunction(L, assign);
  lua_setfield(L, -2, "assign");
  lua_pop(L, 2);
  lua_setfield(L, -2, "ops");
}
