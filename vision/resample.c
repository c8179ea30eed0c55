/*
** resample.c - convolution resampling in fixed point, equal to Pillow's.
**
**     out[y,x,c] = clip(round(sum_j k[x,j] in[y, first[x]+j, c]))   along a row
**
** and the same down the columns, rounded to u8 in between.  The
** coefficients are computed in double, normalised to sum 1, and rounded to 22
** fractional bits, so that sums are exact in 32 bits and their order is free.
** Source: Pillow, libImaging/Resample.c; filters: en.wikipedia.org/wiki/Bicubic_interpolation
** (a = -0.5), /wiki/Lanczos_resampling (a = 3), /wiki/Window_function (Hamming).
*/
#include "image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PRECISION_BITS (32 - 8 - 2)  /* 8 for the result, 2 for overshoot on either side */
#define HALF (1u << (PRECISION_BITS - 1))
#define PI 3.14159265358979323846

struct resample_filter {
  const char *name;
  double      support;         /* reaches so far on either side, in pixels of the coarser grid */
  double    (*weight)(double x);
};

static double box(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

static double bilinear(double x) {
  x = fabs(x);
  return x < 1.0 ? 1.0 - x : 0.0;
}

static double hamming(double x) {
  x = fabs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= PI;
  return sin(x) / x * (0.54f + 0.46f * cos(x));  /* Pillow's constants are single precision */
}

static double bicubic(double x) {
  const double a = -0.5;
  x = fabs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1;
  if (x < 2.0) return (((x - 5) * x + 8) * x - 4) * a;
  return 0.0;
}

static double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= PI;
  return sin(x) / x;
}

static double lanczos(double x) { return -3.0 <= x && x < 3.0 ? sinc(x) * sinc(x / 3) : 0.0; }

static const resample_filter filters[] = {
  { "box", 0.5, box },         { "bilinear", 1.0, bilinear }, { "hamming", 1.0, hamming },
  { "bicubic", 2.0, bicubic }, { "lanczos", 3.0, lanczos },
};

const resample_filter *resample_find(const char *name) {
  for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
    if (strcmp(filters[i].name, name) == 0) return &filters[i];
  return NULL;
}

double resample_support(const resample_filter *filter) { return filter->support; }

/* How one axis is resampled: output i is taps[i] weights over inputs from first[i] on. */
typedef struct axis {
  int64_t  stride;             /* of 'weights': the most taps an output has */
  int64_t *first;              /* [size] */
  int64_t *taps;               /* [size] */
  int32_t *weights;            /* [size, stride] */
} axis;

static void axis_free(axis *a) {
  free(a->first);
  free(a->taps);
  free(a->weights);
}

/* Every rounding below is Pillow's: box sides are float, the rest double, and conversions truncate. */
static void axis_fill(axis *a, int64_t in_size, float from, float to, int64_t out_size,
                      const resample_filter *filter, double *k) {
  double scale = (double)(to - from) / (double)out_size;
  double filterscale = scale < 1.0 ? 1.0 : scale;
  double support = filter->support * filterscale;
  double inverse = 1.0 / filterscale;
  for (int64_t i = 0; i < out_size; i++) {
    double center = from + ((double)i + 0.5) * scale, sum = 0.0;
    int64_t first = (int64_t)(center - support + 0.5);
    int64_t end = (int64_t)(center + support + 0.5);
    if (first < 0) first = 0;
    if (end > in_size) end = in_size;
    int64_t taps = end > first ? end - first : 0;
    for (int64_t j = 0; j < taps; j++) {
      k[j] = filter->weight(((double)(j + first) - center + 0.5) * inverse);
      sum += k[j];
    }
    for (int64_t j = 0; j < taps; j++) {
      double weight = (sum != 0.0 ? k[j] / sum : k[j]) * (1 << PRECISION_BITS);
      a->weights[i * a->stride + j] = (int32_t)(weight < 0 ? weight - 0.5 : weight + 0.5);
    }
    a->first[i] = first;
    a->taps[i] = taps;
  }
}

static lun_status axis_make(axis *a, int64_t in_size, float from, float to, int64_t out_size,
                            const resample_filter *filter, image_error *error) {
  double scale = (double)(to - from) / (double)out_size;
  double *k;
  *a = (axis){ .stride = (int64_t)ceil(filter->support * (scale < 1.0 ? 1.0 : scale)) * 2 + 1 };
  if (a->stride > in_size) a->stride = in_size;
  if (out_size > PTRDIFF_MAX / 8 / a->stride) return image_fail(error, LUN_EMEM, "no memory to resample");
  a->first = malloc((size_t)out_size * sizeof *a->first);
  a->taps = malloc((size_t)out_size * sizeof *a->taps);
  a->weights = malloc((size_t)(out_size * a->stride) * sizeof *a->weights);
  k = malloc((size_t)a->stride * sizeof *k);
  if (a->first == NULL || a->taps == NULL || a->weights == NULL || k == NULL)
    image_fail(error, LUN_EMEM, "no memory to resample");
  else
    axis_fill(a, in_size, from, to, out_size, filter, k);
  free(k);
  return error->code;
}

