"""Make the iterations of the outermost loops tasks."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tilewright.ir.loops import Kernel
from tilewright.passes.loops.legality import check_lanes, check_private
from tilewright.passes.loops.nest import Primitive, replace_stmt
from tilewright.records import dataclass


@dataclass(frozen=True)
class Parallel(Primitive):
    """``for i in 0..N: B(i)`` becomes ``for i in 0..N parallel: B(i)``.

    The loop must be the only statement of the kernel, or of a parallel loop. The iterations of the outermost one are
    tasks; fuse the others with it to make theirs tasks.

    Obligation: no iteration touches a cell that another one writes. Register buffers are private to a task, so
    of them an iteration may read only what it wrote itself.
    """

    name: ClassVar[str] = "parallel"
    loop: str

    def run(self, kernel: Kernel) -> Kernel:
        loop, around = self.find_serial(kernel, self.loop)
        serial = [o.var for o in around if o.kind != "parallel"]
        if serial:
            self.refuse(f"{loop.var} is inside {serial[0]}", "reorder it outermost first")
        if (around[-1].body if around else kernel.body) != (loop,):
            where = around[-1].var if around else f"kernel {kernel.name}"
            self.refuse(f"{loop.var} is not the only statement of {where}")
        registers = frozenset(b.name for b in kernel.buffers if b.scope == "register")
        check_lanes(self, kernel, around, loop, registers)
        check_private(self, kernel, loop, registers)
        return replace_stmt(kernel, loop, [replace(loop, kind="parallel")])
