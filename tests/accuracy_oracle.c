/* The functions of mathematics in more digits than they are tested in, and a judge of results: what tests/accuracy.py
   compiles for itself. f32 and shorter floats are measured by doubles (the C library's, in vectors where it has them),
   f64 by __float128 (libquadmath). What neither has (sigmoid, logaddexp, rsqrt, erfinv, digamma, the remainder of the
   divisor's sign) is written here, after other formulas than the product's. */

#include <math.h>
#include <quadmath.h>
#include <stdint.h>
#include <string.h>

typedef __float128 quad;

/* The C library has these for vectors too, accurate to 4 units of 2^-52. */
#define VECTOR(f) extern double f(double) __attribute__((simd("notinbranch")));
VECTOR(exp) VECTOR(exp2) VECTOR(expm1) VECTOR(sinh) VECTOR(cosh) VECTOR(tanh) VECTOR(log) VECTOR(log2) VECTOR(log10)
VECTOR(log1p) VECTOR(asinh) VECTOR(acosh) VECTOR(atanh) VECTOR(cbrt) VECTOR(sin) VECTOR(cos) VECTOR(tan) VECTOR(asin)
VECTOR(acos) VECTOR(atan) VECTOR(erf) VECTOR(erfc)

/* A float format: 1 + `fraction` bits, normal exponents from `least` to `most`. */
typedef struct { int32_t fraction, least, most; } Format;

/* Of a block: the largest error in units of the last place, where it is, how many results are not the nearest number.
   An error of INFINITY is a mistake of kind: a nan, an infinity or a zero (with its sign) that is none. */
typedef struct { double error; int64_t at, wrong; } Verdict;

enum { BLOCK = 256 };

/* --- doubles ------------------------------------------------------------------------------------ */

/* Fills t with f(x), BLOCK of them at most. The library's vectors are quick inside of `low` and `high` only; outside f is
   known, to f32. The barriers keep the compiler from calling it there nevertheless. */
#define BARRIER __asm__ volatile("" ::: "memory");
#define EACH for (int64_t k = 0; k < n; k++)
#define FILL(f) static void __attribute__((noinline)) f##_fill(const double* x, double* t, int64_t n)
#define WITHIN(f, safe, low, high, below, above) \
    FILL(f) { \
        double inside[BLOCK]; \
        EACH inside[k] = (x[k] < low) | (x[k] > high) ? safe : x[k]; \
        BARRIER EACH t[k] = f(inside[k]); \
        BARRIER EACH t[k] = x[k] < low ? below : x[k] > high ? above : t[k]; \
    }
#define EVERYWHERE(f) FILL(f) { EACH t[k] = f(x[k]); }
WITHIN(exp, 0, -700, 700, 0, INFINITY) WITHIN(exp2, 0, -1000, 1000, 0, INFINITY)
WITHIN(expm1, 0, -100, 700, -1, INFINITY) WITHIN(sinh, 0, -700, 700, -INFINITY, INFINITY)
WITHIN(cosh, 0, -700, 700, INFINITY, INFINITY) WITHIN(tanh, 0, -30, 30, -1, 1)
WITHIN(log, 1, 0, INFINITY, NAN, 0) WITHIN(log2, 1, 0, INFINITY, NAN, 0) WITHIN(log10, 1, 0, INFINITY, NAN, 0)
WITHIN(log1p, 1, -1, INFINITY, NAN, 0) WITHIN(acosh, 2, 1, INFINITY, NAN, 0) WITHIN(atanh, 0, -1, 1, NAN, NAN)
WITHIN(asin, 0.25, -1, 1, NAN, NAN) WITHIN(acos, 0.25, -1, 1, NAN, NAN) EVERYWHERE(asinh) EVERYWHERE(atan)
WITHIN(erf, 0, -7, 7, -1, 1) WITHIN(erfc, 0, -7, 28, 2, 0) EVERYWHERE(tan) EVERYWHERE(cbrt) EVERYWHERE(sqrt)
EVERYWHERE(floor) EVERYWHERE(ceil) EVERYWHERE(trunc) EVERYWHERE(rint)

