/* map.h - a file mapped read-only, counted; private to core/files. */
#ifndef LUN_MAP_H
#define LUN_MAP_H

#include "tensor.h"

typedef struct lun_map {
  int                  refs;
  const unsigned char *data;
  size_t               size;   /* bytes, at least 1 */
  lun_origin           origin; /* of its first byte */
} lun_map;

lun_map *lun_map_open(lun_ctx *cx, const char *path);   /* NULL after LUN_EIO or LUN_EMEM */
void     lun_map_rest(lun_map *map);                    /* its pages leave memory until they are touched again */
void     lun_map_drop(lun_map *map);                    /* NULL is ignored; the last reference unmaps */

#endif
