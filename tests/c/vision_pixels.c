/*
** vision_pixels.c - turning, cropping, padding, converting, normalising, saving,
** and what EXIF and XMP say of the orientation.
*/
#include "check.h"
#include "image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A picture of 2 rows and 3 columns, a letter a pixel, after each orientation. */
static void check_orient(void) {
  static const struct { int64_t height, width; const char *pixels; } wanted[10] = {
    { 2, 3, "abcdef" }, { 2, 3, "abcdef" }, { 2, 3, "cbafed" }, { 2, 3, "fedcba" }, { 2, 3, "defabc" },
    { 3, 2, "adbecf" }, { 3, 2, "daebfc" }, { 3, 2, "fcebda" }, { 3, 2, "cfbead" }, { 2, 3, "abcdef" },
  };
  for (int64_t channels = 1; channels <= 4; channels++)
    for (int orientation = 0; orientation < 10; orientation++) {
      image_error error = { LUN_OK, "" };
      image picture;
      int same = 1;
      if (image_new(&picture, 2, 3, channels, &error) != LUN_OK) return;
      for (int64_t i = 0; i < 6 * channels; i++)
        picture.data[i] = (uint8_t)("abcdef"[i / channels] + 32 * (i % channels));
      image_orient(&picture, orientation, &error);
      CHECK(picture.height == wanted[orientation].height && picture.width == wanted[orientation].width,
            "orientation %d", orientation);
      for (int64_t i = 0; i < 6 * channels; i++)
        same &= picture.data[i] == (uint8_t)(wanted[orientation].pixels[i / channels] + 32 * (i % channels));
      CHECK(same, "orientation %d, %d channels", orientation, (int)channels);
      free(picture.data);
    }
}

static void check_place(void) {
  static const struct { int64_t top, left; const char *pixels; } wanted[] = {
    { 0, 0, "abde" }, { 0, 1, "bcef" }, { 1, 2, "f..." }, { -1, -1, "...a" }, { -1, 1, "..bc" },
    { 2, 0, "...." }, { 0, 3, "...." }, { -2, 0, "...." }, { 0, -2, "...." }, { 2147483647, -2147483647, "...." },
  };
  uint8_t from[] = "abcdef";
  const image in = { 2, 3, 1, from };
  for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
    uint8_t pixels[4];
    image out = { 2, 2, 1, pixels };
    image_fill(&out, (const uint8_t *)".");
    image_place(&in, wanted[i].top, wanted[i].left, &out);
    CHECK(memcmp(pixels, wanted[i].pixels, 4) == 0, "top %lld, left %lld: %.4s, wanted %s",
          (long long)wanted[i].top, (long long)wanted[i].left, (const char *)pixels, wanted[i].pixels);
  }
}

/* Values of Pillow's convert("L") and convert("RGB"). */
static void check_convert(void) {
  uint8_t rgb[] = { 255, 0, 0, 0, 255, 0, 0, 0, 255, 12, 200, 77, 255, 255, 255 };
  static const uint8_t grey[] = { 76, 150, 29, 130, 255 };
  static const uint8_t rgba[] = { 7, 7, 7, 255, 9, 9, 9, 255 };
  uint8_t out[8], l[2] = { 7, 9 };
  image from = { 1, 5, 3, rgb }, to = { 1, 5, 1, out }, one = { 1, 2, 1, l }, four = { 1, 2, 4, out };
  image_convert(&from, &to);
  CHECK(memcmp(out, grey, 5) == 0, "%d %d %d %d %d", out[0], out[1], out[2], out[3], out[4]);
  image_convert(&one, &four);
  CHECK(memcmp(out, rgba, 8) == 0);
}

/* values of transformers 5.24, rescale() then normalize() */
static void check_normalize(void) {
  static const double mean[] = { 0.48145466, 0.4578275, 0.40821073 }, std[] = { 0.26862954, 0.26130258, 0.27577711 };
  static const float wanted[] = { -1.7922626f, 1.9303361f, -1.0017087f, 0.16889732f, 2.145897f, -0.57013553f };
  uint8_t pixels[] = { 0, 50, 255, 255, 128, 64 };
  const image in = { 1, 2, 3, pixels };
  normalize_options options = { 1, 1, 1.0 / 255, mean, std };
  float out[6];
  image_normalize(&in, &options, out);
  for (int i = 0; i < 6; i++) CHECK(out[i] == wanted[i], "%d: %.9g, wanted %.9g", i, out[i], wanted[i]);
  options.do_normalize = 0;
  image_normalize(&in, &options, out);
  CHECK(out[5] == 64 / 255.0f, "%.9g", out[5]);
  options.do_rescale = 0;
  image_normalize(&in, &options, out);
  CHECK(out[0] == 0 && out[1] == 255 && out[2] == 50 && out[5] == 64);
}

