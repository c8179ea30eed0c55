/*
** lua_plugin.c - a plugin as a Lua module: its functions, its blocks as constructors
** of callable values, its classes as values with methods.
**
**   vision.resize(image, { height = 32, width = 32 })
**   local embed = vision.patch_embedding { weight = w }      embed(pixels)   embed.path = "encoder.patches"
**   tokenizer:encode("a photo", { add_special_tokens = true })
**
** A plugin's code never runs while Lua may raise: arguments are read before the
** call and results are pushed after it.  Userdata are made closed first, then
** filled, so that an error of Lua leaves nothing behind; and making one is all
** that lets Lua collect, so that nothing of a call is in the air when a finalizer runs.
*/
#include <string.h>
#include "lua_plugin.h"

#define NODE   "lunette.block"
#define RESULT "lunette.result"

static const char object_key = 0;        /* in a metatable: its userdata are objects */

typedef struct object_box { lun_object *object; } object_box;    /* NULL when released */
typedef struct node_box   { lun_node *node; } node_box;

static lun_ctx *begin_call(lua_State *L) {
  lun_ctx *cx = begin(L);
  lun_scratch_reset(cx, 0);
  return cx;
}

static const void *upvalue(lua_State *L, int i) { return lua_touserdata(L, lua_upvalueindex(i)); }

/* ---- objects ------------------------------------------------------------------ */

static object_box *test_box(lua_State *L, int at) {
  object_box *box = NULL;
  if (lua_type(L, at) != LUA_TUSERDATA || !lua_getmetatable(L, at)) return NULL;
  if (lua_rawgetp(L, -1, &object_key) != LUA_TNIL) box = lua_touserdata(L, at);
  lua_pop(L, 2);
  return box;
}

lun_object *test_object(lua_State *L, int at, bool *released) {
  object_box *box = test_box(L, lua_absindex(L, at));
  *released = box && !box->object;
  return box ? box->object : NULL;
}

static int free_object(lua_State *L) {
  object_box *box = test_box(L, 1);
  lun_object *object = box ? box->object : NULL;
  luaL_argexpected(L, box, 1, "object");
  box->object = NULL;
  lun_object_drop(object);
  return 0;
}

static int release_object(lua_State *L) {
  refuse_finalizer(L);         /* a call may be using it */
  return free_object(L);
}

static int print_object(lua_State *L) {
  object_box *box = test_box(L, 1);
  luaL_argexpected(L, box, 1, "object");
  luaL_getmetafield(L, 1, "__name");
  if (box->object) return 1;
  lua_pushfstring(L, "%s (released)", lua_tostring(L, -1));
  return 1;
}

/* ---- results ------------------------------------------------------------------ */

typedef struct result_box { lun_result *result; } result_box;

static int free_result(lua_State *L) {
  result_box *box = luaL_checkudata(L, 1, RESULT);
  lun_result *result = box->result;
  box->result = NULL;
  lun_result_close(result);
  return 0;
}

static result_box *new_result_box(lua_State *L) {
  result_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->result = NULL;
  luaL_setmetatable(L, RESULT);
  return box;
}

static void push_object(lua_State *L, lun_result *r, int i, const lun_value *v) {
  object_box *box = lua_newuserdatauv(L, sizeof *box, 0);
  box->object = NULL;
  lua_rawgetp(L, LUA_REGISTRYINDEX, lun_object_class(v->as.object));
  lua_setmetatable(L, -2);
  box->object = lun_result_take(r, i);
}

