/*
** vision_decode.c - pictures of tests/data against what Pillow makes of them,
** and files made here that must be refused.
*/
#include "check.h"
#include "image.h"

#include <stdlib.h>
#include <string.h>

static const decode_options defaults = { IMAGE_MEGAPIXELS, 1, 0 };

static uint64_t hash(const uint8_t *bytes, size_t size) {
  uint64_t h = 0xcbf29ce484222325u;
  for (size_t i = 0; i < size; i++) h = (h ^ bytes[i]) * 0x100000001b3u;
  return h;
}

/* No value of a picture is more than 'most' away from that of a PNG. */
static void check_near(const image *picture, const char *path, int most) {
  char name[520];
  image_error error = { LUN_OK, "" };
  image want = { 0 };
  decode_facts facts;
  uint8_t *bytes = NULL;
  size_t size, count = (size_t)(picture->width * picture->height * 3);
  int largest = 0;
  snprintf(name, sizeof name, "%s.png", path);
  if (file_read(name, SIZE_MAX, &bytes, &size, &error) == LUN_OK)
    image_decode(bytes, size, &defaults, &want, &facts, &error);
  if (CHECK(error.code == LUN_OK && want.height == picture->height && want.width == picture->width, "%s: %s", name, error.text)) {
    for (size_t i = 0; i < count; i++) {
      int d = abs(picture->data[i] - want.data[i]);
      if (d > largest) largest = d;
    }
    CHECK(largest <= most, "%s: a value %d away, limit %d", path, largest, most);
  }
  free(want.data);
  free(bytes);
}

/* One line of an expected.txt, whose head says what it means; 0 if this build does not read the format. */
static int check_line(const char *folder, const char *line) {
  char name[256], verdict[16], path[512];
  long long width = 0, height = 0;
  unsigned long long want = 0;
  image_error error = { LUN_OK, "" }, unready = { LUN_OK, "" };
  image picture = { 0 };
  decode_facts facts;
  const image_format *format;
  uint8_t *bytes;
  size_t size;
  if (line[0] == '#' || sscanf(line, "%255s %15s %lld %lld %llx", name, verdict, &width, &height, &want) < 2) return 1;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  if (!CHECK(file_read(path, SIZE_MAX, &bytes, &size, &error) == LUN_OK, "%s: %s", path, error.text)) return 1;
  format = format_find(bytes, size);
  image_decode(bytes, size, &defaults, &picture, &facts, &error);
  free(bytes);
  if (format != NULL && format_ready(format, &unready) != LUN_OK) {
    CHECK(strcmp(error.text, unready.text) == 0, "%s: '%s', wanted '%s'", path, error.text, unready.text);
    printf("skip %s: %s\n", folder, unready.text);
    return 0;
  }
  if (strcmp(verdict, "error") == 0) {
    CHECK(error.code == LUN_EIO, "%s: an error was wanted", path);
  } else if (strcmp(verdict, "any") == 0) {
    CHECK((picture.data == NULL) == (error.code != LUN_OK), "%s: neither picture nor error", path);
  } else if (CHECK(error.code == LUN_OK, "%s: %s", path, error.text) &&
             CHECK(picture.width == width && picture.height == height, "%s: %lld x %lld, wanted %lld x %lld", path,
                   (long long)picture.width, (long long)picture.height, width, height)) {
    if (strcmp(verdict, "near") == 0) check_near(&picture, path, (int)want);
    if (strcmp(verdict, "equal") == 0)
      CHECK(hash(picture.data, (size_t)(width * height * 3)) == want, "%s: other pixels than Pillow's", path);
  }
  if (error.code != LUN_OK) CHECK(error.text[0] != '\0' && strchr(error.text, '\n') == NULL, "%s: bad message", path);
  free(picture.data);
  return 1;
}

static void check_folder(const char *folder) {
  char path[300], line[600];
  FILE *file;
  snprintf(path, sizeof path, "%s/expected.txt", folder);
  file = fopen(path, "r");
  if (!CHECK(file != NULL, "%s is missing", path)) return;
  while (fgets(line, sizeof line, file) != NULL && check_line(folder, line)) {}
  fclose(file);
}

/* Decodes bytes that must fail, with a message that holds 'wanted'. */
static void check_refused(const void *bytes, size_t size, const decode_options *options, const char *wanted) {
  image_error error = { LUN_OK, "" };
  image picture = { 0 };
  decode_facts facts;
  CHECK(image_decode(bytes, size, options, &picture, &facts, &error) == LUN_EIO, "no error, wanted '%s'", wanted);
  CHECK(strstr(error.text, wanted) != NULL, "'%s', wanted '%s'", error.text, wanted);
  free(picture.data);
}

