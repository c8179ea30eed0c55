/*
** jxl.c - JPEG XL into RGB through libjxl, as pillow-jxl-plugin reads it: the
** first frame, turned as the codestream says, alpha dropped, not blended.
*/
#include "library.h"

#if __has_include(<jxl/decode.h>)

#include <jxl/decode.h>
#include <jxl/version.h>

#define FUNCTIONS(F) \
  F(JxlDecoderCreate) F(JxlDecoderDestroy) F(JxlDecoderSubscribeEvents) F(JxlDecoderSetKeepOrientation) \
  F(JxlDecoderSetInput) F(JxlDecoderCloseInput) F(JxlDecoderProcessInput) F(JxlDecoderGetBasicInfo) \
  F(JxlDecoderImageOutBufferSize) F(JxlDecoderSetImageOutBuffer)

#define TEXT(x)  #x
#define MINOR(x) "libjxl.so.0." TEXT(x)     /* before 1.0 every minor version has an ABI of its own */

static struct { FUNCTIONS(LIBRARY_MEMBER) } jxl;
static const char *const names[] = { FUNCTIONS(LIBRARY_NAME) NULL };
static library libjxl = { MINOR(JPEGXL_MINOR_VERSION), names, &jxl, 0 };

lun_status jxl_ready(image_error *error) { return library_open(&libjxl, error); }

/* The memory that the frame is to be written to. */
static lun_status make_room(JxlDecoder *decoder, const decode_options *options, image *out, image_error *error) {
  static const JxlPixelFormat rgb = { 3, JXL_TYPE_UINT8, JXL_NATIVE_ENDIAN, 0 };
  JxlBasicInfo info;
  size_t bytes;
  if (jxl.JxlDecoderGetBasicInfo(decoder, &info) != JXL_DEC_SUCCESS)
    return image_fail(error, LUN_EIO, "broken JPEG XL: no size");
  if (image_check_size(info.ysize, info.xsize, options, error) != LUN_OK ||
      image_new(out, info.ysize, info.xsize, 3, error) != LUN_OK) return error->code;
  if (jxl.JxlDecoderImageOutBufferSize(decoder, &rgb, &bytes) != JXL_DEC_SUCCESS ||
      bytes != (size_t)(out->height * out->width * 3) ||
      jxl.JxlDecoderSetImageOutBuffer(decoder, &rgb, out->data, bytes) != JXL_DEC_SUCCESS)
    return image_fail(error, LUN_EIO, "JPEG XL picture cannot become RGB");
  return LUN_OK;
}

static lun_status read_frame(JxlDecoder *decoder, const decode_options *options, image *out, image_error *error) {
  for (;;) {
    switch (jxl.JxlDecoderProcessInput(decoder)) {
      case JXL_DEC_BASIC_INFO:
        break;                 /* make_room() asks for it once colours are known too */
      case JXL_DEC_NEED_IMAGE_OUT_BUFFER:
        if (make_room(decoder, options, out, error) != LUN_OK) return error->code;
        break;
      case JXL_DEC_FULL_IMAGE:
        return LUN_OK;
      case JXL_DEC_NEED_MORE_INPUT:
        return image_fail(error, LUN_EIO, "image file is truncated");
      case JXL_DEC_SUCCESS:
        return image_fail(error, LUN_EIO, "broken JPEG XL: no picture");
      default:
        return image_fail(error, LUN_EIO, "broken JPEG XL");
    }
  }
}

lun_status jxl_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                      image *out, decode_facts *facts, image_error *error) {
  JxlDecoder *decoder = jxl.JxlDecoderCreate(NULL);
  (void)facts;                 /* turned by libjxl */
  if (decoder == NULL) return image_fail(error, LUN_EMEM, "no memory to decode JPEG XL");
  jxl.JxlDecoderSetKeepOrientation(decoder, options->orient ? JXL_FALSE : JXL_TRUE);
  if (jxl.JxlDecoderSubscribeEvents(decoder, JXL_DEC_FULL_IMAGE) != JXL_DEC_SUCCESS ||
      jxl.JxlDecoderSetInput(decoder, bytes, size) != JXL_DEC_SUCCESS)
    image_fail(error, LUN_EIO, "libjxl takes no input");
  else {
    jxl.JxlDecoderCloseInput(decoder);
    read_frame(decoder, options, out, error);
  }
  jxl.JxlDecoderDestroy(decoder);
  return error->code;
}

#endif
