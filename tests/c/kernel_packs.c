/*
** kernel_packs.c - packed weights in a file that several processes map: who comes later finds what is
** there, bit for bit; what is not the same weight, or was left half made, or has no room, is packed anew.
*/
#define _GNU_SOURCE    /* memfd_create, F_ADD_SEALS */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include "op_call.h"
#include "lun_files.h"
#include "cpu/isa.h"
#include "cpu/pack_file.h"

/* ---- a model ------------------------------------------------------------------ */

typedef struct row {
  const char *name;
  lun_dtype   dtype;
  int64_t     dim[2];
  bool        transposed;
} row;

static const row rows[] = {
  { "f32", LUN_F32, { 70, 64 }, false },    { "f32 again", LUN_F32, { 70, 64 }, false },
  { "f32 transposed", LUN_F32, { 64, 33 }, true },
  { "f16", LUN_F16, { 40, 96 }, false },    { "f16 transposed", LUN_F16, { 64, 96 }, true },
  { "bf16", LUN_BF16, { 31, 64 }, false },  { "q8_0", LUN_Q8_0, { 33, 64 }, false },
  { "q8_0 transposed", LUN_Q8_0, { 64, 96 }, true },
};
enum { ROWS = sizeof rows / sizeof *rows, M = 17, MOST = M * 128 };

typedef struct model { char path[400]; } model;

static model write_model(const char *name, uint64_t seed) {
  const char *folder = getenv("TMPDIR");
  lun_ctx    *cx = lun_open(1);
  model       m;
  lun_writer *out;
  snprintf(m.path, sizeof m.path, "%s/lunette-packs-%d-%s.gguf", folder ? folder : "/tmp", (int)getpid(), name);
  out = lun_writer_open(cx, LUN_GGUF, m.path);
  noise_state = seed;
  for (int i = 0; i < ROWS && out; i++) {
    lun_tensor *t = random_tensor(cx, 0, 2, rows[i].dim);
    lun_writer_add(out, rows[i].name, lun_run(cx, LUN_OP_cast, 1, &t, PARAMS(rows[i].dtype), NULL));
  }
  CHECK(out && lun_writer_close(out) == LUN_OK, "%s", lun_message(cx));
  lun_close(cx);
  return m;
}

typedef struct answer {
  lun_status      code;
  char            message[256];
  lun_packs_tally tally;
  float           y[ROWS][MOST];
} answer;

static bool same(const answer *a, const answer *b) { return memcmp(a->y, b->y, sizeof a->y) == 0; }

/* The products of one x with each weight of a model; fd -1: nothing is shared. */
static void run(const char *path, int fd, answer *to) {
  lun_ctx     *cx = lun_open(2);
  lun_weights *w = lun_weights_open(cx, path);
  uint64_t     seed = 88172645463325252u;
  memset(to, 0, sizeof *to);
  if (fd >= 0) lun_packs_open(cx, fd);
  for (int i = 0; i < ROWS && w; i++) {
    lun_tensor *x = lun_make(cx, LUN_F32, DIM(M, rows[i].dim[!rows[i].transposed]));
    lun_tensor *t = lun_weights_get(cx, w, lun_weights_find(w, rows[i].name));
    for (int64_t k = 0; x && k < lun_count(x); k++) f32(x)[k] = (float)((seed = seed * 6364136223846793005u + 1) >> 40) / 8388608.0f - 1;
    t = lun_linear(cx, x, t, NULL, rows[i].transposed, 0);
    if (t) lun_to_host(t, to->y[i], lun_bytes(t));
  }
  to->code = lun_error(cx);
  snprintf(to->message, sizeof to->message, "%.250s", lun_message(cx));
  to->tally = lun_packs_close(cx);
  lun_weights_free(w);
  lun_close(cx);
}