/* The vector tangent is quick for large angles too, and as good near its poles: the others from that of x, or of x / 2. */
FILL(sin) {
    double near[BLOCK], half[BLOCK];
    EACH near[k] = fabs(x[k]) > 1e4 ? 0 : x[k], half[k] = fabs(x[k]) > 1e4 ? x[k] / 2 : 0;
    BARRIER EACH near[k] = sin(near[k]), half[k] = tan(half[k]);
    BARRIER EACH t[k] = fabs(x[k]) > 1e4 ? 2 * half[k] / (1 + half[k] * half[k]) : near[k];
}

FILL(cos) {
    double near[BLOCK], far[BLOCK], half[BLOCK];
    EACH near[k] = fabs(x[k]) > 1e4 ? 0 : x[k], far[k] = fabs(x[k]) > 1e4 ? x[k] : 0, half[k] = far[k] / 2;
    BARRIER EACH near[k] = cos(near[k]), far[k] = tan(far[k]), half[k] = tan(half[k]);
    BARRIER EACH t[k] = fabs(x[k]) > 1e4 ? copysign(1 / sqrt(1 + far[k] * far[k]), 1 - half[k] * half[k]) : near[k];
}

FILL(sigmoid) {
    double e[BLOCK];
    EACH e[k] = -x[k];
    exp_fill(e, t, n);
    EACH t[k] = 1 / (1 + t[k]);
}

