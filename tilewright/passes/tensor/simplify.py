"""Scalar rewrites that change no bit, for all floats: nan, infinities and -0.0 included."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

from tilewright.ir import scalar, statements
from tilewright.ir.scalar import Apply, Const, Expr, literal
from tilewright.ir.tensor import Function
from tilewright.ir.types import BOOL, DType
from tilewright.passes.pipeline import Pass
from tilewright.records import dataclass


def simplify(f: Function) -> Function:
    """``f`` with every expression simplified; the value of each stays the same, bit for bit."""
    return replace(
        f, body=statements.map_computes(f.body, lambda c: statements.map_expressions(c, simplify_expression))
    )


def simplify_expression(e: Expr) -> Expr:
    """``e`` simplified, bottom up."""
    return scalar.rewrite(e, _step)


def _step(e: Expr) -> Expr:
    if not isinstance(e, Apply):
        return e
    folded = _folded(e)
    if folded is not None:
        return folded
    rule = _RULES.get(e.op)
    return e if rule is None else rule(e, *e.args)


def _folded(e: Apply) -> Expr | None:
    """The literal that ``e`` is, if its operands are literal integers or bools."""
    values = [a.value for a in e.args if isinstance(a, Const) and not a.dtype.is_float]
    fold = _FOLDS.get(e.op)
    if fold is None or len(values) < len(e.args):
        return None
    value = fold(*values)
    return literal(bool(value) if e.dtype is BOOL else _wrapped(value, e.dtype), e.dtype)


def _wrapped(value: int, dtype: DType) -> int:
    """``value`` modulo ``2**bits``, in the range of the integer ``dtype``."""
    low = -(1 << (dtype.bits - 1)) if dtype.kind == "int" else 0
    return ((value - low) & ((1 << dtype.bits) - 1)) + low


_FOLDS: dict[str, Callable[..., int]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "floordiv": lambda a, b: a // b if b else 0,
    "mod": lambda a, b: a % b if b else 0,
    "neg": lambda a: -a,
    "abs": abs,
    "min": min,
    "max": max,
    "lt": lambda a, b: a < b,
    "le": lambda a, b: a <= b,
    "gt": lambda a, b: a > b,
    "ge": lambda a, b: a >= b,
    "eq": lambda a, b: a == b,
    "ne": lambda a, b: a != b,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
    "not": lambda a: not a,
    "bitand": lambda a, b: a & b,
    "bitor": lambda a, b: a | b,
    "bitxor": lambda a, b: a ^ b,
    "bitnot": lambda a: ~a,
}


def _is(e: Expr, value: int) -> bool:
    return isinstance(e, Const) and e is literal(value, e.dtype)


def _inverse(op: str, e: Expr) -> Expr | None:
    """``x`` if ``e`` is ``op(x)``."""
    return e.args[0] if isinstance(e, Apply) and e.op == op else None


def _add(e: Expr, a: Expr, b: Expr) -> Expr:
    if not e.dtype.is_integer:
        return e
    return b if _is(a, 0) else a if _is(b, 0) else e


def _sub(e: Expr, a: Expr, b: Expr) -> Expr:
    return a if e.dtype.is_integer and _is(b, 0) else e


def _mul(e: Expr, a: Expr, b: Expr) -> Expr:
    if e.dtype.is_float:
        return e
    if _is(a, 0) or _is(b, 0):
        return literal(0, e.dtype)
    return b if _is(a, 1) else a if _is(b, 1) else e


def _floordiv(e: Expr, a: Expr, b: Expr) -> Expr:
    return a if _is(b, 1) else e


def _neg(e: Expr, a: Expr) -> Expr:
    return e if e.dtype.is_float else _inverse("neg", a) or e


def _and(e: Expr, a: Expr, b: Expr) -> Expr:
    if _is(a, False) or _is(b, False):
        return literal(False, BOOL)
    return b if _is(a, True) or a is b else a if _is(b, True) else e


def _or(e: Expr, a: Expr, b: Expr) -> Expr:
    if _is(a, True) or _is(b, True):
        return literal(True, BOOL)
    return b if _is(a, False) or a is b else a if _is(b, False) else e


def _where(e: Expr, c: Expr, a: Expr, b: Expr) -> Expr:
    if isinstance(c, Const):
        return a if c.value else b
    negated = _inverse("not", c)
    if negated is not None:
        return scalar.apply("where", negated, b, a)
    return a if a is b else e


_RULES: dict[str, Callable[..., Expr]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "floordiv": _floordiv,
    "neg": _neg,
    "not": lambda e, a: _inverse("not", a) or e,
    "and": _and,
    "or": _or,
    "where": _where,
    "min": lambda e, a, b: a if a is b else e,
    "max": lambda e, a, b: a if a is b else e,
}


@dataclass(frozen=True)
class Simplify(Pass):
    """The pass ``simplify``; see :func:`simplify`."""

    name: ClassVar[str] = "simplify"

    def run(self, subject: Function) -> Function:
        return simplify(subject)
