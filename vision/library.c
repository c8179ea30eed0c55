/*
** library.c - shared libraries that are opened when a picture first needs them.
**
** libheif, libavif and libjxl bring encoders and colour management with them:
** linked, the first and the last add 8 to 10 ms to every start (measured with
** LD_PRELOAD), and folders rarely hold their formats.
*/
#include "library.h"

#include <dlfcn.h>
#include <pthread.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static lun_status find_functions(const library *lib, void *handle, image_error *error) {
  for (size_t i = 0; lib->names[i] != NULL; i++) {
    void *address = dlsym(handle, lib->names[i]);
    if (address == NULL) return image_fail(error, LUN_EIO, "%s lacks %s", lib->file, lib->names[i]);
    memcpy((char *)lib->functions + i * sizeof address, &address, sizeof address);
  }
  return LUN_OK;
}

lun_status library_open(library *lib, image_error *error) {
  pthread_mutex_lock(&lock);
  if (!lib->open) {
    void *handle = dlopen(lib->file, RTLD_NOW | RTLD_LOCAL);       /* for good, like the plugin itself */
    if (handle == NULL) image_fail(error, LUN_EIO, "%s", dlerror());
    else if (find_functions(lib, handle, error) == LUN_OK) lib->open = 1;
  }
  pthread_mutex_unlock(&lock);
  return error->code;
}
