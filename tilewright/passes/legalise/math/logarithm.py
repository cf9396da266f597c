"""log, log2, log10, log1p and what is made of them: asinh, acosh, atanh, logaddexp.

The reduction and the form of ``log`` (s = f / (2 + f), log(1 + f) = f - (f*f/2 - s*(f*f/2 + R(s*s)))) are the
well-known ones of Sun's fdlibm. The coefficients were fitted for this file: minimax (Remez exchange, 200 bits),
rounded to the format.
"""

from __future__ import annotations

from fractions import Fraction
from math import inf, nan

from tilewright.ir.types import F32, F64, DType
from tilewright.passes.legalise.math import coefficients
from tilewright.passes.legalise.math.doubleword import Pair, constant, pair_horner, two_sum
from tilewright.passes.legalise.math.exponential import LN2_EXACT, exp, exp_pair, expm1_pair
from tilewright.passes.legalise.math.formats import (
    DOUBLE,
    LN2,
    Format,
    Table,
    by_double,
    horner,
    in_both,
    normal,
    power_of_two,
    split,
    split_constant,
    with_sign_of,
)
from tilewright.passes.legalise.term import Term, number, where


def _hex(text: str) -> tuple[float, ...]:
    return tuple(map(float.fromhex, text.split()))


# relative errors: 2^-31.5, 2^-57.5
TAIL: dict[DType, tuple[float, ...]] = {
    F32: _hex("0x1.555556p-1 0x1.9999ecp-2 0x1.245c0cp-2 0x1.ddd8e2p-3"),
    F64: _hex(
        "0x1.5555555555558p-1 0x1.9999999995223p-2 0x1.2492492e03ec7p-2 0x1.c71c62d035d28p-3 0x1.7462ba29daeebp-3"
        " 0x1.39fdb91646c86p-3 0x1.2b5fc0cc3894bp-3"
    ),
}
"""R(z) / z on 0 <= z <= 0.0295."""


def log(fmt: Format, x: Term) -> Term:
    """The natural logarithm: at most 1 ULP (f32), 2 ULP (f64), denormal operands included."""
    k, f = _reduced(fmt, x)
    s, half, rest = _series(fmt, f)
    inner = s * rest + k * fmt.ln2_lo
    return _at_the_ends(fmt, x, k * fmt.ln2_hi - (half - inner - f))


def _reduced(fmt: Format, x: Term) -> tuple[Term, Term]:
    """``(k, f)`` with x = 2^k * (1 + f), for a positive x."""
    shift, scaled = normal(fmt, x)
    k, m = split(fmt, scaled)
    return k.to(fmt.dtype) - shift, m - 1.0


def _series(fmt: Format, f: Term) -> tuple[Term, Term, Term]:
    """``(s, h, t)`` with log(1 + f) = f - (h - s * t)."""
    s = f / (f + 2.0)
    z = s * s
    half = f * 0.5 * f
    return s, half, horner(z, TAIL[fmt.dtype]).op("fma", z, half)


def _near_one(fmt: Format, f: Term) -> Term:
    """log(1 + f) for sqrt(1/2) <= 1 + f < sqrt(2)."""
    s, half, rest = _series(fmt, f)
    return f - (half - s * rest)


def _at_the_ends(fmt: Format, x: Term, finite: Term) -> Term:
    """A logarithm, ``finite`` where ``x`` is positive and finite."""
    positive = where(x.same(inf), inf, finite)
    return where(x > 0.0, positive, where(x.same(0.0), number(-inf, fmt.dtype), nan))


def log2(fmt: Format, x: Term) -> Term:
    k, f = _reduced(fmt, x)
    return _at_the_ends(fmt, x, _near_one(fmt, f).op("fma", 1.0 / LN2, k))


LOG10_2 = Fraction("0.30102999566398119521373889472449302676818988146210854131")
LOG10_E = 0.4342944819032518


def log10(fmt: Format, x: Term) -> Term:
    k, f = _reduced(fmt, x)
    high, low = split_constant(fmt, LOG10_2)
    rest = k.op("fma", low, _near_one(fmt, f) * LOG10_E)
    return _at_the_ends(fmt, x, k.op("fma", high, rest))


