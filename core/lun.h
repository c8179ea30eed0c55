/*
** lun.h - the public C API of the core: contexts, scopes, tensors, operations.
**
** Ownership.  A tensor is counted.  An operation's result belongs to the
** innermost open scope of its context; lun_hold() takes a reference that
** outlives the scope, lun_drop() gives one back.
**
** Errors.  Operations return NULL and record the first error in the context
** (sticky); NULL in gives NULL out.  Functions without a tensor return a
** lun_status.  lun_clear() forgets the error.
**
** Threads.  A context and its tensors belong to one thread at a time; the
** pool inside is the core's own affair.  Several contexts may work on several
** threads at once: what a process has once (plugins, the choice of kernels, free
** lists) is behind locks.
*/
#ifndef LUN_H
#define LUN_H

#include <stdarg.h>
#include <stdbool.h>
#include "lun_plugin.h"

#define LUN_VERSION "0.1.0"

/* ---- contexts ---------------------------------------------------------- */

/* threads: size of the pool, 0 for as many as there are cores.  NULL if out of memory. */
lun_ctx    *lun_open(int threads);
void        lun_close(lun_ctx *cx);              /* NULL is ignored; tensors still held stay readable */
int         lun_threads(const lun_ctx *cx);
lun_status  lun_set_threads(lun_ctx *cx, int threads);   /* 0: as many as cores */

/*
** lun_trim - gives back to the system the freed blocks that the process keeps for the next ones of their size.
** For those who run long and see inputs of many sizes.  Any thread may call it.
*/
void        lun_trim(void);

lun_status  lun_fail(lun_ctx *cx, lun_status code, const char *fmt, ...) LUN_PRINTF(3, 4);
lun_status  lun_failv(lun_ctx *cx, lun_status code, const char *fmt, va_list ap);
lun_status  lun_error(const lun_ctx *cx);        /* LUN_OK if nothing failed since lun_clear() */
const char *lun_message(const lun_ctx *cx);      /* "" if nothing failed */
void        lun_clear(lun_ctx *cx);
const char *lun_status_name(lun_status code);    /* "shape", "io", ... */

/*
** lun_parallel - runs 'run(arg, begin, end)' over pieces of [0, n), each of at
** least 'grain' (the last may be shorter), on the pool; returns when all are
** done.  Called from inside a piece it runs in place.
*/
void        lun_parallel(lun_ctx *cx, int64_t n, int64_t grain,
                         void (*run)(void *arg, int64_t begin, int64_t end), void *arg);

/* lun_scratch - 64-byte aligned bytes, gone at the next lun_scratch_reset() (the
** end of the outermost operation or call); NULL after LUN_EMEM. */
void       *lun_scratch(lun_ctx *cx, size_t bytes);
size_t      lun_scratch_mark(lun_ctx *cx);
void        lun_scratch_reset(lun_ctx *cx, size_t mark);

/* ---- weights shared by processes ------------------------------------------ */

/*
** Matrices of 'linear' are packed for its kernel, once each, into memory of the
** process.  Processes that run one model on several cores can have one copy of
** them instead, in a file that all of them map:
**
**     fd = lun_packs_make(cx);            in one process, whose children inherit fd
**     lun_packs_open(cx, fd);             in each of them; then the model is made,
**     tally = lun_packs_close(cx);        and the packs are as private or shared as they became
**
** Whoever needs a pack first puts it there, the others map it, read-only; they
** may come at once, in any order, and may be killed at any instant.  A pack is
** found by the file its weight is in (device, inode, size and times), its place
** there and everything the arrangement depends on: another model, or another
** instruction set, finds nothing of the first and adds its own.  Weights that are
** in no file are packed privately, and so is what the shared file has no room for.
** A pack lives as long as its tensor, and the memory as long as a descriptor or a
** pack.
**
** lun_packs_make - a new file in memory: its descriptor, closed on exec unless it
** is passed on; -1 after LUN_EIO.  Any regular file open for reading and writing does
** as well; it must be empty or one of these.
**
** lun_packs_open - from now on packs come from the file.  'fd' stays the caller's.
** Errors: LUN_EARG if it is not open, no regular file, or holds something else;
** LUN_EIO if it cannot be opened again under /proc/self/fd; LUN_EMEM.
**
** lun_packs_close - ends that; nothing happens if it has not begun.
*/
typedef struct lun_packs_tally {     /* bytes of packs since lun_packs_open() */
  size_t found, added, own;          /* in the file before; put there; private all the same */
} lun_packs_tally;

int             lun_packs_make(lun_ctx *cx);
lun_status      lun_packs_open(lun_ctx *cx, int fd);
lun_packs_tally lun_packs_close(lun_ctx *cx);

/* ---- scopes ------------------------------------------------------------ */

size_t      lun_scope_open(lun_ctx *cx);                                  /* a mark for lun_scope_close() */
lun_tensor *lun_scope_close(lun_ctx *cx, size_t mark, lun_tensor *keep);  /* 'keep' (or NULL) moves to the scope outside */

