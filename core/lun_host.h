/*
** lun_host.h - the other side of lun_plugin.h: what a language binding uses to
** load plugins and to call what they offer.
**
** Arguments.  The binding reads its caller's values into lun_value structs, one
** beside each declared lun_arg, and checks them; the core hands them to the plugin.
** They live in scratch memory, and what they point to must outlive the call.
**
** Built-in blocks, functions and classes (core/blocks) are a plugin like any other,
** whose name is "".
*/
#ifndef LUN_HOST_H
#define LUN_HOST_H

#include "lun.h"

/* ---- plugins ------------------------------------------------------------- */

#define LUN_MAXNAME 64      /* bytes of a name, a version or a licence, with the zero */

/* A plugin's lun_about, copied and checked. */
typedef struct lun_facts {
  uint32_t abi;
  char     name[LUN_MAXNAME], version[LUN_MAXNAME], license[LUN_MAXNAME];
} lun_facts;

/*
** lun_plugin_read - what the plugin in a file says of itself; none of its code runs.
**
** Errors: LUN_EIO if the file cannot be read or is no shared library of this
** machine; LUN_EABI if its lun_about is missing, malformed or of another ABI.  'facts'
** is filled as far as it was understood, also after an error.
*/
lun_status lun_plugin_read(lun_ctx *cx, const char *path, lun_facts *facts);

/*
** lun_plugin_load - opens a plugin; a second time it returns the same one.
**
** It stays until the process ends.  Errors: those of lun_plugin_read(); LUN_EIO if the
** library cannot be linked; LUN_EABI if another plugin has its name, or if it describes
** something no host can call; what lun_plugin_open() returned.
*/
lun_plugin *lun_plugin_load(lun_ctx *cx, const char *path);
lun_plugin *lun_plugin_find(const char *name);       /* a loaded one; NULL if there is none */
lun_plugin *lun_plugin_builtin(lun_ctx *cx);         /* the one named "" */

const lun_facts *lun_plugin_facts(const lun_plugin *p);
const char      *lun_plugin_path(const lun_plugin *p);          /* "" if built in */
const lun_block *lun_plugin_block(const lun_plugin *p, int i);  /* in the order they were added; NULL past the end */
const lun_func  *lun_plugin_func(const lun_plugin *p, int i);
const lun_class *lun_plugin_class(const lun_plugin *p, int i);
const lun_func  *lun_class_method(const lun_class *cls, int i); /* NULL past the end */

/* "vision.resize", "lunette.layer" of what is built in, "text.tokenizer:encode" of a method; returns out */
#define LUN_MAXLABEL (3 * LUN_MAXNAME)
const char      *lun_plugin_label(char out[LUN_MAXLABEL], const lun_plugin *p, const lun_class *cls, const char *name);

/* ---- values --------------------------------------------------------------- */

typedef struct lun_object lun_object;    /* an instance of a class */
typedef struct lun_node   lun_node;      /* an instance of a block */

typedef struct lun_string {
  const char *s;       /* ends with a zero that 'len' does not count */
  size_t      len;
} lun_string;

/* An argument or a result.  LUN_END: left out, or a nil. */
typedef struct lun_value {
  lun_type type;
  size_t   count;              /* of a list: its items */
  union {
    int64_t           integer; /* LUN_INT, LUN_BOOL */
    double            number;
    lun_string        string;
    const int64_t    *integers;
    const double     *numbers;
    const lun_string *strings;
    lun_tensor       *tensor;
    lun_object       *object;
  } as;
} lun_value;

int        lun_arg_count(const lun_arg *declared);
lun_args  *lun_args_make(lun_ctx *cx, const lun_arg *declared);   /* all left out; scratch memory; NULL after LUN_EMEM */
lun_value *lun_args_value(lun_args *args, int i);

/* ---- calls ---------------------------------------------------------------- */

/*
** lun_func_call - a function, or a method of 'self'; its results, or NULL after an error.
**
** The message of an error begins with the function's label, unless it may fail
** (LUN_MAYFAIL): then the message is for the person whose file it is about.
*/
lun_result *lun_func_call(lun_ctx *cx, const lun_plugin *p, const lun_func *func, lun_object *self, const lun_args *args);

/* What a call returned, in order.  It holds its tensors and objects until it is closed. */
const lun_value *lun_result_values(const lun_result *r, int *count);
lun_object      *lun_result_take(lun_result *r, int i);    /* the object at i is the caller's now */
void             lun_result_close(lun_result *r);          /* NULL is ignored */

const lun_class *lun_object_class(const lun_object *o);
void             lun_object_drop(lun_object *o);           /* NULL is ignored */

/* lun_node_make - an instance of a block; NULL after an error, whose message begins with the block's label */
lun_node        *lun_node_make(lun_ctx *cx, const lun_plugin *p, const lun_block *block, const lun_args *args);
const lun_block *lun_node_block(const lun_node *n);
void             lun_node_drop(lun_node *n);               /* NULL is ignored */

/*
** lun_node_forward - runs the block in a scope of its own; the result moves to the
** scope outside.  The message of an error begins with the node's path, if it
** has one, else with the block's label.
*/
lun_tensor *lun_node_forward(lun_ctx *cx, lun_node *n, const lun_args *in);
const char *lun_node_label(const lun_node *n);             /* "vision.patch_embedding" */
const char *lun_node_path(const lun_node *n);              /* where in a model: "encoder.layers.0"; "" if not said */
lun_status  lun_node_set_path(lun_ctx *cx, lun_node *n, const char *path);

#endif