/* run() must give the numbers of 'want' and this division of 'all' bytes; -1: any. */
static void expect(const char *path, int fd, const answer *want, int64_t found, int64_t added, int64_t own, int line) {
  answer a;
  run(path, fd, &a);
  check_report(a.code == LUN_OK, __FILE__, line, "%s", a.message);
  check_report(same(&a, want), __FILE__, line, "numbers differ from those of private packs");
  check_report((found < 0 || a.tally.found == (size_t)found) && (added < 0 || a.tally.added == (size_t)added) &&
               (own < 0 || a.tally.own == (size_t)own), __FILE__, line, "found %zu, added %zu, own %zu bytes; wanted %lld, %lld, %lld",
               a.tally.found, a.tally.added, a.tally.own, (long long)found, (long long)added, (long long)own);
}
#define EXPECT(path, fd, want, found, added, own) expect(path, fd, want, (int64_t)(found), (int64_t)(added), (int64_t)(own), __LINE__)

static int shared_file(void) {
  lun_ctx *cx = lun_open(1);
  int      fd = lun_packs_make(cx);
  CHECK(fd >= 0, "%s", lun_message(cx));
  lun_close(cx);
  return fd;
}

/* Bytes of a model's packs. */
static int64_t packs_of(const char *path) {
  answer a;
  int    fd = shared_file();
  run(path, fd, &a);
  close(fd);
  CHECK(a.tally.added > 0 && a.tally.found == 0 && a.tally.own == 0, "the first adds all of it: %zu", a.tally.added);
  return (int64_t)a.tally.added;
}

/* ---- what is found ---------------------------------------------------------------- */

static void check_sharing(const char *path, const answer *want, int64_t all) {
  int fd = shared_file();
  EXPECT(path, fd, want, 0, all, 0);
  EXPECT(path, fd, want, all, 0, 0);
  EXPECT(path, fd, want, all, 0, 0);
  close(fd);
}

static void check_other_models(const char *path, const answer *want, int64_t all) {
  model       made = write_model("other", 99);
  const char *other = made.path;
  answer      others, changed;
  int         fd = shared_file();
  run(other, -1, &others);
  CHECK(!same(&others, want), "the models differ");
  EXPECT(path, fd, want, 0, all, 0);
  EXPECT(other, fd, &others, 0, all, 0);
  EXPECT(path, fd, want, all, 0, 0);
  usleep(30000);                                 /* file times advance in ticks */
  {
    FILE *from = fopen(path, "rb"), *to = fopen(other, "r+b");     /* the same inode and size, other contents */
    int   c;
    if (CHECK(from && to)) while ((c = getc(from)) != EOF) putc(c, to);
    if (from) fclose(from);
    if (to) fclose(to);
  }
  run(other, -1, &changed);
  CHECK(same(&changed, want), "the model's contents are the first one's now");
  EXPECT(other, fd, &changed, 0, all, 0);
  remove(other);
  close(fd);
}

/* f16 becomes f32 panels where an instruction set cannot read it: those are other packs. */
static void check_other_isa(const char *path, const answer *want, int64_t all) {
  const cpu_isa *best = isa_now();
  answer         plain;
  int            fd;
  if (!best->halves) return;
  fd = shared_file();
  EXPECT(path, fd, want, 0, all, 0);
  isa_use(&isa_base);
  run(path, -1, &plain);
  run(path, fd, &plain);
  CHECK(plain.code == LUN_OK && plain.tally.found > 0 && plain.tally.added > 0 && plain.tally.own == 0,
        "found %zu, added %zu", plain.tally.found, plain.tally.added);
  isa_use(best);
  EXPECT(path, fd, want, all, 0, 0);
  close(fd);
}

/* Packs of a part of a weight are not those of the whole. */
static void check_views(const char *path) {
  lun_ctx     *cx = lun_open(1);
  lun_weights *w = lun_weights_open(cx, path);
  int          fd = shared_file();
  lun_packs_open(cx, fd);
  for (int round = 0; round < 2; round++)
    for (int64_t start = 0; start <= 32; start += 16) {
      lun_tensor *whole = lun_weights_get(cx, w, lun_weights_find(w, "f32")), *part = lun_narrow(cx, whole, 0, start, 32);
      lun_tensor *x = lun_from_host(cx, LUN_F32, DIM(1, 64), lun_data(whole)), *y, *z;
      y = lun_linear(cx, x, part, NULL, false, 0);
      z = lun_narrow(cx, lun_linear(cx, x, whole, NULL, false, 0), 1, start, 32);
      CHECK(y && z && memcmp(lun_data(y), lun_data(z), lun_bytes(y)) == 0, "rows from %d: %s", (int)start, lun_message(cx));
    }
  CHECK(lun_packs_close(cx).own == 0);
  lun_weights_free(w);
  lun_close(cx);
  close(fd);
}

