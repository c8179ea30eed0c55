/* pack_file.c - packed weights in a file that several processes map; see pack_file.h. */
#define _GNU_SOURCE    /* memfd_create, F_OFD_SETLKW */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "context.h"
#include "pack_file.h"

enum { HEAD = 128 };         /* bytes of a record before its panels */

typedef struct header {
  char     magic[8];         /* zeros: the file is new */
  uint64_t end;              /* where the next record begins: what lies behind does not count */
} header;

typedef struct record {
  pack_key key;
  uint64_t bytes;            /* of the panels */
} record;

static const char magic[8] = "lunpak1";       /* grows with the arrangement of panels (isa.h) */

struct lun_pack_file {
  int      fd;               /* opened here: its lock is ours alone, also among the threads of a process */
  bool     full;             /* or broken: nothing more goes in */
  uint64_t next;             /* record after the one found last: weights are asked for in one order */
  uint64_t making;           /* where the pack begins that is being made */
  lun_packs_tally tally;
};

_Static_assert(sizeof(record) <= HEAD && HEAD % 64 == 0, "panels follow a record aligned");
_Static_assert(sizeof(pack_key) == sizeof(lun_origin) + 2 * 8 + 4 * 4, "keys are compared byte by byte");

static uint64_t page(void) { return (uint64_t)sysconf(_SC_PAGESIZE); }
static uint64_t whole_pages(uint64_t bytes) { return (bytes + page() - 1) / page() * page(); }

/* ---- reading and writing ---------------------------------------------------- */

static bool lock(const lun_pack_file *f, short type) {
  struct flock l = { .l_type = type, .l_whence = SEEK_SET };
  int          status;
  do status = fcntl(f->fd, F_OFD_SETLKW, &l); while (status != 0 && errno == EINTR);
  return status == 0;
}

static bool read_at(const lun_pack_file *f, void *to, size_t size, uint64_t at) {
  return pread(f->fd, to, size, (off_t)at) == (ssize_t)size;
}

static bool write_header(const lun_pack_file *f, uint64_t end) {
  header h = { .end = end };
  memcpy(h.magic, magic, sizeof magic);
  return pwrite(f->fd, &h, sizeof h, 0) == (ssize_t)sizeof h;
}

/* Room that is really there: a page that a full file system cannot give ends the process when it is touched. */
static bool reserve(const lun_pack_file *f, uint64_t at, uint64_t bytes) {
  int code;
  do code = posix_fallocate(f->fd, (off_t)at, (off_t)bytes); while (code == EINTR);
  return code == 0;
}

static char *map_record(const lun_pack_file *f, uint64_t at, size_t bytes, int access) {
  char *data = mmap(NULL, HEAD + bytes, access, MAP_SHARED, f->fd, (off_t)at);
  return data == MAP_FAILED ? NULL : data + HEAD;
}

/* ---- records ------------------------------------------------------------------ */

/* Where the records end; 0 if the file is not as it should be. */
static uint64_t end_of(const lun_pack_file *f) {
  struct stat st;
  header      h;
  if (fstat(f->fd, &st) != 0 || !read_at(f, &h, sizeof h, 0) || memcmp(h.magic, magic, sizeof magic) != 0) return 0;
  return h.end >= page() && h.end % page() == 0 && h.end <= (uint64_t)st.st_size ? h.end : 0;
}

/* The record at 'at' and where the next one begins; 0 if there is none. */
static uint64_t read_record(const lun_pack_file *f, uint64_t at, uint64_t end, record *r) {
  if (at >= end || !read_at(f, r, sizeof *r, at) || r->bytes > end - at - HEAD) return 0;
  return at + whole_pages(HEAD + r->bytes);
}

/* The place of a key's record among those that begin in [at, limit); 0 if there is none. */
static uint64_t find(lun_pack_file *f, const pack_key *key, size_t bytes, uint64_t at, uint64_t limit, uint64_t end) {
  uint64_t next;
  record   r;
  for (; at < limit && (next = read_record(f, at, end, &r)) != 0; at = next)
    if (r.bytes == bytes && memcmp(&r.key, key, sizeof *key) == 0) {
      f->next = next;
      return at;
    }
  return 0;
}

