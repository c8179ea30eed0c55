/*
** map.c - maps files read-only.
**
** Weights are read where they lie: pages come from the page cache when touched
** and are shared by every process that maps the same file.
*/
#define _DEFAULT_SOURCE   /* madvise */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "map.h"

static uint64_t nanoseconds(struct timespec t) { return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec; }

/* What an open regular file is; its size is 0 after an error. */
static lun_origin origin_of(lun_ctx *cx, int fd, const char *path) {
  struct stat st;
  if (fstat(fd, &st) != 0) lun_fail(cx, LUN_EIO, "%s: %s", path, strerror(errno));
  else if (!S_ISREG(st.st_mode)) lun_fail(cx, LUN_EIO, "%s: not a regular file", path);
  else if (st.st_size <= 0) lun_fail(cx, LUN_EIO, "%s: empty file", path);
  else if ((uintmax_t)st.st_size > SIZE_MAX / 2) lun_fail(cx, LUN_EIO, "%s: too large to map: %jd bytes", path, (intmax_t)st.st_size);
  else return (lun_origin){ st.st_dev, st.st_ino, (uint64_t)st.st_size, nanoseconds(st.st_mtim), nanoseconds(st.st_ctim), 0 };
  return (lun_origin){ .size = 0 };
}

lun_map *lun_map_open(lun_ctx *cx, const char *path) {
  lun_map   *map = NULL;
  lun_origin origin;
  size_t     size;
  void      *data;
  int        fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);   /* a named pipe must not make us wait */
  if (fd < 0) {
    lun_fail(cx, LUN_EIO, "%s: %s", path, strerror(errno));
    return NULL;
  }
  origin = origin_of(cx, fd, path);
  size = origin.size;
  if (size == 0) goto done;
  data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) {
    lun_fail(cx, errno == ENOMEM ? LUN_EMEM : LUN_EIO, "%s: cannot map %zu bytes: %s", path, size, strerror(errno));
    goto done;
  }
  map = lun_alloc(sizeof *map);
  if (map) {
    *map = (lun_map){ 1, data, size, origin };
  } else {
    munmap(data, size);
    lun_fail(cx, LUN_EMEM, "out of memory");
  }
done:
  close(fd);
  return map;
}

void lun_map_rest(lun_map *map) { madvise((void *)(uintptr_t)map->data, map->size, MADV_DONTNEED); }

void lun_map_drop(lun_map *map) {
  if (!map || --map->refs > 0) return;
  munmap((void *)(uintptr_t)map->data, map->size);
  lun_free(map);
}
