/*
** lua_tensor.c - tensors as Lua values: making, asking, releasing.
**
**   t:shape() -> list      t:dtype() -> "f32"     t:rank()   t:count()   #t: first dimension
**   t:bytes() -> string    t:totable() -> nested lists   t:item() -> number   t:free()
**   core.tensor(values | bytes, {shape=, dtype=})
*/
#include <stdint.h>
#include <string.h>
#include "lua_lunette.h"

#define TENSOR "lunette.tensor"

/* ---- userdata ----------------------------------------------------------- */

lun_tensor *test_tensor(lua_State *L, int arg) {
  tensor_box *box = luaL_testudata(L, arg, TENSOR);
  if (!box) return NULL;
  if (!box->t) luaL_argerror(L, arg, "tensor is released");
  return box->t;
}

lun_tensor *check_tensor(lua_State *L, int arg) {
  lun_tensor *t = test_tensor(L, arg);
  if (!t) luaL_typeerror(L, arg, "tensor");
  return t;
}

/* Storage is invisible to Lua's collector, so it is told: a step for every mebibyte. */
static void tell_collector(lua_State *L, size_t bytes) {
  static _Thread_local size_t owed;
  owed += bytes;
  if (owed < ((size_t)1 << 20)) return;
  lua_gc(L, LUA_GCSTEP, (int)(owed >> 10 > 1 << 20 ? 1 << 20 : owed >> 10));
  owed = 0;
}

void push_tensor(lua_State *L, lun_tensor *t) {
  tensor_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = (tensor_box){ NULL, NULL, NULL, NULL };
  luaL_setmetatable(L, TENSOR);
  box->t = lun_hold(t);
  scope_enter(L, box);
  tell_collector(L, lun_bytes(t));
}

int return_tensor(lua_State *L, lun_ctx *cx, lun_tensor *t) {
  if (!t) return raise_error(L, cx);
  push_tensor(L, t);
  lun_scope_close(cx, 0, NULL);
  return 1;
}

lun_tensor *tensor_from_value(lua_State *L, lun_ctx *cx, int arg) {
  float v;
  if (lua_type(L, arg) != LUA_TNUMBER) return check_tensor(L, arg);
  v = (float)lua_tonumber(L, arg);
  return lun_from_host(cx, LUN_F32, 0, NULL, &v);
}

static int collect(lua_State *L) {
  release_box(luaL_checkudata(L, 1, TENSOR));
  return 0;
}

static int release(lua_State *L) {
  refuse_finalizer(L);
  return collect(L);
}

/* ---- questions ----------------------------------------------------------- */

