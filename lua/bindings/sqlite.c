/*
** sqlite.c - lunette.sqlite: databases of SQLite 3.
**
**   sqlite.open(path [, options])  -> db, or nil, message, code
**       path "" is a temporary database; options.readonly; options.timeout in ms (0): how long to wait
**       for a lock of somebody else
**   sqlite.blob(s)                 -> what db:run(...) and db:rows(...) store as BLOB; strings are TEXT, whatever
**                                     their bytes
**   db:exec(sql)       -> true, or nil, message, code      any number of statements
**   db:run(sql, ...)   -> changes, or nil, message, code   one statement; nil, booleans, numbers, strings and blobs
**                                                          are its parameters by position; how many rows changed
**   db:rows(sql, ...)  -> iterator of rows { column = value }: NULL is absent, TEXT and BLOB are strings;
**                         raises "PATH: message"
**   db:row(sql, ...)   -> the first row or nil; raises
**   db:last_id()       -> rowid of the last INSERT
**   db:close()         ends its iterators too; so do __close and __gc
**
** A message is "PATH: what SQLite says"; a code is busy, full, readonly, corrupt, cantopen, io, constraint or error.
** A database is data of a stranger: it runs no code of its own that reaches beyond it (https://sqlite.org/security.html).
*/
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <lua.h>
#include <lauxlib.h>
#include <sqlite3.h>

#define DATABASE "lunette.sqlite.database"
#define ROWS     "lunette.sqlite.rows"
#define BLOB     "lunette.sqlite.blob"

/* 64 KiB of pages: what SQLite has by itself, 2 MB, a job would fill over ten thousand pictures */
#define CONFIGURE "PRAGMA cell_size_check = on; PRAGMA cache_size = -64; PRAGMA schema_version"

enum { CACHED = 32 };             /* prepared statements a database keeps */

typedef struct {
  sqlite3      *handle;           /* NULL once closed */
  sqlite3_stmt *cached[CACHED];   /* those at rest, the last used first; those at work are their user's */
} database;                       /* user value 1: the path */

typedef struct {
  database     *db;
  sqlite3_stmt *statement;        /* NULL at its end; db's close ends it as well */
} cursor;                         /* user value 1: the database */

/* ---- errors ---- */

static const char *word_of(sqlite3 *handle, int code) {
  int system = sqlite3_system_errno(handle);
  switch (code & 0xff) {
    case SQLITE_BUSY: case SQLITE_LOCKED:    return "busy";
    case SQLITE_FULL:                        return "full";
    case SQLITE_READONLY: case SQLITE_PERM:  return "readonly";
    case SQLITE_CORRUPT: case SQLITE_NOTADB: return "corrupt";
    case SQLITE_CANTOPEN:                    return "cantopen";
    case SQLITE_IOERR:                       return system == ENOSPC || system == EDQUOT ? "full" : "io";
    case SQLITE_CONSTRAINT:                  return "constraint";
    default:                                 return "error";
  }
}

/* "PATH: what SQLite says", and the system's reason where a file cannot be opened; 'index' is the database's */
static void push_message(lua_State *L, sqlite3 *handle, int index) {
  int system = (sqlite3_errcode(handle) & 0xff) == SQLITE_CANTOPEN ? sqlite3_system_errno(handle) : 0;
  lua_getiuservalue(L, index, 1);
  lua_pushfstring(L, "%s: %s%s%s", lua_tostring(L, -1), sqlite3_errmsg(handle), system ? ": " : "", system ? strerror(system) : "");
  lua_remove(L, -2);
}

static int refuse(lua_State *L, sqlite3 *handle, int index) {
  const char *word = word_of(handle, sqlite3_errcode(handle));
  luaL_pushfail(L);
  push_message(L, handle, index);
  lua_pushstring(L, word);
  return 3;
}

/* ---- arguments ---- */

static database *check_database(lua_State *L) {
  database *db = luaL_checkudata(L, 1, DATABASE);
  if (!db->handle) luaL_error(L, "database is closed");
  return db;
}

static const char *check_text(lua_State *L, int index, size_t limit) {
  size_t      size;
  const char *s = luaL_checklstring(L, index, &size);
  luaL_argcheck(L, strlen(s) == size, index, "holds a NUL byte");
  luaL_argcheck(L, size <= limit, index, "too long");
  return s;
}

