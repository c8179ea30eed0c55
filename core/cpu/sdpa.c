/*
** sdpa.c - scaled dot-product attention.
**
** All queries that meet the same keys (those of every batch row that reads one
** row of k and v, of every head of the group, of every position) form one list.
** A unit is a block of that list: its scores, some 50 rows of S, stay in the
** cache between the two products, which are tiles of panels as in gemm.c; softmax
** runs over them in place.  Keys that are stored transposed and values of whole
** panels are read where they lie; others are packed first.  Nothing of size T x S is ever stored, and a
** query's result depends on that query, its keys and its mask alone.
*/
#include <string.h>
#include "isa.h"
#include "ops.h"
#include "share.h"

enum {
  SCORE_BYTES = 256 << 10,     /* of a block: a quarter of a second-level cache of 1 MiB */
  SKEW = 16,                   /* floats beside a row, so that rows of 4096 bytes do not fall into one set of the cache */
  TILES = 4, MAX_BLOCK = 64,   /* tiles of a block, and rows */
};

typedef struct job {
  const cpu_isa    *isa;
  const lun_tensor *q, *k, *v, *mask, *y;
  int64_t           heads;              /* of a group */
  int64_t           queries, keys, size;             /* T, S, D */
  int64_t           keys_padded, size_padded;        /* to whole panels */
  int64_t           window;             /* 0: none */
  bool              causal;
  bool              k_lies, v_lies;     /* as panels already, in k and v */
  float             scale, softcap;
  const int64_t    *batch, *start;      /* batch rows that read row r of k: batch[start[r] .. start[r + 1]) */
  int64_t           blocks, block;      /* of a group; queries in one */
} job;

/* A thread's own memory; the panels stay from one block of a group to the next. */
typedef struct desk {
  int64_t row, group;                  /* whose panels these are */
  float  *k_panels, *v_panels;         /* [S/32][D][32], [D/32][S][32] */
  float  *q, *scores, *y;              /* [block][D padded + SKEW], [block][S padded + SKEW], [block][D padded] */
} desk;

