"""How much of what steps compute is kept: a result of which only the last few steps are read stands in a ring."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar

from tilewright.ir import index as ix
from tilewright.ir import scalar, statements
from tilewright.ir.facts import Facts
from tilewright.ir.index import Index, const, symbol
from tilewright.ir.loops import Write
from tilewright.ir.scalar import Expr, Read
from tilewright.ir.steps import Clock
from tilewright.ir.tensor import Compute, Function, Steps, computes
from tilewright.records import dataclass

DEEPEST = 7
"""Rings reach at most so many steps back."""

_I = TypeVar("_I")


@dataclass(frozen=True)
class Ring:
    """Along its axis ``at`` a tensor has ``slots`` places, a power of two: an index stands at its remainder."""

    at: int
    slots: int

    def shape(self, shape: Sequence[Index]) -> tuple[Index, ...]:
        return (*shape[: self.at], const(self.slots), *shape[self.at + 1 :])

    def read(self, read: Read) -> Read:
        return Read(read.tensor, self._placed(read.indices), read.dtype, read.guard, read.otherwise)

    def write(self, write: Write) -> Write:
        return Write(write.buffer, self._placed(write.indices))

    def _placed(self, indices: tuple[_I, ...]) -> tuple[_I | Index, ...]:
        index = indices[self.at]
        assert isinstance(index, Index)
        return (*indices[: self.at], ix.mod(index, const(self.slots)), *indices[self.at + 1 :])


Rings = Mapping[str, Ring]


def in_rings(e: Expr, rings: Rings) -> Expr:
    """``e`` with reads of tensors in rings where their elements stand."""
    if not rings:
        return e
    return scalar.rewrite(e, lambda n: rings[n.tensor].read(n) if isinstance(n, Read) and n.tensor in rings else n)


def find_rings(f: Function, facts: Facts) -> dict[str, Ring]:
    """The results of steps, outputs aside, of which each read is provably of one of the last few steps.

    The steps are those along the first axis of outermost steps; what is read after them is of the last ones.
    """
    uses: dict[str, list[tuple[Compute, Read]]] = {}
    for c in f.computes:
        for read in statements.reads(c):
            uses.setdefault(read.tensor, []).append((c, read))
    found: dict[str, Ring] = {}
    for s in (s for s in f.body if isinstance(s, Steps)):
        for c in computes((s,)):
            for r in c.results:
                slots = None if r.name in f.outputs else _slots(s, c, uses.get(r.name, []), facts)
                if slots:
                    found[r.name] = Ring(c.axes.index(s.axes[0]), slots)
    return found


def _slots(s: Steps, c: Compute, uses: Sequence[tuple[Compute, Read]], facts: Facts) -> int | None:
    """How many steps of a result of ``c``, which is part of ``s``, have to be kept; None if not just the last few."""
    axis, inside = s.axes[0], list(computes((s,)))
    clock = Clock(axis, s.down, c.axes.index(axis))
    last = const(0) if s.down else axis.extent - 1
    slots = 1
    for reader, read in uses:
        place = symbol(axis.name) if any(reader is i for i in inside) else last
        if read in statements.start_reads(reader) or (reader is c and not _in_place(read, c, clock.at)):
            return None
        indices = [i for i in read.indices if isinstance(i, Index)]
        if len(indices) < len(read.indices):  # a checked read places all its indices by data
            return None
        known = facts.extended({a.name: (const(0), a.extent) for a in statements.all_axes(reader)})
        back = known.bounds(clock.lead(place, indices[clock.at]))[1]
        if back is None or back > DEEPEST:
            return None
        slots = max(slots, 1 << max(back, 0).bit_length())
    return slots if axis.extent.constant is None or axis.extent.const > slots else None


def _in_place(read: Read, c: Compute, at: int) -> bool:
    """Whether ``read`` is of its own point along all axes but the one ``at``: so points of a step are independent."""
    return all(i is symbol(a.name) for n, (i, a) in enumerate(zip(read.indices, c.axes, strict=True)) if n != at)
