/*
** lua_files.c - model files as Lua values.
**
**   local file <close> = assert(core.weights(path))
**   file:names() -> list           file:about(name) -> dtype, shape    nothing if there is no such tensor
**   file:get(name) -> tensor       file:metadata(key) -> string, number, boolean, list or nil
**
**   local out <close> = assert(core.gguf_writer(path))     -- or core.safetensors_writer
**   out:metadata(key, value)   out:add(name, tensor)   out:close()
**
** What the world can spoil returns nil, message, code.
*/
#include "lua_lunette.h"
#include "lun_files.h"

#define WEIGHTS "lunette.weights"
#define WRITER  "lunette.writer"

/* ---- reading --------------------------------------------------------------- */

static lun_weights *check_weights(lua_State *L) {
  lun_weights **box = luaL_checkudata(L, 1, WEIGHTS);
  if (!*box) luaL_argerror(L, 1, "file is closed");
  return *box;
}

static int open_weights(lua_State *L) {
  const char   *path = luaL_checkstring(L, 1);
  lun_ctx      *cx = begin(L);
  lun_weights **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, WEIGHTS);
  *box = lun_weights_open(cx, path);
  return *box ? 1 : return_error(L, cx);
}

static int free_weights(lua_State *L) {
  lun_weights **box = luaL_checkudata(L, 1, WEIGHTS), *w = *box;
  *box = NULL;
  lun_weights_free(w);
  return 0;
}

