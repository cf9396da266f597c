"""exp and log by polynomials.

The coefficients were fitted for this file: minimax (Remez exchange, 200 bits), rounded to the format. The
reduction and the form of ``log`` (s = f / (2 + f), log(1 + f) = f - (f*f/2 - s*(f*f/2 + R(s*s)))) are the well-known
ones of Sun's fdlibm; ln2 is split as there so that n * hi is exact.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import inf, nan

from tilewright.ir.types import F32, F64, I32, I64, DType
from tilewright.passes.legalise.term import Term, number, where


@dataclass(frozen=True)
class Format:
    """A float format (``bits`` is the signed integer of its width) and the constants of its exp and log.

    ``root_bits``: the pattern of sqrt(1/2).
    ``exp_range``: outside of it exp is 0 or inf for sure. ``exp_tail``: (e^r - 1 - r) / r^2 on |r| <= ln2/2, lowest
    power first. ``log_tail``: R(z) / z on 0 <= z <= 0.0295.
    """

    dtype: DType
    bits: DType
    fraction: int
    bias: int
    ln2_hi: float
    ln2_lo: float
    root_bits: int
    exp_range: tuple[float, float]
    exp_tail: tuple[float, ...]
    log_tail: tuple[float, ...]

    @property
    def tiny(self) -> float:
        """The smallest normal number."""
        return 2.0 ** (1 - self.bias)

    @property
    def magic(self) -> float:
        """Adding it leaves a small number rounded to an integer in the low bits."""
        return 1.5 * 2.0**self.fraction

    @property
    def magic_bits(self) -> int:
        return ((self.bias + self.fraction) << self.fraction) | (1 << (self.fraction - 1))

    @property
    def one_bits(self) -> int:
        return self.bias << self.fraction


def _hex(text: str) -> tuple[float, ...]:
    return tuple(map(float.fromhex, text.split()))


# relative errors of the polynomials: 2^-30.8, 2^-31.5
SINGLE = Format(
    dtype=F32,
    bits=I32,
    fraction=23,
    bias=127,
    ln2_hi=0.693359375,
    ln2_lo=float.fromhex("-0x1.bd0106p-13"),
    root_bits=0x3F3504F3,
    exp_range=(-104.0, 89.0),
    exp_tail=_hex("0x1.0p-1 0x1.555556p-3 0x1.5554e8p-5 0x1.1110acp-7 0x1.6d43b2p-10 0x1.a17ebp-13"),
    log_tail=_hex("0x1.555556p-1 0x1.9999ecp-2 0x1.245c0cp-2 0x1.ddd8e2p-3"),
)
# 2^-61.5, 2^-57.5
DOUBLE = Format(
    dtype=F64,
    bits=I64,
    fraction=52,
    bias=1023,
    ln2_hi=float.fromhex("0x1.62e42feep-1"),
    ln2_lo=float.fromhex("0x1.a39ef35793c76p-33"),
    root_bits=0x3FE6A09E667F3BCD,
    exp_range=(-746.0, 710.0),
    exp_tail=_hex(
        "0x1.0p-1 0x1.5555555555557p-3 0x1.5555555555558p-5 0x1.11111111100bdp-7 0x1.6c16c16c151ccp-10"
        " 0x1.a01a01abf87f0p-13 0x1.a01a01ad0cc6ap-16 0x1.71de01fd5b18ep-19 0x1.27e4cca28ebaep-22"
        " 0x1.af4e55fd0eed3p-26 0x1.1f8b959e6a204p-29"
    ),
    log_tail=_hex(
        "0x1.5555555555558p-1 0x1.9999999995223p-2 0x1.2492492e03ec7p-2 0x1.c71c62d035d28p-3 0x1.7462ba29daeebp-3"
        " 0x1.39fdb91646c86p-3 0x1.2b5fc0cc3894bp-3"
    ),
)

LN2 = 0.6931471805599453


def exp(fmt: Format, x: Term) -> Term:
    """e^x = 2^n * e^r with n = round(x / ln2): at most 1 ULP (f32), 2 ULP (f64), denormal results included."""
    low, high = fmt.exp_range
    x = where(x < low, low, where(x > high, high, x))
    shifted = x.op("fma", 1.0 / LN2, fmt.magic)
    n = shifted - fmt.magic
    r = n.op("fma", -fmt.ln2_lo, n.op("fma", -fmt.ln2_hi, x))
    power = _horner(r, fmt.exp_tail).op("fma", r * r, r) + 1.0
    exponent = shifted.bits(fmt.bits) - fmt.magic_bits
    half = exponent >> 1
    return power * _power_of_two(fmt, half) * _power_of_two(fmt, exponent - half)


def log(fmt: Format, x: Term) -> Term:
    """The natural logarithm: at most 1 ULP (f32), 2 ULP (f64), denormal operands included."""
    small = x < fmt.tiny
    k, f = _split(fmt, where(small, x * 2.0**fmt.fraction, x))
    k = k - where(small, number(fmt.fraction, fmt.dtype), 0.0)
    s = f / (f + 2.0)
    z = s * s
    half = f * 0.5 * f
    inner = s * (_horner(z, fmt.log_tail).op("fma", z, half)) + k * fmt.ln2_lo
    finite = k * fmt.ln2_hi - (half - inner - f)
    positive = where(x.same(inf), inf, finite)
    return where(x > 0.0, positive, where(x.same(0.0), number(-inf, fmt.dtype), nan))


def _split(fmt: Format, x: Term) -> tuple[Term, Term]:
    """``(k, f)`` with x = 2^k * (1 + f) and sqrt(1/2) <= 1 + f < sqrt(2), for a positive normal x."""
    moved = x.bits(fmt.bits) + (fmt.one_bits - fmt.root_bits)
    k = (moved >> fmt.fraction) - fmt.bias
    mantissa = (moved & ((1 << fmt.fraction) - 1)) + fmt.root_bits
    return k.to(fmt.dtype), mantissa.bits(fmt.dtype) - 1.0


def _power_of_two(fmt: Format, n: Term) -> Term:
    return ((n + fmt.bias) << fmt.fraction).bits(fmt.dtype)


def _horner(x: Term, coefficients: Sequence[float]) -> Term:
    value = x.like(coefficients[-1])
    for c in coefficients[-2::-1]:
        value = value.op("fma", x, c)
    return value


TABLE: Mapping[tuple[str, str], partial[Term]] = {
    (name, fmt.dtype.name): partial(function, fmt)
    for name, function in (("exp", exp), ("log", log))
    for fmt in (SINGLE, DOUBLE)
}
