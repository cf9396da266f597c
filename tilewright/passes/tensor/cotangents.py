"""The arithmetic of cotangents: linear functions of them that keep masks outermost."""

from __future__ import annotations

from collections.abc import Callable

from tilewright.ir import scalar
from tilewright.ir.scalar import Apply, Const, Expr, apply, literal
from tilewright.ir.types import DType

Pullback = Callable[[tuple[Expr, ...], Expr, Expr], tuple["Expr | None", ...]]
"""(arguments, result, cotangent of the result) -> cotangents of the arguments; None: it does not move the result."""


def zero(dtype: DType) -> Const:
    """The literal 0 of ``dtype``."""
    return scalar.literal(0, dtype)


def masked(c: Expr, g: Expr) -> Expr:
    """``g`` where ``c`` holds, else 0."""
    return apply("where", c, g, zero(g.dtype))


def linear(g: Expr, f: Callable[[Expr], Expr]) -> Expr:
    """``f(g)`` for a linear ``f``. Masks stay outermost, so that where ``g`` is 0 no infinite factor makes it nan."""
    if isinstance(g, Apply) and g.op == "where":
        c, a, b = g.args
        nought = zero(g.dtype)
        if a is nought or b is nought:
            result = linear(b if a is nought else a, f)
            return apply("where", c, zero(result.dtype), result) if a is nought else masked(c, result)
    return f(g)


def scaled(g: Expr, factor: Expr) -> Expr:
    """``g * factor``."""
    return linear(g, lambda v: factor if v is literal(1, v.dtype) else apply("mul", v, factor))


def quotient(g: Expr, divisor: Expr) -> Expr:
    """``g / divisor``."""
    return linear(g, lambda v: apply("div", v, divisor))


def negated(g: Expr) -> Expr:
    return linear(g, lambda v: apply("neg", v))


def half(g: Expr) -> Expr:
    return scaled(g, literal(0.5, g.dtype))
