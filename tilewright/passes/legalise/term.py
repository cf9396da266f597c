"""The notation that expansions are written in: scalar IR with Python's operators."""

from __future__ import annotations

import struct
from typing import Union

from tilewright.ir.scalar import Const, Expr, apply, convert
from tilewright.ir.types import BOOL, F32, U64, DType
from tilewright.records import dataclass

Termish = Union["Term", bool, int, float]


@dataclass(frozen=True, eq=False)
class Term:
    """An expression. Operators build the operations of ``ir.scalar``; a number on the right takes the dtype
    of the left; ``& | ~`` are logic on bools; comparisons for equality are ``same`` and ``differs``.
    """

    node: Expr

    @property
    def dtype(self) -> DType:
        return self.node.dtype

    def like(self, value: Termish) -> Term:
        """``value`` as a term: a number becomes a literal of this term's dtype, wrapped to its width."""
        return value if isinstance(value, Term) else number(value, self.dtype)

    def op(self, name: str, *others: Termish) -> Term:
        """The operation ``name`` on this term and ``others``."""
        return Term(apply(name, self.node, *(self.like(o).node for o in others)))

    def to(self, dtype: DType) -> Term:
        """Its value as ``dtype`` (a cast)."""
        return Term(convert("cast", self.node, dtype))

    def bits(self, dtype: DType) -> Term:
        """Its bit pattern as ``dtype`` (a bitcast)."""
        return Term(convert("bitcast", self.node, dtype))

    def __add__(self, other: Termish) -> Term:
        return self.op("add", other)

    def __sub__(self, other: Termish) -> Term:
        return self.op("sub", other)

    def __mul__(self, other: Termish) -> Term:
        return self.op("mul", other)

    def __truediv__(self, other: Termish) -> Term:
        return self.op("div", other)

    def __neg__(self) -> Term:
        return self.op("neg")

    def __and__(self, other: Termish) -> Term:
        return self.op("and" if self.dtype is BOOL else "bitand", other)

    def __or__(self, other: Termish) -> Term:
        return self.op("or" if self.dtype is BOOL else "bitor", other)

    def __xor__(self, other: Termish) -> Term:
        return self.op("bitxor", other)

    def __invert__(self) -> Term:
        return self.op("not" if self.dtype is BOOL else "bitnot")

    def __lshift__(self, amount: Termish) -> Term:
        return self.op("shl", amount)

    def __rshift__(self, amount: Termish) -> Term:
        return self.op("shr", amount)

    def __lt__(self, other: Termish) -> Term:
        return self.op("lt", other)

    def __le__(self, other: Termish) -> Term:
        return self.op("le", other)

    def __gt__(self, other: Termish) -> Term:
        return self.op("gt", other)

    def __ge__(self, other: Termish) -> Term:
        return self.op("ge", other)

    def same(self, other: Termish) -> Term:
        return self.op("eq", other)

    def differs(self, other: Termish) -> Term:
        return self.op("ne", other)


def number(value: bool | int | float, dtype: DType) -> Term:
    """A literal of ``dtype``; integers wrap to its width, floats are rounded to f32 where it is f32."""
    if dtype.kind == "bool":
        return Term(Const(bool(value), dtype))
    if dtype.is_float:
        return Term(Const(_single(value) if dtype is F32 else float(value), dtype))
    wrapped = int(value) & ((1 << dtype.bits) - 1)
    if dtype.kind == "int" and wrapped >> (dtype.bits - 1):
        wrapped -= 1 << dtype.bits
    return Term(Const(wrapped, dtype))


def _single(value: float) -> float:
    return float(struct.unpack("f", struct.pack("f", value))[0])


def word(value: int) -> Term:
    """A u64 literal."""
    return number(value, U64)


def where(condition: Term, yes: Termish, no: Termish) -> Term:
    """``yes`` where ``condition``, else ``no``; at least one of the two is a term."""
    like = yes if isinstance(yes, Term) else no
    if not isinstance(like, Term):
        raise TypeError("where of two numbers has no dtype")
    return condition.op("where", like.like(yes), like.like(no))
