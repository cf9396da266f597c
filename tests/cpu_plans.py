"""Plans of one block in lanes or one by one, compiled for the cpu target and compared with the interpreter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from abi import run
from one_block import edge_cases

from tilewright.errors import UserError
from tilewright.ir import index as ix
from tilewright.ir.index import Index, const, symbol
from tilewright.ir.interpret import TYPED, IndexFault, run_plan
from tilewright.ir.interpret.arrays import encode
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Stmt, Write, row_major
from tilewright.ir.plan import Phase, Plan, dim, stride
from tilewright.ir.scalar import Expr
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.types import DType
from tilewright.targets.target import Loaded, Target, get_target
from tilewright.testing.compare import assert_same_bits

LEVELS = ("native", "x86-64-v3", "x86-64")
N = symbol("N")
i, j = symbol("i"), symbol("j")


@cache
def target(level: str) -> Target:
    try:
        return get_target("cpu", level)
    except UserError as e:
        pytest.skip(e.message)


def load(plan: Plan, level: str = "native") -> Loaded:
    return target(level).load(target(level).emit(plan), plan)


def check(
    plan: Plan, inputs: Mapping[str, Any], scalars: Mapping[str, Any] | None = None, level: str = "native", **how: Any
) -> None:
    """The kernels do what the interpreter says."""
    expected = run_plan(plan, inputs, scalars or {}, TYPED)
    actual, status = run(plan, load(plan, level), inputs, scalars, **how)
    assert status.code == 0
    for t in plan.outputs:
        assert_same_bits(actual[t.name], expected[t.name], t.dtype)


def fault(plan: Plan, inputs: Mapping[str, Any], **how: Any) -> tuple[int, int, int]:
    """The failed index that both the interpreter and the kernels report."""
    with pytest.raises(IndexFault) as caught:
        run_plan(plan, inputs, {}, TYPED)
    _, status = run(plan, load(plan), inputs, **how)
    assert status.code == 1
    noted = status.operand, status.position, status.value
    assert noted == (caught.value.operand, caught.value.position, caught.value.value)
    return noted


# --- plans of one block -----------------------------------------------------------------------


def nest(extent: Index, lanes: int, block: Block) -> tuple[Stmt, ...]:
    """``t`` over tiles in parallel, ``l`` in lanes (or one by one for 0 lanes) inside."""
    if not lanes:
        return (Loop("t", extent, "parallel", (block,)),)
    return (Loop("t", ix.ceildiv(extent, lanes), "parallel", (Loop("l", const(lanes), "vectorized", (block,)),)),)


def pointwise(
    inputs: Sequence[Tensor],
    values: Sequence[tuple[Expr, DType]],
    extent: Index,
    lanes: int = 0,
    scalars: Sequence[ScalarInput] = (),
    dims: Sequence[tuple[str, Index]] = (("N", dim("x", 0)),),
    at: Index = i,
) -> Plan:
    """``y0[at] = value 0``, ``y1[at] = value 1``, ... for i below ``extent``."""
    outputs = [Tensor(f"y{n}", d, (extent,)) for n, (_, d) in enumerate(values)]
    place = symbol("t") * lanes + symbol("l") if lanes else symbol("t")
    predicate = (ix.lt(place, extent),) if lanes else ()
    block = Block(
        "map",
        (Iter("i", "parallel", extent),),
        (place,),
        predicate,
        tuple(Write(t.name, (at,)) for t in outputs),
        tuple(v for v, _ in values),
    )
    buffers = [Buffer(t.name, t.dtype, t.shape, tuple(stride(t.name, a) for a in range(len(t.shape)))) for t in inputs]
    buffers += [Buffer(t.name, t.dtype, t.shape, row_major(t.shape, t.dtype)) for t in outputs]
    body = nest(extent, lanes, block)
    kernel = Kernel("map", tuple(buffers), tuple(scalars), body)
    return Plan(
        "map",
        tuple(inputs),
        tuple(outputs),
        tuple(scalars),
        tuple(dims),
        (),
        (),
        (kernel,),
        (Phase("map", kernel.tasks, const(1)),),
    )


def contiguous_input(plan: Plan, name: str) -> Plan:
    """``plan`` with the stride of a rank-1 input fixed to the element size."""
    (kernel,) = plan.kernels
    buffers = tuple(
        Buffer(b.name, b.dtype, b.shape, (const(b.dtype.bytes),)) if b.name == name else b for b in kernel.buffers
    )
    fixed = Kernel(kernel.name, buffers, kernel.scalars, kernel.body)
    return Plan(
        plan.name,
        plan.inputs,
        plan.outputs,
        plan.scalars,
        plan.symbols,
        plan.checks,
        plan.scratch,
        (fixed,),
        plan.steps,
    )


def edges(dtype: DType) -> np.ndarray[Any, Any]:
    """The edge cases of a dtype as an array."""
    values = edge_cases(dtype)
    return encode(values, (len(values),), dtype, TYPED)
