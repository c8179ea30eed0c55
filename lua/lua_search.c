/*
** lua_search.c - where plugins are found: require "lunette.NAME" and core.plugins().
**
** NAME.so is looked for in the directories of LUNETTE_PLUGINS (a list with colons), in
** ../../plugins from the directory of this module, in ~/.local/share/lunette/plugins
** and in /usr/lib/lunette/plugins.  The first one found counts.
*/
#define _GNU_SOURCE    /* dladdr */
#include <dirent.h>
#include <dlfcn.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "lua_plugin.h"

#define SYSTEM_PLUGINS "/usr/lib/lunette/plugins"

static const char here = 0;

/* ---- directories ----------------------------------------------------------------- */

static void append(lua_State *L, int list) { lua_rawseti(L, list, (lua_Integer)lua_rawlen(L, list) + 1); }

/* BUILD/plugins of this module, which is BUILD/lua/lunette/core.so. */
static void append_own(lua_State *L, int list) {
  char    path[PATH_MAX];
  Dl_info info;
  if (!dladdr(&here, &info) || !info.dli_fname || !realpath(info.dli_fname, path)) return;
  for (int i = 0; i < 3; i++) {
    char *slash = strrchr(path, '/');
    if (!slash) return;
    *slash = '\0';
  }
  lua_pushfstring(L, "%s/plugins", path);
  append(L, list);
}

static void append_parts(lua_State *L, int list, const char *parts) {
  while (*parts) {
    size_t length = strcspn(parts, ":");
    lua_pushlstring(L, parts, length);
    if (length > 0) append(L, list);
    else lua_pop(L, 1);
    parts += length + (parts[length] == ':');
  }
}

static int push_directories(lua_State *L) {
  const char *given = getenv("LUNETTE_PLUGINS"), *home = getenv("HOME");
  int         list;
  lua_newtable(L);
  list = lua_gettop(L);
  if (given) append_parts(L, list, given);
  append_own(L, list);
  if (home && *home) {
    lua_pushfstring(L, "%s/.local/share/lunette/plugins", home);
    append(L, list);
  }
  lua_pushliteral(L, SYSTEM_PLUGINS);
  append(L, list);
  return list;
}

/* ---- require ---------------------------------------------------------------------- */

/* The loader: its second argument is the path that the searcher found. */
static int load(lua_State *L) {
  const char *path = luaL_checkstring(L, 2);
  const char *name = luaL_checkstring(L, 1) + strlen("lunette.");
  lun_ctx    *cx = begin(L);
  lun_plugin *p = lun_plugin_load(cx, path);
  if (!p) return raise_error(L, cx);
  if (strcmp(lun_plugin_facts(p)->name, name) != 0)
    return luaL_error(L, "%s is the plugin %s, wanted %s", path, lun_plugin_facts(p)->name, name);
  push_plugin(L, p);
  return 1;
}

static int search(lua_State *L) {
  const char *name = luaL_checkstring(L, 1);
  int         list;
  luaL_Buffer tried;
  if (strncmp(name, "lunette.", strlen("lunette.")) != 0) return 0;
  name += strlen("lunette.");
  if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name)) return 0;
  list = push_directories(L);
  for (lua_Integer i = 1; lua_rawgeti(L, list, i) != LUA_TNIL; i++) {
    const char *path = lua_pushfstring(L, "%s/%s.so", lua_tostring(L, -1), name);
    if (access(path, F_OK) == 0) {
      lua_pushcfunction(L, load);
      lua_insert(L, -2);
      return 2;
    }
    lua_rawseti(L, list, i);
    lua_pop(L, 1);
  }
  luaL_buffinit(L, &tried);
  for (lua_Integer i = 1; i <= (lua_Integer)lua_rawlen(L, list); i++) {
    luaL_addstring(&tried, i > 1 ? "\n\tno plugin '" : "no plugin '");
    lua_rawgeti(L, list, i);
    luaL_addvalue(&tried);
    luaL_addchar(&tried, '\'');
  }
  luaL_pushresult(&tried);
  return 1;
}

/* ---- core.plugins() ---------------------------------------------------------------- */

