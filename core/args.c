/*
** args.c - the arguments of a call as a plugin asks for them, and its results.
**
** An argument is found by its declared name.  Asking for one that was not
** declared, or as another type, is a mistake in the plugin: it fails the call.
*/
#include <stdio.h>
#include <string.h>
#include "plugin.h"
#include "tensor.h"

struct lun_args {
  lun_ctx       *cx;
  const lun_arg *declared;
  int            count;
  lun_value      value[];        /* one each */
};

int lun_arg_count(const lun_arg *declared) {
  int n = 0;
  while (declared[n].type != LUN_END) n++;
  return n;
}

lun_args *lun_args_make(lun_ctx *cx, const lun_arg *declared) {
  int       count = lun_arg_count(declared);
  size_t    bytes = sizeof(lun_args) + (size_t)count * sizeof(lun_value);
  lun_args *a = lun_scratch(cx, bytes);
  if (!a) return NULL;
  memset(a, 0, bytes);
  a->cx = cx;
  a->declared = declared;
  a->count = count;
  return a;
}

lun_value *lun_args_value(lun_args *a, int i) { return &a->value[i]; }

/* ---- what a plugin asks --------------------------------------------------- */

/* As a rule plugins ask with the literal that they declared. */
static int position(const lun_args *a, const char *name) {
  for (int i = 0; i < a->count; i++) if (a->declared[i].name == name) return i;
  for (int i = 0; i < a->count; i++) if (strcmp(a->declared[i].name, name) == 0) return i;
  lun_fail(a->cx, LUN_EARG, "the plugin asks for argument %s, which it did not declare", name);
  return -1;
}

/* The position of an argument of one of two types; -1 after an error. */
static int typed(const lun_args *a, const char *name, lun_type type, lun_type or) {
  int i = position(a, name);
  if (i < 0 || a->declared[i].type == (int32_t)type || a->declared[i].type == (int32_t)or) return i;
  lun_fail(a->cx, LUN_EARG, "the plugin asks for argument %s as a type that it did not declare", name);
  return -1;
}

/* The value of an argument; NULL if it was left out. */
static const lun_value *given(const lun_args *a, const char *name, lun_type type) {
  int i = typed(a, name, type, type);
  return i >= 0 && a->value[i].type != LUN_END ? &a->value[i] : NULL;
}

static const void *list(const lun_value *v, size_t *len, const void *items) {
  if (len) *len = v ? v->count : 0;
  return items;
}

int args_given(const lun_args *a, const char *name) {
  int i = position(a, name);
  return i >= 0 && a->value[i].type != LUN_END;
}

int64_t args_int(const lun_args *a, const char *name) {
  int i = typed(a, name, LUN_INT, LUN_BOOL);
  if (i < 0) return 0;
  return a->value[i].type != LUN_END ? a->value[i].as.integer : (int64_t)a->declared[i].def;
}

double args_num(const lun_args *a, const char *name) {
  int i = typed(a, name, LUN_NUM, LUN_NUM);
  if (i < 0) return 0;
  return a->value[i].type != LUN_END ? a->value[i].as.number : a->declared[i].def;
}

const char *args_str(const lun_args *a, const char *name, size_t *len) {
  const lun_value *v = given(a, name, LUN_STR);
  if (len) *len = v ? v->as.string.len : 0;
  return v ? v->as.string.s : NULL;
}

const int64_t *args_ints(const lun_args *a, const char *name, size_t *len) {
  const lun_value *v = given(a, name, LUN_INTS);
  return list(v, len, v ? v->as.integers : NULL);
}

const double *args_nums(const lun_args *a, const char *name, size_t *len) {
  const lun_value *v = given(a, name, LUN_NUMS);
  return list(v, len, v ? v->as.numbers : NULL);
}

const char *args_item(const lun_args *a, const char *name, size_t i, size_t *len) {
  const lun_value *v = given(a, name, LUN_STRS);
  bool             there = v && i < v->count;
  if (len) *len = there ? v->as.strings[i].len : 0;
  return there ? v->as.strings[i].s : NULL;
}

lun_tensor *args_tensor(const lun_args *a, const char *name) {
  const lun_value *v = given(a, name, LUN_TENSOR);
  return v ? v->as.tensor : NULL;
}

/* An object of another class is an error, not one left out: a call must not go on without it. */
void *args_object(const lun_args *a, const char *name, const lun_class *cls) {
  const lun_value *v = given(a, name, LUN_OBJECT);
  if (!v) return NULL;
  if (v->as.object->cls == cls) return v->as.object->state;
  lun_fail(a->cx, LUN_EARG, "%s is of class %s, wanted %s", name, v->as.object->cls->name, cls->name);
  return NULL;
}

/* ---- results --------------------------------------------------------------- */

struct lun_result {
  lun_ctx          *cx;
  const lun_plugin *plugin;      /* whose call it is */
  lun_value        *value;       /* in scratch memory */
  int               count, room;
  lun_object       *objects;     /* those nobody took yet */
};

lun_result *lun_result_open(lun_ctx *cx) {
  lun_result *r = lun_alloc(sizeof *r);
  if (r) *r = (lun_result){ .cx = cx };
  return r;
}

void result_clear(lun_result *r) {
  while (r->objects) {
    lun_object *o = r->objects;
    r->objects = o->next;
    lun_object_drop(o);
  }
  r->value = NULL;
  r->count = r->room = 0;
}

void lun_result_close(lun_result *r) {
  if (!r) return;
  result_clear(r);
  lun_free(r);
}

