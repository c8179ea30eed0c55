/*
** png.c - PNG into RGB through libpng, equal to Pillow's
** Image.open(path).convert("RGB"): transparency dropped, not blended; gamma and
** profiles ignored; 16-bit colour cut to its high byte, 16-bit grey clipped at 255.
*/
#include "image.h"

#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

typedef struct reader {
  png_structp    png;
  png_infop      info;
  const uint8_t *bytes;        /* what is left of the file */
  size_t         size;
  int            ended;        /* more was wanted than there is */
  int64_t        rows_left;    /* over all passes; 1 until their number is known */
  jmp_buf        out;          /* of guarded(), and nothing above it */
  image_error   *error;
  image         *picture;
  const decode_options *options;
} reader;

static void leave(png_structp png, png_const_charp message) {
  reader *r = png_get_error_ptr(png);
  if (r->ended) image_fail(r->error, LUN_EIO, "image file is truncated");
  else image_fail(r->error, LUN_EIO, "broken PNG: %s", message);
  longjmp(r->out, 1);
}

static void ignore_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

/*
** A file may lack its last bytes and still hold every row, which is enough for
** Pillow.  So an IDAT chunk that is cut off is read as a shorter one, and zeros
** follow the end: no chunk is called that, so libpng stops there if it wants more.
*/
static void read_bytes(png_structp png, png_bytep to, size_t count) {
  reader *r = png_get_io_ptr(png);
  size_t have = count < r->size ? count : r->size;
  memcpy(to, r->bytes, have);
  memset(to + have, 0, count - have);
  r->bytes += have;
  r->size -= have;
  r->ended = have < count;
  if (count == 8 && memcmp(to + 4, "IDAT", 4) == 0 && png_get_uint_32(to) > r->size)
    png_save_uint_32(to, (png_uint_32)r->size);
}

/*
** Sees every row when it is RGB.  Only 16-bit grey still has 16 bits by then: it
** becomes 8 as Pillow's mode I;16 converts, clipped, not scaled.
*/
static void finish_row(png_structp png, png_row_infop row, png_bytep data) {
  reader *r = png_get_user_transform_ptr(png);
  size_t count = (size_t)row->width * 3;
  for (size_t i = 0; i < count && row->bit_depth == 16; i++) data[i] = data[2 * i] == 0 ? data[2 * i + 1] : 255;
  r->rows_left--;
}

