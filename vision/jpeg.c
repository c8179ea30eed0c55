/*
** jpeg.c - JPEG into RGB through libjpeg-turbo, equal to Pillow's
** Image.open(path).convert("RGB"): accurate integer DCT, smooth upsampling,
** warnings about corrupt data ignored, an end of file inside the picture an error.
*/
#include "image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

/*
** A progressive file may hold scan after scan over the whole picture in a few
** bytes each; real encoders write about ten.  libjpeg-turbo's own fuzzers stop
** at 500 too.
*/
#define MAX_SCANS 500

typedef struct reader {
  struct jpeg_decompress_struct jpeg;
  struct jpeg_error_mgr         manager;
  struct jpeg_source_mgr        source;
  struct jpeg_progress_mgr      progress;
  jmp_buf      out;            /* of guarded(), and nothing above it */
  image_error *error;
  uint8_t     *line;           /* one row as libjpeg gives it: grey, RGB or CMYK */
} reader;

static void leave(j_common_ptr jpeg) {
  reader *r = jpeg->client_data;
  if (jpeg->err->msg_code == JERR_OUT_OF_MEMORY) {
    image_fail(r->error, LUN_EMEM, "no memory to decode JPEG");
  } else {
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    image_fail(r->error, LUN_EIO, "broken JPEG: %s", text);
  }
  longjmp(r->out, 1);
}

static void ignore_message(j_common_ptr jpeg) { (void)jpeg; }

static void ignore_call(j_decompress_ptr jpeg) { (void)jpeg; }

static boolean end_of_data(j_decompress_ptr jpeg) {
  reader *r = jpeg->client_data;
  image_fail(r->error, LUN_EIO, "image file is truncated");
  longjmp(r->out, 1);
}

static void skip_data(j_decompress_ptr jpeg, long count) {
  struct jpeg_source_mgr *source = jpeg->src;
  size_t step = count < 0 ? 0 : (size_t)count;
  if (step > source->bytes_in_buffer) step = source->bytes_in_buffer;
  source->next_input_byte += step;
  source->bytes_in_buffer -= step;
}

static void count_scans(j_common_ptr jpeg) {
  reader *r = jpeg->client_data;
  if (r->jpeg.input_scan_number > MAX_SCANS) {
    image_fail(r->error, LUN_EIO, "JPEG has more than %d scans", MAX_SCANS);
    longjmp(r->out, 1);
  }
}

static int is_exif(const struct jpeg_marker_struct *m) {
  return m->data_length >= 6 && memcmp(m->data, "Exif\0", 6) == 0;
}

static int is_xmp(const struct jpeg_marker_struct *m) {
  return m->data_length >= 29 && memcmp(m->data, "http://ns.adobe.com/xap/1.0/", 29) == 0;
}

/*
** EXIF first, XMP where EXIF does not say.  EXIF longer than one segment goes on
** in the next one, after the same six bytes; of several XMP packets the last counts.
*/
static int read_orientation(const struct jpeg_marker_struct *markers, image_error *error) {
  size_t size = 0;
  int orientation = 0;
  for (const struct jpeg_marker_struct *m = markers; m != NULL; m = m->next)
    if (is_exif(m)) size += m->data_length;
  if (size > 0) {
    uint8_t *exif = malloc(size);
    if (exif == NULL) {
      image_fail(error, LUN_EMEM, "no memory to read EXIF");
      return 0;
    }
    size = 0;
    for (const struct jpeg_marker_struct *m = markers; m != NULL; m = m->next) {
      size_t head = size > 0 ? 6 : 0;
      if (!is_exif(m)) continue;
      memcpy(exif + size, m->data + head, m->data_length - head);
      size += m->data_length - head;
    }
    orientation = exif_orientation(exif, size);
    free(exif);
  }
  if (orientation == 0)
    for (const struct jpeg_marker_struct *m = markers; m != NULL; m = m->next)
      if (is_xmp(m)) orientation = xmp_orientation((const char *)m->data, m->data_length);
  return orientation;
}

/* a * b / 255, rounded, as Pillow rounds it */
static inline int times_255(int a, int b) {
  int t = a * b + 128;
  return ((t >> 8) + t) >> 8;
}

/*
** One row to RGB.  CMYK in JPEG files is stored inverted, whatever its Adobe
** marker says: 255 is no ink.  Pillow turns it about, then takes
** (255 - k) - c * (255 - k) / 255 for red, and so on.
*/
static void line_to_rgb(const uint8_t *in, int channels, int64_t width, uint8_t *out) {
  switch (channels) {
    case 1:
      for (int64_t x = 0; x < width; x++, out += 3) out[0] = out[1] = out[2] = in[x];
      break;
    case 3:
      memcpy(out, in, (size_t)width * 3);
      break;
    default:
      for (int64_t x = 0; x < width; x++, in += 4, out += 3)
        for (int c = 0; c < 3; c++) out[c] = (uint8_t)(in[3] - times_255(255 - in[c], in[3]));
  }
}

