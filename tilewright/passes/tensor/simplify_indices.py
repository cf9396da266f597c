"""Indices without the divisions and remainders that the extents of axes decide."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import ClassVar

from tilewright.ir import scalar, statements
from tilewright.ir.facts import Facts, of_sizes
from tilewright.ir.index import Index, const
from tilewright.ir.scalar import Expr, IndexValue, Read
from tilewright.ir.tensor import Compute, Function
from tilewright.passes.pipeline import Pass
from tilewright.records import dataclass


def simplify_indices(f: Function) -> Function:
    """``f`` with each index as simple as the extents of the axes make it: ``x[(i*N + j) // N]`` is ``x[i]``."""
    known = of_sizes(statements.dims(f)).extended({}, f.preconditions)
    return replace(f, body=statements.map_computes(f.body, partial(_simplified, known=known)))


def _simplified(c: Compute, known: Facts) -> Compute:
    inside = known.extended({a.name: (const(0), a.extent) for a in statements.all_axes(c)})
    return statements.map_expressions(c, lambda e: scalar.rewrite(e, _rule(inside)))


def _rule(inside: Facts) -> Callable[[Expr], Expr]:
    def rule(e: Expr) -> Expr:
        if isinstance(e, IndexValue):
            return IndexValue(inside.simplify(e.index))
        if isinstance(e, Read):
            places = tuple(inside.simplify(i) if isinstance(i, Index) else i for i in e.indices)
            return Read(e.tensor, places, e.dtype, e.guard, e.otherwise)
        return e

    return rule


@dataclass(frozen=True)
class SimplifyIndices(Pass):
    """The pass ``simplify-indices``; see :func:`simplify_indices`."""

    name: ClassVar[str] = "simplify-indices"

    def run(self, subject: Function) -> Function:
        return simplify_indices(subject)
