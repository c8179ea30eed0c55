/*
** alpha.c - colour multiplied by alpha, which is what may be averaged, and back.
** Pillow's RGBA to RGBa and RGBa to RGBA.
*/
#include "image.h"

/* A copy of 'in' with its colours multiplied; free(out->data). */
lun_status alpha_multiplied(const image *in, image *out, image_error *error) {
  int64_t count = in->height * in->width;
  const uint8_t *from = in->data;
  uint8_t *to;
  if (image_new(out, in->height, in->width, 4, error) != LUN_OK) return error->code;
  to = out->data;
  for (int64_t i = 0; i < count; i++, from += 4, to += 4) {
    for (int c = 0; c < 3; c++) {
      int t = from[c] * from[3] + 128;
      to[c] = (uint8_t)(((t >> 8) + t) >> 8);
    }
    to[3] = from[3];
  }
  return LUN_OK;
}

void alpha_divide(image *picture) {
  int64_t count = picture->height * picture->width;
  uint8_t *p = picture->data;
  for (int64_t i = 0; i < count; i++, p += 4) {
    if (p[3] == 0 || p[3] == 255) continue;
    for (int c = 0; c < 3; c++) {
      int t = 255 * p[c] / p[3];
      p[c] = (uint8_t)(t > 255 ? 255 : t);
    }
  }
}
