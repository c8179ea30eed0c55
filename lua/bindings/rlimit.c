/*
** rlimit.c - lunette.rlimit: what a process may have at most.
**
**   rlimit.data(bytes) -> true, or nil, message
**       memory of this process and of those it starts, for good: beyond it allocation fails.  What counts is
**       private and writable (setrlimit(2), RLIMIT_DATA), so not files that are mapped to be read.
*/
#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <lua.h>
#include <lauxlib.h>

static int rlimit_data(lua_State *L) {
  lua_Integer   bytes = luaL_checkinteger(L, 1);
  struct rlimit limit;
  luaL_argcheck(L, bytes > 0, 1, "a positive number of bytes wanted");
  limit.rlim_cur = limit.rlim_max = (rlim_t)bytes;
  if (setrlimit(RLIMIT_DATA, &limit) != 0) {
    luaL_pushfail(L);
    lua_pushfstring(L, "memory cannot be limited to %I bytes: %s", (LUAI_UACINT)bytes, strerror(errno));
    return 2;
  }
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = { { "data", rlimit_data }, { NULL, NULL } };

int luaopen_lunette_rlimit(lua_State *L);

int luaopen_lunette_rlimit(lua_State *L) {
  luaL_newlib(L, FUNCTIONS);
  return 1;
}