/* Formats whose libraries are not part of every build are refused by name without them. */
#if __has_include(<libheif/heif.h>)
#define HEIC_REFUSED "broken HEIF"
#else
#define HEIC_REFUSED "unsupported format HEIC"
#endif
#if __has_include(<avif/avif.h>)
#define AVIF_REFUSED "truncated"
#elif __has_include(<libheif/heif.h>)
#define AVIF_REFUSED "broken HEIF"
#else
#define AVIF_REFUSED "unsupported format AVIF"
#endif
#if __has_include(<jxl/decode.h>)
#define JXL_REFUSED "truncated"
#else
#define JXL_REFUSED "unsupported format JPEG XL"
#endif

static void check_unknown(void) {
#define REFUSE(bytes, wanted) check_refused(bytes, sizeof bytes - 1, &defaults, wanted)
  REFUSE("", "not an image: no bytes");
  REFUSE("hello", "not an image: first bytes are 68 65 6c 6c 6f");
  REFUSE("BM\x36\0\0\0\0\0\0\0", "unsupported format BMP");
  REFUSE("II*\0\x08\0\0\0", "unsupported format TIFF");
  REFUSE("\0\0\0\x18" "ftypheic", HEIC_REFUSED);
  REFUSE("\0\0\0\x18" "ftypavif", AVIF_REFUSED);
  REFUSE("\xff\x0a", JXL_REFUSED);
  REFUSE("%PDF-1.7", "unsupported format PDF");
  REFUSE("\xef\xbb\xbf\n <svg>", "unsupported format SVG");
  REFUSE("\xff\xd8\xff", "truncated");
  REFUSE("RIFF\x10\0\0\0WEBPVP8 ", "truncated");
  REFUSE("GIF89a", "truncated");
  REFUSE("GIF88a", "not an image: first bytes are 47 49 46 38 38 61");
  REFUSE("\x89PNG\r\n\x1a\n", "truncated");
#undef REFUSE
}

