"""Building one kernel: loops, blocks and registers with names of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import copy

from tilewright.ir.facts import Facts
from tilewright.ir.index import Condition, Index, const, symbol
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Stmt, Write, row_major, walk
from tilewright.ir.scalar import CheckedIndex, Expr, Param, Read, Var
from tilewright.ir.scalar import walk as walk_expr
from tilewright.ir.tensor import Axis, ScalarInput
from tilewright.ir.types import DType
from tilewright.passes.loops.nest import fresh
from tilewright.passes.lower.reads import Shapes
from tilewright.passes.lower.rings import Rings, in_rings
from tilewright.records import dataclass
from tilewright.source import Span


@dataclass(frozen=True)
class Level:
    """A loop to be around statements: the iteration variable shares its name. ``extent`` may depend on outer loops."""

    iter: Iter
    extent: Index

    @property
    def at(self) -> Index:
        return symbol(self.iter.name)


Nest = tuple[Level, ...]
"""The loops around a statement, outer ones first."""


@dataclass(frozen=True)
class Cell:
    """One element of a buffer."""

    buffer: str
    dtype: DType
    indices: tuple[Index | CheckedIndex, ...] = ()

    @property
    def read(self) -> Read:
        return Read(self.buffer, self.indices, self.dtype)

    @property
    def write(self) -> Write:
        return Write(self.buffer, self.indices)


Cells = tuple[Cell, ...]


@dataclass(frozen=True)
class World:
    """What all kernels of a plan share: the tensors' buffers and shapes, scalars, facts about sizes, taken names.

    Tensors that stand in ``rings`` have smaller buffers.
    """

    buffers: Mapping[str, Buffer]
    shapes: Shapes
    scalars: tuple[ScalarInput, ...]
    facts: Facts
    taken: frozenset[str]
    rings: Rings


class KernelBuilder:
    """Makes the statements of the kernel ``name``; every loop, block and register gets a name of its own."""

    def __init__(self, world: World, name: str, span: Span | None) -> None:
        self.world = world
        self.name = name
        self.span = span
        self._taken = set(world.taken)
        self._registers: dict[str, Buffer] = {}

    def seeing(self, world: World) -> KernelBuilder:
        """Makes statements of the same kernel where ``world`` holds."""
        other = copy(self)
        other.world = world
        return other

    def level(self, name: str, kind: str, extent: Index, bound: Index | None = None) -> Level:
        """A new loop; ``bound`` is the greatest extent where that depends on outer loops."""
        return Level(Iter(fresh(name, self._taken), kind, extent if bound is None else bound), extent)

    def levels(self, axes: Iterable[Axis], kind: str = "parallel") -> Nest:
        """A loop over each of ``axes``."""
        return tuple(self.level(a.name, kind, a.extent) for a in axes)

    def registers(self, accs: Iterable[Var], suffix: str, shape: tuple[int, ...] = ()) -> Cells:
        """A new register buffer per accumulator; the cells are the buffers' first elements."""
        return tuple(self.register(f"{a.name}{suffix}", a.dtype, shape) for a in accs)

    def register(self, name: str, dtype: DType, shape: tuple[int, ...] = ()) -> Cell:
        """The first element of a new register buffer."""
        extents = tuple(map(const, shape))
        buffer = Buffer(fresh(name, self._taken), dtype, extents, row_major(extents, dtype), "register")
        self._registers[buffer.name] = buffer
        return Cell(buffer.name, dtype, (const(0),) * len(shape))

    def cell(self, tensor: str, indices: Sequence[Index | Expr], around: Nest) -> Cell:
        """An element of a result; data-dependent indices are checked."""
        shapes, facts = self.world.shapes, self._facts(around, ())
        lowered = [i if isinstance(i, Index) else shapes.lower(i, facts) for i in indices]
        checked = (shapes.index(i, extent) for i, extent in zip(lowered, shapes.extents[tensor], strict=True))
        return Cell(tensor, self.world.buffers[tensor].dtype, tuple(checked))

    def block(
        self,
        name: str,
        around: Nest,
        cells: Sequence[Cell],
        values: Sequence[Expr],
        predicate: tuple[Condition, ...] = (),
    ) -> Block:
        """``cells = values`` at every point of ``around`` where ``predicate`` holds."""
        facts, rings = self._facts(around, predicate), self.world.rings
        return Block(
            fresh(name, self._taken),
            tuple(level.iter for level in around),
            tuple(level.at for level in around),
            predicate,
            tuple(rings[c.buffer].write(c.write) if c.buffer in rings else c.write for c in cells),
            tuple(in_rings(self.world.shapes.lower(v, facts), rings) for v in values),
            span=self.span,
        )

    def _facts(self, around: Nest, predicate: tuple[Condition, ...]) -> Facts:
        return self.world.facts.extended({o.iter.name: (const(0), o.extent) for o in around}, predicate)

    def finish(self, body: Iterable[Stmt]) -> Kernel:
        """The kernel: ``body`` with the buffers and scalars that it uses."""
        body = tuple(body)
        found = [s for s, _ in walk(body) if isinstance(s, Block)]
        values = [e for b in found for e in b.expressions]
        used = {r.tensor for b in found for r in b.reads} | {w.buffer for b in found for w in b.writes}
        params = {n.name for v in values for n in walk_expr(v) if isinstance(n, Param)}
        buffers = {**self.world.buffers, **self._registers}
        return Kernel(
            self.name,
            tuple(b for b in buffers.values() if b.name in used),
            tuple(s for s in self.world.scalars if s.name in params),
            body,
        )


def loops(around: Nest, body: Iterable[Stmt]) -> tuple[Stmt, ...]:
    """``body`` inside serial loops."""
    result = tuple(body)
    for level in reversed(around):
        result = (Loop(level.iter.name, level.extent, "serial", result),)
    return result


def positions(axes: Iterable[Axis], around: Nest) -> dict[str, Index]:
    """Where each axis is, given a loop over each."""
    return {a.name: level.at for a, level in zip(axes, around, strict=True)}
