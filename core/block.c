/*
** block.c - instances of what plugins describe (nodes of blocks, objects of
** classes), and the calls into plugins.
**
** Whatever a plugin does, a call ends in one of two ways: with its result, or with
** an error in the context that says a sentence.
*/
#include <stdio.h>
#include <string.h>
#include "plugin.h"
#include "block.h"
#include "context.h"

/* Puts "label: " before the message of the context's error. */
static void prefix_error(lun_ctx *cx, const char *label) {
  char message[sizeof cx->message];
  memcpy(message, cx->message, sizeof message);
  snprintf(cx->message, sizeof cx->message, "%.200s: %.800s", label, message);
}

/* A plugin's own status and the context's error agree when a call is over. */
static lun_status settle(lun_ctx *cx, lun_status status) {
  if (status == LUN_OK || lun_error(cx) != LUN_OK) return lun_error(cx);
  if ((unsigned)status > LUN_EABI) status = LUN_EARG;
  return lun_fail(cx, status, "it failed (%s) and did not say why", lun_status_name(status));
}

/* ---- objects ---------------------------------------------------------------- */

lun_object *lun_object_make(const lun_class *cls) {
  lun_object *o = lun_alloc(sizeof *o);
  if (!o) return NULL;
  *o = (lun_object){ cls, lun_alloc(cls->state_size) };
  if (o->state) {
    memset(o->state, 0, cls->state_size);
    return o;
  }
  lun_free(o);
  return NULL;
}

const lun_class *lun_object_class(const lun_object *o) { return o->cls; }

void lun_object_drop(lun_object *o) {
  if (!o) return;
  if (o->cls->drop) o->cls->drop(o->state);
  lun_free(o->state);
  lun_free(o);
}

lun_result *lun_func_call(lun_ctx *cx, const lun_plugin *p, const lun_func *func, lun_object *self, const lun_args *args) {
  lun_result *r = lun_error(cx) == LUN_OK ? result_open(cx, p) : NULL;
  bool        may_fail = func->flags & LUN_MAYFAIL;
  char        label[LUN_MAXLABEL];
  int         count = 0;
  if (r) {
    settle(cx, func->call(cx, self ? self->state : NULL, args, r));
    lun_result_values(r, &count);
    if (lun_error(cx) == LUN_OK && may_fail && count == 0)
      lun_fail(cx, LUN_EARG, "%s returned neither a result nor an error", func->name);
    if (lun_error(cx) == LUN_OK) return r;
    lun_result_close(r);
  }
  if (!may_fail) prefix_error(cx, lun_plugin_label(label, p, self ? self->cls : NULL, func->name));
  return NULL;
}

/* ---- nodes ------------------------------------------------------------------- */

struct lun_node {
  const lun_block *block;
  void            *state;
  char            *path;                   /* NULL: none */
  char             label[LUN_MAXLABEL];
};

static lun_node *new_node(lun_ctx *cx, const lun_plugin *p, const lun_block *block) {
  lun_node *n = lun_alloc(sizeof *n);
  if (n) {
    *n = (lun_node){ .block = block, .state = lun_alloc(block->state_size) };
    lun_plugin_label(n->label, p, NULL, block->name);
    if (n->state) {
      memset(n->state, 0, block->state_size);
      return n;
    }
    lun_free(n);
  }
  lun_fail(cx, LUN_EMEM, "out of memory");
  return NULL;
}

lun_node *lun_node_make(lun_ctx *cx, const lun_plugin *p, const lun_block *block, const lun_args *args) {
  lun_node *n;
  size_t    scope;
  if (lun_error(cx) != LUN_OK) return NULL;
  n = new_node(cx, p, block);
  if (!n) return NULL;
  scope = lun_scope_open(cx);
  settle(cx, block->init(cx, n->state, args));
  lun_scope_close(cx, scope, NULL);
  if (lun_error(cx) == LUN_OK) return n;
  prefix_error(cx, n->label);
  lun_node_drop(n);
  return NULL;
}

void lun_node_drop(lun_node *n) {
  if (!n) return;
  if (n->block->drop) n->block->drop(n->state);
  lun_free(n->state);
  lun_free(n->path);
  lun_free(n);
}

lun_tensor *lun_node_forward(lun_ctx *cx, lun_node *n, const lun_args *in) {
  size_t      scope, scratch;
  lun_tensor *y;
  if (lun_error(cx) != LUN_OK) return NULL;
  scope = lun_scope_open(cx);
  scratch = lun_scratch_mark(cx);
  y = n->block->forward(cx, n->state, in);
  if (!y && lun_error(cx) == LUN_OK) lun_fail(cx, LUN_EARG, "it returned no tensor and did not say why");
  if (lun_error(cx) != LUN_OK) {
    y = NULL;
    prefix_error(cx, n->path && *n->path ? n->path : n->label);
  }
  lun_scratch_reset(cx, scratch);
  return lun_scope_close(cx, scope, y);
}

const lun_block *lun_node_block(const lun_node *n) { return n->block; }
const char      *lun_node_label(const lun_node *n) { return n->label; }
const char      *lun_node_path(const lun_node *n) { return n->path ? n->path : ""; }

lun_status lun_node_set_path(lun_ctx *cx, lun_node *n, const char *path) {
  size_t bytes = strlen(path) + 1;
  char  *copy = lun_alloc(bytes);
  if (!copy) return lun_fail(cx, LUN_EMEM, "out of memory");
  memcpy(copy, path, bytes);
  lun_free(n->path);
  n->path = copy;
  return LUN_OK;
}