/* Headers of pictures too large to hold, which must be refused by their size. */
static void check_bombs(void) {
  static const uint8_t png[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\xff\xff\0\0\xff\xff\x08\x02\0\0\0\x39\x67\x4e\x07"
                               "\0\0\0\0IDAT\x35\xaf\x06\x1e";
  static const uint8_t jpeg[] = "\xff\xd8\xff\xc0\0\x11\x08\xff\xdc\xff\xdc\x03\x01\x11\0\x02\x11\0\x03\x11\0"
                                "\xff\xda\0\x0c\x03\x01\0\x02\0\x03\0\0\x3f\0";
  static const uint8_t webp[] = "RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f\xff\xff\xff\x0f\0\0\0\0\0";
  static const uint8_t gif[] = "GIF89a\x01\0\x01\0\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02";
  const decode_options small = { 0.1, 1, 0 };
  image_error error = { LUN_OK, "" };
  uint8_t *bytes;
  size_t size;
  check_refused(png, sizeof png - 1, &defaults, "4294.84 megapixels, limit 200");
  check_refused(jpeg, sizeof jpeg - 1, &defaults, "4290.25 megapixels, limit 200");
  check_refused(webp, sizeof webp - 1, &defaults, "268.435 megapixels, limit 200");
  check_refused(gif, sizeof gif - 1, &defaults, "4294.84 megapixels, limit 200");
  if (!CHECK(file_read("tests/data/exif/Landscape_6.jpg", SIZE_MAX, &bytes, &size, &error) == LUN_OK)) return;
  check_refused(bytes, size, &small, "0.24 megapixels, limit 0.1");
  check_refused(bytes, size / 2, &defaults, "image file is truncated");
  free(bytes);
}

/* A progressive file whose last scan comes 'times' times. */
static void check_scans(int times, const char *wanted) {
  image_error error = { LUN_OK, "" };
  image picture = { 0 };
  decode_facts facts;
  uint8_t *bytes, *many;
  size_t size, scan, length;
  if (!CHECK(file_read("tests/fuzz/corpus/image/exif.jpg", SIZE_MAX, &bytes, &size, &error) == LUN_OK)) return;
  for (scan = size - 2; bytes[scan] != 0xff || bytes[scan + 1] != 0xda; scan--) {}
  length = size - 2 - scan;
  many = malloc(scan + length * (size_t)times + 2);
  memcpy(many, bytes, scan);
  for (int i = 0; i < times; i++) memcpy(many + scan + length * (size_t)i, bytes + scan, length);
  memcpy(many + scan + length * (size_t)times, "\xff\xd9", 2);
  image_decode(many, scan + length * (size_t)times + 2, &defaults, &picture, &facts, &error);
  CHECK(strcmp(error.text, wanted) == 0, "%d scans: '%s', wanted '%s'", times, error.text, wanted);
  free(picture.data);
  free(many);
  free(bytes);
}

/* Every beginning of a file is an error or a picture. */
static void check_beginnings(const char *path) {
  image_error error = { LUN_OK, "" };
  uint8_t *bytes;
  size_t size;
  int pictures = 0;
  if (!CHECK(file_read(path, SIZE_MAX, &bytes, &size, &error) == LUN_OK, "%s: %s", path, error.text)) return;
  for (size_t length = 0; length < size; length++) {
    uint8_t *part = malloc(length + 1);  /* of its own, so that a sanitizer sees reads beyond */
    image picture = { 0 };
    decode_facts facts;
    error = (image_error){ LUN_OK, "" };
    memcpy(part, bytes, length);
    pictures += image_decode(part, length, &defaults, &picture, &facts, &error) == LUN_OK;
    free(picture.data);
    free(part);
  }
  CHECK(pictures < (int)size / 2, "%s: %d of %zu beginnings are pictures", path, pictures, size);
  free(bytes);
}

/* With any byte of the file changed there is an error or a picture. */
static void check_changes(const char *path) {
  image_error error = { LUN_OK, "" };
  uint8_t *bytes;
  size_t size;
  int wrong = 0;
  if (!CHECK(file_read(path, SIZE_MAX, &bytes, &size, &error) == LUN_OK, "%s: %s", path, error.text)) return;
  for (size_t i = 0; i < size; i++) {
    const decode_options small = { 0.1, 1, 0 };
    image picture = { 0 };
    decode_facts facts;
    error = (image_error){ LUN_OK, "" };
    bytes[i] ^= (uint8_t)(1 << i % 8);
    image_decode(bytes, size, &small, &picture, &facts, &error);
    wrong += (error.code == LUN_OK) != (picture.data != NULL) || strchr(error.text, '\n') != NULL;
    bytes[i] ^= (uint8_t)(1 << i % 8);
    free(picture.data);
  }
  CHECK(wrong == 0, "%s: neither picture nor error with %d of %zu bytes changed", path, wrong, size);
  free(bytes);
}

/* A PNG may lack its last chunk, and check sums, a GIF what follows its last block, as long as every row is there. */
static void check_tail(const char *path, size_t lacking, const char *wanted) {
  image_error error = { LUN_OK, "" };
  image whole = { 0 }, part = { 0 };
  decode_facts facts;
  uint8_t *bytes;
  size_t size;
  if (!CHECK(file_read(path, SIZE_MAX, &bytes, &size, &error) == LUN_OK, "%s: %s", path, error.text)) return;
  CHECK(image_decode(bytes, size, &defaults, &whole, &facts, &error) == LUN_OK, "%s: %s", path, error.text);
  image_decode(bytes, size - lacking, &defaults, &part, &facts, &error);
  CHECK(strcmp(error.text, wanted) == 0, "%s without %zu bytes: '%s', wanted '%s'", path, lacking, error.text, wanted);
  if (part.data != NULL)
    CHECK(memcmp(part.data, whole.data, (size_t)(whole.height * whole.width * 3)) == 0, "%s: other pixels", path);
  free(whole.data);
  free(part.data);
  free(bytes);
}

int main(void) {
  check_folder("tests/data/png");
  check_folder("tests/data/jpeg");
  check_folder("tests/data/exif");
  check_folder("tests/data/webp");
  check_folder("tests/data/gif");
  check_folder("tests/data/heic");
  check_folder("tests/data/jxl");
#if __has_include(<avif/avif.h>)
  check_folder("tests/data/avif");
#else
  printf("skip tests/data/avif: built without libavif\n");
#endif
  check_unknown();
  check_bombs();
  check_scans(300, "");
  check_scans(600, "JPEG has more than 500 scans");
  check_beginnings("tests/data/png/primary/basn3p04.png");
  check_beginnings("tests/data/png/16bit/basi6a16.png");
  check_beginnings("tests/data/jpeg/reftest/mozilla/jpg-size-9x9.jpg");
  check_beginnings("tests/data/webp/lossy_alpha.webp");
  check_beginnings("tests/data/webp/animation_small_frame.webp");
  check_beginnings("tests/data/gif/extensions.gif");
  check_beginnings("tests/data/gif/interlaced_17.gif");
  check_beginnings("tests/data/heic/420.heic");
  check_beginnings("tests/data/avif/420.avif");
  check_beginnings("tests/data/jxl/lossy.jxl");
  check_changes("tests/data/heic/420.heic");
  check_changes("tests/data/avif/420.avif");
  check_changes("tests/data/jxl/lossy.jxl");
  check_changes("tests/data/jxl/jpeg_6.jxl");
  for (size_t lacking = 1; lacking <= 12 + 4 + 4; lacking++) {  /* IEND, check sums of the chunk and of zlib */
    check_tail("tests/data/png/primary/basn2c08.png", lacking, "");
    check_tail("tests/data/png/primary/basi6a08.png", lacking, "");
  }
  check_tail("tests/data/png/primary/basn2c08.png", 30, "image file is truncated");
  check_tail("tests/data/png/primary/basi6a08.png", 30, "image file is truncated");
  check_tail("tests/data/gif/plain.gif", 2, "");               /* the trailer and the block of no bytes */
  check_tail("tests/data/gif/plain.gif", 3, "image file is truncated");
  check_tail("tests/data/webp/junk_after.webp", 4, "");
  check_tail("tests/data/webp/junk_after.webp", 5, "image file is truncated");
  return check_end();
}
