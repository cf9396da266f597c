"""Make the iterations of the outermost loop tasks."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from tilewright.ir.loops import Kernel, Loop, walk
from tilewright.passes.loops.legality import check_lanes, check_private
from tilewright.passes.loops.nest import Primitive, replace_stmt


@dataclass(frozen=True)
class Parallel(Primitive):
    """``for i in 0..N: B(i)`` becomes ``for i in 0..N parallel: B(i)``.

    The loop must be the only statement of the kernel, and the kernel have no parallel loop yet.

    Obligation: no iteration touches a cell that another one writes. Register buffers are private to a task, so
    of them an iteration may read only what it wrote itself.
    """

    name: ClassVar[str] = "parallel"
    loop: str

    def run(self, kernel: Kernel) -> Kernel:
        for s, _ in walk(kernel.body):
            if isinstance(s, Loop) and s.kind == "parallel":
                self.refuse(f"loop {s.var} is parallel already", "a kernel has one parallel loop; fuse the two first")
        loop, around = self.find_serial(kernel, self.loop)
        if around:
            self.refuse(f"{loop.var} is inside {around[0].var}", "reorder it outermost first")
        if kernel.body != (loop,):
            self.refuse(f"{loop.var} is not the only statement of kernel {kernel.name}")
        registers = frozenset(b.name for b in kernel.buffers if b.scope == "register")
        check_lanes(self, kernel, around, loop, registers)
        check_private(self, kernel, loop, registers)
        return replace_stmt(kernel, loop, [replace(loop, kind="parallel")])
