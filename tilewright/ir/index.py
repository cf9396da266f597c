"""Index algebra: quasi-affine integer expressions in a normal form, and conditions on them.

An :class:`Index` is an integer constant plus a sum of coefficients times monomials; a monomial is
a sorted product of atoms (symbols, ``a // b``, ``a % b``, min, max, ``pow2``, ``ctz``). Division
and modulo floor. Nodes are hash-consed: equal normal forms are one object. Rules that need to
know ranges live in :mod:`tilewright.ir.facts`; the ones here hold for all integers.

Grammar::

    Index     = const + coef * (Atom * ... * Atom) + ...
    Atom      = Symbol(name) | FloorDiv(num, den) | Mod(num, den) | Extremum(kind, args)
              | Pow2(exponent) | Ctz(value)
    Condition = Index >= 0 | Index == 0
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache, reduce
from typing import Union

from tilewright.errors import InternalError
from tilewright.ir.intern import Interned
from tilewright.records import dataclass


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Symbol(metaclass=Interned):
    """A named integer: a dim, an attribute, a loop variable or a slot of the size table."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class FloorDiv(metaclass=Interned):
    num: Index
    den: Index

    def __str__(self) -> str:
        return f"{_paren(self.num)} // {_paren(self.den)}"


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Mod(metaclass=Interned):
    num: Index
    den: Index

    def __str__(self) -> str:
        return f"{_paren(self.num)} % {_paren(self.den)}"


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Extremum(metaclass=Interned):
    """``min`` or ``max`` of two or more values."""

    kind: str
    args: tuple[Index, ...]

    def __str__(self) -> str:
        return f"{self.kind}({', '.join(map(str, self.args))})"


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Pow2(metaclass=Interned):
    """``2 ** exponent`` for a non-negative exponent below 63."""

    exponent: Index

    def __str__(self) -> str:
        return f"pow2({self.exponent})"


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Ctz(metaclass=Interned):
    """The number of trailing zero bits of a positive value."""

    value: Index

    def __str__(self) -> str:
        return f"ctz({self.value})"


Atom = Union[Symbol, FloorDiv, Mod, Extremum, Pow2, Ctz]
Monomial = tuple[Atom, ...]


@lru_cache(maxsize=1 << 16)
def _order(atom: Atom) -> tuple[int, str]:
    return (0 if isinstance(atom, Symbol) else 1, str(atom))


@lru_cache(maxsize=1 << 16)
def _monomial_order(m: Monomial) -> tuple[int, tuple[tuple[int, str], ...]]:
    return (-len(m), tuple(map(_order, m)))


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Index(metaclass=Interned):
    """A normal form; made by the functions below and by arithmetic, not by hand."""

    terms: tuple[tuple[Monomial, int], ...]
    const: int

    def __add__(self, other: IndexLike) -> Index:
        return _plus(self, other)

    def __radd__(self, other: int) -> Index:
        return self + other

    def __neg__(self) -> Index:
        return scaled(self, -1)

    def __sub__(self, other: IndexLike) -> Index:
        return _plus(self, -other)

    def __rsub__(self, other: int) -> Index:
        return -self + other

    def __mul__(self, other: IndexLike) -> Index:
        return scaled(self, other) if isinstance(other, int) else _multiply(self, other)

    def __rmul__(self, other: int) -> Index:
        return self * other

    def __floordiv__(self, other: IndexLike) -> Index:
        return floordiv(self, as_index(other))

    def __mod__(self, other: IndexLike) -> Index:
        return mod(self, as_index(other))

    @property
    def constant(self) -> int | None:
        """Its value if it is a constant, else None."""
        return None if self.terms else self.const

    @property
    def symbol(self) -> str | None:
        """Its name if it is just one symbol, else None."""
        if self.const == 0 and len(self.terms) == 1:
            ((atoms, coef),) = self.terms
            if coef == 1 and len(atoms) == 1 and isinstance(atoms[0], Symbol):
                return atoms[0].name
        return None

    def __str__(self) -> str:
        parts = [_term_text(m, c) for m, c in self.terms]
        if self.const or not parts:
            parts.append(str(self.const))
        return parts[0] + "".join(f" - {p[1:]}" if p[0] == "-" else f" + {p}" for p in parts[1:])

    def __repr__(self) -> str:
        return f"Index({self})"


IndexLike = Union[Index, int]


