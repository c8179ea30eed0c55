/*
** rlimit.c - lunette.rlimit: what memory a process may have at most, and how it keeps it.
**
**   rlimit.data(bytes) -> true, or nil, message
**       memory of this process and of those it starts, for good: beyond it allocation fails.  What counts is
**       private and writable (setrlimit(2), RLIMIT_DATA), so not files that are mapped to be read.
**
**   rlimit.flat(bytes)
**       from now on malloc has one heap for all threads, and blocks of so many bytes and more are mapped by themselves
**       and unmapped when they are freed (mallopt(3)): what a long job needs does not depend on what it had before.
**       By itself glibc raises that size to 32 MiB with the blocks it sees, and has a heap a thread.
*/
#include <errno.h>
#include <malloc.h>
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

static int rlimit_flat(lua_State *L) {
  lua_Integer bytes = luaL_checkinteger(L, 1);
  luaL_argcheck(L, bytes > 0 && bytes <= 32 << 20, 1, "a size up to 32 MiB wanted");
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, (int)bytes);
  mallopt(M_TRIM_THRESHOLD, (int)bytes);
  return 0;
}

static const luaL_Reg FUNCTIONS[] = { { "data", rlimit_data }, { "flat", rlimit_flat }, { NULL, NULL } };

int luaopen_lunette_rlimit(lua_State *L);

int luaopen_lunette_rlimit(lua_State *L) {
  luaL_newlib(L, FUNCTIONS);
  return 1;
}
