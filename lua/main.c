/*
** main.c - bin/lunette: a Lua interpreter that runs lunette.cli.
**
** The program finds its Lua files by its own place, BUILD/bin/lunette, whatever
** links lead there.  The exit status is the number that cli.main(arg) returns;
** 70 (EX_SOFTWARE) after an error nobody caught, which is a bug and shows where.
*/
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <lua.h>
#include <lauxlib.h>
#include <lualib.h>

enum { STATUS_UNWRITTEN = 1, STATUS_INTERNAL = 70 };

/* puts 'first' before package[field] */
static void prepend(lua_State *L, const char *field, const char *first) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, field);
  lua_pushfstring(L, "%s;%s", first, luaL_optstring(L, -1, ""));
  lua_setfield(L, -3, field);
  lua_pop(L, 2);
}

/* cuts the last part off a path */
static void parent(lua_State *L, char *path) {
  char *slash = strrchr(path, '/');
  if (!slash) luaL_error(L, "cannot tell where the program lies from \"%s\"", path);
  *slash = '\0';
}

static void find_files(lua_State *L) {
  char path[PATH_MAX];
  ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
  if (n < 0) luaL_error(L, "cannot read /proc/self/exe: %s", strerror(errno));
  path[n] = '\0';
  parent(L, path);
  parent(L, path);                        /* BUILD */
  prepend(L, "cpath", lua_pushfstring(L, "%s/lua/?.so", path));
  parent(L, path);
  prepend(L, "path", lua_pushfstring(L, "%s/lua/?.lua;%s/lua/?/init.lua", path, path));
  lua_pop(L, 2);
}

static int run(lua_State *L) {
  int argc = (int)lua_tointeger(L, 1);
  char **argv = lua_touserdata(L, 2);
  luaL_openlibs(L);
  find_files(L);
  lua_createtable(L, argc, 1);
  for (int i = 0; i < argc; i++) {
    lua_pushstring(L, argv[i]);
    lua_rawseti(L, -2, i);
  }
  lua_setglobal(L, "arg");
  lua_getglobal(L, "require");
  lua_pushliteral(L, "lunette.cli");
  lua_call(L, 1, 1);
  lua_getfield(L, -1, "main");
  lua_getglobal(L, "arg");
  lua_call(L, 1, 1);
  luaL_checkinteger(L, -1);
  return 1;
}

static int with_traceback(lua_State *L) {
  luaL_traceback(L, L, luaL_tolstring(L, 1, NULL), 1);
  return 1;
}

/*
** Standard streams that were closed stay unusable, but their numbers are taken:
** a file opened later would get one, and results would go there.
*/
static void hold_standard_streams(void) {
  for (int fd = 0; fd <= 2; fd++)
    if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) < 0) return;
}

int main(int argc, char **argv) {
  int status = STATUS_INTERNAL;
  lua_State *L;
  hold_standard_streams();
  L = luaL_newstate();
  if (!L) {
    fprintf(stderr, "lunette: out of memory\n");
    return status;
  }
  lua_pushcfunction(L, with_traceback);
  lua_pushcfunction(L, run);
  lua_pushinteger(L, argc);
  lua_pushlightuserdata(L, argv);
  if (lua_pcall(L, 2, 1, 1) == LUA_OK) status = (int)lua_tointeger(L, -1);
  else fprintf(stderr, "lunette: internal error: %s\n", lua_tostring(L, -1));
  lua_close(L);
  if (fflush(stdout) != 0 || (ferror(stdout) && status == 0)) {      /* else who noticed has told */
    fprintf(stderr, "lunette: cannot write the results: %s\n", strerror(errno));
    if (status == 0) status = STATUS_UNWRITTEN;
  }
  return status;
}
