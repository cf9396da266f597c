"""The naive default schedule: lanes along the rows of the result, everything outside them as tasks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from tilewright.errors import ScheduleError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.index import Index, maximum, product, symbols
from tilewright.ir.loops import Block, Kernel, Loop, blocks, walk
from tilewright.ir.plan import Phase, Plan, Repeat, Step
from tilewright.ir.scalar import Apply, Expr, Read, operands
from tilewright.ir.scalar import walk as walk_expr
from tilewright.ir.types import DType
from tilewright.passes.legalise import signature
from tilewright.passes.loops.fuse import Fuse
from tilewright.passes.loops.nest import fresh, taken_names
from tilewright.passes.loops.parallel import Parallel
from tilewright.passes.loops.reorder import Reorder
from tilewright.passes.loops.split import Split
from tilewright.passes.loops.vectorize import Vectorize
from tilewright.passes.pipeline import Hook, Pass, Pipeline
from tilewright.passes.schedule.lanes import Clip, ExpandRegisters, Once, SinkLanes, Tidy, find
from tilewright.records import dataclass

CHUNK_POINTS = 16384
"""So many points are worth a claim of work."""
ROW_POINTS = 4096
"""A task takes so much of a row,"""
ROW_VECTORS = 16
"""or, where each point is a loop of its own, so many vectors."""
PARTIAL_VECTORS = 4
"""So many vectors of partial results are computed at once by operations that are expanded."""


def schedule(plan: Plan, capabilities: Capabilities, hook: Hook | None = None) -> Plan:
    """``plan`` with every kernel vectorised and in tasks; ``hook`` is called after each step of each kernel."""
    kernels = {k.name: scheduled(k, capabilities, hook) for k in plan.kernels}
    work = {k.name: _points(k) for k in plan.kernels}
    return replace(plan, kernels=tuple(kernels.values()), steps=_steps(plan.steps, kernels, work))


def _steps(steps: tuple[Step, ...], kernels: dict[str, Kernel], work: dict[str, Index]) -> tuple[Step, ...]:
    made: list[Step] = []
    for step in steps:
        if isinstance(step, Repeat):
            made.append(replace(step, steps=_steps(step.steps, kernels, work)))
        else:
            tasks = kernels[step.kernel].tasks
            chunk = maximum(1, tasks * CHUNK_POINTS // maximum(1, work[step.kernel]))
            made.append(Phase(step.kernel, tasks, chunk))
    return tuple(made)


def _points(kernel: Kernel) -> Index:
    """How many points the deepest block has that has most."""
    depth = max(len(b.iters) for b, _ in blocks(kernel))
    return maximum(*(product(i.extent for i in b.iters) for b, _ in blocks(kernel) if len(b.iters) == depth))


def scheduled(kernel: Kernel, capabilities: Capabilities, hook: Hook | None = None) -> Kernel:
    """``kernel`` after the naive schedule's steps: without lanes, or as it is, where these cannot be proved legal."""
    for choice in (capabilities, replace(capabilities, vector_bytes=0)):
        try:
            return Naive(kernel, choice, hook).run().kernel
        except ScheduleError:
            continue
    return kernel


