/* context.h - what a context is inside; private to the core. */
#ifndef LUN_CONTEXT_H
#define LUN_CONTEXT_H

#include "tensor.h"

struct lun_pool;
struct lun_pack_file;

typedef struct lun_chunk {     /* of scratch memory */
  char  *data;
  size_t size, used;
} lun_chunk;

enum { LUN_MAXCHUNKS = 32 };

struct lun_ctx {
  int          refs;           /* the owner and every living tensor */
  lun_status   code;           /* of the first error */
  char         message[1024];
  lun_tensor **scope;          /* tensors of all open scopes, innermost last */
  size_t       scope_count, scope_room;
  struct lun_pool *pool;
  struct lun_pack_file *packs; /* where packed weights are shared with other processes; NULL: nowhere */
  lun_chunk    chunk[LUN_MAXCHUNKS];
  int          chunk_now;      /* the one being filled */
};

void lun_ctx_drop(lun_ctx *cx);
bool lun_scope_add(lun_ctx *cx, lun_tensor *t);    /* gives t to the innermost scope; on failure t is dropped */
void lun_scope_close_all(lun_ctx *cx, size_t mark, lun_tensor *const *keep, int count);

#endif
