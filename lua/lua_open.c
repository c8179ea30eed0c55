/* lua_open.c - luaopen_lunette_core: the C half of the module, and its context. */
#include "lua_lunette.h"

static const char context_key = 0;

static int close_context(lua_State *L) {
  lun_ctx **box = lua_touserdata(L, 1);
  lun_close(*box);
  *box = NULL;
  return 0;
}

lun_ctx *get_context(lua_State *L) {
  lun_ctx **box;
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &context_key) == LUA_TUSERDATA) {
    box = lua_touserdata(L, -1);
    lua_pop(L, 1);
    if (*box) return *box;
    luaL_error(L, "the Lua state is closing");
  }
  lua_pop(L, 1);
  box = lua_newuserdatauv(L, sizeof *box, 0);
  *box = NULL;
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, close_context);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  *box = lun_open(0);
  if (!*box) luaL_error(L, "out of memory");
  lua_rawsetp(L, LUA_REGISTRYINDEX, &context_key);
  return *box;
}

void refuse_finalizer(lua_State *L) {
  if (lua_gc(L, LUA_GCCOUNT) == -1)      /* Lua's way to say that one is running */
    luaL_error(L, "tensors cannot be used in a finalizer");
}

lun_ctx *begin(lua_State *L) {
  lun_ctx *cx = get_context(L);
  refuse_finalizer(L);
  lun_scope_close(cx, 0, NULL);
  lun_clear(cx);
  return cx;
}

int raise_error(lua_State *L, lun_ctx *cx) {
  luaL_where(L, 1);
  lua_pushstring(L, lun_message(cx));
  lun_scope_close(cx, 0, NULL);
  lun_clear(cx);
  lua_concat(L, 2);
  return lua_error(L);
}

int return_error(lua_State *L, lun_ctx *cx) {
  luaL_pushfail(L);
  lua_pushstring(L, lun_message(cx));
  lua_pushstring(L, lun_status_name(lun_error(cx)));
  lun_scope_close(cx, 0, NULL);
  lun_clear(cx);
  return 3;
}

void hide_metatable(lua_State *L) {
  lua_getfield(L, -1, "__name");
  lua_setfield(L, -2, "__metatable");
}

const char *plain_text(lua_State *L, int at) {
  int type = lua_type(L, at);
  if (type == LUA_TSTRING || type == LUA_TNUMBER || type == LUA_TBOOLEAN || type == LUA_TNIL) return luaL_tolstring(L, at, NULL);
  return lua_pushfstring(L, "a %s", lua_typename(L, type));
}

/* core.threads([n]) -> the size of the pool, after setting it to n (0: as many as cores) */
static int threads(lua_State *L) {
  lun_ctx *cx = begin(L);
  if (!lua_isnoneornil(L, 1)) {
    lua_Integer n = luaL_checkinteger(L, 1);
    luaL_argcheck(L, n >= 0 && n <= 1 << 20, 1, "a number of threads, or 0 for as many as cores");
    if (lun_set_threads(cx, (int)n) != LUN_OK) return raise_error(L, cx);
  }
  lua_pushinteger(L, lun_threads(cx));
  return 1;
}

/* core.trim(): gives back freed memory that is kept for the next tensors (lun_trim) */
static int trim(lua_State *L) {
  (void)L;
  lun_trim();
  return 0;
}

LUN_EXPORT int luaopen_lunette_core(lua_State *L) {
  luaL_checkversion(L);
  get_context(L);
  lua_createtable(L, 0, 96);
  lua_pushliteral(L, LUN_VERSION);
  lua_setfield(L, -2, "version");
  lua_pushcfunction(L, threads);
  lua_setfield(L, -2, "threads");
  lua_pushcfunction(L, trim);
  lua_setfield(L, -2, "trim");
  open_scope(L);
  open_tensor(L);
  open_ops(L);
  open_files(L);
  open_packs(L);
  open_plugins(L);
  return 1;
}
