/*
** pack_file.h - packed weights in a file that several processes map; private to cpu/.
**
** The file is a header and records that are only ever appended, one for each weight: its key, then its
** panels.  Who looks for a pack holds the file's lock, and so finds it or is the one that makes it.  A
** record counts once the header says that the file reaches so far, which is the last thing written: what
** a process leaves behind that is killed in between is overwritten by the next.
*/
#ifndef CPU_PACK_FILE_H
#define CPU_PACK_FILE_H

#include "tensor.h"

typedef struct lun_pack_file lun_pack_file;

/* What a pack depends on, all of it: the same key, the same bytes.  No padding. */
typedef struct pack_key {
  lun_origin origin;                        /* of the weight */
  int64_t    n, k;
  int32_t    dtype, kind, transposed, columns;   /* columns of a panel */
} pack_key;

/*
** pack_file_take - 64-byte aligned memory for the 'bytes' of a pack: the pack itself, read-only, or,
** where *fresh is set, room for it, which the caller fills and then passes to pack_file_put().
** NULL if the file cannot give it: no room, or it is not as this program writes it.
*/
char *pack_file_take(lun_pack_file *f, const pack_key *key, size_t bytes, bool *fresh);
void  pack_file_put(lun_pack_file *f, char *data, size_t bytes);
void  pack_file_release(char *data, size_t bytes);      /* what take() gave; the file may be closed by then */

#endif
