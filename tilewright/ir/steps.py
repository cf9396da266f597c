"""Which elements a statement inside of steps may read: what is there at its step, and what is not yet.

The interpreters do not use this: they see which cells are empty.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import takewhile

from tilewright.ir import index as ix
from tilewright.ir.facts import Facts
from tilewright.ir.index import Index, const
from tilewright.ir.scalar import Expr
from tilewright.ir.tensor import Axis, Compute, Statement, Steps
from tilewright.records import dataclass

Path = tuple[Steps, ...]
"""The steps around a statement, outermost first."""


@dataclass(frozen=True)
class Clock:
    """An axis of steps, and at which index of a tensor it stands."""

    axis: Axis
    down: bool
    at: int

    def lead(self, place: Index, index: Index) -> Index:
        """How many points of the axis ``index`` is ahead of ``place``: computed so much earlier."""
        return index - place if self.down else place - index


@dataclass(frozen=True)
class Pending:
    """What a statement inside of steps sees of a tensor that they compute: elements of earlier steps are there.

    ``clocks`` are the axes of the steps that both share, outermost first; ``again``: the same step's are there too.
    """

    clocks: tuple[Clock, ...]
    again: bool

    def known(self, indices: Sequence[Index | Expr], facts: Facts) -> bool:
        """Whether the element at ``indices``, which is in bounds, is provably there at the step that the axes name."""
        for clock in self.clocks:
            index = indices[clock.at]
            if not isinstance(index, Index):
                return False
            lead = clock.lead(ix.symbol(clock.axis.name), index)
            if facts.holds(ix.ge(lead, 1)):
                return True
            if not facts.holds(ix.ge(lead, 0)):
                return False
        return self.again

    def lead(self, places: Sequence[Index], indices: Sequence[Index]) -> Index:
        """What is 0 or more where the element is there: ``places`` and ``indices`` are those of the clocks."""
        ahead = const(0)
        for clock, place, index in zip(self.clocks, places, indices, strict=True):
            ahead = ahead * clock.axis.extent + clock.lead(place, index)
        return ahead if self.again else ahead - 1


def paths(body: Sequence[Statement], around: Path = ()) -> Iterator[tuple[Compute, Path]]:
    """Every compute of ``body``, in order, with the steps around it."""
    for s in body:
        if isinstance(s, Steps):
            yield from paths(s.body, (*around, s))
        else:
            yield s, around


def pending(steps: Steps) -> Iterator[tuple[Compute, Path, Mapping[str, Pending]]]:
    """The computes inside of outermost ``steps``, each with its path and what it sees of the tensors of ``steps``."""
    found = list(paths([steps]))
    for number, (c, path) in enumerate(found):
        seen = {
            r.name: Pending(_clocks(d, _shared(path, other)), n < number)
            for n, (d, other) in enumerate(found)
            for r in d.results
        }
        yield c, path, seen


def _shared(a: Path, b: Path) -> Path:
    return tuple(s for s, _ in takewhile(lambda pair: pair[0] is pair[1], zip(a, b, strict=False)))


def _clocks(c: Compute, path: Path) -> tuple[Clock, ...]:
    places = {a.name: n for n, a in enumerate(c.axes)}
    return tuple(Clock(a, s.down, places[a.name]) for s in path for a in s.axes)