static void push_list(lua_State *L, const lun_value *v) {
  lua_createtable(L, v->count <= 1 << 30 ? (int)v->count : 0, 0);
  for (size_t i = 0; i < v->count; i++) {
    if (v->type == LUN_INTS) lua_pushinteger(L, v->as.integers[i]);
    else if (v->type == LUN_NUMS) lua_pushnumber(L, v->as.numbers[i]);
    else lua_pushlstring(L, v->as.strings[i].s, v->as.strings[i].len);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_value(lua_State *L, lun_result *r, int i, const lun_value *v) {
  switch (v->type) {
    case LUN_INT:    lua_pushinteger(L, v->as.integer); break;
    case LUN_BOOL:   lua_pushboolean(L, v->as.integer != 0); break;
    case LUN_NUM:    lua_pushnumber(L, v->as.number); break;
    case LUN_STR:    lua_pushlstring(L, v->as.string.s, v->as.string.len); break;
    case LUN_TENSOR: push_tensor(L, v->as.tensor); break;
    case LUN_OBJECT: push_object(L, r, i, v); break;
    case LUN_END:    lua_pushnil(L); break;
    default:         push_list(L, v);
  }
}

/* ---- functions and methods ------------------------------------------------------ */

/* Upvalues: the plugin, the lun_func, its label.  Arguments are [first, top]. */
static int call(lua_State *L, lun_object *self, int first) {
  const lun_func  *func = upvalue(L, 2);
  int              count, last = lua_gettop(L);
  result_box      *box = new_result_box(L);
  lun_ctx         *cx = begin_call(L);
  lun_args        *args = read_args(L, cx, lua_tostring(L, lua_upvalueindex(3)), func->args, first, last);
  const lun_value *v;
  box->result = lun_func_call(cx, upvalue(L, 1), func, self, args);
  if (!box->result) return func->flags & LUN_MAYFAIL ? return_error(L, cx) : raise_error(L, cx);
  lun_scope_close(cx, 0, NULL);
  v = lun_result_values(box->result, &count);
  luaL_checkstack(L, count + 8, "too many results");
  for (int i = 0; i < count; i++) push_value(L, box->result, i, &v[i]);
  lun_result_close(box->result);
  box->result = NULL;
  return count;
}

static int call_function(lua_State *L) { return call(L, NULL, 1); }

/* One more upvalue: the class. */
static int call_method(lua_State *L) {
  const lun_class *cls = upvalue(L, 4);
  const char      *label = lua_tostring(L, lua_upvalueindex(3));
  bool             released;
  lun_object      *self = test_object(L, 1, &released);
  if (released) return luaL_error(L, "%s: the %s is released", label, cls->name);
  if (!self || lun_object_class(self) != cls)
    return luaL_error(L, "%s: called on %s, wanted %s (is it called with a colon?)", label,
                      self ? lun_object_class(self)->name : luaL_typename(L, 1), cls->name);
  return call(L, self, 2);
}

static void push_callable(lua_State *L, lun_plugin *p, const lun_class *cls, const void *thing, const char *name, lua_CFunction function) {
  char label[LUN_MAXLABEL];
  lua_pushlightuserdata(L, p);
  lua_pushlightuserdata(L, (void *)(uintptr_t)thing);
  lua_pushstring(L, lun_plugin_label(label, p, cls, name));
  lua_pushlightuserdata(L, (void *)(uintptr_t)cls);
  lua_pushcclosure(L, function, 4);
}

/* The metatable of a class, kept in the registry under its address. */
static void open_class(lua_State *L, lun_plugin *p, const lun_class *cls) {
  static const luaL_Reg meta[] = {
    { "__gc", free_object }, { "__close", release_object }, { "__tostring", print_object }, { NULL, NULL }
  };
  char            label[LUN_MAXLABEL];
  const lun_func *method;
  lua_createtable(L, 0, 8);
  luaL_setfuncs(L, meta, 0);
  lua_pushstring(L, lun_plugin_label(label, p, NULL, cls->name));
  lua_setfield(L, -2, "__name");
  hide_metatable(L);
  lua_pushboolean(L, true);
  lua_rawsetp(L, -2, &object_key);
  lua_newtable(L);
  lua_pushcfunction(L, release_object);
  lua_setfield(L, -2, "free");
  for (int i = 0; (method = lun_class_method(cls, i)) != NULL; i++) {
    push_callable(L, p, cls, method, method->name, call_method);
    lua_setfield(L, -2, method->name);
  }
  lua_setfield(L, -2, "__index");
  lua_rawsetp(L, LUA_REGISTRYINDEX, cls);
}

/* ---- blocks ---------------------------------------------------------------------- */

static node_box *check_node(lua_State *L) {
  node_box *box = luaL_checkudata(L, 1, NODE);
  if (!box->node) luaL_argerror(L, 1, "block is released");
  return box;
}

static int free_node(lua_State *L) {
  node_box *box = luaL_checkudata(L, 1, NODE);
  lun_node *node = box->node;
  box->node = NULL;
  lun_node_drop(node);
  return 0;
}

static int release_node(lua_State *L) {
  refuse_finalizer(L);
  return free_node(L);
}

/* Upvalues: the plugin, the lun_block, its label. */
static int make_node(lua_State *L) {
  const lun_block *block = upvalue(L, 2);
  int              top = lua_gettop(L);
  node_box        *box = lua_newuserdatauv(L, sizeof *box, 0);
  lun_ctx         *cx;
  box->node = NULL;
  luaL_setmetatable(L, NODE);
  cx = begin_call(L);
  box->node = lun_node_make(cx, upvalue(L, 1), block,
                            read_args(L, cx, lua_tostring(L, lua_upvalueindex(3)), block->args, 1, top));
  return box->node ? 1 : raise_error(L, cx);
}

static int call_node(lua_State *L) {
  lun_node   *node = check_node(L)->node;
  lun_ctx    *cx = begin_call(L);
  const char *path = lun_node_path(node);
  lun_args   *in = read_args(L, cx, *path ? path : lun_node_label(node), lun_node_block(node)->inputs, 2, lua_gettop(L));
  return return_tensor(L, cx, lun_node_forward(cx, node, in));
}

static int print_node(lua_State *L) {
  node_box *box = luaL_checkudata(L, 1, NODE);
  if (!box->node) lua_pushliteral(L, NODE " (released)");
  else if (*lun_node_path(box->node)) lua_pushfstring(L, "%s (%s)", lun_node_label(box->node), lun_node_path(box->node));
  else lua_pushstring(L, lun_node_label(box->node));
  return 1;
}

static int index_node(lua_State *L) {
  const char *key = luaL_checkstring(L, 2);
  if (strcmp(key, "free") == 0) lua_pushcfunction(L, release_node);
  else if (strcmp(key, "path") == 0) lua_pushstring(L, lun_node_path(check_node(L)->node));
  else if (strcmp(key, "name") == 0) lua_pushstring(L, lun_node_label(check_node(L)->node));
  else lua_pushnil(L);
  return 1;
}

/* block.path = "encoder.layers.0": what its errors begin with */
static int set_node(lua_State *L) {
  lun_node   *node = check_node(L)->node;
  const char *key = luaL_checkstring(L, 2);
  lun_ctx    *cx = begin(L);
  if (strcmp(key, "path") != 0) return luaL_error(L, "a block has no field \"%s\" to be set, only path", key);
  return lun_node_set_path(cx, node, luaL_checkstring(L, 3)) == LUN_OK ? 0 : raise_error(L, cx);
}

static void open_nodes(lua_State *L) {
  static const luaL_Reg meta[] = {
    { "__gc", free_node }, { "__close", release_node }, { "__tostring", print_node }, { "__call", call_node },
    { "__index", index_node }, { "__newindex", set_node }, { NULL, NULL }
  };
  luaL_newmetatable(L, NODE);
  luaL_setfuncs(L, meta, 0);
  hide_metatable(L);
  lua_pop(L, 1);
}

/* ---- modules ---------------------------------------------------------------------- */

/* Puts what a plugin offers into the table on top of the stack. */
static void fill_module(lua_State *L, lun_plugin *p) {
  const lun_func  *func;
  const lun_block *block;
  const lun_class *cls;
  for (int i = 0; (cls = lun_plugin_class(p, i)) != NULL; i++) open_class(L, p, cls);
  for (int i = 0; (func = lun_plugin_func(p, i)) != NULL; i++) {
    push_callable(L, p, NULL, func, func->name, call_function);
    lua_setfield(L, -2, func->name);
  }
  for (int i = 0; (block = lun_plugin_block(p, i)) != NULL; i++) {
    push_callable(L, p, NULL, block, block->name, make_node);
    lua_setfield(L, -2, block->name);
  }
}

void push_plugin(lua_State *L, lun_plugin *p) {
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, p) != LUA_TNIL) return;
  lua_pop(L, 1);
  lua_newtable(L);
  fill_module(L, p);
  lua_pushvalue(L, -1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, p);
}

/* core.load_plugin(path) -> its module, or nil, message, code */
static int load_plugin(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lun_ctx    *cx = begin(L);
  lun_plugin *p = lun_plugin_load(cx, path);
  if (!p) return return_error(L, cx);
  push_plugin(L, p);
  return 1;
}

void open_plugins(lua_State *L) {
  lun_ctx    *cx = begin(L);
  lun_plugin *builtin = lun_plugin_builtin(cx);
  if (!builtin) raise_error(L, cx);
  luaL_newmetatable(L, RESULT);
  lua_pushcfunction(L, free_result);
  lua_setfield(L, -2, "__gc");
  lua_pop(L, 1);
  open_nodes(L);
  fill_module(L, builtin);
  lua_pushcfunction(L, load_plugin);
  lua_setfield(L, -2, "load_plugin");
  open_search(L);
  open_describe(L);
}
