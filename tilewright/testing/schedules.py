"""Random schedules: sequences of primitives, legal and illegal ones, applied to a kernel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from hypothesis import strategies as st

from tilewright.errors import ScheduleError
from tilewright.ir.index import const
from tilewright.ir.loops import Block, Kernel, Loop, walk
from tilewright.ir.plan import Plan, Repeat, Step
from tilewright.ir.schedule import TAILS
from tilewright.passes.loops import (
    DecomposeReduction,
    Expand,
    Fission,
    Fuse,
    Parallel,
    Reorder,
    Simplify,
    Split,
    Unroll,
    Vectorize,
)
from tilewright.passes.pipeline import Pass, Pipeline
from tilewright.records import dataclass
from tilewright.testing.choices import Choices, strategy

FACTORS = (2, 4, 8, 3, 16, 5)


@dataclass(frozen=True)
class Scheduled:
    """A kernel, the steps that made it, and those that were refused with their reasons.

    ``broken``: the last step fails in a way that no step may, which whoever applies them again will see.
    """

    kernel: Kernel
    applied: Pipeline = Pipeline(())
    refused: tuple[tuple[Pass, str], ...] = ()
    broken: bool = False

    def then(self, step: Pass) -> Scheduled:
        """After ``step``, or with its refusal on record."""
        applied = Pipeline((*self.applied.passes, step))
        try:
            return replace(self, kernel=step.run(self.kernel), applied=applied)
        except ScheduleError as e:
            return replace(self, refused=(*self.refused, (step, e.message)))
        except Exception:
            return replace(self, applied=applied, broken=True)


def make_step(choices: Choices, kernel: Kernel) -> Pass:
    """A primitive with arguments out of ``kernel``, legal or not."""
    loops = [s for s, _ in walk(kernel.body) if isinstance(s, Loop)]
    blocks = [s.name for s, _ in walk(kernel.body) if isinstance(s, Block)]
    if not loops:
        return Simplify()
    make: Callable[[Choices, list[Loop], list[str]], Pass] = choices.pick(_STEPS)
    return make(choices, loops, blocks)


def _split(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    return Split(choices.pick(loops).var, choices.pick(FACTORS), choices.pick(TAILS))


def _fuse(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    outer = choices.pick(loops)
    inside = [s for s in outer.body if isinstance(s, Loop)] or loops
    return Fuse(outer.var, choices.pick(inside).var)


def _reorder(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    outer = choices.pick(loops)
    nest = [s for s, _ in walk(outer.body) if isinstance(s, Loop)]
    chosen = choices.some(nest, 1, 2) if nest else choices.some(loops, 1, 2)
    names = dict.fromkeys([*(o.var for o in chosen), outer.var])
    return Reorder(tuple(names)) if len(names) > 1 else Simplify()


def _vectorize(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    constant = [o for o in loops if o.extent.constant is not None]
    return Vectorize(choices.pick(constant or loops).var)


def _unroll(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    constant = [o for o in loops if o.extent.constant is not None and o.extent.const <= 16]
    return Unroll(choices.pick(constant or loops).var)


def _parallel(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    return Parallel(loops[0].var if not choices.chance(4) else choices.pick(loops).var)


def _decompose(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    return DecomposeReduction(choices.pick(blocks), choices.pick(loops).var)


def _fission(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    return Fission(choices.pick(loops).var, choices.chance(2))


def _expand(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    constant = [o for o in loops if o.extent.constant is not None]
    return Expand(choices.pick(constant or loops).var)


def _simplify(choices: Choices, loops: list[Loop], blocks: list[str]) -> Pass:
    return Simplify()


_STEPS = (
    _split, _vectorize, _reorder, _fuse, _parallel, _unroll, _decompose, _split, _vectorize, _simplify, _fission,
    _expand,
)  # fmt: skip


def make_schedule(choices: Choices, kernel: Kernel, steps: int = 5) -> Scheduled:
    """``kernel`` after up to ``steps`` random primitives, each of which may be refused."""
    found = Scheduled(kernel)
    for _ in range(choices.integer(0, steps)):
        if not found.broken:
            found = found.then(make_step(choices, found.kernel))
    return found


def schedules(kernel: Kernel, steps: int = 5) -> st.SearchStrategy[Scheduled]:
    """Schedules as :func:`make_schedule` makes them."""
    return strategy(make_schedule, kernel, steps)


def with_kernels(plan: Plan, kernels: dict[str, Kernel]) -> Plan:
    """``plan`` with other kernels in the place of its own; each task is claimed alone."""
    return replace(plan, kernels=tuple(kernels.values()), steps=_steps(plan.steps, kernels))


def _steps(steps: tuple[Step, ...], kernels: dict[str, Kernel]) -> tuple[Step, ...]:
    return tuple(
        replace(s, steps=_steps(s.steps, kernels))
        if isinstance(s, Repeat)
        else replace(s, tasks=kernels[s.kernel].tasks, chunk=const(1))
        for s in steps
    )
