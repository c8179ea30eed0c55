/*
** lua_args.c - reads Lua values as the arguments that a plugin declared, and says
** what is wrong with those that are not:
**
**   vision.resize: height must be an integer of at least 1, got -3
**   vision.resize: unknown argument "hieght" (did you mean "height"?)
*/
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "lua_plugin.h"

typedef struct reader {
  lua_State     *L;
  lun_ctx       *cx;
  const char    *label;
  const lun_arg *declared;
  int            count;
  lun_args      *args;
} reader;

/* Raises "label: " and a message. */
static int wrong(const reader *r, const char *fmt, ...) {
  va_list ap;
  luaL_where(r->L, 1);
  lua_pushfstring(r->L, "%s: ", r->label);
  va_start(ap, fmt);
  lua_pushvfstring(r->L, fmt, ap);
  va_end(ap);
  lua_concat(r->L, 3);
  return lua_error(r->L);
}

static bool is_list(const lun_arg *a) { return a->type == LUN_INTS || a->type == LUN_NUMS || a->type == LUN_STRS; }

/* ---- what was wanted, what was found ---------------------------------------- */

static const char *number_text(lua_State *L, double v) {
  if (v == floor(v) && fabs(v) < 1e15) return lua_pushfstring(L, "%I", (LUAI_UACINT)v);
  return lua_pushfstring(L, "%f", v);
}

/* 'item': of one item of a list instead of the list */
static const char *wanted_text(lua_State *L, const lun_arg *a, bool item) {
  static const char *const one[] = {
    "", "an integer", "a number", "true or false", "a string", "an integer", "a number", "a string", "a tensor", "an object"
  };
  static const char *const list[] = { "a list of integers", "a list of numbers", "a list of strings" };
  bool numeric = a->type == LUN_INT || a->type == LUN_NUM || a->type == LUN_INTS || a->type == LUN_NUMS;
  if (is_list(a) && !item) return list[a->type - LUN_INTS];
  if (!numeric || !isfinite(a->min)) return one[a->type];
  return lua_pushfstring(L, "%s of at least %s", one[a->type], number_text(L, a->min));
}

static const char *found_text(lua_State *L, int at) {
  size_t      len;
  const char *s;
  switch (lua_type(L, at)) {
    case LUA_TNIL: return "nil";
    case LUA_TBOOLEAN: return lua_toboolean(L, at) ? "true" : "false";
    case LUA_TNUMBER: return luaL_tolstring(L, at, NULL);
    case LUA_TSTRING:
      s = lua_tolstring(L, at, &len);
      if (len <= 40) return lua_pushfstring(L, "\"%s\"", s);
      lua_pushlstring(L, s, 40);
      return lua_pushfstring(L, "\"%s...\"", lua_tostring(L, -1));
    default:
      if (luaL_getmetafield(L, at, "__name") == LUA_TSTRING) return lua_tostring(L, -1);
      return lua_pushfstring(L, "a %s", luaL_typename(L, at));
  }
}

static void mismatch(const reader *r, const lun_arg *a, int at) {
  lua_State *L = r->L;
  at = lua_absindex(L, at);
  wrong(r, "%s must be %s, got %s", a->name, wanted_text(L, a, false), found_text(L, at));
}

static void item_mismatch(const reader *r, const lun_arg *a, size_t item, int at) {
  lua_State *L = r->L;
  at = lua_absindex(L, at);
  wrong(r, "%s: item %I must be %s, got %s", a->name, (LUAI_UACINT)item, wanted_text(L, a, true), found_text(L, at));
}

/* ---- values ------------------------------------------------------------------ */

static bool read_integer(lua_State *L, const lun_arg *a, int at, int64_t *to) {
  int whole = 0;
  if (lua_type(L, at) != LUA_TNUMBER) return false;
  *to = lua_tointegerx(L, at, &whole);
  return whole && (double)*to >= a->min;
}

/* Not-a-number is at least nothing. */
static bool read_number(lua_State *L, const lun_arg *a, int at, double *to) {
  if (lua_type(L, at) != LUA_TNUMBER) return false;
  *to = lua_tonumber(L, at);
  return *to >= a->min;
}

