/*
** digest.c - lunette.digest: a 128-bit digest of bytes, to tell whether they changed.
**
**   digest.string(s)  -> 32 hexadecimal digits
**   digest.file(path) -> the same of a file's bytes, or nil, message
**
** XXH3 of xxHash: the same on every machine.  No protection against somebody who wants two files
** to have one digest.
*/
#define XXH_INLINE_ALL
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <lua.h>
#include <lauxlib.h>
#include <xxhash.h>

enum { PIECE = 1 << 16 };       /* bytes read at a time */

static int push(lua_State *L, XXH128_hash_t h) {
  char text[33];
  snprintf(text, sizeof text, "%016llx%016llx", (unsigned long long)h.high64, (unsigned long long)h.low64);
  lua_pushlstring(L, text, 32);
  return 1;
}

static int digest_string(lua_State *L) {
  size_t      size;
  const char *s = luaL_checklstring(L, 1, &size);
  return push(L, XXH3_128bits(s, size));
}

static int refuse(lua_State *L, const char *path, int code) {
  luaL_pushfail(L);
  lua_pushfstring(L, "%s: %s", path, strerror(code));
  return 2;
}

static int digest_file(lua_State *L) {
  const char   *path = luaL_checkstring(L, 1);
  char         *piece = lua_newuserdatauv(L, PIECE, 0);
  XXH3_state_t *state = lua_newuserdatauv(L, sizeof(XXH3_state_t) + 64, 0);
  FILE         *f = fopen(path, "rb");
  size_t        n;
  int           failed;
  if (!f) return refuse(L, path, errno);
  state = (XXH3_state_t *)(((size_t)state + 63) & ~(size_t)63);      /* its vectors want 64 bytes */
  XXH3_128bits_reset(state);
  while ((n = fread(piece, 1, PIECE, f)) > 0) XXH3_128bits_update(state, piece, n);
  failed = ferror(f) ? errno : 0;
  fclose(f);
  return failed ? refuse(L, path, failed) : push(L, XXH3_128bits_digest(state));
}

static const luaL_Reg FUNCTIONS[] = { { "string", digest_string }, { "file", digest_file }, { NULL, NULL } };

int luaopen_lunette_digest(lua_State *L);

int luaopen_lunette_digest(lua_State *L) {
  luaL_newlib(L, FUNCTIONS);
  return 1;
}
