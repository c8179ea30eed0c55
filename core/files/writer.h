/* writer.h - a model file being written; private to core/files. */
#ifndef LUN_WRITER_H
#define LUN_WRITER_H

#include "weights.h"

/* Bytes that grow: the header of the file. */
typedef struct lun_head {
  lun_ctx       *cx;
  unsigned char *data;
  size_t         size, room;
} lun_head;

void lun_head_bytes(lun_head *h, const void *data, size_t size);   /* after LUN_EMEM in cx nothing more is put */
void lun_head_number(lun_head *h, uint64_t v, int size);           /* little-endian */
void lun_head_text(lun_head *h, const char *text);

/*
** Headers for the tensors of w, whose contents follow in that order, each moved
** up to a multiple of the format's alignment; the header ends on one, too.
*/
void lun_safetensors_header(lun_head *h, const lun_weights *w);
void lun_gguf_header(lun_head *h, const lun_weights *w);

#endif
