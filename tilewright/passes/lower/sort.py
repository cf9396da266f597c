"""A sort as loops, of which short rows run some and long rows the others.

In a short row the elements that come before each one are counted. A long row is put in order byte by byte of its keys,
the least significant one first. Each pass counts how often each value of the byte occurs, adds up where the elements
with that value begin, and moves every element there, in the order of the pass before: so what earlier passes have done
stays. Two planes of scratch memory take turns. Several keys are one number with more bytes: the last key's come first.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.ir.index import Index, const, minimum
from tilewright.ir.loops import Kernel, Stmt
from tilewright.ir.scalar import CheckedIndex, Expr, IndexValue, apply, convert, literal, substitute
from tilewright.ir.tensor import Axis, Compute, Tensor
from tilewright.ir.types import I64, U8, U16, U32, U64, DType
from tilewright.passes.loops.nest import fresh
from tilewright.passes.lower.kernel import Cell, KernelBuilder, Level, Nest, World, loops, positions
from tilewright.records import dataclass

LONG = 32
"""From so many elements on a row is long."""
BINS = 256


def planes(c: Compute, taken: set[str]) -> tuple[Tensor, ...]:
    """The scratch tensors of the sort ``c``: its keys as unsigned numbers, and the places."""
    place = c.results[0]
    shape = (const(2), *(a.extent for a in _in_rows(c)))
    keys = [Tensor(fresh(f"{place.name}_key", taken), _unsigned(k.dtype), shape) for k in c.values]
    return (*keys, Tensor(fresh(f"{place.name}_place", taken), I64, shape))


def _in_rows(c: Compute) -> list[Axis]:
    """The axes of ``c``, the one that it sorts along last."""
    assert c.sort is not None
    along = c.sort.axis
    return sorted(c.axes, key=lambda a: a.name == along)


def _unsigned(dtype: DType) -> DType:
    return {8: U8, 16: U16, 32: U32, 64: U64}[dtype.bits]


def _number(key: Expr) -> Expr:
    """``key`` as an unsigned number of the same order."""
    dtype = _unsigned(key.dtype)
    if key.dtype is dtype:
        return key
    return apply("bitxor", convert("bitcast", key, dtype), literal(1 << (dtype.bits - 1), dtype))


@dataclass(frozen=True)
class Sorting:
    """The sort ``c`` as kernels called ``name``..., which use ``scratch`` (see :func:`planes`)."""

    world: World
    c: Compute
    name: str
    scratch: tuple[Tensor, ...]

    def kernels(self) -> list[Kernel]:
        """The keys as numbers, all passes over each row, and the places as they are in the end."""
        return [self._fill(), self._passes(), self._store()]

    @property
    def extent(self) -> Index:
        return _in_rows(self.c)[-1].extent

    @property
    def keys(self) -> tuple[Tensor, ...]:
        return self.scratch[:-1]

    @property
    def places(self) -> Tensor:
        return self.scratch[-1]

    @property
    def last_plane(self) -> Index:
        """Where the places are in the end: the passes take turns."""
        return const(sum(key.dtype.bytes for key in self.keys) % 2)

    def _builder(self, suffix: str = "") -> KernelBuilder:
        return KernelBuilder(self.world, self.name + suffix, self.c.span)

    def _fill(self) -> Kernel:
        k = self._builder("_keys")
        around = k.levels(_in_rows(self.c))
        at = positions(_in_rows(self.c), around)
        cells = [k.cell(t.name, (const(0), *at.values()), around) for t in self.scratch]
        values = [substitute(_number(key), at) for key in self.c.values]
        place = IndexValue(around[-1].at)
        return k.finish(loops(around, [k.block("key", around, cells, [*values, place])]))

    def _passes(self) -> Kernel:
        k = self._builder("_passes")
        rows = k.levels(_in_rows(self.c)[:-1])
        is_long = minimum(1, self.extent // LONG)
        count, total = k.register("count", I64, (BINS,)), k.register("total", I64)
        body = self._ranks(k, rows, self.extent * (1 - is_long))
        done = 0
        for n, key in reversed(list(enumerate(self.keys))):
            byte = k.level("byte", "ordered", is_long * key.dtype.bytes)
            moving = (*self.keys[: n + 1], self.places)
            body += loops((byte,), _Pass(self, k, rows, byte, byte.at + done, moving, count, total).statements())
            done += key.dtype.bytes
        return k.finish(loops(rows, body))

    def _ranks(self, k: KernelBuilder, rows: Nest, extent: Index) -> list[Stmt]:
        """Each element goes where so many are before it."""
        n, m = k.level("n", "ordered", extent), k.level("m", "reduce", extent)
        rank, around = k.register("rank", I64), (*rows, n)
        before: Expr = apply("lt", IndexValue(m.at), IndexValue(n.at))
        for key in reversed(self.keys):
            mine, other = (self.cell(key, rows, const(0), i.at).read for i in (n, m))
            before = apply("or", apply("lt", other, mine), apply("and", apply("eq", other, mine), before))
        one_more = apply("add", rank.read, convert("cast", before, I64))
        place = self.cell(self.places, rows, self.last_plane, self.checked(rank.read, self.extent))
        body = [
            k.block("rank", around, [rank], [literal(0, I64)]),
            *loops((m,), [k.block("rank", (*around, m), [rank], [one_more])]),
            k.block("place", around, [place], [IndexValue(n.at)]),
        ]
        return list(loops((n,), body))

    @staticmethod
    def cell(t: Tensor, rows: Nest, plane: Index, at: Index | CheckedIndex) -> Cell:
        """An element of a scratch tensor."""
        return Cell(t.name, t.dtype, (plane, *(level.at for level in rows), at))

    def checked(self, value: Expr, extent: Index) -> CheckedIndex:
        return CheckedIndex(value, extent, self.world.shapes.elsewhere, const(0))

    def _store(self) -> Kernel:
        k = self._builder()
        around = k.levels(self.c.axes)
        at = positions(self.c.axes, around)
        row = (at[a.name] for a in _in_rows(self.c))
        place = k.cell(self.places.name, (self.last_plane, *row), around)
        cell = k.cell(self.c.results[0].name, tuple(at.values()), around)
        return k.finish(loops(around, [k.block("store", around, [cell], [place.read])]))


@dataclass(frozen=True)
class _Pass:
    """One pass over a row, after ``number`` others: ``moving`` are the scratch tensors; its key is the last but one."""

    sort: Sorting
    kernel: KernelBuilder
    rows: Nest
    byte: Level
    number: Index
    moving: tuple[Tensor, ...]
    count: Cell
    total: Cell

    def statements(self) -> list[Stmt]:
        """Counts, adds up and moves."""
        k, zero, one = self.kernel, literal(0, I64), literal(1, I64)
        blank, b = k.level("bin", "parallel", const(BINS)), k.level("bin", "ordered", const(BINS))
        n, m = (k.level("n", "ordered", self.sort.extent) for _ in range(2))
        counted, begin, moved = self._bin_of(n.at), self._bin(b.at), self._bin_of(m.at)
        into = self.sort.checked(moved.read, self.sort.extent)
        targets = [self._cell(t, self.number + 1, into) for t in self.moving]
        sources = [self._cell(t, self.number, m.at).read for t in self.moving]
        return [
            self._loop(blank, [self._bin(blank.at)], [zero]),
            self._loop(n, [counted], [apply("add", counted.read, one)]),
            k.block("total", (*self.rows, self.byte), [self.total], [zero]),
            self._loop(b, [begin, self.total], [self.total.read, apply("add", self.total.read, begin.read)]),
            self._loop(m, [*targets, moved], [*sources, apply("add", moved.read, one)]),
        ]

    def _loop(self, level: Level, cells: Sequence[Cell], values: Sequence[Expr]) -> Stmt:
        block = self.kernel.block("sort", (*self.rows, self.byte, level), cells, values)
        return loops((level,), [block])[0]

    def _bin(self, at: Index | CheckedIndex) -> Cell:
        return Cell(self.count.buffer, I64, (at,))

    def _bin_of(self, at: Index) -> Cell:
        """Where the byte of the element at ``at`` is counted."""
        number = self._cell(self.moving[-2], self.number, at).read
        shifted = apply("shr", number, convert("cast", IndexValue(self.byte.at * 8), number.dtype))
        return self._bin(self.sort.checked(convert("cast", convert("cast", shifted, U8), I64), const(BINS)))

    def _cell(self, t: Tensor, number: Index, at: Index | CheckedIndex) -> Cell:
        """An element in the plane that is full after ``number`` passes."""
        return self.sort.cell(t, self.rows, number % 2, at)
