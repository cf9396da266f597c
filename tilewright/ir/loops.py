"""Loop IR: kernels over loops and blocks.

Grammar::

    Kernel = name, buffers: Buffer*, scalars: (name, dtype)*, body: Stmt*
    Buffer = name, dtype, shape: Index*, strides: Index* (bytes), scope
    Stmt   = Loop | Block
    Loop   = var, extent: Index, kind, body: Stmt*          var runs over 0 <= var < extent
    Block  = name, iters: Iter*, bindings: Index*, predicate: Condition*,
             writes: Write+, values: Expr+, init: Expr*
    Iter   = name, kind, extent: Index
    Write  = buffer, indices: (Index | CheckedIndex)*

A **block** is one statement instance: its iteration variables (``iters``) are bound to expressions of
the loop variables around it; where ``predicate`` (over loop variables) fails, nothing happens.
Values, write indices and reads speak of iteration variables and size symbols only. With ``init``,
the targets are set to it first where all iteration variables of kind reduce are 0. All ``values`` are
evaluated before any is written. Regions are computed, never stored.

A block is legal where its bindings cover the domain (iter extents) exactly once and dependences keep
their order: a ``parallel`` iter is free, ``reduce`` (a chain: the block reads what it wrote) and ``ordered``
keep their order.

Loop kinds: ``serial``; ``parallel`` (iterations are independent; each is all there is in the kernel or in the
parallel loop around it: the outermost one's variable is the task number, the others run inside of a task);
``vectorized`` (constant extent, lanes run at once); ``unrolled`` (constant extent).

Buffer scopes: ``global`` (an operand or output), ``scratch`` (one per call, allocated by the plan),
``register`` (private to a task, constant shape; contents do not outlive the task).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from functools import cached_property
from typing import Union

from tilewright.ir.index import Condition, Index, const, substitute, symbols
from tilewright.ir.scalar import CheckedIndex, Expr, Read, index_symbols, reads
from tilewright.ir.tensor import ScalarInput
from tilewright.ir.types import DType
from tilewright.records import dataclass
from tilewright.source import Span

LOOP_KINDS = ("serial", "parallel", "vectorized", "unrolled")
ITER_KINDS = ("parallel", "reduce", "ordered")
SCOPES = ("global", "scratch", "register")


@dataclass(frozen=True)
class Buffer:
    """Memory with a shape (elements) and byte strides, one per axis."""

    name: str
    dtype: DType
    shape: tuple[Index, ...]
    strides: tuple[Index, ...]
    scope: str = "global"


@dataclass(frozen=True)
class Iter:
    """An iteration variable of a block: the symbol ``name`` over ``0 <= name < extent``."""

    name: str
    kind: str
    extent: Index


@dataclass(frozen=True)
class Write:
    buffer: str
    indices: tuple[Index | CheckedIndex, ...]


@dataclass(frozen=True)
class Block:
    name: str
    iters: tuple[Iter, ...]
    bindings: tuple[Index, ...]
    predicate: tuple[Condition, ...]
    writes: tuple[Write, ...]
    values: tuple[Expr, ...]
    init: tuple[Expr, ...] = ()
    span: Span | None = field(default=None, compare=False, repr=False)

    @cached_property
    def expressions(self) -> tuple[Expr, ...]:
        """All scalar expressions: of the indices first, then of the init, then the values."""
        indices = [i for w in self.writes for i in w.indices if not isinstance(i, Index)]
        return (*indices, *self.init, *self.values)

    @cached_property
    def reads(self) -> tuple[Read, ...]:
        """The distinct reads of all expressions."""
        return tuple(dict.fromkeys([r for e in self.expressions for r in reads(e)]))

    @cached_property
    def accesses(self) -> tuple[tuple[str, tuple[Index | None, ...], bool], ...]:
        """The distinct places it touches, reads first: buffer, indices over loop variables, None where data decide,
        and whether it writes there."""
        bound = dict(zip((i.name for i in self.iters), self.bindings, strict=True))
        touched = [(r.tensor, r.indices, False) for r in self.reads] + [
            (w.buffer, w.indices, True) for w in self.writes
        ]
        return tuple(
            (buffer, tuple(substitute(i, bound) if isinstance(i, Index) else None for i in indices), writes)
            for buffer, indices, writes in dict.fromkeys(touched)
        )

    @cached_property
    def symbols(self) -> frozenset[str]:
        """What values, indices and extents speak of: iteration variables and sizes."""
        found = [index_symbols(e) for e in self.expressions]
        plain = [i for w in self.writes for i in w.indices if isinstance(i, Index)]
        return frozenset().union(*found, *map(symbols, plain), *[symbols(i.extent) for i in self.iters])

    @cached_property
    def free_symbols(self) -> frozenset[str]:
        """The symbols that the block does not bind: those of loops around it among them."""
        placed = [*map(symbols, self.bindings), *[symbols(c.index) for c in self.predicate]]
        return (self.symbols - {i.name for i in self.iters}).union(*placed)


@dataclass(frozen=True)
class Loop:
    var: str
    extent: Index
    kind: str
    body: tuple[Stmt, ...]

    @cached_property
    def free_symbols(self) -> frozenset[str]:
        """The symbols that nothing in the loop binds."""
        return (_free_symbols(self.body) - {self.var}) | symbols(self.extent)


Stmt = Union[Loop, Block]


@dataclass(frozen=True)
class Kernel:
    """A unit of work that one phase of a plan launches over its tasks.

    Symbols in it that no loop or block binds are slots of the plan's size table.
    """

    name: str
    buffers: tuple[Buffer, ...]
    scalars: tuple[ScalarInput, ...]
    body: tuple[Stmt, ...]

    @cached_property
    def free_symbols(self) -> frozenset[str]:
        """The symbols that no loop and no block binds: slots of the size table and counters."""
        return _free_symbols(self.body).union(*[symbols(i) for b in self.buffers for i in (*b.shape, *b.strides)])

    def buffer(self, name: str) -> Buffer:
        return next(b for b in self.buffers if b.name == name)

    @property
    def tasks(self) -> Index:
        """The number of tasks: the extent of the parallel loop, or 1."""
        return next((s.extent for s in self.body if isinstance(s, Loop) and s.kind == "parallel"), const(1))


def _free_symbols(body: tuple[Stmt, ...]) -> frozenset[str]:
    return frozenset().union(*[s.free_symbols for s in body])


def row_major(shape: tuple[Index, ...], dtype: DType) -> tuple[Index, ...]:
    """Byte strides of a contiguous buffer of ``shape``."""
    strides = [const(dtype.bytes)]
    for extent in shape[:0:-1]:
        strides.append(strides[-1] * extent)
    return tuple(reversed(strides[: len(shape)]))


def walk(body: tuple[Stmt, ...], around: tuple[Loop, ...] = ()) -> Iterator[tuple[Stmt, tuple[Loop, ...]]]:
    """Every statement with the loops around it, outer ones first."""
    found: list[tuple[Stmt, tuple[Loop, ...]]] = []
    _collect(body, around, found)
    return iter(found)


def _collect(body: tuple[Stmt, ...], around: tuple[Loop, ...], found: list[tuple[Stmt, tuple[Loop, ...]]]) -> None:
    for s in body:
        found.append((s, around))
        if isinstance(s, Loop):
            _collect(s.body, (*around, s), found)


def blocks(kernel: Kernel) -> list[tuple[Block, tuple[Loop, ...]]]:
    """The blocks of a kernel in program order, each with the loops around it."""
    return [(s, loops) for s, loops in walk(kernel.body) if isinstance(s, Block)]
