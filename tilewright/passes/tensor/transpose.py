"""The transpose of a read: what reading ``x[map(axes)]`` sends back to ``x``.

A :class:`Flow` says that the value at each point of ``axes`` is to be added at the position that was read there.
Where the index map can be solved for as many axes as ``x`` has, that is a sum over the other axes at each position
of ``x`` (:func:`gather`). Everything else is a scatter-add, in the order of the axes (:func:`scatter`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tilewright.ir import index as ix
from tilewright.ir import scalar
from tilewright.ir.index import Condition, Index
from tilewright.ir.scalar import Apply, Const, Expr, IndexValue, Param, Read, Var, apply, convert, literal
from tilewright.ir.statements import Names
from tilewright.ir.tensor import CHAIN, Axis, Compute, Reduction, Scatter, Tensor
from tilewright.ir.types import BOOL, I64
from tilewright.passes.tensor.cotangents import zero
from tilewright.passes.tensor.derivatives import condition, conjunction
from tilewright.records import dataclass
from tilewright.source import Span


@dataclass(frozen=True)
class Flow:
    """``value`` flows to where ``read`` points, from every point of ``axes``.

    ``value`` is linear in the read of a cotangent; ``own`` are those of the axes that the cotangent's tensor has, so
    that it is out of bounds where they are out of range. The last ``reduced`` axes are those of a reduction.
    """

    read: Read
    value: Expr
    axes: tuple[Axis, ...]
    own: frozenset[str]
    reduced: int = 0
    span: Span | None = None


@dataclass(frozen=True)
class Gathered:
    """The sum of ``value`` over ``axes``, at a position of the target."""

    value: Expr
    axes: tuple[Axis, ...]
    span: Span | None = None


@dataclass(frozen=True)
class _Solved:
    """``axis`` is ``(position - rest) // stride`` where that divides and lies in the axis' range."""

    axis: Axis
    stride: int
    rest: Index

    @property
    def is_plain(self) -> bool:
        """Whether the axis is the position itself."""
        return self.stride == 1 and self.rest.constant == 0

    def at(self, position: str) -> Index:
        return ix.floordiv(ix.symbol(position) - self.rest, ix.const(self.stride))

    def conditions(self, position: str, in_range: bool) -> list[Condition]:
        """What must hold at a position for it to have been read; ``in_range``: the range is known to hold."""
        value = self.at(position)
        found = [] if in_range else [ix.ge(value, 0), ix.lt(value, self.axis.extent)]
        if abs(self.stride) > 1:
            found.append(ix.eq(ix.mod(ix.symbol(position) - self.rest, ix.const(abs(self.stride))), 0))
        return found

    def covers(self, extent: Index) -> bool:
        """Whether every position below ``extent`` is read, each as the axis' own value."""
        return self.is_plain and self.axis.extent is extent


def gather(flow: Flow, over: tuple[Axis, ...], names: Names, search: bool = False) -> Gathered | None:
    """What arrives at each point of ``over``, the axes of the whole target; None if the index map cannot be solved.

    With ``search`` it need not be: all points are looked at that may have read there.
    """
    solved = _solve_some(flow) if search else _solve(flow)
    if solved is None:
        return None
    free = [a for a in flow.axes if not any(s and a is s.axis for s in solved)]
    renamed = {a.name: names.fresh(a.name) for a in free if any(a.name == o.name for o in over)}
    fresh = {old: ix.symbol(new) for old, new in renamed.items()}
    plain = {s.axis.name: ix.symbol(o.name) for s, o in zip(solved, over, strict=True) if s and s.is_plain}
    moved = {**fresh, **plain}
    pairs = [(replace(s, rest=ix.substitute(s.rest, moved)), o) for s, o in zip(solved, over, strict=True) if s]
    partial = [(s, o.name) for s, o in pairs if not s.covers(o.extent)]
    value = _guard_reads(flow.value, frozenset(s.axis.name for s, _ in partial))
    places = {**fresh, **{s.axis.name: s.at(o.name) for s, o in pairs}}
    value = scalar.substitute(value, places)
    held: Expr = literal(True, BOOL)
    for s, position in partial:
        for c in s.conditions(position, _vanishes_outside(flow, s.axis)):
            held = conjunction(held, condition(c))
    for index, o in (pair for pair, s in zip(zip(flow.read.indices, over, strict=True), solved, strict=True) if not s):
        held = conjunction(held, _read_there(index, places, o.name))
    if not isinstance(held, Const):
        value = apply("where", held, value, zero(value.dtype))
    return Gathered(value, tuple(Axis(renamed.get(a.name, a.name), a.extent) for a in free), flow.span)


def _solve(flow: Flow) -> list[_Solved] | None:
    solved = []
    for position in range(len(flow.read.indices)):
        one = _solve_one(flow, position)
        if one is None:
            return None
        solved.append(one)
    return solved


