"""Which axes of an op's packs a call may merge, and which it may reorder as well."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypeAlias

from tilewright.dsl import syntax as ast
from tilewright.dsl.signature import Signature

Pattern: TypeAlias = tuple[str | None, ...]
"""Per dim the name of the axis pack that it is, None for a plain dim."""

Axes: TypeAlias = tuple[tuple[Pattern, ...], tuple[Pattern, ...], tuple[str, ...], bool, tuple[bool, ...]]
"""The patterns of operands and of results; the packs whose axes may be reordered; whether axes may be merged at all; of
each operand, whether the result may be written over it."""

_COMMUTATIVE = ("sum", "prod", "max", "min", "any", "all")


def axes(op: ast.Op, sig: Signature) -> Axes:
    """The axes of ``op``.

    Neighbouring axes of a pack may be merged, as an op sees a pack as a whole only: not where another op is called,
    which may see single ones. They may be reordered unless the place of an element along them counts.
    """
    operands = tuple(o.packs for o in sig.operands)
    results = tuple(_pattern(r.dims) for r in op.results)
    if not _mergeable(op, sig):
        return operands, results, (), False, (False,) * len(operands)
    known = _dims_of_indices(op, {o.name: o.packs for o in sig.operands})
    pinned = _pinned_indices(op)
    packs = dict.fromkeys(p for o in sig.operands for p in o.pack_names)
    held = {*packs} if pinned - known.keys() else {p for index in pinned for p in known[index]}
    return operands, results, tuple(p for p in packs if p not in held), True, tuple(_overwritable(op))


def _mergeable(op: ast.Op, sig: Signature) -> bool:
    """Each pack stands once in an operand, and what a result is otherwise is a scalar: that is told by its rank."""
    calls = any(isinstance(node, ast.Invoke) for node, _ in ast.walk(*op.body))
    once = all(len({*o.pack_names}) == len(o.pack_names) for o in sig.operands)
    others = [n for r in op.results if r.otherwise for n, _ in ast.walk(r.otherwise) if isinstance(n, ast.Result)]
    return not calls and once and any(o.pack_names for o in sig.operands) and not any(n.dims for n in others)


def _overwritable(op: ast.Op) -> Iterator[bool]:
    """An operand may be overwritten by the one result that is assigned last, if all is read where it is written."""
    last = op.body[-1]
    kinds = (ast.Reduce, ast.Fold, ast.Scatter, ast.Steps, ast.If, ast.Invoke)
    plain = not any(isinstance(n, kinds) for n, _ in ast.walk(*op.body)) and len(op.results) == 1
    for operand in op.operands:
        reads = [n for n, _ in ast.walk(*op.body) if isinstance(n, ast.Element) and n.tensor.text == operand.name]
        same = isinstance(last, ast.Assign) and all(n.indices == last.axes for n in reads)
        yield plain and same and operand.dims == op.results[0].dims


def _pattern(dims: Sequence[ast.Node]) -> Pattern:
    return tuple(d.name if isinstance(d, ast.Pack) else None for d in dims)


def _pinned_indices(op: ast.Op) -> set[str]:
    """The packs of indices whose values, or whose order, count."""
    return {p.name for root in _ordered(op) for p in _packs(root)}


def _ordered(op: ast.Op) -> Iterator[ast.Node]:
    for node, _ in ast.walk(*op.body):
        if isinstance(node, ast.Call) and node.function.text != "size":
            yield from (a for a in node.args if isinstance(a, ast.Pack))
        elif isinstance(node, ast.Fold) or (isinstance(node, ast.Reduce) and node.kind.text not in _COMMUTATIVE):
            yield from node.axes
        elif isinstance(node, (ast.Scatter, ast.Steps)):
            yield node


def _packs(root: ast.Node) -> Iterator[ast.Pack]:
    return (node for node, _ in ast.walk(root) if isinstance(node, ast.Pack))


def _dims_of_indices(op: ast.Op, operands: dict[str, Pattern]) -> dict[str, set[str]]:
    """Per pack of indices the packs of dims that it goes through, as far as reads of operands and results tell."""
    declared = {**operands, **{r.name: _pattern(r.dims) for r in op.results}}
    found: dict[str, set[str]] = {}
    for tensor, indices in _elements(op):
        pattern = declared.get(tensor, ())
        if len(pattern) != len(indices):
            continue
        for dim, index in zip(pattern, indices, strict=True):
            if isinstance(index.value, ast.Pack) and dim is not None:
                found.setdefault(index.value.name, set()).add(dim)
    return found


def _elements(op: ast.Op) -> Iterator[tuple[str, tuple[ast.Axis, ...]]]:
    for node, _ in ast.walk(*op.body):
        if isinstance(node, ast.Element):
            yield node.tensor.text, node.indices
        elif isinstance(node, ast.Assign):
            yield from ((t.text, node.axes) for t in node.targets)
        elif isinstance(node, ast.Scatter):
            yield node.target.text, node.indices
