"""Mark a loop whose iterations are written out one after the other."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tilewright.ir.loops import Kernel
from tilewright.passes.loops.nest import Primitive, replace_stmt
from tilewright.records import dataclass


@dataclass(frozen=True)
class Unroll(Primitive):
    """``for i in 0..4: B(i)`` becomes ``for i in 0..4 unrolled: B(i)``. The extent must be constant.

    Obligation: none, for the order stays.
    """

    name: ClassVar[str] = "unroll"
    loop: str

    def run(self, kernel: Kernel) -> Kernel:
        loop, _ = self.find_serial(kernel, self.loop)
        if loop.extent.constant is None:
            self.refuse(f"the extent of {loop.var}, {loop.extent}, is not constant", "split it first")
        return replace_stmt(kernel, loop, [replace(loop, kind="unrolled")])
