/*
** weights.h - what an opened model file is inside; private to core/files.
**
** A reader of a format fills it: add_weight() a tensor, add_value() an item of
** metadata.  lun_weights_open() sorts both and refuses names that occur twice.
*/
#ifndef LUN_WEIGHTS_H
#define LUN_WEIGHTS_H

#include "lun_files.h"
#include "map.h"

/* Element types of a format; the last row has no name. */
typedef struct lun_file_type {
  const char *name;     /* the format's word */
  int         code;     /* GGUF's number */
  lun_dtype   dtype;    /* LUN_NDTYPES: the core has no such type */
  int         block;    /* elements that are stored together */
  int         bits;     /* of a block */
} lun_file_type;

typedef struct lun_weight {
  const char *name;
  const char *type;              /* the file's word */
  lun_dtype   dtype;             /* LUN_NDTYPES: not one of the core's */
  int         rank;              /* may exceed LUN_MAXRANK; then dim holds the first */
  int64_t     dim[LUN_MAXRANK];
  lun_map    *map;               /* NULL in a writer */
  size_t      at, bytes;         /* place of the contents in the file */
} lun_weight;

typedef struct lun_entry {       /* of metadata */
  const char *key;
  lun_meta   value;
} lun_entry;

struct lun_text;                 /* a chunk of kept text */

struct lun_weights {
  lun_map         *map;          /* lists of metadata lie in it; NULL in a writer */
  lun_weight      *weight;
  size_t           weight_count, weight_room;
  lun_entry       *entry;
  size_t           entry_count, entry_room;
  struct lun_text *text;
};

/* All of these return NULL or a status after an error in cx. */
const char *lun_weights_keep(lun_ctx *cx, lun_weights *w, const char *text, size_t length);   /* a copy with a NUL, as long as w lives */
lun_weight *lun_weights_add(lun_ctx *cx, lun_weights *w, lun_map *map, const lun_weight *from);  /* takes a reference to the map, if any; 'name' must live as long as w */
lun_status  lun_weights_add_meta(lun_ctx *cx, lun_weights *w, const char *key, const lun_meta *value);
lun_weights *lun_weights_from_map(lun_ctx *cx, const char *path, lun_map *map);   /* one file, sorted and checked */

/* Both in byte order of their names; an error if one occurs twice. */
lun_status lun_weights_sort(lun_ctx *cx, lun_weights *w, const char *path);

/* Bytes that an element, or a block of q8_0 (which begins with an f16), must be aligned to. */
size_t lun_dtype_alignment(lun_dtype dtype);

/*
** lun_weights_check_places - every tensor of w, all of one file, lies apart from
** the others; with 'dense', from 'start' to the end of the file without a gap.
** Leaves them in order of place.
*/
lun_status lun_weights_check_places(lun_ctx *cx, lun_weights *w, const char *path, size_t start, bool dense);

/* Bytes of 'count' elements of a type; false if they do not fill blocks or do not fit 64 bits. */
bool lun_type_bytes(const lun_file_type *type, uint64_t count, uint64_t *bytes);

/* the formats */
bool       lun_is_gguf(const lun_map *map);
lun_status lun_read_gguf(lun_ctx *cx, lun_weights *w, const char *path, lun_map *map);
lun_status lun_read_safetensors(lun_ctx *cx, lun_weights *w, const char *path, lun_map *map);
bool       lun_is_index(const lun_map *map);
lun_status lun_read_index(lun_ctx *cx, lun_weights *w, const char *path, const lun_map *map);

extern const lun_file_type lun_safetensors_types[];
extern const lun_file_type lun_gguf_types[];

#endif