/* ---- who comes at once, who is killed ---------------------------------------------- */

typedef struct guest {
  pthread_t          thread;
  pthread_barrier_t *door;
  const char        *path;
  int                fd;
  answer             got;
} guest;

static void *come(void *arg) {
  guest *g = arg;
  pthread_barrier_wait(g->door);
  run(g->path, g->fd, &g->got);
  return NULL;
}

static void check_at_once(const char *path, const answer *want, int64_t all) {
  enum { GUESTS = 4 };
  static guest      g[GUESTS];
  pthread_barrier_t door;
  size_t            added = 0;
  int               fd = shared_file();
  pthread_barrier_init(&door, NULL, GUESTS);
  for (int i = 0; i < GUESTS; i++) {
    g[i].door = &door, g[i].path = path, g[i].fd = fd;
    CHECK(pthread_create(&g[i].thread, NULL, come, &g[i]) == 0);
  }
  for (int i = 0; i < GUESTS; i++) {
    pthread_join(g[i].thread, NULL);
    CHECK(g[i].got.code == LUN_OK && same(&g[i].got, want) && g[i].got.tally.own == 0, "guest %d: %s", i, g[i].got.message);
    CHECK(g[i].got.tally.found + g[i].got.tally.added == (size_t)all);
    added += g[i].got.tally.added;
  }
  CHECK(added == (size_t)all, "%zu bytes were added, wanted %lld: each pack once", added, (long long)all);
  pthread_barrier_destroy(&door);
  close(fd);
}

