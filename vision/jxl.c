/*
** jxl.c - JPEG XL into RGB through libjxl, as pillow-jxl-plugin reads it: the
** first frame, turned as the codestream says, alpha dropped, not blended.  A JPEG
** that was packed without loss comes out again and is decoded as one.
*/
#include "library.h"

#if __has_include(<jxl/decode.h>)

#include <stdlib.h>

#include <jxl/decode.h>
#include <jxl/version.h>

#define FUNCTIONS(F) \
  F(JxlDecoderCreate) F(JxlDecoderDestroy) F(JxlDecoderSubscribeEvents) F(JxlDecoderSetKeepOrientation) \
  F(JxlDecoderSetInput) F(JxlDecoderProcessInput) F(JxlDecoderGetBasicInfo) \
  F(JxlDecoderImageOutBufferSize) F(JxlDecoderSetImageOutBuffer) \
  F(JxlDecoderSetJPEGBuffer) F(JxlDecoderReleaseJPEGBuffer)

#define TEXT(x)  #x
#define MINOR(x) "libjxl.so.0." TEXT(x)      /* before 1.0 every minor version has an ABI of its own */

static struct { FUNCTIONS(LIBRARY_MEMBER) } jxl;
static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };
static library libjxl = { MINOR(JPEGXL_MINOR_VERSION), names, &jxl, 0 };

lun_status jxl_ready(image_error *error) { return library_open(&libjxl, error); }

typedef struct reader {
  JxlDecoder *decoder;
  int64_t     height, width;
  uint8_t    *jpeg;            /* the packed JPEG as far as it is out */
  size_t      room, used;
} reader;

static lun_status read_size(reader *r, const decode_options *options, image_error *error) {
  JxlBasicInfo info;
  if (jxl.JxlDecoderGetBasicInfo(r->decoder, &info) != JXL_DEC_SUCCESS)
    return image_fail(error, LUN_EIO, "broken JPEG XL: no size");
  r->height = info.ysize;
  r->width = info.xsize;
  return image_check_size(r->height, r->width, options, error);
}

/* The memory that the frame is to be written to. */
static lun_status make_frame(reader *r, image *out, image_error *error) {
  static const JxlPixelFormat rgb = { 3, JXL_TYPE_UINT8, JXL_NATIVE_ENDIAN, 0 };
  size_t bytes;
  if (image_new(out, r->height, r->width, 3, error) != LUN_OK) return error->code;
  if (jxl.JxlDecoderImageOutBufferSize(r->decoder, &rgb, &bytes) != JXL_DEC_SUCCESS ||
      bytes != (size_t)(out->height * out->width * 3) ||
      jxl.JxlDecoderSetImageOutBuffer(r->decoder, &rgb, out->data, bytes) != JXL_DEC_SUCCESS)
    return image_fail(error, LUN_EIO, "JPEG XL picture cannot become RGB");
  return LUN_OK;
}

/* Takes what of the JPEG is out, and makes room for twice as much; none is much larger than its pixels. */
static lun_status make_jpeg(reader *r, image_error *error) {
  const size_t first = 1 << 16, most = (size_t)(r->height * r->width * 4) + (16 << 20);
  size_t room = r->jpeg == NULL ? first : 2 * r->room;
  uint8_t *larger;
  if (r->jpeg != NULL) r->used = r->room - jxl.JxlDecoderReleaseJPEGBuffer(r->decoder);
  if (room > most) return image_fail(error, LUN_EIO, "JPEG in JPEG XL is larger than %zu bytes", most);
  larger = realloc(r->jpeg, room);
  if (larger == NULL) return image_fail(error, LUN_EMEM, "no memory to decode JPEG XL");
  r->jpeg = larger;
  r->room = room;
  if (jxl.JxlDecoderSetJPEGBuffer(r->decoder, r->jpeg + r->used, r->room - r->used) != JXL_DEC_SUCCESS)
    return image_fail(error, LUN_EIO, "broken JPEG XL");
  return LUN_OK;
}

static lun_status read_frame(reader *r, const decode_options *options, image *out, decode_facts *facts,
                             image_error *error) {
  while (error->code == LUN_OK) {
    switch (jxl.JxlDecoderProcessInput(r->decoder)) {
      case JXL_DEC_BASIC_INFO:
        read_size(r, options, error);
        break;
      case JXL_DEC_JPEG_RECONSTRUCTION:
      case JXL_DEC_JPEG_NEED_MORE_OUTPUT:
        make_jpeg(r, error);
        break;
      case JXL_DEC_NEED_IMAGE_OUT_BUFFER:
        make_frame(r, out, error);
        break;
      case JXL_DEC_FULL_IMAGE:
        if (r->jpeg == NULL) return LUN_OK;
        r->used = r->room - jxl.JxlDecoderReleaseJPEGBuffer(r->decoder);
        return jpeg_decode(r->jpeg, r->used, options, out, facts, error);
      case JXL_DEC_NEED_MORE_INPUT:
        return image_fail(error, LUN_EIO, "image file is truncated");
      default:
        return image_fail(error, LUN_EIO, "broken JPEG XL");
    }
  }
  return error->code;
}

/*
** Debian's libjxl 0.7 prints what is wrong with a broken file to stderr, and there
** is no way to tell it not to.  For files that end early it does so only if it was
** told that there is no more input, so it is not.
*/
lun_status jxl_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                      image *out, decode_facts *facts, image_error *error) {
  const int events = JXL_DEC_BASIC_INFO | JXL_DEC_JPEG_RECONSTRUCTION | JXL_DEC_FULL_IMAGE;
  reader r = { .decoder = jxl.JxlDecoderCreate(NULL) };
  if (r.decoder == NULL) return image_fail(error, LUN_EMEM, "no memory to decode JPEG XL");
  if (jxl.JxlDecoderSubscribeEvents(r.decoder, events) != JXL_DEC_SUCCESS ||
      jxl.JxlDecoderSetKeepOrientation(r.decoder, options->orient ? JXL_FALSE : JXL_TRUE) != JXL_DEC_SUCCESS ||
      jxl.JxlDecoderSetInput(r.decoder, bytes, size) != JXL_DEC_SUCCESS)
    image_fail(error, LUN_EIO, "libjxl takes no input");
  else read_frame(&r, options, out, facts, error);
  jxl.JxlDecoderDestroy(r.decoder);
  free(r.jpeg);
  return error->code;
}

#endif
