"""Sums that use what they read again: tiles of the result stay in registers while their sums grow.

In ``c[i, j] = sum[k](a[i, k] * b[k, j])`` a row of a serves all j, and a column of b all i. A tile of some rows and
some vectors of columns reads each of its operands once per k and keeps its sums in registers. So it is with whatever
is summed up, or folded otherwise, along loops inside of two free ones of which each leaves some operand where it is:
products, convolutions, distances.
"""

from __future__ import annotations

from tilewright.errors import ScheduleError
from tilewright.ir.index import Index, symbols
from tilewright.ir.loops import Block, Buffer, Kernel, Loop, walk
from tilewright.ir.scalar import Apply, Read
from tilewright.ir.scalar import walk as walk_expr
from tilewright.passes.loops.expand import Expand
from tilewright.passes.loops.fission import Fission
from tilewright.passes.loops.parallel import Parallel
from tilewright.passes.loops.reorder import Reorder
from tilewright.passes.loops.split import Split
from tilewright.passes.loops.unroll import Unroll
from tilewright.passes.loops.vectorize import Vectorize
from tilewright.passes.schedule.lanes import Clip, SinkLanes, Tidy, find
from tilewright.passes.schedule.making import Making, folds, partials
from tilewright.records import dataclass

TASK_ROWS, TASK_COLUMNS = 6, 10
"""A task takes so many tiles of rows, and of columns."""
WRITTEN_OUT = 72
"""So many operations and reads at most are written out for a tile."""


@dataclass(frozen=True)
class Shape:
    """Of a tile: its rows, and its columns as so many vectors of so many lanes."""

    rows: int
    vectors: int
    lanes: int


@dataclass(frozen=True)
class Form:
    """The free loops of such a kernel, those outside of rows and columns first; how many lanes and rows there are; and
    where the operands are read that the columns move and the rows leave: buffers, each with its places."""

    outer: tuple[str, ...]
    rows: str
    columns: str
    lanes: int
    height: Index
    kept: dict[Buffer, tuple[Index, ...]]


