"""exp, exp2, expm1 and what is made of them: sinh, cosh, tanh, sigmoid.

The coefficients of exp were fitted for this file: minimax (Remez exchange, 200 bits), rounded to the format. The
others are in ``coefficients.py``.
"""

from __future__ import annotations

from fractions import Fraction
from math import factorial

from tilewright.ir.types import F32, F64, DType
from tilewright.passes.legalise.math import coefficients
from tilewright.passes.legalise.math.doubleword import (
    Pair,
    choose,
    fast_two_sum,
    sum_by_size,
    term_horner,
    two_product,
    two_sum,
)
from tilewright.passes.legalise.math.formats import (
    DOUBLE,
    LN2,
    Format,
    Table,
    horner,
    in_both,
    power_of_two,
    with_sign_of,
)
from tilewright.passes.legalise.term import Term, where
from tilewright.records import dataclass


@dataclass(frozen=True)
class Exponential:
    """``range``: outside of it exp is 0 or inf for sure. ``tail``: (e^r - 1 - r) / r^2 on |r| <= ln2/2."""

    range: tuple[float, float]
    tail: tuple[float, ...]


def _hex(text: str) -> tuple[float, ...]:
    return tuple(map(float.fromhex, text.split()))


# relative errors of the polynomials: 2^-30.8, 2^-61.5
EXP: dict[DType, Exponential] = {
    F32: Exponential(
        (-104.0, 89.0),
        _hex("0x1.0p-1 0x1.555556p-3 0x1.5554e8p-5 0x1.1110acp-7 0x1.6d43b2p-10 0x1.a17ebp-13"),
    ),
    F64: Exponential(
        (-746.0, 710.0),
        _hex(
            "0x1.0p-1 0x1.5555555555557p-3 0x1.5555555555558p-5 0x1.11111111100bdp-7 0x1.6c16c16c151ccp-10"
            " 0x1.a01a01abf87f0p-13 0x1.a01a01ad0cc6ap-16 0x1.71de01fd5b18ep-19 0x1.27e4cca28ebaep-22"
            " 0x1.af4e55fd0eed3p-26 0x1.1f8b959e6a204p-29"
        ),
    ),
}


def exp(fmt: Format, x: Term) -> Term:
    """e^x = 2^n * e^r with n = round(x / ln2): at most 1 ULP (f32), 2 ULP (f64), denormal results included."""
    exponent, r, tail = _reduced(fmt, _clamped(x, *EXP[fmt.dtype].range))
    return _times_power(fmt, tail.op("fma", r * r, r) + 1.0, exponent)


def exp_of_sum(fmt: Format, high: Term, low: Term, shift: int = 0) -> Term:
    """2^shift * e^(high + low) for a small ``low``."""
    least, most = EXP[fmt.dtype].range
    exponent, r, tail = _reduced(fmt, _clamped(high, least, most + 1.0), low)
    return _times_power(fmt, tail.op("fma", r * r, r) + 1.0, exponent + shift)


def _clamped(x: Term, low: float, high: float) -> Term:
    return where(x < low, low, where(x > high, high, x))


def _reduced(fmt: Format, x: Term, low: Term | None = None) -> tuple[Term, Term, Term]:
    """``(n, r, t)``: x + low = n * ln2 + r and e^r = 1 + r + r^2 * t."""
    shifted = x.op("fma", 1.0 / LN2, fmt.magic)
    n = shifted - fmt.magic
    rest = n.op("fma", -fmt.ln2_hi, x)
    r = n.op("fma", -fmt.ln2_lo, rest if low is None else rest + low)
    return shifted.bits(fmt.bits) - fmt.magic_bits, r, horner(r, EXP[fmt.dtype].tail)


def _times_power(fmt: Format, value: Term, exponent: Term) -> Term:
    """``value * 2^exponent`` in two steps, of which the last one rounds."""
    half = exponent >> 1
    return value * power_of_two(fmt, half) * power_of_two(fmt, exponent - half)


LN2_EXACT = Fraction("0.69314718055994530941723212145817656807550013436025525412068")
LN2_REST = float(LN2_EXACT - Fraction(DOUBLE.ln2_hi) - Fraction(DOUBLE.ln2_lo))
EXP_TERMS = 13
"""The powers of r below this one have double words in the series of e^r; EXP_REST has the others."""


def exp_pair(x: Pair) -> Pair:
    """e^x in f64 to about 2^-102 of itself; 0 below -746."""
    exponent, less_one = _reduced_pair(x)
    half = exponent >> 1
    power = sum_by_size(1.0, less_one).scaled(power_of_two(DOUBLE, half))
    zero = x.high.like(0.0)
    return choose(x.high < -746.0, Pair(zero, zero), power.scaled(power_of_two(DOUBLE, exponent - half)))


