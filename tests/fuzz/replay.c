/* replay.c - main() of a libFuzzer target without libFuzzer: every file of the directories given, once. */
#include <dirent.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* the contents, in memory of exactly that size so that AddressSanitizer sees a step beyond; NULL if it is no file */
static uint8_t *read_all(const char *path, size_t *size) {
  FILE *f = fopen(path, "rb");
  uint8_t *bytes = NULL;
  long end;
  if (!f) return NULL;
  if (fseek(f, 0, SEEK_END) == 0 && (end = ftell(f)) >= 0 && end < LONG_MAX && fseek(f, 0, SEEK_SET) == 0 &&
      (bytes = malloc(end > 0 ? (size_t)end : 1)) != NULL) {
    *size = (size_t)end;
    if (fread(bytes, 1, *size, f) != *size) {
      free(bytes);
      bytes = NULL;
    }
  }
  fclose(f);
  return bytes;
}

int main(int argc, char **argv) {
  int count = 0;
  for (int i = 1; i < argc; i++) {
    DIR *d = opendir(argv[i]);
    struct dirent *entry;
    if (!d) {
      printf("no directory %s\n", argv[i]);
      return 1;
    }
    while ((entry = readdir(d)) != NULL) {
      char path[PATH_MAX];
      size_t size;
      uint8_t *bytes;
      if (entry->d_name[0] == '.') continue;
      snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
      bytes = read_all(path, &size);
      if (!bytes) continue;
      fprintf(stderr, "%s\n", path);
      LLVMFuzzerTestOneInput(bytes, size);
      free(bytes);
      count++;
    }
    closedir(d);
  }
  printf("%d passed, 0 failed\n", count);
  return count == 0;
}
