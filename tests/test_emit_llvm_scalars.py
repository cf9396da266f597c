"""Scalar operations as LLVM text: every native one at every level, bit for bit what the interpreter says."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from abi import run
from cpu_plans import LEVELS, check, contiguous_input, edges, load, pointwise, target
from one_block import combinations, operand_dtypes

from tilewright.ir.index import symbol
from tilewright.ir.plan import Plan
from tilewright.ir.scalar import Apply, Const, Expr, IndexValue, Param, Read, apply, convert, literal
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.types import BF16, BOOL, BY_NAME, F16, F32, F64, I8, I32, I64, U32, U64, DType
from tilewright.targets.target import get_target

N, i = symbol("N"), symbol("i")


def op_plan(op: str, dtypes: Sequence[DType], result: DType | None, lanes: int) -> Plan:
    inputs = [Tensor("xyz"[n], d, (N,)) for n, d in enumerate(dtypes)]
    args = tuple(Read(t.name, (i,), t.dtype) for t in inputs)
    value = Apply(op, args, result) if result else apply(op, *args)
    plan = pointwise(inputs, [(value, value.dtype)], N, lanes)
    for t in inputs:
        plan = contiguous_input(plan, t.name)
    return plan


NATIVE_OPS = sorted({(op, d) for op, d in get_target("cpu").capabilities.native if op not in ("cast", "bitcast")})
NATIVE_CASTS = sorted(d for op, d in get_target("cpu").capabilities.native if op == "cast")


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("op", sorted({op for op, _ in NATIVE_OPS}))
def test_every_native_operation_follows_the_semantics(op: str, level: str) -> None:
    for name in (d for o, d in NATIVE_OPS if o == op and target(level).capabilities.takes((op, d))):
        dtypes = operand_dtypes(op, BY_NAME[name])
        arrays = dict(zip("xyz", combinations(dtypes, 700).values(), strict=False))
        check(op_plan(op, dtypes, None, 16 if name != "i64" else 0), arrays, level=level)


@pytest.mark.parametrize("op", ["floordiv", "mod", "shl", "shr", "min", "lt"])
@pytest.mark.parametrize("dtype", [I8, I64, U32], ids=str)
def test_integers_one_by_one_and_by_literals(op: str, dtype: DType) -> None:
    x = Read("x", (i,), dtype)
    values = [-(2**7) if dtype.kind == "int" else 200, 3, 1, 0, 7, 64] + ([-1, -5] if dtype.kind == "int" else [])
    results = [apply(op, x, literal(v, dtype)) for v in values]
    check(pointwise([Tensor("x", dtype, (N,))], [(r, r.dtype) for r in results], N), {"x": edges(dtype)})


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("source", sorted({c.split(">")[0] for c in NATIVE_CASTS}))
def test_every_native_cast(source: str, level: str) -> None:
    takes = target(level).capabilities.takes
    to = [BY_NAME[c.split(">")[1]] for c in NATIVE_CASTS if c.startswith(f"{source}>")]
    dtype = BY_NAME[source]
    x = Read("x", (i,), dtype)
    values = [(Apply("cast", (x,), d), d) for d in to if takes(("cast", f"{source}>{d}")) and dtype.kind != "field"]
    if not values:
        assert not takes(("cast", f"{source}>f32"))
        return
    for lanes in (0, 16):
        check(pointwise([Tensor("x", dtype, (N,))], values, N, lanes), {"x": edges(dtype)}, level=level)


def test_bitcasts_keep_bits() -> None:
    for source, to in ((F32, U32), (U32, F32), (F64, I64), (I64, F64), (BF16, BY_NAME["u16"]), (BY_NAME["i16"], F16)):
        x = convert("bitcast", Read("x", (i,), source), to)
        check(pointwise([Tensor("x", source, (N,))], [(x, to)], N, 8), {"x": edges(source)})


LITERALS = (0.1, -0.0, float("inf"), 1e-42, 1e39, 65519.9, 1 + 2**-8 + 2**-10, 1 + 2**-8)


def test_literals_scalars_and_indices() -> None:
    params = [ScalarInput("p", F32), ScalarInput("b", BOOL), ScalarInput("s", U64), ScalarInput("h", F16)]
    values: list[tuple[Expr, DType]] = [(Param(s.name, s.dtype), s.dtype) for s in params]
    values += [(Const(v, d), d) for d in (F32, F64, F16, BF16) for v in LITERALS]
    values += [(Const(2**64 - 1, U64), U64), (Const(-128, I8), I8), (Const(True, BOOL), BOOL)]
    values += [(IndexValue(i * 3 - N), I64), (convert("cast", IndexValue(i % 5 // 2), I32), I32)]
    given = {"p": 0.3, "b": True, "s": 2**63 + 5, "h": 1.5}
    for lanes in (0, 16):
        check(pointwise([Tensor("x", F32, (N,))], values, N, lanes, params), {"x": np.zeros(37, np.float32)}, given)


def test_a_shared_expression_of_great_depth_is_emitted_once() -> None:
    x = Read("x", (i,), I64)
    value: Expr = x
    expected = given = np.arange(-2, 3)
    for _ in range(3000):
        value = apply("bitxor", apply("add", value, value), x)
        expected = expected + expected ^ given
    plan = pointwise([Tensor("x", I64, (N,))], [(value, I64)], N)
    assert len(target("native").emit(plan).splitlines()) < 6200
    outputs, _ = run(plan, load(plan), {"x": given})
    np.testing.assert_array_equal(outputs["y0"], expected)
