/* plugin.c - opens plugins and keeps them, one list a process. */
#define _GNU_SOURCE    /* dladdr */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "plugin.h"
#include "block.h"
#include "tensor.h"

#define BLOCK(name) extern const lun_block block_##name;
#define FUNC(name)  extern const lun_func func_##name;
#define CLASS(name) extern const lun_class class_##name;
#include "blocks/blocks.def"
#undef BLOCK
#undef FUNC
#undef CLASS

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static lun_plugin     *plugins;                    /* those that opened */
static lun_plugin      builtin = { .facts = { LUN_ABI_VERSION, "", LUN_VERSION, "MIT" } };

static void free_record(lun_plugin *p) {
  if (p->library) dlclose(p->library);
  lun_free(p->blocks.item);
  lun_free(p->funcs.item);
  lun_free(p->classes.item);
  lun_free(p->path);
  lun_free(p);
}

/* dlopen() looks for a name without a slash somewhere else, so it gets one. */
static lun_plugin *new_record(lun_ctx *cx, const char *path, const lun_facts *facts) {
  size_t      room = strlen(path) + sizeof "./";
  lun_plugin *p = lun_alloc(sizeof *p);
  if (p) {
    *p = (lun_plugin){ .facts = *facts, .path = lun_alloc(room) };
    if (p->path) {
      snprintf(p->path, room, "%s%s", strchr(path, '/') ? "" : "./", path);
      return p;
    }
    lun_free(p);
  }
  lun_fail(cx, LUN_EMEM, "out of memory");
  return NULL;
}

/* Runs the plugin's entry point; what it did wrong says more than what it says. */
static lun_status run_open(lun_ctx *cx, lun_plugin *p) {
  lun_status (*entry)(const lun_host *, lun_plugin *, const char **);
  const char *why = NULL;
  lun_status  status;
  *(void **)(&entry) = dlsym(p->library, "lun_plugin_open");     /* POSIX's way from an object to a function pointer */
  if (!entry) return lun_fail(cx, LUN_EABI, "%s: plugin %s exports no lun_plugin_open", p->path, p->facts.name);
  p->opening = true;
  status = entry(lun_host_table(), p, &why);
  p->opening = false;
  if (p->code != LUN_OK) return lun_fail(cx, p->code, "%s: plugin %s: %s", p->path, p->facts.name, p->refusal);
  if (status == LUN_OK) return LUN_OK;
  return lun_fail(cx, status, "%s: plugin %s did not open: %s", p->path, p->facts.name, why && *why ? why : "it did not say why");
}

static lun_plugin *find(const char *name) {
  lun_plugin *p = plugins;
  while (p && strcmp(p->facts.name, name) != 0) p = p->next;
  return p;
}

static lun_plugin *load(lun_ctx *cx, const char *path) {
  lun_facts   facts;
  lun_plugin *p, *same;
  if (lun_plugin_read(cx, path, &facts) != LUN_OK) return NULL;
  p = new_record(cx, path, &facts);
  if (!p) return NULL;
  p->library = dlopen(p->path, RTLD_NOW | RTLD_LOCAL);
  same = find(facts.name);
  if (!p->library) lun_fail(cx, LUN_EIO, "%s", dlerror());
  else if (same && same->library != p->library) lun_fail(cx, LUN_EABI, "%s: a plugin named %s is loaded from %s", path, facts.name, same->path);
  else if (!same && run_open(cx, p) == LUN_OK) {
    p->next = plugins;
    return plugins = p;
  }
  free_record(p);
  return lun_error(cx) == LUN_OK ? same : NULL;
}

lun_plugin *lun_plugin_load(lun_ctx *cx, const char *path) {
  lun_plugin *p;
  if (lun_error(cx) != LUN_OK) return NULL;
  pthread_mutex_lock(&lock);
  p = load(cx, path);
  pthread_mutex_unlock(&lock);
  return p;
}

lun_plugin *lun_plugin_find(const char *name) {
  lun_plugin *p;
  pthread_mutex_lock(&lock);
  p = find(name);
  pthread_mutex_unlock(&lock);
  return p;
}

/* Plugins stay until the process ends, and keep the host's table: so has the library it is in. */
static void stay_loaded(void) {
  Dl_info info;
  if (dladdr(&plugins, &info) && info.dli_fname) dlopen(info.dli_fname, RTLD_LAZY | RTLD_NODELETE);
}

lun_plugin *lun_plugin_builtin(lun_ctx *cx) {
  lun_plugin *p = NULL;
  pthread_mutex_lock(&lock);
  if (builtin.blocks.count == 0 || builtin.code != LUN_OK) {      /* the first time, or memory ran out the last time */
    builtin.blocks.count = builtin.funcs.count = builtin.classes.count = 0;
    builtin.code = LUN_OK;
    stay_loaded();
    builtin.opening = true;
#define BLOCK(name) lun_add_block(&builtin, &block_##name);
#define FUNC(name)  lun_add_func(&builtin, &func_##name);
#define CLASS(name) lun_add_class(&builtin, &class_##name);
#include "blocks/blocks.def"
#undef BLOCK
#undef FUNC
#undef CLASS
    builtin.opening = false;
  }
  if (builtin.code == LUN_OK) p = &builtin;
  else lun_fail(cx, builtin.code, "built-in blocks: %s", builtin.refusal);
  pthread_mutex_unlock(&lock);
  return p;
}

const lun_facts *lun_plugin_facts(const lun_plugin *p) { return &p->facts; }
const char      *lun_plugin_path(const lun_plugin *p) { return p->path ? p->path : ""; }

static const void *item(const lun_list *list, int i) { return i >= 0 && i < list->count ? list->item[i] : NULL; }
const lun_block *lun_plugin_block(const lun_plugin *p, int i) { return item(&p->blocks, i); }
const lun_func  *lun_plugin_func(const lun_plugin *p, int i) { return item(&p->funcs, i); }
const lun_class *lun_plugin_class(const lun_plugin *p, int i) { return item(&p->classes, i); }
const lun_func  *lun_class_method(const lun_class *cls, int i) { return cls->methods[i].name ? &cls->methods[i] : NULL; }

const char *lun_plugin_label(char out[LUN_MAXLABEL], const lun_plugin *p, const lun_class *cls, const char *name) {
  snprintf(out, LUN_MAXLABEL, "%s.%s%s%s", *p->facts.name ? p->facts.name : "lunette", cls ? cls->name : "", cls ? ":" : "", name);
  return out;
}