static double sign_d(double x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static double rsqrt_d(double x) { return 1 / sqrt(x); }
static double lgamma_d(double x) { int sign; return lgamma_r(x, &sign); }

static double nextafter_d(double x, double y) { return nextafterf((float)x, (float)y); }

static double remainder_d(double x, double y) {
    double r = fmod(x, y);
    return r == 0 ? copysign(r, y) : (r < 0) != (y < 0) ? r + y : r;
}

static double logaddexp_d(double a, double b) {
    double most = a > b ? a : b, least = a > b ? b : a;
    if (isnan(a) || isnan(b)) return NAN;
    double value = isinf(most) ? most : most + log1p(exp(least - most));
    return fabs(value) < 0.01 ? (double)(most + log1pq(expq((quad)least - most))) : value; /* they cancel */
}

/* Newton's method on erf, or on erfc of what is left to 1. The start is Winitzki's (2008). */
static double erfinv_d(double p) {
    double q = fabs(p), l = log1p(-q * q), t = 2 / (M_PI * 0.147) + l / 2;
    double x = sqrt(sqrt(t * t - l / 0.147) - t);
    if (!(q < 1) || q < 1e-9) return q > 1 ? NAN : q == 1 ? copysign(INFINITY, p) : p * 0.88622692545275801365;
    for (int n = 0; n < 2; n++) {
        double rest = q < 0.5 ? erf(x) - q : (1 - q) - erfc(x), u = rest * (0.88622692545275801365 * exp(x * x));
        x -= u / (1 + x * u); /* Halley's step */
    }
    return copysign(x, p);
}

/* The asymptotic series behind the recurrence; the reflection for negative numbers. */
static double digamma_d(double x) {
    double y = fabs(x), sum = 0, turn = y - rint(y);
    if (x == 0) return copysign(INFINITY, -x);
    if (isinf(x)) return x > 0 ? x : NAN;
    if (x < 0 && turn == 0) return NAN;
    if (y < 1e-20) return -1 / x;
    double far = y;
    for (; far < 12; far++) sum += 1 / far;
    double z = 1 / (far * far);
    double series = z * (1 / 12. - z * (1 / 120. - z * (1 / 252. - z * (1 / 240. - z * (1 / 132. - z * (691 / 32760. - z / 12))))));
    double value = log(far) - 0.5 / far - series - sum;
    return x < 0 ? value + 1 / y + M_PI / tan(M_PI * turn) : value;
}

/* --- quads -------------------------------------------------------------------------------------- */

static quad sign_q(quad x) { return x > 0 ? 1 : x < 0 ? -1 : x; }
static quad sigmoid_q(quad x) { return 1 / (1 + expq(-x)); }
static quad rsqrt_q(quad x) { return 1 / sqrtq(x); }

static quad nextafter_q(quad x, quad y) { return nextafter((double)x, (double)y); }

static quad remainder_q(quad x, quad y) {
    quad r = fmodq(x, y);
    return r == 0 ? copysignq(r, y) : (r < 0) != (y < 0) ? r + y : r;
}

static quad logaddexp_q(quad a, quad b) {
    quad most = a > b ? a : b, least = a > b ? b : a;
    if (isnanq(a) || isnanq(b)) return NAN;
    return isinfq(most) ? most : most + log1pq(expq(least - most));
}

/* lgamma of a negative number by the reflection; its zeros there cost digits, of which there are 60 more than needed. */
static quad lgamma_q(quad x) {
    if (!(x < 0) || isinfq(x)) return lgammaq(x);
    quad turn = x - rintq(x);
    return turn == 0 ? (quad)INFINITY : logq(M_PIq / fabsq(x * sinq(M_PIq * turn))) - lgammaq(-x);
}

static quad erfinv_q(quad p) {
    quad q = fabsq(p), factor = sqrtq(M_PIq) / 2;
    if (!(q < 1) || q < 1e-30Q) return q > 1 ? (quad)NAN : q == 1 ? copysignq(INFINITY, p) : p * factor;
    double l = (double)log1pq(-q * q), t = 2 / (M_PI * 0.147) + l / 2;
    quad x = sqrt(fmax(sqrt(t * t - l / 0.147) - t, 0));
    if (q < 1e-7Q) x = q * factor;
    for (int n = 0; n < 4; n++) {
        quad rest = q < 0.5Q ? erfq(x) - q : (1 - q) - erfcq(x), u = rest * factor * expq(x * x), step = u / (1 + x * u);
        x -= step;
        if (fabsq(step) < 1e-14Q * x) break; /* the steps are of the third order */
    }
    return copysignq(x, p);
}

static quad digamma_q(quad x) {
    static const quad numbers[] = { 1 / 12.Q, -1 / 120.Q, 1 / 252.Q, -1 / 240.Q, 1 / 132.Q, -691 / 32760.Q, 1 / 12.Q,
        -3617 / 8160.Q, 43867 / 14364.Q, -174611 / 6600.Q, 77683 / 276.Q, -236364091 / 65520.Q };
    quad y = fabsq(x), sum = 0, turn = y - rintq(y), series = 0;
    if (x == 0) return copysignq(INFINITY, -x);
    if (isinfq(x)) return x > 0 ? x : (quad)NAN;
    if (x < 0 && turn == 0) return NAN;
    if (y < 1e-40Q) return -1 / x;
    quad far = y;
    for (; far < 25; far += 1) sum += 1 / far;
    quad z = 1 / (far * far);
    for (int k = 11; k >= 0; k--) series = z * (numbers[k] + series);
    quad value = logq(far) - 0.5Q / far - series - sum;
    return x < 0 ? value + 1 / y + M_PIq / tanq(M_PIq * turn) : value;
}

/* --- the judge ---------------------------------------------------------------------------------- */

static inline double power(int64_t exponent) {
    int64_t bits = (exponent + 1023) << 52;
    double value;
    memcpy(&value, &bits, 8);
    return value;
}

static inline int64_t exponent_of(double x) {
    int64_t bits;
    memcpy(&bits, &x, 8);
    return ((bits >> 52) & 2047) - 1023;
}

static inline int64_t negative(double x) {
    int64_t bits;
    memcpy(&bits, &x, 8);
    return bits < 0;
}

/* The error of y, where t is true. Beyond the largest number, infinity counts as the power of two that comes next.
   `floor`: the least exponent whose unit counts. `nearest`: whether y is t rounded once. */
static inline double judge_d(double y, double t, const Format* f, int64_t floor, int* nearest) {
    double end = power(f->most + 1), size = fabs(t);
    int64_t e = exponent_of(t);
    e = e < f->least ? f->least : e > f->most ? f->most : e;
    double unit = power(e - f->fraction), cut = size > end ? end : size;
    double scaled = cut / unit, round = rint(scaled) * unit, cut_y = fabs(y) > end ? end : fabs(y);
    double wide = power((e < floor ? floor : e) - f->fraction);
    double distance = fabs((negative(y) != negative(t) ? -cut_y : cut_y) - cut) / wide;
    int either_nan = (y != y) | (t != t), both_nan = (y != y) & (t != t);
    int special = (size == 0) | (size == INFINITY), equal = (y == t) & (negative(y) == negative(t));
    int sign = (y == 0) & (negative(y) != negative(t));
    *nearest = both_nan | ((round == cut_y) & (negative(y) == negative(t)));
    double bad = either_nan ? (both_nan ? 0 : INFINITY) : special ? (equal ? 0 : INFINITY) : sign ? INFINITY : distance;
    return bad;
}

static double judge_q(double y, quad t, int floor, int* nearest) {
    quad end = ldexpq(1, 1024), size = fabsq(t);
    *nearest = isnanq(t) ? y != y : y == (double)t && !signbit(y) == !signbitq(t);
    if (isnan(y) || isnanq(t)) return isnan(y) && isnanq(t) ? 0 : INFINITY;
    if (size == 0 || isinfq(t)) return y == t && !signbit(y) == !signbitq(t) ? 0 : INFINITY;
    if (y == 0 && !signbit(y) != !signbitq(t)) return INFINITY;
    int e = ilogbq(size);
    e = e < floor ? floor : e;
    e = e < -1022 ? -1022 : e > 1023 ? 1023 : e;
    quad cut = size > end ? end : size, cut_y = isinf(y) ? end : fabs(y);
    if (signbitq(t)) cut = -cut;
    if (signbit(y)) cut_y = -cut_y;
    return (double)ldexpq(fabsq(cut_y - cut), 52 - e);
}

/* Whether a function with poles at the integers below 1, near which it is `left` and `right` of them, has a zero within
   1/10 of x. Values there are asked for at most 1/10 off, beyond a pole they are not. */
#define NEAR(suffix, real, floor_) \
    static int near_##suffix(real f(real), real x, real left, real right) { \
        real here = f(x), low = x - (real)0.1Q, high = x + (real)0.1Q; \
        int pole_low = floor_(low) != floor_(x) && floor_(x) <= 0, pole_high = floor_(high) != floor_(x) && floor_(high) <= 0; \
        real below = pole_low ? right : f(low), above = pole_high ? left : f(high); \
        return (below < 0) != (here < 0) || (above < 0) != (here < 0); \
    }
