"""Plain operations in terms of still plainer ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf

from tilewright.ir.types import ALL, BOOL, F32, F64, U32, U64, DType
from tilewright.passes.legalise.term import Term, number, where

Expansion = Callable[..., Term]

FLOATS = (F32, F64)
INTEGERS = tuple(t for t in ALL if t.is_integer)
UNSIGNED_OF = {F32: U32, F64: U64}


def _minimum(a: Term, b: Term) -> Term:
    return where(_precedes(b, a, b), b, a)


def _maximum(a: Term, b: Term) -> Term:
    return where(_precedes(a, b, b), b, a)


def _precedes(a: Term, b: Term, second: Term) -> Term:
    """``a < b``, or the second operand is NaN."""
    return (a < b) | second.op("isnan") if second.dtype.is_float else a < b


def _neg_integer(x: Term) -> Term:
    return x.like(0) - x


def _abs_integer(x: Term) -> Term:
    return where(x < 0, -x, x)


def _sign_bit(x: Term) -> Term:
    bits = UNSIGNED_OF[x.dtype]
    return number(1 << (bits.bits - 1), bits)


def _neg_float(x: Term) -> Term:
    return (x.bits(UNSIGNED_OF[x.dtype]) ^ _sign_bit(x)).bits(x.dtype)


def _abs_float(x: Term) -> Term:
    return (x.bits(UNSIGNED_OF[x.dtype]) & ~_sign_bit(x)).bits(x.dtype)


def _each(op: str, dtypes: Iterable[DType], expansion: Expansion) -> dict[tuple[str, str], Expansion]:
    return {(op, t.name): expansion for t in dtypes}


TABLE: Mapping[tuple[str, str], Expansion] = {
    **_each("min", (*FLOATS, *INTEGERS), _minimum),
    **_each("max", (*FLOATS, *INTEGERS), _maximum),
    ("min", "bool"): lambda a, b: a & b,
    ("max", "bool"): lambda a, b: a | b,
    **_each("isnan", FLOATS, lambda x: x.differs(x)),
    **_each("isinf", FLOATS, lambda x: x.op("abs").same(inf)),
    **_each("isfinite", FLOATS, lambda x: x.op("abs") < inf),
    **_each("signbit", FLOATS, lambda x: (x.bits(UNSIGNED_OF[x.dtype]) >= _sign_bit(x)) & x.same(x)),
    **_each("neg", INTEGERS, _neg_integer),
    **_each("neg", FLOATS, _neg_float),
    **_each("abs", INTEGERS, lambda x: _abs_integer(x) if x.dtype.kind == "int" else x),
    **_each("abs", FLOATS, _abs_float),
    **_each("bitnot", INTEGERS, lambda x: x ^ -1),
    **_each("gt", (*FLOATS, *INTEGERS, BOOL), lambda a, b: b < a),
    **_each("ge", (*FLOATS, *INTEGERS, BOOL), lambda a, b: b <= a),
    **_each("ne", (*FLOATS, *INTEGERS, BOOL), lambda a, b: ~a.same(b)),
}
