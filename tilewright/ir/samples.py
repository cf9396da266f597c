"""Points at which all that is known holds: one where a goal fails refutes it without any search."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice

from tilewright.ir.index import Atom, Condition, Ctz, Extremum, FloorDiv, Index, Mod, Symbol, children

_TRIES = 40
_POINTS = 6
_SMALL = (0, 1, 1, 2, 3, 5, 8, 17, 64, 100, 300, 1000, 5000, 9000)
_LARGE = (1 << 14, 10**6, 3 * 10**9, (1 << 40) + 1)
_NEGATIVE = (-1, -7, -100)

Ranges = Mapping[str, tuple[Index, Index]]
Undefined = (ArithmeticError, ValueError)


class Points:
    """A few points inside ``ranges`` that satisfy ``conditions``, drawn when they are asked for.

    ``least`` are minima that follow from the facts.
    """

    def __init__(self, ranges: Ranges, conditions: Sequence[Condition], least: Mapping[str, int]) -> None:
        drawn = (Point(ranges, least, n) for n in range(_TRIES))
        self._more = islice((p for p in drawn if p.satisfies(conditions)), _POINTS)
        self._drawn: list[Point] = []

    def refute(self, goal: Index) -> bool:
        """Whether ``goal >= 0`` is false at one of them."""
        return any(p.refutes(goal) for p in self)

    def __iter__(self) -> Iterator[Point]:
        yield from self._drawn
        for point in self._more:
            self._drawn.append(point)
            yield point


class Point:
    """An integer for every symbol, chosen when it is asked for.

    Every second point has large sizes, and every fifth all ranged symbols at their least: such satisfy even
    conditions over many symbols.
    """

    def __init__(self, ranges: Ranges, least: Mapping[str, int], seed: int) -> None:
        self._ranges = ranges
        self._least = least
        self._random = seed
        self._sizes = _LARGE if seed % 2 else _SMALL
        self._lowest = seed % 5 == 0
        self._values: dict[Atom, int] = {}
        self._open: set[str] = set()

    def satisfies(self, conditions: Sequence[Condition]) -> bool:
        """Whether every range has a value here and every condition holds."""
        try:
            for name in self._ranges:
                self._value_of(Symbol(name))
            return all(self._holds(c) for c in conditions)
        except Undefined:
            return False

    def refutes(self, goal: Index) -> bool:
        """Whether ``goal >= 0`` is false here."""
        try:
            return self.value(goal) < 0
        except Undefined:
            return False

    def value(self, index: Index) -> int:
        """The value of ``index``; one of ``Undefined`` where it has none."""
        result = index.const
        for monomial, coef in index.terms:
            for atom in monomial:
                coef *= self._value_of(atom)
            result += coef
        return result

    def _holds(self, c: Condition) -> bool:
        value = self.value(c.index)
        return value >= 0 if c.kind == "ge" else value == 0

    def _value_of(self, atom: Atom) -> int:
        found = self._values.get(atom)
        if found is None:
            parts = [self.value(c) for c in children(atom)]
            found = self._values[atom] = self._chosen(atom.name) if isinstance(atom, Symbol) else _apply(atom, parts)
        return found

    def _chosen(self, name: str) -> int:
        low = self._least.get(name)
        if name not in self._ranges:
            return self._choice((*self._sizes, *_NEGATIVE)) if low is None else max(low, self._choice(self._sizes))
        if name in self._open:
            raise ValueError(f"the range of {name} speaks of itself")
        self._open.add(name)
        lo, hi = map(self.value, self._ranges[name])
        lo = lo if low is None else max(lo, low)
        if lo >= hi:
            raise ValueError(f"the range of {name} is empty here")
        return lo if self._lowest else self._choice((lo, lo, hi - 1, (lo + hi) // 2))

    def _choice(self, choices: Sequence[int]) -> int:
        """One of them, by a congruential generator: quicker to set up than Python's."""
        self._random = (self._random * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        return choices[(self._random >> 33) % len(choices)]


def _apply(atom: Atom, parts: list[int]) -> int:
    if isinstance(atom, FloorDiv):
        return parts[0] // parts[1]
    if isinstance(atom, Mod):
        return parts[0] % parts[1]
    if isinstance(atom, Extremum):
        return min(parts) if atom.kind == "min" else max(parts)
    if isinstance(atom, Ctz) and parts[0] > 0:
        return (parts[0] & -parts[0]).bit_length() - 1
    if isinstance(atom, Ctz) or not 0 <= parts[0] < 63:
        raise ValueError(f"{atom} is not defined for {parts[0]}")
    return 1 << parts[0]
