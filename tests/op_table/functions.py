"""The functions of mathematics, element by element. How accurate they are everywhere is for ``test_math.py``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mpmath import mpf
from oracles import ORACLES

from op_table.model import FLOATS, Array, Draw, Gradient, Row
from op_table.pointwise import FLAT, KINKS, SMOOTH, Elements, Numeric, large, positive, row, values

WIDE = ("f32", "f64")
FINITE = (values, Draw.nonzero)


def precise(name: str) -> Numeric:
    """The function as mpmath has it, where NumPy has none."""
    return np.vectorize(lambda *x: float(ORACLES[name].real(*map(mpf, x))), otypes=[float])


def above_one(draw: Draw, *shape: int) -> Array:
    x = draw.positive(*shape)
    return np.asarray(x + x.dtype.type(1))


def inside(draw: Draw, *shape: int) -> Array:
    """Values between -1 and 1."""
    x = draw.unit(*shape)
    return np.where(draw.bools(*shape), x, -x).astype(x.dtype)


def function(
    name: str,
    oracle: Numeric | None = None,
    *of: Elements,
    gradient: Gradient = SMOOTH,
    ulps: float = 4,
    dtypes: tuple[str, ...] = FLOATS,
) -> Row:
    """Without fused instructions there is a lot to compile."""
    oracle = oracle or getattr(np, name)
    return row(name, dtypes, oracle, gradient, of or (values,), ulps, samples=3)


def exact(name: str, oracle: Numeric, of: Sequence[Elements] = (Draw.special,), gradient: Gradient = FLAT) -> Row:
    return function(name, oracle, *of, gradient=gradient, ulps=0)


def _next(x: Array, y: Array) -> Array:
    """In the precision that the operands have."""
    kind = np.float32 if (x.astype(np.float32) == x).all() else np.float64
    return np.nextafter(x.astype(kind), y.astype(kind)).astype(np.float64)


ROUNDINGS = (
    exact("floor", np.floor),
    exact("ceil", np.ceil),
    exact("round", np.rint),
    exact("trunc", np.trunc),
    exact("frac", lambda x: x - np.trunc(x), (large,), KINKS),
    exact("copysign", np.copysign, (Draw.special, values), KINKS),
    exact("fmod", np.fmod, FINITE, KINKS),
    function("nextafter", _next, values, values, gradient=KINKS, ulps=0, dtypes=WIDE),
)
PLAIN = ("exp", "exp2", "expm1", "sinh", "cosh", "tanh", "cbrt", "sin", "cos", "tan", "arctan", "arcsinh")
SMOOTHLY = (
    *(function(name.replace("arc", "a"), getattr(np, name)) for name in PLAIN),
    *(function(name, None, positive) for name in ("sqrt", "log", "log2", "log10")),
    function("rsqrt", lambda x: 1 / np.sqrt(x), positive),
    function("log1p", None, Draw.positive),
    function("sigmoid", lambda x: 1 / (1 + np.exp(-x)), large),
    function("logit", lambda x: np.log(x / (1 - x)), Draw.unit),
    function("asin", np.arcsin, inside),
    function("acos", np.arccos, inside),
    function("atanh", np.arctanh, inside),
    function("acosh", np.arccosh, above_one),
    function("logaddexp", None, large, large),
    function("hypot", None, values, values),
    function("pow", np.power, positive, values),
    function("atan2", np.arctan2, values, values),
    *(function(name, precise(name)) for name in ("erf", "erfc")),
    function("erfinv", precise("erfinv"), inside),
    *(function(name, precise(name), Draw.nonzero) for name in ("lgamma", "digamma")),
)
TABLE = (*ROUNDINGS, *SMOOTHLY)
