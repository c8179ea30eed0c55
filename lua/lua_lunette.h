/*
** lua_lunette.h - what the files of the Lua binding share.
**
** One context a Lua state.  Lua owns references: a userdata holds one reference
** to a tensor and no data.  The core never calls back into Lua, so no scope of
** the core is open between two calls: every function may begin by emptying it
** (begin()), which also frees what a Lua error left behind.  So no Lua code may
** run between begin() and the end of a function: tables are read raw, and
** begin() refuses finalizers, which any allocation of Lua can start.  So does
** whatever a script may call to release what a function could be using.
*/
#ifndef LUA_LUNETTE_H
#define LUA_LUNETTE_H

#include <lua.h>
#include <lauxlib.h>
#include "lun.h"

/* lua_open.c */
lun_ctx *get_context(lua_State *L);               /* raises if there is no memory for one */
lun_ctx *begin(lua_State *L);                     /* the context, with an empty scope and no error */
void     refuse_finalizer(lua_State *L);          /* raises if one is running */
int      raise_error(lua_State *L, lun_ctx *cx);  /* raises the context's error with position and clears it */
int      return_error(lua_State *L, lun_ctx *cx); /* pushes nil, message, code name and clears it; returns 3 */
const char *plain_text(lua_State *L, int at);     /* pushes a value for a message: its type, unless one line says what it is */
void     hide_metatable(lua_State *L);            /* getmetatable(v) gives the __name of the metatable on top, not the table */

/* lua_tensor.c */
lun_tensor *check_tensor(lua_State *L, int arg);  /* raises if it is none, or "tensor is released" */
lun_tensor *test_tensor(lua_State *L, int arg);   /* NULL if it is none; raises "tensor is released" */
void        push_tensor(lua_State *L, lun_tensor *t);   /* the userdata takes a reference of its own */
int         return_tensor(lua_State *L, lun_ctx *cx, lun_tensor *t);  /* pushes t, or raises the context's error; empties the scope; returns 1 */
lun_tensor *tensor_from_value(lua_State *L, lun_ctx *cx, int arg);    /* a tensor, or a number as one of no dimensions */
lun_tensor *value_for(lua_State *L, lun_ctx *cx, int arg, lun_dtype type);    /* a tensor, or a number as a 'type' can hold it */

lun_tensor *readable(lun_ctx *cx, lun_tensor *t);         /* the same numbers as one of f32, f64, i64, i32, u8: what C can read */
void        push_number(lua_State *L, lun_dtype type, const void *data, int64_t i);

/* each completes the metatable of tensors, which is on top of the stack */
void open_index(lua_State *L);      /* lua_index.c */
void open_print(lua_State *L);      /* lua_print.c */

/* each adds its functions to the table on top of the stack */
void open_tensor(lua_State *L);     /* lua_tensor.c */
void open_ops(lua_State *L);        /* lua_ops.c */
void open_scope(lua_State *L);      /* lua_scope.c */
void open_files(lua_State *L);      /* lua_files.c */
void open_packs(lua_State *L);      /* lua_packs.c */
void open_plugins(lua_State *L);    /* lua_plugin.c */

/* lua_scope.c: tensors made from Lua while a scope is open belong to it */
typedef struct tensor_box {
  lun_tensor        *t;             /* NULL when released */
  struct tensor_box *prev, *next;   /* in the list of its scope; NULL, NULL outside one */
  struct scope      *scope;
} tensor_box;

void scope_enter(lua_State *L, tensor_box *box);  /* into the innermost open scope, if any */
void scope_leave(tensor_box *box);
void release_box(tensor_box *box);                /* idempotent */

#endif