static bool read_string(lua_State *L, int at, lun_string *to) {
  if (lua_type(L, at) != LUA_TSTRING) return false;
  to->s = lua_tolstring(L, at, &to->len);
  return true;
}

/* Memory for the items of a list, which are of 'size' bytes. */
static void *room(const reader *r, size_t count, size_t size) {
  void *p = count <= SIZE_MAX / size ? lun_scratch(r->cx, count * size) : NULL;
  if (!p) wrong(r, "out of memory: a list of %I items", (LUAI_UACINT)count);
  return p;
}

static void read_list(const reader *r, const lun_arg *a, int at, lun_value *v) {
  lua_State  *L = r->L;
  size_t      count = lua_rawlen(L, at);
  int64_t    *integers = a->type == LUN_INTS ? room(r, count, sizeof *integers) : NULL;
  double     *numbers = a->type == LUN_NUMS ? room(r, count, sizeof *numbers) : NULL;
  lun_string *strings = a->type == LUN_STRS ? room(r, count, sizeof *strings) : NULL;
  for (size_t i = 0; i < count; i++) {
    bool ok;
    lua_rawgeti(L, at, (lua_Integer)i + 1);
    if (integers) ok = read_integer(L, a, -1, &integers[i]);
    else if (numbers) ok = read_number(L, a, -1, &numbers[i]);
    else ok = read_string(L, -1, &strings[i]);
    if (!ok) item_mismatch(r, a, i + 1, -1);
    lua_pop(L, 1);
  }
  v->count = count;
  if (integers) v->as.integers = integers;
  else if (numbers) v->as.numbers = numbers;
  else v->as.strings = strings;
}

static bool read_tensor(const reader *r, const lun_arg *a, int at, lun_value *v) {
  tensor_box *box = luaL_testudata(r->L, at, "lunette.tensor");
  if (!box) return false;
  if (!box->t) wrong(r, "%s: tensor is released", a->name);
  v->as.tensor = box->t;
  return true;
}

static bool read_object(const reader *r, const lun_arg *a, int at, lun_value *v) {
  bool released;
  v->as.object = test_object(r->L, at, &released);
  if (released) wrong(r, "%s: object is released", a->name);
  return v->as.object != NULL;
}

/* The value at 'at' as argument i. */
static void read_value(const reader *r, int i, int at) {
  lua_State     *L = r->L;
  const lun_arg *a = &r->declared[i];
  lun_value     *v = lun_args_value(r->args, i);
  bool           ok = true;
  at = lua_absindex(L, at);
  if (lua_isnil(L, at) || (lua_isboolean(L, at) && !lua_toboolean(L, at) && a->type != LUN_BOOL && !a->required)) return;
  if (v->type != LUN_END) wrong(r, "%s is given twice", a->name);
  switch (a->type) {
    case LUN_INT:    ok = read_integer(L, a, at, &v->as.integer); break;
    case LUN_NUM:    ok = read_number(L, a, at, &v->as.number); break;
    case LUN_STR:    ok = read_string(L, at, &v->as.string); break;
    case LUN_TENSOR: ok = read_tensor(r, a, at, v); break;
    case LUN_OBJECT: ok = read_object(r, a, at, v); break;
    case LUN_BOOL:
      ok = lua_isboolean(L, at);
      v->as.integer = lua_toboolean(L, at);
      break;
    default:
      ok = lua_istable(L, at);
      if (ok) read_list(r, a, at, v);
  }
  if (!ok) mismatch(r, a, at);
  v->type = (lun_type)a->type;
}

/* ---- names ------------------------------------------------------------------- */

/* How many letters are to be changed, added, taken or swapped with the next to get from a to b. */
static int distance(const char *a, const char *b) {
  int  rows[3][LUN_MAXNAME + 1];
  int *before = rows[0], *last = rows[1], *now = rows[2];
  int  n = (int)strlen(b);
  for (int j = 0; j <= n; j++) last[j] = j;
  for (int i = 1; a[i - 1]; i++) {
    now[0] = i;
    for (int j = 1; j <= n; j++) {
      int best = last[j - 1] + (a[i - 1] != b[j - 1]);
      if (last[j] + 1 < best) best = last[j] + 1;
      if (now[j - 1] + 1 < best) best = now[j - 1] + 1;
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && before[j - 2] + 1 < best) best = before[j - 2] + 1;
      now[j] = best;
    }
    int *spare = before;
    before = last;
    last = now;
    now = spare;
  }
  return last[n];
}

