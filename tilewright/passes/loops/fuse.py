"""Fuse two perfectly nested loops into one."""

from __future__ import annotations

from typing import ClassVar

from tilewright.ir.index import symbol, symbols
from tilewright.ir.loops import Kernel, Loop
from tilewright.passes.loops.nest import Primitive, fresh, replace_stmt, substitute, taken_names
from tilewright.records import dataclass


@dataclass(frozen=True)
class Fuse(Primitive):
    """``for i in 0..M: for j in 0..N: B(i, j)`` becomes ``for f in 0..M*N: B(f // N, f % N)``.

    ``into`` names the new loop; by default it is ``i_j``. The two loops must be both serial or both parallel, as the
    new one is then, with nothing but the inner one in the outer one, and N must not depend on i.

    Obligation: every pair of iterations runs once, in the same order. It holds by construction.
    """

    name: ClassVar[str] = "fuse"
    outer: str
    inner: str
    into: str = ""

    def run(self, kernel: Kernel) -> Kernel:
        outer, _ = self.find_loop(kernel, self.outer)
        inner, _ = self.find_loop(kernel, self.inner)
        if outer.kind not in ("serial", "parallel") or inner.kind != outer.kind:
            odd = inner if outer.kind in ("serial", "parallel") else outer
            self.refuse(f"loop {odd.var} is {odd.kind}", "fuse two serial loops or two parallel ones")
        if len(outer.body) != 1 or outer.body[0] is not inner:
            self.refuse(f"{inner.var} is not the only statement in {outer.var}", "fuse perfectly nested loops")
        if outer.var in symbols(inner.extent):
            self.refuse(f"the extent of {inner.var}, {inner.extent}, depends on {outer.var}")
        taken = taken_names(kernel) - {outer.var, inner.var}
        if self.into in taken:
            self.refuse(f"the name {self.into} is taken", "choose a name that nothing in the kernel has")
        var = self.into or fresh(f"{outer.var}_{inner.var}", taken)
        values = {outer.var: symbol(var) // inner.extent, inner.var: symbol(var) % inner.extent}
        fused = Loop(var, outer.extent * inner.extent, outer.kind, substitute(inner.body, values))
        return replace_stmt(kernel, outer, [fused])
