/*
** threads.c - the pool of threads.
**
** One word, the gate, says whether there is a job to join and how many helpers
** are inside: the low half counts them, the high half is odd while the job is
** open and grows with every opening and closing.  A helper enters by adding 1 to
** an open gate, so the caller, once it has closed the gate and seen the count at
** 0, may change the job.  A helper that nobody wakes in time misses nothing: the
** caller does the work alone.
**
** Helpers without work watch the gate for some 50 microseconds, as the next job
** of a forward pass is a few away, and then sleep.
*/
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <time.h>
#include "tensor.h"
#include "threads.h"

enum { WATCH_NS = 50000, PIECES = 4 };      /* pieces a thread: the last to finish is at most a quarter behind */

#define TURN_STEP ((uint64_t)1 << 32)
#define INSIDE(gate)   ((uint32_t)(gate))
#define TURN(gate)     ((gate) >> 32)
#define IS_OPEN(gate)  (TURN(gate) & 1)

struct lun_pool {
  int              helpers;      /* threads beside the caller */
  pthread_t       *thread;
  pthread_mutex_t  lock;
  pthread_cond_t   wake;
  _Atomic uint64_t gate;
  atomic_int       asleep;
  atomic_bool      stop;
  /* the job; written while the gate is closed and nobody inside */
  void           (*run)(void *arg, int64_t begin, int64_t end);
  void            *arg;
  int64_t          n, piece;
  _Alignas(64) _Atomic int64_t next;
};

static _Thread_local bool inside;     /* this thread is working on a piece */

static void pause_briefly(void) {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void work(lun_pool *p) {
  inside = true;
  for (;;) {
    int64_t begin = atomic_fetch_add(&p->next, 1);
    if (begin >= (p->n + p->piece - 1) / p->piece) break;
    begin *= p->piece;
    p->run(p->arg, begin, p->n - begin > p->piece ? begin + p->piece : p->n);
  }
  inside = false;
}

/* True once the gate is open with another turn than 'last'; false when the pool closes. */
static bool await_job(lun_pool *p, uint64_t last) {
  int64_t since = now_ns();
  do {
    for (int i = 0; i < 64; i++) {
      uint64_t gate = atomic_load(&p->gate);
      if (IS_OPEN(gate) && TURN(gate) != last) return true;
      pause_briefly();
    }
  } while (now_ns() - since < WATCH_NS);
  pthread_mutex_lock(&p->lock);
  atomic_fetch_add(&p->asleep, 1);       /* before looking: the opener looks the other way round */
  for (;;) {
    uint64_t gate = atomic_load(&p->gate);
    if (atomic_load(&p->stop) || (IS_OPEN(gate) && TURN(gate) != last)) break;
    pthread_cond_wait(&p->wake, &p->lock);
  }
  atomic_fetch_sub(&p->asleep, 1);
  pthread_mutex_unlock(&p->lock);
  return !atomic_load(&p->stop);
}

static void *helper(void *arg) {
  lun_pool *p = arg;
  uint64_t  last = 0;
  while (await_job(p, last)) {
    uint64_t gate = atomic_load(&p->gate);
    if (!IS_OPEN(gate)) continue;
    if (!atomic_compare_exchange_strong(&p->gate, &gate, gate + 1)) continue;
    last = TURN(gate);
    work(p);
    atomic_fetch_sub(&p->gate, 1);
  }
  return NULL;
}

static void wake_all(lun_pool *p) {
  if (atomic_load(&p->asleep) == 0) return;
  pthread_mutex_lock(&p->lock);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
}

void lun_pool_run(lun_pool *p, int64_t n, int64_t grain, void (*run)(void *arg, int64_t begin, int64_t end), void *arg) {
  int64_t pieces;
  if (grain < 1) grain = 1;
  if (n <= 0) return;
  if (inside || p->helpers == 0 || n <= grain) {
    run(arg, 0, n);
    return;
  }
  pieces = ((int64_t)p->helpers + 1) * PIECES;
  p->piece = (n - 1) / pieces + 1;
  if (p->piece < grain) p->piece = grain;
  p->n = n, p->run = run, p->arg = arg;
  atomic_store(&p->next, 0);
  atomic_fetch_add(&p->gate, TURN_STEP);
  wake_all(p);
  work(p);
  atomic_fetch_add(&p->gate, TURN_STEP);
  for (int turns = 0; INSIDE(atomic_load(&p->gate)) != 0; turns++) {
    if (turns < 20000) pause_briefly();
    else sched_yield();                  /* a helper without a core of its own */
  }
}

int lun_pool_size(const lun_pool *p) { return p->helpers + 1; }

lun_pool *lun_pool_open(int threads) {
  lun_pool *p = lun_alloc(sizeof *p);
  if (!p) return NULL;
  p->helpers = 0;
  p->thread = lun_alloc((size_t)threads * sizeof *p->thread);
  if (!p->thread) {
    lun_free(p);
    return NULL;
  }
  pthread_mutex_init(&p->lock, NULL);
  pthread_cond_init(&p->wake, NULL);
  atomic_init(&p->gate, 0);
  atomic_init(&p->asleep, 0);
  atomic_init(&p->stop, false);
  atomic_init(&p->next, 0);
  while (p->helpers < threads - 1 && pthread_create(&p->thread[p->helpers], NULL, helper, p) == 0) p->helpers++;
  if (p->helpers == threads - 1) return p;
  lun_pool_close(p);
  return NULL;
}

void lun_pool_close(lun_pool *p) {
  if (!p) return;
  pthread_mutex_lock(&p->lock);
  atomic_store(&p->stop, true);
  pthread_cond_broadcast(&p->wake);
  pthread_mutex_unlock(&p->lock);
  for (int i = 0; i < p->helpers; i++) pthread_join(p->thread[i], NULL);
  pthread_cond_destroy(&p->wake);
  pthread_mutex_destroy(&p->lock);
  lun_free(p->thread);
  lun_free(p);
}
