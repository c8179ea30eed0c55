/*
** reduce.c - averages over blocks of whole pixels, equal to Pillow's Image.reduce.
**
**     out[y,x,c] = (n/2 + sum over the block) * m >> 24,   m = 2^24 / n
**
** n is the number of pixels in the block; blocks at the right and bottom edge
** may be smaller.  m is computed in single precision, then cut to a whole number.
** Source: Pillow, libImaging/Reduce.c.
*/
#include "image.h"

#include <stdlib.h>

typedef struct reduction {
  const image   *in;
  image         *out;
  const int64_t *box, *factor;
} reduction;

static inline int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }

lun_status reduce_check(const image *in, const int64_t box[4], const int64_t factor[2],
                        int64_t *height, int64_t *width, image_error *error) {
  if (factor[0] < 1 || factor[1] < 1)
    return image_fail(error, LUN_EARG, "factor: {%lld, %lld}, wanted at least 1",
                      (long long)factor[0], (long long)factor[1]);
  if (box[0] < 0 || box[1] < 0 || box[2] > in->width || box[3] > in->height || box[2] <= box[0] || box[3] <= box[1])
    return image_fail(error, LUN_EARG, "box: {%lld, %lld, %lld, %lld} is empty or outside the picture of %lld x %lld",
                      (long long)box[0], (long long)box[1], (long long)box[2], (long long)box[3],
                      (long long)in->width, (long long)in->height);
  *width = (box[2] - box[0] - 1) / factor[0] + 1;
  *height = (box[3] - box[1] - 1) / factor[1] + 1;
  return LUN_OK;
}

static uint32_t multiplier(int64_t count) { return (uint32_t)(4294967296.0f / (float)(256 * count)); }

static void run_rows(void *arg, int64_t begin, int64_t end) {
  const reduction *r = arg;
  const int64_t channels = r->in->channels;
  for (int64_t y = begin; y < end; y++) {
    const int64_t top = r->box[1] + y * r->factor[1];
    const int64_t bottom = least(r->factor[1], r->box[3] - top) + top;
    uint8_t *out = r->out->data + y * r->out->width * channels;
    for (int64_t x = 0; x < r->out->width; x++, out += channels) {
      const int64_t left = r->box[0] + x * r->factor[0];
      const int64_t right = least(r->factor[0], r->box[2] - left) + left;
      const int64_t count = (bottom - top) * (right - left);
      uint32_t sum[4] = { 0, 0, 0, 0 };
      for (int64_t yy = top; yy < bottom; yy++) {
        const uint8_t *from = r->in->data + (yy * r->in->width + left) * channels;
        for (int64_t xx = left; xx < right; xx++)
          for (int64_t c = 0; c < channels; c++) sum[c] += *from++;
      }
      for (int64_t c = 0; c < channels; c++)
        out[c] = (uint8_t)(((sum[c] + (uint32_t)(count / 2)) * multiplier(count)) >> 24);
    }
  }
}

/* Colour of RGBA must be multiplied by alpha already. */
lun_status reduce_blocks(const image *in, const int64_t box[4], const int64_t factor[2],
                         image *out, const image_loop *loop, image_error *error) {
  reduction r = { in, out, box, factor };
  if (factor[0] > 8388607 / factor[1])  /* sums of larger blocks do not fit 32 bits */
    return image_fail(error, LUN_EARG, "factor: blocks of %lld x %lld pixels, at most 8388607 pixels",
                      (long long)factor[0], (long long)factor[1]);
  loop->parallel(loop->context, out->height, 1 + 100000 / (out->width * factor[0] * factor[1]), run_rows, &r);
  return LUN_OK;
}

/* 'out' has the size reduce_check() says. */
lun_status image_reduce(const image *in, const int64_t box[4], const int64_t factor[2],
                        image *out, const image_loop *loop, image_error *error) {
  image source = *in;
  int alpha = in->channels == 4 && (factor[0] > 1 || factor[1] > 1);
  if (alpha && alpha_multiplied(in, &source, error) != LUN_OK) return error->code;
  reduce_blocks(&source, box, factor, out, loop, error);
  if (alpha) {
    free(source.data);
    alpha_divide(out);
  }
  return error->code;
}
