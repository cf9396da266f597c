"""Give each statement of a loop a loop of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tilewright.ir.index import symbol, symbols
from tilewright.ir.loops import Kernel, Loop, Stmt
from tilewright.passes.loops.legality import check_turns
from tilewright.passes.loops.nest import Primitive, fresh, replace_stmt, substitute, taken_names
from tilewright.records import dataclass


@dataclass(frozen=True)
class Fission(Primitive):
    """``for i: (A; B)`` becomes ``for i: A`` and ``for i2: B``.

    With ``inside`` a statement that is a loop stays where it is, and what is in it is taken apart likewise:
    ``for i: (A; for k: B; C)`` becomes ``for i: A; for k: (for i2: B); for i3: C``. So iterations of i take
    turns in the innermost loops; no extent in it may depend on i.

    Obligation: what touches the same cell, one of them writing it, keeps its order.
    """

    name: ClassVar[str] = "fission"
    loop: str
    inside: bool = False

    def run(self, kernel: Kernel) -> Kernel:
        loop, around = self.find_loop(kernel, self.loop)
        if loop.kind not in ("serial", "unrolled"):
            self.refuse(f"loop {loop.var} is {loop.kind}", "apply it before")
        check_turns(self, kernel, around, loop, self.inside)
        taken, names = taken_names(kernel), [loop.var]
        return replace_stmt(kernel, loop, self._apart(loop, taken, names))

    def _apart(self, loop: Loop, taken: set[str], names: list[str]) -> list[Stmt]:
        """The statements of ``loop``, each in a loop; the first one has the name that is left in ``names``."""
        made: list[Stmt] = []
        for s in loop.body:
            if self.inside and isinstance(s, Loop):
                if loop.var in symbols(s.extent):
                    self.refuse(f"the extent of {s.var}, {s.extent}, depends on {loop.var}")
                made.append(replace(s, body=tuple(self._apart(replace(loop, body=s.body), taken, names))))
            else:
                made.append(_named(loop, s, names.pop() if names else fresh(loop.var, taken)))
        return made


def _named(loop: Loop, s: Stmt, var: str) -> Loop:
    body = (s,) if var == loop.var else substitute((s,), {loop.var: symbol(var)})
    return replace(loop, var=var, body=body)
