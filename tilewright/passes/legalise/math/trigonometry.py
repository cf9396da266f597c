"""sin, cos, tan and their inverses.

Angles are reduced as Payne and Hanek, "Radian reduction for trigonometric functions" (1983), do: the integer
mantissa times those bits of 2/pi that matter at its exponent, all in integers. One method serves all sizes.
"""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from math import inf, nan

from tilewright.ir.types import F32, F64, I64, U64, DType
from tilewright.passes.legalise.math import coefficients
from tilewright.passes.legalise.math.doubleword import Pair, choose, constant, fast_two_sum
from tilewright.passes.legalise.math.formats import (
    Format,
    Table,
    by_double,
    horner,
    in_both,
    is_negative,
    split_constant,
    with_sign_of,
)
from tilewright.passes.legalise.term import Term, where, word
from tilewright.records import dataclass

PI = Fraction("3.14159265358979323846264338327950288419716939937510582097494459230781640628620899")
QUARTER_PI = 0.7853981633974483


@cache
def two_over_pi(bits: int) -> int:
    """The first ``bits`` bits of 2/pi after the point, by Machin's formula in integers."""
    one = 1 << (bits + 64)

    def arctangent(n: int) -> int:
        term = total = one // n
        k, sign = 3, -1
        while term:
            term //= n * n
            total += sign * (term // k)
            k, sign = k + 2, -sign
        return total

    pi = 4 * (4 * arctangent(5) - arctangent(239))
    return ((2 * one << bits) // pi) & ((1 << bits) - 1)


@dataclass(frozen=True)
class Angle:
    """``quadrant * pi/2 + r``, |r| <= pi/4 or hardly more; of the size of the operand, sign left out."""

    quadrant: Term
    r: Pair


def _words(count: int) -> list[int]:
    """The bits of 2/pi after the point as 64-bit words, behind two words of zeros."""
    bits = 64 * (count - 2)
    value = two_over_pi(bits)
    return [(value >> (bits - 64 * (n - 1))) & (2**64 - 1) for n in range(count)]


def _window(start: Term, count: int, wanted: int) -> list[Term]:
    """``wanted`` 64-bit words of the bits of 2/pi (``count`` words of them) from bit ``start`` on, which is >= 0."""
    words = [word(w) for w in _words(count)]
    index, shift = start >> 6, start & 63
    for level in reversed(range((count - 1).bit_length())):
        step = 1 << level
        taken = ((index >> level) & 1).differs(0)
        later = [words[n + step] if n + step < len(words) else word(0) for n in range(len(words))]
        words = [where(taken, far, near) for near, far in zip(words, later, strict=True)]
        words = words[: wanted + step]
    return [(words[n] << shift) | (words[n + 1] >> (shift.like(64) - shift)) for n in range(wanted)]


def _product(a: Term, b: Term) -> tuple[Term, Term]:
    """``a * b`` of 64-bit words as two words, high first."""
    a1, a0, b1, b0 = a >> 32, a & 0xFFFFFFFF, b >> 32, b & 0xFFFFFFFF
    low, middle = a0 * b0, a1 * b0
    middle = middle + (low >> 32)
    other = a0 * b1 + (middle & 0xFFFFFFFF)
    return a1 * b1 + (middle >> 32) + (other >> 32), (other << 32) | (low & 0xFFFFFFFF)


def _mantissa(a: Term) -> tuple[Term, Term]:
    """``(m, start)``: m of 64 bits, the top one set, is the f64 ``a`` > 1/2 times a power of two.

    Its product with the bits of 2/pi from ``start`` on (as numbered by :func:`_words`), the first word having the
    weights 2^1 to 2^-62, is a * 2/pi modulo 4: the bits before are multiples of 4.
    """
    u = a.bits(U64)
    return ((u & ((1 << 52) - 1)) | (1 << 52)) << 11, (u >> 52) - (1023 - 63)


def _quadrant(a: Term, high: Term) -> Term:
    """To the nearest multiple, of a product whose first word is ``high``."""
    return where(a <= QUARTER_PI, 0, ((high >> 62) + ((high >> 61) & 1)) & 3)


def _reduce_double(a: Term) -> Angle:
    """Any finite f64, as a double word. The closest to a multiple of pi/2 is 2^-62 away; 2^-118 is kept."""
    m, start = _mantissa(a)
    first, second, third = _window(start, 20, 3)
    middle, low = _product(m, second)
    last, _ = _product(m, third)
    low = low + last
    high = m * first + middle + where(low < last, word(1), 0)
    fraction, rest = ((high << 2) | (low >> 62)).to(I64), low << 2
    top = ((fraction >> 11) << 11).to(F64) * 2.0**-64
    below = (fraction & 0x7FF).to(F64) * 2.0**53 + (rest >> 11).to(I64).to(F64)
    r = fast_two_sum(top, below * 2.0**-117) * constant(top, PI / 2)
    return Angle(_quadrant(a, high), choose(a <= QUARTER_PI, Pair(a, a.like(0.0)), r))


def _reduce_single(a: Term) -> Angle:
    """A number of f32, as an f64. The closest to a multiple of pi/2 is 2^-30 away; 2^-61 is kept."""
    m, start = _mantissa(a)
    first, second = _window(start, 5, 2)
    middle, low = _product(m, second)
    high = m * first + middle
    fraction = ((high << 2) | (low >> 62)).to(I64).to(F64)
    r = fraction * float(PI / 2**65)
    return Angle(_quadrant(a, high), Pair(where(a <= QUARTER_PI, a, r), a.like(0.0)))


def _sine(r: Pair, of: DType) -> Term:
    z = r.high * r.high
    cube = horner(z, coefficients.SIN[of]) * (z * r.high)
    return r.high + (cube + r.low * (z * -0.5 + 1.0))


def _cosine(r: Pair, of: DType) -> Term:
    z = r.high * r.high
    half = z * 0.5
    one = half.like(1.0) - half
    lost = (half.like(1.0) - one) - half
    return one + (horner(z, coefficients.COS[of]) * (z * z) + (lost - r.high * r.low))


def _both(x: Term, of: DType) -> tuple[Angle, Term, Term]:
    a = x.op("abs")
    angle = (_reduce_single if of is F32 else _reduce_double)(a)
    r = Pair(where(a < inf, angle.r.high, nan), angle.r.low)
    return angle, _sine(r, of), _cosine(r, of)


def _negated(condition: Term, x: Term) -> Term:
    return where(condition, -x, x)


def sin(of: DType, x: Term) -> Term:
    angle, sine, cosine = _both(x, of)
    q = angle.quadrant
    size = _negated(q >= 2, where((q & 1).same(0), sine, cosine))
    return where(x.same(0.0), x, _negated(x < 0.0, size))


def cos(of: DType, x: Term) -> Term:
    angle, sine, cosine = _both(x, of)
    q = angle.quadrant
    return _negated(((q + 1) & 2).differs(0), where((q & 1).same(0), cosine, sine))


def tan(of: DType, x: Term) -> Term:
    angle, sine, cosine = _both(x, of)
    odd = (angle.quadrant & 1).differs(0)
    ratio = where(odd, -cosine, sine) / where(odd, sine, cosine)
    return where(x.same(0.0), x, _negated(x < 0.0, ratio))


# --- inverses -------------------------------------------------------------------------------------


def _arctangent(fmt: Format, t: Term) -> Term:
    """Of 0 <= t <= 1."""
    z = t * t
    return horner(z, coefficients.ATAN[fmt.dtype]).op("fma", z * t, t)


def _from(fmt: Format, turn: Fraction, angle: Term) -> Term:
    """``turn - angle``."""
    high, low = split_constant(fmt, turn)
    return angle.like(high) - (angle - low)


def _of_ratio(fmt: Format, y: Term, x: Term) -> Term:
    """The angle of the point (|x|, |y|)."""
    a, b = y.op("abs"), x.op("abs")
    most, least = a.op("max", b), a.op("min", b)
    t = where(most.same(least), where(most.same(0.0), 0.0, a.like(1.0)), least / most)
    angle = _arctangent(fmt, t)
    return where(a > b, _from(fmt, PI / 2, angle), angle)


def atan(fmt: Format, x: Term) -> Term:
    value = with_sign_of(fmt, _of_ratio(fmt, x, x.like(1.0)), x)
    return where(x.op("isnan"), x, value)


def atan2(fmt: Format, y: Term, x: Term) -> Term:
    angle = _of_ratio(fmt, y, x)
    value = with_sign_of(fmt, where(is_negative(fmt, x), _from(fmt, PI, angle), angle), y)
    return where(x.op("isnan") | y.op("isnan"), nan, value)


def _half_chord(fmt: Format, x: Term) -> tuple[Term, Term, Term]:
    """``(middle, s, angle)``: angle = asin(s), of |x| where that is at most 1/2, else of sqrt((1 - |x|) / 2)."""
    a = x.op("abs")
    middle = a <= 0.5
    z = where(middle, a * a, (a.like(1.0) - a) * 0.5)
    s = where(middle, a, z.op("sqrt"))
    return middle, s, horner(z, coefficients.ASIN[fmt.dtype]).op("fma", z * s, s)


def asin(fmt: Format, x: Term) -> Term:
    middle, _, angle = _half_chord(fmt, x)
    return with_sign_of(fmt, where(middle, angle, _from(fmt, PI / 2, angle + angle)), x)


def acos(fmt: Format, x: Term) -> Term:
    middle, _, angle = _half_chord(fmt, x)
    negative = x < 0.0
    near = _from(fmt, PI / 2, _negated(negative, angle))
    double = angle + angle
    return where(middle, near, where(negative, _from(fmt, PI, double), double))


TABLE: Table = {
    **by_double("sin", lambda x: sin(F32, x), lambda x: sin(F64, x)),
    **by_double("cos", lambda x: cos(F32, x), lambda x: cos(F64, x)),
    **by_double("tan", lambda x: tan(F32, x), lambda x: tan(F64, x)),
    **in_both("asin", asin),
    **in_both("acos", acos),
    **in_both("atan", atan),
    **in_both("atan2", atan2),
}
