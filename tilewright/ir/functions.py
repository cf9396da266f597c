"""The functions of mathematics: what all layers must know of each, one row a function.

A row makes the scalar operation (``ir.scalar.OPS``), its hash in the exact field and its accuracy. What is written in
the terms of a layer stands there, under the same name: the meaning in ``ir/interpret/functions.py``, the expansion in
``passes/legalise/math``, the derivative in ``passes/tensor/functions.py``. ``tests/test_math.py`` fails where one is
missing.
"""

from __future__ import annotations

from collections.abc import Mapping

from tilewright.records import dataclass


@dataclass(frozen=True)
class Function:
    """``salt``: of its hash in the exact field. ``ulps``: how far a result may be from the true one, by bits of the
    float, in units of the last place; 0: it is the true one, rounded once."""

    arity: int
    salt: int
    ulps: Mapping[int, float]

    @property
    def is_exact(self) -> bool:
        return not any(self.ulps.values())


def _exact(arity: int, salt: int) -> Function:
    return Function(arity, salt, {32: 0, 64: 0})


def _rounded(arity: int, salt: int, single: float = 4, double: float = 4) -> Function:
    return Function(arity, salt, {32: single, 64: double})


FUNCTIONS: Mapping[str, Function] = {
    # roundings and neighbours
    "floor": _exact(1, 5),
    "ceil": _exact(1, 6),
    "round": _exact(1, 7),
    "trunc": _exact(1, 8),
    "sign": _exact(1, 9),
    "copysign": _exact(2, 10),
    "nextafter": _exact(2, 11),
    "fmod": _exact(2, 12),
    "remainder": _exact(2, 13),
    # exponentials
    "exp": _rounded(1, 1, single=1),
    "exp2": _rounded(1, 14),
    "expm1": _rounded(1, 15),
    "sigmoid": _rounded(1, 16, single=2),
    "sinh": _rounded(1, 17),
    "cosh": _rounded(1, 18),
    "tanh": _rounded(1, 19, single=2),
    # logarithms
    "log": _rounded(1, 2, single=1),
    "log2": _rounded(1, 20),
    "log10": _rounded(1, 21),
    "log1p": _rounded(1, 22),
    "asinh": _rounded(1, 23),
    "acosh": _rounded(1, 24),
    "atanh": _rounded(1, 25),
    "logaddexp": _rounded(2, 26),
    # powers and roots
    "sqrt": _exact(1, 3),
    "rsqrt": _rounded(1, 27, single=1),
    "cbrt": _rounded(1, 28),
    "hypot": _rounded(2, 29),
    "pow": _rounded(2, 30, single=2),
    # trigonometry
    "sin": _rounded(1, 31, single=1),
    "cos": _rounded(1, 32, single=1),
    "tan": _rounded(1, 33),
    "asin": _rounded(1, 34),
    "acos": _rounded(1, 35),
    "atan": _rounded(1, 36),
    "atan2": _rounded(2, 37),
    # error function and gamma
    "erf": _rounded(1, 38, single=2),
    "erfc": _rounded(1, 39),
    "erfinv": _rounded(1, 40),
    "lgamma": _rounded(1, 41),
    "digamma": _rounded(1, 42),
}
"""By name. (Salt 4 is that of the cast to integers.)"""
