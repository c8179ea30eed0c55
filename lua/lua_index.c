/*
** lua_index.c - t[i], t[{...}], their assignments, and unary minus.
**
**   t[2]                  the second slice along the first axis; of one axis: a number
**   t[{2, {1, 3}, {}}]    one item an axis: a position, {first, last} inclusive, {} for all
**   t[...] = value        a number, or a tensor that broadcasts
*/
#include "lua_lunette.h"

/* Position 'at' of the stack as an offset into 'dim': from 1, -1 is the last. */
static int64_t position(lua_State *L, int at, int64_t dim, int axis) {
  int         whole;
  lua_Integer i = lua_tointegerx(L, at, &whole);
  if (lua_type(L, at) == LUA_TNUMBER && !whole)
    luaL_error(L, "index of dimension %d is %s, wanted a whole number", axis + 1, plain_text(L, at));
  if (lua_type(L, at) != LUA_TNUMBER)
    luaL_error(L, "index of dimension %d is a %s, wanted a whole number", axis + 1, luaL_typename(L, at));
  if (i < 0) i += dim + 1;
  if (i < 1 || i > dim) luaL_error(L, "index %I of dimension %d, which has %I", (LUAI_UACINT)lua_tointeger(L, at), axis + 1, (LUAI_UACINT)dim);
  return i - 1;
}

/* Narrows 'axis' by the item on top of the stack; true if the axis goes. */
static bool narrow_axis(lua_State *L, lun_ctx *cx, lun_tensor **t, int axis) {
  int64_t dim = lun_dim(*t, axis), first, last;
  if (!lua_istable(L, -1)) {
    *t = lun_narrow(cx, *t, axis, position(L, -1, dim, axis), 1);
    return true;
  }
  if (lua_rawlen(L, -1) == 0) return false;
  lua_rawgeti(L, -1, 1);
  lua_rawgeti(L, -2, 2);
  first = position(L, -2, dim, axis);
  last = lua_isnil(L, -1) ? first : position(L, -1, dim, axis);
  if (last < first) luaL_error(L, "range %I to %I of dimension %d is empty", (LUAI_UACINT)first + 1, (LUAI_UACINT)last + 1, axis + 1);
  lua_pop(L, 2);
  *t = lun_narrow(cx, *t, axis, first, last - first + 1);
  return false;
}

/* The view that the key at 'at' selects; NULL after an error of the core. */
static lun_tensor *select_view(lua_State *L, lun_ctx *cx, lun_tensor *t, int at) {
  int64_t dim[LUN_MAXRANK];
  int     kept = 0, rank = lun_rank(t);
  bool    list = lua_istable(L, at);
  lua_Integer n = list ? (lua_Integer)lua_rawlen(L, at) : 1;
  if (n > rank) luaL_error(L, "%I indices for a tensor of %d dimensions", (LUAI_UACINT)n, rank);
  for (int axis = 0; axis < rank && t; axis++) {
    bool gone = false;
    if (axis < n) {
      if (list) lua_rawgeti(L, at, axis + 1);
      else lua_pushvalue(L, at);
      gone = narrow_axis(L, cx, &t, axis);
      lua_pop(L, 1);
    }
    if (t && !gone) dim[kept++] = lun_dim(t, axis);
  }
  return lun_reshape(cx, t, kept, dim);
}

static int index(lua_State *L) {
  lun_tensor *t;
  lun_ctx    *cx;
  if (lua_type(L, 2) == LUA_TSTRING) {
    lua_pushvalue(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
    return 1;
  }
  t = check_tensor(L, 1);
  cx = begin(L);
  if (lun_rank(t) > 0 && lua_isinteger(L, 2) && lua_tointeger(L, 2) == lun_dim(t, 0) + 1)
    return lua_pushnil(L), 1;       /* as ipairs needs it */
  t = select_view(L, cx, t, 2);
  return_tensor(L, cx, t);
  if (lun_rank(t) > 0) return 1;
  lua_getfield(L, lua_upvalueindex(1), "item");
  lua_insert(L, -2);
  lua_call(L, 1, 1);
  return 1;
}

static int newindex(lua_State *L) {
  lun_tensor *t = check_tensor(L, 1), *from;
  lun_ctx    *cx = begin(L);
  lua_settop(L, 3);
  from = value_for(L, cx, 3, lun_dtype_of(t));
  t = select_view(L, cx, t, 2);
  if (t && from && lun_dtype_of(from) != lun_dtype_of(t) && lun_rank(from) == 0)
    from = lun_run(cx, LUN_OP_cast, 1, &from, 1, (double[]){ lun_dtype_of(t) }, NULL);
  if (!t || lun_assign(cx, t, from) != LUN_OK) return raise_error(L, cx);
  lun_scope_close(cx, 0, NULL);
  return 0;
}

static int negate(lua_State *L) {
  lun_tensor *t = check_tensor(L, 1);
  lun_ctx    *cx = begin(L);
  return return_tensor(L, cx, lun_run(cx, LUN_OP_neg, 1, &t, 0, NULL, NULL));
}

void open_index(lua_State *L) {
  static const luaL_Reg meta[] = { { "__newindex", newindex }, { "__unm", negate }, { NULL, NULL } };
  luaL_setfuncs(L, meta, 0);
  lua_getfield(L, -1, "methods");
  lua_pushcclosure(L, index, 1);
  lua_setfield(L, -2, "__index");
}