static int names(lua_State *L) {
  lun_weights *w = check_weights(L);
  int64_t      count = lun_weights_count(w);
  lua_createtable(L, (int)(count < 1 << 16 ? count : 1 << 16), 0);
  for (int64_t i = 0; i < count; i++) {
    lua_pushstring(L, lun_weights_name(w, i));
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* The type is the core's name, or the file's word where the core has none. */
static int about(lua_State *L) {
  lun_weights *w = check_weights(L);
  int64_t      i = lun_weights_find(w, luaL_checkstring(L, 2)), dim[LUN_MAXRANK];
  lun_dtype    dtype;
  int          rank;
  const char  *word;
  if (i < 0) return 0;
  word = lun_weights_about(w, i, &dtype, &rank, dim);
  lua_pushstring(L, dtype == LUN_NDTYPES ? word : lun_dtype_name(dtype));
  lua_createtable(L, rank < LUN_MAXRANK ? rank : LUN_MAXRANK, 0);
  for (int k = 0; k < rank && k < LUN_MAXRANK; k++) {
    lua_pushinteger(L, dim[k]);
    lua_rawseti(L, -2, k + 1);
  }
  return 2;
}

static int get(lua_State *L) {
  lun_weights *w = check_weights(L);
  const char  *name = luaL_checkstring(L, 2);
  int64_t      i = lun_weights_find(w, name);
  lun_ctx     *cx = begin(L);
  lun_tensor  *t;
  if (i < 0) lun_fail(cx, LUN_EARG, "no tensor '%.200s' in the file", name);
  t = i < 0 ? NULL : lun_weights_get(cx, w, i);
  return t ? return_tensor(L, cx, t) : return_error(L, cx);
}

static int rest(lua_State *L) {
  lun_weights_rest(check_weights(L));
  return 0;
}

static void push_meta(lua_State *L, lun_meta v) {
  lun_meta item;
  luaL_checkstack(L, 4, NULL);
  switch (v.type) {
    case LUN_STR: lua_pushlstring(L, v.text, v.length); break;
    case LUN_INT: lua_pushinteger(L, v.i); break;
    case LUN_BOOL: lua_pushboolean(L, v.i != 0); break;
    case LUN_NUM: lua_pushnumber(L, v.n); break;
    default:
      lua_createtable(L, (int)(v.length < 1 << 16 ? v.length : 1 << 16), 0);
      for (lua_Integer i = 1; lun_meta_next(&v, &item); i++) {
        push_meta(L, item);
        lua_rawseti(L, -2, i);
      }
  }
}

static int metadata(lua_State *L) {
  lun_meta v;
  if (!lun_weights_meta(check_weights(L), luaL_checkstring(L, 2), &v)) return luaL_pushfail(L), 1;
  push_meta(L, v);
  return 1;
}

/* ---- writing --------------------------------------------------------------- */

static lun_writer *check_writer(lua_State *L) {
  lun_writer **box = luaL_checkudata(L, 1, WRITER);
  if (!*box) luaL_argerror(L, 1, "file is closed");
  return *box;
}

static int open_writer(lua_State *L, lun_format format) {
  const char  *path = luaL_checkstring(L, 1);
  lun_ctx     *cx = begin(L);
  lun_writer **box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  luaL_setmetatable(L, WRITER);
  *box = lun_writer_open(cx, format, path);
  return *box ? 1 : return_error(L, cx);
}

static int gguf_writer(lua_State *L) { return open_writer(L, LUN_GGUF); }
static int safetensors_writer(lua_State *L) { return open_writer(L, LUN_SAFETENSORS); }

static int done(lua_State *L, lun_ctx *cx, lun_status status) {
  if (status != LUN_OK) return return_error(L, cx);
  lua_pushboolean(L, 1);
  return 1;
}

static int put_metadata(lua_State *L) {
  lun_writer *out = check_writer(L);
  const char *key = luaL_checkstring(L, 2);
  lun_ctx    *cx = begin(L);
  if (lua_isinteger(L, 3)) return done(L, cx, lun_writer_int(out, key, lua_tointeger(L, 3)));
  return done(L, cx, lun_writer_text(out, key, luaL_checkstring(L, 3)));
}

static int add(lua_State *L) {
  lun_writer *out = check_writer(L);
  const char *name = luaL_checkstring(L, 2);
  lun_tensor *t = check_tensor(L, 3);
  lun_ctx    *cx = begin(L);
  return done(L, cx, lun_writer_add(out, name, t));
}

static int close_writer(lua_State *L) {
  lun_writer **box = luaL_checkudata(L, 1, WRITER), *out = check_writer(L);
  lun_ctx     *cx = begin(L);
  *box = NULL;
  return done(L, cx, lun_writer_close(out));
}

/* Without close() nothing appears under the file's name. */
static int abandon(lua_State *L) {
  lun_writer **box = luaL_checkudata(L, 1, WRITER), *out = *box;
  *box = NULL;
  lun_writer_abandon(out);
  return 0;
}

/* ---- registration ---------------------------------------------------------- */

static int release(lua_State *L) {
  refuse_finalizer(L);
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

/* Methods stand apart from the metatable, where a script could reach __gc by name. */
static void new_class(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction drop) {
  luaL_newmetatable(L, name);
  hide_metatable(L);
  lua_newtable(L);
  luaL_setfuncs(L, methods, 0);
  lua_pushcfunction(L, drop);
  lua_pushcclosure(L, release, 1);
  lua_pushvalue(L, -1);
  lua_setfield(L, -3, "free");
  lua_setfield(L, -3, "__close");
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, drop);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
}

void open_files(lua_State *L) {
  static const luaL_Reg reading[] = {
    { "names", names }, { "about", about }, { "get", get }, { "metadata", metadata }, { "rest", rest }, { NULL, NULL }
  };
  static const luaL_Reg writing[] = {
    { "metadata", put_metadata }, { "add", add }, { "close", close_writer }, { NULL, NULL }
  };
  static const luaL_Reg functions[] = {
    { "weights", open_weights }, { "gguf_writer", gguf_writer }, { "safetensors_writer", safetensors_writer }, { NULL, NULL }
  };
  new_class(L, WEIGHTS, reading, free_weights);
  new_class(L, WRITER, writing, abandon);
  luaL_setfuncs(L, functions, 0);
}
