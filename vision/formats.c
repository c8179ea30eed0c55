/*
** formats.c - what a file is, by its first bytes: the formats we read, and those
** we know in order to name them.
*/
#include "image.h"

/* How to decode what takes a library that not every build has. */
#if __has_include(<libheif/heif.h>)
#define HEIC heif_decode, heif_ready_hevc
#else
#define HEIC NULL, NULL
#endif

#if __has_include(<avif/avif.h>)
#define AVIF avif_decode, avif_ready
#elif __has_include(<libheif/heif.h>)
#define AVIF heif_decode, heif_ready_av1
#else
#define AVIF NULL, NULL
#endif

#if __has_include(<jxl/decode.h>)
#define JXL  jxl_decode, jxl_ready
#else
#define JXL  NULL, NULL
#endif

/* A '?' of the magic stands for any byte. */
static const image_format formats[] = {
#define MAGIC(s) s, sizeof s - 1
  { "JPEG",          MAGIC("\xff\xd8\xff"),                  0, jpeg_decode, NULL },
  { "PNG",           MAGIC("\x89PNG\r\n\x1a\n"),             0, png_decode, NULL },
  { "WebP",          MAGIC("RIFF????WEBP"),                  0, webp_decode, NULL },
  { "GIF",           MAGIC("GIF87a"),                        0, gif_decode, NULL },
  { "GIF",           MAGIC("GIF89a"),                        0, gif_decode, NULL },
  { "BMP",           MAGIC("BM????\0\0\0\0"),                0, NULL, NULL },
  { "TIFF",          MAGIC("II*\0"),                         0, NULL, NULL },
  { "TIFF",          MAGIC("MM\0*"),                         0, NULL, NULL },
  { "BigTIFF",       MAGIC("II+\0"),                         0, NULL, NULL },
  { "BigTIFF",       MAGIC("MM\0+"),                         0, NULL, NULL },
  { "AVIF",          MAGIC("????ftypavi"),                   0, AVIF },
  { "HEIC",          MAGIC("????ftyphei"),                   0, HEIC },
  { "HEIC",          MAGIC("????ftyphev"),                   0, HEIC },
  { "HEIF",          MAGIC("????ftypmif1"),                  0, HEIC },
  { "HEIF",          MAGIC("????ftypmsf1"),                  0, HEIC },
  { "JPEG XL",       MAGIC("\xff\x0a"),                      0, JXL },
  { "JPEG XL",       MAGIC("\0\0\0\x0cJXL \r\n\x87\n"),      0, JXL },
  { "JPEG 2000",     MAGIC("\0\0\0\x0cjP  \r\n\x87\n"),      0, NULL, NULL },
  { "JPEG 2000",     MAGIC("\xff\x4f\xff\x51"),              0, NULL, NULL },
  { "ICO",           MAGIC("\0\0\1\0"),                      0, NULL, NULL },
  { "Photoshop",     MAGIC("8BPS"),                          0, NULL, NULL },
  { "OpenEXR",       MAGIC("\x76\x2f\x31\x01"),              0, NULL, NULL },
  { "QOI",           MAGIC("qoif"),                          0, NULL, NULL },
  { "DDS",           MAGIC("DDS "),                          0, NULL, NULL },
  { "MNG",           MAGIC("\x8aMNG"),                       0, NULL, NULL },
  { "PDF",           MAGIC("%PDF-"),                         1, NULL, NULL },
  { "PostScript",    MAGIC("%!PS"),                          1, NULL, NULL },
  { "SVG",           MAGIC("<svg"),                          1, NULL, NULL },
  { "XML (SVG?)",    MAGIC("<?xml"),                         1, NULL, NULL },
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

const image_format *format_find(const uint8_t *bytes, size_t size) {
  size_t blank = skip_blank(bytes, size);
  for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
    size_t from = formats[i].document ? blank : 0;
    if (starts_with(bytes + from, size - from, formats[i].magic, formats[i].length)) return &formats[i];
  }
  return NULL;
}

lun_status format_ready(const image_format *format, image_error *error) {
  image_error why = { LUN_OK, "" };
  if (format->decode == NULL) return image_fail(error, LUN_EIO, "unsupported format %s", format->name);
  if (format->ready != NULL && format->ready(&why) != LUN_OK)
    return image_fail(error, why.code, "unsupported format %s: %s", format->name, why.text);
  return LUN_OK;
}
