/*
** webp.c - WebP into RGB through libwebp, equal to Pillow's
** Image.open(path).convert("RGB"): of an animation the first frame, on black
** where it does not fill the canvas; transparency dropped, not blended.
*/
#include "image.h"

#include <string.h>

#include <webp/decode.h>
#include <webp/demux.h>

/* The RIFF header states how long the file is; libwebp wants all of it, whatever is missing. */
static lun_status fail_broken(const uint8_t *bytes, size_t size, image_error *error) {
  uint64_t stated = bytes[4] | bytes[5] << 8 | bytes[6] << 16 | (uint64_t)bytes[7] << 24;
  if (stated + 8 > size) return image_fail(error, LUN_EIO, "image file is truncated");
  return image_fail(error, LUN_EIO, "broken WebP");
}

/* EXIF first, XMP where EXIF does not say. */
static int read_orientation(const WebPDemuxer *demux, image_error *error) {
  WebPChunkIterator chunk;
  int orientation = 0;
  if (WebPDemuxGetChunk(demux, "EXIF", 1, &chunk)) {
    orientation = exif_chunk_orientation(chunk.chunk.bytes, chunk.chunk.size, error);
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  if (orientation == 0 && WebPDemuxGetChunk(demux, "XMP ", 1, &chunk)) {
    orientation = xmp_orientation((const char *)chunk.chunk.bytes, chunk.chunk.size);
    WebPDemuxReleaseChunkIterator(&chunk);
  }
  return orientation;
}

/* Decodes a frame into its place; it lies within the picture. */
static lun_status read_frame(const WebPIterator *frame, image *out, image_error *error) {
  size_t stride = (size_t)out->width * 3;
  WebPDecoderConfig config;
  VP8StatusCode status;
  if (!WebPInitDecoderConfig(&config)) return image_fail(error, LUN_EIO, "libwebp is of another version");
  config.output.colorspace = MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = out->data + (size_t)frame->y_offset * stride + (size_t)frame->x_offset * 3;
  config.output.u.RGBA.stride = (int)stride;
  config.output.u.RGBA.size = (size_t)(frame->height - 1) * stride + (size_t)frame->width * 3;
  status = WebPDecode(frame->fragment.bytes, frame->fragment.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_OUT_OF_MEMORY) return image_fail(error, LUN_EMEM, "no memory to decode WebP");
  if (status != VP8_STATUS_OK) return image_fail(error, LUN_EIO, "broken WebP: libwebp's status %d", (int)status);
  return LUN_OK;
}

static lun_status read_picture(const WebPDemuxer *demux, const WebPIterator *frame, const decode_options *options,
                               image *out, decode_facts *facts, image_error *error) {
  int64_t width = WebPDemuxGetI(demux, WEBP_FF_CANVAS_WIDTH), height = WebPDemuxGetI(demux, WEBP_FF_CANVAS_HEIGHT);
  if (image_check_size(height, width, options, error) != LUN_OK) return error->code;
  if (frame->x_offset < 0 || frame->y_offset < 0 || frame->width < 1 || frame->height < 1 ||
      frame->width > width - frame->x_offset || frame->height > height - frame->y_offset)
    return image_fail(error, LUN_EIO, "broken WebP: frame of %d x %d at %d, %d on a canvas of %lld x %lld",
                      frame->width, frame->height, frame->x_offset, frame->y_offset,
                      (long long)width, (long long)height);
  if (image_new(out, height, width, 3, error) != LUN_OK) return error->code;
  if (frame->width < width || frame->height < height) memset(out->data, 0, (size_t)(height * width * 3));
  if (read_frame(frame, out, error) == LUN_OK) facts->orientation = read_orientation(demux, error);
  return error->code;
}

lun_status webp_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                       image *out, decode_facts *facts, image_error *error) {
  const WebPData data = { bytes, size };
  WebPIterator frame;
  WebPDemuxer *demux = WebPDemux(&data);
  if (demux == NULL) return fail_broken(bytes, size, error);
  if (WebPDemuxGetFrame(demux, 1, &frame)) {
    read_picture(demux, &frame, options, out, facts, error);
    WebPDemuxReleaseIterator(&frame);
  } else {
    image_fail(error, LUN_EIO, "broken WebP: no frame");
  }
  WebPDemuxDelete(demux);
  return error->code;
}
