/*
** plugin_about.c - lun_plugin_read() over damaged copies of a plugin: it says what is
** wrong or reads the facts, and never looks outside the file.
*/
#include <string.h>
#include "check.h"
#include "lun_host.h"
#include "plugin_build.h"

enum { ROUNDS = 5000 };

static uint32_t seed = 1;

static uint32_t random_below(uint32_t n) {      /* xorshift32, Marsaglia 2003 */
  seed ^= seed << 13;
  seed ^= seed >> 17;
  seed ^= seed << 5;
  return seed % n;
}

static unsigned char *read_file(const char *path, size_t *size) {
  FILE          *f = fopen(path, "rb");
  unsigned char *bytes = malloc(1 << 20);
  *size = f && bytes ? fread(bytes, 1, 1 << 20, f) : 0;
  if (f) fclose(f);
  return bytes;
}

/* A place to damage: half of them in the headers at the file's two ends. */
static size_t place(size_t size) {
  switch (random_below(4)) {
    case 0:  return random_below(64 + 56 * 8);
    case 1:  return size - 1 - random_below(64 * 32);
    default: return random_below((uint32_t)size);
  }
}

static void write_damaged(FILE *f, const unsigned char *bytes, size_t size) {
  rewind(f);
  fwrite(bytes, 1, size, f);
  for (uint32_t n = 1 + random_below(4); n > 0; n--) {
    static const unsigned char extremes[] = { 0, 1, 0x7f, 0x80, 0xff };
    fseek(f, (long)place(size), SEEK_SET);
    fputc(random_below(2) ? extremes[random_below(sizeof extremes)] : (int)random_below(256), f);
  }
  fflush(f);
}

int main(void) {
  const char    *path = build_every();
  char           damaged[600];
  lun_ctx       *cx = lun_open(1);
  lun_facts      facts;
  size_t         size = 0;
  unsigned char *bytes;
  FILE          *f;
  int            fine = 0;
  if (!CHECK(path && cx, "every.c does not compile")) return check_end();
  bytes = read_file(path, &size);
  CHECK(size > 4096, "a plugin of %zu bytes", size);
  CHECK(lun_plugin_read(cx, path, &facts) == LUN_OK, "%s", lun_message(cx));
  CHECK(strcmp(facts.name, "every") == 0 && strcmp(facts.version, "1.2.3") == 0 && strcmp(facts.license, "MIT") == 0,
        "facts: %s %s %s", facts.name, facts.version, facts.license);
  CHECK(facts.abi == LUN_ABI_VERSION, "abi %x", (unsigned)facts.abi);

  snprintf(damaged, sizeof damaged, "%s.damaged", path);
  f = fopen(damaged, "w+b");
  for (int i = 0; f && i < ROUNDS; i++) {
    lun_clear(cx);
    write_damaged(f, bytes, size);
    if (lun_plugin_read(cx, damaged, &facts) == LUN_OK) fine++;
    else CHECK(strncmp(lun_message(cx), damaged, strlen(damaged)) == 0, "round %d: message \"%s\"", i, lun_message(cx));
  }
  CHECK(fine > ROUNDS / 10 && fine < ROUNDS - ROUNDS / 10, "%d of %d damaged plugins are fine", fine, ROUNDS);
  if (f) fclose(f);

  for (size_t n = 1; n < size; n += n < 2048 ? 1 : 97) {      /* cut short */
    f = fopen(damaged, "wb");
    fwrite(bytes, 1, n, f);
    fclose(f);
    lun_clear(cx);
    CHECK(lun_plugin_read(cx, damaged, &facts) != LUN_OK, "the first %zu bytes are a plugin", n);
  }
  remove(damaged);
  free(bytes);
  lun_close(cx);
  return check_end();
}