def log1p(fmt: Format, x: Term) -> Term:
    u, value = _log1p_of_sum(fmt, x)
    return where(x.same(0.0), x, _at_the_ends(fmt, u, value))


def _log1p_of_sum(fmt: Format, x: Term, low: Term | None = None) -> tuple[Term, Term]:
    """``(u, v)``: u = 1 + x rounded, v = log(1 + x + low) for a small ``low`` where u is positive and finite.

    v is log(u) + (what is lost in u) / u; around 0, f is x itself.
    """
    u = two_sum(x.like(1.0), x)
    k, f = _reduced(fmt, u.high)
    middle = k.same(0.0)
    s, half, rest = _series(fmt, where(middle, x, f))
    lost = where(middle, 0.0, u.low) if low is None else where(middle, low, u.low + low)
    inner = s * rest + k.op("fma", fmt.ln2_lo, lost / u.high)
    return u.high, k * fmt.ln2_hi - (half - inner - where(middle, x, f))


def asinh(fmt: Format, x: Term) -> Term:
    a = x.op("abs")
    square = a * a
    middle = log1p(fmt, a + square / ((square + 1.0).op("sqrt") + 1.0))
    return with_sign_of(fmt, where(a > _large(fmt), log(fmt, a) + LN2, middle), x)


def acosh(fmt: Format, x: Term) -> Term:
    t = x - 1.0
    middle = log1p(fmt, t + (t * (t + 2.0)).op("sqrt"))
    return where(x < 1.0, nan, where(x > _large(fmt), log(fmt, x) + LN2, middle))


def _large(fmt: Format) -> float:
    """Above it the squares of numbers hide 1."""
    return 2.0 ** (fmt.fraction // 2 + 4)


def atanh(fmt: Format, x: Term) -> Term:
    a = x.op("abs")
    double = a + a
    argument = where(a < 0.5, double + double * a / (a.like(1.0) - a), double / (a.like(1.0) - a))
    return with_sign_of(fmt, log1p(fmt, argument) * 0.5, x)


# --- in double words ------------------------------------------------------------------------------


def log_pair(x: Pair) -> Pair:
    """The logarithm of a positive normal f64 pair, to about 2^-100 of its terms and 2^-66 of itself."""
    k, _ = split(DOUBLE, x.high)
    half = k >> 1
    m = x.scaled(power_of_two(DOUBLE, -half)).scaled(power_of_two(DOUBLE, half - k))
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    tail = horner(z.high, coefficients.LOG_TAIL[F64])
    series = pair_horner(z, tail, (Fraction(2), Fraction(2, 3), Fraction(2, 5)))
    exponent = k.to(F64)
    return constant(exponent, LN2_EXACT) * exponent + s * series


def logaddexp_single(a: Term, b: Term) -> Term:
    """In f64, for f32 operands."""
    most, least = a.op("max", b), a.op("min", b)
    return _unless_infinite(most, most + log1p(DOUBLE, exp(DOUBLE, least - most)))


def logaddexp(a: Term, b: Term) -> Term:
    """base + log(e^(a - base) + e^(b - base)). The base is the larger one, or 0 where the logarithm may be near 0, so
    that nothing cancels but the powers, which are double words."""
    most, least = a.op("max", b), a.op("min", b)
    base = where((most > -1.0) & (most < 0.0), 0.0, most)
    less = two_sum(least, -base)
    power = expm1_pair(most - base) + exp_pair(less)
    _, logarithm = _log1p_of_sum(DOUBLE, power.high, power.low)
    return _unless_infinite(most, where(less.high < -746.0, most + 0.0, base + logarithm))


def _unless_infinite(most: Term, finite: Term) -> Term:
    return where(most.op("abs").same(inf) | most.op("isnan"), most, finite)


TABLE: Table = {
    **in_both("log", log),
    **in_both("log2", log2),
    **in_both("log10", log10),
    **in_both("log1p", log1p),
    **in_both("asinh", asinh),
    **in_both("acosh", acosh),
    **in_both("atanh", atanh),
    **by_double("logaddexp", logaddexp_single, logaddexp),
}
