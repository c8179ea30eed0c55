/*
** lun_plugin.h - the plugin ABI: all a plugin includes, and all it needs.
**
** A plugin is a shared library that exports two symbols: lun_about, which says
** what it is, and lun_plugin_open(), which registers what it offers.  It links
** against nothing of ours: every service it may use is a member of the lun_host
** table it is handed.  It never sees lua_State, Vulkan or BLAS.
**
** Versioning.  LUN_ABI_MAJOR changes when a member changes meaning or place; a
** host refuses plugins of another major.  LUN_ABI_MINOR grows when members are
** appended at the end of a struct; a host refuses a plugin built for a newer
** minor than its own.  Each struct starts with its own size, so that each side
** can tell which members the other one knows.
**
** Conventions.  Token ids and byte offsets count from 0, as their files do.
** Shapes are outermost first; contents are row-major.
*/
#ifndef LUN_PLUGIN_H
#define LUN_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LUN_ABI_MAJOR   1
#define LUN_ABI_MINOR   0
#define LUN_ABI_VERSION ((LUN_ABI_MAJOR << 16) | LUN_ABI_MINOR)

#define LUN_MAXRANK     6   /* dimensions of a tensor, at most */

#if defined(_WIN32)
#define LUN_EXPORT __declspec(dllexport)
#else
#define LUN_EXPORT __attribute__((visibility("default")))
#endif

#if defined(__GNUC__)
#define LUN_PRINTF(fmt, first) __attribute__((format(printf, fmt, first)))
#else
#define LUN_PRINTF(fmt, first)
#endif

typedef struct lun_ctx    lun_ctx;     /* a device, its open scopes, its first error */
typedef struct lun_tensor lun_tensor;  /* owned by the scope it was made in */
typedef struct lun_plugin lun_plugin;  /* the host's record of this plugin */
typedef struct lun_args   lun_args;    /* arguments, already checked */
typedef struct lun_result lun_result;  /* where a function leaves its results */

typedef enum lun_status {
  LUN_OK = 0,
  LUN_EARG,      /* an argument is outside its documented range */
  LUN_ESHAPE,    /* shapes do not fit together */
  LUN_EDTYPE,    /* element type not accepted here */
  LUN_EMEM,      /* host or device memory exhausted */
  LUN_EIO,       /* file missing, short or malformed */
  LUN_EDEVICE,   /* the device failed or lacks a feature */
  LUN_EABI       /* plugin and host do not match */
} lun_status;

/* Element types.  Q8_0 is stored in blocks of 32 along the last axis. */
typedef enum lun_dtype {
  LUN_F32 = 0, LUN_F16, LUN_BF16, LUN_F64, LUN_I64, LUN_I32, LUN_U8, LUN_Q8_0,
  LUN_NDTYPES
} lun_dtype;

typedef enum lun_type {
  LUN_END = 0,   /* ends an array of lun_arg */
  LUN_INT, LUN_NUM, LUN_BOOL, LUN_STR,
  LUN_INTS, LUN_NUMS, LUN_STRS,        /* lists */
  LUN_TENSOR, LUN_OBJECT
} lun_type;

/*
** One argument of a constructor, a call, a function or a method.  A name with
** dots ("attention.heads") is a key of a table inside the table of arguments.
*/
typedef struct lun_arg {
  int32_t     type;      /* lun_type */
  int32_t     required;  /* required ones are positional in a call */
  const char *name;      /* the others are keys of a table */
  double      def;       /* default of LUN_INT, LUN_NUM, LUN_BOOL */
  double      min;       /* least value of LUN_INT, LUN_NUM and of list items */
  const char *doc;       /* meaning, shape, unit, constraint: one line */
} lun_arg;

/*
** A block: a pure function of its inputs, its weights and its arguments.
** 'init' checks arguments and keeps weights (with hold()); 'forward' may run
** many times.
*/
typedef struct lun_block {
  uint32_t      size;        /* sizeof(lun_block) as the plugin was built */
  uint32_t      state_size;  /* bytes of instance state, zeroed by the host */
  const char   *name;        /* "mlp" becomes vision.mlp */
  const char   *doc;         /* what it computes, shapes, source */
  const lun_arg *args;       /* of the constructor */
  const lun_arg *inputs;     /* of a call */
  lun_status   (*init)(lun_ctx *cx, void *state, const lun_args *args);
  lun_tensor  *(*forward)(lun_ctx *cx, void *state, const lun_args *in);
  void         (*drop)(void *state);  /* optional */
} lun_block;

/* A function, or a method of a class ('self' is NULL for a function). */
typedef struct lun_func {
  uint32_t      size;
  uint32_t      flags;       /* LUN_MAYFAIL: errors come back as nil, message, code */
  const char   *name;
  const char   *doc;
  const lun_arg *args;
  lun_status   (*call)(lun_ctx *cx, void *self, const lun_args *in, lun_result *out);
} lun_func;

enum { LUN_MAYFAIL = 1 };

/* A class: objects with state that is not a tensor (a tokenizer, say). */
typedef struct lun_class {
  uint32_t       size;
  uint32_t       state_size;
  const char    *name;
  const char    *doc;
  const lun_func *methods;    /* ends with a NULL name */
  void         (*drop)(void *state);
} lun_class;

