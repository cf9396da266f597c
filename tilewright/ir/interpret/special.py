"""Functions that Python lacks, or has with large errors near their zeros, in decimal arithmetic of 50 digits."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Decimal, getcontext, localcontext
from fractions import Fraction
from functools import cache

DIGITS = 50
SHIFT = 40
"""Stirling's series has 50 digits from here on, with so many terms."""
TERMS = 26


@cache
def _bernoulli(n: int) -> Fraction:
    """B_n by the defining recurrence."""
    if n == 0:
        return Fraction(1)
    return -sum((math.comb(n + 1, k) * _bernoulli(k) for k in range(n)), Fraction(0)) / (n + 1)


def _decimal(x: Fraction) -> Decimal:
    return Decimal(x.numerator) / Decimal(x.denominator)


@cache
def _pi() -> Decimal:
    """Machin's formula."""

    def arctangent(n: int) -> Decimal:
        return sum(((-1) ** k / (Decimal(2 * k + 1) * n ** (2 * k + 1)) for k in range(80)), Decimal(0))

    return 4 * (4 * arctangent(5) - arctangent(239))


def _precise(f: Callable[[Decimal], Decimal]) -> Callable[[float], float]:
    """``f`` in 60 digits, its result rounded."""

    def rounded(x: float) -> float:
        with localcontext(Context(prec=DIGITS + 10, Emin=-99999, Emax=99999)):
            return float(f(Decimal(x)))

    return rounded


def _sine(t: Decimal) -> Decimal:
    total = term = t
    k = 1
    while abs(term) > abs(total) * Decimal(10) ** -(DIGITS + 10):
        term *= -t * t / ((k + 1) * (k + 2))
        total += term
        k += 2
    return total


def _stirling(x: Decimal) -> Decimal:
    """log Gamma for x >= SHIFT."""
    total = (x - Decimal("0.5")) * x.ln() - x + (2 * _pi()).ln() / 2
    for k in range(1, TERMS):
        total += _decimal(_bernoulli(2 * k)) / (2 * k * (2 * k - 1) * x ** (2 * k - 1))
    return total


def _lgamma_positive(x: Decimal) -> Decimal:
    product = Decimal(1)
    while x < SHIFT:
        product, x = product * x, x + 1
    return _stirling(x) - product.ln()


@_precise
def _lgamma(x: Decimal) -> Decimal:
    if x > 0:
        return _lgamma_positive(x)
    sine = abs(_sine(_pi() * (x - x.to_integral_value())))
    return (_pi() / (abs(x) * sine)).ln() - _lgamma_positive(-x)


def _digamma_positive(x: Decimal) -> Decimal:
    total = Decimal(0)
    while x < SHIFT:
        total, x = total - 1 / x, x + 1
    total += x.ln() - 1 / (2 * x)
    for k in range(1, TERMS):
        total -= _decimal(_bernoulli(2 * k)) / (2 * k * x ** (2 * k))
    return total


@_precise
def _digamma(x: Decimal) -> Decimal:
    if x > 0:
        return _digamma_positive(x)
    turn = x - x.to_integral_value()
    cotangent = _sine(_pi() * (Decimal("0.5") - turn)) / _sine(_pi() * turn)
    return _digamma_positive(1 - x) - _pi() * cotangent


@_precise
def _erfinv(p: Decimal) -> Decimal:
    """Newton's method from the float nearest, on Taylor's series of erf."""
    x = Decimal(_erfinv_roughly(float(p)))
    for _ in range(4):
        slope = 2 / _pi().sqrt() * (-x * x).exp()
        x -= (_erf(x) - p) / slope
    return x


def _erf(x: Decimal) -> Decimal:
    term = total = x
    k = 0
    while abs(term) > Decimal(10) ** -getcontext().prec:
        k += 1
        term *= -x * x / k
        total += term / (2 * k + 1)
    return 2 / _pi().sqrt() * total


def _erfinv_roughly(p: float) -> float:
    low, high = 0.0, 6.0
    for _ in range(60):
        middle = (low + high) / 2
        below = math.erfc(middle) > 1 - abs(p) if abs(p) > 0.5 else math.erf(middle) < abs(p)
        low, high = (middle, high) if below else (low, middle)
    return math.copysign(low, p)


def lgamma(x: float) -> float:
    """log |Gamma(x)|; inf at 0, the negative integers, and both infinities."""
    if math.isnan(x):
        return x
    if math.isinf(x) or (x <= 0 and x == math.floor(x)) or x > 2.6e305:
        return math.inf
    return 0.0 if x in (1.0, 2.0) else _lgamma(x)


def digamma(x: float) -> float:
    """The derivative of log Gamma; at 0 an infinity of the other sign, nan at the negative integers and -inf."""
    if math.isnan(x) or x == math.inf:
        return x
    if x == 0:
        return -math.copysign(math.inf, x)
    if x == -math.inf or (x < 0 and x == math.floor(x)):
        return math.nan
    return -1 / x if abs(x) < 1e-300 else _digamma(x)


def erfinv(p: float) -> float:
    """The x of erf(x) == p; nan outside of -1 .. 1, where it is infinite."""
    if math.isnan(p) or abs(p) > 1:
        return math.nan
    if abs(p) == 1:
        return math.copysign(math.inf, p)
    return p * (math.sqrt(math.pi) / 2) if abs(p) < 1e-20 else _erfinv(p)
