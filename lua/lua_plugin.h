/* lua_plugin.h - what the files that bring plugins to Lua share. */
#ifndef LUA_PLUGIN_H
#define LUA_PLUGIN_H

#include "lua_lunette.h"
#include "lun_host.h"

/*
** read_args - the stack's values [first, last] as arguments of 'label'.
**
** They come in the order that their declaration gives, the required ones first;
** those that are not given so may be in a table of names at the end.  A name with
** dots is a key of a table inside it.  nil is a value left out, and so is false where
** no boolean is wanted (cond and value).  Raises what is wrong.  Neither calls
** Lua nor makes Lua collect: the result is good until either happens.
*/
lun_args *read_args(lua_State *L, lun_ctx *cx, const char *label, const lun_arg *declared, int first, int last);

/* lua_plugin.c */
lun_object *test_object(lua_State *L, int at, bool *released);   /* NULL if it is none, or released */
void        push_plugin(lua_State *L, lun_plugin *p);            /* its module, a table */

void open_search(lua_State *L);      /* lua_search.c: adds to the table on top of the stack, and the searcher to package.searchers */
void open_describe(lua_State *L);    /* lua_describe.c: adds to the table on top of the stack */

#endif
