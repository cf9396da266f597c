"""A schedule in the making: the kernel so far, the steps with their reasons, and what its rules ask of loops."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tilewright.ir.capabilities import Capabilities
from tilewright.ir.index import Index, symbols
from tilewright.ir.loops import Block, Kernel, Loop, walk
from tilewright.ir.scalar import Apply, Expr, Read, operands
from tilewright.ir.scalar import walk as walk_expr
from tilewright.ir.types import DType
from tilewright.passes.legalise import signature
from tilewright.passes.loops.fuse import Fuse
from tilewright.passes.loops.nest import fresh, taken_names
from tilewright.passes.loops.reorder import Reorder
from tilewright.passes.pipeline import Hook, Pass, Pipeline
from tilewright.passes.schedule.lanes import find
from tilewright.records import dataclass


class Making:
    """The schedule of one kernel in the making: what it was at the ``start``, and the ``steps``, passes applied so far,
    each with its reason.
    """

    def __init__(self, kernel: Kernel, capabilities: Capabilities, hook: Hook | None = None) -> None:
        self.start = self.kernel = kernel
        self.capabilities = capabilities
        self.hook = hook
        self.steps: list[tuple[Pass, str]] = []

    def apply(self, step: Pass, reason: str) -> None:
        """Takes a step."""
        self.kernel = Pipeline((step,)).run(self.kernel, self.hook)
        self.steps.append((step, reason))

    def new(self, *names: str) -> tuple[str, ...]:
        """Names like these that nothing in the kernel has."""
        taken = taken_names(self.kernel)
        return tuple(fresh(name, taken) for name in names)

    def has(self, var: str) -> bool:
        """Whether there is a loop called ``var``."""
        return any(isinstance(s, Loop) and s.var == var for s, _ in walk(self.kernel.body))

    def run(self) -> Making:
        """Applies the steps of a rule; ScheduleError where it is not for this kernel."""
        return self

    def tasks(self, axes: list[str]) -> None:
        """Makes the iterations of perfectly nested parallel loops tasks."""
        task = axes[0] if axes else ""
        for var in axes[1:]:
            (into,) = self.new(f"{task}_{var}")
            self.apply(Fuse(task, var, into), "all independent iterations count as tasks")
            task = into

    def free_axes(self) -> list[str]:
        """The loops whose iterations are independent, of the nest around everything; they are outermost now."""
        nest = _perfect_nest(self.kernel)
        free = [o.var for o in nest if _is_free(o)]
        order = (*free, *(o.var for o in nest if not _is_free(o)))
        if len(free) > 0 and order != tuple(o.var for o in nest):
            self.apply(Reorder(order), "independent iterations go outside of those that keep their order")
        return free

    def row(self, axes: list[str]) -> Row | None:
        """The innermost free axis if results are stored along it and vectors are of use."""
        if not axes:
            return None
        loop, _ = find(self.kernel, axes[-1])
        inside = [s for s, _ in walk(loop.body) if isinstance(s, Block)]
        row = Row(loop.var, all(isinstance(s, Block) for s in loop.body), widest(inside, self.capabilities))
        short = loop.extent.constant is not None and loop.extent.const <= 1
        stored = all(_is_last(b, loop.var, self.kernel) for b in inside)
        return row if stored and not short and self.width(row) > 1 else None

    def width(self, row: Row) -> int:
        """How many lanes compute along the row."""
        return self.capabilities.lanes(row.dtype)

    def is_native(self, block: Block) -> bool:
        """Whether an instruction does each operation."""
        nodes = (e for v in block.values for e in walk_expr(v))
        return all(signature(e) in self.capabilities.native for e in nodes if isinstance(e, Apply))


@dataclass(frozen=True)
class Row:
    """The loop to vectorise: whether it is innermost, and the widest dtype computed with in it."""

    var: str
    innermost: bool
    dtype: DType


def _perfect_nest(kernel: Kernel) -> list[Loop]:
    """The loops around everything, outermost first."""
    nest: list[Loop] = []
    body = kernel.body
    while len(body) == 1 and isinstance(body[0], Loop):
        nest.append(body[0])
        body = body[0].body
    return nest


def _is_free(loop: Loop) -> bool:
    """Whether every block takes the loop's iterations in any order."""
    inside = (s for s, _ in walk(loop.body) if isinstance(s, Block))
    bound = ((i, at) for b in inside for i, at in zip(b.iters, b.bindings, strict=True))
    return all(i.kind == "parallel" for i, at in bound if loop.var in symbols(at))


def _is_last(block: Block, var: str, kernel: Kernel) -> bool:
    """Whether the block's results, unless they are registers, are stored along ``var``."""
    names = {i.name for i, at in zip(block.iters, block.bindings, strict=True) if at.symbol == var}
    stored = [w for w in block.writes if kernel.buffer(w.buffer).scope != "register"]
    return all(isinstance(w.indices[-1], Index) and w.indices[-1].symbol in names for w in stored if w.indices)


def widest(inside: Iterable[Block], capabilities: Capabilities) -> DType:
    """The widest dtype that values are computed in."""
    values = [v for b in inside for v in b.values]
    found = {d for v in values for d in _computed(v, capabilities)} | {v.dtype.compute for v in values}
    return max(found, key=lambda d: (d.bits, d.name))


def _computed(e: Expr, capabilities: Capabilities) -> Iterator[DType]:
    """The dtypes of the operations and reads of ``e``, indices left out; of what is expanded, of its operands too."""
    if isinstance(e, (Apply, Read)):
        yield e.dtype.compute
    if isinstance(e, Apply) and signature(e) not in capabilities.native:
        yield from (a.dtype.compute for a in e.args)
    for part in operands(e) if isinstance(e, Apply) else (e.otherwise,) if isinstance(e, Read) and e.otherwise else ():
        yield from _computed(part, capabilities)


def partials(kernel: Kernel) -> list[str]:
    """The loops over partial results: innermost, of constant extent, storing into registers along themselves."""
    found = []
    for s, _ in walk(kernel.body):
        if isinstance(s, Loop) and (s.extent.constant or 0) > 1 and _stores_partials(s, kernel):
            found.append(s.var)
    return found


def _stores_partials(loop: Loop, kernel: Kernel) -> bool:
    inside = [b for b in loop.body if isinstance(b, Block)]
    writes = [w for b in inside for w in b.writes]
    registers = all(kernel.buffer(w.buffer).scope == "register" and w.indices for w in writes)
    return (
        len(inside) == len(loop.body)
        and registers
        and all(isinstance(w.indices[-1], Index) and loop.var in symbols(w.indices[-1]) for w in writes)
    )


def folds(kernel: Kernel) -> Iterator[Block]:
    """The blocks that take a step of a fold."""
    return (s for s, _ in walk(kernel.body) if isinstance(s, Block) and any(i.kind == "reduce" for i in s.iters))