NEAR(d, double, floor)
NEAR(q, quad, floorq)

/* Of a function with zeros, only errors that would count are looked at again. */
#define ZEROS_D(function, left, right) \
    EACH \
        if (e[k] > 1 && fabs(t[k]) < 1 && near_d(function, x[start + k], left, right)) \
            e[k] = judge_d(y[start + k], t[k], f, 0, &nearest[k]);
#define ZEROS_Q(function, left, right) \
    if (e[k] > 1 && fabsq(t) < 1 && near_q(function, (quad)x[k], left, right)) e[k] = judge_q(y[k], t, 0, &nearest);

/* Whether all results in f32 are the numbers nearest to t. */
static int all_nearest(const float* y, const double* t, int64_t n) {
    int differing = 0;
    for (int64_t k = 0; k < n; k++) {
        float rounded = t[k];
        int32_t a, b;
        memcpy(&a, &rounded, 4), memcpy(&b, &y[k], 4);
        differing |= (a != b) & !((y[k] != y[k]) & (rounded != rounded));
    }
    return !differing;
}

/* `fill` makes t of x. Errors up to 1/2 are not told apart. */
#define SINGLE(name, parameters, fill, more) \
    void name##_single(parameters, const float* y, int64_t all, const Format* f, Verdict* v) { \
        for (int64_t start = 0; start < all; start += BLOCK) { \
            int64_t n = all - start < BLOCK ? all - start : BLOCK, wrong = 0; \
            double t[BLOCK], e[BLOCK], most = 0; \
            int nearest[BLOCK]; \
            fill \
            if (f->fraction == 23 && all_nearest(y + start, t, n)) continue; \
            EACH e[k] = judge_d(y[start + k], t[k], f, -2000, &nearest[k]); \
            more \
            EACH wrong += !nearest[k], most = e[k] > most ? e[k] : most; \
            v->wrong += wrong; \
            if (most > v->error) \
                EACH if (e[k] > v->error) v->error = e[k], v->at = start + k; \
        } \
    }
