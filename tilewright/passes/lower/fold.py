"""Accumulators of a reduction or a scan, and the statements that start, advance and join them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from tilewright.ir.index import Condition, Index, ceildiv, const, ctz, eq, ge, lt, maximum, minimum, pow2
from tilewright.ir.loops import Stmt
from tilewright.ir.scalar import Expr, Var, substitute
from tilewright.ir.tensor import Axis, Order
from tilewright.passes.lower.kernel import Cell, Cells, KernelBuilder, Level, Nest, loops
from tilewright.records import dataclass

LEVELS = 48
"""Chunk results are kept per level of the pairwise tree: enough for any axis that fits in memory."""

Axes = Sequence[tuple[Axis, Order]]
Predicate = tuple[Condition, ...]


@dataclass(frozen=True)
class Where:
    """A place in a kernel: the loops around it, where the axes are, under which condition."""

    around: Nest
    axes: Mapping[str, Index]
    predicate: Predicate = ()

    def inside(self, level: Level) -> Where:
        return Where((*self.around, level), self.axes, self.predicate)

    def at(self, axis: str, index: Index) -> Where:
        return Where(self.around, {**self.axes, axis: index}, self.predicate)

    def under(self, *conditions: Condition) -> Where:
        return Where(self.around, self.axes, (*self.predicate, *conditions))


def element(cells: Cells, index: Index) -> Cells:
    """The same cells at another first index."""
    return tuple(Cell(c.buffer, c.dtype, (index, *c.indices[1:])) for c in cells)


@dataclass(frozen=True)
class Fold:
    """How values along some axes become one per accumulator; ``merge`` may be empty for chains."""

    kernel: KernelBuilder
    accs: tuple[Var, ...]
    init: tuple[Expr, ...]
    steps: tuple[Expr, ...]
    others: tuple[Var, ...]
    merge: tuple[Expr, ...]

    # --- statements -------------------------------------------------------------------------

    def start(self, cells: Cells, where: Where) -> Stmt:
        """``cells`` take their initial values."""
        return self.kernel.block("start", where.around, cells, self.init, where.predicate)

    def step(self, cells: Cells, where: Where) -> Stmt:
        """``cells`` take in the point at ``where``."""
        values = [substitute(s, where.axes, self._bound(self.accs, cells)) for s in self.steps]
        return self.kernel.block("step", where.around, cells, values, where.predicate)

    def joined(self, left: Cells, right: Cells) -> list[Expr]:
        """The values of ``left`` and ``right`` merged."""
        bound = {**self._bound(self.accs, left), **self._bound(self.others, right)}
        return [substitute(m, {}, bound) for m in self.merge]

    def join(self, into: Cells, left: Cells, right: Cells, where: Where) -> Stmt:
        """``into = merge(left, right)``."""
        return self.kernel.block("join", where.around, into, self.joined(left, right), where.predicate)

    def copy(self, into: Cells, cells: Cells, where: Where) -> Stmt:
        return self.kernel.block("keep", where.around, into, [c.read for c in cells], where.predicate)

    @staticmethod
    def _bound(variables: tuple[Var, ...], cells: Cells) -> dict[Expr, Expr]:
        return {v: c.read for v, c in zip(variables, cells, strict=True)}

    # --- orders -----------------------------------------------------------------------------

    def reduce(self, cells: Cells, axes: Axes, where: Where) -> list[Stmt]:
        """The statements that take the points of ``axes``, outermost first and each in its order, into ``cells``."""
        if not axes:
            return [self.step(cells, where)]
        (axis, order), inner = axes[0], axes[1:]
        if not order.is_chain:
            return Tree(self, cells, axis, order, inner).statements(where)
        level = self.kernel.level(axis.name, "reduce", axis.extent)
        body = self.reduce(cells, inner, where.inside(level).at(axis.name, level.at))
        return [*loops((level,), body)]


@dataclass(frozen=True)
class Tree:
    """One axis in chunks; see :class:`tilewright.ir.tensor.Order`."""

    fold: Fold
    cells: Cells
    axis: Axis
    order: Order
    inner: Axes

    def statements(self, where: Where) -> list[Stmt]:
        """All of the axis: its chunks, and the total joined with what the accumulators had before."""
        extent, chunk = self.axis.extent, self.order.chunk
        count = ceildiv(extent, chunk)
        if count.constant == 0:
            return []
        partials = self._registers("_lane", self.order.lanes)
        if count.constant == 1:
            body = self._chunk(partials, const(0), extent, where)
            total = self._halve(partials, body, where)
            return [*body, self._finish(total, where)]
        levels = self._registers("_level", LEVELS)
        used = minimum(count, LEVELS)
        d = self._level("_bit", "parallel", used, const(LEVELS))
        blank = loops((d,), [self.fold.start(element(levels, d.at), where.inside(d))])
        q = self._level("_chunk", "ordered", count)
        first = q.at * chunk
        body = self._chunk(partials, first, minimum(chunk, extent - first), where.inside(q))
        total = self._halve(partials, body, where.inside(q))
        body += self._carry(levels, total, q, count, used, where.inside(q))
        return [*blank, *loops((q,), body), self._finish(total, where.under(ge(count, 1)))]

    def _level(self, suffix: str, kind: str, extent: Index, bound: Index | None = None) -> Level:
        return self.fold.kernel.level(self.axis.name + suffix, kind, extent, bound)

    def _registers(self, suffix: str, count: int) -> Cells:
        return self.fold.kernel.registers(self.fold.accs, suffix, (count,))

    def _finish(self, total: Cells, where: Where) -> Stmt:
        return self.fold.join(self.cells, self.cells, total, where)

    # --- one chunk --------------------------------------------------------------------------

    def _chunk(self, partials: Cells, first: Index, length: Index, where: Where) -> list[Stmt]:
        """Elements ``first <= i < first + length`` into partials."""
        lanes = self.order.lanes
        groups = length // lanes
        bound = minimum(ceildiv(self.axis.extent, lanes), -(-self.order.chunk // lanes))
        body: list[Stmt] = []
        with self._lanes(lanes, where, body) as (inner, lane, made):
            made.append(self.fold.start(element(partials, lane), inner))
        g = self._level("_group", "reduce", groups, bound)
        whole: list[Stmt] = []
        with self._lanes(lanes, where.inside(g), whole) as (inner, lane, made):
            made += self._take(partials, lane, first + g.at * lanes + lane, inner)
        body += loops((g,), whole)
        if lanes > 1 and (length % lanes).constant != 0:
            with self._lanes(lanes, where, body) as (inner, lane, made):
                rest = groups * lanes + lane
                made += self._take(partials, lane, first + rest, inner.under(lt(rest, length)))
        return body

    def _take(self, partials: Cells, lane: Index, at: Index, where: Where) -> list[Stmt]:
        return self.fold.reduce(element(partials, lane), self.inner, where.at(self.axis.name, at))

    def _halve(self, partials: Cells, into: list[Stmt], where: Where) -> Cells:
        """Appends what makes one of ``partials``: halves joined into registers of their own, so that few stay alive."""
        half = self.order.lanes // 2
        while half:
            fewer = self._registers("_lane", half)
            with self._lanes(half, where, into) as (inner, lane, made):
                joined = element(partials, lane), element(partials, lane + half)
                made.append(self.fold.join(element(fewer, lane), *joined, inner))
            partials, half = fewer, half // 2
        return element(partials, const(0))

    @contextmanager
    def _lanes(self, count: int, where: Where, into: list[Stmt]) -> Iterator[tuple[Where, Index, list[Stmt]]]:
        """A loop over ``count`` lanes, appended to ``into``: where its statements are, the lane, and their list."""
        if count == 1:
            yield where, const(0), into
            return
        level = self._level("_lane", "parallel", const(count))
        body: list[Stmt] = []
        yield where.inside(level), level.at, body
        into += loops((level,), body)

    # --- the pairwise tree over chunks ------------------------------------------------------

    def _carry(self, levels: Cells, total: Cells, q: Level, count: Index, used: Index, where: Where) -> list[Stmt]:
        """A binary counter: bit d of the number of chunks so far says whether level d holds 2**d of them joined.

        A chunk joins the levels of the bits that it carries over, lowest first; the last one joins all that there are.
        """
        rank, is_last = ctz(q.at + 1), maximum(0, q.at + 2 - count)
        d = self._level("_bit", "ordered", minimum(maximum(rank, is_last * LEVELS), used), const(LEVELS))
        held = where.inside(d).under(eq(q.at // pow2(d.at) % 2, 1))
        joined = self.fold.join(total, element(levels, d.at), total, held)
        return [*loops((d,), [joined]), self.fold.copy(element(levels, rank), total, where)]
