/*
** attributes.c - lunette.attributes: what a file is besides its bytes.
**
**   attributes.copy(from, to [, times]) -> true | nil, message
**       Gives the open file 'to' what 'from' has: mode, extended attributes (access lists among them), owner and group as far
**       as this process may, and with 'times' those of its last reading and writing, to the nanosecond.
**
** 'from' and 'to' are file descriptors, as luv hands them out.
*/
#define _DEFAULT_SOURCE                    /* fchown, xattr */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>
#include <lua.h>
#include <lauxlib.h>

enum { LONGEST = 1 << 16 };                /* of a list of names and of a value: limits of Linux */

static int refuse(lua_State *L, const char *what) {
  int code = errno;
  luaL_pushfail(L);
  lua_pushfstring(L, "%s: %s", what, strerror(code));
  return 2;
}

/* Attributes that this file system or process may not have are left out, as cp does. */
static void copy_extended(int from, int to, char *names, char *value) {
  ssize_t left = flistxattr(from, names, LONGEST);
  for (char *name = names; left > 0;) {
    size_t  n = strlen(name) + 1;
    ssize_t size = fgetxattr(from, name, value, LONGEST);
    if (size >= 0) (void)fsetxattr(to, name, value, (size_t)size, 0);
    name += n;
    left -= (ssize_t)n;
  }
}

static int attributes_copy(lua_State *L) {
  int         from = (int)luaL_checkinteger(L, 1), to = (int)luaL_checkinteger(L, 2);
  bool        times = lua_toboolean(L, 3), owned;
  char       *room = lua_newuserdatauv(L, 2 * LONGEST, 0);
  struct stat of;
  if (fstat(from, &of)) return refuse(L, "reading attributes");
  owned = !fchown(to, of.st_uid, of.st_gid);
  if (!owned && fchown(to, (uid_t)-1, of.st_gid)) errno = 0;
  /* after fchown, which clears bits; to run as its owner is for files of that owner */
  if (fchmod(to, of.st_mode & (owned ? 07777 : 0777))) return refuse(L, "setting the mode");
  copy_extended(from, to, room, room + LONGEST);
  if (times) {
    struct timespec both[2] = { of.st_atim, of.st_mtim };
    if (futimens(to, both)) return refuse(L, "setting the times");
  }
  lua_pushboolean(L, true);
  return 1;
}

static const luaL_Reg FUNCTIONS[] = { { "copy", attributes_copy }, { NULL, NULL } };

int luaopen_lunette_attributes(lua_State *L);

int luaopen_lunette_attributes(lua_State *L) {
  luaL_newlib(L, FUNCTIONS);
  return 1;
}
