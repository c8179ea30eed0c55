/*
** library.h - shared libraries that are opened when a picture first needs them.
**
** What a decoder calls is a list of names, F(heif_context_alloc) F(...) ..., and
** a struct of pointers made from it, whose types are those of the header:
**
**     static struct { HEIF_FUNCTIONS(LIBRARY_MEMBER) } heif;
**     static const char *const names[] = { HEIF_FUNCTIONS(LIBRARY_NAME) NULL };
*/
#ifndef VISION_LIBRARY_H
#define VISION_LIBRARY_H

#include "image.h"

#define LIBRARY_MEMBER(function) __typeof__(function) *function;
#define LIBRARY_NAME(function)   #function,

typedef struct library {
  const char        *file;         /* as the dynamic linker finds it: "libheif.so.1" */
  const char *const *names;        /* ends with NULL */
  void              *functions;    /* a pointer a name, set when the library is open */
  int                open;
} library;

/* Opens the library unless it is open; LUN_EIO where it is not to be had. */
lun_status library_open(library *lib, image_error *error);

#endif
