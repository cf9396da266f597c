"""From expressions over tensors to expressions over buffers: guards and checked indices made explicit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import partial, reduce

from tilewright.ir.facts import Facts
from tilewright.ir.index import (
    Condition,
    Index,
    coefficient,
    const,
    ge,
    lt,
    product,
    substitute,
    symbol,
    total,
)
from tilewright.ir.scalar import CheckedIndex, Expr, IndexValue, Read, apply, convert, literal, reads, rewrite
from tilewright.ir.steps import Pending
from tilewright.ir.types import I64
from tilewright.records import dataclass


@dataclass(frozen=True)
class Waiting:
    """A tensor of steps that are under way, at ``places`` of its clocks."""

    pending: Pending
    places: tuple[Index, ...]

    def condition(self, indices: Sequence[Index | Expr]) -> Condition | None:
        """What holds where the element at ``indices``, which are in bounds, is there; None where data decide."""
        plain = [i for i in self._clocked(indices) if isinstance(i, Index)]
        return ge(self.pending.lead(self.places, plain), 0) if len(plain) == len(self.places) else None

    def chosen(self, indices: Sequence[Index | Expr]) -> Expr:
        """:meth:`condition` where data decide."""
        stand_ins = [symbol(f"index {n}") for n in range(len(self.places))]
        lead = self.pending.lead(self.places, stand_ins)
        ahead: Expr = IndexValue(substitute(lead, {str(s.symbol): const(0) for s in stand_ins}))
        for stand_in, index in zip(stand_ins, self._clocked(indices), strict=True):
            factor = coefficient(lead, str(stand_in.symbol)) or const(0)
            ahead = apply("add", ahead, apply("mul", _value(index), IndexValue(factor)))
        return apply("ge", ahead, literal(0, I64))

    def some(self) -> dict[int, Index]:
        """Indices, by position, of elements that are there once :meth:`started` holds."""
        clocks = self.pending.clocks
        first = [c.axis.extent - 1 if c.down else const(0) for c in clocks]
        found = self.places if self.pending.again else first
        return {c.at: i for c, i in zip(clocks, found, strict=True)}

    def started(self) -> Condition:
        """Whether any element is there."""
        some = self.some()
        return ge(self.pending.lead(self.places, [some[c.at] for c in self.pending.clocks]), 0)

    def _clocked(self, indices: Sequence[Index | Expr]) -> list[Index | Expr]:
        return [indices[c.at] for c in self.pending.clocks]


def _value(index: Index | Expr) -> Expr:
    return IndexValue(index) if isinstance(index, Index) else convert("cast", index, I64)


@dataclass(frozen=True)
class Shapes:
    """The extents of all tensors; failing checks are noted at ``inputs``, or else at ``elsewhere``."""

    extents: Mapping[str, tuple[Index, ...]]
    inputs: frozenset[str]
    elsewhere: str
    pending: Mapping[str, Waiting] = field(default_factory=dict)
    """Of the tensors of the steps that are lowered: what of them is there."""

    def lower(self, e: Expr, facts: Facts) -> Expr:
        """``e`` with guards spelled out, less what ``facts`` prove, and data-dependent indices checked.

        Reads of buffers that are no tensors stay as they are.
        """

        def rule(node: Expr) -> Expr:
            if not isinstance(node, Read) or node.tensor not in self.extents:
                return node
            return self._checked(node) if node.otherwise is None else self._guarded(node, node.otherwise, facts)

        return rewrite(e, rule)

    def index(self, i: Index | Expr, extent: Index) -> Index | CheckedIndex:
        """An index of a buffer: affine ones are in bounds already, data-dependent ones get a check against ``extent``.

        A failing check names the element that the index was read from, the innermost one if it was read by way
        of several; none if it was computed from more than one.
        """
        if isinstance(i, (Index, CheckedIndex)):
            return i
        found = {r for r in reads(i) if all(isinstance(n, Index) for n in r.indices)}
        read = found.pop() if len(found) == 1 else None
        position = self._row_major(read) if read else const(0)
        operand = read.tensor if read and read.tensor in self.inputs else self.elsewhere
        return CheckedIndex(convert("cast", i, I64), extent, operand, position)

    def _row_major(self, read: Read) -> Index:
        extents = self.extents[read.tensor]
        return total(i * product(extents[n + 1 :]) for n, i in enumerate(read.indices) if isinstance(i, Index))

    def _checked(self, read: Read) -> Read:
        pairs = zip(read.indices, self.extents[read.tensor], strict=True)
        return Read(read.tensor, tuple(self.index(i, extent) for i, extent in pairs), read.dtype)

    def _guarded(self, read: Read, otherwise: Expr, facts: Facts) -> Expr:
        """Affine indices become the guard; a data-dependent one out of range is replaced, so no check fails."""
        conditions: list[Condition] = []
        inside: list[Expr] = []
        indices: list[Index | Expr] = []
        for i, extent in zip(read.indices, self.extents[read.tensor], strict=True):
            if isinstance(i, Index):
                conditions += [ge(i, 0), lt(i, extent)]
                indices.append(i)
            else:
                value, zero = convert("cast", i, I64), literal(0, I64)
                fits: Expr = apply("and", apply("ge", value, zero), apply("lt", value, IndexValue(extent)))
                conditions.append(ge(extent, 1))
                inside.append(fits)
                indices.append(self.index(apply("where", fits, value, zero), extent))
        if waiting := self.pending.get(read.tensor):
            there = waiting.condition(read.indices)
            conditions.append(there or waiting.started())
            if there is None:
                inside.append(waiting.chosen(read.indices))
                indices = self._replaced(read, indices, reduce(partial(apply, "and"), inside), waiting.some())
        guard = tuple(c for c in dict.fromkeys(conditions) if not facts.holds(c))
        result: Expr = Read(read.tensor, tuple(indices), read.dtype, guard, otherwise if guard else None)
        for fits in inside:
            result = _chosen(fits, result, otherwise)
        return result

    def _replaced(
        self, read: Read, indices: list[Index | Expr], there: Expr, some: Mapping[int, Index]
    ) -> list[Index | Expr]:
        """``indices`` with those that decide whether the element is there replaced by ``some`` where it is not."""
        found = list(indices)
        for n, other in some.items():
            value = apply("where", there, _value(read.indices[n]), IndexValue(other))
            found[n] = self.index(value, self.extents[read.tensor][n])
        return found


def _chosen(condition: Expr, yes: Expr, no: Expr) -> Expr:
    """``where`` of any dtype: storage types go through their compute types, which changes no value."""
    compute = yes.dtype.compute
    sides = (convert("cast", e, compute) for e in (yes, no))
    return convert("cast", apply("where", condition, *sides), yes.dtype)
