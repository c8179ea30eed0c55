/*
** gemm.c - the product of matrices: cut into blocks of rows and panels of columns,
** which threads take as units.
**
** A panel of the right operand is read from the second-level cache by tiles of up
** to 14 rows; the rows of a block stay there beside it while panel follows panel.
** K is not cut into blocks: panels are narrow enough.
**
** Beside OpenBLAS 0.3.21, one core of a Zen 4, f32, GFLOP/s (tests/bench/gemm.c): 116 to 102
** where the right operand is packed; where it is not, 111 to 104 (257 x 384 by 384 x 384) and
** 107 to 97 (257 x 257 by 257 x 64), but 84 to 93 with 257 columns, which fill 9 panels badly,
** and a third of it for single rows.  Those are rare, and one arithmetic for all products is
** worth more: there is no BLAS in the core.
*/
#include <string.h>
#include "gemm.h"
#include "share.h"

enum {
  BLOCK_BYTES = 512 << 10,     /* rows of a block: half of a second-level cache of 1 MiB */
  MAX_TILE_ROWS = 16,
  WAYS = 8,                    /* of the first-level cache, where addresses 4096 bytes apart meet in one set */
  SKEW = 16,
};

typedef struct plan {
  gemm           g;
  const cpu_isa *isa;
  int64_t        blocks, block_rows, panels;
  bool           in_place;     /* panels are read as they are packed */
  bool           skewed;       /* rows of a tile, where they are, would push each other out of the cache */
} plan;

/* A thread's own memory. */
typedef struct desk {
  float  *panel;               /* [K][32], unless in place */
  float  *rows;                /* [block rows][K + SKEW], if skewed: */
  int64_t b, block;            /* copies of this block, -1 for none */
} desk;

/* Panel p of right[b]: packed as F32 or read by few rows, where it lies; otherwise written to 'own'. */
static const void *panel_at(const plan *s, int64_t b, int64_t p, float *own) {
  const gemm *g = &s->g;
  if (!g->pack) {
    int64_t offset = g->right_offset ? g->right_offset[b] : 0;
    pack_panel(g->dtype, (const char *)g->right + lun_dtype_bytes(g->dtype, offset), g->transposed, g->n, g->k, p, own);
    return own;
  }
  const char *panel = g->pack->data + (size_t)p * g->pack->panel_bytes;
  if (s->in_place) return panel;
  s->isa->widen(g->pack->kind, panel, g->k, own);
  return own;
}

/* One tile; the last columns of c, which do not fill a panel, go through a buffer. */
static void run_tile(const plan *s, panel_kind kind, int rows, const float *a, int64_t lda, const void *panel, const float *bias,
                     float *c, int columns) {
  const gemm *g = &s->g;
  float       edge[MAX_TILE_ROWS * PANEL];
  if (columns == PANEL) {
    s->isa->tile(kind, rows, a, lda, panel, PANEL, g->k, bias, c, g->n);
  } else {
    s->isa->tile(kind, rows, a, lda, panel, PANEL, g->k, bias, edge, PANEL);
    for (int r = 0; r < rows; r++) memcpy(c + r * g->n, edge + r * PANEL, (size_t)columns * sizeof *c);
  }
  if (g->activation)
    for (int r = 0; r < rows; r++) g->activation(c + r * g->n, c + r * g->n, columns);
}

/* The rows of a block, where they are or, if they would meet in the cache there, copied apart. */
static const float *rows_at(const plan *s, int64_t b, int64_t block, int64_t rows, desk *own) {
  const gemm  *g = &s->g;
  const float *a = g->a + (g->a_offset ? g->a_offset[b] : 0) + block * s->block_rows * g->k;
  if (!s->skewed) return a;
  if (own->b != b || own->block != block)
    for (int64_t r = 0; r < rows; r++) memcpy(own->rows + r * (g->k + SKEW), a + r * g->k, (size_t)g->k * sizeof *a);
  own->b = b;
  own->block = block;
  return own->rows;
}

static void run_unit(const plan *s, int64_t b, int64_t block, int64_t p, desk *own) {
  const gemm *g = &s->g;
  panel_kind  kind = g->pack && s->in_place ? g->pack->kind : PANEL_F32;
  const void *panel = panel_at(s, b, p, own->panel);
  int64_t     first = block * s->block_rows, rows = g->m - first < s->block_rows ? g->m - first : s->block_rows;
  int64_t     most = kind == PANEL_F32 ? s->isa->tile_rows : s->isa->few_rows;
  int64_t     tiles = (rows + most - 1) / most, step = (rows + tiles - 1) / tiles;    /* tiles of nearly one height */
  int         columns = g->n - p * PANEL < PANEL ? (int)(g->n - p * PANEL) : PANEL;
  const float *a = rows_at(s, b, block, rows, own);
  int64_t      lda = g->k + (s->skewed ? SKEW : 0);
  const float *bias = g->bias ? g->bias + p * PANEL : NULL;
  float       *c = g->c + (b * g->m + first) * g->n + p * PANEL;
  float        edge_bias[PANEL] = { 0 };
  if (columns < PANEL && bias) bias = memcpy(edge_bias, bias, (size_t)columns * sizeof *bias);
  for (int64_t r = 0; r < rows; r += step)
    run_tile(s, kind, (int)(rows - r < step ? rows - r : step), a + r * lda, lda, panel, bias, c + r * g->n, columns);
}

static void run_units(const void *arg, int64_t begin, int64_t end, void *own) {
  const plan *s = arg;
  desk        d = { own, (float *)own + (s->in_place ? 0 : s->g.k * PANEL), -1, -1 };
  for (int64_t u = begin; u < end; u++)
    run_unit(s, u / s->panels / s->blocks, u / s->panels % s->blocks, u % s->panels, &d);
}

lun_status gemm_run(lun_ctx *cx, const gemm *g) {
  plan    s = { .g = *g, .isa = isa_now() };
  int64_t threads = lun_threads(cx), most, enough, own;
  size_t  bytes;
  if (g->batch == 0 || g->m == 0 || g->n == 0) return LUN_OK;
  most = BLOCK_BYTES / 4 / (g->k > 0 ? g->k : 1);
  most = most < 4 * s.isa->tile_rows ? 4 * s.isa->tile_rows : most > 1024 ? 1024 : most;
  s.panels = (g->n + PANEL - 1) / PANEL;
  s.blocks = (g->m + most - 1) / most;
  enough = 4 * threads / (g->batch * s.panels) + 1;
  if (!g->pack && s.blocks > enough) s.blocks = enough;      /* a panel is packed again for each */
  s.block_rows = (g->m + s.blocks - 1) / s.blocks;
  s.in_place = g->pack && (g->pack->kind == PANEL_F32 || s.block_rows <= s.isa->few_rows);
  s.skewed = g->k > 0 && g->k % 1024 == 0 && s.isa->tile_rows > WAYS && s.block_rows > WAYS;
  own = (s.in_place ? 0 : PANEL) + (s.skewed ? s.block_rows : 0);      /* rows of K and a little */
  if (__builtin_mul_overflow((size_t)own * sizeof(float), (size_t)g->k + SKEW, &bytes)) bytes = SIZE_MAX / 2;
  return share_run(cx, g->batch * s.blocks * s.panels, g->batch * s.blocks * s.panels / (8 * threads), bytes, run_units, &s);
}
