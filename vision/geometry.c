/*
** geometry.c - pixels moved, not computed: turning upright, cropping, padding,
** and changing the number of channels.
*/
#include "image.h"

#include <stdlib.h>
#include <string.h>

/*
** Where pixel (y, x) of the file goes, by EXIF orientation (EXIF 2.3, table 6):
** transpose first, then mirror what is left to right or top to bottom.
*/
static const struct { uint8_t transpose, mirror_x, mirror_y; } turns[9] = {
  [2] = { 0, 1, 0 }, [3] = { 0, 1, 1 }, [4] = { 0, 0, 1 },
  [5] = { 1, 0, 0 }, [6] = { 1, 1, 0 }, [7] = { 1, 1, 1 }, [8] = { 1, 0, 1 },
};

/* In tiles, since one side or the other goes down columns; inlined with 'channels' a constant. */
static inline void turn(const image *in, int64_t channels, uint8_t *start, int64_t step_x, int64_t step_y) {
  enum { TILE = 32 };
  for (int64_t top = 0; top < in->height; top += TILE)
    for (int64_t left = 0; left < in->width; left += TILE)
      for (int64_t y = top; y < top + TILE && y < in->height; y++) {
        const uint8_t *from = in->data + (y * in->width + left) * channels;
        uint8_t *to = start + y * step_y + left * step_x;
        for (int64_t x = left; x < left + TILE && x < in->width; x++, from += channels, to += step_x)
          for (int64_t c = 0; c < channels; c++) to[c] = from[c];
      }
}

/* Replaces the picture's memory; orientations outside 2 to 8 leave it alone. */
lun_status image_orient(image *picture, int orientation, image_error *error) {
  const image in = *picture;
  image out;
  int64_t step_x, step_y;        /* of the output, for one pixel right and down in the input */
  uint8_t *start;
  if (orientation < 2 || orientation > 8) return LUN_OK;

  int transpose = turns[orientation].transpose;
  int64_t height = transpose ? in.width : in.height;
  int64_t width = transpose ? in.height : in.width;
  if (image_new(&out, height, width, in.channels, error) != LUN_OK) return error->code;

  start = out.data;
  int64_t right = in.channels, down = width * in.channels;
  if (turns[orientation].mirror_x) {
    start += (width - 1) * right;
    right = -right;
  }
  if (turns[orientation].mirror_y) {
    start += (height - 1) * down;
    down = -down;
  }
  step_x = transpose ? down : right;
  step_y = transpose ? right : down;

  switch (in.channels) {
    case 1:  turn(&in, 1, start, step_x, step_y); break;
    case 3:  turn(&in, 3, start, step_x, step_y); break;
    default: turn(&in, in.channels, start, step_x, step_y);
  }
  free(in.data);
  *picture = out;
  return LUN_OK;
}

/* Copies what of 'in' falls into 'out', whose top left pixel is (top, left) of 'in'. */
void image_place(const image *in, int64_t top, int64_t left, image *out) {
  int64_t first_x = left < 0 ? -left : 0, first_y = top < 0 ? -top : 0;
  int64_t last_x = in->width - left, last_y = in->height - top;
  if (last_x > out->width) last_x = out->width;
  if (last_y > out->height) last_y = out->height;
  if (first_x >= last_x) return;
  for (int64_t y = first_y; y < last_y; y++)
    memcpy(out->data + (y * out->width + first_x) * out->channels,
           in->data + ((y + top) * in->width + first_x + left) * in->channels,
           (size_t)((last_x - first_x) * in->channels));
}

/* Every pixel becomes 'value', a byte a channel. */
void image_fill(image *out, const uint8_t *value) {
  int64_t count = out->height * out->width;
  for (int64_t i = 0; i < count; i++)
    memcpy(out->data + i * out->channels, value, (size_t)out->channels);
}

/* ITU-R 601-2 luma in 16-bit fixed point, rounded: Pillow's RGB to L */
static uint8_t luma(const uint8_t *rgb) {
  return (uint8_t)((rgb[0] * 19595 + rgb[1] * 38470 + rgb[2] * 7471 + 0x8000) >> 16);
}

/*
** Image.convert among L, RGB and RGBA, of pictures of one size: grey is spread
** over the colours, colour is weighed to grey, alpha is dropped or opaque.
*/
void image_convert(const image *in, image *out) {
  int64_t count = in->height * in->width;
  const uint8_t *from = in->data;
  uint8_t *to = out->data;
  for (int64_t i = 0; i < count; i++, from += in->channels, to += out->channels) {
    if (in->channels >= 3 && out->channels >= 3) memcpy(to, from, 3);
    else memset(to, in->channels == 1 ? from[0] : luma(from), out->channels == 1 ? 1 : 3);
    if (out->channels == 4) to[3] = in->channels == 4 ? from[3] : 255;
  }
}
