/* replay.c - main() of a libFuzzer target without libFuzzer: every file of the directories given, once. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* runs one file; false if it cannot be read.  Memory of exactly its size lets AddressSanitizer see a step beyond. */
static int replay(const char *path, size_t size) {
  FILE *f = fopen(path, "rb");
  uint8_t *bytes = malloc(size > 0 ? size : 1);
  int whole = f && bytes && fread(bytes, 1, size, f) == size;
  fprintf(stderr, "%s\n", path);
  if (whole) LLVMFuzzerTestOneInput(bytes, size);
  free(bytes);
  if (f) fclose(f);
  return whole;
}

int main(int argc, char **argv) {
  int passed = 0, failed = 0;
  for (int i = 1; i < argc; i++) {
    DIR *d = opendir(argv[i]);
    struct dirent *entry;
    if (!d) {
      printf("no directory %s\n", argv[i]);
      return 1;
    }
    while ((entry = readdir(d)) != NULL) {
      char path[4096];
      struct stat about;
      snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
      if (stat(path, &about) != 0 || !S_ISREG(about.st_mode)) continue;
      if (replay(path, (size_t)about.st_size)) passed++;
      else failed++;
    }
    closedir(d);
  }
  printf("%d passed, %d failed\n", passed, failed);
  return failed > 0;
}
