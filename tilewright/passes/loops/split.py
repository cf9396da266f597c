"""Split one loop into a loop over tiles and a loop inside a tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from tilewright.ir.index import Condition, ceildiv, const, eq, lt, symbol
from tilewright.ir.loops import Kernel, Loop, Stmt
from tilewright.passes.loops.legality import Part, check_cover, private_registers
from tilewright.passes.loops.nest import (
    Primitive,
    facts,
    fresh,
    map_blocks,
    moved,
    renamed,
    replace_stmt,
    substitute,
    taken_names,
)
from tilewright.records import dataclass


@dataclass(frozen=True)
class Split(Primitive):
    """``for i in 0..N: B(i)`` becomes, with factor f::

        guard, mask   for i_o in 0..ceil(N / f):  for i_i in 0..f:  B(i_o*f + i_i) where i_o*f + i_i < N
        perfect       for i_o in 0..N // f:       for i_i in 0..f:  B(i_o*f + i_i)
        cut           as perfect, then            for i_t in 0..N - N//f*f:  B(N//f*f + i_t)

    ``mask`` is ``guard`` whose predicate is meant to become the mask of the vectorized inner loop. ``cut`` gives the
    loops, blocks and registers of the remainder names of their own, ending in ``_tail``. ``names`` are those of the
    new loops: outer, inner and, for ``cut``, the remainder. A parallel loop stays parallel in the outer one.

    Obligation: every iteration runs once, in the same order. For ``perfect`` that f divides N has to follow from
    the extents or from the conditions ``given``.
    """

    name: ClassVar[str] = "split"
    loop: str
    factor: int
    tail: str = "guard"
    names: tuple[str, ...] = ()
    given: tuple[Condition, ...] = ()

    def run(self, kernel: Kernel) -> Kernel:
        loop, around = self.find_loop(kernel, self.loop)
        if loop.kind not in ("serial", "parallel"):
            self.refuse(f"loop {loop.var} is {loop.kind} already", "split before")
        if loop.kind == "parallel" and self.tail == "cut":
            self.refuse(f"the parallel loop {loop.var} cannot have a remainder beside it", "use tail=guard")
        taken = taken_names(kernel) - {loop.var}
        outer, inner, rest = self._names(taken)
        tiles = loop.extent // self.factor if self.tail in ("cut", "perfect") else ceildiv(loop.extent, self.factor)
        index = symbol(outer) * self.factor + symbol(inner)
        guard = (lt(index, loop.extent),) if self.tail in ("guard", "mask") else ()
        body = substitute(loop.body, {loop.var: index}, guard)
        shell = (Loop(outer, tiles, loop.kind, ()), Loop(inner, const(self.factor), "serial", ()))
        parts = [Part((index,), shell, guard)]
        new: list[Stmt] = [replace(shell[0], body=(replace(shell[1], body=body),))]
        if self.tail == "cut" and loop.extent != tiles * self.factor:
            done = tiles * self.factor
            remainder = Loop(rest, loop.extent - done, "serial", ())
            copy = renamed(substitute(loop.body, {loop.var: done + symbol(rest)}), "_tail", taken)
            own = {r: fresh(f"{r}_tail", taken) for r in sorted(private_registers(kernel, loop))}
            copies = [replace(kernel.buffer(r), name=name) for r, name in own.items()]
            kernel = replace(kernel, buffers=(*kernel.buffers, *copies))
            new.append(replace(remainder, body=_with_buffers(copy, own)))
            parts.append(Part((done + symbol(rest),), (remainder,), ()))
        whole = self._whole_tiles(loop, kernel, around) if self.tail == "perfect" else ()
        check_cover(self, (loop,), parts, facts(kernel, around, (*self.given, *whole)))
        return replace_stmt(kernel, loop, new)

    def _names(self, taken: set[str]) -> tuple[str, str, str]:
        defaults = (f"{self.loop}_o", f"{self.loop}_i", f"{self.loop}_tail")
        if len(self.names) > 3:
            self.refuse(f"{len(self.names)} names for at most 3 loops")
        clash = taken.intersection(self.names)
        if clash or len(set(self.names)) < len(self.names):
            self.refuse(f"the name {min(clash or self.names)} is taken", "choose names that nothing in the kernel has")
        taken.update(self.names)
        found = [*self.names, *(fresh(d, taken) for d in defaults[len(self.names) :])]
        return found[0], found[1], found[2]

    def _whole_tiles(self, loop: Loop, kernel: Kernel, around: tuple[Loop, ...]) -> tuple[Condition, ...]:
        """The condition that tiles fill the loop; refused unless the factor is known to divide the extent."""
        needed = eq(loop.extent % self.factor, 0)
        if not facts(kernel, around, self.given).holds(needed):
            self.refuse(
                f"cannot prove that {self.factor} divides {loop.extent}, the extent of {loop.var}",
                f"use tail=guard or tail=cut, or give the condition {needed}",
            )
        return (eq(loop.extent // self.factor * self.factor, loop.extent),)


def _with_buffers(body: tuple[Stmt, ...], names: Mapping[str, str]) -> tuple[Stmt, ...]:
    """``body`` with other buffers in the place of those named."""
    return map_blocks(body, lambda b: moved(b, lambda buffer, at: (names.get(buffer, buffer), at))) if names else body
