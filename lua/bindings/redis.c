/*
** redis.c - lunette.redis: commands to a Redis server, one connection at a time waiting for its answer.
**
**   redis.connect { host =, port =, path =, username =, password =, db =, timeout = } -> connection
**                                  host "127.0.0.1" and port 6379, or the path of a Unix socket; timeout in seconds (5),
**                                  of connecting and of each call
**   connection:call(word, ...) -> value      strings and numbers; binary safe
**   connection:close()                       may be called again, as __gc and __close do
**   redis.null                               what the server calls nil, alone or in a list
**
** A value is a string, an integer, redis.null or a list of such.  Failures are nil, message, code: code "redis" is a
** refusal in the server's own words, "io" a connection that is lost, which every later call says too.
**
** The server is not trusted: an answer is at most BYTES long, has at most ELEMENTS and comes alone, and in time;
** hiredis bounds its depth.  The socket is read and written here, because hiredis knows no time limit for a whole
** answer, no bound of its size, and lets a lost connection end the process by SIGPIPE.
*/
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <hiredis/hiredis.h>
#include <lua.h>
#include <lauxlib.h>

#define TYPE "lunette.redis.connection"

enum {
  BYTES    = 64 << 20,            /* of one answer */
  ELEMENTS = 1 << 20,             /* of all lists in one answer */
  PIECE    = 1 << 16,             /* bytes read at a time */
  WORDS    = 200,                 /* bytes of a server's refusal that are passed on */
  LONGEST  = 24 * 3600            /* seconds of a timeout */
};

#if HIREDIS_MAJOR > 0
typedef size_t count;
#else
typedef int count;
#endif

typedef struct connection {
  redisContext              *context;      /* NULL: closed or lost */
  redisReply                *reply;        /* being turned into values */
  redisReplyObjectFunctions  functions;    /* hiredis' own but for lists, whose elements are counted */
  void                    *(*list)(const redisReadTask *, count);
  long long                  elements;     /* of the answer so far */
  long long                  timeout;      /* ms */
  char                       lost[200];    /* why the connection was lost */
} connection;

/* ---- the socket --------------------------------------------------------------------------- */

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (long long)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int lose(connection *c, const char *why) {
  if (c->context) redisFree(c->context);
  c->context = NULL;
  snprintf(c->lost, sizeof c->lost, "%s", why);
  return 0;
}

/* Waits until the socket can do what 'events' says; 0 if that is not by 'deadline'. */
static int await(connection *c, short events, long long deadline) {
  for (;;) {
    struct pollfd p = { .fd = c->context->fd, .events = events };
    long long     left = deadline - now();
    int           n = poll(&p, 1, left > 0 ? (int)left : 0);
    char          why[64];
    if (n > 0) return 1;
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return lose(c, strerror(errno));
    snprintf(why, sizeof why, "no answer within %g s", (double)c->timeout / 1000);
    return lose(c, why);
  }
}

static int transmit(connection *c, const char *bytes, size_t size, long long deadline) {
  while (size > 0) {
    ssize_t n = send(c->context->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0) {
      bytes += n;
      size -= (size_t)n;
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!await(c, POLLOUT, deadline)) return 0;
    } else if (errno != EINTR) {
      return lose(c, strerror(errno));
    }
  }
  return 1;
}

static int complain(connection *c) {
  char why[160];
  if (c->elements > ELEMENTS) snprintf(why, sizeof why, "an answer of more than %d elements", ELEMENTS);
  else snprintf(why, sizeof why, "no answer of Redis: %s", c->context->reader->errstr);
  return lose(c, why);
}

/* Reads one answer into c->reply. */
static int receive(connection *c, long long deadline) {
  redisReader *reader = c->context->reader;
  char         piece[PIECE], why[64];
  long long    size = 0;
  void        *reply = NULL;
  c->elements = 0;
  while (!reply) {
    ssize_t n = recv(c->context->fd, piece, sizeof piece, MSG_DONTWAIT);
    if (n == 0) return lose(c, "the server closed the connection");
    if (n > 0) {
      size += n;
      if (size > BYTES) {
        snprintf(why, sizeof why, "an answer of more than %d bytes", BYTES);
        return lose(c, why);
      }
      if (redisReaderFeed(reader, piece, (size_t)n) != REDIS_OK) return complain(c);
      if (redisReaderGetReply(reader, &reply) != REDIS_OK) return complain(c);
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (!await(c, POLLIN, deadline)) return 0;
    } else if (errno != EINTR) {
      return lose(c, strerror(errno));
    }
  }
  c->reply = reply;
  return reader->pos == reader->len || lose(c, "an answer that nobody asked for");
}