static int shape(lua_State *L) {
  lun_tensor *t = check_tensor(L, 1);
  lua_createtable(L, lun_rank(t), 0);
  for (int i = 0; i < lun_rank(t); i++) {
    lua_pushinteger(L, lun_dim(t, i));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int dim(lua_State *L) {
  lun_tensor *t = check_tensor(L, 1);
  lua_Integer axis = luaL_checkinteger(L, 2);
  if (axis < 0) axis += lun_rank(t) + 1;
  luaL_argcheck(L, axis >= 1 && axis <= lun_rank(t), 2, "no such dimension");
  lua_pushinteger(L, lun_dim(t, (int)axis - 1));
  return 1;
}

static int rank(lua_State *L) { return lua_pushinteger(L, lun_rank(check_tensor(L, 1))), 1; }
static int count(lua_State *L) { return lua_pushinteger(L, lun_count(check_tensor(L, 1))), 1; }
static int dtype(lua_State *L) { return lua_pushstring(L, lun_dtype_name(lun_dtype_of(check_tensor(L, 1)))), 1; }

static int length(lua_State *L) {
  lun_tensor *t = check_tensor(L, 1);
  lua_pushinteger(L, lun_rank(t) > 0 ? lun_dim(t, 0) : 0);
  return 1;
}

static int bytes(lua_State *L) {
  lun_tensor *t = check_tensor(L, 1);
  lun_ctx    *cx = begin(L);
  const char *data = lun_data(t);
  if (!data && lun_bytes(t)) return raise_error(L, cx);
  lua_pushlstring(L, lun_bytes(t) ? data : "", lun_bytes(t));
  lun_scope_close(cx, 0, NULL);
  return 1;
}

/* ---- contents ------------------------------------------------------------ */

lun_tensor *readable(lun_ctx *cx, lun_tensor *t) {
  static const double to_f32 = LUN_F32;
  switch (lun_dtype_of(t)) {
    case LUN_F16: case LUN_BF16: case LUN_Q8_0:
      return lun_run(cx, LUN_OP_cast, 1, &t, 1, &to_f32, NULL);
    default:
      return t;
  }
}

void push_number(lua_State *L, lun_dtype type, const void *data, int64_t i) {
  switch (type) {
    case LUN_F32: lua_pushnumber(L, ((const float *)data)[i]); break;
    case LUN_F64: lua_pushnumber(L, ((const double *)data)[i]); break;
    case LUN_I64: lua_pushinteger(L, ((const int64_t *)data)[i]); break;
    case LUN_I32: lua_pushinteger(L, ((const int32_t *)data)[i]); break;
    default:      lua_pushinteger(L, ((const uint8_t *)data)[i]); break;
  }
}

static int item(lua_State *L) {
  lun_tensor *t = check_tensor(L, 1);
  lun_ctx    *cx = begin(L);
  const void *data;
  char        text[96];
  int64_t     dims[LUN_MAXRANK];
  for (int i = 0; i < lun_rank(t); i++) dims[i] = lun_dim(t, i);
  if (lun_count(t) != 1)
    return luaL_error(L, "item: a tensor %s, wanted one element", lun_shape_text(text, sizeof text, lun_rank(t), dims));
  t = readable(cx, t);
  data = t ? lun_data(t) : NULL;
  if (!data) return raise_error(L, cx);
  push_number(L, lun_dtype_of(t), data, 0);
  lun_scope_close(cx, 0, NULL);
  return 1;
}

static int64_t push_nested(lua_State *L, lun_tensor *t, const void *data, int axis, int64_t at) {
  if (axis == lun_rank(t)) {
    push_number(L, lun_dtype_of(t), data, at);
    return at + 1;
  }
  lua_createtable(L, (int)lun_dim(t, axis), 0);
  for (int64_t i = 0; i < lun_dim(t, axis); i++) {
    at = push_nested(L, t, data, axis + 1, at);
    lua_rawseti(L, -2, i + 1);
  }
  return at;
}

static int totable(lua_State *L) {
  lun_tensor *t = check_tensor(L, 1);
  lun_ctx    *cx = begin(L);
  const void *data;
  luaL_checkstack(L, LUN_MAXRANK + 4, NULL);
  t = readable(cx, t);
  data = t ? lun_data(t) : NULL;
  if (lun_error(cx) != LUN_OK) return raise_error(L, cx);
  push_nested(L, t, data, 0, 0);
  lun_scope_close(cx, 0, NULL);
  return 1;
}

/* ---- making -------------------------------------------------------------- */

/* Tables are read raw: a metamethod could call back and empty the scope that a tensor is being made in. */

static lun_dtype read_dtype(lua_State *L) {
  int type;
  if (lua_type(L, -1) != LUA_TSTRING) luaL_error(L, "tensor: dtype is a %s, wanted a name", luaL_typename(L, -1));
  type = lun_dtype_find(lua_tostring(L, -1));
  if (type < 0) luaL_error(L, "tensor: unknown dtype \"%s\"", lua_tostring(L, -1));
  return (lun_dtype)type;
}

static int read_shape(lua_State *L, int64_t *dims) {
  lua_Unsigned n;
  if (!lua_istable(L, -1)) luaL_error(L, "tensor: shape is a %s, wanted a list", luaL_typename(L, -1));
  n = lua_rawlen(L, -1);
  if (n > LUN_MAXRANK) luaL_error(L, "tensor: %I dimensions, at most %d", (LUAI_UACINT)n, LUN_MAXRANK);
  for (lua_Unsigned i = 0; i < n; i++) {
    int whole;
    lua_rawgeti(L, -1, (lua_Integer)i + 1);
    dims[i] = lua_tointegerx(L, -1, &whole);
    if (!whole || dims[i] < 0) luaL_error(L, "tensor: shape holds %s, wanted whole numbers of at least 0", plain_text(L, -1));
    lua_pop(L, 1);
  }
  return (int)n;
}

/* {shape=, dtype=} at 'arg', or nothing; rank is -1 without a shape. */
static void read_options(lua_State *L, int arg, lun_dtype *type, int *rank, int64_t *dims) {
  *type = LUN_F32;
  *rank = -1;
  if (lua_isnoneornil(L, arg)) return;
  luaL_checktype(L, arg, LUA_TTABLE);
  for (lua_pushnil(L); lua_next(L, arg); lua_pop(L, 1)) {
    const char *key = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "";
    if (strcmp(key, "dtype") == 0) *type = read_dtype(L);
    else if (strcmp(key, "shape") == 0) *rank = read_shape(L, dims);
    else luaL_error(L, "tensor: unknown option \"%s\" (takes shape, dtype)", plain_text(L, -2));
  }
}

/* The shape of nested lists, from their first items. */
static int nested_shape(lua_State *L, int arg, int64_t *dims) {
  int n = 0;
  lua_pushvalue(L, arg);
  while (lua_type(L, -1) == LUA_TTABLE) {
    if (n == LUN_MAXRANK) luaL_error(L, "tensor: lists nested deeper than %d", LUN_MAXRANK);
    dims[n++] = (int64_t)lua_rawlen(L, -1);
    if (lua_rawgeti(L, -1, 1) == LUA_TNIL) break;
  }
  lua_settop(L, arg > 2 ? arg : 2);
  return n;
}

static void store_number(lua_State *L, lun_dtype type, void *data, int64_t i) {
  lua_Number  v = lua_tonumber(L, -1);
  lua_Integer n = 0;
  if (lua_type(L, -1) != LUA_TNUMBER) luaL_error(L, "tensor: item %I is a %s, wanted a number", (LUAI_UACINT)i + 1, luaL_typename(L, -1));
  if (type == LUN_I64 || type == LUN_I32 || type == LUN_U8) {
    int64_t least = type == LUN_I64 ? INT64_MIN : type == LUN_I32 ? INT32_MIN : 0;
    int64_t most = type == LUN_I64 ? INT64_MAX : type == LUN_I32 ? INT32_MAX : 255;
    int     whole;
    n = lua_tointegerx(L, -1, &whole);
    if (!whole || n < least || n > most)
      luaL_error(L, "tensor: item %I is %s, which %s cannot hold", (LUAI_UACINT)i + 1, lua_tostring(L, -1), lun_dtype_name(type));
  }
  switch (type) {
    case LUN_F32: ((float *)data)[i] = (float)v; break;
    case LUN_F64: ((double *)data)[i] = v; break;
    case LUN_I64: ((int64_t *)data)[i] = n; break;
    case LUN_I32: ((int32_t *)data)[i] = (int32_t)n; break;
    default:      ((uint8_t *)data)[i] = (uint8_t)n; break;
  }
}

/* What C can write; the rest is cast from it. */
static lun_dtype stored_as(lun_dtype type) { return type == LUN_F16 || type == LUN_BF16 || type == LUN_Q8_0 ? LUN_F32 : type; }

lun_tensor *value_for(lua_State *L, lun_ctx *cx, int arg, lun_dtype type) {
  lun_dtype   made = stored_as(type);
  lun_tensor *t;
  if (lua_type(L, arg) != LUA_TNUMBER) return check_tensor(L, arg);
  t = lun_make(cx, made, 0, NULL);
  if (!t) return NULL;
  lua_pushvalue(L, arg);
  store_number(L, made, lun_data_mutable(t), 0);
  lua_pop(L, 1);
  return made == type ? t : lun_run(cx, LUN_OP_cast, 1, &t, 1, (double[]){ type }, NULL);
}

/* Stores the list on top of the stack, of 'depth' levels, from position 'at' on. */
static int64_t store_nested(lua_State *L, lun_dtype type, void *data, const int64_t *dims, int depth, int64_t at) {
  if (depth == 0) {
    store_number(L, type, data, at);
    return at + 1;
  }
  if (lua_type(L, -1) != LUA_TTABLE || (int64_t)lua_rawlen(L, -1) != dims[0])
    luaL_error(L, "tensor: lists of different lengths (wanted %d items)", (int)dims[0]);
  for (int64_t i = 1; i <= dims[0]; i++) {
    lua_rawgeti(L, -1, i);
    at = store_nested(L, type, data, dims + 1, depth - 1, at);
    lua_pop(L, 1);
  }
  return at;
}

static int new_tensor(lua_State *L) {
  lun_ctx    *cx = begin(L);
  int64_t     dims[LUN_MAXRANK] = { 0 }, inner[LUN_MAXRANK] = { 0 };
  lun_dtype   type, made;
  int         n, depth;
  lun_tensor *t;
  lua_settop(L, 2);
  read_options(L, 2, &type, &n, dims);
  if (lua_type(L, 1) == LUA_TSTRING) {
    size_t      size;
    const char *data = lua_tolstring(L, 1, &size);
    if (n < 0) return luaL_error(L, "tensor: bytes need a shape");
    t = lun_make(cx, type, n, dims);
    if (t && lun_bytes(t) != size)
      return luaL_error(L, "tensor: %I bytes, wanted %I for this shape of %s", (LUAI_UACINT)size, (LUAI_UACINT)lun_bytes(t), lun_dtype_name(type));
    if (t && size) memcpy(lun_data_mutable(t), data, size);
    return return_tensor(L, cx, t);
  }
  if (lua_type(L, 1) == LUA_TNUMBER) {
    depth = 0;
  } else {
    luaL_checktype(L, 1, LUA_TTABLE);
    depth = nested_shape(L, 1, inner);
  }
  made = stored_as(type);
  t = lun_make(cx, made, depth, inner);
  if (!t) return raise_error(L, cx);
  luaL_checkstack(L, 2 * LUN_MAXRANK + 4, NULL);
  lua_pushvalue(L, 1);
  store_nested(L, made, lun_data_mutable(t), inner, depth, 0);
  if (n >= 0) t = lun_reshape(cx, t, n, dims);
  if (made != type) t = lun_run(cx, LUN_OP_cast, 1, &t, 1, (double[]){ type }, NULL);
  return return_tensor(L, cx, t);
}

/* ---- the metatable ------------------------------------------------------- */

void open_tensor(lua_State *L) {
  static const luaL_Reg meta[] = {
    { "__gc", collect }, { "__close", release }, { "__len", length }, { NULL, NULL }
  };
  static const luaL_Reg methods[] = {
    { "shape", shape }, { "dim", dim }, { "rank", rank }, { "count", count }, { "dtype", dtype },
    { "bytes", bytes }, { "item", item }, { "totable", totable }, { "free", release }, { NULL, NULL }
  };
  luaL_newmetatable(L, TENSOR);
  luaL_setfuncs(L, meta, 0);
  hide_metatable(L);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "methods");    /* lua_ops.c adds the operations, lua_index.c wraps it in __index */
  open_index(L);
  open_print(L);
  lua_pop(L, 1);
  lua_pushcfunction(L, new_tensor);
  lua_setfield(L, -2, "tensor");
}
