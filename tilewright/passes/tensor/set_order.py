"""The pass ``set-order``: in which order each reduction is summed up, from the layout class alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import ClassVar

from tilewright.ir import index as ix
from tilewright.ir.index import Index
from tilewright.ir.scalar import Apply, Expr, Read, index_symbols, reads
from tilewright.ir.tensor import CHAIN, TREE_STRIDED, TREE_UNIT, Compute, Function, Order, Reduction, Statement, Steps
from tilewright.passes.pipeline import Pass
from tilewright.records import dataclass


@dataclass(frozen=True)
class SetOrder(Pass):
    """Sets the orders of all reductions that have a merge; the others stay chains.

    ``unit_axes``: per input its unit axis (-1: none). Results are contiguous: their last axis is unit.
    """

    unit_axes: tuple[tuple[str, int], ...]
    name: ClassVar[str] = "set-order"

    def run(self, function: Function) -> Function:
        """``function`` with the orders that the documented rule gives."""
        units = {r.name: len(r.shape) - 1 for c in function.computes for r in c.results} | dict(self.unit_axes)
        return replace(function, body=_all_ordered(function.body, units, frozenset()))


def _all_ordered(
    body: tuple[Statement, ...], units: Mapping[str, int], stepped: frozenset[str]
) -> tuple[Statement, ...]:
    """Inside of steps, what is done at one of them: axes ``stepped`` along do not count."""
    return tuple(
        replace(s, body=_all_ordered(s.body, units, stepped.union(a.name for a in s.axes)))
        if isinstance(s, Steps)
        else _ordered(s, units, stepped)
        for s in body
    )


def _ordered(c: Compute, units: Mapping[str, int], stepped: frozenset[str]) -> Compute:
    if c.reduction is None or not c.reduction.merge:
        return c
    at_once = replace(c, axes=tuple(a for a in c.axes if a.name not in stepped))
    return replace(c, reduction=replace(c.reduction, orders=_orders(at_once, c.reduction, units)))


def _orders(c: Compute, r: Reduction, units: Mapping[str, int]) -> tuple[Order, ...]:
    """A tree per axis, in lanes only along a unit-stride last one; contractions are chains (but see ``_is_dot``)."""
    found = [read for v in c.values for read in reads(v)]
    last = r.axes[-1].name
    unit = all(_unit_stride(read, last, units) for read in found if last in index_symbols(read))
    if is_contraction(c, r) and not (unit and len(c.axes) <= 1 and all(last in index_symbols(x) for x in found)):
        return (CHAIN,) * len(r.axes)
    return (*(TREE_STRIDED for _ in r.axes[:-1]), TREE_UNIT if unit else TREE_STRIDED)


def _unit_stride(read: Read, axis: str, units: Mapping[str, int]) -> bool:
    """Whether a step along ``axis`` moves the read by one element."""
    unit = units[read.tensor]
    for n, i in enumerate(read.indices):
        used = ix.symbols(i) if isinstance(i, Index) else index_symbols(i)
        if axis not in used:
            continue
        if n != unit or not isinstance(i, Index) or ix.coefficient(i, axis) is not ix.const(1):
            return False
    return True


def is_contraction(c: Compute, r: Reduction) -> bool:
    """Whether ``c`` is a sum of products of two reads that do not move along the same axes, or of a dot product."""
    factors = _summed_product(c, r)
    if factors is None:
        return False
    axes = {a.name for a in (*c.axes, *r.axes)}
    left, right = (index_symbols(f) & axes for f in factors)
    return left != right or not c.axes


def _summed_product(c: Compute, r: Reduction) -> tuple[Read, Read] | None:
    """The two reads of ``acc + a*b``, fused or not."""
    if len(c.values) != 1 or not _is_sum(r.merge[0], r.accs[0], r.others[0]):
        return None
    product = _added(c.values[0], r.accs[0])
    if product is None:
        return None
    left, right = map(_as_read, product)
    return (left, right) if left and right else None


def _is_sum(e: Expr, a: Expr, b: Expr) -> bool:
    return isinstance(e, Apply) and e.op == "add" and e.args in ((a, b), (b, a))


def _added(step: Expr, acc: Expr) -> tuple[Expr, Expr] | None:
    """The factors of the product that ``step`` adds to ``acc``."""
    if not isinstance(step, Apply):
        return None
    if step.op == "fma" and step.args[2] is acc:
        return step.args[0], step.args[1]
    if step.op != "add" or acc not in step.args:
        return None
    term = step.args[step.args[0] is acc]
    return (term.args[0], term.args[1]) if isinstance(term, Apply) and term.op == "mul" else None


def _as_read(e: Expr) -> Read | None:
    """The read that ``e`` is, widened or not."""
    while isinstance(e, Apply) and e.op == "cast":
        e = e.args[0]
    return e if isinstance(e, Read) else None
