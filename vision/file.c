/*
** file.c - the bytes of a file, whatever kind of file it is.
*/
#include "image.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Reads all of 'path', at most 'limit' bytes; free(*bytes). */
lun_status file_read(const char *path, size_t limit, uint8_t **bytes, size_t *size, image_error *error) {
  size_t room = 1 << 16, length = 0, count;
  uint8_t *buffer = malloc(room);
  FILE *file = fopen(path, "rb");
  *bytes = NULL;
  if (file == NULL) image_fail(error, LUN_EIO, "%s", strerror(errno));
  else if (buffer == NULL) image_fail(error, LUN_EMEM, "no memory to read the file");
  while (error->code == LUN_OK && (count = fread(buffer + length, 1, room - length, file)) > 0) {
    length += count;
    if (length > limit) image_fail(error, LUN_EIO, "file is larger than %zu bytes", limit);
    if (length < room || error->code != LUN_OK) continue;
    uint8_t *larger = realloc(buffer, room * 2);
    if (larger == NULL) {
      image_fail(error, LUN_EMEM, "no memory to read the file");
    } else {
      buffer = larger;
      room *= 2;
    }
  }
  if (file != NULL) {
    if (ferror(file)) image_fail(error, LUN_EIO, "%s", strerror(errno));
    fclose(file);
  }
  if (error->code != LUN_OK) {
    free(buffer);
    return error->code;
  }
  *bytes = buffer;
  *size = length;
  return LUN_OK;
}
