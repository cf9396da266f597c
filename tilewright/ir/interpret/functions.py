"""What the functions of mathematics mean on f64: C99's annex F at the ends, Python's own library elsewhere.

An f32 result is an f64 one rounded once more, which is as if done once but in cases too rare to be met.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction

from tilewright.ir.interpret.special import digamma, erfinv, lgamma

Real = Callable[..., float]


def _total(f: Real, at: Mapping[float, float] | None = None) -> Real:
    """``f``, with ``at`` where it is listed, nan outside of the domain and for nan, and inf where it overflows."""

    def everywhere(*args: float) -> float:
        if any(map(math.isnan, args)):
            return math.nan
        if at and args[0] in at:
            return at[args[0]]
        try:
            return f(*args)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.inf

    return everywhere


def _integral(f: Callable[[float], int]) -> Real:
    """A rounding; a 0 has the sign of the operand."""
    return lambda x: math.copysign(f(x), x) if math.isfinite(x) and abs(x) < 2.0**53 else x


def _sign(x: float) -> float:
    return math.copysign(1.0, x) if x < 0 or x > 0 else x


def _remainder(x: float, y: float) -> float:
    rest = _fmod(x, y)
    if rest == 0:
        return math.copysign(rest, y)
    return rest + y if (rest < 0) != (y < 0) else rest


def _pow(x: float, y: float) -> float:
    if x == 1 or y == 0:
        return 1.0
    odd = math.isfinite(y) and y % 2 == 1
    try:
        return math.pow(x, y)
    except OverflowError:
        return -math.inf if x < 0 and odd else math.inf
    except ValueError:
        return math.nan if x else math.copysign(math.inf, x if odd else 1.0)


def _rsqrt(x: float) -> float:
    if x == 0:
        return math.copysign(math.inf, x)
    return 1 / math.sqrt(x) if x >= 0 else math.nan


def _cbrt(x: float) -> float:
    """Of the floats around the library's, the one whose cube is nearest."""
    near = math.cbrt(x)
    if x == 0 or not math.isfinite(x):
        return near
    around = (near, math.nextafter(near, math.inf), math.nextafter(near, -math.inf))
    return min(around, key=lambda r: abs(Fraction(r) ** 3 - Fraction(x)))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -30 else math.exp(x) / (1 + math.exp(x)) if x > -700 else math.exp(x)


def _logaddexp(a: float, b: float) -> float:
    if math.isnan(a) or math.isnan(b):
        return math.nan
    most, least = max(a, b), min(a, b)
    return most if math.isinf(most) else most + math.log1p(math.exp(least - most))


_fmod = _total(math.fmod)

MEANINGS: Mapping[str, Real] = {
    "floor": _integral(math.floor),
    "ceil": _integral(math.ceil),
    "round": _integral(round),
    "trunc": _integral(math.trunc),
    "sign": _sign,
    "copysign": math.copysign,
    "fmod": _fmod,
    "remainder": _remainder,
    "exp": _total(math.exp),
    "exp2": _total(math.exp2),
    "expm1": _total(math.expm1),
    "sigmoid": _sigmoid,
    "sinh": _total(lambda x: math.sinh(x) if abs(x) < 710.4758 else math.copysign(math.inf, x)),
    "cosh": _total(math.cosh),
    "tanh": math.tanh,
    "log": _total(math.log, {0.0: -math.inf}),
    "log2": _total(math.log2, {0.0: -math.inf}),
    "log10": _total(math.log10, {0.0: -math.inf}),
    "log1p": _total(math.log1p, {-1.0: -math.inf}),
    "asinh": math.asinh,
    "acosh": _total(math.acosh),
    "atanh": _total(math.atanh, {1.0: math.inf, -1.0: -math.inf}),
    "logaddexp": _logaddexp,
    "sqrt": _total(math.sqrt),
    "rsqrt": _rsqrt,
    "cbrt": _cbrt,
    "hypot": math.hypot,
    "pow": _pow,
    "sin": _total(math.sin),
    "cos": _total(math.cos),
    "tan": _total(math.tan),
    "asin": _total(math.asin),
    "acos": _total(math.acos),
    "atan": math.atan,
    "atan2": math.atan2,
    "erf": math.erf,
    "erfc": math.erfc,
    "erfinv": erfinv,
    "lgamma": lgamma,
    "digamma": digamma,
}
"""All but ``nextafter``, which is a matter of the format."""
