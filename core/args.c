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

/*
** A result holds what it returns by itself, not in the scope or in scratch
** memory: the binding may be led to other calls while it passes values on.
*/
struct lun_result {
  lun_ctx          *cx;
  const lun_plugin *plugin;      /* whose call it is */
  lun_value        *value;
  int               count, room;
};

lun_result *result_open(lun_ctx *cx, const lun_plugin *p) {
  lun_result *r = lun_alloc(sizeof *r);
  if (r) *r = (lun_result){ .cx = cx, .plugin = p };
  else lun_fail(cx, LUN_EMEM, "out of memory");
  return r;
}

static void free_value(lun_value *v) {
  switch (v->type) {
    case LUN_STR:    lun_free((void *)(uintptr_t)v->as.string.s); break;
    case LUN_STRS:   lun_free((void *)(uintptr_t)v->as.strings); break;
    case LUN_INTS:   lun_free((void *)(uintptr_t)v->as.integers); break;
    case LUN_NUMS:   lun_free((void *)(uintptr_t)v->as.numbers); break;
    case LUN_TENSOR: lun_drop(v->as.tensor); break;
    case LUN_OBJECT: lun_object_drop(v->as.object); break;
    default: break;
  }
}

void lun_result_close(lun_result *r) {
  if (!r) return;
  while (r->count > 0) free_value(&r->value[--r->count]);
  lun_free(r->value);
  lun_free(r);
}

const lun_value *lun_result_values(const lun_result *r, int *count) {
  *count = r->count;
  return r->value;
}

lun_object *lun_result_take(lun_result *r, int i) {
  lun_value *v = &r->value[i];
  lun_object *object = v->type == LUN_OBJECT ? v->as.object : NULL;
  if (object) v->type = LUN_END;
  return object;
}

static void *allocate(lun_result *r, size_t bytes) {
  void *p = lun_alloc(bytes);
  if (!p) lun_fail(r->cx, LUN_EMEM, "out of memory: a result of %zu bytes", bytes);
  return p;
}

/* Makes room for one more value; false after an error. */
static bool reserve(lun_result *r) {
  int        room = r->room ? r->room * 2 : 8;
  lun_value *more;
  if (r->count < r->room) return true;
  more = allocate(r, (size_t)room * sizeof *more);
  if (!more) return false;
  if (r->count) memcpy(more, r->value, (size_t)r->count * sizeof *more);
  lun_free(r->value);
  r->value = more;
  r->room = room;
  return true;
}

/* Adds a value, which is freed if there is no memory for one more. */
static lun_status push(lun_result *r, lun_value v) {
  if (reserve(r)) r->value[r->count++] = v;
  else free_value(&v);
  return lun_error(r->cx);
}

lun_status result_tensor(lun_result *r, lun_tensor *t) {
  if (t) return push(r, (lun_value){ .type = LUN_TENSOR, .as.tensor = lun_hold(t) });
  return lun_error(r->cx) != LUN_OK ? lun_error(r->cx) : lun_fail(r->cx, LUN_EARG, "the plugin returns a tensor that is NULL");
}

lun_status result_int(lun_result *r, int64_t i) { return push(r, (lun_value){ .type = LUN_INT, .as.integer = i }); }
lun_status result_num(lun_result *r, double n) { return push(r, (lun_value){ .type = LUN_NUM, .as.number = n }); }
lun_status result_bool(lun_result *r, int b) { return push(r, (lun_value){ .type = LUN_BOOL, .as.integer = b != 0 }); }
lun_status result_nil(lun_result *r) { return push(r, (lun_value){ .type = LUN_END }); }

/* A copy of numbers of 8 bytes; NULL after an error. */
static void *copy_numbers(lun_result *r, const void *from, size_t count) {
  void *to = allocate(r, count <= SIZE_MAX / 8 ? count * 8 : SIZE_MAX);
  if (to && count) memcpy(to, from, count * 8);
  return to;
}

lun_status result_ints(lun_result *r, const int64_t *v, size_t len) {
  int64_t *copy = copy_numbers(r, v, len);
  return copy ? push(r, (lun_value){ .type = LUN_INTS, .count = len, .as.integers = copy }) : LUN_EMEM;
}

lun_status result_nums(lun_result *r, const double *v, size_t len) {
  double *copy = copy_numbers(r, v, len);
  return copy ? push(r, (lun_value){ .type = LUN_NUMS, .count = len, .as.numbers = copy }) : LUN_EMEM;
}

static char *copy_bytes(char *to, const char *s, size_t len) {
  if (len) memcpy(to, s, len);
  to[len] = '\0';
  return to;
}

lun_status result_str(lun_result *r, const char *s, size_t len) {
  char *copy = allocate(r, len < SIZE_MAX ? len + 1 : len);
  return copy ? push(r, (lun_value){ .type = LUN_STR, .as.string = { copy_bytes(copy, s, len), len } }) : LUN_EMEM;
}

/* Strings are copied in one piece: the structs, then the bytes. */
lun_status result_strs(lun_result *r, const char *const *s, const size_t *len, size_t count) {
  size_t      bytes = 0;
  lun_string *copy;
  char       *to;
  bool        fits = !__builtin_mul_overflow(count, sizeof *copy, &bytes);
  for (size_t i = 0; i < count && fits; i++)
    fits = !__builtin_add_overflow(bytes, len[i], &bytes) && !__builtin_add_overflow(bytes, 1, &bytes);
  copy = allocate(r, fits ? bytes : SIZE_MAX);
  if (!copy) return LUN_EMEM;
  to = (char *)(copy + count);
  for (size_t i = 0; i < count; to += len[i++] + 1) copy[i] = (lun_string){ copy_bytes(to, s[i], len[i]), len[i] };
  return push(r, (lun_value){ .type = LUN_STRS, .count = count, .as.strings = copy });
}

void *result_object(lun_result *r, const lun_class *cls) {
  const lun_class *c = NULL;
  lun_object      *o;
  for (int i = 0; (c = lun_plugin_class(r->plugin, i)) != NULL && c != cls; i++) ;
  if (!c) lun_fail(r->cx, LUN_EARG, "the plugin returns an object of a class that it did not register");
  if (lun_error(r->cx) != LUN_OK || !reserve(r)) return NULL;
  o = lun_object_make(cls);
  if (!o) return lun_fail(r->cx, LUN_EMEM, "out of memory"), NULL;
  push(r, (lun_value){ .type = LUN_OBJECT, .as.object = o });
  return o->state;
}