/*
** Services of the host.  Members are only ever appended, in version order.
**
** Errors are sticky: an operation that fails records the first error in the
** context and returns NULL, and an operation given NULL returns NULL at once.
** A forward function can thus be written straight through and return the last
** result; the host looks at the context once, when the block is done.
**
** Every 'name' of an argument must be one that was declared.
*/
typedef struct lun_host {
  uint32_t size;  /* sizeof(lun_host) as the host was built */
  uint32_t abi;   /* LUN_ABI_VERSION of the host */

  /* registration, from lun_plugin_open() only; what is passed must stay alive */
  lun_status   (*add_block)(lun_plugin *self, const lun_block *block);
  lun_status   (*add_func)(lun_plugin *self, const lun_func *func);
  lun_status   (*add_class)(lun_plugin *self, const lun_class *cls);

  /* arguments; lists and strings stay valid until the call returns */
  int            (*arg_given)(const lun_args *a, const char *name);  /* 0: left out, default in force */
  int64_t        (*arg_int)(const lun_args *a, const char *name);    /* LUN_INT, LUN_BOOL */
  double         (*arg_num)(const lun_args *a, const char *name);
  const char    *(*arg_str)(const lun_args *a, const char *name, size_t *len);  /* NULL if left out */
  const int64_t *(*arg_ints)(const lun_args *a, const char *name, size_t *len);
  const double  *(*arg_nums)(const lun_args *a, const char *name, size_t *len);
  const char    *(*arg_item)(const lun_args *a, const char *name, size_t i, size_t *len);  /* of LUN_STRS; NULL past the end */
  lun_tensor    *(*arg_tensor)(const lun_args *a, const char *name);            /* NULL if left out */
  void          *(*arg_object)(const lun_args *a, const char *name, const lun_class *cls);  /* its state; NULL if left out or another class */

  /* results, in order; each call adds one.  LUN_EMEM when out of memory */
  lun_status   (*ret_tensor)(lun_result *r, lun_tensor *t);
  lun_status   (*ret_int)(lun_result *r, int64_t v);
  lun_status   (*ret_num)(lun_result *r, double v);
  lun_status   (*ret_bool)(lun_result *r, int v);
  lun_status   (*ret_nil)(lun_result *r);
  lun_status   (*ret_str)(lun_result *r, const char *s, size_t len);
  lun_status   (*ret_ints)(lun_result *r, const int64_t *v, size_t len);
  lun_status   (*ret_nums)(lun_result *r, const double *v, size_t len);
  lun_status   (*ret_strs)(lun_result *r, const char *const *s, const size_t *len, size_t count);
  void        *(*ret_object)(lun_result *r, const lun_class *cls);   /* zeroed state, or NULL; dropped by its class if the call fails later */

  /* errors, memory, threads */
  lun_status   (*fail)(lun_ctx *cx, lun_status code, const char *fmt, ...) LUN_PRINTF(3, 4);  /* returns 'code'; the first one stays */
  lun_status   (*status)(const lun_ctx *cx);
  void        *(*scratch)(lun_ctx *cx, size_t bytes);  /* 64-byte aligned, gone when the call returns; NULL after fail(LUN_EMEM) */
  void         (*parallel)(lun_ctx *cx, int64_t n, int64_t grain,
                           void (*run)(void *arg, int64_t begin, int64_t end), void *arg);  /* [0, n) over the pool, pieces of at least 'grain' */

  /* tensors */
  lun_dtype    (*dtype)(const lun_tensor *t);
  int          (*rank)(const lun_tensor *t);
  int64_t      (*dim)(const lun_tensor *t, int axis);   /* axis from 0; negative from the end */
  lun_tensor  *(*make)(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim, void **data);  /* new, in host memory; fill *data before the call returns */
  const void  *(*data)(lun_ctx *cx, lun_tensor *t);      /* contents in host memory, contiguous, until the call returns; NULL after an error */
  lun_tensor  *(*hold)(lun_tensor *t);                   /* one reference more, for block or object state */
  void         (*drop)(lun_tensor *t);                   /* one reference less; NULL is ignored */

  /*
  ** An operation of core/ops.def by name: 'in' in the order of its row (NULL
  ** where an optional one is left out), 'params' the leading ones of its row,
  ** the rest at their defaults.
  */
  lun_tensor  *(*op)(lun_ctx *cx, const char *name, int count, lun_tensor *const *in,
                     int nparams, const double *params);
} lun_host;

/* True if host 'h' is new enough to have member 'm'. */
#define LUN_HOST_HAS(h, m) \
  ((h)->size >= offsetof(lun_host, m) + sizeof((h)->m) && (h)->m != NULL)

/*
** What a plugin says of itself: exported data, so that a host can check the
** ABI, and list plugins, before it runs any of their code.
*/
typedef struct lun_plugin_about {
  uint32_t    size;
  uint32_t    abi;      /* LUN_ABI_VERSION it was built with */
  const char *name;     /* module name, [a-z][a-z0-9_]*: "vision" */
  const char *version;  /* "1.2.0" */
  const char *license;  /* SPDX identifier */
} lun_plugin_about;

#define LUN_PLUGIN(NAME, VERSION, LICENSE)                            \
  LUN_EXPORT extern const lun_plugin_about lun_about;                   \
  const lun_plugin_about lun_about =                                   \
    { sizeof(lun_plugin_about), LUN_ABI_VERSION, NAME, VERSION, LICENSE }

/*
** The entry point: register, then return LUN_OK.  On any other value the
** library is closed and 'require' fails with *why.  'host' stays valid until
** the process ends; a plugin that opened is never unloaded, since its blocks
** and tensors may outlive any module table.
*/
LUN_EXPORT lun_status lun_plugin_open(const lun_host *host, lun_plugin *self,
                                   const char **why);

#ifdef __cplusplus
}
#endif
#endif
