"""Rounding to integers, remainders, and neighbours: exact."""

from __future__ import annotations

from functools import partial
from math import inf, nan

from tilewright.passes.legalise.math.formats import (
    DOUBLE,
    Format,
    Table,
    bits,
    by_double,
    from_bits,
    in_both,
    is_negative,
    with_sign_of,
)
from tilewright.passes.legalise.term import Term, where
from tilewright.records import dataclass


def round_(fmt: Format, x: Term) -> Term:
    """Half to even, by adding what leaves no bits for a fraction."""
    a = x.op("abs")
    power = 2.0**fmt.fraction
    return where(a < power, with_sign_of(fmt, (a + power) - power, x), x)


def floor(fmt: Format, x: Term) -> Term:
    near = round_(fmt, x)
    return with_sign_of(fmt, where(near > x, near - 1.0, near), x)


def ceil(fmt: Format, x: Term) -> Term:
    near = round_(fmt, x)
    return with_sign_of(fmt, where(near < x, near + 1.0, near), x)


def trunc(fmt: Format, x: Term) -> Term:
    return with_sign_of(fmt, x.op("abs").op("floor"), x)


def copysign(fmt: Format, x: Term, y: Term) -> Term:
    return with_sign_of(fmt, x, y)


def sign(fmt: Format, x: Term) -> Term:
    """-1, 1, or ``x`` itself where it is 0 or nan."""
    return where(x > 0.0, 1.0, where(x < 0.0, x.like(-1.0), x))


def nextafter(fmt: Format, x: Term, y: Term) -> Term:
    """One more or less in the pattern, which orders floats of one sign."""
    u = bits(fmt, x)
    outward = (y > x).same(x > 0.0)
    moved = from_bits(fmt, where(outward, u + 1, u - 1))
    least = with_sign_of(fmt, from_bits(fmt, u.like(1)), y)
    value = where(x.same(y), y, where(x.same(0.0), least, moved))
    return where(x.op("isnan") | y.op("isnan"), nan, value)


# --- remainders -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Division:
    """How to divide numbers of a format in f64 by subtraction: ``steps`` times so many ``bits`` of the quotient.

    A divisor is cut after ``kept`` bits: its parts times a part of the quotient are exact.
    """

    bits: int
    steps: int
    kept: int


BY_FORMAT = {32: Division(bits=28, steps=9, kept=53), 64: Division(bits=26, steps=80, kept=26)}
"""Quotients of finite numbers are below 2^277 (f32) and 2^2098 (f64): the first part of one has up to 53 (f32) or 44
(f64) bits if the divisor has one, and one less for each more that the divisor has."""


def _centred(how: Division, a: Term, b: Term) -> Term:
    """``a - n * b`` of least size, for ``a, b >= 0``, ``b`` not 0.

    Takes away multiples of b * 2^k from the largest k down, all made smaller where they might overflow.
    """
    scale = 2.0**how.bits
    shrink = where(a > 1.0, a.like(0.0625), 1.0)
    last = where(b > 1.0, shrink, 1.0)
    ladder = [b * scale * shrink]
    for _ in range(how.steps - 2):
        ladder.append(ladder[-1] * scale)
    a = a * shrink
    for divisor in reversed(ladder):
        a = _less_a_multiple(how, a, divisor)
    return _less_a_multiple(how, a / shrink * last, b * last) / last


def _less_a_multiple(how: Division, a: Term, divisor: Term) -> Term:
    """The quotient is rounded to nearest, so that what is left is at most half of the divisor, and exact."""
    n = (a / divisor + DOUBLE.magic) - DOUBLE.magic
    top = from_bits(DOUBLE, bits(DOUBLE, divisor) & (-1 << (53 - how.kept)))
    rest = a - n * top
    rest = rest if how.kept == 53 else rest - n * (divisor - top)
    return where(n.same(0.0), a, rest)


def _fmod(how: Division, x: Term, y: Term) -> Term:
    a, b = x.op("abs"), y.op("abs")
    rest = _centred(how, a, b)
    size = where(rest < 0.0, rest + b, rest)
    value = where(b.same(inf) | (a < b), x, with_sign_of(DOUBLE, size, x))
    return where(a.same(inf) | y.same(0.0) | x.op("isnan") | y.op("isnan"), nan, value)


def _remainder(how: Division, x: Term, y: Term) -> Term:
    """The remainder with the sign of the divisor, from the one with that of the dividend."""
    rest = _fmod(how, x, y)
    opposed = is_negative(DOUBLE, rest).differs(is_negative(DOUBLE, y))
    return where(rest.same(0.0), with_sign_of(DOUBLE, rest, y), where(opposed, rest + y, rest))


TABLE: Table = {
    **in_both("floor", floor),
    **in_both("ceil", ceil),
    **in_both("round", round_),
    **in_both("trunc", trunc),
    **in_both("copysign", copysign),
    **in_both("sign", sign),
    **in_both("nextafter", nextafter),
    **by_double("fmod", partial(_fmod, BY_FORMAT[32]), partial(_fmod, BY_FORMAT[64])),
    **by_double("remainder", partial(_remainder, BY_FORMAT[32]), partial(_remainder, BY_FORMAT[64])),
}
