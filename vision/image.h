/*
** image.h - pictures in memory, and what this plugin does to them.
**
** Everything declared here is plain C that knows no host: plugin.c binds it to
** Lua, the tests under tests/c call it directly.  A picture is u8, row-major
** [Y, X, C]; C is 1 (grey), 3 (sRGB) or 4 (sRGB and straight alpha).
**
** "Equal to Pillow" means Pillow 13, byte for byte.
*/
#ifndef VISION_IMAGE_H
#define VISION_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "lun_plugin.h"

#define IMAGE_MEGAPIXELS 200   /* limit of a decoded picture unless told otherwise */

typedef struct image {
  int64_t  height, width, channels;
  uint8_t *data;               /* height * width * channels bytes */
} image;

/* What went wrong: a status, and a message without newline or full stop. */
typedef struct image_error {
  lun_status code;
  char       text[256];
} image_error;

/* Records the message, returns 'code'.  The first error stays. */
lun_status image_fail(image_error *error, lun_status code, const char *format, ...) LUN_PRINTF(3, 4);

/* Bytes of a picture; -1 if a side is below 1 or the product overflows. */
int64_t image_bytes(int64_t height, int64_t width, int64_t channels);

/* A new picture in memory of its own, contents undefined; free(out->data). */
lun_status image_new(image *out, int64_t height, int64_t width, int64_t channels, image_error *error);

/* A loop over [0, n) whose pieces may run on several threads: lun_host.parallel. */
typedef struct image_loop {
  lun_ctx *context;
  void   (*parallel)(lun_ctx *context, int64_t n, int64_t grain,
                     void (*run)(void *arg, int64_t begin, int64_t end), void *arg);
} image_loop;

/* file.c */
lun_status file_read(const char *path, size_t limit, uint8_t **bytes, size_t *size, image_error *error);

/* decode.c: bytes of a file into an upright RGB picture */
typedef struct decode_options {
  double   max_megapixels;     /* refuse larger pictures before any memory is taken */
  int      orient;             /* apply the orientation the file states */
  int64_t  reduce_to;          /* JPEG: at 1/2, 1/4 or 1/8 if that leaves both sides this many pixels; 0: in full */
} decode_options;

/* What a decoder says of a picture beside its pixels. */
typedef struct decode_facts {
  int orientation;             /* how it must be turned, 1 to 8; 0: not stated */
  int reduced_by;              /* 1, 2, 4 or 8: the sides in the file are that many times as long, exactly */
} decode_facts;

lun_status image_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                        image *out, decode_facts *facts, image_error *error);
lun_status image_check_size(int64_t height, int64_t width, const decode_options *options, image_error *error);

/* A decoder of one format; 'facts' holds 1 and 1 before it is called. */
typedef lun_status image_decoder(const uint8_t *bytes, size_t size, const decode_options *options,
                                 image *out, decode_facts *facts, image_error *error);

/* jpeg.c, png.c, webp.c, gif.c; heif.c, avif.c, jxl.c where their libraries were there to build with */
image_decoder jpeg_decode, png_decode, webp_decode, gif_decode, heif_decode, avif_decode, jxl_decode;

/* Whether the library of a format is there to run with: opens it when first asked, before its decoder is called. */
typedef lun_status image_library(image_error *error);
image_library heif_ready_hevc, heif_ready_av1, avif_ready, jxl_ready;

/* formats.c: what a file is; NULL if nothing known.  Sixteen bytes tell every format. */
typedef struct image_format {
  const char    *name;
  const char    *magic;
  size_t         length;       /* of the magic */
  int            document;     /* text and drawings, no pixels; may begin with white space or a byte order mark */
  image_decoder *decode;       /* NULL: known, not read */
  image_library *ready;        /* NULL: always */
} image_format;

const image_format *format_find(const uint8_t *bytes, size_t size);

/* Whether its pictures can be decoded here; if not, "unsupported format NAME", and why where that can be changed. */
lun_status format_ready(const image_format *format, image_error *error);
/* exif.c: orientation, 1 to 8, or 0 where none is stated */
int exif_orientation(const uint8_t *bytes, size_t size);
int exif_chunk_orientation(const uint8_t *chunk, size_t size, image_error *error);
int xmp_orientation(const char *text, size_t size);

/* geometry.c */
lun_status image_orient(image *picture, int orientation, image_error *error);
void image_place(const image *in, int64_t top, int64_t left, image *out);
void image_fill(image *out, const uint8_t *value);
void image_convert(const image *in, image *out);

/* resample.c: one filter over a picture, in Pillow's fixed point */
typedef struct resample_filter resample_filter;
const resample_filter *resample_find(const char *name);
double resample_support(const resample_filter *filter);
lun_status image_resample(const image *in, const float box[4], const resample_filter *filter,
                          image *out, const image_loop *loop, image_error *error);

/* resize.c: Image.resize and Image.thumbnail; boxes are left, top, right, bottom */
typedef struct resize_options {
  const char *resample;        /* nearest lanczos bilinear bicubic box hamming */
  double      box[4];
  double      reducing_gap;    /* at least 1; 0: none */
} resize_options;

lun_status image_resize(const image *in, const resize_options *options, image *out,
                        const image_loop *loop, image_error *error);
void thumbnail_size(int64_t in_height, int64_t in_width, int64_t *height, int64_t *width);

/* reduce.c: Image.reduce by whole factors */
lun_status reduce_check(const image *in, const int64_t box[4], const int64_t factor[2],
                        int64_t *height, int64_t *width, image_error *error);
lun_status image_reduce(const image *in, const int64_t box[4], const int64_t factor[2],
                        image *out, const image_loop *loop, image_error *error);

lun_status reduce_blocks(const image *in, const int64_t box[4], const int64_t factor[2],
                         image *out, const image_loop *loop, image_error *error);

/* alpha.c: RGBA to premultiplied, in a copy, and back, in place; as Pillow's RGBa */
lun_status alpha_multiplied(const image *in, image *out, image_error *error);
void alpha_divide(image *picture);

/* normalize.c: u8 [Y, X, C] to f32 [C, Y, X] */
typedef struct normalize_options {
  int           do_rescale, do_normalize;
  double        rescale_factor;
  const double *mean, *std;    /* a value a channel; used if do_normalize */
} normalize_options;

void image_normalize(const image *in, const normalize_options *options, float *out);

/* save.c: PNG, 8 bit */
lun_status png_save(const char *path, const image *in, image_error *error);

/* encode.c: baseline JPEG in memory, of 1 or 3 channels; quality 1 to 100; free(*bytes) */
lun_status jpeg_encode(const image *in, int quality, uint8_t **bytes, size_t *size, image_error *error);

#endif