def _paren(index: Index) -> str:
    atomic = index.symbol is not None or (index.constant is not None and index.const >= 0)
    return str(index) if atomic else f"({index})"


def _term_text(monomial: Monomial, coef: int) -> str:
    factors = [f"({a})" if isinstance(a, (FloorDiv, Mod)) else str(a) for a in monomial]
    if coef == -1:
        return "-" + "*".join(factors)
    return "*".join(factors if coef == 1 else [*factors, str(coef)] if coef > 0 else [str(coef), *factors])


@lru_cache(maxsize=1 << 16)
def const(value: int) -> Index:
    """The constant ``value``."""
    return Index((), value)


@lru_cache(maxsize=1 << 16)
def symbol(name: str) -> Index:
    """The index that is just the symbol ``name``."""
    return of_atom(Symbol(name))


@lru_cache(maxsize=1 << 16)
def of_atom(atom: Atom) -> Index:
    return Index((((atom,), 1),), 0)


def as_index(value: IndexLike) -> Index:
    return const(value) if isinstance(value, int) else value


def term(monomial: Monomial, coef: int) -> Index:
    """``coef`` times ``monomial``, a product as it stands in a normal form, or a part of one."""
    return Index(((monomial, coef),), 0) if monomial else const(coef)


def _from_dict(terms: Mapping[Monomial, int], constant: int) -> Index:
    kept = [t for t in terms.items() if t[1]]
    if len(kept) > 1:
        kept.sort(key=_term_order)
    return Index(tuple(kept), constant)


def _term_order(term: tuple[Monomial, int]) -> tuple[int, tuple[tuple[int, str], ...]]:
    return _monomial_order(term[0])


def total(parts: Iterable[Index]) -> Index:
    """The sum of ``parts``; ``a // b * b + a % b`` is folded back to ``a``."""
    terms: dict[Monomial, int] = {}
    constant = 0
    for part in parts:
        constant += part.const
        for m, c in part.terms:
            terms[m] = terms.get(m, 0) + c
    result = _from_dict(terms, constant)
    for m, c in result.terms:
        if len(m) == 1 and type(m[0]) is Mod:
            quotient = of_atom(FloorDiv(m[0].num, m[0].den)) * m[0].den * c
            if quotient.terms and all(terms.get(qm) == qc for qm, qc in quotient.terms):
                return total([result, -quotient, -(of_atom(m[0]) * c), m[0].num * c])
    return result


@lru_cache(maxsize=1 << 16)
def scaled(index: Index, factor: int) -> Index:
    """``index * factor``."""
    if factor == 1:
        return index
    return Index(tuple([(m, c * factor) for m, c in index.terms]) if factor else (), index.const * factor)


@lru_cache(maxsize=1 << 16)
def _plus(a: Index, b: IndexLike) -> Index:
    if isinstance(b, int):
        return Index(a.terms, a.const + b) if b else a
    return total((a, b)) if b.terms else _plus(a, b.const)


@lru_cache(maxsize=1 << 16)
def _multiply(a: Index, b: Index) -> Index:
    if not b.terms:
        return scaled(a, b.const)
    if not a.terms:
        return scaled(b, a.const)
    terms: dict[Monomial, int] = {}
    for ma, ca in (*a.terms, ((), a.const)):
        for mb, cb in (*b.terms, ((), b.const)):
            m = tuple(sorted((*ma, *mb), key=_order))
            terms[m] = terms.get(m, 0) + ca * cb
    constant = terms.pop((), 0)
    return _from_dict(terms, constant)


