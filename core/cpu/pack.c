/* pack.c - right operands of products, rearranged into panels. */
#include <string.h>
#include "context.h"
#include "dtype.h"
#include "pack.h"
#include "pack_file.h"

static int panel_columns(int64_t n, int64_t panel) {
  return n - panel * PANEL < PANEL ? (int)(n - panel * PANEL) : PANEL;
}

/* Element 'i' of a row-major array; for q8_0 i is a multiple of 32. */
static const char *element(lun_dtype dtype, const void *data, int64_t i) {
  return (const char *)data + lun_dtype_bytes(dtype, i);
}

/* Rows of [N, K] become columns; other types pass through f32, a stretch of K at a time. */
static void columns_from_rows(lun_dtype dtype, const void *data, int64_t n, int64_t k, int64_t panel, float *to) {
  enum { PIECE = 64 };
  const cpu_isa *isa = isa_now();
  float          rows[PANEL * PIECE];
  int            columns = panel_columns(n, panel);
  if (dtype == LUN_F32) {
    isa->pack((const float *)data + panel * PANEL * k, k, columns, k, to);
    return;
  }
  for (int64_t at = 0; at < k; at += PIECE) {
    int64_t length = k - at < PIECE ? k - at : PIECE;
    for (int i = 0; i < columns; i++)
      lun_row_to_f32(dtype, element(dtype, data, (panel * PANEL + i) * k + at), length, rows + i * PIECE);
    isa->pack(rows, PIECE, columns, length, to + at * PANEL);
  }
}

void pack_panel(lun_dtype dtype, const void *data, bool transposed, int64_t n, int64_t k, int64_t panel, float *to) {
  int columns = panel_columns(n, panel);
  if (!transposed) {
    columns_from_rows(dtype, data, n, k, panel, to);
    return;
  }
  for (int64_t i = 0; i < k; i++, to += PANEL) {
    lun_row_to_f32(dtype, element(dtype, data, i * n + panel * PANEL), columns, to);
    for (int j = columns; j < PANEL; j++) to[j] = 0;
  }
}

/* ---- kinds that keep the stored numbers ----------------------------------- */

static void pack_f16(const lun_tensor *w, const lun_pack *p, int64_t panel) {
  const uint16_t *from = (const uint16_t *)(const void *)w->data;
  uint16_t       *to = (uint16_t *)(void *)(p->data + (size_t)panel * p->panel_bytes);
  int             columns = panel_columns(p->n, panel);
  if (columns < PANEL) memset(to, 0, p->panel_bytes);
  from += panel * PANEL * (p->transposed ? 1 : p->k);
  for (int64_t i = 0; i < p->k; i++)
    for (int j = 0; j < columns; j++) to[i * PANEL + j] = p->transposed ? from[i * p->n + j] : from[j * p->k + i];
}

/* Blocks along K: 32 of them, one a column, become 32 scales and a square of bytes. */
static void pack_q8_k(const lun_tensor *w, const lun_pack *p, int64_t panel) {
  int64_t blocks = p->k / LUN_Q8_BLOCK;
  char   *to = p->data + (size_t)panel * p->panel_bytes;
  memset(to, 0, p->panel_bytes);
  for (int64_t b = 0; b < blocks; b++, to += Q8_K_BYTES)
    for (int j = 0; j < panel_columns(p->n, panel); j++) {
      const char *from = w->data + ((panel * PANEL + j) * blocks + b) * LUN_Q8_BYTES;
      lun_row_to_f32(LUN_F16, from, 1, (float *)(void *)to + j);
      for (int i = 0; i < LUN_Q8_BLOCK; i++) to[PANEL * sizeof(float) + (size_t)(i * PANEL + j)] = from[2 + i];
    }
}

/* Blocks along N: each is a row of a panel. */
static void pack_q8_n(const lun_tensor *w, const lun_pack *p, int64_t panel) {
  int64_t blocks = p->n / LUN_Q8_BLOCK;
  char   *to = p->data + (size_t)panel * p->panel_bytes;
  for (int64_t i = 0; i < p->k; i++, to += Q8_N_BYTES) {
    const char *from = w->data + (i * blocks + panel) * LUN_Q8_BYTES;
    lun_row_to_f32(LUN_F16, from, 1, (float *)(void *)to);
    memcpy(to + sizeof(float), from + 2, LUN_Q8_BLOCK);
  }
}

