/*
** lun_files.h - model files: tensors by name out of safetensors and GGUF, and
** into them.
**
** Files are untrusted: everything is checked when they are opened, against the
** size of the file, before any of it is believed.  Opening reads the header
** alone; a tensor is a view of the mapped file.
**
** Limit: a mapped file that somebody shortens while it is open ends the process
** with SIGBUS when a page that is gone is touched, as everywhere with mmap.
*/
#ifndef LUN_FILES_H
#define LUN_FILES_H

#include "lun.h"

/* ---- reading ----------------------------------------------------------- */

typedef struct lun_weights lun_weights;

/*
** lun_weights_open - opens a .safetensors file, the *.safetensors.index.json of a
** sharded one, or a .gguf file (version 2 or 3); which it is, its content says.
** NULL after an error: LUN_EIO (missing, short or malformed; names the file, the
** tensor and the numbers), LUN_EMEM.
*/
lun_weights *lun_weights_open(lun_ctx *cx, const char *path);
void         lun_weights_free(lun_weights *w);      /* NULL is ignored; tensors taken from it stay */

int64_t      lun_weights_count(const lun_weights *w);
const char  *lun_weights_name(const lun_weights *w, int64_t i);          /* in byte order of the names; NULL past the end */
int64_t      lun_weights_find(const lun_weights *w, const char *name);   /* -1 if there is none */

/*
** lun_weights_about - type and shape of tensor i, without touching its contents.
** Returns the file's own word for the type ("BF16", "Q4_K"); *dtype is LUN_NDTYPES
** where the core has no such type.  dim gets the first LUN_MAXRANK of *rank
** dimensions.  BOOL counts as u8.
*/
const char  *lun_weights_about(const lun_weights *w, int64_t i, lun_dtype *dtype, int *rank, int64_t dim[LUN_MAXRANK]);

/*
** lun_weights_get - tensor i as a constant view of the mapped file, or as a copy
** where the file does not align it to its elements (safetensors need not).
** Errors: LUN_EARG if there is no tensor i; LUN_EDTYPE if the core lacks its type;
** LUN_ESHAPE if it has more than LUN_MAXRANK dimensions; LUN_EMEM.
*/
lun_tensor  *lun_weights_get(lun_ctx *cx, lun_weights *w, int64_t i);

/*
** lun_weights_rest - gives the pages of the mapped files back to the system, which
** reads them again when they are touched: after a model has packed its weights
** most are not needed any more, and would count as its memory.
*/
void         lun_weights_rest(lun_weights *w);

/* ---- metadata ---------------------------------------------------------- */

/* A value beside the tensors.  Those of safetensors are all strings. */
typedef struct lun_meta {
  lun_type    type;      /* LUN_STR, LUN_INT, LUN_NUM, LUN_BOOL, or LUN_STRS, LUN_INTS, LUN_NUMS, LUN_OBJECT: lists (of strings, whole
                            numbers and booleans, numbers, lists) */
  size_t      length;    /* bytes of a string, items of a list */
  const char *text;      /* LUN_STR; ends with a NUL unless it is an item of a list */
  int64_t     i;         /* LUN_INT, LUN_BOOL */
  double      n;         /* LUN_NUM, and LUN_INT as well; whole numbers above INT64_MAX are LUN_NUM */
  const unsigned char *item, *end;   /* private: of a list */
  int         item_type;             /* private */
} lun_meta;

const char  *lun_weights_metadata(const lun_weights *w, const char *key);                /* a string; NULL if there is none of that name */
bool         lun_weights_meta(const lun_weights *w, const char *key, lun_meta *out);      /* of any type; false if there is none */
int64_t      lun_weights_meta_count(const lun_weights *w);
const char  *lun_weights_meta_name(const lun_weights *w, int64_t i);                     /* in byte order; NULL past the end */

/* The items of a list one after another: true and the next one in *out until the end. */
bool         lun_meta_next(lun_meta *list, lun_meta *out);

/* ---- writing ----------------------------------------------------------- */

typedef struct lun_writer lun_writer;

typedef enum lun_format { LUN_SAFETENSORS, LUN_GGUF } lun_format;

/*
** A file that appears under its name only when it is complete: contents gather in
** an unnamed file in the same folder and are put behind their header by
** lun_writer_close(), so tensors are added one by one and none is kept in memory.
** Errors: LUN_EIO (cannot write, with the reason; a name twice); LUN_EARG (a name
** that is not UTF-8); LUN_EDTYPE (safetensors has no q8_0, gguf no u8); LUN_EMEM.
*/
lun_writer  *lun_writer_open(lun_ctx *cx, lun_format format, const char *path);
lun_status   lun_writer_text(lun_writer *out, const char *key, const char *value);
lun_status   lun_writer_int(lun_writer *out, const char *key, int64_t value);     /* 0 <= value < 2^32: uint32 in gguf; decimal text in safetensors */
lun_status   lun_writer_add(lun_writer *out, const char *name, lun_tensor *t);
lun_status   lun_writer_close(lun_writer *out);     /* writes, syncs, renames; frees 'out' in any case */
void         lun_writer_abandon(lun_writer *out);   /* frees it and leaves nothing behind; NULL is ignored */

#endif
