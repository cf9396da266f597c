"""Derivatives of the functions of mathematics, in reverse.

What is constant between jumps has the derivative 0 everywhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from tilewright.ir.scalar import Expr, apply, literal
from tilewright.passes.tensor.cotangents import Pullback, half, masked, negated, quotient, scaled

Formula = Callable[[Expr, Expr], Expr]


def _number(like: Expr, value: float) -> Expr:
    return literal(value, like.dtype)


def _square(x: Expr) -> Expr:
    return apply("mul", x, x)


def _plus(x: Expr, value: float) -> Expr:
    return apply("add", x, _number(x, value))


def _less(value: float, x: Expr) -> Expr:
    """``value - x``."""
    return apply("sub", _number(x, value), x)


def _times(slope: Formula) -> Pullback:
    """The derivative is ``slope(x, y)``."""
    return lambda x, y, g: (scaled(g, slope(x[0], y)),)


def _over(divisor: Formula) -> Pullback:
    """The derivative is ``1 / divisor(x, y)``."""
    return lambda x, y, g: (quotient(g, divisor(x[0], y)),)


def _by(factor: float, rule: Pullback) -> Pullback:
    """``factor`` times the derivative of ``rule``."""
    return lambda x, y, g: rule(x, y, scaled(g, _number(g, factor)))


def _flat(x: tuple[Expr, ...], y: Expr, g: Expr) -> tuple[None, ...]:
    return (None,) * len(x)


def _gauss(x: Expr) -> Expr:
    """e^(-x^2)."""
    return apply("exp", apply("neg", _square(x)))


def _atan2(x: tuple[Expr, ...], y: Expr, g: Expr) -> tuple[Expr, ...]:
    share = quotient(g, apply("add", _square(x[0]), _square(x[1])))
    return scaled(share, x[1]), negated(scaled(share, x[0]))


def _hypot(x: tuple[Expr, ...], y: Expr, g: Expr) -> tuple[Expr, ...]:
    share = quotient(g, y)
    return scaled(share, x[0]), scaled(share, x[1])


def _pow(x: tuple[Expr, ...], y: Expr, g: Expr) -> tuple[Expr, ...]:
    """Where the exponent is 0 the base does not count; where the base is 0 the exponent does not."""
    base, exponent = x
    moved = apply("mul", exponent, apply("pow", base, _plus(exponent, -1.0)))
    counts = apply("ne", exponent, _number(exponent, 0.0))
    positive = apply("ne", base, _number(base, 0.0))
    return masked(counts, scaled(g, moved)), masked(positive, scaled(scaled(g, y), apply("log", base)))


def _logaddexp(x: tuple[Expr, ...], y: Expr, g: Expr) -> tuple[Expr, ...]:
    difference = apply("sub", x[0], x[1])
    return scaled(g, apply("sigmoid", difference)), scaled(g, apply("sigmoid", apply("neg", difference)))


def _copysign(x: tuple[Expr, ...], y: Expr, g: Expr) -> tuple[Expr | None, ...]:
    one = _number(g, 1.0)
    signs = apply("mul", apply("copysign", one, x[0]), apply("copysign", one, x[1]))
    return scaled(g, signs), None


def _turns(rounding: str) -> Pullback:
    """Of ``a - b * rounding(a / b)``."""
    return lambda x, y, g: (g, negated(scaled(g, apply(rounding, apply("div", *x)))))


TWO_OVER_ROOT_PI = 2 / math.sqrt(math.pi)

PULLBACKS: Mapping[str, Pullback] = {
    **dict.fromkeys(("floor", "ceil", "round", "trunc", "sign"), _flat),
    "copysign": _copysign,
    "nextafter": lambda x, y, g: (g, None),
    "fmod": _turns("trunc"),
    "remainder": _turns("floor"),
    "exp": _times(lambda x, y: y),
    "exp2": _by(math.log(2), _times(lambda x, y: y)),
    "expm1": _times(lambda x, y: _plus(y, 1.0)),
    "sigmoid": _times(lambda x, y: apply("mul", y, _less(1.0, y))),
    "sinh": _times(lambda x, y: apply("cosh", x)),
    "cosh": _times(lambda x, y: apply("sinh", x)),
    "tanh": _times(lambda x, y: _less(1.0, _square(y))),
    "log": _over(lambda x, y: x),
    "log2": _by(1 / math.log(2), _over(lambda x, y: x)),
    "log10": _by(1 / math.log(10), _over(lambda x, y: x)),
    "log1p": _over(lambda x, y: _plus(x, 1.0)),
    "asinh": _over(lambda x, y: apply("sqrt", _plus(_square(x), 1.0))),
    "acosh": _over(lambda x, y: apply("sqrt", _plus(_square(x), -1.0))),
    "atanh": _over(lambda x, y: _less(1.0, _square(x))),
    "logaddexp": _logaddexp,
    "sqrt": lambda x, y, g: (quotient(half(g), y),),
    "rsqrt": _by(-0.5, _times(lambda x, y: apply("mul", y, _square(y)))),
    "cbrt": _by(1 / 3, _over(lambda x, y: _square(y))),
    "hypot": _hypot,
    "pow": _pow,
    "sin": _times(lambda x, y: apply("cos", x)),
    "cos": _times(lambda x, y: apply("neg", apply("sin", x))),
    "tan": _times(lambda x, y: _plus(_square(y), 1.0)),
    "asin": _over(lambda x, y: apply("sqrt", _less(1.0, _square(x)))),
    "acos": _by(-1.0, _over(lambda x, y: apply("sqrt", _less(1.0, _square(x))))),
    "atan": _over(lambda x, y: _plus(_square(x), 1.0)),
    "atan2": _atan2,
    "erf": _by(TWO_OVER_ROOT_PI, _times(lambda x, y: _gauss(x))),
    "erfc": _by(-TWO_OVER_ROOT_PI, _times(lambda x, y: _gauss(x))),
    "erfinv": _by(1 / TWO_OVER_ROOT_PI, _times(lambda x, y: apply("exp", _square(y)))),
    "lgamma": _times(lambda x, y: apply("digamma", x)),
}
"""All but ``digamma``, whose derivative is no function of the table."""
