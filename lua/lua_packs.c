/*
** lua_packs.c - packed weights that several processes share, as load.lua and the coordinator of a
** job use it; what it means is said in lun.h.
**
**   core.make_packs() -> file descriptor, or nil, message, code
**   core.share_packs(fd) -> true, or nil, message, code      from now on; fd stays the caller's
**   core.share_packs() -> { found =, added =, private = }    no longer; bytes of packs meanwhile
*/
#include <limits.h>
#include "lua_lunette.h"

static int make_packs(lua_State *L) {
  lun_ctx *cx = begin(L);
  int      fd = lun_packs_make(cx);
  if (fd < 0) return return_error(L, cx);
  lua_pushinteger(L, fd);
  return 1;
}

static void push_size(lua_State *L, const char *name, size_t bytes) {
  lua_pushinteger(L, (lua_Integer)bytes);
  lua_setfield(L, -2, name);
}

static int share_packs(lua_State *L) {
  lun_ctx *cx = begin(L);
  if (lua_isnoneornil(L, 1)) {
    lun_packs_tally tally = lun_packs_close(cx);
    lua_createtable(L, 0, 3);
    push_size(L, "found", tally.found);
    push_size(L, "added", tally.added);
    push_size(L, "private", tally.own);
    return 1;
  }
  lua_Integer fd = luaL_checkinteger(L, 1);
  luaL_argcheck(L, fd >= 0 && fd <= INT_MAX, 1, "not a file descriptor");
  if (lun_packs_open(cx, (int)fd) != LUN_OK) return return_error(L, cx);
  lua_pushboolean(L, 1);
  return 1;
}

void open_packs(lua_State *L) {
  static const luaL_Reg functions[] = { { "make_packs", make_packs }, { "share_packs", share_packs }, { NULL, NULL } };
  luaL_setfuncs(L, functions, 0);
}
