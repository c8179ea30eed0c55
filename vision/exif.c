/*
** exif.c - which way up a picture is, from its EXIF or XMP.
**
** Only the orientation is read, and nothing here can fail a picture.  1 is
** upright, which a value out of range counts as; 0 is not stated, so that the
** caller looks elsewhere.
*/
#include "image.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <libexif/exif-data.h>

/* The first number an entry holds, if it is a whole number of 16 or 32 bits; Pillow ignores further ones. */
static int whole_number(const ExifEntry *entry, ExifByteOrder order) {
  if (entry->data == NULL) return 0;
  switch (entry->format) {
    case EXIF_FORMAT_SHORT:
    case EXIF_FORMAT_SSHORT: return entry->size < 2 ? 0 : exif_get_sshort(entry->data, order);
    case EXIF_FORMAT_LONG:
    case EXIF_FORMAT_SLONG:  return entry->size < 4 ? 0 : exif_get_slong(entry->data, order);
    default:                 return 0;
  }
}

int exif_orientation(const uint8_t *bytes, size_t size) {
  int orientation = 0;
  ExifData *data = size <= INT_MAX ? exif_data_new() : NULL;
  if (data == NULL) return 0;
  /* as it stands in the file: no repairs, no defaults */
  exif_data_unset_option(data, EXIF_DATA_OPTION_FOLLOW_SPECIFICATION);
  exif_data_load_data(data, bytes, (unsigned)size);
  const ExifEntry *entry = exif_content_get_entry(data->ifd[EXIF_IFD_0], EXIF_TAG_ORIENTATION);
  if (entry != NULL) {
    orientation = whole_number(entry, exif_data_get_byte_order(data));
    if (orientation < 1 || orientation > 8) orientation = 1;
  }
  exif_data_unref(data);
  return orientation;
}

/*
** EXIF from a chunk of its own, which should not begin with "Exif\0\0" and
** sometimes does; exif_orientation() wants that.
*/
int exif_chunk_orientation(const uint8_t *chunk, size_t size, image_error *error) {
  static const char head[6] = "Exif\0";
  int orientation;
  uint8_t *bytes;
  if (size >= sizeof head && memcmp(chunk, head, sizeof head) == 0) return exif_orientation(chunk, size);
  bytes = malloc(size + sizeof head);
  if (bytes == NULL) {
    image_fail(error, LUN_EMEM, "no memory to read EXIF");
    return 0;
  }
  memcpy(bytes, head, sizeof head);
  memcpy(bytes + sizeof head, chunk, size);
  orientation = exif_orientation(bytes, size + sizeof head);
  free(bytes);
  return orientation;
}

/* tiff:Orientation as an attribute or an element: the first one in the text. */
int xmp_orientation(const char *text, size_t size) {
  static const char name[] = "tiff:Orientation";
  const size_t length = sizeof name - 1;
  for (size_t i = 0; i + length < size; i++) {
    const char *p = text + i + length;
    size_t left = size - i - length;
    if (text[i] != 't' || memcmp(text + i, name, length) != 0) continue;
    if (left >= 3 && p[0] == '=' && p[1] == '"') p += 2;
    else if (left >= 2 && p[0] == '>') p += 1;
    else continue;
    if (*p >= '0' && *p <= '9') return *p >= '1' && *p <= '8' ? *p - '0' : 1;
  }
  return 0;
}
