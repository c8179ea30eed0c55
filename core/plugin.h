/* plugin.h - what the files of the plugin host share; private to the core. */
#ifndef LUN_PLUGIN_RECORD_H
#define LUN_PLUGIN_RECORD_H

#include "lun_host.h"

enum {
  LUN_MAXARGS  = 128,              /* declared arguments of one thing */
  LUN_MAXSTATE = 16 << 20          /* bytes of state of one instance */
};

typedef struct lun_list {          /* of descriptors, which are the plugin's own */
  const void **item;
  int          count, room;
} lun_list;

struct lun_plugin {
  lun_facts   facts;
  char       *path;
  void       *library;             /* from dlopen(); NULL if built in */
  bool        opening;             /* only then can it register */
  lun_status  code;                /* of the first thing that was refused */
  char        refusal[256];
  lun_list    blocks, funcs, classes;
  lun_plugin *next;
};

/* descriptor.c: LUN_OK, or LUN_EABI (LUN_EMEM) with a sentence in p->refusal */
lun_status lun_add_block(lun_plugin *p, const lun_block *block);
lun_status lun_add_func(lun_plugin *p, const lun_func *func);
lun_status lun_add_class(lun_plugin *p, const lun_class *cls);
bool       lun_name_ok(const char *name);      /* [a-z][a-z0-9_]*, shorter than LUN_MAXNAME */

struct lun_object {
  const lun_class *cls;
  void            *state;
};

lun_object *lun_object_make(const lun_class *cls);     /* block.c; zeroed state; NULL if out of memory */

/* args.c: the members of lun_host of the same names, arg_ and ret_ */
int            args_given(const lun_args *a, const char *name);
int64_t        args_int(const lun_args *a, const char *name);
double         args_num(const lun_args *a, const char *name);
const char    *args_str(const lun_args *a, const char *name, size_t *len);
const int64_t *args_ints(const lun_args *a, const char *name, size_t *len);
const double  *args_nums(const lun_args *a, const char *name, size_t *len);
const char    *args_item(const lun_args *a, const char *name, size_t i, size_t *len);
lun_tensor    *args_tensor(const lun_args *a, const char *name);
void          *args_object(const lun_args *a, const char *name, const lun_class *cls);

lun_status result_tensor(lun_result *r, lun_tensor *t);
lun_status result_int(lun_result *r, int64_t i);
lun_status result_num(lun_result *r, double n);
lun_status result_bool(lun_result *r, int b);
lun_status result_nil(lun_result *r);
lun_status result_str(lun_result *r, const char *s, size_t len);
lun_status result_ints(lun_result *r, const int64_t *v, size_t len);
lun_status result_nums(lun_result *r, const double *v, size_t len);
lun_status result_strs(lun_result *r, const char *const *s, const size_t *len, size_t count);
void      *result_object(lun_result *r, const lun_class *cls);

lun_result *result_open(lun_ctx *cx, const lun_plugin *p);   /* of a call into p; NULL after LUN_EMEM */

#endif
