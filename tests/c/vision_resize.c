/*
** vision_resize.c - resize, reduce and thumbnail against Pillow 13.0.0, byte for byte.
**
** The pictures are noise that C and Python make alike: state = state * 6364136223846793005
** + 1442695040888963407 mod 2^64 from state = height * 65536 + width, a byte is
** state >> 56, for channels 1 (mode L), 3 (RGB) and 4 (RGBA).  The rows of
** vision_resize.inc were made by running Pillow on random sizes, filters, boxes
** and gaps; the last column is the 64-bit FNV-1a hash of the result's bytes.
*/
#include "check.h"
#include "image.h"

#include <stdlib.h>
#include <string.h>

typedef struct row {
  char        kind;                      /* r: resize, t: thumbnail, d: reduce */
  int         height, width, channels;   /* of the picture */
  int         to_height, to_width;       /* asked for; the factors of a reduce */
  const char *resample;
  double      box[4];
  double      gap;
  uint64_t    hash;
} row;

static const row rows[] = {
#include "vision_resize.inc"
};

/* Odd pieces, backwards: the result must not depend on how the work is split. */
static void in_pieces(lun_ctx *context, int64_t n, int64_t grain,
                      void (*run)(void *arg, int64_t begin, int64_t end), void *arg) {
  (void)context;
  (void)grain;
  for (int64_t end = n; end > 0; end -= 3) run(arg, end < 3 ? 0 : end - 3, end);
}

static const image_loop loop = { NULL, in_pieces };

static uint64_t hash(const uint8_t *bytes, int64_t size) {
  uint64_t h = 0xcbf29ce484222325u;
  for (int64_t i = 0; i < size; i++) h = (h ^ bytes[i]) * 0x100000001b3u;
  return h;
}

static void fill_noise(image *picture) {
  uint64_t state = (uint64_t)picture->height * 65536 + (uint64_t)picture->width;
  int64_t size = picture->height * picture->width * picture->channels;
  for (int64_t i = 0; i < size; i++) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    picture->data[i] = (uint8_t)(state >> 56);
  }
}

static void check_row(const row *r, int number) {
  image_error error = { LUN_OK, "" };
  image in, out = { 0 };
  int64_t height = r->to_height, width = r->to_width;
  const int64_t factor[2] = { r->to_width, r->to_height };
  const int64_t box[4] = { (int64_t)r->box[0], (int64_t)r->box[1], (int64_t)r->box[2], (int64_t)r->box[3] };
  const resize_options options = { r->resample, { r->box[0], r->box[1], r->box[2], r->box[3] }, r->gap };
  if (image_new(&in, r->height, r->width, r->channels, &error) != LUN_OK) return;
  fill_noise(&in);
  if (r->kind == 't') thumbnail_size(in.height, in.width, &height, &width);
  if (r->kind == 'd') reduce_check(&in, box, factor, &height, &width, &error);
  image_new(&out, height, width, in.channels, &error);
  if (r->kind == 'd') image_reduce(&in, box, factor, &out, &loop, &error);
  else image_resize(&in, &options, &out, &loop, &error);
  CHECK(error.code == LUN_OK, "row %d: %s", number, error.text);
  CHECK(hash(out.data, height * width * in.channels) == r->hash, "row %d: other pixels than Pillow's", number);
  free(in.data);
  free(out.data);
}

static void check_refused(const char *resample, double left, double top, double right, double bottom, double gap,
                          const char *wanted) {
  uint8_t pixels[12] = { 0 }, to[12];
  image in = { 2, 2, 3, pixels }, out = { 2, 1, 3, to };
  const resize_options options = { resample, { left, top, right, bottom }, gap };
  image_error error = { LUN_OK, "" };
  CHECK(image_resize(&in, &options, &out, &loop, &error) == LUN_EARG, "no error, wanted '%s'", wanted);
  CHECK(strstr(error.text, wanted) != NULL, "'%s', wanted '%s'", error.text, wanted);
}

int main(void) {
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) check_row(&rows[i], (int)i);
  check_refused("cubic", 0, 0, 2, 2, 0, "resample: 'cubic', wanted nearest");
  check_refused("box", -1, 0, 2, 2, 0, "box: {-1, 0, 2, 2} is outside the picture of 2 x 2");
  check_refused("box", 0, 0, 2, 2.5, 0, "is outside the picture of 2 x 2");
  check_refused("box", 0, 0, 0.0 / 0.0, 2, 0, "is outside the picture of 2 x 2");
  check_refused("box", 0, 0, 2, 2, 0.5, "reducing_gap: 0.5, wanted at least 1");
  return check_end();
}
