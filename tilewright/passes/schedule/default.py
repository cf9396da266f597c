"""The default schedule: the first rule that can be proved legal for a kernel makes its steps."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from tilewright.errors import ScheduleError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.index import Index, maximum, product
from tilewright.ir.loops import Kernel, blocks
from tilewright.ir.plan import Plan, Repeat, Step
from tilewright.passes.pipeline import Hook
from tilewright.passes.schedule.making import Making, folds
from tilewright.passes.schedule.naive import Naive

CHUNK_POINTS = 16384
"""So many points are worth a claim of work."""


def schedule(plan: Plan, capabilities: Capabilities, hook: Hook | None = None) -> Plan:
    """``plan`` with every kernel vectorised and in tasks; ``hook`` is called after each step of each kernel."""
    plan, few = _turned(plan, capabilities)
    kernels = {k.name: scheduled(k, capabilities, hook, k.name not in few).kernel for k in plan.kernels}
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
            made.append(replace(step, tasks=tasks, chunk=chunk))
    return tuple(made)


def _points(kernel: Kernel) -> Index:
    """How many points the deepest block has that has most."""
    depth = max(len(b.iters) for b, _ in blocks(kernel))
    return maximum(*(product(i.extent for i in b.iters) for b, _ in blocks(kernel) if len(b.iters) == depth))


def explained(plan: Plan, capabilities: Capabilities) -> Iterator[Making]:
    """How each kernel of ``plan`` is scheduled; turned operands first."""
    plan, few = _turned(plan, capabilities)
    return (scheduled(k, capabilities, tiles=k.name not in few) for k in plan.kernels)


def scheduled(kernel: Kernel, capabilities: Capabilities, hook: Hook | None = None, tiles: bool = True) -> Making:
    """``kernel`` after the steps of the first rule that they can be proved legal for: in ``tiles``, by lanes, without
    lanes, as it is.
    """
    for attempt in _attempts(kernel, capabilities, hook, tiles):
        try:
            return attempt.run()
        except ScheduleError:
            continue
    return Making(kernel, capabilities, hook)


def _attempts(kernel: Kernel, capabilities: Capabilities, hook: Hook | None, tiles: bool) -> Iterator[Making]:
    if tiles and any(folds(kernel)):
        from tilewright.passes.schedule.tiles import Tiles

        yield Tiles(kernel, capabilities, hook)
    yield Naive(kernel, capabilities, hook)
    yield Naive(kernel, replace(capabilities, vector_bytes=0), hook)


def _turned(plan: Plan, capabilities: Capabilities) -> tuple[Plan, frozenset[str]]:
    """See :func:`tilewright.passes.schedule.turn.turn`; what folds nothing needs no turning."""
    if not any(any(folds(k)) for k in plan.kernels):
        return plan, frozenset()
    from tilewright.passes.schedule.turn import turn

    return turn(plan, capabilities)
