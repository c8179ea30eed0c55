/* gguf.h - values of GGUF metadata; private to core/files. */
#ifndef LUN_GGUF_H
#define LUN_GGUF_H

#include "lun_files.h"

#define LUN_GGUF_MAGIC     "GGUF"
#define LUN_GGUF_ALIGNMENT 32      /* of contents, unless general.alignment says otherwise */

enum {                             /* types of values, as the file numbers them */
  LUN_GGUF_U8, LUN_GGUF_I8, LUN_GGUF_U16, LUN_GGUF_I16, LUN_GGUF_U32, LUN_GGUF_I32, LUN_GGUF_F32,
  LUN_GGUF_BOOL, LUN_GGUF_STRING, LUN_GGUF_ARRAY, LUN_GGUF_U64, LUN_GGUF_I64, LUN_GGUF_F64
};

/* A little-endian number of 'size' bytes at *p, which moves behind it; false if it does not lie before 'end'. */
bool lun_gguf_number(const unsigned char **p, const unsigned char *end, int size, uint64_t *out);

/* A value of 'type' at *p, which moves behind it; all of a list is checked.  Returns what is wrong, NULL if nothing. */
const char *lun_gguf_meta(const unsigned char **p, const unsigned char *end, uint64_t type, lun_meta *out);

#endif
