"""Casts in terms of other casts and of bits; each rounds at most once."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tilewright.ir.types import ALL, BF16, BOOL, F16, F32, F64, FIELD, U32, U64, DType
from tilewright.passes.legalise import halves
from tilewright.passes.legalise.term import Term, number, where

Cast = Callable[[Term], Term]

HALVES = (F16, BF16)


def integer_from_f64(to: DType, x: Term) -> Term:
    """Truncated, saturating; NaN gives 0."""
    u = x.bits(U64)
    exponent = (u >> 52) & 0x7FF
    mantissa = (u & ((1 << 52) - 1)) | (1 << 52)
    shifted = where(exponent >= 1075, mantissa << (exponent - 1075), mantissa >> (exponent.like(1075) - exponent))
    magnitude = where(x.op("isnan"), 0, where(exponent >= 1023 + 64, ~u.like(0), shifted))
    negative = (u >> 63).differs(0)
    if to.kind == "uint":
        return where(negative, 0, magnitude.op("min", (1 << to.bits) - 1)).to(to)
    top = 1 << (to.bits - 1)
    clamped = magnitude.op("min", where(negative, u.like(top), top - 1))
    return where(negative, -clamped, clamped).to(to)


def f32_to_odd(x: Term) -> Term:
    """An f64 as f32, rounded to odd: rounding the result once more, to 22 bits or less, is as if done once."""
    nearest = x.to(F32)
    back = nearest.to(F64)
    u = nearest.bits(U32)
    inexact = (back < x) | (back > x)
    grow = back.op("abs") < x.op("abs")
    moved = where(grow, u + 1, u - 1)
    return where(inexact & (u & 1).same(0), moved, u).bits(F32)


def f64_to_odd(x: Term) -> Term:
    """A 64-bit integer as f64, exact in its top bits: where it is large, its low word is one sticky bit."""
    if x.dtype.kind == "int":
        negative = x < 0
        size = f64_to_odd(where(negative, -x, x).to(U64))
        return where(negative, -size, size)
    sticky = where((x & 0xFFFFFFFF).differs(0), x.like(1 << 32), 0)
    return where(x >= 1 << 44, (x & (0xFFFFFFFF << 32)) | sticky, x).to(F64)


def _half_from_integer(to: DType, x: Term) -> Term:
    return (f64_to_odd(x) if x.dtype.bits == 64 else x.to(F64)).to(to)


def _through(middle: DType, to: DType) -> Cast:
    return lambda x: x.to(middle).to(to)


def _expansion(source: DType, to: DType) -> Cast | None:
    """How to cast ``source`` to ``to`` where that is not native; None if there is no way."""
    if FIELD in (source, to):
        return None
    if (source.name, to.name) in halves.CASTS:
        return halves.CASTS[source.name, to.name]
    if source in HALVES:
        return _through(F32, to)
    if to in HALVES:
        return _to_half(source, to)
    if to is BOOL:
        return lambda x: x.differs(0)
    if source is BOOL:
        return lambda x: where(x, number(1, to), 0)
    if source.is_float and to.is_integer:
        return _through(F64, to) if source is F32 else lambda x: integer_from_f64(to, x)
    return None


def _to_half(source: DType, to: DType) -> Cast:
    if source is F64:
        return lambda x: f32_to_odd(x).to(to)
    return _through(F32, to) if source is BOOL else lambda x: _half_from_integer(to, x)


CASTS: Mapping[tuple[str, str], Cast] = {
    (source.name, to.name): cast
    for source in ALL
    for to in ALL
    if source is not to and (cast := _expansion(source, to)) is not None
}