static void check_parameters(lua_State *L, int last) {
  for (int i = 3; i <= last; i++) {
    int type = lua_type(L, i);
    if (type == LUA_TNIL || type == LUA_TBOOLEAN || type == LUA_TNUMBER || type == LUA_TSTRING) continue;
    luaL_checkudata(L, i, BLOB);
  }
}

/* ---- statements ---- */

/* Takes a statement of this text from the cache or prepares one; NULL: refused. */
static sqlite3_stmt *take(lua_State *L, database *db, const char *sql) {
  sqlite3_stmt *statement = NULL;
  const char   *rest;
  for (int i = 0; i < CACHED && db->cached[i]; i++) {
    if (strcmp(sqlite3_sql(db->cached[i]), sql) != 0) continue;
    statement = db->cached[i];
    memmove(db->cached + i, db->cached + i + 1, (CACHED - 1 - i) * sizeof db->cached[0]);
    db->cached[CACHED - 1] = NULL;
    return statement;
  }
  if (sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, &rest) != SQLITE_OK) return NULL;
  if (!statement || rest[strspn(rest, " \t\r\n;")]) {
    sqlite3_finalize(statement);
    luaL_error(L, "one statement wanted, found %s", statement ? "more" : "none");
  }
  return statement;
}

static void give(database *db, sqlite3_stmt *statement) {
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
  sqlite3_finalize(db->cached[CACHED - 1]);
  memmove(db->cached + 1, db->cached, (CACHED - 1) * sizeof db->cached[0]);
  db->cached[0] = statement;
}

static int bind(lua_State *L, sqlite3_stmt *statement, int parameter, int index) {
  size_t      size;
  const char *s;
  int         code;
  switch (lua_type(L, index)) {
    case LUA_TNIL:     return sqlite3_bind_null(statement, parameter);
    case LUA_TBOOLEAN: return sqlite3_bind_int(statement, parameter, lua_toboolean(L, index));
    case LUA_TNUMBER:
      if (lua_isinteger(L, index)) return sqlite3_bind_int64(statement, parameter, lua_tointeger(L, index));
      return sqlite3_bind_double(statement, parameter, lua_tonumber(L, index));
    case LUA_TSTRING:
      s = lua_tolstring(L, index, &size);
      return sqlite3_bind_text64(statement, parameter, s, size, SQLITE_TRANSIENT, SQLITE_UTF8);
    default:
      lua_getiuservalue(L, index, 1);
      s = lua_tolstring(L, -1, &size);
      code = sqlite3_bind_blob64(statement, parameter, s, size, SQLITE_TRANSIENT);
      lua_pop(L, 1);
      return code;
  }
}

/* Takes the statement of argument 2 and binds the arguments up to 'last'; NULL: refused.  Raises where they do not fit. */
static sqlite3_stmt *prepare(lua_State *L, database *db, int last) {
  const char   *sql = check_text(L, 2, INT_MAX - 1);
  sqlite3_stmt *statement;
  int           given = last - 2, wanted, code;
  check_parameters(L, last);
  luaL_checkstack(L, 8, NULL);
  statement = take(L, db, sql);
  if (!statement) return NULL;
  wanted = sqlite3_bind_parameter_count(statement);
  if (given != wanted) {
    give(db, statement);
    luaL_error(L, "%d parameters given, the statement has %d", given, wanted);
  }
  for (int i = 1; i <= given; i++) {
    code = bind(L, statement, i, i + 2);
    if (code == SQLITE_OK) continue;
    give(db, statement);
    luaL_error(L, "parameter %d: %s", i, sqlite3_errstr(code));
  }
  return statement;
}

/* ---- one statement ---- */

static int database_exec(lua_State *L) {
  database *db = check_database(L);
  if (sqlite3_exec(db->handle, check_text(L, 2, INT_MAX - 1), NULL, NULL, NULL) != SQLITE_OK) return refuse(L, db->handle, 1);
  lua_pushboolean(L, 1);
  return 1;
}

