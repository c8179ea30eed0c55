/*
** decode.c - from the bytes of a file to an upright picture: which format it
** is, whether it is one we read, and the limits every format obeys.
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

/*
** Formats by their first bytes.  A '?' of the pattern stands for any byte; text
** formats may follow white space or a byte order mark, which 'text' allows.
*/
typedef lun_status decoder(const uint8_t *bytes, size_t size, const decode_options *options,
                           image *out, int *orientation, image_error *error);

static const struct {
  const char *name;
  const char *magic;
  size_t      length;
  int         text;
  decoder    *decode;          /* NULL: known, not read */
} formats[] = {
#define MAGIC(s) s, sizeof s - 1
  { "JPEG",          MAGIC("\xff\xd8\xff"),                  0, jpeg_decode },
  { "PNG",           MAGIC("\x89PNG\r\n\x1a\n"),             0, png_decode },
  { "WebP",          MAGIC("RIFF????WEBP"),                  0, webp_decode },
  { "GIF",           MAGIC("GIF87a"),                        0, gif_decode },
  { "GIF",           MAGIC("GIF89a"),                        0, gif_decode },
  { "BMP",           MAGIC("BM????\0\0\0\0"),                0, NULL },
  { "TIFF",          MAGIC("II*\0"),                         0, NULL },
  { "TIFF",          MAGIC("MM\0*"),                         0, NULL },
  { "BigTIFF",       MAGIC("II+\0"),                         0, NULL },
  { "BigTIFF",       MAGIC("MM\0+"),                         0, NULL },
  { "AVIF",          MAGIC("????ftypavi"),                   0, NULL },
  { "HEIC",          MAGIC("????ftyphei"),                   0, NULL },
  { "HEIC",          MAGIC("????ftyphev"),                   0, NULL },
  { "HEIF",          MAGIC("????ftypmif1"),                  0, NULL },
  { "HEIF",          MAGIC("????ftypmsf1"),                  0, NULL },
  { "JPEG XL",       MAGIC("\xff\x0a"),                      0, NULL },
  { "JPEG XL",       MAGIC("\0\0\0\x0cJXL \r\n\x87\n"),      0, NULL },
  { "JPEG 2000",     MAGIC("\0\0\0\x0cjP  \r\n\x87\n"),      0, NULL },
  { "JPEG 2000",     MAGIC("\xff\x4f\xff\x51"),              0, NULL },
  { "ICO",           MAGIC("\0\0\1\0"),                      0, NULL },
  { "Photoshop",     MAGIC("8BPS"),                          0, NULL },
  { "OpenEXR",       MAGIC("\x76\x2f\x31\x01"),              0, NULL },
  { "QOI",           MAGIC("qoif"),                          0, NULL },
  { "DDS",           MAGIC("DDS "),                          0, NULL },
  { "MNG",           MAGIC("\x8aMNG"),                       0, NULL },
  { "PDF",           MAGIC("%PDF-"),                         1, NULL },
  { "PostScript",    MAGIC("%!PS"),                          1, NULL },
  { "SVG",           MAGIC("<svg"),                          1, NULL },
  { "XML (SVG?)",    MAGIC("<?xml"),                         1, NULL },
#undef MAGIC
};

static int starts_with(const uint8_t *bytes, size_t size, const char *magic, size_t length) {
  if (size < length) return 0;
  for (size_t i = 0; i < length; i++)
    if (magic[i] != '?' && bytes[i] != (uint8_t)magic[i]) return 0;
  return 1;
}

static size_t skip_blank(const uint8_t *bytes, size_t size) {
  size_t i = starts_with(bytes, size, "\xef\xbb\xbf", 3) ? 3 : 0;
  while (i < size && (bytes[i] == ' ' || (bytes[i] >= '\t' && bytes[i] <= '\r'))) i++;
  return i;
}

static lun_status fail_unknown(const uint8_t *bytes, size_t size, image_error *error) {
  char first[3 * 8 + 1] = "";
  if (size == 0) return image_fail(error, LUN_EIO, "not an image: no bytes");
  for (size_t i = 0; i < size && i < 8; i++) snprintf(first + 3 * i, 4, " %02x", bytes[i]);
  return image_fail(error, LUN_EIO, "not an image: first bytes are%s", first);
}

lun_status image_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                        image *out, image_error *error) {
  size_t blank = skip_blank(bytes, size);
  out->data = NULL;
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    size_t from = formats[i].text ? blank : 0;
    int orientation = 1;
    if (!starts_with(bytes + from, size - from, formats[i].magic, formats[i].length)) continue;
    if (formats[i].decode == NULL)
      return image_fail(error, LUN_EIO, "unsupported format %s", formats[i].name);
    if (formats[i].decode(bytes, size, options, out, &orientation, error) == LUN_OK && options->orient)
      image_orient(out, orientation, error);
    if (error->code != LUN_OK) {
      free(out->data);
      out->data = NULL;
    }
    return error->code;
  }
  return fail_unknown(bytes, size, error);
}
