"""The pass ``form-fma``: products that meet a sum become fused multiply-adds, once per op definition."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from tilewright.ir.scalar import Apply, Expr, apply, rewrite
from tilewright.ir.statements import map_computes
from tilewright.ir.tensor import Compute, Function
from tilewright.passes.pipeline import Pass
from tilewright.records import dataclass


@dataclass(frozen=True)
class FormFma(Pass):
    """``a*b + c -> fma(a, b, c)``, ``c - a*b -> fma(-a, b, c)``, ``a*b - c -> fma(a, b, -c)``.

    In floats only, in every value, step and merge, bottom up; of two products the right one is fused.
    """

    name: ClassVar[str] = "form-fma"

    def run(self, function: Function) -> Function:
        """``function`` with the rule applied to all its expressions."""
        return replace(function, body=map_computes(function.body, _in_compute))


def fused(e: Expr) -> Expr:
    """``e`` with every sum that takes a product as one ``fma``."""
    return rewrite(e, _rule)


def _in_compute(c: Compute) -> Compute:
    return replace(
        c,
        values=_all(c.values),
        reduction=c.reduction and replace(c.reduction, merge=_all(c.reduction.merge)),
        scan=c.scan and replace(c.scan, merge=_all(c.scan.merge)),
    )


def _all(expressions: tuple[Expr, ...]) -> tuple[Expr, ...]:
    return tuple(map(fused, expressions))


def _rule(e: Expr) -> Expr:
    if not isinstance(e, Apply) or not e.dtype.is_float or e.op not in _RULES:
        return e
    return _RULES[e.op](*e.args) or e


def _factors(e: Expr) -> tuple[Expr, Expr] | None:
    return (e.args[0], e.args[1]) if isinstance(e, Apply) and e.op == "mul" else None


def _add(left: Expr, right: Expr) -> Expr | None:
    if product := _factors(right):
        return apply("fma", *product, left)
    if product := _factors(left):
        return apply("fma", *product, right)
    return None


def _sub(left: Expr, right: Expr) -> Expr | None:
    if product := _factors(right):
        return apply("fma", apply("neg", product[0]), product[1], left)
    if product := _factors(left):
        return apply("fma", *product, apply("neg", right))
    return None


_RULES: dict[str, Callable[[Expr, Expr], Expr | None]] = {"add": _add, "sub": _sub}