class Tiles(Making):
    """The schedule of such a kernel; ScheduleError where it is not of this form."""

    def form(self) -> Form:
        """How the kernel is of this form; its free loops are outermost then."""
        steps = [*folds(self.kernel)]
        axes = self.free_axes() if steps and all(map(self.is_native, steps)) and not partials(self.kernel) else []
        row = self.row(axes)
        rows = _reused_along(self.kernel, axes) if row else None
        if row is None or rows is None:
            raise ScheduleError(f"{self.kernel.name} reads nothing again along two loops")
        outer = tuple(v for v in axes[:-1] if v != rows)
        height = find(self.kernel, rows)[0].extent
        return Form(outer, rows, row.var, self.width(row), height, _kept(self.kernel, rows, row.var))

    def run(self) -> Tiles:
        """Applies all steps."""
        form = self.form()
        shape = self._shape(form.lanes, max(map(_size, folds(self.kernel))))
        self._columns(self._tasks(form, shape), shape)
        self.apply(SinkLanes(), "vectors are innermost")
        self.apply(Tidy(), "loops of one iteration are none")
        return self

    def _shape(self, lanes: int, size: int) -> Shape:
        """With what is read for them the sums of a tile fill the registers, unless a step is of many operations."""
        registers, most = self.capabilities.vector_registers, WRITTEN_OUT // (size + 2)
        vectors = 1 if most < 6 else 3 if registers >= 32 else 2
        rows = min(8, (registers - vectors - 1) // vectors, most // vectors)
        if rows < 2:
            raise ScheduleError(f"a step of {self.kernel.name} is of too many operations to be written out")
        return Shape(rows, vectors, lanes)

    def _tasks(self, form: Form, shape: Shape) -> str:
        """Cuts the result into tasks; the loop over the columns of one, in which are its rows."""
        outer, rows, columns = form.outer, form.rows, form.columns
        if (*outer, rows, columns) != tuple(self.free_axes()):
            self.apply(Reorder((*outer, rows, columns)), "tiles are of the innermost loops")
        row_task, row, column_task, column = self.new(f"{rows}_task", f"{rows}_in", f"{columns}_task", f"{columns}_in")
        most = TASK_COLUMNS * shape.vectors * shape.lanes
        self.apply(Split(rows, TASK_ROWS * shape.rows, "guard", (row_task, row)), "a task takes some rows,")
        self.apply(Split(columns, most, "guard", (column_task, column)), "and some columns of these")
        self.apply(Reorder((row_task, column_task, column, row)), "for all rows the same columns are read again")
        tasks = [*outer, row_task, column_task]
        for var in tasks:
            self.apply(Parallel(var), "its iterations are independent")
        self.tasks(tasks)
        for var in (row, column):
            self.apply(Clip(var), "the last task is smaller")
        return column

    def _columns(self, column: str, shape: Shape) -> None:
        """Cuts the columns of a task into tiles of whole vectors, and what is left into vectors with a mask; then the
        rows inside of each.
        """
        tile, inside, rest = self.new(f"{column}_tile", f"{column}_i", f"{column}_rest")
        vector, lane = self.new(f"{column}_v", f"{column}_l")
        width = shape.vectors * shape.lanes
        self.apply(Split(column, width, "cut", (tile, inside, rest)), "tiles of whole vectors need no mask")
        self.apply(Split(inside, shape.lanes, "perfect", (vector, lane)), "a tile is some vectors wide")
        masked = ""
        if self.has(rest):
            last, masked = self.new(f"{rest}_v", f"{rest}_l")
            self.apply(Split(rest, shape.lanes, "mask", (last, masked)), "what is left is vectors, the last masked")
        for lanes, vectors in ((lane, vector), (masked, "")):
            if lanes:
                loop, _ = find(self.kernel, lanes)
                self._rows(next(s.var for s in loop.body if isinstance(s, Loop)), lanes, vectors, shape)

    def _rows(self, row: str, lane: str, vector: str, shape: Shape) -> None:
        """Cuts the rows into tiles; the sums of a tile take turns at each step of the fold."""
        tile, inside, rest = self.new(f"{row}_tile", f"{row}_i", f"{row}_rest")
        self.apply(Split(row, shape.rows, "cut", (tile, inside, rest)), "tiles of whole rows keep sums in registers")
        for var in filter(None, (inside, vector, lane)):
            self.apply(Expand(var), "each point of a tile has its own sum")
        self.apply(Vectorize(lane), "the lanes store neighbouring elements")
        for var in filter(None, (inside, vector)):
            self.apply(Unroll(var), "the sums are in registers")
            self.apply(Fission(var, inside=True), "all sums take a step of the fold before the next one")


def _reused_along(kernel: Kernel, axes: list[str]) -> str | None:
    """Of the free loops but the last, the innermost that moves an operand of a fold that the last one leaves where it
    is, and leaves one that the last one moves; None if there is none."""
    moves = [_moving(kernel, a) for b in folds(kernel) for a in b.accesses]
    for var in reversed(axes[:-1]):
        if any(var in m and axes[-1] not in m for m in moves) and any(axes[-1] in m and var not in m for m in moves):
            return var
    return None


def _kept(kernel: Kernel, rows: str, columns: str) -> dict[Buffer, tuple[Index, ...]]:
    """The operands that ``columns`` move and ``rows`` do not: each read at the one place given."""
    found: dict[str, set[tuple[Index | None, ...]]] = {}
    for s, _ in walk(kernel.body):
        for buffer, indices, _ in s.accesses if isinstance(s, Block) else ():
            found.setdefault(buffer, set()).add(indices)
    wanted = {a[0] for b in folds(kernel) for a in b.accesses if columns in (m := _moving(kernel, a)) and rows not in m}
    made = {kernel.buffer(name): places.pop() for name, places in found.items() if name in wanted and len(places) == 1}
    return {b: tuple(i for i in at if i is not None) for b, at in made.items()}


def _size(block: Block) -> int:
    """How many operations and conditions a step has."""
    nodes = [e for v in block.values for e in walk_expr(v)]
    return sum(isinstance(e, Apply) for e in nodes) + sum(len(e.guard) for e in nodes if isinstance(e, Read))


def _moving(kernel: Kernel, access: tuple[str, tuple[Index | None, ...], bool]) -> frozenset[str]:
    """The loops that move an operand that is read."""
    buffer, indices, writes = access
    if writes or kernel.buffer(buffer).scope == "register" or None in indices:
        return frozenset()
    return frozenset().union(*(symbols(i) for i in indices if i is not None))
