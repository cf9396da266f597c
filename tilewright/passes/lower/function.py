"""A whole function as a plan: buffers, size table, and the kernels of its statements in order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from tilewright.ir import statements
from tilewright.ir.index import Index, const, symbols
from tilewright.ir.loops import Buffer, row_major
from tilewright.ir.plan import Plan, stride
from tilewright.ir.scalar import index_symbols
from tilewright.ir.tensor import Compute, Function, Tensor
from tilewright.passes.loops.nest import fresh
from tilewright.passes.lower.kernel import World
from tilewright.passes.lower.reads import Shapes
from tilewright.passes.lower.rings import Rings, find_rings
from tilewright.passes.lower.sizes import checks, size_facts, size_symbols
from tilewright.passes.lower.sort import planes
from tilewright.passes.lower.steps import Phases
from tilewright.passes.tensor.eliminate_dead import eliminate_dead


def lower(function: Function, unit_axes: Mapping[str, int]) -> Plan:
    """The unscheduled plan of ``function``: per statement its kernels, each one task of serial loops.

    ``unit_axes`` gives the unit axis of each input, and of each output that may have any strides (-1: none): its stride
    is a constant. Statements and
    results that no output needs are left out. CheckError for a dim that no operand's shape gives.
    """
    conditions = checks(function)
    function = eliminate_dead(function)
    live = statements.live(function)
    taken = _names(function)
    extra = {c.results[0].name: _extra(c, taken) for c in function.computes}
    results = [r for c in function.computes for r in c.results if r.name in live]
    facts = size_facts(function)
    rings = find_rings(function, facts)
    kept = [_kept(r, rings) for r in results if r.name not in function.outputs]
    scratch = [*kept, *(t for more in extra.values() for t in more)]
    world = World(*_memory(function, unit_axes, results, scratch), function.scalars, facts, frozenset(taken), rings)
    made = Phases(function.name, live, extra, taken)
    steps = made.of(function.body, world, {})
    return Plan(
        function.name,
        function.inputs,
        tuple(function.tensor(name) for name in function.outputs),
        function.scalars,
        size_symbols(function),
        conditions,
        tuple(scratch),
        tuple(made.kernels),
        steps,
        tuple(name for name in function.outputs if name in unit_axes),
    )


def _extra(c: Compute, taken: set[str]) -> tuple[Tensor, ...]:
    """The memory that the kernels of ``c`` need besides its results."""
    if c.sort is not None:
        return planes(c, taken)
    return (_sums(c, taken),) if _needs_sums(c) else ()


def _needs_sums(c: Compute) -> bool:
    """Whether a scatter adds up in a wider type than its result's."""
    return c.scatter is not None and c.scatter.combine != "set" and c.values[0].dtype.compute is not c.results[0].dtype


def _sums(c: Compute, taken: set[str]) -> Tensor:
    """Where a scatter adds up before it is rounded."""
    return Tensor(fresh(f"{c.results[0].name}_sums", taken), c.values[0].dtype.compute, c.results[0].shape)


def _kept(r: Tensor, rings: Rings) -> Tensor:
    """The memory of a result."""
    return replace(r, shape=rings[r.name].shape(r.shape)) if r.name in rings else r


def _memory(
    f: Function, unit_axes: Mapping[str, int], results: list[Tensor], scratch: list[Tensor]
) -> tuple[dict[str, Buffer], Shapes]:
    buffers = {t.name: _operand(t, unit_axes[t.name]) for t in f.inputs}
    inside = {t.name: t for t in scratch}
    for name, t in ({r.name: r for r in results} | inside).items():
        scope = "scratch" if name in inside else "global"
        strides = _strides(t, unit_axes[name]) if name in unit_axes else row_major(t.shape, t.dtype)
        buffers[name] = Buffer(name, t.dtype, t.shape, strides, scope)
    extents = {name: b.shape for name, b in buffers.items()} | {r.name: r.shape for r in results}
    return buffers, Shapes(extents, frozenset(t.name for t in f.inputs), f.outputs[0])


def _operand(t: Tensor, unit_axis: int) -> Buffer:
    return Buffer(t.name, t.dtype, t.shape, _strides(t, unit_axis))


def _strides(t: Tensor, unit_axis: int) -> tuple[Index, ...]:
    """Slots of the size table, but for the unit axis."""
    strides = [stride(t.name, a) for a in range(len(t.shape))]
    if unit_axis >= 0:
        strides[unit_axis] = const(t.dtype.bytes)
    return tuple(strides)


def _names(function: Function) -> set[str]:
    """What loops, blocks and registers must not be called: tensors, scalars, size symbols and kernels."""
    found = {t.name for t in function.inputs} | {s.name for s in function.scalars} | {function.name}
    for t in function.inputs:
        found |= {s for extent in t.shape for s in symbols(extent)}
    for c in function.computes:
        bound = {a.name for a in (*c.axes, *(c.reduction.axes if c.reduction else ()))}
        found |= {r.name for r in c.results}
        found |= {s for e in statements.expressions(c) for s in index_symbols(e)} - bound
    return found
