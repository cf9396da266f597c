"""lgamma and digamma, by Stirling's series behind the recurrence and the reflection.

Both have zeros where large terms cancel. So f64 is computed in double words, and f32 in f64, by the same formulas.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from math import inf, nan
from typing import Any

from tilewright.ir.types import F64
from tilewright.passes.legalise.math import coefficients
from tilewright.passes.legalise.math.doubleword import Pair, choose, constant
from tilewright.passes.legalise.math.exponential import LN2_EXACT
from tilewright.passes.legalise.math.formats import DOUBLE, Table, by_double, horner
from tilewright.passes.legalise.math.logarithm import log, log_pair
from tilewright.passes.legalise.math.trigonometry import PI
from tilewright.passes.legalise.term import Term, where
from tilewright.records import dataclass

BERNOULLI = tuple(
    Fraction(b) for b in "1/6 -1/30 1/42 -1/30 5/66 -691/2730 7/6 -3617/510 43867/798 -174611/330 854513/138".split()
)
"""B2, B4, ..."""
LGAMMA_SERIES = tuple(b / ((2 * k + 2) * (2 * k + 1)) for k, b in enumerate(BERNOULLI))
DIGAMMA_SERIES = tuple(b / (2 * k + 2) for k, b in enumerate(BERNOULLI))
HALF_LOG_2PI = Fraction("0.91893853320467274178032973640561763986139747363778341281715")
SHIFT = 10
"""From here on the series are as good as double words are here."""
TINY = 2.0**-60
LAST = 2.5599833278516383e305
"""The largest f64 of which lgamma is finite."""


@dataclass(frozen=True)
class Arithmetic:
    """Numbers with ``+ - * /`` and terms on the right: f64 terms themselves, or pairs."""

    lift: Callable[[Term], Any]
    constant: Callable[[Term, Fraction], Any]
    log: Callable[[Any], Any]
    choose: Callable[[Term, Any, Any], Any]
    head: Callable[[Any], Term]
    value: Callable[[Any], Term]

    def polynomial(self, x: Any, tail: Term, terms: Sequence[Fraction]) -> Any:
        """``c0 + x (c1 + x (... + x tail))``."""
        result = self.lift(tail)
        for c in reversed(terms):
            result = x * result + self.constant(tail, c)
        return result


PLAIN = Arithmetic(
    lift=lambda x: x,
    constant=lambda like, c: like.like(float(c)),
    log=partial(log, DOUBLE),
    choose=where,
    head=lambda x: x,
    value=lambda x: x,
)
DOUBLED = Arithmetic(
    lift=lambda x: Pair(x, x.like(0.0)),
    constant=constant,
    log=log_pair,
    choose=choose,
    head=lambda x: x.high,
    value=Pair.value,
)


def _series(on: Arithmetic, z: Any, terms: Sequence[Fraction]) -> Any:
    """The polynomial of ``z`` <= 1/100: its first term is exact enough to be worth a double word."""
    return on.polynomial(z, horner(on.head(z), [float(c) for c in terms[1:]]), terms[:1])


def _turn(x: Term) -> Term:
    """What ``x`` is off the nearest integer."""
    return x - x.op("round")


def _sine_pi(on: Arithmetic, r: Any) -> Any:
    """sin(pi r) for 0 <= r <= 1/2."""
    t = r * on.constant(on.head(r), PI)
    z = t * t
    tail = horner(on.head(z), coefficients.SINE_TAIL[F64])
    return t * on.polynomial(z, tail, (Fraction(1), Fraction(-1, 6), Fraction(1, 120)))


def _shifted(on: Arithmetic, y: Term) -> tuple[Term, Any]:
    """``(near, Y)``: whether y < SHIFT, and then y + SHIFT, else y."""
    near = y < float(SHIFT)
    return near, on.choose(near, on.lift(y) + float(SHIFT), on.lift(y))


def lgamma(on: Arithmetic, x: Term) -> Term:
    """For y = |x|: Stirling's sum less the log of y (y + 1) ...; for x < 0, by reflection, the log of a ratio."""
    y = x.op("abs")
    negative, tiny = x < 0.0, y < TINY
    near, far = _shifted(on, y)
    one = on.lift(y.like(1.0))
    rest = one
    for k in range(1, SHIFT):
        rest = rest * (on.lift(y) + float(k))
    rest = on.choose(near, rest, one)
    sine = _sine_pi(on, on.lift(_turn(y).op("abs")))
    above = on.choose(near, rest * y, one)
    below = on.choose(near, sine, sine * y) / (rest * on.constant(y, PI))
    argument = on.choose(tiny, on.lift(y * 2.0**256), on.choose(negative, below, above))
    stirling = _stirling(on, far)
    base = on.choose(negative, -stirling, stirling)
    base = on.choose(tiny, on.constant(y, LN2_EXACT * 256), base)
    pole = y.same(inf) | (x <= 0.0) & _turn(y).same(0.0)
    value = where(pole | (x > LAST), inf, on.value(base - on.log(argument)))
    return where(x.op("isnan"), x, where(x.same(1.0) | x.same(2.0), 0.0, value))


def _stirling(on: Arithmetic, y: Any) -> Any:
    """(y - 1/2) log y - y + ..., in a form that overflows no sooner than its value."""
    one = on.lift(on.head(y).like(1.0))
    inverse = one / y
    tail = inverse * _series(on, inverse * inverse, LGAMMA_SERIES)
    return (y - 0.5) * (on.log(y) - 1.0) + on.constant(on.head(y), HALF_LOG_2PI - Fraction(1, 2)) + tail


def digamma(on: Arithmetic, x: Term) -> Term:
    """For y = |x|: log y - 1/2y - ..., less 1/y + 1/(y + 1) + ...; for x < 0 pi / tan(pi y) + 1/y more."""
    y = x.op("abs")
    near, far = _shifted(on, y)
    product, slope = on.lift(y), on.lift(y.like(1.0))
    for k in range(1, SHIFT):
        factor = on.lift(y) + float(k)
        product, slope = product * factor, slope * factor + product
    zero = on.lift(y.like(0.0))
    value = _digamma_series(on, far) - on.choose(near, slope / product, zero)
    turn = _turn(y)
    r = on.lift(turn.op("abs"))
    cotangent = _sine_pi(on, -r + 0.5) / _sine_pi(on, r)
    cotangent = on.choose(turn < 0.0, -cotangent, cotangent)
    reflected = value + on.lift(y.like(1.0)) / y + cotangent * on.constant(y, PI)
    result = on.value(on.choose(x < 0.0, reflected, value))
    result = where(y < TINY, x.like(-1.0) / x, where((x < 0.0) & turn.same(0.0), nan, result))
    return where(x.same(inf), inf, where(x.same(-inf), nan, result))


def _digamma_series(on: Arithmetic, y: Any) -> Any:
    one = on.lift(on.head(y).like(1.0))
    inverse = one / y
    z = inverse * inverse
    return on.log(y) - inverse * 0.5 - z * _series(on, z, DIGAMMA_SERIES)


TABLE: Table = {
    **by_double("lgamma", partial(lgamma, PLAIN), partial(lgamma, DOUBLED)),
    **by_double("digamma", partial(digamma, PLAIN), partial(digamma, DOUBLED)),
}
