/*
** writer.c - writes model files.
**
** A header describes all tensors and comes before them, so contents gather in a
** file without a name until lun_writer_close() knows them all.
*/
#define _POSIX_C_SOURCE 200809L   /* O_CLOEXEC, pread */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "gguf.h"
#include "json.h"
#include "writer.h"

#define PIECE ((size_t)1 << 20)   /* bytes copied at a time */

static const struct { const char *name; const lun_file_type *types; size_t alignment; void (*header)(lun_head *h, const lun_weights *w); } formats[] = {
  [LUN_SAFETENSORS] = { "safetensors", lun_safetensors_types, 1, lun_safetensors_header },
  [LUN_GGUF]        = { "gguf", lun_gguf_types, LUN_GGUF_ALIGNMENT, lun_gguf_header },
};

struct lun_writer {
  lun_ctx     *cx;
  lun_format   format;
  lun_status   status;     /* of the first failure: there is nothing to be closed then */
  char        *path;
  char        *temporary;  /* name of the file being made, in the same folder */
  int          contents;   /* file without a name */
  size_t       size;       /* of the contents */
  lun_weights *w;          /* 'at' counts in the contents */
};

/* ---- headers ------------------------------------------------------------- */

void lun_head_bytes(lun_head *h, const void *data, size_t size) {
  if (lun_error(h->cx) != LUN_OK || size == 0) return;
  if (h->room - h->size < size) {
    size_t         room = (h->size + size) * 2;
    unsigned char *more = lun_alloc(room);
    if (!more) {
      lun_fail(h->cx, LUN_EMEM, "out of memory");
      return;
    }
    if (h->size) memcpy(more, h->data, h->size);
    lun_free(h->data);
    h->data = more;
    h->room = room;
  }
  memcpy(h->data + h->size, data, size);
  h->size += size;
}

void lun_head_number(lun_head *h, uint64_t v, int size) {
  unsigned char byte[8];
  for (int i = 0; i < size; i++) byte[i] = (unsigned char)(v >> (8 * i));
  lun_head_bytes(h, byte, (size_t)size);
}

void lun_head_text(lun_head *h, const char *text) { lun_head_bytes(h, text, strlen(text)); }

/* ---- files --------------------------------------------------------------- */

static lun_status fail_file(lun_writer *out, const char *what) {
  return lun_fail(out->cx, LUN_EIO, "%s: cannot %s: %s", out->path, what, strerror(errno));
}

/* A new file beside the one to be written, under the name in 'temporary'; -1 after an error. */
static int create_beside(lun_writer *out) {
  for (int i = 0; i < 1000; i++) {
    int fd;
    sprintf(out->temporary, "%s.%ld-%d.tmp", out->path, (long)getpid(), i);
    fd = open(out->temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd >= 0) return fd;
    if (errno != EEXIST) break;
  }
  fail_file(out, "create a file beside it");
  return -1;
}

static lun_status put_all(lun_writer *out, int fd, const void *data, size_t size) {
  const char *p = data;
  while (size > 0) {
    ssize_t n = write(fd, p, size < PIECE ? size : PIECE);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail_file(out, "write");
    p += n;
    size -= (size_t)n;
  }
  return LUN_OK;
}

