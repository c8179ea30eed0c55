/*
** lua_scope.c - lunette.scope(): tensors made while it is open are released when
** it closes, whatever still refers to them.
**
**   local scope <close> = lunette.scope()
**   local best = scope:keep(logits:argmax())    -- lives on, in the scope outside
*/
#include "lua_lunette.h"

typedef struct scope {
  tensor_box    head;               /* of a ring; head.next == &head when empty */
  struct scope *outer;
  bool          open;
} scope;

static const char top_key = 0;      /* registry: light userdata, the innermost open scope */

static scope *top(lua_State *L) {
  scope *s;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &top_key);
  s = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return s;
}

static void set_top(lua_State *L, scope *s) {
  lua_pushlightuserdata(L, s);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &top_key);
}

static void link_box(scope *s, tensor_box *box) {
  box->scope = s;
  box->next = s->head.next;
  box->prev = &s->head;
  box->next->prev = box;
  s->head.next = box;
}

void scope_enter(lua_State *L, tensor_box *box) {
  scope *s = top(L);
  if (s) link_box(s, box);
}

void scope_leave(tensor_box *box) {
  if (!box->next) return;
  box->prev->next = box->next;
  box->next->prev = box->prev;
  box->prev = box->next = NULL;
  box->scope = NULL;
}

void release_box(tensor_box *box) {
  lun_tensor *t = box->t;
  scope_leave(box);
  box->t = NULL;
  lun_drop(t);
}

/* into the scope outside s */
static void move_box(const scope *s, tensor_box *box) {
  scope_leave(box);
  if (s->outer) link_box(s->outer, box);
}

static scope *check_scope(lua_State *L) { return luaL_checkudata(L, 1, "lunette.scope"); }

/* Closes the scopes opened inside as well: an error may have skipped theirs. */
static int close_scope(lua_State *L) {
  scope *s = check_scope(L);
  refuse_finalizer(L);
  if (!s->open) return 0;
  for (scope *inner = top(L);; inner = inner->outer) {
    while (inner->head.next != &inner->head) release_box(inner->head.next);
    inner->open = false;
    if (inner == s) break;
  }
  set_top(L, s->outer);
  return 0;
}

/*
** A collected scope that nobody closed leaves the chain of open ones.  Its tensors
** stay, as if kept: somebody may be using them.
*/
static int collect_scope(lua_State *L) {
  scope *s = check_scope(L), *inner = top(L);
  if (!s->open) return 0;
  s->open = false;
  if (inner == s) set_top(L, s->outer);
  else {
    while (inner->outer != s) inner = inner->outer;
    inner->outer = s->outer;
  }
  while (s->head.next != &s->head) move_box(s, s->head.next);
  return 0;
}

/* True if 'inner' is s, or a scope opened while s was open. */
static bool is_inside(lua_State *L, const scope *s, const scope *inner) {
  const scope *at = top(L);
  if (!inner) return false;
  while (at != s && at != inner) at = at->outer;
  return at == inner;
}

/* scope:keep(...) -> ...: the tensors move to the scope outside */
static int keep(lua_State *L) {
  scope *s = check_scope(L);
  luaL_argcheck(L, s->open, 1, "scope is closed");
  for (int i = 2; i <= lua_gettop(L); i++) {
    tensor_box *box;
    check_tensor(L, i);
    box = lua_touserdata(L, i);
    if (is_inside(L, s, box->scope)) move_box(s, box);      /* one of a scope outside stays there: it lives longer */
  }
  return lua_gettop(L) - 1;
}

static int new_scope(lua_State *L) {
  scope *s = lua_newuserdatauv(L, sizeof *s, 0);
  s->head = (tensor_box){ NULL, &s->head, &s->head, NULL };
  s->outer = NULL;
  s->open = false;
  luaL_setmetatable(L, "lunette.scope");
  s->outer = top(L);
  set_top(L, s);
  s->open = true;
  return 1;
}

void open_scope(lua_State *L) {
  static const luaL_Reg meta[] = { { "__close", close_scope }, { "__gc", collect_scope }, { NULL, NULL } };
  static const luaL_Reg methods[] = { { "keep", keep }, { "close", close_scope }, { NULL, NULL } };
  luaL_newmetatable(L, "lunette.scope");
  luaL_setfuncs(L, meta, 0);
  hide_metatable(L);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);
  lua_pushcfunction(L, new_scope);
  lua_setfield(L, -2, "scope");
}
