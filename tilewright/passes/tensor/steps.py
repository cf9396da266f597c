"""Statements as others that mean the same, for derivatives: scans as steps, and what is said only inside of steps."""

from __future__ import annotations

from collections.abc import Mapping

from tilewright.errors import UnsupportedError
from tilewright.ir import index as ix
from tilewright.ir import scalar, statements
from tilewright.ir.facts import Facts
from tilewright.ir.index import Index
from tilewright.ir.scalar import Expr, Read, apply, convert
from tilewright.ir.steps import Pending
from tilewright.ir.tensor import Compute, Scan, Steps
from tilewright.passes.tensor.derivatives import condition


def stepwise(c: Compute, scan: Scan) -> Steps:
    """The scan ``c`` element by element, each accumulator going on from the result before."""
    along = next(a for a in c.axes if a.name == scan.axis)
    before = tuple(ix.symbol(a.name) - (a is along) for a in c.axes)
    held: dict[Expr, Expr] = {}
    for r, acc, init in zip(c.results, scan.accs, scan.init, strict=True):
        held[acc] = convert("cast", Read(r.name, before, r.dtype, (), convert("cast", init, r.dtype)), acc.dtype)
    values = [
        convert("cast", scalar.substitute(v, {}, held), r.dtype) for v, r in zip(c.values, c.results, strict=True)
    ]
    body = tuple(Compute((r,), c.axes, (v,), span=c.span) for r, v in zip(c.results, values, strict=True))
    return Steps((along,), body, span=c.span)


def explicit(c: Compute, seen: Mapping[str, Pending], facts: Facts) -> Compute:
    """``c``, a compute in steps that sees their tensors so, with a condition where an element may not be there."""
    facts = facts.extended({a.name: (ix.const(0), a.extent) for a in statements.all_axes(c)})

    def rule(e: Expr) -> Expr:
        if isinstance(e, Read) and e.otherwise is not None and e.tensor in seen:
            return _chosen(e, e.otherwise, seen[e.tensor], facts)
        return e

    return statements.map_expressions(c, lambda e: scalar.rewrite(e, rule))


def _chosen(read: Read, otherwise: Expr, seen: Pending, facts: Facts) -> Expr:
    clocks = [(clock, read.indices[clock.at]) for clock in seen.clocks]
    plain = [(i, clock.axis.extent) for clock, i in clocks if isinstance(i, Index)]
    known = facts.extended({}, [c for i, extent in plain for c in (ix.ge(i, 0), ix.lt(i, extent))])
    if seen.known(read.indices, known):
        return read
    if len(plain) < len(clocks):
        raise UnsupportedError(f"data say which step of {read.tensor!r} it reads")
    places = [ix.symbol(clock.axis.name) for clock, _ in clocks]
    there = condition(ix.ge(seen.lead(places, [i for i, _ in plain]), 0))
    sides = (convert("cast", side, read.dtype.compute) for side in (read, otherwise))
    return convert("cast", apply("where", there, *sides), read.dtype)
