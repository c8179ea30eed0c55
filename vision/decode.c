/*
** decode.c - from the bytes of a file to an upright picture, and the limits
** every format obeys.
*/
#include "image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

lun_status image_fail(image_error *error, lun_status code, const char *format, ...) {
  if (error->code == LUN_OK) {
    va_list args;
    va_start(args, format);
    vsnprintf(error->text, sizeof error->text, format, args);
    va_end(args);
    error->code = code;
  }
  return error->code;
}

int64_t image_bytes(int64_t height, int64_t width, int64_t channels) {
  const int64_t most = PTRDIFF_MAX;
  if (height < 1 || width < 1 || channels < 1) return -1;
  if (width > most / channels || height > most / (width * channels)) return -1;
  return height * width * channels;
}

lun_status image_new(image *out, int64_t height, int64_t width, int64_t channels, image_error *error) {
  int64_t bytes = image_bytes(height, width, channels);
  *out = (image){ height, width, channels, bytes < 0 ? NULL : malloc((size_t)bytes) };
  if (out->data == NULL)
    return image_fail(error, LUN_EMEM, "no memory for a picture of %lld x %lld pixels",
                      (long long)width, (long long)height);
  return LUN_OK;
}

lun_status image_check_size(int64_t height, int64_t width, const decode_options *options, image_error *error) {
  double megapixels = (double)height * (double)width / 1e6;
  if (height < 1 || width < 1)
    return image_fail(error, LUN_EIO, "picture has no pixels (%lld x %lld)", (long long)width, (long long)height);
  if (!(megapixels <= options->max_megapixels))
    return image_fail(error, LUN_EIO, "picture of %lld x %lld is %.6g megapixels, limit %.6g",
                      (long long)width, (long long)height, megapixels, options->max_megapixels);
  return LUN_OK;
}

static lun_status fail_unknown(const uint8_t *bytes, size_t size, image_error *error) {
  char first[3 * 8 + 1] = "";
  if (size == 0) return image_fail(error, LUN_EIO, "not an image: no bytes");
  for (size_t i = 0; i < size && i < 8; i++) snprintf(first + 3 * i, 4, " %02x", bytes[i]);
  return image_fail(error, LUN_EIO, "not an image: first bytes are%s", first);
}

lun_status image_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                        image *out, decode_facts *facts, image_error *error) {
  const image_format *format = format_find(bytes, size);
  out->data = NULL;
  *facts = (decode_facts){ 1, 1 };
  if (format == NULL) return fail_unknown(bytes, size, error);
  if (format_ready(format, error) != LUN_OK) return error->code;
  if (format->decode(bytes, size, options, out, facts, error) == LUN_OK && options->orient)
    image_orient(out, facts->orientation, error);
  if (error->code != LUN_OK) {
    free(out->data);
    out->data = NULL;
  }
  return error->code;
}
