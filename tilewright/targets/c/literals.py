"""Literals of every dtype as C."""

from __future__ import annotations

import math
import struct

from tilewright.errors import UnsupportedError
from tilewright.ir.types import DType


def literal(value: bool | int | float, dtype: DType) -> str:
    """``value`` as a C constant expression of ``dtype``'s type, exact; atomic (it may be an operand of anything)."""
    if dtype.kind == "bool":
        return "1" if value else "0"
    if dtype.is_integer:
        return _integer(int(value), dtype)
    if dtype.name not in ("f32", "f64"):
        raise UnsupportedError(f"the c target has no literals of {dtype}")
    return _float(float(value), dtype)


def _integer(value: int, dtype: DType) -> str:
    if dtype.kind == "uint":
        return f"UINT64_C({value})" if dtype.bits == 64 else f"{value}u"
    if value == -(1 << (dtype.bits - 1)):
        return f"INT{dtype.bits}_MIN"
    text = f"INT64_C({abs(value)})" if dtype.bits == 64 else str(abs(value))
    return f"(-{text})" if value < 0 else text


def _float(value: float, dtype: DType) -> str:
    single = dtype.bits == 32
    if math.isnan(value):
        return "NAN" if single else "(double)NAN"
    if single:
        value = _rounded(value)
    text = _magnitude(abs(value), "f" if single else "")
    return f"(-{text})" if math.copysign(1.0, value) < 0 else text


def _rounded(value: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        return math.copysign(math.inf, value)


def _magnitude(value: float, suffix: str) -> str:
    if math.isinf(value):
        return "INFINITY" if suffix else "(double)INFINITY"
    short = repr(value)
    decimal = len(short) <= 8 and "e" not in short and float(short).is_integer()
    return (short if decimal else value.hex()) + suffix
