"""The exact field (docs/architecture.md) as integer operations on u64 cells.

An operation takes cells apart into residues and atoms, works on both residues, and packs the result.
Products are reduced by folding: with m = 2^k - c, high * 2^k + low = high * c + low (mod m).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from functools import partial, reduce
from math import inf, isfinite

from tilewright.ir.functions import FUNCTIONS
from tilewright.ir.types import ALL, BOOL, F64, FIELD, I64, U64, DType
from tilewright.passes.legalise.term import Term, Termish, where, word
from tilewright.records import dataclass

NONE = 0xFFFFFFFF
MINUS_INF = 0xFFFFFFFFFFFFFFFE
POISON = 0xFFFFFFFFFFFFFFFF


@dataclass(frozen=True)
class Modulus:
    """The prime ``2^bits - gap``; methods work on u64 terms below it unless they say otherwise."""

    bits: int
    gap: int

    @property
    def value(self) -> int:
        return (1 << self.bits) - self.gap

    def reduce(self, x: Term) -> Term:
        """Any u64 word."""
        for _ in range(2):
            x = (x >> self.bits) * self.gap + (x & ((1 << self.bits) - 1))
        return self._once(x)

    def _once(self, x: Term) -> Term:
        """``x`` below twice the modulus."""
        return where(x >= self.value, x - self.value, x)

    def add(self, a: Term, b: Term) -> Term:
        return self._once(a + b)

    def neg(self, a: Term) -> Term:
        return where(a.same(0), 0, word(self.value) - a)

    def sub(self, a: Term, b: Term) -> Term:
        return self._once(a + self.value - b)

    def mul(self, a: Term, b: Term) -> Term:
        return self.reduce(a * b)

    def inverse(self, a: Term) -> Term:
        """a^(m - 2) by squaring and multiplying; 0 for 0."""
        power = a
        for digit in bin(self.value - 2)[3:]:
            power = self.mul(power, power)
            if digit == "1":
                power = self.mul(power, a)
        return power

    def power(self, base: int, exponent: Term, bits: int) -> Term:
        """``base`` to an exponent below 2^bits, by conditional multiplications."""
        result = exponent.like(1)
        for n in range(bits):
            factor = pow(base, 1 << n, self.value)
            result = where(((exponent >> n) & 1).same(1), self.mul(result, result.like(factor)), result)
        return result

    def residue(self, value: float) -> int:
        """The exact fraction ``value`` as a residue."""
        fraction = Fraction(value)
        return fraction.numerator * pow(fraction.denominator, -1, self.value) % self.value


P = Modulus(31, 69)
Q = Modulus(30, 35)


def cell(value: float) -> int:
    """The cell of a literal."""
    if not isfinite(value):
        return MINUS_INF if value == -inf else POISON
    return Q.residue(value) << 32 | P.residue(value)


# --- cells in pieces ------------------------------------------------------------------------


def _cells(*args: Term) -> tuple[Term, ...]:
    return tuple(x.bits(U64) for x in args)


def _field(c: Term) -> Term:
    return c.bits(FIELD)


def _low(c: Term) -> Term:
    return c & NONE


def _high(c: Term) -> Term:
    return c >> 32


def _is_finite(c: Term) -> Term:
    return _low(c) < P.value


def _pack(p: Term, q: Termish) -> Term:
    return p | (p.like(q) << 32)


def _all(*conditions: Term) -> Term:
    return reduce(Term.__and__, conditions)


def _both(on: Callable[..., Term], *cells: Term) -> Term:
    """``on(modulus, ...)`` applied to both residues of finite cells; a none gives none in the second."""
    some = _all(*(_high(c).differs(NONE) for c in cells))
    return _pack(on(P, *map(_low, cells)), where(some, on(Q, *map(_high, cells)), NONE))


# --- operations on cells --------------------------------------------------------------------


def _arithmetic(on: Callable[..., Term], *cells: Term) -> Term:
    """An operation for which every atom gives poison."""
    return where(_all(*map(_is_finite, cells)), _both(on, *cells), POISON)


def _mul(a: Term, b: Term) -> Term:
    return _arithmetic(Modulus.mul, a, b)


def _add(a: Term, b: Term) -> Term:
    one_finite = (a.same(MINUS_INF) & _is_finite(b)) | (b.same(MINUS_INF) & _is_finite(a))
    return where(one_finite, MINUS_INF, _arithmetic(Modulus.add, a, b))


def _sub(a: Term, b: Term) -> Term:
    return where(a.same(MINUS_INF) & _is_finite(b), MINUS_INF, _arithmetic(Modulus.sub, a, b))


def _div(a: Term, b: Term) -> Term:
    quotient = _arithmetic(lambda m, x, y: m.mul(x, m.inverse(y)), a, b)
    return where(_low(b).same(0) | _high(b).same(0), POISON, quotient)


def _neg(v: Term) -> Term:
    return _arithmetic(Modulus.neg, v)


def _abs(v: Term) -> Term:
    return where(_low(v) <= P.value // 2, v, _neg(v))


def _rank(v: Term) -> Term:
    """The place in the total order."""
    return where(v.same(MINUS_INF), 0, _low(v) + 1)


def _min(a: Term, b: Term) -> Term:
    return where(_rank(b) < _rank(a), b, a)


def _max(a: Term, b: Term) -> Term:
    return where(_rank(a) < _rank(b), b, a)


def _hash(v: Term, salt: int) -> Term:
    h = (v + salt * 0x9E3779B9) & NONE
    h = ((h ^ (h >> 16)) * 0x7FEB352D) & NONE
    h = ((h ^ (h >> 15)) * 0x846CA68B) & NONE
    return P.reduce(h ^ (h >> 16))


def _hashed(salt: int, v: Term, *more: Term) -> Term:
    """The hash of the low word; of two cells, that of the first one's hash plus the second."""
    h = _hash(_low(v), salt)
    for other in more:
        h = _hash(h + _low(other), salt)
    return where(_all(*map(_is_finite, (v, *more))), _pack(h, NONE), POISON)