static int64_t max_of(int64_t a, int64_t b) { return a > b ? a : b; }
static int64_t min_of(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t padded(int64_t n) { return (n + PANEL - 1) / PANEL * PANEL; }

static float *at(const lun_tensor *t, int64_t i, int64_t j, int64_t k) {
  return f32(t) + i * t->stride[0] + j * t->stride[1] + k * t->stride[2];
}

/* Query t sees keys [first_key(t), end_key(t)); both grow with t. */
static int64_t first_key(const job *j, int64_t t) {
  return j->window > 0 ? min_of(j->keys, max_of(0, t + j->keys - j->queries - j->window + 1)) : 0;
}

static int64_t end_key(const job *j, int64_t t) {
  return j->causal ? max_of(first_key(j, t), min_of(j->keys, t + j->keys - j->queries + 1)) : j->keys;
}

/* Panels of 32 columns: 'next' floats from one to the next, 'step' from row to row. */
typedef struct panels { const float *data; int64_t next, step; } panels;

static panels key_panels(const job *j, const desk *d, int64_t row, int64_t group) {
  if (j->k_lies) return (panels){ at(j->k, row, group, 0), PANEL, j->k->stride[3] };
  return (panels){ d->k_panels, j->size * PANEL, PANEL };
}

static panels value_panels(const job *j, const desk *d, int64_t row, int64_t group, int64_t begin) {
  if (j->v_lies) return (panels){ at(j->v, row, group, begin), PANEL, j->v->stride[2] };
  return (panels){ d->v_panels + begin * PANEL, j->keys * PANEL, PANEL };
}

static void pack_values(const job *j, float *to, int64_t row, int64_t group, int64_t begin, int64_t end) {
  for (int64_t s = begin; s < end; s++) {
    const float *v = at(j->v, row, group, s);
    int64_t      c = 0;
    for (; c + PANEL <= j->size; c += PANEL) memcpy(to + c * j->keys + s * PANEL, v + c, PANEL * sizeof *v);
    if (c == j->size) continue;
    memset(to + c * j->keys + s * PANEL, 0, PANEL * sizeof *v);
    memcpy(to + c * j->keys + s * PANEL, v + c, (size_t)(j->size - c) * sizeof *v);
  }
}

static void pack_group(const job *j, desk *d, int64_t row, int64_t group) {
  int64_t begin = first_key(j, 0) / STRETCH * STRETCH, end = end_key(j, j->queries - 1);
  if (d->row == row && d->group == group) return;
  for (int64_t s = begin; s < end && !j->k_lies; s += PANEL)
    j->isa->pack(at(j->k, row, group, s), j->k->stride[2], (int)min_of(PANEL, j->keys - s), j->size, d->k_panels + s * j->size);
  if (!j->v_lies) pack_values(j, d->v_panels, row, group, begin, end);
  d->row = row;
  d->group = group;
}

/* Rows of 'a', in tiles of nearly one height, by each of the panels [begin, end). */
static void product(const job *j, int64_t rows, const float *a, int64_t lda, panels b, int64_t depth, float *c, int64_t ldc,
                    int64_t begin, int64_t end) {
  int64_t tiles = (rows + j->isa->tile_rows - 1) / j->isa->tile_rows, step = (rows + tiles - 1) / tiles;
  for (int64_t p = begin; p < end; p++)
    for (int64_t r = 0; r < rows; r += step)
      j->isa->tile(PANEL_F32, (int)min_of(step, rows - r), a + r * lda, lda, b.data + p * b.next, b.step, depth, NULL,
                   c + r * ldc + p * PANEL, ldc);
}

/* A query of the list of a group. */
typedef struct query { int64_t b, h, t; } query;

static query query_at(const job *j, int64_t row, int64_t group, int64_t i) {
  return (query){ j->batch[j->start[row] + i / j->queries / j->heads],
                  group * j->heads + i / j->queries % j->heads, i % j->queries };
}

/* Queries [first, first + rows) of the list of a group. */
static void attend(const job *j, desk *d, int64_t row, int64_t group, int64_t first, int64_t rows) {
  int64_t q_step = j->size_padded + SKEW, s_step = j->keys_padded + SKEW;
  bool    one_head = first / j->queries == (first + rows - 1) / j->queries;
  int64_t begin = first_key(j, one_head ? first % j->queries : 0) / STRETCH * STRETCH;      /* where 'tile' begins to sum anew */
  int64_t end = end_key(j, one_head ? (first + rows - 1) % j->queries : j->queries - 1);
  query   place[MAX_BLOCK];
  float   scale[MAX_BLOCK];
  for (int64_t i = 0; i < rows; i++) {
    place[i] = query_at(j, row, group, first + i);
    const float *q = at(j->q, place[i].b, place[i].h, place[i].t);
    for (int64_t c = 0; c < j->size; c++) d->q[i * q_step + c] = q[c] * j->scale;
  }
  product(j, rows, d->q, q_step, key_panels(j, d, row, group), j->size, d->scores, s_step, begin / PANEL, padded(end) / PANEL);
  for (int64_t i = 0; i < rows; i++) {
    score_row see = { .first = first_key(j, place[i].t), .end = end_key(j, place[i].t), .softcap = j->softcap };
    if (j->mask) see.mask = at(j->mask, place[i].b, place[i].h, place[i].t), see.mask_step = j->mask->stride[3];
    scale[i] = j->isa->weigh(d->scores + i * s_step, begin, padded(end), &see);
  }
  product(j, rows, d->scores + begin, s_step, value_panels(j, d, row, group, begin), end - begin, d->y, j->size_padded, 0,
          j->size_padded / PANEL);
  for (int64_t i = 0; i < rows; i++) {
    float       *y = at(j->y, place[i].b, place[i].h, place[i].t);
    const float *sum = d->y + i * j->size_padded;
    if (scale[i] == 0) memset(y, 0, (size_t)j->size * sizeof *y);
    else for (int64_t c = 0; c < j->size; c++) y[c] = sum[c] * scale[i];
  }
}

static void run(const void *arg, int64_t begin, int64_t end, void *own) {
  const job *j = arg;
  desk       d = { .row = -1, .k_panels = own };
  d.v_panels = d.k_panels + j->keys_padded * j->size;
  d.q = d.v_panels + j->keys * j->size_padded;
  d.scores = d.q + j->block * (j->size_padded + SKEW);
  d.y = d.scores + j->block * (j->keys_padded + SKEW);
  for (int64_t u = begin; u < end; u++) {
    int64_t group = u / j->blocks % j->k->dim[1], row = u / j->blocks / j->k->dim[1], first = u % j->blocks * j->block;
    int64_t count = (j->start[row + 1] - j->start[row]) * j->heads * j->queries;
    if (first >= count) continue;
    pack_group(j, &d, row, group);
    attend(j, &d, row, group, first, min_of(j->block, count - first));
  }
}

/* Fills batch[] and start[] (in 'to': B and R + 1 places); the most batch rows that read one row. */
static int64_t list_readers(job *j, const lun_tensor *rows, int64_t *to) {
  int64_t batches = j->q->dim[0], *batch = to, *start = to + batches, most = 0;
  memset(start, 0, (size_t)(j->k->dim[0] + 1) * sizeof *start);
  for (int64_t b = 0; b < batches; b++) start[rows ? i64(rows)[b] : b]++;
  for (int64_t r = 0, sum = 0; r <= j->k->dim[0]; r++) {
    int64_t readers = start[r];
    most = max_of(most, readers);
    start[r] = sum;
    sum += readers;
  }
  for (int64_t b = 0; b < batches; b++) batch[start[rows ? i64(rows)[b] : b]++] = b;
  memmove(start + 1, start, (size_t)j->k->dim[0] * sizeof *start);      /* each had moved to where the next one began */
  start[0] = 0;
  j->batch = batch;
  j->start = start;
  return most;
}

static bool add_floats(size_t *bytes, int64_t rows, int64_t columns) {
  size_t more;
  return !__builtin_mul_overflow((size_t)rows, (size_t)columns, &more) && !__builtin_mul_overflow(more, sizeof(float), &more) &&
         !__builtin_add_overflow(*bytes, more, bytes);
}

/* q k v mask? rows?; scale causal window softcap */
lun_status cpu_sdpa(lun_call *c) {
  const lun_tensor *q = c->in[0], *k = c->in[1];
  int64_t  threads = lun_threads(c->cx), groups = k->dim[0] * k->dim[1], readers, count, grain, *lists;
  size_t   bytes = 0;
  job      j = { .isa = isa_now(), .q = q, .k = k, .v = c->in[2], .mask = c->in[3], .y = c->out[0], .heads = q->dim[1] / k->dim[1],
                 .queries = q->dim[2], .keys = k->dim[2], .size = q->dim[3], .window = (int64_t)c->p[2], .causal = c->p[1] != 0,
                 .scale = (float)(c->p[0] == 0 ? 1 / sqrt((double)q->dim[3]) : c->p[0]), .softcap = (float)c->p[3] };
  if (lun_count(c->out[0]) == 0) return LUN_OK;
  j.keys_padded = padded(j.keys), j.size_padded = padded(j.size);
  j.k_lies = k->stride[3] != 1 && j.size > 1;
  j.v_lies = j.size % PANEL == 0;
  lists = lun_scratch(c->cx, (size_t)(q->dim[0] + k->dim[0] + 1) * sizeof *lists);
  if (!lists) return lun_error(c->cx);
  readers = list_readers(&j, c->in[4], lists);
  count = readers * j.heads * j.queries;
  j.block = SCORE_BYTES / 4 / (j.keys_padded + SKEW) / j.isa->tile_rows;
  j.block = min_of(TILES, max_of(1, j.block)) * j.isa->tile_rows;
  j.blocks = (count + j.block - 1) / j.block;
  j.block = (count + j.blocks - 1) / j.blocks;
  if (!add_floats(&bytes, j.keys_padded, j.size) || !add_floats(&bytes, j.keys, j.size_padded) ||
      !add_floats(&bytes, j.block, j.size_padded + SKEW) || !add_floats(&bytes, j.block, j.keys_padded + SKEW) ||
      !add_floats(&bytes, j.block, j.size_padded)) bytes = SIZE_MAX / 2;
  grain = groups >= 2 * threads ? j.blocks : (groups * j.blocks - 1) / (2 * threads) + 1;
  return share_run(c->cx, groups * j.blocks, grain, bytes, run, &j);
}
