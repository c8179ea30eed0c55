/*
** alloc.c - memory of the core: every byte comes through here.
**
** Blocks of 32 KiB and more are kept in free lists when they are given back:
** a forward pass asks for the same few sizes again and again, and the system's
** allocator would map and clear fresh pages each time.
*/
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "tensor.h"

#define HEADER     64                       /* keeps the alignment, holds the size */
#define LEAST_KEPT ((size_t)32 << 10)
#define MOST_KEPT  ((size_t)128 << 20)      /* bytes waiting in the lists, at most */
#if defined(__SANITIZE_ADDRESS__)           /* a kept block would hide a use after free */
#define KEEPS 0
#elif defined(__has_feature)
#define KEEPS (!__has_feature(address_sanitizer))
#else
#define KEEPS 1
#endif
#define CLASSES    160                      /* four sizes a power of two, from 32 KiB */

typedef struct block {
  size_t        size;                       /* usable bytes */
  struct block *next;
} block;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static block          *kept[CLASSES];
static size_t          kept_bytes;
static long            fail_at;

/* Rounds a size up to its class; -1 for the small ones. */
static int size_class(size_t *bytes) {
  size_t size = LEAST_KEPT;
  int    c = 0;
  if (*bytes < LEAST_KEPT) return -1;
  while (size * 2 <= *bytes && c + 8 <= CLASSES) { size *= 2; c += 4; }
  for (int quarter = 0; quarter < 4; quarter++)
    if (*bytes <= size + size / 4 * (size_t)quarter) {
      *bytes = size + size / 4 * (size_t)quarter;
      return c + quarter;
    }
  if (c + 8 > CLASSES) return -1;
  *bytes = size * 2;
  return c + 4;
}

void lun_alloc_fail_at(long n) {
  pthread_mutex_lock(&lock);
  fail_at = n;
  pthread_mutex_unlock(&lock);
}

void *lun_alloc(size_t bytes) {
  block *b = NULL;
  int    c;
  if (bytes > SIZE_MAX / 2) return NULL;
  c = size_class(&bytes);
  pthread_mutex_lock(&lock);
  if (fail_at > 0 && --fail_at == 0) {
    pthread_mutex_unlock(&lock);
    return NULL;
  }
  if (c >= 0 && kept[c]) {
    b = kept[c];
    kept[c] = b->next;
    kept_bytes -= b->size;
  }
  pthread_mutex_unlock(&lock);
  if (!b) {
    b = aligned_alloc(64, (HEADER + bytes + 63) & ~(size_t)63);
    if (!b) return NULL;
    b->size = bytes;
  }
  return (char *)b + HEADER;
}

void lun_trim(void) {
  block *all = NULL;
  pthread_mutex_lock(&lock);
  for (int c = 0; c < CLASSES; c++)
    while (kept[c]) {
      block *b = kept[c];
      kept[c] = b->next;
      b->next = all;
      all = b;
    }
  kept_bytes = 0;
  pthread_mutex_unlock(&lock);
  while (all) {
    block *next = all->next;
    free(all);
    all = next;
  }
}

void lun_free(void *p) {
  block *b;
  size_t size;
  int    c;
  if (!p) return;
  b = (block *)(void *)((char *)p - HEADER);
  size = b->size;
  c = size_class(&size);
#if KEEPS
  if (c >= 0) {
    pthread_mutex_lock(&lock);
    if (kept_bytes + b->size <= MOST_KEPT) {
      b->next = kept[c];
      kept[c] = b;
      kept_bytes += b->size;
      b = NULL;
    }
    pthread_mutex_unlock(&lock);
  }
#else
  (void)c;
#endif
  free(b);
}
