"""fma by software, exact for all operands: one rounding, to nearest even.

f32 goes through f64. f64 goes through a window of 128 bits: the product's 106 bits sit at bit 20, the
addend's 53 at bit 73, each with the exponent of its own window; the one with the smaller exponent is shifted
right, what falls out being remembered in the last bit. A result is rounded above that bit in all cases, denormal
operands (which are not normalised) included.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tilewright.ir.types import F32, F64, U64
from tilewright.passes.legalise.term import Term, where, word
from tilewright.records import dataclass


def fma_f32(a: Term, b: Term, c: Term) -> Term:
    """The product is exact in f64; the sum, rounded to odd there, may be rounded again to f32."""
    product, addend = a.to(F64) * b.to(F64), c.to(F64)
    total = product + addend
    part = total - product
    error = (product - (total - part)) + (addend - part)
    u = total.bits(U64)
    outward = (error > 0.0).same(total > 0.0)
    moved = where(outward, u + 1, u - 1)
    inexact = (error < 0.0) | (error > 0.0)
    return where(inexact & (u & 1).same(0), moved, u).bits(F64).to(F32)


@dataclass(frozen=True)
class Wide:
    """An unsigned number of 128 bits. Shifts by 64 and more fall out of a word (see ``shl``)."""

    high: Term
    low: Term

    def map(self, other: Wide, f: Callable[[Term, Term], Term]) -> Wide:
        return Wide(f(self.high, other.high), f(self.low, other.low))

    def __add__(self, other: Wide) -> Wide:
        low = self.low + other.low
        carry = where(low < self.low, word(1), 0)
        return Wide(self.high + other.high + carry, low)

    def __sub__(self, other: Wide) -> Wide:
        borrow = where(self.low < other.low, word(1), 0)
        return Wide(self.high - other.high - borrow, self.low - other.low)

    def below(self, other: Wide) -> Term:
        return (self.high < other.high) | (self.high.same(other.high) & (self.low < other.low))

    def left(self, n: int) -> Wide:
        if n >= 64:
            return Wide(self.low << (n - 64), word(0))
        return Wide((self.high << n) | (self.low >> (64 - n)), self.low << n)

    def right_sticky(self, n: Term) -> Wide:
        """Shifted right by any ``n``; the last bit is also set if a bit fell out."""
        rest = n.like(64) - n
        low = (self.low >> n) | (self.high << rest) | (self.high >> (n - 64))
        lost = (self.low << rest) | (self.high << (n.like(128) - n))
        lost = lost | where(n >= 64, self.low, 0) | where(n >= 128, self.high, 0)
        return Wide(self.high >> n, low | _sticky(lost))


def _sticky(x: Term) -> Term:
    return where(x.differs(0), word(1), 0)


def _choose(condition: Term, yes: Wide, no: Wide) -> Wide:
    return yes.map(no, lambda a, b: where(condition, a, b))


@dataclass(frozen=True)
class Parts:
    """A double taken apart: ``exponent`` is that of its last place, biased so that 1 belongs to denormals."""

    sign: Term
    exponent: Term
    mantissa: Term
    finite: Term


def _take_apart(x: Term) -> Parts:
    u = x.bits(U64)
    field = (u >> 52) & 0x7FF
    fraction = u & ((1 << 52) - 1)
    normal = field.differs(0)
    return Parts(
        sign=u >> 63,
        exponent=where(normal, field, 1),
        mantissa=where(normal, fraction | (1 << 52), fraction),
        finite=field.differs(0x7FF),
    )


def _multiply(a: Term, b: Term) -> Wide:
    """The product of two 53-bit words, in schoolbook halves."""
    a_high, a_low, b_high, b_low = a >> 32, a & 0xFFFFFFFF, b >> 32, b & 0xFFFFFFFF
    low = a_low * b_low
    middle = a_high * b_low + (low >> 32)
    other = a_low * b_high + (middle & 0xFFFFFFFF)
    high = a_high * b_high + (middle >> 32) + (other >> 32)
    return Wide(high, (other << 32) | (low & 0xFFFFFFFF))


EXPONENT_SHIFT = 4096
"""Keeps exponents positive as unsigned words."""
PRODUCT_EXPONENT = EXPONENT_SHIFT - 1075 - 20
ADDEND_EXPONENT = EXPONENT_SHIFT - 73


def fma_f64(a: Term, b: Term, c: Term) -> Term:
    pa, pb, pc = map(_take_apart, (a, b, c))
    product = _multiply(pa.mantissa, pb.mantissa).left(20)
    addend = Wide(word(0), pc.mantissa).left(73)
    product_exponent = pa.exponent + pb.exponent + PRODUCT_EXPONENT
    addend_exponent = pc.exponent + ADDEND_EXPONENT
    exact = _add(product, product_exponent, pa.sign ^ pb.sign, addend, addend_exponent, pc.sign)
    plain = (pa.mantissa.same(0) | pb.mantissa.same(0)) | ~(pa.finite & pb.finite)
    return where(plain, a * b + c, where(pc.finite, exact, c))


def _add(x: Wide, x_exponent: Term, x_sign: Term, y: Wide, y_exponent: Term, y_sign: Term) -> Term:
    swap = x_exponent < y_exponent
    exponent = where(swap, y_exponent, x_exponent)
    x = x.right_sticky(where(swap, y_exponent - x_exponent, 0))
    y = y.right_sticky(where(swap, 0, x_exponent - y_exponent))
    less = x.below(y)
    difference = _choose(less, y - x, x - y)
    opposed = x_sign.differs(y_sign)
    total = _choose(opposed, difference, x + y)
    zero = (total.high | total.low).same(0)
    sign = where(zero, 0, where(opposed & less, y_sign, x_sign))
    return ((sign << 63) | where(zero, 0, _round(total, exponent))).bits(F64)


def _round(x: Wide, exponent: Term) -> Term:
    """The pattern of ``x * 2^(exponent - EXPONENT_SHIFT - 1075)`` rounded to nearest even; overflow is inf."""
    for step in (64, 32, 16, 8, 4, 2, 1):
        small = x.high < (1 << (64 - step)) if step < 64 else x.high.same(0)
        x = _choose(small, x.left(step), x)
        exponent = where(small, exponent - step, exponent)
    # x is now 2^127 or more: x = 1.f * 2^127, so a normal result has the exponent field `exponent + 75 - shift`
    lead = exponent + (127 - 52)
    denormal = lead <= EXPONENT_SHIFT
    excess = where(denormal, lead.like(EXPONENT_SHIFT + 1) - lead, 0)
    top = Wide(x.high, x.low).right_sticky(excess + 1)
    m = top.high | _sticky(top.low)
    mantissa = (m + 0x1FF + ((m >> 10) & 1)) >> 10
    field = where(denormal, 0, lead - (EXPONENT_SHIFT + 1))
    return (mantissa + (field << 52)).op("min", word(0x7FF << 52))


TABLE: Mapping[tuple[str, str], Callable[[Term, Term, Term], Term]] = {
    ("fma", "f32"): fma_f32,
    ("fma", "f64"): fma_f64,
}
