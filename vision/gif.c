/*
** gif.c - the first frame of a GIF into RGB through giflib, equal to Pillow's
** Image.open(path).convert("RGB"): transparency dropped, not blended; where the
** frame does not fill the screen its transparent colour, or else its colour 0.
*/
#include "image.h"

#include <stdlib.h>
#include <string.h>

#include <gif_lib.h>

typedef struct reader {
  GifFileType   *gif;
  const uint8_t *bytes;        /* what is left of the file */
  size_t         size;
  int            ended;        /* more was wanted than there is */
  image_error   *error;
  uint8_t        colors[256][3];
} reader;

static lun_status fail_broken(reader *r, int code) {
  const char *text = GifErrorString(code);
  if (code == D_GIF_ERR_NOT_ENOUGH_MEM) return image_fail(r->error, LUN_EMEM, "no memory to decode GIF");
  if (r->ended) return image_fail(r->error, LUN_EIO, "image file is truncated");
  return image_fail(r->error, LUN_EIO, "broken GIF: %s", text != NULL ? text : "not what giflib expects");
}

/*
** A file may end right after the block that holds its last pixel, which is
** enough for Pillow.  So a zero follows the end: giflib takes it for the end of
** the picture's blocks, and for an error while it still lacks pixels.
*/
static int read_bytes(GifFileType *gif, GifByteType *to, int count) {
  reader *r = gif->UserData;
  size_t have = (size_t)count < r->size ? (size_t)count : r->size;
  memcpy(to, r->bytes, have);
  r->bytes += have;
  r->size -= have;
  if (have == (size_t)count) return count;
  r->ended = 1;
  *to = 0;
  return count == 1 ? 1 : (int)have;
}

/* Reads an extension; if it is a graphic control that names a transparent colour, 'transparent' becomes that. */
static int read_extension(GifFileType *gif, int *transparent) {
  GifByteType *block;
  int code;
  if (DGifGetExtension(gif, &code, &block) == GIF_ERROR) return GIF_ERROR;
  if (code == GRAPHICS_EXT_FUNC_CODE && block != NULL && block[0] >= 4 && (block[1] & 1) != 0) *transparent = block[4];
  while (block != NULL)
    if (DGifGetExtensionNext(gif, &block) == GIF_ERROR) return GIF_ERROR;
  return GIF_OK;
}

/* Up to the first frame's pixels.  Bytes between the blocks that mean nothing are skipped. */
static lun_status find_frame(reader *r, int *transparent) {
  GifFileType *gif = r->gif;
  for (;;) {
    GifRecordType type = UNDEFINED_RECORD_TYPE;
    int status = DGifGetRecordType(gif, &type);
    if (r->ended) return fail_broken(r, gif->Error);
    if (status == GIF_ERROR && gif->Error == D_GIF_ERR_WRONG_RECORD) continue;
    if (type == EXTENSION_RECORD_TYPE) status = read_extension(gif, transparent);
    if (type == IMAGE_DESC_RECORD_TYPE) status = DGifGetImageDesc(gif);
    if (status == GIF_ERROR) return fail_broken(r, gif->Error);
    if (type == TERMINATE_RECORD_TYPE) return image_fail(r->error, LUN_EIO, "GIF has no frame");
    if (type == IMAGE_DESC_RECORD_TYPE) return LUN_OK;
  }
}

/* Whether a table says more than that colour i is grey i, which to Pillow is no table. */
static int has_colors(const ColorMapObject *map) {
  for (int i = 0; map != NULL && i < map->ColorCount; i++)
    if (map->Colors[i].Red != i || map->Colors[i].Green != i || map->Colors[i].Blue != i) return 1;
  return 0;
}

/* The frame's table or else the screen's, black after its end; without one, greys. */
static void fill_colors(reader *r) {
  const ColorMapObject *map = has_colors(r->gif->Image.ColorMap) ? r->gif->Image.ColorMap : r->gif->SColorMap;
  int greys = !has_colors(map);
  for (int i = 0; i < 256; i++) {
    GifColorType color = { 0, 0, 0 };
    if (greys) color = (GifColorType){ (GifByteType)i, (GifByteType)i, (GifByteType)i };
    else if (i < map->ColorCount) color = map->Colors[i];
    r->colors[i][0] = color.Red;
    r->colors[i][1] = color.Green;
    r->colors[i][2] = color.Blue;
  }
}

/* The frame's rows into their places; 'line' holds one of them. */
static void read_rows(reader *r, GifPixelType *line, image *out) {
  static const struct { int first, step; } passes[] = { { 0, 8 }, { 4, 8 }, { 2, 4 }, { 1, 2 }, { 0, 1 } };
  const GifImageDesc *frame = &r->gif->Image;
  for (int pass = frame->Interlace ? 0 : 4; pass < (frame->Interlace ? 4 : 5); pass++)
    for (int y = passes[pass].first; y < frame->Height; y += passes[pass].step) {
      uint8_t *to = out->data + ((size_t)(frame->Top + y) * (size_t)out->width + (size_t)frame->Left) * 3;
      if (DGifGetLine(r->gif, line, frame->Width) == GIF_ERROR) {
        fail_broken(r, r->gif->Error);
        return;
      }
      for (int x = 0; x < frame->Width; x++, to += 3) memcpy(to, r->colors[line[x]], 3);
    }
}

static void read_picture(reader *r, const decode_options *options, image *out) {
  const GifImageDesc *frame = &r->gif->Image;
  int transparent = 0;
  if (find_frame(r, &transparent) != LUN_OK) return;
  /* a frame may reach beyond the screen, which grows */
  int64_t height = frame->Top + frame->Height, width = frame->Left + frame->Width;
  if (height < r->gif->SHeight) height = r->gif->SHeight;
  if (width < r->gif->SWidth) width = r->gif->SWidth;
  if (frame->Width < 1 || frame->Height < 1) {
    image_fail(r->error, LUN_EIO, "GIF has a first frame without pixels (%d x %d)", frame->Width, frame->Height);
    return;
  }
  if (image_check_size(height, width, options, r->error) != LUN_OK) return;
  if (image_new(out, height, width, 3, r->error) != LUN_OK) return;
  fill_colors(r);
  if (frame->Width < width || frame->Height < height) image_fill(out, r->colors[transparent]);
  GifPixelType *line = malloc((size_t)frame->Width);
  if (line == NULL) {
    image_fail(r->error, LUN_EMEM, "no memory to decode GIF");
    return;
  }
  read_rows(r, line, out);
  free(line);
}

lun_status gif_decode(const uint8_t *bytes, size_t size, const decode_options *options,
                      image *out, decode_facts *facts, image_error *error) {
  reader r = { .bytes = bytes, .size = size, .error = error };
  int code = 0;
  (void)facts;                 /* a GIF states none that Pillow reads */
  r.gif = DGifOpen(&r, read_bytes, &code);
  if (r.gif == NULL) return fail_broken(&r, code);
  read_picture(&r, options, out);
  DGifCloseFile(r.gif, &code);
  return error->code;
}