static void unknown(const reader *r, const char *name) {
  const char *close = NULL;
  int         least = 3;
  for (int i = 0; i < r->count && strlen(name) < LUN_MAXNAME; i++) {
    int d = distance(name, r->declared[i].name);
    if (d >= least || d >= (int)strlen(name)) continue;
    least = d;
    close = r->declared[i].name;
  }
  if (close) wrong(r, "unknown argument \"%s\" (did you mean \"%s\"?)", name, close);
  wrong(r, "unknown argument \"%s\"", name);
}

static int find(const reader *r, const char *name) {
  for (int i = 0; i < r->count; i++) if (strcmp(r->declared[i].name, name) == 0) return i;
  return -1;
}

/* True if 'name' is a table that arguments are keys of. */
static bool is_branch(const reader *r, const char *name) {
  size_t n = strlen(name);
  for (int i = 0; i < r->count; i++)
    if (strncmp(r->declared[i].name, name, n) == 0 && r->declared[i].name[n] == '.') return true;
  return false;
}

/* The table at 'at'; its keys come after 'prefix': "" or "attention.". */
static void read_table(const reader *r, int at, const char *prefix) {
  lua_State *L = r->L;
  luaL_checkstack(L, 16, NULL);
  lua_pushnil(L);
  while (lua_next(L, at)) {
    char name[LUN_MAXNAME + 1];        /* longer ones are cut, and then match nothing */
    int  i;
    if (lua_type(L, -2) != LUA_TSTRING) {
      lua_pop(L, 1);
      unknown(r, lua_pushfstring(L, "%s%s", prefix, found_text(L, -1)));
    }
    snprintf(name, sizeof name, "%s%s", prefix, lua_tostring(L, -2));
    i = find(r, name);
    if (i >= 0) read_value(r, i, -1);
    else if (!is_branch(r, name)) unknown(r, lua_pushfstring(L, "%s%s", prefix, lua_tostring(L, -2)));
    else if (lua_istable(L, -1)) read_table(r, lua_gettop(L), strcat(name, "."));
    else if (lua_toboolean(L, -1)) wrong(r, "%s must be a table, got %s", name, found_text(L, lua_gettop(L)));
    lua_pop(L, 1);
  }
}

/* A table of names: keys are strings, and nothing is in its list.  An empty one is a list where one is wanted. */
static bool is_named(lua_State *L, int at, const lun_arg *here) {
  if (!lua_istable(L, at) || lua_rawlen(L, at) > 0) return false;
  if (lua_getmetatable(L, at)) {
    lua_pop(L, 1);
    return false;
  }
  lua_pushnil(L);
  if (!lua_next(L, at)) return !here || !is_list(here);
  lua_pop(L, 2);
  return true;
}

/* ---- calls ------------------------------------------------------------------- */

/* The place in the declaration of positional argument n (from 0): required ones come first; -1 if there are not so many. */
static int place(const reader *r, int n) {
  for (int required = 1; required >= 0; required--)
    for (int i = 0; i < r->count; i++)
      if ((r->declared[i].required != 0) == required && n-- == 0) return i;
  return -1;
}

lun_args *read_args(lua_State *L, lun_ctx *cx, const char *label, const lun_arg *declared, int first, int last) {
  reader r = { L, cx, label, declared, lun_arg_count(declared), NULL };
  int    given = last - first + 1, at_last = given > 0 ? place(&r, given - 1) : -1;
  bool   named = given > 0 && is_named(L, last, at_last >= 0 ? &declared[at_last] : NULL);
  r.args = lun_args_make(cx, declared);
  if (!r.args) wrong(&r, "out of memory");
  if (given - named > r.count) wrong(&r, "%d arguments, takes at most %d", given - named, r.count);
  for (int n = 0; n < given - named; n++) read_value(&r, place(&r, n), first + n);
  if (named) read_table(&r, last, "");
  for (int i = 0; i < r.count; i++)
    if (declared[i].required && lun_args_value(r.args, i)->type == LUN_END)
      wrong(&r, "%s is missing, wanted %s", declared[i].name, wanted_text(L, &declared[i], false));
  return r.args;
}
