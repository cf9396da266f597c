"""Dead code: statements that no output depends on."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tilewright.ir import statements
from tilewright.ir.tensor import Compute, Function, Statement, Steps
from tilewright.passes.pipeline import Pass
from tilewright.records import dataclass


def eliminate_dead(f: Function) -> Function:
    """``f`` without the statements and the free-standing results that no output needs; its inputs stay."""
    return replace(f, body=_needed(f.body, statements.live(f)))


def _needed(body: tuple[Statement, ...], live: frozenset[str]) -> tuple[Statement, ...]:
    found: list[Statement] = []
    for s in body:
        if isinstance(s, Steps):
            inside = _needed(s.body, live)
            found += [replace(s, body=inside)] if inside else []
        elif any(r.name in live for r in s.results):
            found.append(_live_part(s, live))
    return tuple(found)


def _live_part(c: Compute, live: frozenset[str]) -> Compute:
    """Results computed side by side fall away one by one; those of a reduction or a scan hang together."""
    if not statements.is_pointwise(c):
        return c
    kept = [(r, v) for r, v in zip(c.results, c.values, strict=True) if r.name in live]
    return replace(c, results=tuple(r for r, _ in kept), values=tuple(v for _, v in kept))


@dataclass(frozen=True)
class EliminateDead(Pass):
    """The pass ``eliminate-dead``; see :func:`eliminate_dead`."""

    name: ClassVar[str] = "eliminate-dead"

    def run(self, subject: Function) -> Function:
        return eliminate_dead(subject)