static inline uint8_t clip(uint32_t sum) {
  int32_t v = (int32_t)sum >> PRECISION_BITS;
  return (uint8_t)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* A pass over rows [begin, end) of the output. */
typedef struct pass {
  const image *in;
  image       *out;
  const axis  *axis;
  int64_t      top;            /* row of the whole picture that is row 0, of 'out' across, of 'in' down */
} pass;

/* One row across; inlined with 'channels' a constant, so that the sums stay in registers. */
static inline void across(const uint8_t *in, const axis *a, int64_t width, int channels, uint8_t *out) {
  for (int64_t x = 0; x < width; x++, out += channels) {
    const uint8_t *from = in + a->first[x] * channels;
    const int32_t *weights = a->weights + x * a->stride;
    const int64_t taps = a->taps[x];
    uint32_t sum[4] = { HALF, HALF, HALF, HALF };
    for (int64_t j = 0; j < taps; j++)
      for (int c = 0; c < channels; c++) sum[c] += from[j * channels + c] * (uint32_t)weights[j];
    for (int c = 0; c < channels; c++) out[c] = clip(sum[c]);
  }
}

static void run_across(void *arg, int64_t begin, int64_t end) {
  const pass *p = arg;
  const int64_t in_row = p->in->width * p->in->channels, out_row = p->out->width * p->out->channels;
  for (int64_t y = begin; y < end; y++) {
    const uint8_t *in = p->in->data + (p->top + y) * in_row;
    uint8_t *out = p->out->data + y * out_row;
    switch (p->in->channels) {
      case 1:  across(in, p->axis, p->out->width, 1, out); break;
      case 3:  across(in, p->axis, p->out->width, 3, out); break;
      default: across(in, p->axis, p->out->width, 4, out);
    }
  }
}

/* Down the columns, a strip of a row at a time, all its channels alike. */
static void run_down(void *arg, int64_t begin, int64_t end) {
  enum { STRIP = 1024 };
  const pass *p = arg;
  const int64_t row = p->out->width * p->out->channels;
  for (int64_t y = begin; y < end; y++) {
    const int32_t *weights = p->axis->weights + y * p->axis->stride;
    const uint8_t *in = p->in->data + (p->axis->first[y] - p->top) * row;
    for (int64_t from = 0; from < row; from += STRIP) {
      const int64_t count = row - from < STRIP ? row - from : STRIP;
      uint8_t *out = p->out->data + y * row + from;
      uint32_t sum[STRIP];
      for (int64_t i = 0; i < count; i++) sum[i] = HALF;
      for (int64_t j = 0; j < p->axis->taps[y]; j++) {
        const uint8_t *line = in + j * row + from;
        const uint32_t weight = (uint32_t)weights[j];
        for (int64_t i = 0; i < count; i++) sum[i] += line[i] * weight;
      }
      for (int64_t i = 0; i < count; i++) out[i] = clip(sum[i]);
    }
  }
}

/* Rows a thread takes at least: about a hundred thousand multiplications. */
static int64_t grain(const axis *a, int64_t row) {
  return 1 + 100000 / (row * a->stride);
}

static void pass_across(const image *in, int64_t top, const axis *a, image *out, const image_loop *loop) {
  pass p = { in, out, a, top };
  loop->parallel(loop->context, out->height, grain(a, out->width * out->channels), run_across, &p);
}

static void pass_down(const image *in, int64_t top, const axis *a, image *out, const image_loop *loop) {
  pass p = { in, out, a, top };
  loop->parallel(loop->context, out->height, grain(a, out->width * out->channels), run_down, &p);
}

/*
** Both passes.  Rounding in between makes their order visible: Pillow goes
** across first unless the height loses more than twice what the width loses
** (since 13.0, pull request 9549).  The first pass across covers only the rows
** the second one reads.
*/
static lun_status pass_both(const image *in, const axis *x, const axis *y, image *out,
                            const image_loop *loop, image_error *error) {
  const int64_t top = y->first[0], last = out->height - 1;
  const int64_t rows = y->first[last] + y->taps[last] - top;
  const int64_t lost_down = in->height - out->height, lost_across = in->width - out->width;
  const int down_first = lost_down > 0 && lost_down > 2 * lost_across;
  image between;
  if (image_new(&between, down_first ? out->height : rows > 0 ? rows : 1,
                down_first ? in->width : out->width, in->channels, error) != LUN_OK) return error->code;
  if (down_first) {
    pass_down(in, 0, y, &between, loop);
    pass_across(&between, 0, x, out, loop);
  } else {
    if (rows > 0) pass_across(in, top, x, &between, loop);
    pass_down(&between, top, y, out, loop);
  }
  free(between.data);
  return LUN_OK;
}

/*
** image_resample - 'in', seen through 'box' (left, top, right, bottom), fills 'out'.
**
** The box lies within 'in'; 'out' has its size, channels and memory.  A pass
** that would change nothing is left out.
*/
lun_status image_resample(const image *in, const float box[4], const resample_filter *filter,
                          image *out, const image_loop *loop, image_error *error) {
  int need_across = out->width != in->width || box[0] != 0 || box[2] != (float)out->width;
  int need_down = out->height != in->height || box[1] != 0 || box[3] != (float)out->height;
  axis x = { 0 }, y = { 0 };
  if (need_across) axis_make(&x, in->width, box[0], box[2], out->width, filter, error);
  if (need_down) axis_make(&y, in->height, box[1], box[3], out->height, filter, error);
  if (error->code == LUN_OK) {
    if (need_across && need_down) pass_both(in, &x, &y, out, loop, error);
    else if (need_across) pass_across(in, 0, &x, out, loop);
    else if (need_down) pass_down(in, 0, &y, out, loop);
    else image_place(in, 0, 0, out);
  }
  axis_free(&x);
  axis_free(&y);
  return error->code;
}
