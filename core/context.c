/* context.c - contexts: the first error, open scopes, scratch memory. */
#define _GNU_SOURCE    /* sched_getaffinity */
#include <stdio.h>
#include <string.h>
#include <sched.h>
#include "context.h"
#include "threads.h"

#ifndef LUN_MAXTHREADS
#define LUN_MAXTHREADS 256
#endif

/* Cores this process may use: a container's or taskset's share, not the machine's. */
static int usable_cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return 1;
  return CPU_COUNT(&set) > 0 ? CPU_COUNT(&set) : 1;
}

lun_status lun_set_threads(lun_ctx *cx, int threads) {
  lun_pool *pool;
  if (threads <= 0) threads = usable_cores() < LUN_MAXTHREADS ? usable_cores() : LUN_MAXTHREADS;
  if (threads > LUN_MAXTHREADS)
    return lun_fail(cx, LUN_EARG, "%d threads, at most %d", threads, LUN_MAXTHREADS);
  pool = lun_pool_open(threads);
  if (!pool) return lun_fail(cx, LUN_EMEM, "cannot start %d threads", threads);
  if (cx->pool) lun_pool_close(cx->pool);
  cx->pool = pool;
  return LUN_OK;
}

lun_ctx *lun_open(int threads) {
  lun_ctx *cx = lun_alloc(sizeof *cx);
  if (!cx) return NULL;
  memset(cx, 0, sizeof *cx);
  cx->refs = 1;
  if (lun_set_threads(cx, threads) == LUN_OK) return cx;
  lun_free(cx);
  return NULL;
}

void lun_ctx_drop(lun_ctx *cx) {
  if (--cx->refs > 0) return;
  for (int i = 0; i < LUN_MAXCHUNKS; i++) lun_free(cx->chunk[i].data);
  lun_free(cx->scope);
  lun_free(cx);
}

void lun_close(lun_ctx *cx) {
  if (!cx) return;
  lun_scope_close(cx, 0, NULL);
  lun_packs_close(cx);
  lun_pool_close(cx->pool);
  cx->pool = NULL;
  lun_ctx_drop(cx);
}

int lun_threads(const lun_ctx *cx) { return cx->pool ? lun_pool_size(cx->pool) : 1; }

void lun_parallel(lun_ctx *cx, int64_t n, int64_t grain,
                  void (*run)(void *arg, int64_t begin, int64_t end), void *arg) {
  if (n <= 0) return;
  if (cx->pool) lun_pool_run(cx->pool, n, grain, run, arg);
  else run(arg, 0, n);
}

/* ---- errors ------------------------------------------------------------ */

lun_status lun_failv(lun_ctx *cx, lun_status code, const char *fmt, va_list ap) {
  if (cx->code == LUN_OK) {
    cx->code = code;
    vsnprintf(cx->message, sizeof cx->message, fmt, ap);
  }
  return code;
}

lun_status lun_fail(lun_ctx *cx, lun_status code, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  lun_failv(cx, code, fmt, ap);
  va_end(ap);
  return code;
}

lun_status  lun_error(const lun_ctx *cx) { return cx->code; }
const char *lun_message(const lun_ctx *cx) { return cx->message; }

void lun_clear(lun_ctx *cx) {
  cx->code = LUN_OK;
  cx->message[0] = '\0';
}

const char *lun_status_name(lun_status code) {
  static const char *const name[] = { "ok", "arg", "shape", "dtype", "memory", "io", "device", "abi" };
  return (unsigned)code < sizeof name / sizeof *name ? name[code] : "unknown";
}

/* ---- scopes ------------------------------------------------------------ */

size_t lun_scope_open(lun_ctx *cx) { return cx->scope_count; }

