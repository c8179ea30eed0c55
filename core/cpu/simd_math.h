/*
** simd_math.h - exponential, logarithm and their family on vectors, within 2 units
** in the last place (test: tests/c/kernel_unary.c); after simd.h, by each isa_*.c.
**
** Range reduction as in Cody and Waite, Software Manual for the Elementary
** Functions, 1980.  The polynomials are our own: weighted least squares on 4001
** Chebyshev points, reweighted until the largest relative error, given beside
** each, is nearly the smallest possible.
*/

#define LOG2E   1.44269504f
#define LN2_HI  0.693359375f            /* 10 bits: a product with a small integer is exact without FMA */
#define LN2_LO  -2.12194440e-4f
#define ROUND   12582912.0f             /* 1.5 * 2^23: added, it leaves no fraction */

INLINE vf v_poly(vf x, const float *c, int degree) {       /* c[degree] leads */
  vf y = v_splat(c[degree]);
  for (int i = degree - 1; i >= 0; i--) y = v_fma(y, x, v_splat(c[i]));
  return y;
}

/* e^x; below -104 the result is 0, above 88.8 infinite; subnormal results are rounded, not flushed. */
INLINE vf v_exp(vf x) {
  /* (e^r - 1 - r) / r^2 for |r| <= 0.347: 3.1e-9 of e^r */
  static const float c[] = { 0.499999934f, 0.1666652f, 0.0416683958f, 0.00836879689f, 0.0013814431f };
  x = v_max(v_splat(-104), v_min(v_splat(89), x));
  vf n = v_fma(x, v_splat(LOG2E), v_splat(ROUND)) - ROUND;
  vf r = v_fma(n, v_splat(-LN2_LO), v_fma(n, v_splat(-LN2_HI), x));
  vf p = v_fma(v_poly(r, c, 4) * r, r, r) + 1;
  return v_scale2(p, n);
}

/* log(m) + e ln 2 for m in [sqrt(1/2), sqrt 2], e whole; 'low' is added to m where m alone is not exact. */
INLINE vf v_log_parts(vf m, vf low, vf e) {
  /* (log(1 + f) - f + f^2/2) / f^3: 7.5e-10 of log(1 + f) */
  static const float c[] = { 0.333333125f, -0.250000095f, 0.200021235f, -0.16668005f, 0.142194516f, -0.124053426f,
                             0.11888709f, -0.116775053f, 0.0674769183f };
  vf f = m - 1 + low, z = f * f;
  vf y = v_fma(z * f, v_poly(f, c, 8), e * LN2_LO);
  return v_fma(e, v_splat(LN2_HI), f + v_fma(z, v_splat(-0.5f), y));
}

/* Splits x > 0 into m 2^e, m in [sqrt(1/2), sqrt 2]. */
INLINE vf v_split(vf x, vf *e) {
  vi bits = (vi)((vu)x - 0x3f3504f3);                        /* sqrt(1/2); wraps around for x < 0 */
  *e = __builtin_convertvector(bits >> 23, vf);
  return (vf)((bits & 0x7fffff) + 0x3f3504f3);
}

/* Natural logarithm: NaN below 0, -infinity at 0; subnormal x too. */
INLINE vf v_log(vf x) {
  vi tiny = x < 1.17549435e-38f;
  vf e, m = v_split(v_choose(tiny, x * 8388608.0f, x), &e);
  vf y = v_log_parts(m, v_splat(0), e - v_choose(tiny, v_splat(23), v_splat(0)));
  y = v_choose(x == 0, v_splat(-INFINITY), y);
  y = v_choose(x < 0, v_splat(NAN), y);
  return v_choose(x < INFINITY, y, x + x);                   /* infinity and NaN stay */
}

/* log(1 + y) for y in [0, 1]: what 1 + y rounds away is added to the fraction. */
INLINE vf v_log1p(vf y) {
  vf u = y + 1, e, m = v_split(u, &e);
  vf lost = y - (u - 1);
  return v_choose(y < 1e-4f, y - y * y * 0.5f, v_log_parts(m, v_choose(e > 0, lost * 0.5f, lost), e));
}

INLINE vf v_abs(vf x) { return (vf)((vi)x & 0x7fffffff); }
INLINE vf v_with_sign(vf x, vf sign) { return (vf)((vi)x | ((vi)sign & INT32_MIN)); }     /* x >= 0 */

INLINE vf v_tanh(vf x) {
  /* (tanh(a)/a - 1) / a^2 in a^2, a <= 0.626: 1.6e-10 of tanh */
  static const float c[] = { -0.333333308f, 0.133332042f, -0.0539465188f, 0.0216993142f, -0.00817384645f, 0.00213960968f };
  vf a = v_abs(x), z = a * a;
  vf near = v_fma(a * z, v_poly(z, c, 5), a);
  vf far = 1 - 2 / (v_exp(a + a) + 1);
  return v_with_sign(v_choose(a < 0.625f, near, far), x);
}

INLINE vf v_sigmoid(vf x) { return 1 / (1 + v_exp(-x)); }
INLINE vf v_silu(vf x) { return x / (1 + v_exp(-x)); }

INLINE vf v_softplus(vf x) {
  vf y = v_max(v_splat(0), x) + v_log1p(v_exp(-v_abs(x)));
  return v_choose(x == x, y, x);
}

/*
** x P(x), P the normal distribution.  The tail Q(a) = P(-a) is e^(-a^2/2) times a
** smooth function of t = 1 / (1 + a/4), which a polynomial follows; so there is
** no cancellation on the left, as in 1 + erf(x / sqrt 2).
*/
INLINE vf v_gelu_erf(vf x) {
  /* e^(a^2/2) Q(a) in t for a <= 14.2, beyond which Q(a) is 0: 1.5e-8 relative */
  static const float c[] = { -2.08805433e-05f, 0.100215181f, 0.0949342605f, 0.121037218f, -0.0188469754f, 0.301611523f,
                             -0.329990394f, 0.392372364f, -0.195049351f, 0.0337370474f };
  vf a = v_abs(x);
  vf q = v_exp(a * a * -0.5f) * v_poly(1 / v_fma(a, v_splat(0.25f), v_splat(1)), c, 9);
  return x * v_choose(x < 0, q, 1 - q);
}

/* (1 + tanh u) / 2 is the sigmoid of 2u */
INLINE vf v_gelu_tanh(vf x) {
  vf u = v_fma(x * x, v_splat(0.0356774081f), v_splat(0.797884561f)) * x;    /* sqrt(2/pi) (x + 0.044715 x^3) */
  return x / (1 + v_exp(-2 * u));
}

INLINE vf v_gelu_quick(vf x) { return x / (1 + v_exp(x * -1.702f)); }
