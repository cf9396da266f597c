"""pow, and roots."""

from __future__ import annotations

from math import inf, nan

from tilewright.ir.types import U64
from tilewright.passes.legalise.math.doubleword import Pair, constant, two_product
from tilewright.passes.legalise.math.exponential import LN2_EXACT, exp, exp_of_sum
from tilewright.passes.legalise.math.formats import (
    DOUBLE,
    Table,
    by_double,
    normal,
    with_sign_of,
)
from tilewright.passes.legalise.math.logarithm import log, log_pair
from tilewright.passes.legalise.term import Term, where


def pow_single(x: Term, y: Term) -> Term:
    """In f64, for f32 operands."""
    return _signed(x, y, exp(DOUBLE, log(DOUBLE, x.op("abs")) * y))


def pow_double(x: Term, y: Term) -> Term:
    """e^(y log x), the logarithm in double words. Beyond 2^66 any ``y`` overflows, underflows, or meets log 1."""
    shift, a = normal(DOUBLE, x.op("abs"))
    logarithm = log_pair(Pair(a, a.like(0.0))) - constant(shift, LN2_EXACT) * shift
    bounded = where(y.op("abs") < 2.0**66, y, with_sign_of(DOUBLE, y.like(2.0**66), y))
    exponent = logarithm * bounded
    low = where(exponent.high.op("abs") < 1000.0, exponent.low, 0.0)
    return _signed(x, y, exp_of_sum(DOUBLE, exponent.high, low))


def _signed(x: Term, y: Term, size: Term) -> Term:
    """x^y from |x|^y, and what C99's annex F says of 0, 1, inf and nan."""
    a, half = x.op("abs"), y * 0.5
    whole = y.op("floor").same(y)
    odd = whole & half.op("floor").differs(half)
    end = where((y > 0.0).same(a.same(inf)), a.like(inf), 0.0)
    size = where(a.same(0.0) | a.same(inf), end, where(a.same(1.0), 1.0, size))
    value = where(odd, with_sign_of(DOUBLE, size, x), size)
    undefined = ((x < 0.0) & (a < inf) & ~whole) | x.op("isnan") | y.op("isnan")
    return where(x.same(1.0) | y.same(0.0), 1.0, where(undefined, nan, value))


def rsqrt_single(x: Term) -> Term:
    """1 / sqrt(x), and one step of Newton's method with an exact residual, since two roundings are more than 1 ULP."""
    y = x.like(1.0) / x.op("sqrt")
    product = two_product(x, y)
    residual = (-product.high).op("fma", y, 1.0) - product.low * y
    better = (y * 0.5).op("fma", residual, y)
    return where((x > 0.0) & (x < inf), better, y)


def rsqrt_double(x: Term) -> Term:
    return x.like(1.0) / x.op("sqrt")


CBRT_MAGIC = round((1023 - 1023 / 3 - 0.0331) * 2**20)
"""Added to a third of the upper half of a pattern, it leaves the cube root to 5 bits."""


def _cbrt(steps: int, x: Term) -> Term:
    """In f64. Each step of Halley's method triples the digits; one of Newton's settles the last ones."""
    a = x.op("abs")
    small, large = a < DOUBLE.tiny, a > 2.0**900
    a = a * where(small, a.like(2.0**54), where(large, a.like(2.0**-300), 1.0))
    third = ((a.bits(U64) >> 32) * 0xAAAAAAAB) >> 33
    t = ((third + CBRT_MAGIC) << 32).bits(x.dtype)
    for _ in range(steps):
        cube = t * t * t
        t = t - t * ((cube - a) / (cube + cube + a))
    t = t - (t - a / (t * t)) * (1.0 / 3.0)
    t = t * where(small, t.like(2.0**-18), where(large, t.like(2.0**100), 1.0))
    plain = x.same(0.0) | x.op("abs").same(inf) | x.op("isnan")
    return where(plain, x, with_sign_of(DOUBLE, t, x))


def hypot_single(x: Term, y: Term) -> Term:
    """In f64, for f32 operands: the squares are exact."""
    return _infinite_or(x, y, (x * x + y * y).op("sqrt"))


def hypot_double(x: Term, y: Term) -> Term:
    a, b = x.op("abs"), y.op("abs")
    most = a.op("max", b)
    scale = where(most > 2.0**500, a.like(2.0**-600), where(most < 2.0**-400, a.like(2.0**600), 1.0))
    back = where(most > 2.0**500, a.like(2.0**600), where(most < 2.0**-400, a.like(2.0**-600), 1.0))
    m, n = most * scale, a.op("min", b) * scale
    return _infinite_or(x, y, m.op("fma", m, n * n).op("sqrt") * back)


def _infinite_or(x: Term, y: Term, finite: Term) -> Term:
    return where(x.op("abs").same(inf) | y.op("abs").same(inf), inf, finite)


TABLE: Table = {
    **by_double("pow", pow_single, pow_double),
    ("rsqrt", "f32"): rsqrt_single,
    ("rsqrt", "f64"): rsqrt_double,
    **by_double("cbrt", lambda x: _cbrt(2, x), lambda x: _cbrt(2, x)),
    **by_double("hypot", hypot_single, hypot_double),
}