void result_begin(lun_result *r, const lun_plugin *p) {
  result_clear(r);
  r->plugin = p;
}

const lun_value *lun_result_values(const lun_result *r, int *count) {
  *count = r->count;
  return r->value;
}

void lun_result_take(lun_result *r, lun_object *object) {
  lun_object **at = &r->objects;
  while (*at && *at != object) at = &(*at)->next;
  if (*at) *at = object->next;
}

/* A place for one more; NULL after an error. */
static lun_value *next_value(lun_result *r, lun_type type) {
  lun_value *v;
  if (r->count == r->room) {
    int room = r->room ? r->room * 2 : 8;
    v = lun_scratch(r->cx, (size_t)room * sizeof *v);
    if (!v) return NULL;
    if (r->count) memcpy(v, r->value, (size_t)r->count * sizeof *v);
    r->value = v;
    r->room = room;
  }
  v = &r->value[r->count++];
  *v = (lun_value){ .type = type };
  return v;
}

/* A result that is a copy of 'count' numbers of 8 bytes. */
static lun_status copy_list(lun_result *r, lun_type type, const void *from, size_t count) {
  void      *to = lun_scratch(r->cx, count <= SIZE_MAX / 8 ? count * 8 : SIZE_MAX);
  lun_value *v = to ? next_value(r, type) : NULL;
  if (!v) return lun_error(r->cx);
  if (count) memcpy(to, from, count * 8);
  v->count = count;
  if (type == LUN_INTS) v->as.integers = to;
  else v->as.numbers = to;
  return lun_error(r->cx);
}

lun_status result_tensor(lun_result *r, lun_tensor *t) {
  lun_value *v;
  if (!t) return lun_error(r->cx) != LUN_OK ? lun_error(r->cx) : lun_fail(r->cx, LUN_EARG, "the plugin returns a tensor that is NULL");
  v = next_value(r, LUN_TENSOR);
  if (v) v->as.tensor = t;
  return lun_error(r->cx);
}

static lun_status integer(lun_result *r, lun_type type, int64_t i) {
  lun_value *v = next_value(r, type);
  if (v) v->as.integer = i;
  return lun_error(r->cx);
}

lun_status result_int(lun_result *r, int64_t i) { return integer(r, LUN_INT, i); }
lun_status result_bool(lun_result *r, int b) { return integer(r, LUN_BOOL, b != 0); }

lun_status result_num(lun_result *r, double n) {
  lun_value *v = next_value(r, LUN_NUM);
  if (v) v->as.number = n;
  return lun_error(r->cx);
}

lun_status result_nil(lun_result *r) {
  next_value(r, LUN_END);
  return lun_error(r->cx);
}

/* Copies in one piece: the structs, then the bytes, each with a zero behind it. */
static const lun_string *copy_strings(lun_result *r, const char *const *s, const size_t *len, size_t count) {
  size_t      bytes = 0;
  lun_string *copy;
  char       *to;
  if (count > SIZE_MAX / 4 / sizeof *copy) bytes = SIZE_MAX;
  for (size_t i = 0; i < count && bytes < SIZE_MAX / 4; i++) bytes += len[i] < SIZE_MAX / 4 ? len[i] + 1 : SIZE_MAX / 4;
  if (bytes >= SIZE_MAX / 4) {
    lun_fail(r->cx, LUN_EMEM, "out of memory: a result of %zu strings", count);
    return NULL;
  }
  copy = lun_scratch(r->cx, count * sizeof *copy + bytes);
  if (!copy) return NULL;
  to = (char *)(copy + count);
  for (size_t i = 0; i < count; i++) {
    copy[i] = (lun_string){ to, len[i] };
    if (len[i]) memcpy(to, s[i], len[i]);
    to[len[i]] = '\0';
    to += len[i] + 1;
  }
  return copy;
}

lun_status result_str(lun_result *r, const char *s, size_t len) {
  const lun_string *copy = copy_strings(r, &s, &len, 1);
  lun_value        *v = copy ? next_value(r, LUN_STR) : NULL;
  if (v) v->as.string = *copy;
  return lun_error(r->cx);
}

lun_status result_strs(lun_result *r, const char *const *s, const size_t *len, size_t count) {
  const lun_string *copy = copy_strings(r, s, len, count);
  lun_value        *v = copy ? next_value(r, LUN_STRS) : NULL;
  if (v) {
    v->count = count;
    v->as.strings = copy;
  }
  return lun_error(r->cx);
}

lun_status result_ints(lun_result *r, const int64_t *v, size_t len) { return copy_list(r, LUN_INTS, v, len); }
lun_status result_nums(lun_result *r, const double *v, size_t len) { return copy_list(r, LUN_NUMS, v, len); }

void *result_object(lun_result *r, const lun_class *cls) {
  const lun_class *c = NULL;
  lun_object      *o;
  lun_value       *v;
  for (int i = 0; (c = lun_plugin_class(r->plugin, i)) != NULL && c != cls; i++) ;
  if (!c) lun_fail(r->cx, LUN_EARG, "the plugin returns an object of a class that it did not register");
  if (lun_error(r->cx) != LUN_OK) return NULL;
  o = lun_object_make(cls);
  v = o ? next_value(r, LUN_OBJECT) : NULL;
  if (!v) {
    lun_object_drop(o);
    lun_fail(r->cx, LUN_EMEM, "out of memory");
    return NULL;
  }
  o->next = r->objects;
  v->as.object = r->objects = o;
  return o->state;
}