/*
** By how much a picture is made smaller while it is decoded: the largest of 1, 2, 4
** and 8 that leaves both sides 'least' pixels and divides them, for part of a pixel
** at the edge would shift all the others.  libjpeg then averages squares of pixels.
**
** How far the u8 pixels are from those of a picture decoded in full, both resized
** to a square by Pillow's bicubic filter, with 'least' a multiple of its side:
**
**     multiple of the side                    1            2            3            4
**     24 photos of 500 pixels          2.38 (59)    0.97 (10)    0.67 (7)     0.67 (7)
**     8 photos of 3 to 12 megapixels   1.32 (31)    0.36 (10)    0.30 (10)    0.13 (4)
**     gradient                         0.22 (2)     0.19 (1)     0.06 (1)     0.06 (1)
**     noise                           12.81 (65)    1.99 (11)    0.80 (7)     0.80 (7)
**     stripes of 2 to 48 pixels       54.10 (60)    7.66 (15)    1.31 (4)     1.31 (4)
**     coloured stripes of 8           37.37 (55)    8.32 (15)    4.25 (9)     4.25 (9)
**
** mean of the worst picture (largest difference of all).  Photos of 500 pixels,
** cropped to multiples of 8, were resized to 28, 56 and 112, the others to 224;
** bilinear differs less.  With twice the side a photo's mean is below 1 of 255:
** that is what callers use.  tests/lua/vision_reduced.lua holds it to that.
*/
static unsigned reduction(const struct jpeg_decompress_struct *jpeg, int64_t least) {
  JDIMENSION height = jpeg->image_height, width = jpeg->image_width;
  unsigned by = least > 0 ? 8 : 1;
  while (by > 1 && (height % by != 0 || width % by != 0 || height / by < least || width / by < least)) by /= 2;
  return by;
}

static void read_picture(reader *r, const uint8_t *bytes, size_t size, const decode_options *options,
                         image *out, decode_facts *facts) {
  struct jpeg_decompress_struct *jpeg = &r->jpeg;
  static const J_COLOR_SPACE colors[] = { JCS_UNKNOWN, JCS_GRAYSCALE, JCS_UNKNOWN, JCS_RGB, JCS_CMYK };

  jpeg_create_decompress(jpeg);
  r->source = (struct jpeg_source_mgr){ .next_input_byte = bytes, .bytes_in_buffer = size,
    .init_source = ignore_call, .fill_input_buffer = end_of_data, .skip_input_data = skip_data,
    .resync_to_restart = jpeg_resync_to_restart, .term_source = ignore_call };
  jpeg->src = &r->source;
  r->progress.progress_monitor = count_scans;
  jpeg->progress = &r->progress;
  jpeg_save_markers(jpeg, JPEG_APP0 + 1, 0xffff);
  while (jpeg_read_header(jpeg, FALSE) == JPEG_HEADER_TABLES_ONLY) {}

  if (jpeg->num_components < 1 || jpeg->num_components > 4 || colors[jpeg->num_components] == JCS_UNKNOWN) {
    image_fail(r->error, LUN_EIO, "JPEG has %d components, wanted 1, 3 or 4", jpeg->num_components);
    return;
  }
  jpeg->out_color_space = colors[jpeg->num_components];
  if (image_check_size(jpeg->image_height, jpeg->image_width, options, r->error) != LUN_OK) return;
  facts->orientation = read_orientation(jpeg->marker_list, r->error);
  if (r->error->code != LUN_OK) return;
  jpeg->scale_denom = reduction(jpeg, options->reduce_to);
  facts->reduced_by = (int)jpeg->scale_denom;
  jpeg_calc_output_dimensions(jpeg);
  if (image_new(out, jpeg->output_height, jpeg->output_width, 3, r->error) != LUN_OK) return;
  r->line = malloc((size_t)jpeg->output_width * (size_t)jpeg->num_components);
  if (r->line == NULL) {
    image_fail(r->error, LUN_EMEM, "no memory to decode JPEG");
    return;
  }
  jpeg_start_decompress(jpeg);
  while (jpeg->output_scanline < jpeg->output_height) {
    uint8_t *row = out->data + (size_t)jpeg->output_scanline * (size_t)out->width * 3;
    jpeg_read_scanlines(jpeg, &r->line, 1);
    line_to_rgb(r->line, jpeg->num_components, out->width, row);
  }
  /* what follows the last row does not matter, so there is no jpeg_finish_decompress() */
}

/* The only frame libjpeg's errors jump into; it has no state of its own to lose. */
static void guarded(reader *r, const uint8_t *bytes, size_t size, const decode_options *options,
                    image *out, decode_facts *facts) {
  if (setjmp(r->out) == 0) read_picture(r, bytes, size, options, out, facts);
}

lun_status jpeg_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                       image *out, decode_facts *facts, image_error *error) {
  reader r;
  memset(&r, 0, sizeof r);
  r.error = error;
  r.jpeg.err = jpeg_std_error(&r.manager);
  r.jpeg.client_data = &r;
  r.manager.error_exit = leave;
  r.manager.output_message = ignore_message;
  guarded(&r, bytes, size, options, out, facts);
  jpeg_destroy_decompress(&r.jpeg);
  free(r.line);
  return error->code;
}
