"""Rounding to binary floating-point formats, done exactly with integers.

A finite value is held as a dyadic ``m * 2**e``; a Python float holds every value of every format here.
"""

from __future__ import annotations

import ctypes
import math
import struct

from tilewright.ir.types import BF16, F16, F32, F64, DType
from tilewright.records import dataclass


@dataclass(frozen=True)
class Format:
    """A binary format: ``precision`` significant bits, finite values below ``2**(emax + 1)``."""

    bits: int
    precision: int
    emax: int

    @property
    def last_place(self) -> int:
        """The exponent of the smallest subnormal."""
        return 2 - self.emax - self.precision


FORMATS: dict[DType, Format] = {
    F16: Format(16, 11, 15),
    BF16: Format(16, 8, 127),
    F32: Format(32, 24, 127),
    F64: Format(64, 53, 1023),
}


def dyadic(x: float) -> tuple[int, int]:
    """``(m, e)`` with ``x == m * 2**e``, for a finite x."""
    numerator, denominator = x.as_integer_ratio()
    return numerator, 1 - denominator.bit_length()


def _shift_right(m: int, places: int) -> int:
    """``m / 2**places`` to the nearest integer, ties to even, for m >= 0."""
    quotient = m >> places
    rest = m - (quotient << places)
    half = 1 << (places - 1)
    return quotient + (rest > half or (rest == half and quotient & 1))


def round_dyadic(m: int, e: int, to: Format) -> float:
    """``m * 2**e`` to the nearest value of a format, ties to even; an overflow gives an infinity."""
    size = abs(m)
    last = max(size.bit_length() + e - to.precision, to.last_place)
    size = _shift_right(size, last - e) if last > e else size << (e - last)
    result = math.inf if size.bit_length() + last > to.emax + 1 else math.ldexp(size, last)
    return -result if m < 0 else result


def round_float(x: float, to: Format) -> float:
    """The value of the format nearest to ``x``, ties to even; keeps -0.0, inf and nan."""
    if to.bits == 64 or x == 0 or not math.isfinite(x):
        return x
    if to.bits == 32:
        return ctypes.c_float(x).value
    return round_dyadic(*dyadic(x), to)


def round_integer(x: int, to: Format) -> float:
    """The value of the format nearest to the integer ``x``, rounded once."""
    return round_dyadic(x, 0, to) if x else 0.0


def fma(a: float, b: float, c: float, to: Format) -> float:
    """``a * b + c`` with one rounding; infinities, nan and signed zeros as IEEE 754 says."""
    if not (math.isfinite(a) and math.isfinite(b)) or a == 0 or b == 0:
        return a * b + c
    if not math.isfinite(c):
        return c
    (ma, ea), (mb, eb), (mc, ec) = dyadic(a), dyadic(b), dyadic(c)
    last = min(ea + eb, ec)
    m = (ma * mb << (ea + eb - last)) + (mc << (ec - last))
    return round_dyadic(m, last, to) if m else 0.0


def to_bits(x: float, of: Format) -> int:
    """The encoding of ``x``, which must be a value of the format."""
    if of.bits == 64:
        return int.from_bytes(struct.pack("<d", x), "little")
    if of.precision == 8:
        return to_bits(x, FORMATS[F32]) >> 16
    return int.from_bytes(struct.pack("<f" if of.bits == 32 else "<e", x), "little")


def from_bits(bits: int, of: Format) -> float:
    """The value that the encoding ``bits`` of a format stands for."""
    if of.precision == 8:
        return from_bits(bits << 16, FORMATS[F32])
    code = {64: "<d", 32: "<f", 16: "<e"}[of.bits]
    value: float = struct.unpack(code, bits.to_bytes(of.bits // 8, "little"))[0]
    return value


def next_after(x: float, y: float, of: Format) -> float:
    """The neighbour of ``x`` in the direction of ``y``, both of the format; ``y`` if they are equal."""
    if x == y or math.isnan(x) or math.isnan(y):
        return x + y if x != y else y
    if x == 0:
        return math.copysign(math.ldexp(1.0, of.last_place), y)
    return from_bits(to_bits(x, of) + (1 if (y > x) == (x > 0) else -1), of)
