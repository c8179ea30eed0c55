/* tensor.h - what a tensor is inside; private to the core. */
#ifndef LUN_TENSOR_H
#define LUN_TENSOR_H

#include "lun.h"

/* The bytes of a file that storage holds.  The same numbers mean the same bytes; size 0: of no file. */
typedef struct lun_origin {
  uint64_t device, inode, size, modified, changed;   /* as stat() says it; times in ns */
  uint64_t at;                                       /* where the bytes begin */
} lun_origin;

/* Counted storage; the last reference runs 'release(owner)'. */
typedef struct lun_buffer {
  int        refs;
  void      *data;
  size_t     size;
  void     (*release)(void *owner);
  void      *owner;
  lun_origin origin;
} lun_buffer;

struct lun_tensor {
  lun_ctx    *cx;
  int         refs;
  lun_dtype   dtype;
  int         rank;
  bool        constant;              /* a weight: may be packed, never written */
  int64_t     dim[LUN_MAXRANK];
  int64_t     stride[LUN_MAXRANK];   /* in elements; q8_0 is always contiguous */
  lun_buffer *buffer;
  char       *data;                  /* host address of the first element, inside the buffer */
  struct lun_pack *pack;             /* weights of linear, arranged for the kernel (cpu/pack.c) */
};

/* allocation: every byte of the core comes through here, so that tests can make the n-th one fail */
void *lun_alloc(size_t bytes);                 /* 64-byte aligned; NULL if none */
void  lun_free(void *p);
void  lun_alloc_fail_at(long n);               /* the n-th next allocation fails (1: the next); 0: none */

/* tensors for ops.c and its rules: described first, storage given later */
lun_tensor *lun_describe(lun_ctx *cx, lun_dtype dtype, int rank, const int64_t *dim);  /* contiguous, no storage, owned by the scope */
lun_status  lun_provide(lun_tensor *t);                                                /* its storage */
lun_tensor *lun_view(lun_tensor *x, int rank, const int64_t *dim, const int64_t *stride, int64_t offset);  /* of x's storage; offset in elements */
bool        lun_is_contiguous(const lun_tensor *t);

void lun_pack_free(struct lun_pack *pack);     /* cpu/pack.c; NULL is ignored */

static inline float *f32(const lun_tensor *t) { return (float *)(void *)t->data; }
static inline int64_t *i64(const lun_tensor *t) { return (int64_t *)(void *)t->data; }

#endif