def _split_multiple(num: Index, den: Index) -> tuple[Index, Index]:
    """``(q, r)`` with ``num == q * den + r``, q as large as the normal form shows."""
    d = den.constant
    if d is not None:
        if d == 0:
            return const(0), num
        whole = _from_dict({m: c // d for m, c in num.terms if c % d == 0}, num.const // d)
        return whole, num - whole * den
    if len(den.terms) == 1 and den.const == 0:
        ((dm, dc),) = den.terms
        whole_terms = {}
        for m, c in num.terms:
            rest = _without(m, dm)
            if rest is not None and c % dc == 0:
                whole_terms[rest] = c // dc
        constant = whole_terms.pop((), 0)
        whole = _from_dict(whole_terms, constant)
        return whole, num - whole * den
    return const(0), num


def _without(monomial: Monomial, factors: Monomial) -> Monomial | None:
    left = list(monomial)
    for f in factors:
        if f not in left:
            return None
        left.remove(f)
    return tuple(left)


def floordiv(num: Index, den: Index) -> Index:
    """Floor division. The divisor must not be 0 where it is evaluated."""
    if den.constant == 1:
        return num
    whole, rest = _split_multiple(num, den)
    if rest.constant == 0 and den.constant != 0:
        return whole
    if rest.constant is not None and den.constant:
        return whole + rest.const // den.const
    if den.constant and den.const < 0:
        return whole + floordiv(-rest, -den)
    atom = _nested_division(rest, den)
    return whole + atom


def _nested_division(num: Index, den: Index) -> Index:
    """``(a // b) // c`` is ``a // (b*c)`` for positive constants b and c."""
    d = den.constant
    if d is not None and d > 0 and len(num.terms) == 1 and num.const == 0:
        ((m, c),) = num.terms
        if c == 1 and len(m) == 1 and isinstance(m[0], FloorDiv) and (m[0].den.constant or 0) > 0:
            return floordiv(m[0].num, m[0].den * d)
    return of_atom(FloorDiv(num, den))


def mod(num: Index, den: Index) -> Index:
    """Floor modulo: the result has the divisor's sign. The divisor must not be 0."""
    if den.constant == 1:
        return const(0)
    if num.constant is not None and den.constant:
        return const(num.const % den.const)
    _, rest = _split_multiple(num, den)
    if rest.constant is not None and den.constant:
        return const(rest.const % den.const)
    if rest.constant == 0:
        return rest
    return of_atom(Mod(rest, den))


@lru_cache(maxsize=1 << 16)
def _text(index: Index) -> str:
    return str(index)


def extremum(kind: str, args: Iterable[Index]) -> Index:
    """``min`` or ``max`` (``kind``), constants and duplicates folded."""
    pick = min if kind == "min" else max
    seen = dict.fromkeys(args)
    constants = [a.const for a in seen if a.constant is not None]
    rest = sorted((a for a in seen if a.constant is None), key=_text)
    folded = ([const(pick(constants))] if constants else []) + rest
    if len(folded) == 1:
        return folded[0]
    return of_atom(Extremum(kind, tuple(folded)))


def minimum(*args: IndexLike) -> Index:
    return extremum("min", map(as_index, args))


def maximum(*args: IndexLike) -> Index:
    return extremum("max", map(as_index, args))


def ceildiv(num: IndexLike, den: IndexLike) -> Index:
    """``ceil(num / den)`` for a positive divisor."""
    num, den = as_index(num), as_index(den)
    return floordiv(num + den - 1, den)


def pow2(exponent: IndexLike) -> Index:
    """``2 ** exponent``. InternalError for a constant that is none of 0 to 62."""
    exponent = as_index(exponent)
    if not defined("pow2", exponent):
        raise InternalError(f"pow2({exponent}) has no value")
    return const(1 << exponent.const) if exponent.constant is not None else of_atom(Pow2(exponent))


def ctz(value: IndexLike) -> Index:
    """The number of trailing zero bits. InternalError for a constant below 1."""
    value = as_index(value)
    if not defined("ctz", value):
        raise InternalError(f"ctz({value}) has no value")
    return of_atom(Ctz(value)) if value.constant is None else const((value.const & -value.const).bit_length() - 1)


def defined(function: str, value: Index) -> bool:
    """Whether ``pow2`` or ``ctz`` of ``value`` may have a value: it is no constant, or one that has."""
    if value.constant is None:
        return True
    return 0 <= value.const < 63 if function == "pow2" else value.const > 0


def in_range(index: Index) -> bool:
    """Whether the constant and the coefficients of ``index`` fit 64 bits."""
    return all(-(1 << 63) <= c < 1 << 63 for c in (index.const, *(c for _, c in index.terms)))


@lru_cache(maxsize=1 << 16)
def depth(index: Index) -> int:
    """How deep divisions, remainders and extrema are nested in ``index``."""
    return max((1 + depth(c) for m, _ in index.terms for a in m for c in children(a)), default=0)


@lru_cache(maxsize=1 << 16)
def weight(index: Index) -> int:
    """How many atoms are written in ``index``, nested ones included, and 1."""
    return 1 + sum(1 + sum(map(weight, children(a))) for m, _ in index.terms for a in m)


def multipliable(a: Index, b: Index) -> bool:
    """Whether the product of ``a`` and ``b``, written out, is of a size that a person could have meant."""
    degree = sum(max((len(m) for m, _ in i.terms), default=0) for i in (a, b))
    return degree <= 200 and weight(a) * weight(b) <= 20_000


def product(parts: Iterable[Index]) -> Index:
    return reduce(_multiply, parts) if (parts := tuple(parts)) else const(1)


# --- walking and substituting ---------------------------------------------------------------


def children(atom: Atom) -> tuple[Index, ...]:
    """The indices inside an atom."""
    if isinstance(atom, Symbol):
        return ()
    if isinstance(atom, (FloorDiv, Mod)):
        return (atom.num, atom.den)
    if isinstance(atom, Extremum):
        return atom.args
    if isinstance(atom, Pow2):
        return (atom.exponent,)
    return (atom.value,) if isinstance(atom, Ctz) else ()


def rebuild(atom: Atom, parts: tuple[Index, ...]) -> Index:
    """The index ``atom`` would be with other children; simplifies."""
    if isinstance(atom, FloorDiv):
        return floordiv(*parts)
    if isinstance(atom, Mod):
        return mod(*parts)
    if isinstance(atom, Extremum):
        return extremum(atom.kind, parts)
    if isinstance(atom, Pow2):
        return pow2(parts[0])
    return ctz(parts[0]) if isinstance(atom, Ctz) else of_atom(atom)


def atoms(index: Index) -> Iterator[Atom]:
    """Every atom in ``index``, nested ones included, outer ones first."""
    for monomial, _ in index.terms:
        for atom in monomial:
            yield atom
            for child in children(atom):
                yield from atoms(child)


@lru_cache(maxsize=1 << 16)
def symbols(index: Index) -> frozenset[str]:
    """The names of all symbols in ``index``."""
    return frozenset(a.name for a in atoms(index) if isinstance(a, Symbol))


def substitute(index: Index, values: Mapping[str, Index]) -> Index:
    """``index`` with symbols replaced, all at once; the same object if none occurs."""
    if symbols(index).isdisjoint(values):
        return index
    parts = [scaled(_substitute_product(m, values), c) for m, c in index.terms]
    if len(parts) == 1 and len(index.terms[0][0]) == 1:
        return _plus(parts[0], index.const)
    return total([*parts, const(index.const)])


def _substitute_product(monomial: Monomial, values: Mapping[str, Index]) -> Index:
    found = _substitute_atom(monomial[0], values)
    for atom in monomial[1:]:
        found = _multiply(found, _substitute_atom(atom, values))
    return found


def _substitute_atom(atom: Atom, values: Mapping[str, Index]) -> Index:
    if isinstance(atom, Symbol):
        return values.get(atom.name) or of_atom(atom)
    return rebuild(atom, tuple(substitute(c, values) for c in children(atom)))


def coefficient(index: Index, name: str) -> Index | None:
    """``c`` if ``index == c * name + rest`` and neither c nor rest has the symbol; else None."""
    atom = Symbol(name)
    parts = []
    for monomial, coef in index.terms:
        rest = _without(monomial, (atom,))
        inside = any(name in symbols(of_atom(a)) for a in (monomial if rest is None else rest))
        if inside:
            return None
        if rest is not None:
            parts.append(term(rest, coef))
    return total(parts)


# --- conditions -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, slots=True, weakref_slot=True)
class Condition(metaclass=Interned):
    """``index >= 0`` (kind ``ge``) or ``index == 0`` (kind ``eq``)."""

    kind: str
    index: Index

    def __str__(self) -> str:
        sides: dict[bool, list[Index]] = {True: [], False: []}
        for m, c in self.index.terms:
            sides[c > 0].append(term(m, abs(c)))
        left, right = total(sides[True]), total(sides[False])
        if self.index.const >= 0:
            left = left + self.index.const
        else:
            right = right - self.index.const
        return f"{left} {'>=' if self.kind == 'ge' else '=='} {right}"


def ge(a: IndexLike, b: IndexLike) -> Condition:
    return Condition("ge", as_index(a) - b)


def lt(a: IndexLike, b: IndexLike) -> Condition:
    return ge(as_index(b) - 1, a)


def eq(a: IndexLike, b: IndexLike) -> Condition:
    return Condition("eq", as_index(a) - b)


def substitute_condition(condition: Condition, values: Mapping[str, Index]) -> Condition:
    return Condition(condition.kind, substitute(condition.index, values))