static char *append(lun_pack_file *f, const pack_key *key, size_t bytes, uint64_t end) {
  record r = { .key = *key, .bytes = bytes };
  char  *data = NULL;
  if (bytes > INT64_MAX / 2 - end || f->full) return NULL;
  if (reserve(f, end, whole_pages(HEAD + bytes)) && pwrite(f->fd, &r, sizeof r, (off_t)end) == (ssize_t)sizeof r)
    data = map_record(f, end, bytes, PROT_READ | PROT_WRITE);
  f->full = !data;
  f->making = end;
  return data;
}

char *pack_file_take(lun_pack_file *f, const pack_key *key, size_t bytes, bool *fresh) {
  uint64_t end, at;
  char    *data = NULL;
  *fresh = false;
  if (key->origin.size > 0 && lock(f, F_WRLCK)) {
    end = end_of(f);
    at = find(f, key, bytes, f->next, end, end);
    if (!at) at = find(f, key, bytes, page(), f->next, end);
    if (at) data = map_record(f, at, bytes, PROT_READ);
    else if (end) *fresh = (data = append(f, key, bytes, end)) != NULL;
    if (!*fresh) lock(f, F_UNLCK);
  }
  if (!data) f->tally.own += bytes;
  else if (*fresh) f->tally.added += bytes;
  else f->tally.found += bytes;
  return data;
}

void pack_file_put(lun_pack_file *f, char *data, size_t bytes) {
  uint64_t next = f->making + whole_pages(HEAD + bytes);
  mprotect(data - HEAD, HEAD + bytes, PROT_READ);
  if (write_header(f, next)) f->next = next;
  else f->full = true;
  lock(f, F_UNLCK);
}

void pack_file_release(char *data, size_t bytes) { munmap(data - HEAD, HEAD + bytes); }

/* ---- the file ------------------------------------------------------------------ */

int lun_packs_make(lun_ctx *cx) {
  int fd = memfd_create("lunette packs", MFD_CLOEXEC);
  if (fd < 0) lun_fail(cx, LUN_EIO, "cannot make shared memory: %s", strerror(errno));
  return fd;
}

static lun_status refuse(lun_ctx *cx, lun_status code, int fd, const char *why) {
  return lun_fail(cx, code, "shared weights, file descriptor %d: %s", fd, why);
}

/* Gives a new file its header; the caller holds the lock. */
static lun_status begin(lun_ctx *cx, lun_pack_file *f, int fd) {
  header h = { .end = 0 };
  if (pread(f->fd, &h, sizeof h, 0) < 0) return refuse(cx, LUN_EIO, fd, strerror(errno));
  if (memcmp(&h, &(header){ .end = 0 }, sizeof h) == 0) f->full = !(reserve(f, 0, page()) && write_header(f, page()));
  else if (end_of(f) == 0) return refuse(cx, LUN_EARG, fd, "not a file of packed weights");
  return LUN_OK;
}

static lun_pack_file *open_file(lun_ctx *cx, int fd) {
  lun_pack_file *f = lun_alloc(sizeof *f);
  char           path[40];
  if (!f) {
    lun_fail(cx, LUN_EMEM, "out of memory");
    return NULL;
  }
  *f = (lun_pack_file){ .next = page() };
  snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
  f->fd = open(path, O_RDWR | O_CLOEXEC);
  if (f->fd >= 0) return f;
  refuse(cx, LUN_EIO, fd, strerror(errno));
  lun_free(f);
  return NULL;
}

lun_status lun_packs_open(lun_ctx *cx, int fd) {
  struct stat st;
  if (lun_error(cx) != LUN_OK) return lun_error(cx);
  if (cx->packs) return lun_fail(cx, LUN_EARG, "packed weights are shared already");
  if (fstat(fd, &st) != 0) return refuse(cx, LUN_EARG, fd, strerror(errno));
  if (!S_ISREG(st.st_mode)) return refuse(cx, LUN_EARG, fd, "not a regular file");
  cx->packs = open_file(cx, fd);
  if (!cx->packs) return lun_error(cx);
  if (!lock(cx->packs, F_WRLCK)) refuse(cx, LUN_EIO, fd, strerror(errno));
  else begin(cx, cx->packs, fd);
  lock(cx->packs, F_UNLCK);
  if (lun_error(cx) != LUN_OK) lun_packs_close(cx);
  return lun_error(cx);
}

lun_packs_tally lun_packs_close(lun_ctx *cx) {
  lun_pack_file  *f = cx->packs;
  lun_packs_tally tally = { 0, 0, 0 };
  if (!f) return tally;
  tally = f->tally;
  close(f->fd);
  lun_free(f);
  cx->packs = NULL;
  return tally;
}
