"""Dead code: statements that no output depends on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from tilewright.ir import statements
from tilewright.ir.tensor import Compute, Function
from tilewright.passes.pipeline import Pass


def eliminate_dead(f: Function) -> Function:
    """``f`` without the statements and the free-standing results that no output needs; its inputs stay."""
    live = set(f.outputs)
    body: list[Compute] = []
    for c in reversed(f.body):
        if any(r.name in live for r in c.results):
            c = _live_part(c, live)
            live |= {read.tensor for read in statements.reads(c)}
            body.append(c)
    return replace(f, body=tuple(reversed(body)))


def _live_part(c: Compute, live: set[str]) -> Compute:
    """Results computed side by side fall away one by one; those of a reduction or a scan hang together."""
    if c.reduction or c.scan or c.scatter or c.ordered or c.sort:
        return c
    kept = [(r, v) for r, v in zip(c.results, c.values, strict=True) if r.name in live]
    return replace(c, results=tuple(r for r, _ in kept), values=tuple(v for _, v in kept))


@dataclass(frozen=True)
class EliminateDead(Pass):
    """The pass ``eliminate-dead``; see :func:`eliminate_dead`."""

    name: ClassVar[str] = "eliminate-dead"

    def run(self, subject: Function) -> Function:
        return eliminate_dead(subject)