/* A process is killed with the lock, after it has written the key and rubbish for panels. */
static void check_killed(const char *path, const answer *want, int64_t all) {
  int   fd = shared_file(), status = 0;
  pid_t child = fork();
  if (child == 0) {
    lun_ctx  *cx = lun_open(1);
    lun_weights *w = lun_weights_open(cx, path);
    lun_tensor  *t = w ? lun_weights_get(cx, w, lun_weights_find(w, "f32")) : NULL;
    pack_key     key = { .n = 70, .k = 64, .dtype = LUN_F32, .columns = PANEL };
    bool         fresh = false;
    char        *data = NULL;
    if (t && lun_packs_open(cx, fd) == LUN_OK) {
      key.origin = t->buffer->origin;
      data = pack_file_take(cx->packs, &key, 96 * 64 * 4, &fresh);
    }
    if (data && fresh) memset(data, 0x55, 96 * 64 * 4), raise(SIGKILL);
    _exit(1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFSIGNALED(status), "the child was killed: %d", status);
  EXPECT(path, fd, want, 0, all, 0);
  EXPECT(path, fd, want, all, 0, 0);
  close(fd);
}

/* ---- files that do not serve --------------------------------------------------------- */

static void check_no_room(const char *path, const answer *want, int64_t all) {
  int fd = memfd_create("no room", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
  EXPECT(path, fd, want, 0, 0, all);
  close(fd);
  fd = memfd_create("room for some", MFD_CLOEXEC | MFD_ALLOW_SEALING);
  CHECK(ftruncate(fd, 32768) == 0 && fcntl(fd, F_ADD_SEALS, F_SEAL_GROW) == 0);
  {
    answer a;
    run(path, fd, &a);
    CHECK(a.code == LUN_OK && same(&a, want) && a.tally.added > 0 && a.tally.own > 0, "added %zu, own %zu", a.tally.added, a.tally.own);
    EXPECT(path, fd, want, a.tally.added, 0, a.tally.own);
  }
  close(fd);
}

static void refuses(int fd, lun_status code, const char *why) {
  lun_ctx *cx = lun_open(1);
  CHECK(lun_packs_open(cx, fd) == code && strstr(lun_message(cx), why), "wanted '%s', got '%s'", why, lun_message(cx));
  CHECK(!cx->packs);
  lun_close(cx);
}

static void check_refusals(void) {
  int      ends[2], fd = shared_file();
  lun_ctx *cx = lun_open(1);
  refuses(-1, LUN_EARG, "descriptor -1: Bad file descriptor");
  if (CHECK(pipe(ends) == 0)) {
    refuses(ends[0], LUN_EARG, "not a regular file");
    close(ends[0]);
    close(ends[1]);
  }
  CHECK(lun_packs_open(cx, fd) == LUN_OK && lun_packs_open(cx, fd) == LUN_EARG, "opened twice");
  lun_close(cx);                                 /* closes the file too */
  close(fd);
  fd = memfd_create("text", MFD_CLOEXEC);
  CHECK(write(fd, "a text", 6) == 6);
  refuses(fd, LUN_EARG, "not a file of packed weights");
  close(fd);
}

/* A file with one byte of the header or of the first record changed: refused, packed privately, or found all the same. */
static void check_damage(const char *path, const answer *want, int64_t all) {
  static char whole[1 << 20];
  int         fd = shared_file();
  ssize_t     size, page = (ssize_t)sysconf(_SC_PAGESIZE);
  EXPECT(path, fd, want, 0, all, 0);
  size = pread(fd, whole, sizeof whole, 0);
  CHECK(size > page + 128 && size < (ssize_t)sizeof whole);
  for (ssize_t at = 0; at < page + 128; at = at == 15 ? page : at + 1) {
    int    copy = memfd_create("damaged", MFD_CLOEXEC);
    answer a;
    whole[at] ^= 0x25;
    CHECK(write(copy, whole, (size_t)size) == size);
    whole[at] ^= 0x25;
    run(path, copy, &a);
    CHECK(a.code == LUN_EARG || (a.code == LUN_OK && same(&a, want)), "byte %d: %s", (int)at, a.message);
    close(copy);
  }
  CHECK(ftruncate(fd, 2 * page) == 0);
  refuses(fd, LUN_EARG, "not a file of packed weights");
  close(fd);
}

/* ---- lives ------------------------------------------------------------------------------ */

/* A weight holds its pack when the file and the model are closed. */
static void check_outlives(const char *path) {
  lun_ctx     *cx = lun_open(1);
  lun_weights *w = lun_weights_open(cx, path);
  int          fd = shared_file();
  lun_tensor  *t = lun_hold(lun_weights_get(cx, w, lun_weights_find(w, "f16"))), *x, *y, *z;
  x = lun_run(cx, LUN_OP_cast, 1, &t, PARAMS(LUN_F32), NULL);
  lun_packs_open(cx, fd);
  y = lun_linear(cx, x, t, NULL, false, 0);
  CHECK(lun_packs_close(cx).added > 0);
  close(fd);
  lun_weights_free(w);
  z = lun_linear(cx, x, t, NULL, false, 0);
  CHECK(y && z && memcmp(lun_data(y), lun_data(z), lun_bytes(y)) == 0, "%s", lun_message(cx));
  lun_close(cx);
  lun_drop(t);
}

static void check_memory(const char *path, const answer *want) {
  int fd = shared_file();
  for (long n = 1; n < 40; n++) {
    lun_ctx *cx = lun_open(1);
    lun_alloc_fail_at(n);
    if (lun_packs_open(cx, fd) != LUN_OK) CHECK(lun_error(cx) == LUN_EMEM && !cx->packs);
    lun_alloc_fail_at(0);
    lun_close(cx);
  }
  EXPECT(path, fd, want, 0, -1, 0);
  close(fd);
}

static int descriptors(void) {
  int count = 0;
  for (int fd = 0; fd < 256; fd++) count += fcntl(fd, F_GETFD) >= 0;
  return count;
}

int main(void) {
  static answer want;
  int           before = descriptors();
  model         made = write_model("first", 1);
  const char   *path = made.path;
  int64_t       all = packs_of(path);
  run(path, -1, &want);
  CHECK(want.code == LUN_OK, "%s", want.message);
  check_sharing(path, &want, all);
  check_other_models(path, &want, all);
  check_other_isa(path, &want, all);
  check_views(path);
  for (int i = 0; i < 30; i++) check_at_once(path, &want, all);
  check_killed(path, &want, all);
  check_no_room(path, &want, all);
  check_refusals();
  check_damage(path, &want, all);
  check_outlives(path);
  check_memory(path, &want);
  CHECK(descriptors() == before, "%d descriptors open, %d before", descriptors(), before);
  remove(path);
  return check_end();
}