/* Copies one tensor of the contents to 'fd', with zeros up to the alignment. */
static lun_status copy_tensor(lun_writer *out, int fd, const lun_weight *t, char *piece) {
  static const char zeros[LUN_GGUF_ALIGNMENT];
  size_t alignment = formats[out->format].alignment;
  for (size_t done = 0; done < t->bytes;) {
    size_t  want = t->bytes - done < PIECE ? t->bytes - done : PIECE;
    ssize_t n = pread(out->contents, piece, want, (off_t)(t->at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail_file(out, "read back what was written for it");
    if (put_all(out, fd, piece, (size_t)n) != LUN_OK) return lun_error(out->cx);
    done += (size_t)n;
  }
  return put_all(out, fd, zeros, (alignment - t->bytes % alignment) % alignment);
}

/* ---- the writer ---------------------------------------------------------- */

lun_writer *lun_writer_open(lun_ctx *cx, lun_format format, const char *path) {
  lun_writer *out;
  size_t      length = strlen(path);
  if (lun_error(cx) != LUN_OK) return NULL;
  out = lun_alloc(sizeof *out);
  if (!out) {
    lun_fail(cx, LUN_EMEM, "out of memory");
    return NULL;
  }
  *out = (lun_writer){ .cx = cx, .format = format, .contents = -1, .path = lun_alloc(length + 1), .temporary = lun_alloc(length + 48),
                       .w = lun_alloc(sizeof *out->w) };
  if (out->w) memset(out->w, 0, sizeof *out->w);
  if (!out->path || !out->temporary || !out->w) {
    lun_fail(cx, LUN_EMEM, "out of memory");
  } else {
    memcpy(out->path, path, length + 1);
    out->contents = create_beside(out);
    if (out->contents >= 0) unlink(out->temporary);
  }
  if (lun_error(cx) == LUN_OK) return out;
  lun_writer_abandon(out);
  return NULL;
}

void lun_writer_abandon(lun_writer *out) {
  if (!out) return;
  if (out->contents >= 0) close(out->contents);
  lun_weights_free(out->w);
  lun_free(out->path);
  lun_free(out->temporary);
  lun_free(out);
}

/* A copy of a name, which must be UTF-8; NULL after an error. */
static const char *keep_name(lun_writer *out, const char *name) {
  if (lun_is_utf8(name, strlen(name))) return lun_weights_keep(out->cx, out->w, name, strlen(name));
  lun_fail(out->cx, LUN_EARG, "%s: a name or text that is not UTF-8: '%.200s'", out->path, name);
  return NULL;
}

static lun_status add_value(lun_writer *out, const char *key, lun_meta v) {
  if (lun_error(out->cx) == LUN_OK) {
    key = keep_name(out, key);
    if (key && v.type == LUN_STR) v.text = keep_name(out, v.text);
    if (lun_error(out->cx) == LUN_OK) lun_weights_add_meta(out->cx, out->w, key, &v);
  }
  if (out->status == LUN_OK) out->status = lun_error(out->cx);
  return lun_error(out->cx);
}

lun_status lun_writer_text(lun_writer *out, const char *key, const char *value) {
  return add_value(out, key, (lun_meta){ .type = LUN_STR, .text = value, .length = strlen(value) });
}

lun_status lun_writer_int(lun_writer *out, const char *key, int64_t value) {
  if (value < 0 || value > UINT32_MAX) lun_fail(out->cx, LUN_EARG, "%s: metadata '%.200s' is %lld, wanted 0 to 4294967295", out->path, key, (long long)value);
  return add_value(out, key, (lun_meta){ .type = LUN_INT, .i = value });
}

static void add_tensor(lun_writer *out, const char *name, lun_tensor *x) {
  const lun_file_type *type = formats[out->format].types;
  lun_weight           t = { .dtype = lun_dtype_of(x), .rank = lun_rank(x), .at = out->size, .bytes = lun_bytes(x) };
  const void          *data;
  while (type->name && type->dtype != t.dtype) type++;
  if (out->format == LUN_SAFETENSORS && strcmp(name, "__metadata__") == 0) {
    lun_fail(out->cx, LUN_EARG, "%s: no tensor of safetensors can be named __metadata__", out->path);
    return;
  }
  if (!type->name) {
    lun_fail(out->cx, LUN_EDTYPE, "%s: tensor '%.200s': %s has no type for %s", out->path, name, formats[out->format].name, lun_dtype_name(t.dtype));
    return;
  }
  t.type = type->name;
  t.name = keep_name(out, name);
  for (int i = 0; i < t.rank; i++) t.dim[i] = lun_dim(x, i);
  data = t.name ? lun_data(x) : NULL;
  if (!data || put_all(out, out->contents, data, t.bytes) != LUN_OK) return;
  out->size += t.bytes;
  lun_weights_add(out->cx, out->w, NULL, &t);
}

lun_status lun_writer_add(lun_writer *out, const char *name, lun_tensor *t) {
  size_t mark = lun_scope_open(out->cx);
  if (!t) lun_fail(out->cx, LUN_EARG, "%s: no tensor for '%.200s'", out->path, name);
  if (lun_error(out->cx) == LUN_OK) add_tensor(out, name, t);
  lun_scope_close(out->cx, mark, NULL);
  if (out->status == LUN_OK) out->status = lun_error(out->cx);
  return lun_error(out->cx);
}

/* Widest elements first, so that all are aligned; then by name. */
static int compare_widths(const void *a, const void *b) {
  const lun_weight *x = a, *y = b;
  size_t            wx = lun_dtype_alignment(x->dtype), wy = lun_dtype_alignment(y->dtype);
  if (wx != wy) return wx > wy ? -1 : 1;
  return strcmp(x->name, y->name);
}

static lun_status write_file(lun_writer *out, int fd, char *piece) {
  lun_head   h = { .cx = out->cx };
  lun_status status;
  if (out->w->weight_count) qsort(out->w->weight, out->w->weight_count, sizeof *out->w->weight, compare_widths);
  formats[out->format].header(&h, out->w);
  status = lun_error(out->cx) == LUN_OK ? put_all(out, fd, h.data, h.size) : lun_error(out->cx);
  for (size_t i = 0; i < out->w->weight_count && status == LUN_OK; i++) status = copy_tensor(out, fd, &out->w->weight[i], piece);
  if (status == LUN_OK && fsync(fd) != 0) status = fail_file(out, "sync");
  lun_free(h.data);
  return status;
}

lun_status lun_writer_close(lun_writer *out) {
  lun_ctx   *cx = out->cx;
  char      *piece = lun_alloc(PIECE);
  int        fd = -1;
  lun_status status = out->status;
  if (status != LUN_OK) lun_fail(cx, status, "%s: not written, because adding to it failed", out->path);
  if (status == LUN_OK && !piece) status = lun_fail(cx, LUN_EMEM, "out of memory");
  if (status == LUN_OK) status = lun_weights_sort(cx, out->w, out->path);
  if (status == LUN_OK) fd = create_beside(out);
  if (fd >= 0) {
    status = write_file(out, fd, piece);
    if (close(fd) != 0 && status == LUN_OK) status = fail_file(out, "close");
    if (status == LUN_OK && rename(out->temporary, out->path) != 0) status = fail_file(out, "rename");
    if (status != LUN_OK) unlink(out->temporary);
  } else if (status == LUN_OK) {
    status = lun_error(cx);
  }
  lun_free(piece);
  lun_writer_abandon(out);
  return status;
}