static void *bounded_list(const redisReadTask *task, count n) {
  connection *c = task->privdata;
  c->elements += (long long)n;
  return c->elements > ELEMENTS ? NULL : c->list(task, n);
}

/* ---- values -------------------------------------------------------------------------------- */

static void forget_reply(connection *c) {
  if (c->reply) freeReplyObject(c->reply);
  c->reply = NULL;
}

/* Pushes a value; returns the first refusal in it, which has no value. */
static const redisReply *push(lua_State *L, const redisReply *reply) {
  size_t i;
  luaL_checkstack(L, 4, "answer of the server");
  switch (reply->type) {
    case REDIS_REPLY_STRING:
    case REDIS_REPLY_STATUS:  lua_pushlstring(L, reply->str, (size_t)reply->len); return NULL;
    case REDIS_REPLY_INTEGER: lua_pushinteger(L, reply->integer); return NULL;
    case REDIS_REPLY_NIL:     lua_pushlightuserdata(L, NULL); return NULL;
    case REDIS_REPLY_ARRAY:   break;
    default:                  return reply;
  }
  lua_newtable(L);
  for (i = 0; i < (size_t)reply->elements; i++) {
    const redisReply *refusal = push(L, reply->element[i]);
    if (refusal) return refusal;
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return NULL;
}

static int push_refusal(lua_State *L, const redisReply *refusal) {
  luaL_Buffer b;
  size_t      i, n = (size_t)refusal->len;
  luaL_pushfail(L);
  luaL_buffinit(L, &b);
  if (refusal->type != REDIS_REPLY_ERROR) {
    luaL_addstring(&b, "an answer of a kind that was not asked for");
    n = 0;
  } else if (n > 0 && refusal->str[n - 1] == '.') {
    n--;                                     /* messages are parts of sentences */
  }
  for (i = 0; i < n && i < WORDS; i++) {
    unsigned char byte = (unsigned char)refusal->str[i];
    luaL_addchar(&b, byte < ' ' || byte == 127 ? '?' : (char)byte);
  }
  luaL_pushresult(&b);
  lua_pushliteral(L, "redis");
  return 3;
}

/* ---- calls --------------------------------------------------------------------------------- */

static int push_lost(lua_State *L, const char *name, const char *why) {
  luaL_pushfail(L);
  lua_pushfstring(L, "%s: %s", name, why);
  lua_pushliteral(L, "io");
  return 3;
}

/* Calls with the n words on top of the stack. */
static int call(lua_State *L, connection *c, const char *name, int n) {
  int               first = lua_gettop(L) - n + 1, i, arrived;
  const char      **words = lua_newuserdatauv(L, (size_t)n * sizeof *words, 0);
  size_t           *sizes = lua_newuserdatauv(L, (size_t)n * sizeof *sizes, 0);
  long long         deadline = now() + c->timeout;
  char             *bytes = NULL;
  long long         size;
  const redisReply *refusal;
  if (!c->context) return push_lost(L, name, c->lost);
  for (i = 0; i < n; i++) words[i] = lua_tolstring(L, first + i, &sizes[i]);
  size = redisFormatCommandArgv(&bytes, n, words, sizes);
  if (size < 0) return luaL_error(L, "not enough memory");
  arrived = transmit(c, bytes, (size_t)size, deadline) && receive(c, deadline);
  redisFreeCommand(bytes);
  if (!arrived) {
    forget_reply(c);
    return push_lost(L, name, c->lost);
  }
  refusal = push(L, c->reply);               /* an error of memory leaves c->reply to the next call or __gc */
  i = refusal ? push_refusal(L, refusal) : 1;
  forget_reply(c);
  return i;
}

static int connection_call(lua_State *L) {
  connection *c = luaL_checkudata(L, 1, TYPE);
  int         n = lua_gettop(L) - 1, i;
  const char *name;
  luaL_checkstring(L, 2);
  for (i = 2; i <= n + 1; i++) luaL_argcheck(L, lua_isstring(L, i), i, "string or number expected");
  forget_reply(c);
  lua_getiuservalue(L, 1, 1);
  name = lua_tostring(L, -1);
  lua_insert(L, 2);
  return call(L, c, name, n);
}

static int connection_close(lua_State *L) {
  connection *c = luaL_checkudata(L, 1, TYPE);
  forget_reply(c);
  if (c->context) lose(c, "the connection is closed");
  return 0;
}

/* ---- connecting ----------------------------------------------------------------------------- */

static const char *text_field(lua_State *L, const char *field, const char *otherwise) {
  const char *s = otherwise;
  if (lua_getfield(L, 1, field) != LUA_TNIL) {
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 1, lua_pushfstring(L, "%s is no string", field));
    s = lua_tostring(L, -1);
    luaL_argcheck(L, strlen(s) == lua_rawlen(L, -1), 1, lua_pushfstring(L, "%s holds a NUL byte", field));
  }
  return s;                                  /* the table, and the stack, keep it */
}