/* ---- tensors ----------------------------------------------------------- */

lun_tensor *lun_make(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim);   /* contents undefined */
lun_tensor *lun_from_host(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim, const void *data);

/*
** lun_from_memory - a constant tensor over bytes that belong to somebody else
** (a mapped file); 'release(owner)' is called when the last view of them goes.
*/
lun_tensor *lun_from_memory(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim,
                            const void *data, void (*release)(void *owner), void *owner);

lun_tensor *lun_hold(lun_tensor *t);             /* returns t; NULL is ignored */
void        lun_drop(lun_tensor *t);
lun_ctx    *lun_context(const lun_tensor *t);
lun_dtype   lun_dtype_of(const lun_tensor *t);
int         lun_rank(const lun_tensor *t);
int64_t     lun_dim(const lun_tensor *t, int axis);   /* axis from 0, negative from the end; 1 outside the rank */
int64_t     lun_count(const lun_tensor *t);           /* elements */
size_t      lun_bytes(const lun_tensor *t);           /* of the contents, contiguous */
const void *lun_data(lun_tensor *t);                  /* contiguous contents in host memory; the tensor's own, or of a copy owned by the open scope */
void       *lun_data_mutable(lun_tensor *t);          /* NULL (and LUN_EARG) if constant or not contiguous */
lun_status  lun_to_host(lun_tensor *t, void *data, size_t bytes);

const char *lun_dtype_name(lun_dtype dtype);          /* "f32", "q8_0", ... */
int         lun_dtype_find(const char *name);         /* -1 if unknown; takes "float32" and "F32" as well */
size_t      lun_dtype_bytes(lun_dtype dtype, int64_t count);   /* of 'count' elements in a row; 0 if they do not fill blocks */

/* "[2, 3, 224, 224]" into 'out' (at least 96 bytes); returns out */
const char *lun_shape_text(char *out, size_t size, int rank, const int64_t *dim);

/* ---- operations -------------------------------------------------------- */

#define LUN_MAXIN    8
#define LUN_MAXOUT   2
#define LUN_MAXPARAM 16

typedef enum lun_op {
#define OP(name, ...) LUN_OP_##name,
#include "ops.def"
#undef OP
  LUN_NOPS
} lun_op;

/*
** lun_run - one operation of ops.def: 'in' in the order of its row, 'params' the
** leading 'nparams' values of its parameter list (the rest take their defaults),
** 'out' as many tensors as its row says.  Returns out[0].
*/
lun_tensor *lun_run(lun_ctx *cx, lun_op op, int count, lun_tensor *const *in,
                    int nparams, const double *params, lun_tensor **out);

int         lun_op_find(const char *name);            /* -1 if there is none */

typedef struct lun_op_about {
  const char *name;
  const char *inputs;    /* "x weight bias?": ? may be left out */
  const char *params;    /* "eps=1e-5 stride[2]=1 mode=bilinear|bicubic"; = alone: no default */
  const char *outputs;   /* "y" or "values indices" */
  const char *doc;
} lun_op_about;
const lun_op_about *lun_op_info(lun_op op);

/* A parameter of a row; its values are params[slot .. slot + length). */
typedef struct lun_param {
  char        name[24];
  int         slot, length;
  bool        position;  /* counts from 0 in C, from 1 in Lua; negative from the end */
  double      def;       /* NAN: none */
  const char *choices;   /* "bilinear|bicubic", up to a space or the end; NULL if a number */
} lun_param;
const lun_param *lun_op_params(lun_op op, int *count);
int              lun_param_choice(const lun_param *p, const char *word);   /* its number; -1 if it is none */

/* The few the blocks are made of, as plain functions. */
lun_tensor *lun_add(lun_ctx *cx, lun_tensor *a, lun_tensor *b);
lun_tensor *lun_mul(lun_ctx *cx, lun_tensor *a, lun_tensor *b);
lun_tensor *lun_linear(lun_ctx *cx, lun_tensor *x, lun_tensor *weight, lun_tensor *bias, bool transposed, int activation);
lun_tensor *lun_layer_norm(lun_ctx *cx, lun_tensor *x, lun_tensor *weight, lun_tensor *bias, double eps);
lun_tensor *lun_rms_norm(lun_ctx *cx, lun_tensor *x, lun_tensor *weight, double eps, double weight_offset);
lun_tensor *lun_reshape(lun_ctx *cx, lun_tensor *x, int rank, const int64_t *dim);     /* a view where it can be */
lun_tensor *lun_permute(lun_ctx *cx, lun_tensor *x, const int *axes);                  /* a view */
lun_tensor *lun_narrow(lun_ctx *cx, lun_tensor *x, int axis, int64_t start, int64_t length);   /* a view */
lun_status  lun_assign(lun_ctx *cx, lun_tensor *to, lun_tensor *from);                 /* copies 'from' (broadcast) into the view 'to' */

#endif