static int database_run(lua_State *L) {
  database     *db = check_database(L);
  int           before = sqlite3_total_changes(db->handle), code, count;
  sqlite3_stmt *statement = prepare(L, db, lua_gettop(L));
  if (!statement) return refuse(L, db->handle, 1);
  do code = sqlite3_step(statement); while (code == SQLITE_ROW);
  if (code != SQLITE_DONE) {
    int results = refuse(L, db->handle, 1);
    give(db, statement);
    return results;
  }
  give(db, statement);
  count = sqlite3_total_changes(db->handle) == before ? 0 : sqlite3_changes(db->handle);   /* the latter outlives other statements */
  lua_pushinteger(L, count);
  return 1;
}

static int database_last_id(lua_State *L) {
  lua_pushinteger(L, sqlite3_last_insert_rowid(check_database(L)->handle));
  return 1;
}

/* ---- rows ---- */

static int cursor_end(lua_State *L) {
  cursor *rows = luaL_checkudata(L, 1, ROWS);
  if (rows->statement && rows->db->handle) give(rows->db, rows->statement);
  rows->statement = NULL;
  return 0;
}

static void push_value(lua_State *L, sqlite3_stmt *statement, int column) {
  switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER: lua_pushinteger(L, sqlite3_column_int64(statement, column)); break;
    case SQLITE_FLOAT:   lua_pushnumber(L, sqlite3_column_double(statement, column)); break;
    case SQLITE_NULL:    lua_pushnil(L); break;
    default: {           /* TEXT of a database in UTF-16 becomes UTF-8 */
      const char *s = sqlite3_column_type(statement, column) == SQLITE_TEXT ?
        (const char *)sqlite3_column_text(statement, column) : sqlite3_column_blob(statement, column);
      size_t size = (size_t)sqlite3_column_bytes(statement, column);
      if (!s && size > 0) luaL_error(L, "not enough memory");
      lua_pushlstring(L, s ? s : "", s ? size : 0);
    }
  }
}

static void push_row(lua_State *L, sqlite3_stmt *statement) {
  int count = sqlite3_data_count(statement);
  lua_createtable(L, 0, count);
  for (int i = 0; i < count; i++) {
    const char *name = sqlite3_column_name(statement, i);
    if (!name) luaL_error(L, "not enough memory");
    push_value(L, statement, i);
    lua_setfield(L, -2, name);
  }
}

/* next(rows): the row, or nil at the end */
static int cursor_next(lua_State *L) {
  cursor *rows = luaL_checkudata(L, 1, ROWS);
  int     code;
  if (!rows->statement) return luaL_pushfail(L), 1;
  if (!rows->db->handle) return luaL_error(L, "database is closed");
  code = sqlite3_step(rows->statement);
  if (code == SQLITE_ROW) {
    push_row(L, rows->statement);
    return 1;
  }
  if (code != SQLITE_DONE) {
    lua_getiuservalue(L, 1, 1);
    push_message(L, rows->db->handle, lua_gettop(L));
    cursor_end(L);
    return lua_error(L);
  }
  cursor_end(L);
  return luaL_pushfail(L), 1;
}

/* Pushes the rows of the statement in the arguments. */
static void push_cursor(lua_State *L) {
  database     *db = check_database(L);
  int           last = lua_gettop(L);
  sqlite3_stmt *statement;
  cursor       *rows = lua_newuserdatauv(L, sizeof *rows, 1);
  rows->db = db;
  rows->statement = NULL;
  luaL_setmetatable(L, ROWS);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  statement = prepare(L, db, last);
  if (!statement) {
    push_message(L, db->handle, 1);
    lua_error(L);
  }
  rows->statement = statement;
}

static int database_rows(lua_State *L) {
  push_cursor(L);
  lua_pushcfunction(L, cursor_next);
  lua_insert(L, -2);
  lua_pushnil(L);
  lua_pushvalue(L, -2);           /* closed by 'for' when the loop is left */
  return 4;
}

static int database_row(lua_State *L) {
  push_cursor(L);
  lua_replace(L, 1);
  lua_settop(L, 1);
  cursor_next(L);
  cursor_end(L);
  return 1;
}

/* ---- opening and closing ---- */

