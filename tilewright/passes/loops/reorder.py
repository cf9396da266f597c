"""Change the order of perfectly nested loops."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tilewright.ir.index import symbols
from tilewright.ir.loops import Kernel, Loop, Stmt
from tilewright.passes.loops.legality import check_order
from tilewright.passes.loops.nest import Primitive, replace_stmt
from tilewright.records import dataclass


@dataclass(frozen=True)
class Reorder(Primitive):
    """``for i: for j: for k: B`` becomes, for ``loops=[k, i]``, ``for k: for j: for i: B``.

    The loops named take the places of the loops named, in the order given; loops between them stay where they
    are. All must be perfectly nested, with extents that do not depend on each other.

    Obligation: iterations that touch the same cell, one of them writing it, keep their order.
    """

    name: ClassVar[str] = "reorder"
    loops: tuple[str, ...]

    def run(self, kernel: Kernel) -> Kernel:
        nest, around = self._nest(kernel)
        self._check_extents(nest)
        moved = iter([next(o for o in nest if o.var == v) for v in self.loops])
        new = [next(moved) if o.var in self.loops else o for o in nest]
        check_order(self, kernel, around, nest, [o.var for o in new])
        body: tuple[Stmt, ...] = nest[-1].body
        for loop in reversed(new):
            body = (replace(loop, body=body),)
        return replace_stmt(kernel, nest[0], body)

    def _nest(self, kernel: Kernel) -> tuple[list[Loop], tuple[Loop, ...]]:
        """The loops from the outermost to the innermost named one, and what is around them."""
        found = [self.find_loop(kernel, v) for v in self.loops]
        loop, around = min(found, key=lambda f: len(f[1]))
        nest, left = [loop], set(self.loops) - {loop.var}
        while left:
            inner = nest[-1].body[0] if len(nest[-1].body) == 1 else None
            if not isinstance(inner, Loop):
                self.refuse(f"{', '.join(sorted(left))} and {loop.var} are not perfectly nested")
            nest.append(inner)
            left.discard(inner.var)
        for o in nest:
            if o.kind not in ("serial", "unrolled"):
                self.refuse(f"loop {o.var} is {o.kind} already", "reorder before")
        return nest, around

    def _check_extents(self, nest: list[Loop]) -> None:
        for loop in nest:
            depends = symbols(loop.extent) & {o.var for o in nest}
            if depends:
                self.refuse(f"the extent of {loop.var}, {loop.extent}, depends on {min(depends)}")
