/*
** heif.c - HEIC into RGB through libheif, as pillow-heif reads it: the primary
** picture, turned and cropped as the container says.  What EXIF or XMP say of the
** orientation does not count there, and alpha is dropped, not blended.
**
** AVIF too where there is no libavif, and then not as Pillow reads it: subsampled
** chroma is repeated where libavif smooths it (a mean of 1 of 255 over a photo of
** 600 pixels, more than 100 at edges of pure colours), pictures are cropped, and
** alpha that was multiplied into the colours stays there.
*/
#include "library.h"

#if __has_include(<libheif/heif.h>)

#include <string.h>

#include <libheif/heif.h>

#define FUNCTIONS(F) \
  F(heif_context_alloc) F(heif_context_free) F(heif_context_read_from_memory_without_copy) \
  F(heif_context_set_max_decoding_threads) F(heif_context_get_primary_image_handle) \
  F(heif_decode_image) F(heif_decoding_options_alloc) F(heif_decoding_options_free) F(heif_have_decoder_for_format) \
  F(heif_image_get_height) F(heif_image_get_plane_readonly) F(heif_image_get_width) F(heif_image_handle_get_height) \
  F(heif_image_handle_get_width) F(heif_image_handle_release) F(heif_image_release)

static struct { FUNCTIONS(LIBRARY_MEMBER) } heif;
static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };
static library libheif = { "libheif.so.1", names, &heif, 0 };

/* libheif may be built, or packaged, without the codec of one format. */
static lun_status ready(enum heif_compression_format codec, const char *name, image_error *error) {
  if (library_open(&libheif, error) == LUN_OK && !heif.heif_have_decoder_for_format(codec))
    image_fail(error, LUN_EIO, "libheif has no decoder for %s", name);
  return error->code;
}

lun_status heif_ready_hevc(image_error *error) { return ready(heif_compression_HEVC, "HEVC", error); }
lun_status heif_ready_av1(image_error *error) { return ready(heif_compression_AV1, "AV1", error); }

static lun_status check(struct heif_error e, image_error *error) {
  if (e.code == heif_error_Ok) return LUN_OK;
  if (e.code == heif_error_Memory_allocation_error) return image_fail(error, LUN_EMEM, "no memory to decode HEIF");
  if (e.subcode == heif_suberror_End_of_data) return image_fail(error, LUN_EIO, "image file is truncated");
  return image_fail(error, LUN_EIO, "broken HEIF: %.*s", (int)strcspn(e.message, "\n"), e.message);     /* it may dump boxes */
}

/* What libheif makes of the colours; chroma that is subsampled it repeats. */
static lun_status copy_rgb(const struct heif_image *picture, const decode_options *options, image *out,
                           image_error *error) {
  int height = heif.heif_image_get_height(picture, heif_channel_interleaved);
  int width = heif.heif_image_get_width(picture, heif_channel_interleaved);
  int stride = 0;
  const uint8_t *rows = heif.heif_image_get_plane_readonly(picture, heif_channel_interleaved, &stride);
  if (rows == NULL) return image_fail(error, LUN_EIO, "broken HEIF: no pixels");
  if (image_check_size(height, width, options, error) != LUN_OK ||
      image_new(out, height, width, 3, error) != LUN_OK) return error->code;
  for (int64_t y = 0; y < height; y++) memcpy(out->data + y * width * 3, rows + y * stride, (size_t)width * 3);
  return LUN_OK;
}

static lun_status read_picture(const struct heif_image_handle *handle, const decode_options *options,
                               image *out, image_error *error) {
  struct heif_decoding_options *how;
  struct heif_image *picture = NULL;
  if (image_check_size(heif.heif_image_handle_get_height(handle), heif.heif_image_handle_get_width(handle),
                       options, error) != LUN_OK) return error->code;
  how = heif.heif_decoding_options_alloc();
  if (how == NULL) return image_fail(error, LUN_EMEM, "no memory to decode HEIF");
  how->ignore_transformations = !options->orient;
  how->convert_hdr_to_8bit = 1;
  if (check(heif.heif_decode_image(handle, &picture, heif_colorspace_RGB, heif_chroma_interleaved_RGB, how), error) == LUN_OK)
    copy_rgb(picture, options, out, error);
  heif.heif_image_release(picture);
  heif.heif_decoding_options_free(how);
  return error->code;
}

lun_status heif_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                       image *out, decode_facts *facts, image_error *error) {
  struct heif_image_handle *handle = NULL;
  struct heif_context *context = heif.heif_context_alloc();
  (void)facts;                 /* turned by libheif */
  if (context == NULL) return image_fail(error, LUN_EMEM, "no memory to decode HEIF");
  heif.heif_context_set_max_decoding_threads(context, 0);       /* none of its own */
  if (check(heif.heif_context_read_from_memory_without_copy(context, bytes, size, NULL), error) == LUN_OK &&
      check(heif.heif_context_get_primary_image_handle(context, &handle), error) == LUN_OK)
    read_picture(handle, options, out, error);
  heif.heif_image_handle_release(handle);
  heif.heif_context_free(context);
  return error->code;
}

#endif
