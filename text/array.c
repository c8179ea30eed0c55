/* array.c - growth of arrays: by half, from 16 items. */
#include "array.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int array_grow(void *items, size_t *cap, size_t need, size_t item_size) {
  size_t room = *cap + *cap / 2;
  void *old, *grown;
  if (room < 16) room = 16;
  if (room < need) room = need;
  if (room > SIZE_MAX / 2 / item_size) return 0;
  /* memcpy: 'items' points to some T *, which must not be read as a void * */
  memcpy(&old, items, sizeof old);
  grown = realloc(old, room * item_size);
  if (grown == NULL) return 0;
  memcpy(items, &grown, sizeof grown);
  *cap = room;
  return 1;
}
