/*
** sum.h - sums of rows in f64, in an order that depends on their length alone:
** sixteen running sums, so that compilers make vectors of them.
*/
#ifndef LUN_CPU_SUM_H
#define LUN_CPU_SUM_H

#include <stdint.h>

enum { LANES = 16 };

static inline double add_lanes(const double lane[LANES]) {
  double sum = 0;
  for (int k = 0; k < LANES; k++) sum += lane[k];
  return sum;
}

static inline double row_sum(const float *x, int64_t n) {
  double  lane[LANES] = { 0 };
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++) lane[k] += (double)x[i + k];
  for (int k = 0; i < n; i++, k++) lane[k] += (double)x[i];
  return add_lanes(lane);
}

/* sum of (x - centre)^2 */
static inline double row_squares(const float *x, int64_t n, double centre) {
  double  lane[LANES] = { 0 };
  int64_t i = 0;
  for (; i + LANES <= n; i += LANES)
    for (int k = 0; k < LANES; k++) lane[k] += ((double)x[i + k] - centre) * ((double)x[i + k] - centre);
  for (int k = 0; i < n; i++, k++) lane[k] += ((double)x[i] - centre) * ((double)x[i] - centre);
  return add_lanes(lane);
}

#endif