def _solve_some(flow: Flow) -> list[_Solved | None]:
    """The solutions there are; an axis that stands in several indices is solved for where it stands alone."""
    solved = [_solve_one(flow, position) for position in range(len(flow.read.indices))]
    taken = {s.axis.name for s in solved if s}
    axes = {a.name: a for a in flow.axes}
    for n, (index, found) in enumerate(zip(flow.read.indices, solved, strict=True)):
        name = index.symbol if isinstance(index, Index) else None
        if found is None and name in axes and name not in taken:
            solved[n] = _Solved(axes[name], 1, ix.const(0))
            taken.add(name)
    return solved


def _read_there(index: Index | Expr, places: Mapping[str, Index], position: str) -> Expr:
    """Whether ``index`` is ``position``."""
    if isinstance(index, Index):
        return condition(ix.eq(ix.substitute(index, places), ix.symbol(position)))
    value = convert("cast", scalar.substitute(index, places), I64)
    return apply("eq", value, IndexValue(ix.symbol(position)))


def _solve_one(flow: Flow, position: int) -> _Solved | None:
    """The axis to solve index ``position`` for. All axes in it must have constant coefficients: then the positions
    are at most a constant factor more than the values of the axis."""
    index = flow.read.indices[position]
    if not isinstance(index, Index):
        return None
    others = [
        scalar.index_symbols(i) if not isinstance(i, Index) else ix.symbols(i)
        for k, i in enumerate(flow.read.indices)
        if k != position
    ]
    found: list[tuple[tuple[bool, bool, int], _Solved]] = []
    for number, axis in enumerate(flow.axes):
        if axis.name not in ix.symbols(index):
            continue
        factor = ix.coefficient(index, axis.name)
        if factor is None or factor.constant is None:
            return None
        stride = factor.constant
        if stride and not any(axis.name in o for o in others):
            small = axis.extent.constant is not None
            reduced = number >= len(flow.axes) - flow.reduced
            solution = _Solved(axis, stride, index - ix.symbol(axis.name) * stride)
            found.append(((small, reduced, -abs(stride)), solution))
    return min(found, key=lambda pair: pair[0])[1] if found else None


def _guard_reads(e: Expr, axes: frozenset[str]) -> Expr:
    """``e`` with every read that moves along one of ``axes`` guarded, 0 outside."""

    def rule(node: Expr) -> Expr:
        if isinstance(node, Read) and node.otherwise is None and scalar.index_symbols(node) & axes:
            return Read(node.tensor, node.indices, node.dtype, node.guard, zero(node.dtype))
        return node

    return scalar.rewrite(e, rule) if axes else e


def _vanishes_outside(flow: Flow, axis: Axis) -> bool:
    """Whether guarded reads make the value 0 outside of the range of ``axis``: the cotangent's read does so
    unless something else in the value can be infinite at finite operands."""
    return axis.name in flow.own and all(_is_polynomial(n) for n in scalar.walk(flow.value))


def _is_polynomial(e: Expr) -> bool:
    if isinstance(e, Apply):
        return e.op in ("add", "sub", "mul", "neg", "fma", "cast")
    return isinstance(e, (Const, IndexValue, Param, Read))


def scatter(flow: Flow, result: Tensor, over: tuple[Axis, ...], names: Names) -> list[Compute]:
    """Statements that end by defining ``result``, over the axes ``over``, as the scatter-add of ``flow``.

    The dtype of ``result`` is the value's.

    A read with a guard is added up in a tensor with a border that takes what was outside, and which is then cut off.
    """
    if flow.read.otherwise is None:
        return [_scatter(flow, result, flow.read.indices)]
    shape = tuple(extent + 2 for extent in result.shape)
    bordered = Tensor(names.fresh(f"{result.name}_bordered"), result.dtype, shape)
    indices = tuple(_into_border(i, d) for i, d in zip(flow.read.indices, result.shape, strict=True))
    inner = Read(bordered.name, tuple(ix.symbol(a.name) + 1 for a in over), result.dtype)
    return [_scatter(flow, bordered, indices), Compute((result,), over, (inner,), span=flow.span)]


def _scatter(flow: Flow, result: Tensor, indices: tuple[Index | Expr, ...]) -> Compute:
    return Compute(
        (result,), flow.axes, (flow.value,), scatter=Scatter(indices, "add", zero(result.dtype)), span=flow.span
    )


def _into_border(index: Index | Expr, extent: Index) -> Index | Expr:
    """Where ``index`` goes in a tensor with one more place on both sides."""
    if isinstance(index, Index):
        return ix.minimum(ix.maximum(index + 1, 0), extent + 1)
    moved = apply("add", convert("cast", index, I64), literal(1, I64))
    return apply("min", apply("max", moved, literal(0, I64)), IndexValue(extent + 1))


def total(result: Tensor, axes: tuple[Axis, ...], sum_of: Gathered, accumulators: tuple[str, str]) -> Compute:
    """The statement that defines ``result`` over ``axes`` as a gathered sum (rounded once), a chain."""
    dtype = sum_of.value.dtype
    acc, other = (Var(name, dtype) for name in accumulators)
    reduction = Reduction(
        sum_of.axes, (CHAIN,) * len(sum_of.axes), (acc,), (zero(dtype),), (other,), (apply("add", acc, other),)
    )
    return Compute((result,), axes, (apply("add", acc, sum_of.value),), reduction, span=sum_of.span)
