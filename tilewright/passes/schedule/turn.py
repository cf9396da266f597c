"""Operands that lie across the lanes are turned before they are used again and again.

In ``c[i, j] = sum[k](a[i, k] * w[j, k])`` the lanes, neighbouring j, read w at places far apart. Where many rows i use
w again, a copy of it whose last axis is j, made by a kernel before, costs less than gathering it for each tile of rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tilewright.errors import ScheduleError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.index import Condition, Index, coefficient, const, ge, lt, symbol, symbols
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Stmt, Write, row_major, walk
from tilewright.ir.plan import Phase, Plan, Repeat, Step, indicator
from tilewright.ir.scalar import Read
from tilewright.ir.tensor import Tensor
from tilewright.passes.loops.nest import fresh, map_blocks, moved
from tilewright.passes.schedule.tiles import Tiles
from tilewright.records import dataclass

WORTH = 8
"""So many uses of each element make up for a copy."""


@dataclass(frozen=True)
class Turned:
    """A copy of a buffer: the order of its axes, and how many times each element is used."""

    buffer: str
    order: tuple[int, ...]
    uses: Index

    @property
    def pays(self) -> Condition:
        """Where the copy pays."""
        return ge(self.uses, WORTH)


def turn(plan: Plan, capabilities: Capabilities) -> tuple[Plan, frozenset[str]]:
    """``plan`` with copies of what lies across the lanes, where these pay: each kernel that uses one is there twice.

    Also the names of those that are for few rows, without a copy.
    """
    turning = _Turning(plan, capabilities)
    return (turning.run() if capabilities.vector_bytes else plan), frozenset(turning.few)


def _across(kernel: Kernel, capabilities: Capabilities) -> Turned | None:
    """An operand of a fold whose neighbours along the lanes are not neighbours in memory, if rows use it again."""
    try:
        form = Tiles(kernel, capabilities).form()
    except ScheduleError:
        return None
    for buffer, places in form.kept.items():
        axis = next((a for a, i in enumerate(places) if coefficient(i, form.columns) is const(1)), None)
        others = [i for a, i in enumerate(places) if a != axis]
        if axis is None or any(form.columns in symbols(i) for i in others):
            continue
        if buffer.strides[axis] is not const(buffer.dtype.bytes):
            order = (*(a for a in range(len(places)) if a != axis), axis)
            return Turned(buffer.name, order, form.height)
    return None


class _Turning:
    def __init__(self, plan: Plan, capabilities: Capabilities) -> None:
        self.plan = plan
        self.capabilities = capabilities
        self.kernels = {k.name: k for k in plan.kernels}
        self.scratch = list(plan.scratch)
        self.few: set[str] = set()
        self.taken = {*self.kernels, plan.name, *(t.name for t in (*plan.inputs, *plan.outputs, *plan.scratch))}
        self.taken |= {s.name for s in plan.scalars} | {name for name, _ in plan.symbols}

    def run(self) -> Plan:
        """The plan with copies."""
        steps = tuple(s for step in self.plan.steps for s in self._step(step))
        return replace(self.plan, kernels=tuple(self.kernels.values()), scratch=tuple(self.scratch), steps=steps)

    def _step(self, step: Step) -> list[Step]:
        """``step``, after copies of what it does not write itself."""
        written = {w.buffer for k in _kernels(step) for b in _blocks(self.kernels[k]) for w in b.writes}
        counters = _counters(step)
        copies: list[Step] = []
        made = [step]
        for kernel in map(self.kernels.__getitem__, _kernels(step)):
            found = _across(kernel, self.capabilities)
            if found and found.buffer not in written and not symbols(found.uses) & counters:
                made = [s for before in made for s in self._with_copy(before, kernel, found, copies)]
        return [*copies, *made]

    def _with_copy(self, step: Step, kernel: Kernel, wanted: Turned, copies: list[Step]) -> list[Step]:
        """``step`` with ``kernel`` reading a copy where that pays; what makes the copy is added to ``copies``."""
        old = kernel.buffer(wanted.buffer)
        shape = tuple(old.shape[a] for a in wanted.order)
        new = Buffer(fresh(f"{old.name}_turned", self.taken), old.dtype, shape, row_major(shape, old.dtype), "scratch")
        copying = _copying(fresh(f"{kernel.name}_turn", self.taken), old, new, wanted.order)
        reading = _reading(kernel, fresh(f"{kernel.name}_turned", self.taken), old, new, wanted.order)
        self.kernels |= {copying.name: copying, reading.name: reading}
        self.few.add(kernel.name)
        self.scratch.append(Tensor(new.name, new.dtype, (shape[0] * indicator(wanted.pays), *shape[1:])))
        copies.append(Phase(copying.name, const(1), const(1), wanted.pays))
        return _instead(step, kernel.name, {reading.name: wanted.pays, kernel.name: lt(wanted.uses, WORTH)})


def _kernels(step: Step) -> list[str]:
    """The kernels that a step runs."""
    return [step.kernel] if isinstance(step, Phase) else [name for s in step.steps for name in _kernels(s)]


def _counters(step: Step) -> set[str]:
    return set() if isinstance(step, Phase) else {step.counter}.union(*map(_counters, step.steps))


def _blocks(kernel: Kernel) -> list[Block]:
    return [s for s, _ in walk(kernel.body) if isinstance(s, Block)]


def _instead(step: Step, kernel: str, by: Mapping[str, Condition]) -> list[Step]:
    """``step`` with phases of several kernels in the place of those of one, each where its condition holds."""
    if isinstance(step, Repeat):
        return [replace(step, steps=tuple(s for inner in step.steps for s in _instead(inner, kernel, by)))]
    if step.kernel != kernel:
        return [step]
    return [replace(step, kernel=name, where=where) for name, where in by.items()]


def _copying(name: str, old: Buffer, new: Buffer, order: tuple[int, ...]) -> Kernel:
    """The kernel that fills ``new``: a loop per axis, as it lies."""
    axes = [f"t{a}" for a in range(len(order))]
    at = [symbol(axes[order.index(a)]) for a in range(len(order))]
    iters = tuple(Iter(axis, "parallel", extent) for axis, extent in zip(axes, new.shape, strict=True))
    write = Write(new.name, tuple(map(symbol, axes)))
    value = Read(old.name, tuple(at), old.dtype)
    body: Stmt = Block("turn", iters, tuple(map(symbol, axes)), (), (write,), (value,))
    for axis, extent in reversed([*zip(axes, new.shape, strict=True)]):
        body = Loop(axis, extent, "serial", (body,))
    return Kernel(name, (old, new), (), (body,))


def _reading(kernel: Kernel, name: str, old: Buffer, new: Buffer, order: tuple[int, ...]) -> Kernel:
    """``kernel`` with the elements of ``new`` in the place of those of ``old``."""

    def move(buffer: str, indices: tuple[Any, ...]) -> tuple[str, tuple[Any, ...]]:
        return (new.name, tuple(indices[a] for a in order)) if buffer == old.name else (buffer, indices)

    buffers = (*(b for b in kernel.buffers if b.name != old.name), new)
    body = map_blocks(kernel.body, lambda b: moved(b, move))
    return replace(kernel, name=name, buffers=buffers, body=body)