/* ---- packing ---------------------------------------------------------------- */

typedef struct packing {
  const lun_tensor *weight;
  lun_pack         *pack;
} packing;

static void pack_panels(void *arg, int64_t begin, int64_t end) {
  const lun_tensor *w = ((packing *)arg)->weight;
  lun_pack         *p = ((packing *)arg)->pack;
  for (int64_t i = begin; i < end; i++) {
    if (p->kind == PANEL_F16) pack_f16(w, p, i);
    else if (p->kind == PANEL_Q8_K) pack_q8_k(w, p, i);
    else if (p->kind == PANEL_Q8_N) pack_q8_n(w, p, i);
    else pack_panel(w->dtype, w->data, p->transposed, p->n, p->k, i, (float *)(void *)(p->data + (size_t)i * p->panel_bytes));
  }
}

static panel_kind kind_of(lun_dtype dtype, bool transposed) {
  if (dtype == LUN_F16 && isa_now()->halves) return PANEL_F16;
  if (dtype == LUN_Q8_0) return transposed ? PANEL_Q8_N : PANEL_Q8_K;
  return PANEL_F32;
}

/* Of one panel.  K elements of a tensor exist, 2 to 4 bytes each; that 32 columns of them fit is not yet said. */
static bool panel_size(panel_kind kind, int64_t k, size_t *bytes) {
  static const size_t row[PANEL_KINDS] = { PANEL * 4, PANEL * 2, Q8_K_BYTES / 32, Q8_N_BYTES };
  return !__builtin_mul_overflow((size_t)k, row[kind], bytes);
}

/* Memory for a pack and its contents: from the file that is shared, if there is one; else its own. */
static void fill(const lun_tensor *w, lun_pack *p, size_t bytes) {
  lun_pack_file *file = w->cx->packs;
  bool           fresh = true;
  if (file && bytes > 0) {
    pack_key key = { w->buffer->origin, p->n, p->k, (int32_t)w->dtype, (int32_t)p->kind, p->transposed, PANEL };
    key.origin.at += (uint64_t)(w->data - (char *)w->buffer->data);
    p->data = pack_file_take(file, &key, bytes, &fresh);
    p->shared = p->data ? bytes : 0;
  }
  if (!p->data) p->data = lun_alloc(bytes), fresh = true;
  if (p->data && fresh) lun_parallel(w->cx, (p->n + PANEL - 1) / PANEL, 1, pack_panels, &(packing){ w, p });
  if (p->shared && fresh) pack_file_put(file, p->data, bytes);
}

lun_status lun_prepack(lun_tensor *w, bool transposed) {
  lun_ctx  *cx = w->cx;
  int64_t   n = w->dim[transposed], k = w->dim[!transposed], panels = (n + PANEL - 1) / PANEL;
  size_t    bytes;
  lun_pack *p;
  if (!w->constant || !lun_is_contiguous(w) || (w->pack && w->pack->transposed == transposed)) return LUN_OK;
  p = lun_alloc(sizeof *p);
  if (!p) return lun_fail(cx, LUN_EMEM, "out of memory");
  *p = (lun_pack){ .kind = kind_of(w->dtype, transposed), .transposed = transposed, .n = n, .k = k };
  if (panel_size(p->kind, k, &p->panel_bytes) && !__builtin_mul_overflow(p->panel_bytes, (size_t)panels, &bytes)) fill(w, p, bytes);
  if (!p->data) {
    lun_free(p);
    return lun_fail(cx, LUN_EMEM, "out of memory: packing a weight of %lld by %lld", (long long)n, (long long)k);
  }
  lun_pack_free(w->pack);
  w->pack = p;
  return LUN_OK;
}

void lun_pack_free(lun_pack *pack) {
  if (!pack) return;
  if (pack->shared) pack_file_release(pack->data, pack->shared);
  else lun_free(pack->data);
  lun_free(pack);
}