static int database_close(lua_State *L) {
  database     *db = luaL_checkudata(L, 1, DATABASE);
  sqlite3_stmt *statement;
  while (db->handle && (statement = sqlite3_next_stmt(db->handle, NULL)) != NULL) sqlite3_finalize(statement);
  sqlite3_close(db->handle);
  memset(db, 0, sizeof *db);
  return 0;
}

static int option_timeout(lua_State *L, int index) {
  int         isnum;
  lua_Integer ms;
  lua_getfield(L, index, "timeout");
  ms = lua_isnil(L, -1) ? 0 : lua_tointegerx(L, -1, &isnum);
  if (!lua_isnil(L, -1) && (!isnum || ms < 0 || ms > INT_MAX)) luaL_error(L, "timeout must be milliseconds from 0 to %d", INT_MAX);
  lua_pop(L, 1);
  return (int)ms;
}

/*
** The first statement reads the file, so that what cannot be used is told here.  A reader says query_only where
** SQLITE_OPEN_READONLY would leave the files -wal and -shm of a database in WAL mode behind.
*/
static int prepare_database(sqlite3 *handle, int readonly, int timeout) {
  int result;
  sqlite3_busy_timeout(handle, timeout);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
  result = sqlite3_exec(handle, CONFIGURE, NULL, NULL, NULL);
  if (result == SQLITE_OK && readonly) result = sqlite3_exec(handle, "PRAGMA query_only = on", NULL, NULL, NULL);
  return result;
}

static int sqlite_open(lua_State *L) {
  const char *path = check_text(L, 1, INT_MAX);
  int         readonly = 0, timeout = 0, flags, results;
  database   *db;
  lua_settop(L, 2);
  if (!lua_isnil(L, 2)) {
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_getfield(L, 2, "readonly");
    readonly = lua_toboolean(L, -1);
    lua_pop(L, 1);
    timeout = option_timeout(L, 2);
  }
  flags = SQLITE_OPEN_READWRITE | (readonly ? 0 : SQLITE_OPEN_CREATE) | SQLITE_OPEN_EXRESCODE;
  if (*path && *path != '/') lua_pushfstring(L, "./%s", path);      /* ":memory:" and "file:x" are files like others */
  else lua_pushvalue(L, 1);
  db = lua_newuserdatauv(L, sizeof *db, 1);
  memset(db, 0, sizeof *db);
  luaL_setmetatable(L, DATABASE);
  lua_pushstring(L, *path ? path : "temporary database");
  lua_setiuservalue(L, 4, 1);
  if (sqlite3_open_v2(lua_tostring(L, 3), &db->handle, flags, NULL) == SQLITE_OK &&
      prepare_database(db->handle, readonly, timeout) == SQLITE_OK) return 1;
  results = refuse(L, db->handle, 4);
  lua_pushcfunction(L, database_close);
  lua_pushvalue(L, 4);
  lua_call(L, 1, 0);
  return results;
}

static int sqlite_blob(lua_State *L) {
  luaL_checkstring(L, 1);
  lua_newuserdatauv(L, 0, 1);
  luaL_setmetatable(L, BLOB);
  lua_pushvalue(L, 1);
  lua_setiuservalue(L, -2, 1);
  return 1;
}

static const luaL_Reg DATABASE_METHODS[] = {
  { "exec", database_exec }, { "run", database_run }, { "rows", database_rows }, { "row", database_row },
  { "last_id", database_last_id }, { "close", database_close }, { "__close", database_close },
  { "__gc", database_close }, { NULL, NULL }
};

static const luaL_Reg ROWS_METHODS[] = { { "__close", cursor_end }, { "__gc", cursor_end }, { NULL, NULL } };

static const luaL_Reg FUNCTIONS[] = { { "open", sqlite_open }, { "blob", sqlite_blob }, { NULL, NULL } };

int luaopen_lunette_sqlite(lua_State *L);

int luaopen_lunette_sqlite(lua_State *L) {
  luaL_newmetatable(L, DATABASE);
  luaL_setfuncs(L, DATABASE_METHODS, 0);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, "__index");
  luaL_newmetatable(L, ROWS);
  luaL_setfuncs(L, ROWS_METHODS, 0);
  luaL_newmetatable(L, BLOB);
  luaL_newlib(L, FUNCTIONS);
  return 1;
}
