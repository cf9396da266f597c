"""The functions of mathematics as mpmath has them, and operands to try them on."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from mpmath import mp, mpf

from tilewright.ir.functions import FUNCTIONS

mp.prec = 200


@dataclass(frozen=True)
class Oracle:
    """``real``: the function on mpmath's numbers, where it is finite. ``low``, ``high``: where it is interesting.

    ``zeros``: near a zero of the function the error is an absolute one.
    """

    real: Callable[..., Any]
    low: float
    high: float
    zeros: bool = False


def _log_gamma(x: Any) -> Any:
    if x > 0:
        return mp.loggamma(x)
    if x == mp.floor(x):
        return mp.inf
    return mp.log(mp.pi / abs(x * mp.sinpi(x))) - mp.loggamma(-x)


def _digamma(x: Any) -> Any:
    return mp.nan if x < 0 and x == mp.floor(x) else mp.digamma(x)


def _fmod(x: Any, y: Any) -> Any:
    with mp.workprec(4400):
        return mp.sign(x) * mp.fmod(abs(x), abs(y))


def _remainder(x: Any, y: Any) -> Any:
    with mp.workprec(4400):
        return x - y * mp.floor(x / y)


def _logaddexp(a: Any, b: Any) -> Any:
    with mp.workprec(300):
        return max(a, b) + mp.log1p(mp.exp(-abs(a - b)))


def _periodic(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def precise(x: Any) -> Any:
        with mp.workprec(1300):
            return f(x)

    return precise


ORACLES: Mapping[str, Oracle] = {
    "floor": Oracle(mp.floor, -100, 100),
    "ceil": Oracle(mp.ceil, -100, 100),
    "round": Oracle(mp.nint, -100, 100),
    "trunc": Oracle(lambda x: mp.sign(x) * mp.floor(abs(x)), -100, 100),
    "sign": Oracle(mp.sign, -2, 2),
    "copysign": Oracle(lambda x, y: abs(x) if math.copysign(1, float(y)) > 0 else -abs(x), -2, 2),
    "fmod": Oracle(_fmod, -100, 100),
    "remainder": Oracle(_remainder, -100, 100),
    "exp": Oracle(mp.exp, -746, 710),
    "exp2": Oracle(lambda x: mp.power(2, x), -1075, 1024),
    "expm1": Oracle(mp.expm1, -40, 100),
    "sigmoid": Oracle(lambda x: 1 / (1 + mp.exp(-x)), -100, 40),
    "sinh": Oracle(mp.sinh, -3, 90),
    "cosh": Oracle(mp.cosh, -3, 90),
    "tanh": Oracle(mp.tanh, -20, 20),
    "log": Oracle(mp.log, 0, 4),
    "log2": Oracle(lambda x: mp.log(x, 2), 0, 4),
    "log10": Oracle(mp.log10, 0, 4),
    "log1p": Oracle(mp.log1p, -1, 3),
    "asinh": Oracle(mp.asinh, -20, 20),
    "acosh": Oracle(mp.acosh, 1, 5),
    "atanh": Oracle(mp.atanh, -1, 1),
    "logaddexp": Oracle(_logaddexp, -3, 3),
    "sqrt": Oracle(mp.sqrt, 0, 100),
    "rsqrt": Oracle(lambda x: 1 / mp.sqrt(x), 0, 100),
    "cbrt": Oracle(lambda x: mp.sign(x) * mp.cbrt(abs(x)), -100, 100),
    "hypot": Oracle(mp.hypot, -100, 100),
    "pow": Oracle(mp.power, 0, 30),
    "sin": Oracle(_periodic(mp.sin), -20, 20),
    "cos": Oracle(_periodic(mp.cos), -20, 20),
    "tan": Oracle(_periodic(mp.tan), -20, 20),
    "asin": Oracle(mp.asin, -1, 1),
    "acos": Oracle(mp.acos, -1, 1),
    "atan": Oracle(mp.atan, -10, 10),
    "atan2": Oracle(mp.atan2, -10, 10),
    "erf": Oracle(mp.erf, -6, 6),
    "erfc": Oracle(mp.erfc, -6, 28),
    "erfinv": Oracle(mp.erfinv, -1, 1),
    "lgamma": Oracle(_log_gamma, -20, 20, zeros=True),
    "digamma": Oracle(_digamma, -20, 20, zeros=True),
}
"""All of ``ir/functions.py`` but ``nextafter``, which is no function of numbers."""


def operands(name: str, kind: np.dtype[Any], count: int, seed: int = 0) -> list[np.ndarray[Any, Any]]:
    """Half of them even in value where the function is interesting, a quarter around 0, a quarter of any pattern."""
    oracle, random = ORACLES[name], np.random.default_rng(seed)

    def column() -> np.ndarray[Any, Any]:
        even = random.uniform(oracle.low, oracle.high, count // 2)
        small = random.uniform(-1, 1, count // 4) * 10.0 ** random.uniform(-8, 0.5, count // 4)
        bits = kind.itemsize * 8
        patterns = random.integers(0, 2**bits - 1, count - len(even) - len(small), dtype=np.uint64, endpoint=True)
        return np.concatenate([even.astype(kind), small.astype(kind), patterns.astype(f"u{kind.itemsize}").view(kind)])

    return [random.permutation(column()) for _ in range(FUNCTIONS[name].arity)]


def exact(name: str, args: tuple[Any, ...]) -> Any:
    """The true value for finite operands where there is one, else None."""
    if not all(math.isfinite(a) for a in args):
        return None
    try:
        value = ORACLES[name].real(*(mpf(float(a)) for a in args))
    except (ValueError, ZeroDivisionError, OverflowError):
        return None
    return value if isinstance(value, mpf) and mp.isfinite(value) else None


def ulps(actual: float, true: Any, kind: np.dtype[Any], near_zero: bool = False) -> float:
    """The error in units of the last place of the true value (``near_zero``: of 1, if that is more).

    Where the true value overflows, infinity is right, and the largest number as well.
    """
    info = np.finfo(kind)
    digits = info.nmant
    if abs(true) >= mpf(float(info.max)) * (1 + mpf(2) ** (-digits - 2)):
        top = math.inf if true > 0 else -math.inf
        return 0.0 if actual in (top, math.copysign(float(info.max), top)) else math.inf
    if not math.isfinite(actual):
        return 0.0 if abs(true) > float(info.max) * (1 - 2.0**-digits) else math.inf
    exponent = max(mp.frexp(true)[1] - 1 if true else -9999, int(info.minexp))
    if near_zero:
        exponent = max(exponent, 0)
    return float(abs(mpf(float(actual)) - true) / mpf(2) ** (exponent - digits))
