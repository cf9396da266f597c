"""What the expansions know of the float formats, and how they take numbers apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from functools import partial

from tilewright.ir.types import F32, F64, I32, I64, DType
from tilewright.passes.legalise.term import Term, where
from tilewright.records import dataclass

Expansion = Callable[..., Term]
Table = Mapping[tuple[str, str], Expansion]


@dataclass(frozen=True)
class Format:
    """A float format; ``bits`` is the signed integer of its width. ln2 = ``ln2_hi + ln2_lo``: n * hi is exact.

    ``root_bits``: the pattern of sqrt(1/2).
    """

    dtype: DType
    bits: DType
    fraction: int
    bias: int
    ln2_hi: float
    ln2_lo: float
    root_bits: int

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

    @property
    def inf_bits(self) -> int:
        return (2 * self.bias + 1) << self.fraction

    @property
    def sign_bit(self) -> int:
        return 1 << (self.bits.bits - 1)


SINGLE = Format(
    dtype=F32,
    bits=I32,
    fraction=23,
    bias=127,
    ln2_hi=0.693359375,
    ln2_lo=float.fromhex("-0x1.bd0106p-13"),
    root_bits=0x3F3504F3,
)
DOUBLE = Format(
    dtype=F64,
    bits=I64,
    fraction=52,
    bias=1023,
    ln2_hi=float.fromhex("0x1.62e42feep-1"),
    ln2_lo=float.fromhex("0x1.a39ef35793c76p-33"),
    root_bits=0x3FE6A09E667F3BCD,
)
FORMATS = {F32: SINGLE, F64: DOUBLE}

LN2 = 0.6931471805599453


def in_both(name: str, function: Callable[..., Term]) -> dict[tuple[str, str], Expansion]:
    """Rows of a table: ``function(format, ...)`` in either format's own arithmetic."""
    return {(name, fmt.dtype.name): partial(function, fmt) for fmt in (SINGLE, DOUBLE)}


def by_double(name: str, single: Expansion, double: Expansion) -> dict[tuple[str, str], Expansion]:
    """Rows of a table: for f32 ``single`` computes in f64, and its result is rounded."""
    return {
        (name, "f32"): lambda *args: single(*(a.to(F64) for a in args)).to(F32),
        (name, "f64"): double,
    }


# --- polynomials ------------------------------------------------------------------------------


def horner(x: Term, coefficients: Sequence[float]) -> Term:
    """The polynomial, lowest power first."""
    value = x.like(coefficients[-1])
    for c in coefficients[-2::-1]:
        value = value.op("fma", x, c)
    return value


def split_constant(fmt: Format, value: Fraction) -> tuple[float, float]:
    """``value`` < 4 as a number of the format, and the rest."""
    unit = Fraction(2) ** (fmt.fraction - 2)
    high = Fraction(round(value * unit)) / unit
    return float(high), float(value - high)


# --- bits -------------------------------------------------------------------------------------


def bits(fmt: Format, x: Term) -> Term:
    return x.bits(fmt.bits)


def from_bits(fmt: Format, x: Term) -> Term:
    return x.bits(fmt.dtype)


def power_of_two(fmt: Format, n: Term) -> Term:
    """2^n for an integer ``n`` within the normal exponents."""
    return ((n + fmt.bias) << fmt.fraction).bits(fmt.dtype)


def with_sign_of(fmt: Format, size: Term, sign: Term) -> Term:
    """``size`` (any sign) with the sign bit of ``sign``."""
    magnitude = bits(fmt, size) & (fmt.sign_bit - 1)
    return from_bits(fmt, magnitude | (bits(fmt, sign) & fmt.sign_bit))


def is_negative(fmt: Format, x: Term) -> Term:
    """Whether the sign bit is set."""
    return bits(fmt, x) < 0


def split(fmt: Format, x: Term) -> tuple[Term, Term]:
    """``(k, m)`` with x = 2^k * m, k an integer and sqrt(1/2) <= m < sqrt(2), for a positive normal x."""
    moved = x.bits(fmt.bits) + (fmt.one_bits - fmt.root_bits)
    k = (moved >> fmt.fraction) - fmt.bias
    mantissa = (moved & ((1 << fmt.fraction) - 1)) + fmt.root_bits
    return k, mantissa.bits(fmt.dtype)


def normal(fmt: Format, x: Term) -> tuple[Term, Term]:
    """``(shift, y)`` with x = 2^-shift * y and y normal, for a positive x; ``shift`` is a float."""
    small = x < fmt.tiny
    scaled = where(small, x * 2.0**fmt.fraction, x)
    return where(small, x.like(float(fmt.fraction)), 0.0), scaled
