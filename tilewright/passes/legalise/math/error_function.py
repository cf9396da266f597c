"""erf, erfc, erfinv.

erfc is e^(-a^2) times a smooth function of (a - 4) / (a + 4), as Shepherd and Laframboise, "Chebyshev approximation of
(1 + 2x) exp(x^2) erfc x" (1981), have it. erfinv(p) / p is a smooth function of log(1 - p^2), as Giles,
"Approximating the erfinv function" (2010), has it.
"""

from __future__ import annotations

from math import inf

from tilewright.ir.types import F32, F64
from tilewright.passes.legalise.math import coefficients
from tilewright.passes.legalise.math.doubleword import two_product
from tilewright.passes.legalise.math.exponential import exp, exp_of_sum
from tilewright.passes.legalise.math.formats import DOUBLE, Format, Table, by_double, horner, in_both, with_sign_of
from tilewright.passes.legalise.math.logarithm import log
from tilewright.passes.legalise.term import Term, where

ERF_IS_ONE = {F32: 4.0, F64: 6.0}


def _erf_small(fmt: Format, x: Term) -> Term:
    """For |x| < 0.9."""
    return horner(x * x, coefficients.ERF[fmt.dtype]).op("fma", x, x)


def erf(fmt: Format, x: Term) -> Term:
    """A polynomial in the middle, else 1 - exp(polynomial)."""
    a = x.op("abs")
    beyond = a.op("min", ERF_IS_ONE[fmt.dtype]) - 1.0
    large = x.like(1.0) - exp(fmt, -horner(beyond, coefficients.ERF_TAIL[fmt.dtype]))
    return where(a < 0.9, _erf_small(fmt, x), with_sign_of(fmt, large, x))


def erfc(x: Term) -> Term:
    """In f64."""
    a = x.op("abs")
    bounded = a.op("min", 28.0)
    square = two_product(bounded, bounded)
    power = exp_of_sum(DOUBLE, -square.high, -square.low)
    scaled = horner((bounded - 4.0) / (bounded + 4.0), coefficients.ERFCX[F64])
    tail = power * (scaled / (bounded + bounded + 1.0))
    return where(a < 0.5, x.like(1.0) - _erf_small(DOUBLE, x), where(x < 0.0, x.like(2.0) - tail, tail))


def erfinv(fmt: Format, p: Term) -> Term:
    w = -log(fmt, (-p).op("fma", p, 1.0))
    root = w.op("sqrt")
    factor = horner(root - 3.25, coefficients.ERFINV_MIDDLE[fmt.dtype])
    if fmt is DOUBLE:
        factor = where(root < 4.05, factor, horner(root - 5.0, coefficients.ERFINV_FAR[F64]))
    factor = where(w < 6.0, horner(w - 3.0, coefficients.ERFINV_NEAR[fmt.dtype]), factor)
    return p * where(w.same(inf), inf, factor)


TABLE: Table = {
    **in_both("erf", erf),
    **by_double("erfc", erfc, erfc),
    **in_both("erfinv", erfinv),
}