#define DOUBLE(name, parameters, call, more) \
    void name##_double(parameters, const double* y, int64_t n, double* e, int32_t* wrong) { \
        EACH { \
            int nearest; \
            quad t = call; \
            e[k] = judge_q(y[k], t, -2000, &nearest); \
            more \
            wrong[k] = !nearest; \
        } \
    } \
    /* What is true, as the sum of two doubles. */ \
    void name##_double_true(parameters, double* high, double* low, int64_t n) { \
        EACH { quad t = call; high[k] = t; low[k] = t - high[k]; } \
    }

#define COMMA ,
#define UNARY(name, single, wide, more_d, more_q) \
    SINGLE(name, const float* x, double w[BLOCK]; EACH w[k] = x[start + k]; single##_fill(w, t, n);, more_d) \
    DOUBLE(name, const double* x, wide((quad)x[k]), more_q) \
    void name##_single_true(const double* x, double* high, double* low, int64_t n) { \
        EACH low[k] = 0; \
        for (int64_t k = 0; k < n; k += BLOCK) single##_fill(x + k, high + k, n - k < BLOCK ? n - k : BLOCK); \
    }
#define BINARY(name, single, wide) \
    SINGLE(name, const float* x COMMA const float* z, EACH t[k] = single((double)x[start + k], (double)z[start + k]);, ) \
    DOUBLE(name, const double* x COMMA const double* z, wide((quad)x[k], (quad)z[k]), ) \
    void name##_single_true(const double* x, const double* z, double* high, double* low, int64_t n) { \
        EACH high[k] = single(x[k], z[k]), low[k] = 0; \
    }
#define LIBRARY(name) UNARY(name, name, name##q, , )
#define OURS(name) EVERYWHERE(name##_d) UNARY(name, name##_d, name##_q, , )

LIBRARY(floor) LIBRARY(ceil) LIBRARY(trunc) UNARY(round, rint, rintq, , ) OURS(sign)
LIBRARY(exp) LIBRARY(exp2) LIBRARY(expm1) LIBRARY(sinh) LIBRARY(cosh) LIBRARY(tanh)
UNARY(sigmoid, sigmoid, sigmoid_q, , )
LIBRARY(log) LIBRARY(log2) LIBRARY(log10) LIBRARY(log1p) LIBRARY(asinh) LIBRARY(acosh) LIBRARY(atanh)
LIBRARY(sqrt) LIBRARY(cbrt) OURS(rsqrt)
LIBRARY(sin) LIBRARY(cos) LIBRARY(tan) LIBRARY(asin) LIBRARY(acos) LIBRARY(atan)
LIBRARY(erf) LIBRARY(erfc) OURS(erfinv)
EVERYWHERE(lgamma_d) EVERYWHERE(digamma_d)
UNARY(lgamma, lgamma_d, lgamma_q, ZEROS_D(lgamma_d, INFINITY, INFINITY), ZEROS_Q(lgamma_q, INFINITY, INFINITY))
UNARY(digamma, digamma_d, digamma_q, ZEROS_D(digamma_d, INFINITY, -INFINITY), ZEROS_Q(digamma_q, INFINITY, -INFINITY))
BINARY(copysign, copysign, copysignq) BINARY(nextafter, nextafter_d, nextafter_q)
BINARY(fmod, fmod, fmodq) BINARY(remainder, remainder_d, remainder_q)
BINARY(hypot, hypot, hypotq) BINARY(pow, pow, powq) BINARY(atan2, atan2, atan2q)
BINARY(logaddexp, logaddexp_d, logaddexp_q)
