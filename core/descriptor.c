/*
** descriptor.c - checks what a plugin registers before anybody relies on it.
**
** A descriptor is a plugin's own memory: all that can be checked is that it is
** not nonsense.  The first thing refused stays in the plugin's record, so that
** a plugin that does not look at what add_block() returned is refused all the same.
*/
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "plugin.h"
#include "tensor.h"

LUN_PRINTF(2, 3)
static lun_status refuse(lun_plugin *p, const char *fmt, ...) {
  va_list ap;
  if (p->code != LUN_OK) return p->code;
  va_start(ap, fmt);
  vsnprintf(p->refusal, sizeof p->refusal, fmt, ap);
  va_end(ap);
  return p->code = LUN_EABI;
}

/* The length of a name that starts at 's'; 0 if there is none. */
static size_t name_length(const char *s) {
  size_t n = 0;
  if (*s < 'a' || *s > 'z') return 0;
  while (n < LUN_MAXNAME && ((s[n] >= 'a' && s[n] <= 'z') || (s[n] >= '0' && s[n] <= '9') || s[n] == '_')) n++;
  return n < LUN_MAXNAME ? n : 0;
}

bool lun_name_ok(const char *name) {
  size_t n = name_length(name);
  return n > 0 && name[n] == '\0';
}

/* "attention.q.weight": names with dots between, LUN_MAXNAME in all */
static bool dotted_ok(const char *name) {
  const char *s = name;
  for (;;) {
    size_t n = name_length(s);
    if (n == 0 || (s - name) + n >= LUN_MAXNAME) return false;
    s += n;
    if (*s == '\0') return true;
    if (*s++ != '.') return false;
  }
}

/* True if one is the other, or a table that the other is a key of. */
static bool collide(const char *a, const char *b) {
  size_t n = strlen(a), m = strlen(b);
  if (n > m) return collide(b, a);
  return strncmp(a, b, n) == 0 && (b[n] == '\0' || b[n] == '.');
}

/* 'what' is the thing they are the arguments of: "block mlp". */
static lun_status check_args(lun_plugin *p, const char *what, const lun_arg *args) {
  int n = 0;
  if (!args) return refuse(p, "%s has no list of arguments", what);
  for (; args[n].type != LUN_END; n++) {
    const lun_arg *a = &args[n];
    if (n == LUN_MAXARGS) return refuse(p, "%s: no LUN_END after %d arguments", what, LUN_MAXARGS);
    if (a->type < LUN_END || a->type > LUN_OBJECT)
      return refuse(p, "%s: argument %d has type %d, which is none", what, n + 1, (int)a->type);
    if (!a->name) return refuse(p, "%s: argument %d has no name", what, n + 1);
    if (!dotted_ok(a->name))
      return refuse(p, "%s: argument %d has a name that is not [a-z][a-z0-9_]*, with dots between, of at most %d bytes", what, n + 1, LUN_MAXNAME - 1);
    if (isnan(a->min)) return refuse(p, "%s: %s has no number as its least value", what, a->name);
    if (!isfinite(a->def) && a->type != LUN_NUM) return refuse(p, "%s: %s has no number as its default", what, a->name);
    if (a->type == LUN_INT && !(fabs(a->def) < 0x1p63 && a->def == floor(a->def)))
      return refuse(p, "%s: the default of %s is %g, wanted an integer", what, a->name, a->def);
    for (int i = 0; i < n; i++)
      if (collide(args[i].name, a->name)) return refuse(p, "%s: arguments %s and %s collide", what, args[i].name, a->name);
  }
  return LUN_OK;
}

static lun_status check_head(lun_plugin *p, const char *kind, uint32_t size, size_t wanted, const char *name) {
  if (size != wanted) return refuse(p, "a %s says it has %u bytes, wanted %zu", kind, (unsigned)size, wanted);
  if (!name) return refuse(p, "a %s has no name", kind);
  if (!lun_name_ok(name)) return refuse(p, "a %s has a name that is not [a-z][a-z0-9_]* of at most %d bytes", kind, LUN_MAXNAME - 1);
  return LUN_OK;
}