static double number_field(lua_State *L, const char *field, double otherwise, double least, double most) {
  double x = otherwise;
  char   wanted[64];
  if (lua_getfield(L, 1, field) != LUA_TNIL) {
    x = lua_tonumber(L, -1);
    snprintf(wanted, sizeof wanted, "%g to %g", least, most);
    luaL_argcheck(L, lua_type(L, -1) == LUA_TNUMBER && x >= least && x <= most, 1,
                  lua_pushfstring(L, "%s is %s, wanted %s", field, luaL_tolstring(L, -1, NULL), wanted));
  }
  return x;
}

/* AUTH and SELECT where asked for: 0, or how many values say what failed. */
static int introduce(lua_State *L, connection *c, const char *name, const char *username, const char *password, int db) {
  int results = 1;
  if (password) {
    lua_pushliteral(L, "AUTH");
    if (username) lua_pushstring(L, username);
    lua_pushstring(L, password);
    results = call(L, c, name, username ? 3 : 2);
  }
  if (results == 1 && db > 0) {
    lua_pushliteral(L, "SELECT");
    lua_pushfstring(L, "%d", db);
    results = call(L, c, name, 2);
  }
  return results == 1 ? 0 : results;
}

static int redis_connect(lua_State *L) {
  connection    *c;
  const char    *host, *path, *username, *password, *name;
  struct timeval limit;
  int            port, db, made, results;
  double         timeout;
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  host = text_field(L, "host", "127.0.0.1");
  path = text_field(L, "path", NULL);
  username = text_field(L, "username", NULL);
  password = text_field(L, "password", NULL);
  port = (int)number_field(L, "port", 6379, 1, 65535);
  db = (int)number_field(L, "db", 0, 0, 65535);
  timeout = number_field(L, "timeout", 5, 0.001, LONGEST);
  limit.tv_sec = (time_t)timeout;
  limit.tv_usec = (suseconds_t)((timeout - (double)limit.tv_sec) * 1e6);

  name = path ? path : lua_pushfstring(L, strchr(host, ':') ? "[%s]:%d" : "%s:%d", host, port);
  c = lua_newuserdatauv(L, sizeof *c, 1);
  made = lua_gettop(L);
  memset(c, 0, sizeof *c);
  c->timeout = (long long)(timeout * 1000);
  lua_pushstring(L, name);
  lua_setiuservalue(L, -2, 1);
  luaL_setmetatable(L, TYPE);

  c->context = path ? redisConnectUnixWithTimeout(path, limit) : redisConnectWithTimeout(host, port, limit);
  if (!c->context) return luaL_error(L, "not enough memory");
  if (c->context->err) {
    char why[160];
    snprintf(why, sizeof why, "%s", c->context->errstr);
    lose(c, why);
    return push_lost(L, name, c->lost);
  }
  c->functions = *c->context->reader->fn;
  c->list = c->functions.createArray;
  c->functions.createArray = bounded_list;
  c->context->reader->fn = &c->functions;
  c->context->reader->privdata = c;

  results = introduce(L, c, name, username, password, db);
  if (results) {
    lose(c, "the connection is closed");
    return results;
  }
  lua_pushvalue(L, made);
  return 1;
}

int luaopen_lunette_redis(lua_State *L);

int luaopen_lunette_redis(lua_State *L) {
  static const luaL_Reg methods[] = { { "call", connection_call }, { "close", connection_close },
                                      { "__gc", connection_close }, { "__close", connection_close }, { NULL, NULL } };
  static const luaL_Reg functions[] = { { "connect", redis_connect }, { NULL, NULL } };
  luaL_newmetatable(L, TYPE);
  luaL_setfuncs(L, methods, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newlib(L, functions);
  lua_pushlightuserdata(L, NULL);
  lua_setfield(L, -2, "null");
  return 1;
}
