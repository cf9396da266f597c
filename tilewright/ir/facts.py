"""What is known about symbols, and what follows from it: ranges, conditions, sizes.

There is no solver. A goal ``index >= 0`` is reduced to goals with fewer unknowns: a ranged symbol is
replaced by the end of its range that makes the goal hardest, ``a // b`` and ``a % b`` by what floor division
promises of them, a known condition is subtracted; what remains holds if no term can be negative. A goal that
fails at one of a few points which satisfy the facts (:mod:`tilewright.ir.samples`) is searched for a few steps
only. "Unknown" is an answer: everything here is sound for all integers that the facts allow, and incomplete.

An answer depends on the facts and the question alone, not on what was asked before. So answers can be kept: facts
made by :func:`of_sizes` and extended in the same way are one object, and each step asks much that others have asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from threading import RLock

from tilewright.ir.index import (
    Atom,
    Condition,
    Ctz,
    Extremum,
    FloorDiv,
    Index,
    Mod,
    Pow2,
    Symbol,
    children,
    const,
    extremum,
    floordiv,
    lt,
    mod,
    of_atom,
    product,
    rebuild,
    scaled,
    symbols,
    term,
    total,
)
from tilewright.ir.samples import Points

_DEPTH = 10
_STEPS = 150
_PATIENCE = 6
"""So many steps are tried before points are drawn: what holds is mostly shown by then."""
_KEPT = 4096
"""So many facts are kept, with the answers they gave."""

Range = tuple[Index, Index]
Bounds = tuple[int | None, int | None]
Goals = tuple[Index, ...]

_searching = RLock()
"""Held by a search: facts are shared by threads, and have its state."""


class Facts:
    """Known: ``lo <= s < hi`` for each ranged symbol (never an empty range), ``conditions``, ``sizes >= 0``."""

    def __init__(
        self,
        ranges: Mapping[str, tuple[Index, Index]],
        conditions: Sequence[Condition] = (),
        sizes: Collection[str] = (),
    ) -> None:
        self.ranges: dict[str, tuple[Index, Index]] = {}
        self.conditions: tuple[Condition, ...] = ()
        self.sizes = frozenset(sizes)
        self._given: list[Index] = []
        self._least = dict.fromkeys(self.sizes, 0)
        self._most: dict[str, int] = {}
        self._learn(ranges, conditions)

    def extended(self, ranges: Mapping[str, tuple[Index, Index]], conditions: Sequence[Condition] = ()) -> Facts:
        """These facts and more."""
        return _extended(self, tuple(ranges.items()), tuple(conditions)) if ranges or conditions else self

    def _learn(self, ranges: Mapping[str, tuple[Index, Index]], conditions: Sequence[Condition]) -> None:
        """Adds facts; ``_least``, ``_most``: constant bounds of symbols; ``_given``: what else is not negative."""
        self.ranges = {**self.ranges, **ranges}
        self.conditions = (*self.conditions, *conditions)
        given = [c.index for c in conditions] + [-c.index for c in conditions if c.kind == "eq"]
        known = [*given, *(hi - lo - 1 for lo, hi in ranges.values())]
        self._given = [*self._given, *(k for k in given if k.terms)]
        self._least = {**self._least}
        for name, (lo, _) in ranges.items():
            if lo.constant is not None:
                self._note_minimum(name, lo.const)
        self._most = self._most | {name: hi.const - 1 for name, (_, hi) in ranges.items() if hi.constant is not None}
        for k in known:
            self._note_minima(k)
        undivided = [u for k in known for u in self._undivided(k)]
        self._given += undivided
        for k in undivided:
            self._note_minima(k)
        self._answers: dict[Index, bool] = {}
        self._simplified: dict[Index, Index] = {}

    # --- questions --------------------------------------------------------------------------

    def prove(self, condition: Condition) -> bool | None:
        """True if it always holds, False if it never does, None if neither was found."""
        if self.holds(condition):
            return True
        return False if self.excludes(condition) else None

    def holds(self, condition: Condition) -> bool:
        """Whether ``condition`` could be shown to hold always: half of what :meth:`prove` looks for."""
        index = condition.index
        if condition in self.conditions:
            return True
        return self._nonnegative(index) if condition.kind == "ge" else self._vanishes(index)

    def _vanishes(self, index: Index) -> bool:
        return self._nonnegative(-index) and self._nonnegative(index)

    def excludes(self, condition: Condition) -> bool:
        """Whether ``condition`` could be shown never to hold."""
        index = condition.index
        if condition.kind == "ge":
            return self._nonnegative(-index - 1)
        divisor = math.gcd(*(c for _, c in index.terms))
        apart = index.const % divisor if divisor else index.const
        return bool(apart) or self._nonnegative(index - 1) or self._nonnegative(-index - 1)

    def bounds(self, index: Index) -> Bounds:
        """The least and the greatest value (both included) as far as they are constants."""
        hull = self._interval(index, _DEPTH)
        low, high = self._interval(self.least(index), _DEPTH)[0], self._interval(-self.least(-index), _DEPTH)[1]
        return _tighter(hull[0], low, max), _tighter(hull[1], high, min)

    def simplify(self, index: Index) -> Index:
        """An equal index without the divisions, remainders and extrema that the facts decide."""
        found = self._simplified.get(index)
        if found is None:
            found = index
            while (shorter := self._simplify_once(found)) is not found:
                found = shorter
            self._simplified[index] = found
        return found

    # --- the proof search -------------------------------------------------------------------

    def _nonnegative(self, index: Index) -> bool:
        found = self._answers.get(index)
        if found is None:
            with _searching:
                self._begin()
                found = self._answers[index] = self._holds(index, _DEPTH)
        return found

    def _begin(self) -> None:
        """Each search starts anew: what one finds on its way it may have given up for want of steps."""
        self._proved: dict[Index, tuple[int, bool]] = {}
        self._steps = _STEPS

    def _holds(self, goal: Index, depth: int) -> bool:
        """Whether ``goal >= 0`` could be shown with ``depth`` replacements."""
        if goal.constant is not None:
            return goal.const >= 0
        searched, found = self._proved.get(goal, (-1, False))
        if found or searched >= depth or self._steps <= 0:
            return found
        self._proved[goal] = (depth, False)
        self._steps -= 1
        found = self._by_ends(goal) or self._by_signs(goal, depth) or (depth > 0 and self._by_search(goal, depth - 1))
        self._proved[goal] = (depth, found)
        return found

    def _by_search(self, goal: Index, depth: int) -> bool:
        tested = False
        for goals in self._reductions(goal, depth):
            if all(self._holds(g, depth) for g in goals):
                return True
            if not tested and self._steps < _STEPS - _PATIENCE:
                tested = True
                if self._points.refute(goal):
                    return False
        return False

    def _by_ends(self, goal: Index) -> bool:
        """Whether the constant bounds of its symbols show it."""
        low = goal.const
        for monomial, coef in goal.terms:
            atom = monomial[0]
            if len(monomial) > 1 or not isinstance(atom, Symbol):
                return False
            end = (self._least if coef > 0 else self._most).get(atom.name)
            if end is None:
                return False
            low += coef * end
        return low >= 0

    def _by_signs(self, goal: Index, depth: int) -> bool:
        """Each symbol counted from its least value, no term can be negative."""
        shifted = self._from_least(goal)
        if shifted.const < 0 or any(c < 0 for _, c in shifted.terms):
            return False
        return all(self._atom_nonnegative(a, depth) for m, _ in shifted.terms for a in m)

    def _from_least(self, goal: Index) -> Index:
        """``goal`` with the distance of each symbol from its least value in the symbol's place."""
        least: dict[Atom, int] = {
            a: n for m, _ in goal.terms for a in m if isinstance(a, Symbol) and (n := self._least.get(a.name))
        }
        if not least:
            return goal
        parts = [const(goal.const)]
        for monomial, coef in goal.terms:
            parts.append(scaled(product([of_atom(a) + least.get(a, 0) for a in monomial]), coef))
        return total(parts)

    def _atom_nonnegative(self, atom: Atom, depth: int) -> bool:
        if isinstance(atom, Symbol):
            return atom.name in self._least
        if isinstance(atom, (Pow2, Ctz)):
            return True
        if depth <= 0:
            return False
        if isinstance(atom, Extremum):
            every = all if atom.kind == "min" else any
            return every(self._holds(a, depth - 1) for a in atom.args)
        positive = self._holds(atom.den - 1, depth - 1)
        return positive and (isinstance(atom, Mod) or self._holds(atom.num, depth - 1))

    def _reductions(self, goal: Index, depth: int) -> Iterator[Goals]:
        """Ways to show ``goal >= 0``: each is a tuple of goals that together suffice."""
        for known in self._given:
            yield from _subtract(goal, known)
        outer = list(dict.fromkeys(a for m, _ in goal.terms for a in m))
        inner = {s for a in outer for c in children(a) for s in symbols(c)}
        ranged = [a for a in outer if isinstance(a, Symbol) and a.name in self.ranges]
        for atom in _innermost([a for a in ranged if a.name not in inner], self.ranges)[:1]:
            yield from self._at_range_end(goal, atom, depth)
        compounds = [self._without_atom(goal, a, depth) for a in outer if not isinstance(a, Symbol)]
        yield from sorted(chain.from_iterable(compounds), key=_length)
        for atom in ranged:
            yield from self._at_range_end(goal, atom, depth)

    def _at_range_end(self, goal: Index, atom: Symbol, depth: int) -> Iterator[Goals]:
        coef, rest = _split(goal, atom)
        lo, hi = self.ranges[atom.name]
        if self._holds(coef, depth):
            yield (rest + coef * lo,)
        elif self._holds(-coef, depth):
            yield (rest + coef * (hi - 1),)

    def _without_atom(self, goal: Index, atom: Atom, depth: int) -> Iterator[Goals]:
        coef, rest = _split(goal, atom)
        up = self._holds(coef, depth)
        down = not up and self._holds(-coef, depth)
        if isinstance(atom, Extremum):
            if (up and atom.kind == "max") or (down and atom.kind == "min"):
                yield from ((rest + coef * a,) for a in atom.args)
            else:
                yield tuple(rest + coef * a for a in atom.args)
        elif not (up or down):
            return
        elif isinstance(atom, (Pow2, Ctz)) and up:
            yield (rest + coef * (1 if isinstance(atom, Pow2) else 0),)
        elif isinstance(atom, Mod) and self._holds(atom.den - 1, depth):
            yield from self._without_mod(atom, coef, rest, up, depth)
        elif isinstance(atom, FloorDiv) and self._holds(atom.den - 1, depth):
            yield from self._without_division(atom, coef, rest, up)

    def _without_mod(self, atom: Mod, coef: Index, rest: Index, up: bool, depth: int) -> Iterator[Goals]:
        """``0 <= a % b < b``, and ``a % b <= a`` for ``a >= 0``."""
        yield (rest,) if up else (rest + coef * (atom.den - 1),)
        if not up and self._holds(atom.num, depth):
            yield (rest + coef * atom.num,)
        yield (rest + coef * (atom.num - atom.den * of_atom(FloorDiv(atom.num, atom.den))),)

    def _without_division(self, atom: FloorDiv, coef: Index, rest: Index, up: bool) -> Iterator[Goals]:
        """``num - den < den * (num // den) <= num``; the goal is multiplied by den if it has to be."""
        least = atom.num - atom.den + 1 if up else atom.num
        times = floordiv(coef, atom.den)
        if times * atom.den is coef:
            yield (rest + times * least,)
        else:
            yield (rest * atom.den + coef * least + atom.den - 1,)

    @cached_property
    def _points(self) -> Points:
        return Points(self.ranges, self.conditions, self._least)

    # --- minima and intervals ---------------------------------------------------------------

    def _note_minimum(self, name: str, bound: int) -> None:
        self._least[name] = max(self._least.get(name, bound), bound)

    def _note_minima(self, known: Index) -> None:
        """The constant lower bounds of symbols that follow from ``known >= 0``, a condition on one monomial."""
        if len(known.terms) != 1 or known.terms[0][1] < 0:
            return
        ((monomial, coef),) = known.terms
        bound = -(known.const // coef)
        if len(monomial) == 1 and isinstance(monomial[0], Symbol):
            self._note_minimum(monomial[0].name, bound)
        elif bound > 0 and all(isinstance(a, Symbol) and a.name in self.sizes for a in monomial):
            for a in monomial:
                self._note_minimum(str(a), 1)

    def _undivided(self, known: Index) -> Iterator[Index]:
        """``a - k*b >= 0`` where ``known`` says ``a // b >= k``."""
        if len(known.terms) == 1:
            ((monomial, coef),) = known.terms
            if len(monomial) == 1 and isinstance(monomial[0], FloorDiv) and coef > 0:
                low, _ = self._interval(monomial[0].den, _DEPTH)
                if low is not None and low > 0:
                    yield monomial[0].num + monomial[0].den * (known.const // coef)

    def least(self, index: Index) -> Index:
        """A lower bound of ``index``; without ranged symbols, if the signs of their coefficients are known.

        It is the least value itself where each symbol occurs in one term only.
        """
        with _searching:
            self._begin()
            for _ in range(len(self.ranges)):
                ranged = [s for s in map(Symbol, self.ranges) if any(s in m for m, _ in index.terms)]
                for atom in _innermost(ranged, self.ranges)[:1]:
                    goals = next(self._at_range_end(index, atom, 2), None)
                    if goals is None:
                        return index
                    index = goals[0]
        return index

    def _interval(self, index: Index, depth: int) -> Bounds:
        low: int | None = index.const
        high: int | None = index.const
        for monomial, coef in index.terms:
            part: Bounds = (coef, coef)
            for atom in monomial:
                part = _times(part, self._atom_interval(atom, depth))
            low = None if low is None or part[0] is None else low + part[0]
            high = None if high is None or part[1] is None else high + part[1]
        return low, high

    def _atom_interval(self, atom: Atom, depth: int) -> Bounds:
        if depth == 0:
            return None, None
        if isinstance(atom, Symbol):
            return self._symbol_interval(atom.name, depth)
        parts = [self._interval(c, depth - 1) for c in children(atom)]
        if isinstance(atom, Extremum):
            return _extremum_interval(atom.kind, parts)
        if isinstance(atom, Pow2):
            return 1, None
        if isinstance(atom, Ctz):
            return 0, None
        return _quotient_interval(*parts) if isinstance(atom, FloorDiv) else _remainder_interval(*parts)

    def _symbol_interval(self, name: str, depth: int) -> Bounds:
        low, high = self._least.get(name), None
        if name in self.ranges:
            lo, hi = self.ranges[name]
            low = _tighter(low, self._interval(lo, depth - 1)[0], max)
            end = self._interval(hi, depth - 1)[1]
            high = None if end is None else end - 1
        for known in self._given:
            if len(known.terms) == 1 and known.terms[0][0] == (Symbol(name),) and known.terms[0][1] < 0:
                high = _tighter(high, known.const // -known.terms[0][1], min)
        return low, high

    # --- simplification ---------------------------------------------------------------------

    def _simplify_once(self, index: Index) -> Index:
        if all(isinstance(a, Symbol) for m, _ in index.terms for a in m):
            return index
        parts = [const(index.const)]
        for monomial, coef in index.terms:
            parts.append(scaled(product(map(self._simplify_atom, monomial)), coef))
        return total(parts)

    def _simplify_atom(self, atom: Atom) -> Index:
        inner = tuple(map(self.simplify, children(atom)))
        if inner != children(atom):
            return rebuild(atom, inner)
        if isinstance(atom, Extremum):
            return self._simplify_extremum(atom)
        if isinstance(atom, (FloorDiv, Mod)):
            return self._simplify_division(atom)
        return of_atom(atom)

    def _simplify_extremum(self, atom: Extremum) -> Index:
        """Leaves out arguments that another one always covers."""
        kept: list[Index] = []
        for n, a in enumerate(atom.args):
            others = [*kept, *atom.args[n + 1 :]]
            above = [b - a if atom.kind == "max" else a - b for b in others]
            if not any(map(self._nonnegative, above)):
                kept.append(a)
        return extremum(atom.kind, kept)

    def _simplify_division(self, atom: FloorDiv | Mod) -> Index:
        num, den = atom.num, atom.den
        quotient = self._quotient(num, den)
        if quotient is not None:
            return quotient if isinstance(atom, FloorDiv) else num - quotient * den
        shared = self._shared_factor(num, den)
        if shared is None:
            return of_atom(atom)
        small, factor = shared
        parts = _exact_quotient(num - small, factor), const(den.const // factor)
        return floordiv(*parts) if isinstance(atom, FloorDiv) else mod(*parts) * factor + small

    def _quotient(self, num: Index, den: Index) -> Index | None:
        """``num // den`` where the facts make it one constant."""
        d = den.constant or 0
        low, high = self.bounds(num) if d > 0 else (None, None)
        if low is not None and high is not None and low // d == high // d:
            return const(low // d)
        return const(0) if self.holds(lt(num, den)) and self._nonnegative(num) else None

    def _shared_factor(self, num: Index, den: Index) -> tuple[Index, int] | None:
        """``(small, g)``: g divides den and ``num - small``, and ``0 <= small < g``: small never carries."""
        if not den.constant or den.const < 0:
            return None
        factors = {math.gcd(c, den.const) for _, c in num.terms} - {1}
        for g in sorted(factors, reverse=True):
            large = Index(tuple((m, c) for m, c in num.terms if c % g == 0), num.const // g * g)
            small = num - large
            low, high = self.bounds(small)
            if low is not None and high is not None and 0 <= low and high < g:
                return small, g
        return None


@lru_cache(maxsize=_KEPT)
def of_sizes(sizes: frozenset[str]) -> Facts:
    """That ``sizes`` are not negative."""
    return Facts({}, (), sizes)


@lru_cache(maxsize=_KEPT)
def _extended(facts: Facts, ranges: tuple[tuple[str, Range], ...], conditions: tuple[Condition, ...]) -> Facts:
    if not facts.ranges.keys().isdisjoint(name for name, _ in ranges):
        return Facts({**facts.ranges, **dict(ranges)}, (*facts.conditions, *conditions), facts.sizes)
    more = Facts.__new__(Facts)
    more.ranges, more.conditions, more.sizes = facts.ranges, facts.conditions, facts.sizes
    more._given, more._least, more._most = facts._given, facts._least, facts._most
    more._learn(dict(ranges), conditions)
    return more


def _exact_quotient(index: Index, factor: int) -> Index:
    return Index(tuple((m, c // factor) for m, c in index.terms), index.const // factor)


def _split(index: Index, atom: Atom) -> tuple[Index, Index]:
    """``(coef, rest)`` with ``index == coef * atom + rest``, atom taken once out of each term that has it."""
    coefs, rest = [], []
    for monomial, c in index.terms:
        if atom in monomial:
            at = monomial.index(atom)
            coefs.append(term(monomial[:at] + monomial[at + 1 :], c))
        else:
            rest.append((monomial, c))
    return coefs[0] if len(coefs) == 1 else total(coefs), Index(tuple(rest), index.const)


def _subtract(goal: Index, known: Index) -> Iterator[Goals]:
    """Goals left when ``known >= 0`` is used to cancel one negative term of ``goal``."""
    mine = dict(goal.terms)
    for monomial, c in known.terms:
        have = mine.get(monomial, 0)
        if c < 0 and have < 0:
            g = math.gcd(c, have)
            yield (goal * (-c // g) - known * (-have // g),)


def _length(goals: Goals) -> int:
    """How much there is to show: what cancels out is shown at once."""
    return sum(len(g.terms) for g in goals)


def _innermost(found: list[Symbol], ranges: Mapping[str, tuple[Index, Index]]) -> list[Symbol]:
    """Those first that no other one's range speaks of, so that eliminating brings none of them back."""
    used = {s: symbols(ranges[s.name][0]) | symbols(ranges[s.name][1]) for s in found}
    return sorted(found, key=lambda s: sum(s.name in names for names in used.values()))


def _tighter(a: int | None, b: int | None, pick: Callable[[int, int], int]) -> int | None:
    return b if a is None else a if b is None else pick(a, b)


def _times(a: Bounds, b: Bounds) -> Bounds:
    if a == (0, 0) or b == (0, 0):
        return 0, 0
    ends = [_extended_product(x, y) for x in _open(a) for y in _open(b)]
    low, high = min(ends), max(ends)
    return None if low == -math.inf else int(low), None if high == math.inf else int(high)


def _open(a: Bounds) -> tuple[float, float]:
    return -math.inf if a[0] is None else a[0], math.inf if a[1] is None else a[1]


def _extended_product(x: float, y: float) -> float:
    return 0 if x == 0 or y == 0 else x * y


def _extremum_interval(kind: str, parts: Sequence[Bounds]) -> Bounds:
    lows, highs = zip(*map(_open, parts), strict=True)
    pick = min if kind == "min" else max
    low, high = pick(lows), pick(highs)
    return None if low == -math.inf else int(low), None if high == math.inf else int(high)


def _quotient_interval(num: Bounds, den: Bounds) -> Bounds:
    if den[0] is None or den[0] < 1:
        return None, None
    low, high = num
    if low is not None:
        low = low // den[0] if low < 0 else 0 if den[1] is None else low // den[1]
    if high is not None:
        high = high // den[0] if high >= 0 else -1 if den[1] is None else high // den[1]
    return low, high


def _remainder_interval(num: Bounds, den: Bounds) -> Bounds:
    if den[0] is None or den[0] < 1:
        return None, None
    high = None if den[1] is None else den[1] - 1
    return 0, _tighter(high, num[1], min) if num[0] is not None and num[0] >= 0 else high
