/*
** save.c - u8 pictures to PNG files, for scripts and tests.
*/
#include "image.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <png.h>

typedef struct writer {
  png_structp  png;
  png_infop    info;
  FILE        *file;
  const image *picture;
  image_error *error;
  jmp_buf      out;            /* of guarded(), and nothing above it */
} writer;

static void leave(png_structp png, png_const_charp message) {
  writer *w = png_get_error_ptr(png);
  image_fail(w->error, LUN_EIO, "cannot write PNG: %s", message);
  longjmp(w->out, 1);
}

static void ignore_warning(png_structp png, png_const_charp message) {
  (void)png;
  (void)message;
}

static void write_picture(writer *w) {
  const image *p = w->picture;
  int color = p->channels == 1 ? PNG_COLOR_TYPE_GRAY : p->channels == 3 ? PNG_COLOR_TYPE_RGB : PNG_COLOR_TYPE_RGBA;
  png_init_io(w->png, w->file);
  png_set_user_limits(w->png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_IHDR(w->png, w->info, (png_uint_32)p->width, (png_uint_32)p->height, 8, color,
               PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  png_write_info(w->png, w->info);
  for (int64_t y = 0; y < p->height; y++)
    png_write_row(w->png, p->data + y * p->width * p->channels);
  png_write_end(w->png, w->info);
}

/* The only frame libpng's errors jump into; it has no state of its own to lose. */
static void guarded(writer *w) {
  if (setjmp(w->out) == 0) write_picture(w);
}

lun_status png_save(const char *path, const image *in, image_error *error) {
  writer w = { .picture = in, .error = error };
  if (in->width > PNG_UINT_31_MAX || in->height > PNG_UINT_31_MAX)
    return image_fail(error, LUN_EARG, "picture of %lld x %lld is too large for PNG",
                      (long long)in->width, (long long)in->height);
  w.file = fopen(path, "wb");
  if (w.file == NULL) return image_fail(error, LUN_EIO, "%s: %s", path, strerror(errno));
  w.png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &w, leave, ignore_warning);
  w.info = w.png != NULL ? png_create_info_struct(w.png) : NULL;
  if (w.info == NULL) image_fail(error, LUN_EMEM, "no memory to write PNG");
  else guarded(&w);
  png_destroy_write_struct(&w.png, &w.info);
  if (fclose(w.file) != 0) image_fail(error, LUN_EIO, "%s: %s", path, strerror(errno));
  return error->code;
}