static void set_string(lua_State *L, const char *key, const char *value) {
  lua_pushstring(L, value);
  lua_setfield(L, -2, key);
}

/* Pushes what is known of the plugin in a file, which is not loaded for that. */
static void push_facts(lua_State *L, const char *name, const char *path) {
  lun_ctx    *cx = begin(L);
  lun_facts   facts;
  lun_status  status = lun_plugin_read(cx, path, &facts);
  lun_plugin *p = status == LUN_OK ? lun_plugin_find(facts.name) : NULL;
  lua_createtable(L, 0, 7);
  set_string(L, "name", *facts.name ? facts.name : name);
  set_string(L, "path", path);
  set_string(L, "version", facts.version);
  set_string(L, "license", facts.license);
  lua_pushfstring(L, "%d.%d", (int)(facts.abi >> 16), (int)(facts.abi & 0xffff));
  lua_setfield(L, -2, "abi");
  lua_pushboolean(L, p && strcmp(lun_plugin_path(p), path) == 0);
  lua_setfield(L, -2, "loaded");
  if (status != LUN_OK) set_string(L, "refused", lun_message(cx));
  lun_clear(cx);
}

static int close_directory(lua_State *L) {
  DIR **box = lua_touserdata(L, 1);
  if (*box) closedir(*box);
  *box = NULL;
  return 0;
}

/* Puts the table on top of the stack into the list, which is sorted by name. */
static void insert_sorted(lua_State *L, int list) {
  lua_Integer at = (lua_Integer)lua_rawlen(L, list) + 1;
  lua_getfield(L, -1, "name");
  for (; at > 1; at--) {
    lua_rawgeti(L, list, at - 1);
    lua_getfield(L, -1, "name");
    if (strcmp(lua_tostring(L, -1), lua_tostring(L, -3)) <= 0) break;
    lua_pop(L, 1);
    lua_rawseti(L, list, at);
  }
  lua_settop(L, lua_gettop(L) - (at > 1 ? 3 : 1));
  lua_rawseti(L, list, at);
}

/* Adds the plugins of a directory to the list; 'seen' has the names that are in it. */
static void list_directory(lua_State *L, const char *directory, int list, int seen) {
  DIR          **box = lua_newuserdatauv(L, sizeof *box, 0);
  struct dirent *entry;
  *box = NULL;
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, close_directory);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  *box = opendir(directory);
  while (*box && (entry = readdir(*box)) != NULL) {
    size_t      length = strlen(entry->d_name);
    const char *name;
    if (length < 4 || strcmp(entry->d_name + length - 3, ".so") != 0) continue;
    name = lua_pushlstring(L, entry->d_name, length - 3);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, seen) == LUA_TNIL) {
      push_facts(L, name, lua_pushfstring(L, "%s/%s", directory, entry->d_name));
      insert_sorted(L, list);
      lua_pushvalue(L, lua_gettop(L) - 2);
      lua_pushboolean(L, true);
      lua_rawset(L, seen);
      lua_pop(L, 1);
    }
    lua_pop(L, 2);
  }
  if (*box) closedir(*box);
  *box = NULL;
  lua_pop(L, 1);
}

/*
** core.plugins() -> list of { name=, path=, version=, license=, abi=, loaded= }: the plugins
** that require finds; refused= says why one cannot be loaded.  None of their code runs.
*/
static int plugins(lua_State *L) {
  int directories = push_directories(L), list, seen;
  lua_newtable(L);
  list = lua_gettop(L);
  lua_newtable(L);
  seen = lua_gettop(L);
  for (lua_Integer i = 1; lua_rawgeti(L, directories, i) != LUA_TNIL; i++) {
    list_directory(L, lua_tostring(L, -1), list, seen);
    lua_pop(L, 1);
  }
  lua_settop(L, list);
  return 1;
}

void open_search(lua_State *L) {
  lua_pushcfunction(L, plugins);
  lua_setfield(L, -2, "plugins");
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_getfield(L, -1, "package");
  if (lua_getfield(L, -1, "searchers") == LUA_TTABLE) {      /* absent from a state without require */
    lua_pushcfunction(L, search);
    append(L, lua_gettop(L) - 1);
  }
  lua_pop(L, 3);
}
