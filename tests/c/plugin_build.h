/* plugin_build.h - compiles tests/plugins/every.c, from the root of the repository, for a test. */
#ifndef PLUGIN_BUILD_H
#define PLUGIN_BUILD_H

#include <stdio.h>
#include <stdlib.h>

/* The path of the new library; NULL if the compiler failed. */
static inline const char *build_every(void) {
  static char path[512], command[1200];
  const char *folder = getenv("TMPDIR");
  snprintf(path, sizeof path, "%s/every.so", folder ? folder : "/tmp");
  snprintf(command, sizeof command, "gcc -shared -fPIC -I core tests/plugins/every.c -o '%s'", path);
  return system(command) == 0 ? path : NULL;
}

#endif
