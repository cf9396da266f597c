"""Derivatives of scalar expressions, in reverse.

Cotangents of a storage type (f16, bf16) are kept in its compute type. Ties of ``min`` and ``max`` split
in half; at 0 the derivative of ``abs`` is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tilewright.errors import UnsupportedError
from tilewright.ir import index as ix
from tilewright.ir import scalar
from tilewright.ir.index import Index
from tilewright.ir.scalar import Apply, Expr, IndexValue, Read, apply, convert, literal
from tilewright.ir.tensor import Tensor
from tilewright.ir.types import BOOL, I64
from tilewright.passes.tensor import functions
from tilewright.passes.tensor.cotangents import Pullback, half, linear, masked, negated, quotient, scaled, zero


def _extremum(wins: str) -> Pullback:
    """Pullback of the extremum whose left operand wins where ``left wins right``."""

    def pullback(args: tuple[Expr, ...], _: Expr, g: Expr) -> tuple[Expr, ...]:
        a, b = args
        tied = masked(apply("eq", a, b), half(g))
        return apply("where", apply(wins, a, b), g, tied), apply("where", apply(wins, b, a), g, tied)

    return pullback


def _abs(args: tuple[Expr, ...], _: Expr, g: Expr) -> tuple[Expr, ...]:
    nought = zero(g.dtype)
    falling = masked(apply("lt", args[0], nought), negated(g))
    return (apply("where", apply("gt", args[0], nought), g, falling),)


def _div(args: tuple[Expr, ...], y: Expr, g: Expr) -> tuple[Expr, ...]:
    share = quotient(g, args[1])
    return share, negated(scaled(share, y))


def _where(args: tuple[Expr, ...], _: Expr, g: Expr) -> tuple[Expr | None, ...]:
    return None, masked(args[0], g), apply("where", args[0], zero(g.dtype), g)


PULLBACKS: Mapping[str, Pullback] = {
    "add": lambda x, y, g: (g, g),
    "sub": lambda x, y, g: (g, negated(g)),
    "mul": lambda x, y, g: (scaled(g, x[1]), scaled(g, x[0])),
    "div": _div,
    "neg": lambda x, y, g: (negated(g),),
    "abs": _abs,
    "fma": lambda x, y, g: (scaled(g, x[1]), scaled(g, x[0]), g),
    "min": _extremum("lt"),
    "max": _extremum("gt"),
    "where": _where,
    "cast": lambda x, y, g: (linear(g, lambda v: convert("cast", v, x[0].dtype.compute)),),
    **functions.PULLBACKS,
}
"""Per operation: (arguments, result, cotangent of the result) -> cotangents of the arguments."""


def inside(read: Read, tensor: Tensor) -> Expr:
    """Whether ``read`` of ``tensor`` is in bounds, as a bool expression."""
    held: Expr = literal(True, BOOL)
    for index, extent in zip(read.indices, tensor.shape, strict=True):
        held = conjunction(held, _within(index, extent))
    return held


def _within(index: Index | Expr, extent: Index) -> Expr:
    value = IndexValue(index) if isinstance(index, Index) else convert("cast", index, I64)
    return apply("and", apply("ge", value, zero(I64)), apply("lt", value, IndexValue(extent)))


def conjunction(a: Expr, b: Expr) -> Expr:
    """``a and b``; the literal true falls away."""
    true = literal(True, BOOL)
    return b if a is true else a if b is true else apply("and", a, b)


def condition(c: ix.Condition) -> Expr:
    """``c`` as a bool expression."""
    return apply(c.kind, IndexValue(c.index), zero(I64))


Leaf = Callable[[Expr], bool]


def pull_back(
    root: Expr, seed: Expr, active: Leaf, tensors: Mapping[str, Tensor], known: Mapping[Expr, Expr] | None = None
) -> dict[Expr, Expr]:
    """The cotangents of the leaves of ``root`` for which ``active`` holds, when the root's is ``seed``.

    ``known`` says where the value of a node can be had without computing it again. Raises UnsupportedError for an
    operation without a derivative.
    """
    nodes = list(scalar.walk(root))
    moving = _dependents(nodes, active)
    cotangents: dict[Expr, Expr] = {root: seed} if root in moving else {}
    for node in reversed(nodes):
        if node in cotangents:
            value = (known or {}).get(node, node)
            for child, g in _children(node, value, cotangents[node], tensors):
                if child in moving and g is not None:
                    cotangents[child] = apply("add", cotangents[child], g) if child in cotangents else g
    return {node: g for node, g in cotangents.items() if active(node)}


def _dependents(nodes: list[Expr], active: Leaf) -> set[Expr]:
    """The float-valued nodes that an active leaf moves."""
    found: set[Expr] = set()
    for node in nodes:
        if active(node) or (node.dtype.is_float and any(c in found for c in scalar.operands(node))):
            found.add(node)
    return found


def _children(node: Expr, value: Expr, g: Expr, tensors: Mapping[str, Tensor]) -> list[tuple[Expr, Expr | None]]:
    if isinstance(node, Apply):
        if node.op not in PULLBACKS:
            raise UnsupportedError(f"the operation {node.op!r} has no derivative")
        return list(zip(node.args, PULLBACKS[node.op](node.args, value, g), strict=True))
    if isinstance(node, Read) and node.otherwise is not None:
        outside = apply("where", inside(node, tensors[node.tensor]), zero(g.dtype), g)
        return [(node.otherwise, outside)]
    return []
