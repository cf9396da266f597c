"""Steps that make a loop fit for lanes: predicates become extents, registers get a lane each, vectors go inside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from tilewright.errors import ScheduleError
from tilewright.ir.facts import Facts
from tilewright.ir.index import Condition, Index, coefficient, const, ge, minimum, symbol, symbols
from tilewright.ir.loops import Block, Kernel, Loop, Stmt, walk
from tilewright.passes.loops.nest import facts, fresh, replace_stmt, substitute, taken_names
from tilewright.passes.pipeline import Pass
from tilewright.records import dataclass


@dataclass(frozen=True)
class Clip(Pass):
    """``for i in 0..E: B where i < b`` becomes ``for i in 0..min(E, b): B``.

    Every block in the loop must have the condition; where none is common to all, nothing changes.
    """

    name: ClassVar[str] = "clip"
    loop: str

    def run(self, kernel: Kernel) -> Kernel:
        loop, around = find(kernel, self.loop)
        inside = [s for s, _ in walk(loop.body) if isinstance(s, Block)]
        within = {s.var for s, _ in walk(loop.body) if isinstance(s, Loop)}
        for c in inside[0].predicate:
            bound = c.index + symbol(loop.var) + 1
            alone = not symbols(bound) & {loop.var, *within} and coefficient(c.index, loop.var) is const(-1)
            if c.kind == "ge" and alone and all(c in b.predicate for b in inside):
                body = _without(loop.body, c)
                extent = facts(kernel, around).simplify(minimum(loop.extent, bound))
                return replace_stmt(kernel, loop, [replace(loop, extent=extent, body=body)])
        return kernel


def find(kernel: Kernel, var: str) -> tuple[Loop, tuple[Loop, ...]]:
    """The loop called ``var`` and the loops around it; ScheduleError if there is none."""
    for s, around in walk(kernel.body):
        if isinstance(s, Loop) and s.var == var:
            return s, around
    raise ScheduleError(f"kernel {kernel.name} has no loop {var}")


def _without(body: tuple[Stmt, ...], condition: Condition) -> tuple[Stmt, ...]:
    return tuple(
        replace(s, body=_without(s.body, condition))
        if isinstance(s, Loop)
        else replace(s, predicate=tuple(c for c in s.predicate if c is not condition))
        for s in body
    )


@dataclass(frozen=True)
class Once(Pass):
    """``for i in 0..E: B``, where E is at most 1, becomes ``B where E >= 1`` at i = 0.

    The condition is left out where a block's own conditions say it. Nothing changes where that E is at most 1 is
    not proved, and where there are loops of unknown extent inside: these would run for nothing.
    """

    name: ClassVar[str] = "once"
    loop: str

    def run(self, kernel: Kernel) -> Kernel:
        loop, around = find(kernel, self.loop)
        known = facts(kernel, around)
        inner = [s.extent.constant for s, _ in walk(loop.body) if isinstance(s, Loop)]
        if loop.kind != "serial" or None in inner or not known.holds(ge(1, loop.extent)):
            return kernel
        body = substitute(loop.body, {loop.var: const(0)})
        return replace_stmt(kernel, loop, _under(body, ge(loop.extent, 1), known))


def _under(body: tuple[Stmt, ...], condition: Condition, known: Facts) -> list[Stmt]:
    """``body`` with every block under ``condition``, unless its own conditions say that."""
    made: list[Stmt] = []
    for s in body:
        if isinstance(s, Loop):
            inside = known.extended({s.var: (const(0), s.extent)})
            made.append(replace(s, body=tuple(_under(s.body, condition, inside))))
        elif s.predicate and known.extended({}, s.predicate).holds(condition):
            made.append(s)
        else:
            made.append(replace(s, predicate=(*s.predicate, condition)))
    return made


@dataclass(frozen=True)
class Tidy(Pass):
    """Loops of the constant extent 1 are taken away around their bodies, those of 0 with them; tasks stay."""

    name: ClassVar[str] = "tidy"

    def run(self, kernel: Kernel) -> Kernel:
        return replace(kernel, body=_tidied(kernel.body))


def _tidied(body: tuple[Stmt, ...]) -> tuple[Stmt, ...]:
    made: list[Stmt] = []
    for s in body:
        if isinstance(s, Block):
            made.append(s)
        elif s.extent.constant == 1 and s.kind != "parallel":
            made += _tidied(substitute(s.body, {s.var: const(0)}))
        elif s.extent.constant is None or s.extent.const > 0:
            made.append(replace(s, body=_tidied(s.body)))
    return tuple(s for s in made if isinstance(s, Block) or s.body)


@dataclass(frozen=True)
class SinkLanes(Pass):
    """Every vectorized loop goes inside the loops in it, but for unrolled ones: ``for i vectorized: (A; for k: B)``
    becomes ``for i vectorized: A; for k: for i vectorized: B``.

    Lanes run in lockstep, so this is what the loop means; it only says so in a form that any emitter does well.
    """

    name: ClassVar[str] = "sink-lanes"

    def run(self, kernel: Kernel) -> Kernel:
        return replace(kernel, body=_sunk(kernel.body, taken_names(kernel)))


def _sunk(body: tuple[Stmt, ...], taken: set[str]) -> tuple[Stmt, ...]:
    made: list[Stmt] = []
    for s in body:
        if isinstance(s, Block):
            made.append(s)
        elif s.kind == "vectorized":
            made += _distributed(s, taken, [s.var])
        else:
            made.append(replace(s, body=_sunk(s.body, taken)))
    return tuple(made)


def _distributed(lanes: Loop, taken: set[str], names: list[str]) -> list[Stmt]:
    """The statements of ``lanes`` with a lane loop around each run of blocks; the first keeps its name in ``names``."""
    made: list[Stmt] = []
    run: list[Stmt] = []  # blocks, and what comes to blocks
    for s in (*lanes.body, None):
        if isinstance(s, Block) or (isinstance(s, Loop) and _is_written_out(s)):
            run.append(s)
            continue
        if run:
            made.append(_renamed(replace(lanes, body=tuple(run)), taken, names))
            run = []
        if s is not None:
            made.append(replace(s, body=tuple(_distributed(replace(lanes, body=s.body), taken, names))))
    return made


def _is_written_out(loop: Loop) -> bool:
    inside = all(isinstance(s, Block) or _is_written_out(s) for s in loop.body)
    return loop.kind == "unrolled" and inside


def _renamed(lanes: Loop, taken: set[str], names: list[str]) -> Loop:
    var = names.pop() if names else fresh(lanes.var, taken)
    return lanes if var == lanes.var else _with_var(lanes, var)


def _with_var(loop: Loop, var: str) -> Loop:
    renaming: Mapping[str, Index] = {loop.var: symbol(var)}
    return replace(loop, var=var, body=substitute(loop.body, renaming))
