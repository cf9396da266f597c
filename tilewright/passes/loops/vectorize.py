"""Mark a loop whose iterations run at once, as lanes of vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tilewright.ir.index import symbols
from tilewright.ir.loops import Kernel, Loop, walk
from tilewright.passes.loops.legality import check_lanes
from tilewright.passes.loops.nest import Primitive, replace_stmt
from tilewright.records import dataclass


@dataclass(frozen=True)
class Vectorize(Primitive):
    """``for i in 0..8: B(i)`` becomes ``for i in 0..8 vectorized: B(i)``.

    The extent must be constant, no loop inside may be vectorized, and lanes must agree on the extents inside.

    Obligation: no lane touches a cell that another lane writes.
    """

    name: ClassVar[str] = "vectorize"
    loop: str

    def run(self, kernel: Kernel) -> Kernel:
        loop, around = self.find_serial(kernel, self.loop)
        if loop.extent.constant is None:
            self.refuse(f"the extent of {loop.var}, {loop.extent}, is not constant", "split it by the lanes first")
        lanes = next((o for o in around if o.kind == "vectorized"), None)
        for s, _ in walk(loop.body):
            if isinstance(s, Loop) and s.kind == "vectorized":
                lanes = s
            if isinstance(s, Loop) and loop.var in symbols(s.extent):
                self.refuse(f"the extent of {s.var}, {s.extent}, differs between lanes of {loop.var}")
        if lanes is not None:
            self.refuse(f"loop {lanes.var}, in the same nest, is vectorized already", "fuse the two loops first")
        check_lanes(self, kernel, around, loop)
        return replace_stmt(kernel, loop, [replace(loop, kind="vectorized")])