static void set_up(reader *r) {
  /* chunks that change nothing here, left unread: name and NUL, five bytes each */
  static const png_byte unused[] =
    "bKGD\0cHRM\0gAMA\0hIST\0iCCP\0oFFs\0pCAL\0pHYs\0sBIT\0sCAL\0sPLT\0sRGB\0tIME";
  png_set_read_fn(r->png, r, read_bytes);
  png_set_user_limits(r->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);  /* ours has the better message */
  png_set_crc_action(r->png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_keep_unknown_chunks(r->png, PNG_HANDLE_CHUNK_NEVER, unused, (int)(sizeof unused / 5));
}

static void read_rows(reader *r) {
  png_uint_32 width, height;
  int color, passes;

  set_up(r);
  png_read_info(r->png, r->info);
  png_get_IHDR(r->png, r->info, &width, &height, NULL, &color, NULL, NULL, NULL);
  if (image_check_size(height, width, r->options, r->error) != LUN_OK) return;
  if (image_new(r->picture, height, width, 3, r->error) != LUN_OK) return;

  /* Pillow does not look at the check sums of the picture's data */
  png_set_crc_action(r->png, PNG_CRC_QUIET_USE, PNG_CRC_QUIET_USE);
  png_set_palette_to_rgb(r->png);
  png_set_expand_gray_1_2_4_to_8(r->png);
  png_set_strip_alpha(r->png);
  png_set_gray_to_rgb(r->png);
  if (color != PNG_COLOR_TYPE_GRAY) png_set_strip_16(r->png);
  png_set_read_user_transform_fn(r->png, finish_row);
  png_set_user_transform_info(r->png, r, 8, 3);
  passes = png_set_interlace_handling(r->png);
  png_read_update_info(r->png, r->info);
  if (png_get_rowbytes(r->png, r->info) != (size_t)width * 3) png_error(r->png, "row is not RGB");
  r->rows_left = 0;
  for (int pass = 0; pass < passes; pass++)
    r->rows_left += passes == 1 ? height : PNG_PASS_COLS(width, pass) > 0 ? PNG_PASS_ROWS(height, pass) : 0;
  for (int pass = 0; pass < passes; pass++)
    for (png_uint_32 y = 0; y < height; y++)
      png_read_row(r->png, r->picture->data + (size_t)y * width * 3, NULL);
}

static void read_end(reader *r) { png_read_end(r->png, r->info); }

/* The only frame libpng's errors jump into; it has no state of its own to lose. */
static int guarded(reader *r, void (*step)(reader *)) {
  if (setjmp(r->out) != 0) return 0;
  step(r);
  return 1;
}

static const png_text *find_text(reader *r, const char *key) {
  png_textp text;
  int count;
  png_get_text(r->png, r->info, &text, &count);
  for (int i = count - 1; i >= 0; i--)
    if (strcmp(text[i].key, key) == 0) return &text[i];
  return NULL;
}

static size_t text_size(const png_text *text) {
  return text->compression > 0 || text->itxt_length > 0 ? text->itxt_length : text->text_length;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/* EXIF as ImageMagick writes it into a text chunk: three lines, then hexadecimal. */
static int raw_profile_orientation(const char *text, size_t size, image_error *error) {
  const char *end = text + size;
  uint8_t *bytes = malloc(size / 2 + 1);
  size_t digits = 0;
  int orientation;
  if (bytes == NULL) {
    image_fail(error, LUN_EMEM, "no memory to read EXIF");
    return 0;
  }
  for (int line = 0; line < 3 && text < end; text++) line += *text == '\n';
  for (; text < end; text++) {
    int digit = hex_digit(*text);
    if (digit < 0) continue;
    if (digits % 2 == 0) bytes[digits / 2] = (uint8_t)(digit << 4);
    else bytes[digits / 2] |= (uint8_t)digit;
    digits++;
  }
  orientation = exif_orientation(bytes, digits / 2);
  free(bytes);
  return orientation;
}

static int read_orientation(reader *r) {
  png_bytep chunk;
  png_uint_32 size;
  const png_text *text;
  int orientation = 0;
  if (png_get_eXIf_1(r->png, r->info, &size, &chunk) != 0)
    orientation = exif_chunk_orientation(chunk, size, r->error);
  else if ((text = find_text(r, "Raw profile type exif")) != NULL)
    orientation = raw_profile_orientation(text->text, text_size(text), r->error);
  if (orientation == 0 && (text = find_text(r, "XML:com.adobe.xmp")) != NULL)
    orientation = xmp_orientation(text->text, text_size(text));
  return orientation;
}

lun_status png_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                      image *out, decode_facts *facts, image_error *error) {
  reader r = { .bytes = bytes, .size = size, .error = error, .picture = out, .options = options, .rows_left = 1 };
  r.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &r, leave, ignore_warning);
  r.info = r.png != NULL ? png_create_info_struct(r.png) : NULL;
  if (r.info == NULL) {
    image_fail(error, LUN_EMEM, "no memory to decode PNG");
  } else {
    /* once all rows are there nothing fails the picture; what follows may state its orientation */
    int whole = guarded(&r, read_rows);
    if (out->data != NULL && r.rows_left == 0) {
      if (whole) guarded(&r, read_end);
      *error = (image_error){ LUN_OK, "" };
      facts->orientation = read_orientation(&r);
    }
  }
  png_destroy_read_struct(&r.png, &r.info, NULL);
  return error->code;
}