class Naive:
    """The schedule of one kernel in the making; ``steps`` are the passes applied so far, each with its reason."""

    def __init__(self, kernel: Kernel, capabilities: Capabilities, hook: Hook | None = None) -> None:
        self.kernel = kernel
        self.capabilities = capabilities
        self.hook = hook
        self.steps: list[tuple[Pass, str]] = []

    def run(self) -> Naive:
        """Applies all steps."""
        axes = self._free_axes()
        partials = _partials(self.kernel) if self.capabilities.vector_bytes else []
        row = None if partials else self._row(axes)
        whole = row is not None and self._is_short(row)
        for var in axes[:-1] if whole else axes:
            self._apply(Parallel(var), "its iterations are independent")
        inner = axes.pop() if whole else self._tile(axes, row) if row else None
        self._tasks(axes)
        if row and inner:
            self._vectorise(inner, self._width(row))
        for var in partials:
            self._partial_lanes(var)
        self._apply(Tidy(), "loops of one iteration are none")
        return self

    def _apply(self, step: Pass, reason: str) -> None:
        self.kernel = Pipeline((step,)).run(self.kernel, self.hook)
        self.steps.append((step, reason))

    def _new(self, *names: str) -> tuple[str, ...]:
        taken = taken_names(self.kernel)
        return tuple(fresh(name, taken) for name in names)

    # --- tasks ------------------------------------------------------------------------------

    def _free_axes(self) -> list[str]:
        """The loops whose iterations are independent, of the nest around everything; they are outermost now."""
        nest = _perfect_nest(self.kernel)
        free = [o.var for o in nest if _is_free(o)]
        order = (*free, *(o.var for o in nest if not _is_free(o)))
        if len(free) > 0 and order != tuple(o.var for o in nest):
            self._apply(Reorder(order), "independent iterations go outside of those that keep their order")
        return free

    def _points(self, row: Row) -> int:
        """How much of the row a task takes."""
        return ROW_POINTS if row.innermost else ROW_VECTORS * self._width(row)

    def _is_short(self, row: Row) -> bool:
        """Whether a task takes all of the row."""
        extent = find(self.kernel, row.var)[0].extent.constant
        return extent is not None and extent <= self._points(row)

    def _tile(self, axes: list[str], row: Row) -> str:
        """Cuts the row into tiles, which take the row's place in ``axes``; the loop inside a tile."""
        tile, inner = self._new(f"{row.var}_tile", f"{row.var}_in")
        self._apply(Split(row.var, self._points(row), "guard", (tile, inner)), "a task takes part of a row")
        axes[-1] = tile
        return inner

    def _tasks(self, axes: list[str]) -> None:
        if not axes:
            return
        task = axes[0]
        for var in axes[1:]:
            (into,) = self._new(f"{task}_{var}")
            self._apply(Fuse(task, var, into), "all independent iterations count as tasks")
            task = into

    # --- lanes ------------------------------------------------------------------------------

    def _row(self, axes: list[str]) -> Row | None:
        """The innermost free axis if results are stored along it and vectors are of use."""
        if not axes:
            return None
        loop, _ = find(self.kernel, axes[-1])
        inside = [s for s, _ in walk(loop.body) if isinstance(s, Block)]
        row = Row(loop.var, all(isinstance(s, Block) for s in loop.body), _widest(inside, self.capabilities))
        short = loop.extent.constant is not None and loop.extent.const <= 1
        stored = all(_is_last(b, loop.var, self.kernel) for b in inside)
        return row if stored and not short and self._width(row) > 1 else None

    def _width(self, row: Row) -> int:
        return self.capabilities.lanes(row.dtype)

    def _vectorise(self, inner: str, width: int) -> None:
        self._apply(Clip(inner), "the last tile is shorter")
        vector, lane, rest = self._new(f"{inner}_v", f"{inner}_l", f"{inner}_rest")
        self._apply(Split(inner, width, "cut", (vector, lane, rest)), "whole vectors need no mask")
        vectors = [lane]
        if rest in {s.var for s, _ in walk(self.kernel.body) if isinstance(s, Loop)}:
            last, masked = self._new(f"{rest}_v", f"{rest}_l")
            self._apply(Split(rest, width, "mask", (last, masked)), "what is left is one vector with a mask")
            self._apply(Once(last), "that vector is there or it is not")
            vectors.append(masked)
        self._apply(ExpandRegisters(tuple(vectors)), "each lane has its own accumulators")
        for var in vectors:
            self._apply(Vectorize(var), "the lanes store neighbouring elements")
        self._apply(SinkLanes(), "vectors are innermost")

    def _partial_lanes(self, var: str) -> None:
        """All partial results at once where an instruction does each step, else as many as a few registers hold."""
        loop, _ = find(self.kernel, var)
        inside = [s for s in loop.body if isinstance(s, Block)]
        width = PARTIAL_VECTORS * self.capabilities.lanes(_widest(inside, self.capabilities))
        native = all(map(self._is_native, inside))
        if not native and loop.extent.const > width and loop.extent.const % width == 0:
            part, lane = self._new(f"{var}_part", f"{var}_l")
            self._apply(Split(var, width, "cut", (part, lane)), "what is expanded needs registers of its own")
            var = lane
        self._apply(Vectorize(var), "the partial results of a chunk are independent of each other")

    def _is_native(self, block: Block) -> bool:
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


def _partials(kernel: Kernel) -> list[str]:
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


def _widest(inside: Iterable[Block], capabilities: Capabilities) -> DType:
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
