/*
** check.h - the C tests' harness: a program is a list of checks, prints those
** that fail and ends with "N passed, N failed".
*/
#ifndef CHECK_H
#define CHECK_H

#include <stdarg.h>
#include <stdio.h>

static int check_passed, check_failed;

/* Counts one check; prints where and what if it failed. */
__attribute__((format(printf, 4, 5)))
static inline int check_report(int ok, const char *file, int line, const char *format, ...) {
  if (ok) {
    check_passed++;
  } else {
    va_list args;
    va_start(args, format);
    check_failed++;
    printf("FAIL %s:%d: ", file, line);
    vprintf(format, args);
    printf("\n");
    va_end(args);
  }
  return ok;
}

/* CHECK(condition) or CHECK(condition, "what, with numbers", ...) */
#define CHECK(...) CHECK_PICK(__VA_ARGS__, CHECK_SAID, CHECK_SAID, CHECK_SAID, CHECK_SAID, CHECK_SAID, \
                              CHECK_SAID, CHECK_SAID, CHECK_SAID, CHECK_BARE, 0)(__VA_ARGS__)
#define CHECK_PICK(a, b, c, d, e, f, g, h, i, which, ...) which
#define CHECK_BARE(condition) check_report((condition) != 0, __FILE__, __LINE__, "%s", #condition)
#define CHECK_SAID(condition, ...) check_report((condition) != 0, __FILE__, __LINE__, __VA_ARGS__)

/* The last line of main(). */
static inline int check_end(void) {
  printf("%d passed, %d failed\n", check_passed, check_failed);
  return check_failed > 0;
}

#endif