static lun_status check_state(lun_plugin *p, const char *kind, const char *name, uint32_t bytes) {
  if (bytes <= LUN_MAXSTATE) return LUN_OK;
  return refuse(p, "%s %s wants %u bytes of state, at most %d", kind, name, (unsigned)bytes, LUN_MAXSTATE);
}

static lun_status check_func(lun_plugin *p, const char *kind, const lun_func *f) {
  char what[LUN_MAXNAME + 16];
  if (check_head(p, kind, f->size, sizeof(lun_func), f->name) != LUN_OK) return p->code;
  snprintf(what, sizeof what, "%s %s", kind, f->name);
  if (!f->call) return refuse(p, "%s has nothing to call", what);
  return check_args(p, what, f->args);
}

static lun_status add(lun_plugin *p, lun_list *list, const void *item) {
  if (list->count == list->room) {
    int          room = list->room ? list->room * 2 : 16;
    const void **more = lun_alloc((size_t)room * sizeof *more);
    if (!more) {
      refuse(p, "out of memory");
      return p->code = LUN_EMEM;
    }
    if (list->count) memcpy(more, list->item, (size_t)list->count * sizeof *more);
    lun_free(list->item);
    list->item = more;
    list->room = room;
  }
  list->item[list->count++] = item;
  return LUN_OK;
}

/* Blocks and functions share the keys of one module. */
static lun_status check_key(lun_plugin *p, const char *name) {
  for (int i = 0; i < p->blocks.count; i++)
    if (strcmp(lun_plugin_block(p, i)->name, name) == 0) return refuse(p, "two things are named %s", name);
  for (int i = 0; i < p->funcs.count; i++)
    if (strcmp(lun_plugin_func(p, i)->name, name) == 0) return refuse(p, "two things are named %s", name);
  return LUN_OK;
}

static lun_status check_open(lun_plugin *p, const char *kind, const void *item) {
  if (!p->opening) return LUN_EARG;     /* too late to tell anybody else */
  if (!item) return refuse(p, "a %s is NULL", kind);
  return p->code;
}

lun_status lun_add_block(lun_plugin *p, const lun_block *b) {
  char what[LUN_MAXNAME + 16];
  if (check_open(p, "block", b) != LUN_OK) return p->opening ? p->code : LUN_EARG;
  if (check_head(p, "block", b->size, sizeof *b, b->name) != LUN_OK || check_key(p, b->name) != LUN_OK ||
      check_state(p, "block", b->name, b->state_size) != LUN_OK) return p->code;
  snprintf(what, sizeof what, "block %s", b->name);
  if (!b->init || !b->forward) return refuse(p, "%s has no %s", what, b->init ? "forward" : "init");
  if (check_args(p, what, b->args) != LUN_OK || check_args(p, what, b->inputs) != LUN_OK) return p->code;
  return add(p, &p->blocks, b);
}

lun_status lun_add_func(lun_plugin *p, const lun_func *f) {
  if (check_open(p, "function", f) != LUN_OK) return p->opening ? p->code : LUN_EARG;
  if (check_func(p, "function", f) != LUN_OK || check_key(p, f->name) != LUN_OK) return p->code;
  return add(p, &p->funcs, f);
}

lun_status lun_add_class(lun_plugin *p, const lun_class *c) {
  if (check_open(p, "class", c) != LUN_OK) return p->opening ? p->code : LUN_EARG;
  if (check_head(p, "class", c->size, sizeof *c, c->name) != LUN_OK ||
      check_state(p, "class", c->name, c->state_size) != LUN_OK) return p->code;
  for (int i = 0; i < p->classes.count; i++)
    if (strcmp(lun_plugin_class(p, i)->name, c->name) == 0) return refuse(p, "two classes are named %s", c->name);
  if (!c->methods) return refuse(p, "class %s has no list of methods", c->name);
  for (const lun_func *f = c->methods; f->name; f++) {
    if (f - c->methods == LUN_MAXARGS) return refuse(p, "class %s: no NULL name after %d methods", c->name, LUN_MAXARGS);
    if (check_func(p, "method", f) != LUN_OK) return p->code;
    for (const lun_func *g = c->methods; g < f; g++)
      if (strcmp(g->name, f->name) == 0) return refuse(p, "class %s has two methods named %s", c->name, f->name);
  }
  return add(p, &p->classes, c);
}
