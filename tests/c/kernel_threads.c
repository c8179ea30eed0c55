/* kernel_threads.c - the pool of threads: every piece once, on any number of threads, nested, one after the other. */
#include <stdatomic.h>
#include <stdlib.h>
#include "check.h"
#include "cpu/share.h"
#include "lun.h"
#include "threads.h"

enum { MOST = 1000 };

typedef struct tally {
  lun_pool  *pool;
  int64_t    n, grain;
  atomic_int times[MOST];
  atomic_int short_pieces;
} tally;

static void count(void *arg, int64_t begin, int64_t end) {
  tally *t = arg;
  if (end - begin < t->grain && end != t->n) atomic_fetch_add(&t->short_pieces, 1);
  for (int64_t i = begin; i < end; i++) atomic_fetch_add(&t->times[i], 1);
}

static int counts_are(const tally *t, int times) {
  for (int64_t i = 0; i < MOST; i++)
    if (t->times[i] != (i < t->n ? times : 0)) return 0;
  return 1;
}

static void nested(void *arg, int64_t begin, int64_t end) {
  tally *t = arg;
  for (int64_t i = begin; i < end; i++) lun_pool_run(t->pool, t->n, 3, count, t);
}

static void check_pool(int threads) {
  static const int64_t sizes[] = { 0, 1, 2, 3, 7, 8, 9, 100, MOST };
  lun_pool *pool = lun_pool_open(threads);
  if (!CHECK(pool && lun_pool_size(pool) == threads, "%d threads", threads)) return;
  for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
    for (int64_t grain = 0; grain < 12; grain += 5) {
      tally t = { .pool = pool, .n = sizes[s], .grain = grain };
      lun_pool_run(pool, t.n, grain, count, &t);
      CHECK(counts_are(&t, 1) && t.short_pieces == 0, "%d threads: %d places in pieces of %d", threads, (int)t.n, (int)grain);
    }
  tally inner = { .pool = pool, .n = 50 };
  lun_pool_run(pool, 20, 1, nested, &inner);
  CHECK(counts_are(&inner, 20), "%d threads: a job inside a job", threads);
  tally many = { .pool = pool, .n = 5 };
  for (int i = 0; i < 20000; i++) lun_pool_run(pool, 5, 1, count, &many);
  CHECK(counts_are(&many, 20000), "%d threads: 20000 small jobs", threads);
  lun_pool_close(pool);
}

/* Units of share_run(): each once, and memory that nobody else writes meanwhile. */
typedef struct units {
  atomic_int times[MOST];
  atomic_int mixed;
} units;

static void use_memory(const void *arg, int64_t begin, int64_t end, void *own) {
  units   *u = (units *)(uintptr_t)arg;
  int64_t *place = own;
  for (int64_t i = begin; i < end; i++) {
    atomic_fetch_add(&u->times[i], 1);
    for (int k = 0; k < 16; k++) place[k] = i;
    for (int k = 0; k < 16; k++)
      if (place[k] != i) atomic_fetch_add(&u->mixed, 1);
  }
}

static void check_share(int threads) {
  lun_ctx *cx = lun_open(threads);
  units    u = { { 0 }, 0 };
  int      once = 1;
  CHECK(share_run(cx, MOST, 3, 16 * sizeof(int64_t), use_memory, &u) == LUN_OK, "%s", lun_message(cx));
  for (int i = 0; i < MOST; i++) once = once && u.times[i] == 1;
  CHECK(once && u.mixed == 0, "%d threads: units with memory of their own", threads);
  CHECK(share_run(cx, 4, 1, SIZE_MAX / 2, use_memory, &u) == LUN_EMEM, "more scratch than there is");
  lun_close(cx);
}

int main(void) {
  for (int threads = 1; threads <= 5; threads++) {
    check_pool(threads);
    check_share(threads);
  }
  return check_end();
}
