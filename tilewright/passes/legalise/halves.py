"""f16 and bf16 by integer operations on their patterns."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import copysign, frexp, isfinite, isnan, ldexp

from tilewright.ir.types import BF16, F16, F32, U16, U32
from tilewright.passes.legalise.term import Term, number, where

F32_INF = 0x7F800000
MAGNITUDE = 0x7FFFFFFF
SIGN = 0x80000000


def _as_bits(x: Term) -> Term:
    return x.bits(U32)


def bf16_from_f32(x: Term) -> Term:
    """Rounded to nearest even; NaN stays NaN (quiet)."""
    u = _as_bits(x)
    rounded = (u + ((u >> 16) & 1) + 0x7FFF) >> 16
    quiet = (u >> 16) | 0x40
    return where(x.op("isnan"), quiet, rounded).to(U16).bits(BF16)


def f32_from_bf16(x: Term) -> Term:
    """Exact."""
    return (x.bits(U16).to(U32) << 16).bits(F32)


F16_NAN = 0x7E00
F16_INF = 0x7C00
F16_TINY = 0x38800000
"""The f32 pattern of 2^-14, the smallest normal f16."""
F16_OVERFLOW = 0x477FF000
"""The f32 pattern of 65520, the least number that rounds to inf."""


def f16_from_f32(x: Term) -> Term:
    """Rounded to nearest even, denormals and overflow included; NaN stays NaN (quiet)."""
    u = _as_bits(x)
    a = u & MAGNITUDE
    normal = (a + ((a >> 13) & 1) + 0xFFF - (112 << 23)) >> 13
    # the sum's last place is 2^-24, that of denormal f16
    denormal = _as_bits(a.bits(F32) + 0.5) - _as_bits(number(0.5, F32))
    finite = where(a < F16_TINY, denormal, normal)
    nan = ((a >> 13) & 0x3FF) | F16_NAN
    h = where(a > F32_INF, nan, where(a >= F16_OVERFLOW, F16_INF, finite))
    return (h | ((u & SIGN) >> 16)).to(U16).bits(F16)


def f32_from_f16(x: Term) -> Term:
    """Exact: the pattern's value times 2^112, with the top exponent put right."""
    h = x.bits(U16).to(U32)
    a = (h & 0x7FFF) << 13
    scaled = _as_bits(a.bits(F32) * 2.0**112)
    special = a | F32_INF
    return (where(a >= F16_INF << 13, special, scaled) | ((h & 0x8000) << 16)).bits(F32)


def pattern(fraction: int, bias: int, value: float) -> int:
    """The pattern of ``value`` in the format with so many fraction bits, rounded once to nearest even."""
    top = (2 * bias + 1) << fraction
    sign = (top + (1 << fraction)) if copysign(1.0, value) < 0 else 0
    if not isfinite(value):
        return top | (1 << (fraction - 1)) if isnan(value) else sign | top
    lowest = 1 - bias - fraction
    unit = max(frexp(value)[1] - 1 - fraction, lowest) if value else lowest
    units = round(ldexp(abs(value), -unit))
    return sign | min(units + ((unit - lowest) << fraction), top)


CASTS: Mapping[tuple[str, str], Callable[[Term], Term]] = {
    ("f32", "f16"): f16_from_f32,
    ("f32", "bf16"): bf16_from_f32,
    ("f16", "f32"): f32_from_f16,
    ("bf16", "f32"): f32_from_bf16,
}
