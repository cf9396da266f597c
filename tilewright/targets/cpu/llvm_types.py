"""LLVM's spelling of our types, and the values that an emitter passes around."""

from __future__ import annotations

import ctypes
import math
import struct

from tilewright.errors import InternalError
from tilewright.ir.types import BF16, DType
from tilewright.records import dataclass


@dataclass(frozen=True)
class Value:
    """An SSA name or literal: one scalar for all lanes (``lanes`` is 1) or a vector of one element per lane."""

    text: str
    lanes: int = 1


def value_type(dtype: DType) -> str:
    """The type of a value in registers. f16, bf16 and field are bit patterns: arithmetic on them is legalised away."""
    if dtype.kind == "bool":
        return "i1"
    if dtype.kind == "float" and dtype.bits > 16:
        return {32: "float", 64: "double"}[dtype.bits]
    return f"i{dtype.bits}"


def memory_type(dtype: DType) -> str:
    """The type of an element in memory: as in registers, but for bool, which is a byte there."""
    return "i8" if dtype.kind == "bool" else value_type(dtype)


def vector(type_: str, lanes: int) -> str:
    """``lanes`` of ``type_``; the type itself for 1."""
    return type_ if lanes == 1 else f"<{lanes} x {type_}>"


def mangled(type_: str, lanes: int) -> str:
    """How an overloaded intrinsic's name spells ``vector(type_, lanes)``."""
    short = {"float": "f32", "double": "f64", "half": "f16", "ptr": "p0"}.get(type_, type_)
    return short if lanes == 1 else f"v{lanes}{short}"


def splat(type_: str, text: str) -> str:
    """A literal vector of equal literals, without its type."""
    return f"splat ({type_} {text})"


def zero(type_: str, lanes: int) -> str:
    """The literal 0 of ``vector(type_, lanes)``."""
    if lanes > 1:
        return "zeroinitializer"
    return {"float": "0.0", "double": "0.0", "i1": "false", "ptr": "null"}.get(type_, "0")


def count_up(type_: str, lanes: int, step: int = 1) -> str:
    """The literal vector 0, step, 2*step, ..."""
    return "<" + ", ".join(f"{type_} {n * step}" for n in range(lanes)) + ">"


def literal(value: bool | int | float, dtype: DType) -> str:
    """``value`` as a literal of ``value_type(dtype)``, rounded to nearest even."""
    if dtype.kind == "bool":
        return "true" if value else "false"
    if dtype.is_integer:
        return str(_wrapped(int(value), dtype.bits))
    if dtype.kind != "float":
        raise InternalError(f"a literal of type {dtype} reached the emitter")
    number = float(value)
    if dtype.bits == 16:
        return str(_bfloat_bits(number) if dtype is BF16 else _half_bits(number))
    rounded = ctypes.c_float(number).value if dtype.bits == 32 else number
    return f"0x{struct.unpack('<Q', struct.pack('<d', rounded))[0]:016X}"


def _wrapped(value: int, bits: int) -> int:
    value &= (1 << bits) - 1
    return value - (1 << bits) if value >> (bits - 1) else value


def _half_bits(value: float) -> int:
    try:
        return int.from_bytes(struct.pack("<e", value), "little")
    except OverflowError:
        return int.from_bytes(struct.pack("<e", math.copysign(math.inf, value)), "little")


def _bfloat_bits(value: float) -> int:
    """Rounded once, from the double: 8 significant bits, the exponents of a float."""
    if math.isfinite(value) and value != 0.0:
        unit = max(math.frexp(value)[1] - 8, -133)
        value = math.ldexp(round(math.ldexp(value, -unit)), unit) if unit < 120 else math.copysign(math.inf, value)
    return int.from_bytes(struct.pack("<f", ctypes.c_float(value).value)[2:], "little")
