/*
** threads.h - the one pool of threads of a context; private to the core.
**
** lun_pool_run() cuts [0, n) into pieces of at least 'grain' and returns when
** all of them are done; the caller works too.  From inside a piece it runs in
** place.  Which thread takes which piece is open, so pieces must be independent.
*/
#ifndef LUN_THREADS_H
#define LUN_THREADS_H

#include <stdint.h>

typedef struct lun_pool lun_pool;

lun_pool *lun_pool_open(int threads);      /* the caller counts as one; NULL if they cannot be had */
void      lun_pool_close(lun_pool *pool);
int       lun_pool_size(const lun_pool *pool);
void      lun_pool_run(lun_pool *pool, int64_t n, int64_t grain,
                       void (*run)(void *arg, int64_t begin, int64_t end), void *arg);

#endif
