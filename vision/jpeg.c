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

static void read_picture(reader *r, const uint8_t *bytes, size_t size, const decode_options *options,
                         image *out, int *orientation) {
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
  *orientation = read_orientation(jpeg->marker_list, r->error);
  if (r->error->code != LUN_OK) return;
  if (image_new(out, jpeg->image_height, jpeg->image_width, 3, r->error) != LUN_OK) return;
  r->line = malloc((size_t)jpeg->image_width * (size_t)jpeg->num_components);
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
                    image *out, int *orientation) {
  if (setjmp(r->out) == 0) read_picture(r, bytes, size, options, out, orientation);
}

lun_status jpeg_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                       image *out, int *orientation, image_error *error) {
  reader r;
  memset(&r, 0, sizeof r);
  r.error = error;
  r.jpeg.err = jpeg_std_error(&r.manager);
  r.jpeg.client_data = &r;
  r.manager.error_exit = leave;
  r.manager.output_message = ignore_message;
  guarded(&r, bytes, size, options, out, orientation);
  jpeg_destroy_decompress(&r.jpeg);
  free(r.line);
  return error->code;
}
