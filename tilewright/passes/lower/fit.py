"""Checks that no size of a call leaves 64 bits: what kernels and the size table compute of dims wraps around otherwise.

Each size gets an upper bound that is a polynomial of dims without negative coefficients. The runtime holds no tensor of
more than 2^48 bytes (an empty axis counted as one element), so that dims and their products within one operand or
result are no larger than that. Where that does not show that a bound fits, its products are checked factor by factor,
with divisions, which cannot leave 64 bits themselves. A sum that wraps on its way to a value that fits is right in
the end: all arithmetic is modulo 2^64.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace
from fractions import Fraction

from tilewright.errors import UserError
from tilewright.ir.facts import of_sizes
from tilewright.ir.index import (
    Atom,
    Condition,
    Extremum,
    FloorDiv,
    Index,
    Mod,
    Monomial,
    Symbol,
    children,
    coefficient,
    const,
    ge,
    in_range,
    maximum,
    product,
    substitute,
    substitute_condition,
    symbol,
    symbols,
    term,
)
from tilewright.ir.loops import Loop, Stmt
from tilewright.ir.plan import Check, Plan, dim, tail
from tilewright.ir.tensor import Tensor
from tilewright.passes.lower.sizes import places_text
from tilewright.records import dataclass

LARGEST = 1 << 48
"""The bytes of the largest tensor: ``kLargest`` of the runtime."""
MOST = (1 << 63) - 1

Polynomial = Mapping[Monomial, Fraction]
"""A bound: per product of dims its coefficient, which is not negative."""


def fit_sizes(plan: Plan) -> Plan:
    """``plan`` with checks, before all others, that its sizes are those that arithmetic without limits would find."""
    fit = _Fit(plan)
    for check in plan.checks:
        fit.given(check.condition)
    sizes = frozenset(name for name, _ in plan.symbols)
    for t in plan.outputs:
        for extent in t.shape:
            fit.size(extent)
        fit.know(t)
    for extent in dict.fromkeys(e for k in plan.kernels for e in _extents(k.body)):
        if symbols(extent) <= sizes:
            fit.size(extent)
    for t in plan.scratch:
        fit.size(product(t.shape), MOST // (2 * t.dtype.bytes * len(plan.scratch)))
    for name, value in tail(plan):
        if name.startswith("trips("):
            fit.size(value)
    return replace(plan, checks=(*fit.checks(), *plan.checks)) if fit.limits else plan


def _extents(body: Iterable[Stmt]) -> Iterator[Index]:
    for s in body:
        if isinstance(s, Loop):
            yield s.extent
            yield from _extents(s.body)


@dataclass
class _Fit:
    """The checks of ``plan`` so far, and what is known of its tensors.

    ``limits``: per two factors what their product must not exceed, and the size that needs it; ``whole``: indices of at
    most LARGEST; ``products``: per monomial what each part of it is at most. ``inner`` expresses dims by extents of
    results, ``outer`` those extents by dims.
    """

    plan: Plan
    limits: dict[tuple[Index, Index], tuple[int, Index]] = field(default_factory=dict)
    whole: set[Index] = field(default_factory=set)
    products: dict[Monomial, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        dims = [name for name, _ in self.plan.symbols]
        self.inner: dict[str, Index] = {}
        self.outer: dict[str, Index] = {}
        for extent in (e for t in self.plan.outputs for e in t.shape if any(c < 0 for _, c in e.terms)):
            self._name(extent, dims)
        known = [ge(self.inner.get(name, symbol(name)), 0) for name in dims]
        self.facts = of_sizes(frozenset((*dims, *self.outer))).extended({}, known)
        inputs = {dim(t.name, a): (t.name, a) for t in self.plan.inputs for a in range(len(t.shape))}
        named = {name: inputs[value] for name, value in self.plan.symbols}
        self.places = {**{str(slot): place for slot, place in inputs.items()}, **named}
        self.seen: dict[Index, Polynomial] = {}
        self.opaque: set[Atom] = set()
        for t in self.plan.inputs:
            self.know(t)

    def _name(self, extent: Index, dims: list[str]) -> None:
        """Gives a result's ``extent`` a name of its own, in terms of which one dim in it is then expressed."""
        said = substitute(extent, self.inner)
        for name in dims:
            if name not in self.inner and coefficient(said, name) is const(1):
                self.inner[name] = symbol(f"{name}'") - (said - symbol(name))
                self.outer[f"{name}'"] = extent
                return

    def know(self, t: Tensor) -> None:
        """Notes what follows from that the runtime holds ``t``."""
        shape = [substitute(extent, self.inner) for extent in t.shape]
        self.whole.update(product(shape[a:b]) for a in range(len(shape)) for b in range(a + 1, len(shape) + 1))
        if all(map(_adds_up, shape)):
            most = LARGEST * math.prod(1 - min(0, extent.const) for extent in shape)
            for m, _ in product([Index(extent.terms, max(0, extent.const)) for extent in shape]).terms:
                self.products[m] = min(most, self.products.get(m, most))
                self.opaque.update(m)

    def given(self, condition: Condition) -> None:
        """A condition that a call meets is known if what it compares fits."""
        bound = self._fitting(substitute(condition.index, self.inner))
        self.size(condition.index)
        if self._value(bound) <= MOST:
            self.facts = self.facts.extended({}, (substitute_condition(condition, self.inner),))

    # --- bounds -----------------------------------------------------------------------------

    def size(self, index: Index, most: int = MOST) -> None:
        """Sees to it that ``index`` is at most ``most``; UserError if a number in it is more."""
        if not in_range(index) or (index.constant is not None and abs(index.const) > most):
            message = f"{self.plan.name}: the size {index} does not fit 64 bits"
            raise UserError(message, hint="use smaller numbers")
        if index.symbol is not None or index.constant is not None:
            return
        self._check(self._fitting(substitute(index, self.inner)), most)

    def _fitting(self, index: Index) -> Polynomial:
        """The bound of ``index``, all parts of which fit."""
        if index not in self.seen:
            for m, _ in index.terms:
                for child in (c for a in m for c in children(a)):
                    self._check(self._fitting(child), MOST)
            self.seen[index] = self._bound(index)
        return self.seen[index]

    def _bound(self, index: Index) -> Polynomial:
        """A bound of the absolute value of ``index``."""
        positive = self.facts.holds(ge(index, 0))
        found: dict[Monomial, Fraction] = {(): Fraction(max(0, index.const) if positive else abs(index.const))}
        for m, c in index.terms:
            if c > 0 or not positive:
                _add(found, self._product(m, Fraction(abs(c))))
        if Index(index.terms, 0) in self.whole and self._value(found) > LARGEST + abs(index.const):
            return {(): Fraction(LARGEST + abs(index.const))}
        return found

    def _product(self, monomial: Monomial, coefficient: Fraction) -> Polynomial:
        found: Polynomial = {(): coefficient}
        for atom in monomial:
            found = _times(found, self._atom(atom))
        return found

    def _atom(self, atom: Atom) -> Polynomial:
        if isinstance(atom, Symbol) or atom in self.opaque:
            return {(atom,): Fraction(1)}
        parts = [self._fitting(c) for c in children(atom)]
        if isinstance(atom, FloorDiv):
            below = not self.facts.holds(ge(atom.num, 0))
            quotient = _times(parts[0], {(): Fraction(1, max(1, atom.den.constant or 1))})
            return {**quotient, (): quotient.get((), Fraction(0)) + below}
        if isinstance(atom, Mod):
            return parts[1]
        if isinstance(atom, Extremum):
            return self._extremum(atom, parts)
        return {(atom,): Fraction(1)}

    def _extremum(self, atom: Extremum, parts: list[Polynomial]) -> Polynomial:
        if atom.kind == "min" and all(self.facts.holds(ge(a, 0)) for a in atom.args):
            return min(parts, key=self._value)
        return {m: max(p.get(m, Fraction(0)) for p in parts) for p in parts for m in p}

    def _value(self, bound: Polynomial) -> Fraction:
        """What ``bound`` is at most, as far as tensors tell."""
        return sum((c * math.prod(self._groups(m).values()) for m, c in bound.items()), Fraction(0))

    def _groups(self, monomial: Monomial) -> dict[Monomial, int]:
        """``monomial`` as few factors, each with what it is at most."""
        groups: list[Monomial] = []
        for atom in monomial:
            for n, group in enumerate(groups):
                if self._known((*group, atom)):
                    groups[n] = (*group, atom)
                    break
            else:
                groups.append((atom,))
        return {g: self._known(g) or LARGEST for g in groups}

    def _known(self, monomial: Monomial) -> int | None:
        return min((most for p, most in self.products.items() if _within(monomial, p)), default=None)

    # --- checks -----------------------------------------------------------------------------

    def _check(self, bound: Polynomial, most: int) -> None:
        """Requires of each product in ``bound`` that its share of ``most`` is enough for it."""
        if self._value(bound) <= most:
            return
        limit = int(most // sum(bound.values()))
        for m, c in bound.items():
            if m and math.prod(self._groups(m).values()) > limit:
                self._require(m, limit, term(m, max(1, int(c))))

    def _require(self, monomial: Monomial, limit: int, size: Index) -> None:
        sofar = const(1)
        for group, most in self._groups(monomial).items():
            factor = term(group, 1)
            if sofar.terms or most > limit:
                old = self.limits.get((sofar, factor), (limit, size))
                self.limits[sofar, factor] = min(old, (limit, size), key=lambda found: found[0])
            sofar = sofar * factor

    def checks(self) -> Iterator[Check]:
        """Division is exact enough: ``a * b <= limit`` just if ``b <= limit // a``, for a positive ``a``."""
        for (a, b), (limit, size) in self.limits.items():
            a, b, size = (substitute(i, self.outer) for i in (a, b, size))
            message = f"{self.plan.name}: {size} does not fit 64 bits{places_text(size, self.places)}"
            yield Check(ge(const(limit) // maximum(a, 1), b), message)


def _adds_up(extent: Index) -> bool:
    """Whether an ``extent`` that is not negative bounds each of its terms."""
    plain = all(isinstance(atom, Symbol) for m, _ in extent.terms for atom in m)
    return all(c > 0 for _, c in extent.terms) and (plain or len(extent.terms) == 1)


def _add(sum_: dict[Monomial, Fraction], more: Polynomial) -> None:
    for m, c in more.items():
        sum_[m] = sum_.get(m, Fraction(0)) + c


def _times(a: Polynomial, b: Polynomial) -> Polynomial:
    found: dict[Monomial, Fraction] = {}
    for ma, ca in a.items():
        _add(found, {tuple(sorted((*ma, *mb), key=str)): ca * cb for mb, cb in b.items()})
    return found


def _within(part: Monomial, whole: Monomial) -> bool:
    return all(part.count(atom) <= whole.count(atom) for atom in part)