bool lun_scope_add(lun_ctx *cx, lun_tensor *t) {
  if (cx->scope_count == cx->scope_room) {
    size_t       room = cx->scope_room ? cx->scope_room * 2 : 64;
    lun_tensor **scope = lun_alloc(room * sizeof *scope);
    if (!scope) {
      lun_drop(t);
      lun_fail(cx, LUN_EMEM, "out of memory");
      return false;
    }
    if (cx->scope_count) memcpy(scope, cx->scope, cx->scope_count * sizeof *scope);
    lun_free(cx->scope);
    cx->scope = scope;
    cx->scope_room = room;
  }
  cx->scope[cx->scope_count++] = t;
  return true;
}

/*
** The kept ones move down to the front of what is closed, so that they belong
** to the scope outside; what was not made in this scope is not in the list and
** stays where it is.
*/
void lun_scope_close_all(lun_ctx *cx, size_t mark, lun_tensor *const *keep, int count) {
  size_t end = cx->scope_count, to = mark;
  for (size_t i = mark; i < end; i++) {
    lun_tensor *t = cx->scope[i];
    bool        kept = false;
    for (int k = 0; k < count; k++) kept = kept || t == keep[k];
    if (kept) cx->scope[to++] = t;
    else lun_drop(t);
  }
  cx->scope_count = to;
}

lun_tensor *lun_scope_close(lun_ctx *cx, size_t mark, lun_tensor *keep) {
  lun_scope_close_all(cx, mark, &keep, 1);
  return keep;
}

/* ---- scratch ----------------------------------------------------------- */

/* A mark names a chunk and how far it was filled. */
#define MARK_SHIFT 48

size_t lun_scratch_mark(lun_ctx *cx) {
  return (size_t)cx->chunk_now << MARK_SHIFT | cx->chunk[cx->chunk_now].used;
}

void lun_scratch_reset(lun_ctx *cx, size_t mark) {
  int    chunk = (int)(mark >> MARK_SHIFT);
  size_t total = 0;
  for (int i = cx->chunk_now; i > chunk; i--) cx->chunk[i].used = 0;
  cx->chunk_now = chunk;
  cx->chunk[chunk].used = mark & (((size_t)1 << MARK_SHIFT) - 1);
  if (mark != 0 || !cx->chunk[1].data) return;
  for (int i = 0; i < LUN_MAXCHUNKS; i++) total += cx->chunk[i].size;   /* one chunk that holds it all, next time */
  for (int i = 0; i < LUN_MAXCHUNKS; i++) {
    lun_free(cx->chunk[i].data);
    cx->chunk[i] = (lun_chunk){ NULL, 0, 0 };
  }
  cx->chunk[0].data = lun_alloc(total);
  if (cx->chunk[0].data) cx->chunk[0].size = total;
}

void *lun_scratch(lun_ctx *cx, size_t bytes) {
  if (bytes > SIZE_MAX / 4) {
    lun_fail(cx, LUN_EMEM, "out of memory: %zu bytes of scratch", bytes);
    return NULL;
  }
  bytes = (bytes + 63) & ~(size_t)63;
  for (;;) {
    lun_chunk *c = &cx->chunk[cx->chunk_now];
    if (!c->data) {
      size_t size = (size_t)256 << 10 << (cx->chunk_now < 20 ? cx->chunk_now : 20);     /* each twice the one before */
      if (size < bytes) size = bytes;
      c->data = lun_alloc(size);
      c->size = c->data ? size : 0;
    }
    if (c->data && c->size - c->used >= bytes) {
      void *p = c->data + c->used;
      c->used += bytes;
      return p;
    }
    if (!c->data || cx->chunk_now + 1 == LUN_MAXCHUNKS) {
      lun_fail(cx, LUN_EMEM, "out of memory: %zu bytes of scratch", bytes);
      return NULL;
    }
    if (c->used == 0) {          /* too small and empty: a larger one in its place */
      lun_free(c->data);
      *c = (lun_chunk){ NULL, 0, 0 };
    } else {
      cx->chunk_now++;
    }
  }
}
