/*
** encode.c - u8 pictures to JPEG in memory, byte for byte as Pillow's
** Image.save(file, "JPEG", quality = ...) where both use one libjpeg-turbo.
*/
#include "image.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

typedef struct writer {
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr       manager;
  const image   *picture;
  int            quality;
  unsigned char *bytes;        /* what there is so far, from malloc() */
  unsigned long  size;
  image_error   *error;
  jmp_buf        out;          /* of guarded(), and nothing above it */
} writer;

static void leave(j_common_ptr jpeg) {
  writer *w = jpeg->client_data;
  if (jpeg->err->msg_code == JERR_OUT_OF_MEMORY) {
    image_fail(w->error, LUN_EMEM, "no memory to write JPEG");
  } else {
    char text[JMSG_LENGTH_MAX];
    jpeg->err->format_message(jpeg, text);
    image_fail(w->error, LUN_EARG, "cannot write JPEG: %s", text);
  }
  longjmp(w->out, 1);
}

static void ignore_message(j_common_ptr jpeg) { (void)jpeg; }

static void write_picture(writer *w) {
  struct jpeg_compress_struct *jpeg = &w->jpeg;
  const image *p = w->picture;
  jpeg_create_compress(jpeg);
  jpeg_mem_dest(jpeg, &w->bytes, &w->size);
  jpeg->image_width = (JDIMENSION)p->width;
  jpeg->image_height = (JDIMENSION)p->height;
  jpeg->input_components = (int)p->channels;
  jpeg->in_color_space = p->channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(jpeg);
  jpeg_set_quality(jpeg, w->quality, TRUE);
  jpeg_start_compress(jpeg, TRUE);
  while (jpeg->next_scanline < jpeg->image_height) {
    JSAMPROW row = p->data + (int64_t)jpeg->next_scanline * p->width * p->channels;
    jpeg_write_scanlines(jpeg, &row, 1);
  }
  jpeg_finish_compress(jpeg);
}

/* The only frame libjpeg's errors jump into; it has no state of its own to lose. */
static void guarded(writer *w) {
  if (setjmp(w->out) == 0) write_picture(w);
}

lun_status jpeg_encode(const image *in, int quality, uint8_t **bytes, size_t *size, image_error *error) {
  writer w;
  memset(&w, 0, sizeof w);
  w.picture = in;
  w.quality = quality;
  w.error = error;
  *bytes = NULL;
  if (in->channels != 1 && in->channels != 3)
    return image_fail(error, LUN_ESHAPE, "image: %lld channels, JPEG holds 1 or 3", (long long)in->channels);
  if (in->width > JPEG_MAX_DIMENSION || in->height > JPEG_MAX_DIMENSION)
    return image_fail(error, LUN_EARG, "image: %lld x %lld pixels, JPEG holds %ld each way at most",
                      (long long)in->width, (long long)in->height, JPEG_MAX_DIMENSION);
  w.jpeg.err = jpeg_std_error(&w.manager);
  w.jpeg.client_data = &w;
  w.manager.error_exit = leave;
  w.manager.output_message = ignore_message;
  guarded(&w);
  jpeg_destroy_compress(&w.jpeg);
  if (error->code != LUN_OK) {
    free(w.bytes);
    return error->code;
  }
  *bytes = w.bytes;
  *size = w.size;
  return LUN_OK;
}
