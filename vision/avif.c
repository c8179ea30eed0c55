/*
** avif.c - AVIF into RGB through libavif, as Pillow reads it: the first frame,
** turned as the container says.  What EXIF or XMP say of the orientation does not
** count there, cropping (clap) is ignored, and alpha is dropped, not blended.
*/
#include "library.h"

#if __has_include(<avif/avif.h>)

#include <stdlib.h>

#include <avif/avif.h>

#define FUNCTIONS(F) \
  F(avifDecoderCreate) F(avifDecoderDestroy) F(avifDecoderSetIOMemory) F(avifDecoderParse) F(avifDecoderNextImage) \
  F(avifCodecName) F(avifGetPixelFormatInfo) F(avifImageYUVToRGB) F(avifResultToString) F(avifRGBImageSetDefaults)

static struct { FUNCTIONS(LIBRARY_MEMBER) } avif;
static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };
#if AVIF_VERSION_MAJOR >= 1
#define MIRROR axis
static library libavif = { "libavif.so.16", names, &avif, 0 };
#else
#define MIRROR mode
static library libavif = { "libavif.so.15", names, &avif, 0 };     /* 0.11 */
#endif

lun_status avif_ready(image_error *error) {
  if (library_open(&libavif, error) == LUN_OK && avif.avifCodecName(AVIF_CODEC_CHOICE_AUTO, AVIF_CODEC_FLAG_CAN_DECODE) == NULL)
    image_fail(error, LUN_EIO, "libavif has no decoder");
  return error->code;
}

static lun_status check(avifResult result, image_error *error) {
  switch (result) {
    case AVIF_RESULT_OK:             return LUN_OK;
    case AVIF_RESULT_OUT_OF_MEMORY:  return image_fail(error, LUN_EMEM, "no memory to decode AVIF");
    case AVIF_RESULT_TRUNCATED_DATA: return image_fail(error, LUN_EIO, "image file is truncated");
    default:                         return image_fail(error, LUN_EIO, "broken AVIF: %s", avif.avifResultToString(result));
  }
}

/* Turned to the left by quarters, then mirrored top to bottom or left to right (ISO/IEC 23008-12, 6.5.10 and 6.5.12). */
static int orientation(const avifImage *picture) {
  static const uint8_t table[3][4] = { { 1, 8, 3, 6 }, { 4, 5, 2, 7 }, { 2, 7, 4, 5 } };
  int turned = picture->transformFlags & AVIF_TRANSFORM_IROT ? picture->irot.angle & 3 : 0;
  int mirrored = picture->transformFlags & AVIF_TRANSFORM_IMIR ? 1 + (picture->imir.MIRROR & 1) : 0;
  return table[mirrored][turned];
}

static void shift_plane(uint8_t *plane, uint32_t row_bytes, uint32_t height, uint32_t width, uint32_t by) {
  if (plane == NULL) return;
  for (uint32_t y = 0; y < height; y++) {
    uint8_t *row = plane + (size_t)y * row_bytes;
    const uint16_t *samples = (const uint16_t *)(const void *)row;
    for (uint32_t x = 0; x < width; x++) row[x] = (uint8_t)(samples[x] >> by);
  }
}

/*
** Samples of 10 and 12 bits lose their last ones before colours are computed, as in
** the libavif of Pillow, which converts grey from all of them.  In place, since no
** other frame is asked for.
*/
static void make_8_bit(avifImage *picture) {
  const uint32_t by = picture->depth - 8, height = picture->height, width = picture->width;
  avifPixelFormatInfo info;
  avif.avifGetPixelFormatInfo(picture->yuvFormat, &info);
  for (int i = 0; i < 3; i++) {
    uint32_t y = i > 0 ? (uint32_t)info.chromaShiftY : 0, x = i > 0 ? (uint32_t)info.chromaShiftX : 0;
    shift_plane(picture->yuvPlanes[i], picture->yuvRowBytes[i], (height + y) >> y, (width + x) >> x, by);
  }
  shift_plane(picture->alphaPlane, picture->alphaRowBytes, height, width, by);
  picture->depth = 8;
}

/* With alpha by way of RGBA: asked for RGB, libavif blends with black. */
static lun_status to_rgb(avifImage *picture, image *out, image_error *error) {
  int alpha = picture->alphaPlane != NULL;
  image colors;
  avifRGBImage to;
  if (picture->depth > 8 && picture->yuvFormat != AVIF_PIXEL_FORMAT_YUV400) make_8_bit(picture);
  if (image_new(&colors, picture->height, picture->width, alpha ? 4 : 3, error) != LUN_OK) return error->code;
  avif.avifRGBImageSetDefaults(&to, picture);
  to.depth = 8;
  to.format = alpha ? AVIF_RGB_FORMAT_RGBA : AVIF_RGB_FORMAT_RGB;
  to.pixels = colors.data;
  to.rowBytes = (uint32_t)(colors.width * colors.channels);
  if (check(avif.avifImageYUVToRGB(picture, &to), error) == LUN_OK && !alpha) {
    *out = colors;
    return LUN_OK;
  }
  if (error->code == LUN_OK && image_new(out, colors.height, colors.width, 3, error) == LUN_OK) image_convert(&colors, out);
  free(colors.data);
  return error->code;
}

/* The frame in the bitstream may be larger than the container says. */
static void limit_frame(avifDecoder *decoder, const decode_options *options) {
  double pixels = options->max_megapixels * 1e6;
  if (pixels < decoder->imageSizeLimit) decoder->imageSizeLimit = (uint32_t)pixels;
}

lun_status avif_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                       image *out, decode_facts *facts, image_error *error) {
  avifDecoder *decoder = avif.avifDecoderCreate();
  if (decoder == NULL) return image_fail(error, LUN_EMEM, "no memory to decode AVIF");
  decoder->maxThreads = 1;
  decoder->ignoreExif = decoder->ignoreXMP = AVIF_TRUE;
  decoder->strictFlags &= ~(avifStrictFlags)(AVIF_STRICT_CLAP_VALID | AVIF_STRICT_PIXI_REQUIRED);     /* as Pillow */
  if (check(avif.avifDecoderSetIOMemory(decoder, bytes, size), error) == LUN_OK &&
      check(avif.avifDecoderParse(decoder), error) == LUN_OK &&
      image_check_size(decoder->image->height, decoder->image->width, options, error) == LUN_OK) {
    limit_frame(decoder, options);
    if (check(avif.avifDecoderNextImage(decoder), error) == LUN_OK && to_rgb(decoder->image, out, error) == LUN_OK)
      facts->orientation = orientation(decoder->image);
  }
  avif.avifDecoderDestroy(decoder);
  return error->code;
}

#endif
