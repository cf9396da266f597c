"""Plans of one pointwise block, and operands that are edge cases: what the tests of passes and targets share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from itertools import product
from random import Random
from typing import Any

import numpy as np

from tilewright.ir.index import const, symbol
from tilewright.ir.interpret import TYPED
from tilewright.ir.interpret.arrays import encode, storage
from tilewright.ir.interpret.exact import NEG_INF, POISON, P, Q, cell
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Write, row_major
from tilewright.ir.plan import Phase, Plan, dim, stride
from tilewright.ir.scalar import OPS, Expr, Read
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.types import BOOL, F32, I64, U64, DType

N, HERE = symbol("N"), symbol("i")
"""The number of points; the index of the one that is computed."""


def pointwise(
    operands: Sequence[DType],
    make: Callable[..., Expr | Sequence[Expr]],
    scalars: Sequence[ScalarInput] = (),
    names: str | Sequence[str] = "abcdefg",
) -> Plan:
    """``y[i] = make(a[i], b[i], ...)`` on vectors of N elements and any strides; each ``i`` is a task.

    Of several values the results are y0, y1, ...; ``names`` are the operands'.
    """
    inputs = tuple(Tensor(name, t, (N,)) for name, t in zip(names, operands, strict=False))
    made = make(*(Read(t.name, (HERE,), t.dtype) for t in inputs))
    values = tuple(made) if isinstance(made, Sequence) else (made,)
    results = tuple(Tensor(f"y{n}" if isinstance(made, Sequence) else "y", v.dtype, (N,)) for n, v in enumerate(values))
    writes = tuple(Write(t.name, (HERE,)) for t in results)
    block = Block("map", (Iter("i", "parallel", N),), (symbol("t"),), (), writes, values)
    buffers = (
        *(Buffer(t.name, t.dtype, t.shape, (stride(t.name, 0),)) for t in inputs),
        *(Buffer(t.name, t.dtype, t.shape, row_major(t.shape, t.dtype)) for t in results),
    )
    kernel = Kernel("map", buffers, tuple(scalars), (Loop("t", N, "parallel", (block,)),))
    sizes = (("N", dim(inputs[0].name, 0)),)
    steps = (Phase("map", N, const(64)),)
    return Plan("map", inputs, results, tuple(scalars), sizes, (), (), (kernel,), steps)


def operand_dtypes(op: str, dtype: DType) -> tuple[DType, ...]:
    """The operands of ``op`` when the first one is of ``dtype``."""
    if op == "bits":
        return (dtype, U64, I64)
    return (BOOL, F32, F32) if OPS[op].operands == "select" else (dtype,) * OPS[op].arity


_FLOATS = [
    0.0, 1.0, 0.5, 1.5, 2.5, 3.0, 1e-40, 1e-45, 5e-324, 1e30, 3.4e38, 1e300, 127.6, 128.7, 255.5, 65504.0, 65520.0,
    6e-8, 2.0**31, 2.0**32 - 0.5, 2.0**63, 2.0**64, math.inf, math.nan,
]  # fmt: skip


@cache
def edge_cases(dtype: DType) -> list[Any]:
    """Values of a dtype that are likely to go wrong, and some others."""
    random = Random(dtype.name)
    if dtype.kind == "bool":
        return [False, True]
    if dtype.kind == "field":
        residues = [(0, 0), (1, 1), (0, 7), (5, 0), (P - 1, Q - 1), (P // 2, 3), (P // 2 + 1, 3), (9, None), (0, None)]
        residues += [(random.randrange(P), random.randrange(Q)) for _ in range(9)]
        return [NEG_INF, POISON, *(cell(p, q) for p, q in residues)]
    if dtype.kind == "float":
        values = [*_FLOATS, *(random.gauss(0, 100) for _ in range(9))]
        return [TYPED.constant(sign * v, dtype) for v in values for sign in (1, -1)]
    bits = dtype.bits
    low, high = (-(1 << bits - 1), (1 << bits - 1) - 1) if dtype.kind == "int" else (0, (1 << bits) - 1)
    values = {low, low + 1, high, high - 1, 0, 1, 2, 3, 7, bits - 1, bits, high // 2, high // 3}
    values |= {-1, -2, -7} if dtype.kind == "int" else set()
    return sorted(values | {random.randint(low, high) for _ in range(9)})


def combinations(dtypes: Sequence[DType], limit: int) -> dict[str, np.ndarray[Any, Any]]:
    """Arrays that together run through all combinations of edge cases, or a sample of them."""
    cases = list(product(*map(edge_cases, dtypes)))
    if len(cases) > limit:
        cases = Random(1).sample(cases, limit)
    columns = zip("abcdefg", zip(*cases, strict=True), dtypes, strict=False)
    return {name: encode(column, (len(cases),), dtype, TYPED) for name, column, dtype in columns}


def filled(dtype: DType, values: Any) -> np.ndarray[Any, Any]:
    """An array that holds ``dtype``."""
    return np.asarray(values).astype(storage(dtype, TYPED))