def _exp(v: Term) -> Term:
    q = _high(v)
    p = where(q.same(NONE), _hash(_low(v), 1), P.power(4, q, Q.bits))
    return where(_is_finite(v), _pack(p, NONE), where(v.same(MINUS_INF), v.like(0), POISON))


# --- casts ----------------------------------------------------------------------------------


def _from_magnitude(negative: Term, magnitude: Callable[[Modulus], Term]) -> Term:
    """The cell of a signed number from the residues of its absolute value."""
    p, q = (where(negative, m.neg(magnitude(m)), magnitude(m)) for m in (P, Q))
    return _pack(p, q)


def from_integer(x: Term) -> Term:
    """Both residues of a signed or unsigned integer."""
    if x.dtype.kind == "uint":
        u = x.to(U64)
        return _field(_pack(P.reduce(u), Q.reduce(u)))
    wide = x.to(I64)
    negative = wide < 0
    u = where(negative, -wide, wide).to(U64)
    return _field(_from_magnitude(negative, lambda m: m.reduce(u)))


def from_float(x: Term) -> Term:
    """The exact fraction that an f64 is; -inf is the atom, inf and nan are poison."""
    u = x.bits(U64)
    exponent = (u >> 52) & 0x7FF
    fraction = u & ((1 << 52) - 1)
    mantissa = where(exponent.same(0), fraction, fraction | (1 << 52))
    scale = where(exponent.same(0), 1, exponent)

    def residue(m: Modulus) -> Term:
        unit = m.residue(2.0**-1074) * m.residue(0.5) % m.value
        return m.mul(m.mul(m.reduce(mantissa), m.power(2, scale, 11)), u.like(unit))

    finite = _from_magnitude((u >> 63).differs(0), residue)
    return _field(where(exponent.differs(0x7FF), finite, where(x < 0.0, u.like(MINUS_INF), POISON)))


def to_integer(to: DType, x: Term) -> Term:
    """A hash of the low word, taken mod 2^bits."""
    return _hash(_low(x.bits(U64)), 4).to(to)


def _cast(source: DType, to: DType) -> Callable[[Term], Term]:
    if to is BOOL:
        return lambda x: _low(x.bits(U64)).differs(0)
    if to is FIELD and source is F64:
        return from_float
    if to is FIELD and source.kind == "float":
        return lambda x: x.to(F64).to(to)
    if to is FIELD:
        return from_integer if source.is_integer else lambda x: x.to(U64).to(to)
    return partial(to_integer, to)


CASTS: Mapping[tuple[str, str], Callable[[Term], Term]] = {
    **{(t.name, "field"): _cast(t, FIELD) for t in ALL if t is not FIELD},
    **{("field", t.name): _cast(FIELD, t) for t in ALL if t.is_integer or t is BOOL},
}


# --- the table ------------------------------------------------------------------------------


def _giving(wrap: Callable[[Term], Term], operation: Callable[..., Term]) -> Callable[..., Term]:
    """``operation`` on cells, as an operation on field values; ``wrap`` makes its result's dtype."""
    return lambda *args: wrap(operation(*_cells(*args)))


_ON_CELLS: Mapping[str, Callable[..., Term]] = {
    "add": _add,
    "sub": _sub,
    "mul": _mul,
    "div": _div,
    "neg": _neg,
    "abs": _abs,
    "fma": lambda a, b, c: _add(_mul(a, b), c),
    "min": _min,
    "max": _max,
    **{name: partial(_hashed, f.salt) for name, f in FUNCTIONS.items()},
    "exp": _exp,
}
_PREDICATES: Mapping[str, Callable[..., Term]] = {
    "lt": lambda a, b: _rank(a) < _rank(b),
    "le": lambda a, b: _rank(a) <= _rank(b),
    "gt": lambda a, b: _rank(a) > _rank(b),
    "ge": lambda a, b: _rank(a) >= _rank(b),
    "eq": lambda a, b: _low(a).same(_low(b)),
    "ne": lambda a, b: _low(a).differs(_low(b)),
    "isinf": lambda v: v.same(MINUS_INF),
    "isfinite": _is_finite,
    "signbit": lambda v: v.same(MINUS_INF) | (_is_finite(v) & (_low(v) > (P.value - 1) // 2)),
    "isnan": lambda v: _low(v).differs(_low(v)),  # never, but what v checks is still checked
}

TABLE: Mapping[tuple[str, str], Callable[..., Term]] = {
    **{(name, "field"): _giving(_field, f) for name, f in _ON_CELLS.items()},
    **{(name, "field"): _giving(lambda c: c, f) for name, f in _PREDICATES.items()},
}