def expm1_pair(x: Term) -> Pair:
    """e^x - 1 for an f64 of -1 to 0, to about 2^-102 of itself."""
    exponent, less_one = _reduced_pair(Pair(x, x.like(0.0)))
    power = power_of_two(DOUBLE, exponent)
    return sum_by_size(power - 1.0, less_one.scaled(power))


def _reduced_pair(x: Pair) -> tuple[Term, Pair]:
    """``(n, p)``: e^x = 2^n * (1 + p)."""
    shifted = _clamped(x.high, -746.0, 710.0).op("fma", 1.0 / LN2, DOUBLE.magic)
    n = shifted - DOUBLE.magic
    product = two_product(n, n.like(DOUBLE.ln2_lo))
    r = two_sum(x.high - n * DOUBLE.ln2_hi, -product.high)
    low = r.low + (x.low - (n * LN2_REST + product.low))
    tail = horner(r.high, coefficients.EXP_REST[F64])
    series = term_horner(r.high, tail, tuple(Fraction(1, factorial(k)) for k in range(1, EXP_TERMS)))
    power = two_product(r.high, series.high)
    rest = r.high * series.low + power.low + (low * power.high + low)
    return shifted.bits(DOUBLE.bits) - DOUBLE.magic_bits, fast_two_sum(power.high, rest)


def exp2(fmt: Format, x: Term) -> Term:
    limit = float(fmt.bias + fmt.fraction + 2)
    return exp2_of_sum(fmt, _clamped(x, -limit, limit), x.like(0.0))


def exp2_of_sum(fmt: Format, high: Term, low: Term) -> Term:
    """2^(high + low) for a small ``low``; ``high`` is within the exponents, denormal and overflowing ones included."""
    shifted = high + fmt.magic
    f = (high - (shifted - fmt.magic)) + low
    power = horner(f, coefficients.EXP2[fmt.dtype]).op("fma", f, 1.0)
    return _times_power(fmt, power, shifted.bits(fmt.bits) - fmt.magic_bits)


def expm1(fmt: Format, x: Term) -> Term:
    """2^n * (e^r - 1) + (2^n - 1), halved while it is computed, so that 2^n does not overflow."""
    exponent, r, tail = _reduced(fmt, _clamped(x, -0.75 * fmt.fraction - 2.0, EXP[fmt.dtype].range[1]))
    less_one = tail.op("fma", r * r, r)
    half = power_of_two(fmt, exponent - 1)
    large = less_one.op("fma", half, half - 0.5) * 2.0
    return where(x.same(0.0), x, where(exponent.same(0), less_one, large))


def tanh(fmt: Format, x: Term) -> Term:
    """A polynomial in the middle, else 1 - 2 / (e^2a + 1)."""
    a = x.op("abs")
    z = x * x
    small = horner(z, coefficients.TANH[fmt.dtype]).op("fma", z * a, a)
    large = x.like(1.0) - x.like(2.0) / (exp(fmt, a + a) + 1.0)
    return with_sign_of(fmt, where(a < 0.6, small, large), x)


def sigmoid(fmt: Format, x: Term) -> Term:
    """1 / (1 + e^-x), with e^-|x| so that it does not overflow. What sum and quotient round away is put back."""
    e = exp(fmt, -x.op("abs"))
    above = where(x < 0.0, e, where(x.op("isnan"), x, 1.0))
    below = fast_two_sum(x.like(1.0), e)
    quotient = above / below.high
    rest = (-quotient).op("fma", below.high, above) - quotient * below.low
    return quotient + rest / below.high


def sinh(fmt: Format, x: Term) -> Term:
    a = x.op("abs")
    less_one = expm1(fmt, a.op("min", 1.0))
    small = (less_one + less_one / (less_one + 1.0)) * 0.5
    half = exp_of_sum(fmt, a, a.like(0.0), -1)
    large = half - a.like(0.25) / half
    return with_sign_of(fmt, where(a < 1.0, small, large), x)


def cosh(fmt: Format, x: Term) -> Term:
    a = x.op("abs")
    half = exp_of_sum(fmt, a, a.like(0.0), -1)
    return half + a.like(0.25) / half


TABLE: Table = {
    **in_both("exp", exp),
    **in_both("exp2", exp2),
    **in_both("expm1", expm1),
    **in_both("tanh", tanh),
    **in_both("sigmoid", sigmoid),
    **in_both("sinh", sinh),
    **in_both("cosh", cosh),
}
