"""Double-word arithmetic: unevaluated sums of two floats.

The algorithms are the classic ones of Dekker (1971) and Knuth, with an fma for the error of a product, as analysed
by Joldes, Muller and Popescu, "Tight and rigorous error bounds for basic building blocks of double-word
arithmetic" (2017). Errors are a few units of 2^-105 (f64) of a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Union

from tilewright.passes.legalise.term import Term, Termish, where
from tilewright.records import dataclass


@dataclass(frozen=True, eq=False)
class Pair:
    """``high + low`` with ``high`` the float nearest to it. Operators take pairs, terms and numbers on the right."""

    high: Term
    low: Term

    def __add__(self, other: Pairish) -> Pair:
        b = self._pair(other)
        total, rest = two_sum(self.high, b.high), two_sum(self.low, b.low)
        middle = fast_two_sum(total.high, total.low + rest.high)
        return fast_two_sum(middle.high, rest.low + middle.low)

    def __neg__(self) -> Pair:
        return Pair(-self.high, -self.low)

    def __sub__(self, other: Pairish) -> Pair:
        return self + -self._pair(other)

    def __mul__(self, other: Pairish) -> Pair:
        b = self._pair(other)
        product = two_product(self.high, b.high)
        cross = self.low.op("fma", b.high, self.high * b.low)
        return fast_two_sum(product.high, product.low + cross)

    def __truediv__(self, other: Pairish) -> Pair:
        b = self._pair(other)
        first = self.high / b.high
        rest = self - b * first
        return fast_two_sum(first, rest.high / b.high)

    def scaled(self, power: Termish) -> Pair:
        """Times a power of two."""
        return Pair(self.high * power, self.low * power)

    def value(self) -> Term:
        """Rounded."""
        return self.high + self.low

    def _pair(self, other: Pairish) -> Pair:
        return other if isinstance(other, Pair) else Pair(self.high.like(other), self.high.like(0.0))


Pairish = Union[Pair, Term, float]


def two_sum(a: Term, b: Term) -> Pair:
    """``a + b``, exact."""
    total = a + b
    part = total - a
    return Pair(total, (a - (total - part)) + (b - part))


def fast_two_sum(a: Term, b: Term) -> Pair:
    """``a + b``, exact if ``a`` is 0 or not smaller in exponent than ``b``."""
    total = a + b
    return Pair(total, b - (total - a))


def two_product(a: Term, b: Term) -> Pair:
    """``a * b``, exact but where it underflows or overflows."""
    product = a * b
    return Pair(product, a.op("fma", b, -product))


def constant(like: Term, value: Fraction | float) -> Pair:
    """A number of more digits than a float has, of the dtype of ``like``."""
    high = float(value)
    return Pair(like.like(high), like.like(float(Fraction(value) - Fraction(high))))


def sum_by_size(a: Termish, b: Pair) -> Pair:
    """``a + b``, where ``a`` is 0 or not smaller in exponent; ``high`` is nearest to it but for units of ``low``."""
    total = fast_two_sum(b.high.like(a), b.high)
    return Pair(total.high, total.low + b.low)


def choose(condition: Term, yes: Pair, no: Pair) -> Pair:
    return Pair(where(condition, yes.high, no.high), where(condition, yes.low, no.low))


def pair_horner(x: Pair, tail: Term, coefficients: Sequence[Fraction]) -> Pair:
    """``c0 + x (c1 + x (... + x tail))``."""
    value: Pair = Pair(tail, tail.like(0.0))
    for c in reversed(coefficients):
        value = x * value + constant(tail, c)
    return value


def term_horner(x: Term, tail: Term, coefficients: Sequence[Fraction]) -> Pair:
    """The same of a term ``x`` at a third of the cost, where each coefficient is larger than what is added to it.

    What is rounded anyhow does without fma, which not all targets have.
    """
    value = Pair(tail, tail.like(0.0))
    for c in reversed(coefficients):
        product = two_product(x, value.high)
        exact = constant(tail, c)
        rest = x * value.low + product.low + exact.low
        value = sum_by_size(exact.high, Pair(product.high, rest))
    return value