/* EXIF with one entry: its byte order, tag, type, count and four bytes of value. */
static int exif_of(const char *order, int tag, int type, int count, int value) {
  uint8_t bytes[64] = "Exif\0";
  uint8_t *p = bytes + 6;
  const int big = order[0] == 'M';
#define PUT2(v) (p[big] = (uint8_t)(v), p[!big] = (uint8_t)((v) >> 8), p += 2)
#define PUT4(v) (big ? (PUT2(0), PUT2(v)) : (PUT2(v), PUT2(0)))
  memcpy(p, order, 2);
  p += 2;
  PUT2(42);
  PUT4(8);
  PUT2(1);
  PUT2(tag);
  PUT2(type);
  PUT4(count);
  if (type == 3) {
    PUT2(value);
    PUT2(0);
  } else {
    PUT4(value);
  }
  PUT4(0);
#undef PUT2
#undef PUT4
  return exif_orientation(bytes, (size_t)(p - bytes));
}

static void check_exif(void) {
  enum { SHORT = 3, LONG = 4 };
  for (int value = 1; value <= 8; value++) {
    CHECK(exif_of("II", 0x112, SHORT, 1, value) == value, "little-endian %d", value);
    CHECK(exif_of("MM", 0x112, SHORT, 1, value) == value, "big-endian %d", value);
    CHECK(exif_of("MM", 0x112, LONG, 1, value) == value, "long %d", value);
  }
  CHECK(exif_of("II", 0x112, SHORT, 1, 0) == 1);
  CHECK(exif_of("II", 0x112, SHORT, 1, 9) == 1);
  CHECK(exif_of("II", 0x112, SHORT, 2, 6) == 6);    /* the first of two numbers */
  CHECK(exif_of("II", 0x100, SHORT, 1, 6) == 0);    /* another tag: not stated */
  CHECK(exif_orientation((const uint8_t *)"Exif\0", 6) == 0);
  CHECK(exif_orientation((const uint8_t *)"nonsense", 8) == 0);
  CHECK(exif_orientation((const uint8_t *)"", 0) == 0);
}

static void check_xmp(void) {
#define XMP(text) xmp_orientation(text, sizeof text - 1)
  CHECK(XMP("<x tiff:Orientation=\"6\"/>") == 6);
  CHECK(XMP("<tiff:Orientation>3</tiff:Orientation>") == 3);
  CHECK(XMP("tiff:Orientation tiff:Orientation=\"8\"") == 8);
  CHECK(XMP("tiff:Orientation=\"9\"") == 1);
  CHECK(XMP("tiff:Orientation=\"") == 0);
  CHECK(XMP("tiff:Orientation>") == 0);
  CHECK(XMP("tiff:Orientation") == 0);
  CHECK(XMP("") == 0);
#undef XMP
}

/* What is saved is read again unchanged; alpha is dropped by reading. */
static void check_save(const char *path) {
  for (int64_t channels = 1; channels <= 4; channels++) {
    const decode_options options = { 1, 1, 0 };
    image_error error = { LUN_OK, "" };
    image picture, want, again = { 0 };
    decode_facts facts;
    uint8_t *bytes;
    size_t size;
    if (channels == 2) continue;
    if (image_new(&picture, 13, 7, channels, &error) != LUN_OK || image_new(&want, 13, 7, 3, &error) != LUN_OK) return;
    for (int64_t i = 0; i < 13 * 7 * channels; i++) picture.data[i] = (uint8_t)(i * 37);
    image_convert(&picture, &want);
    CHECK(png_save(path, &picture, &error) == LUN_OK, "%s", error.text);
    if (file_read(path, 1 << 20, &bytes, &size, &error) == LUN_OK) {
      image_decode(bytes, size, &options, &again, &facts, &error);
      free(bytes);
    }
    CHECK(error.code == LUN_OK && again.height == 13 && again.width == 7 &&
          memcmp(again.data, want.data, 13 * 7 * 3) == 0, "%d channels: %s", (int)channels, error.text);
    CHECK(file_read(path, 10, &bytes, &size, &error) == LUN_EIO && strstr(error.text, "larger than 10 bytes") != NULL);
    free(picture.data);
    free(want.data);
    free(again.data);
  }
  remove(path);
  image_error error = { LUN_OK, "" };
  uint8_t pixel = 0;
  const image one = { 1, 1, 1, &pixel };
  CHECK(png_save("no/such/folder/a.png", &one, &error) == LUN_EIO && strstr(error.text, "No such file") != NULL,
        "%s", error.text);
}

int main(void) {
  const char *folder = getenv("TMPDIR");
  char path[1024];
  check_orient();
  check_place();
  check_convert();
  check_normalize();
  check_exif();
  check_xmp();
  snprintf(path, sizeof path, "%s/vision_pixels.png", folder != NULL ? folder : "/tmp");
  check_save(path);
  return check_end();
}
