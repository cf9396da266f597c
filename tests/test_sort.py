"""Sorting: stable, by every dtype, in short rows and long ones, on every target; its text, its errors, its gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_language import canonical, read_back

import tilewright as tw
from tilewright.compiler.function import FunctionOp
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.dsl.specialise import specialise
from tilewright.errors import CheckError, UnsupportedError
from tilewright.ir.interpret import FLOAT64, run_function
from tilewright.ir.tensor import Function
from tilewright.ir.types import BF16, BOOL, F16, F32, F64, FIELD, I8, I64, U8, U64, DType
from tilewright.passes.lower.sort import LONG
from tilewright.passes.tensor.differentiate import differentiate
from tilewright.passes.tensor.in_field import InField
from tilewright.stdlib.ops import definitions
from tilewright.testing.run import run_loops, run_tensor

SORT = "op places[T: any](x: T[..., N]) -> at: i64[..., N]:\n    at[..., n] = argsort[n](x[..., n])\n"
REVERSE = SORT.replace("(x[..., n])", "(~order(x[..., n]))")
NUMPY: dict[DType, Any] = {F32: np.float32, F64: np.float64, F16: np.float16, BOOL: np.bool_}
WHOLE: dict[DType, Any] = {I8: np.int8, U8: np.uint8, I64: np.int64, U64: np.uint64}
LENGTHS = (0, 1, 2, LONG - 1, LONG, 2 * LONG + 1)


def special(kind: Any, shape: tuple[int, ...]) -> Any:
    """Every sign of zero, infinity and NaN among few numbers; or the ends of the range among few whole ones."""
    rng = np.random.default_rng(3)
    few = rng.integers(0, 2 if kind is np.bool_ else 5, shape).astype(kind)
    if np.dtype(kind).kind == "f":
        ends = [0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, -1.5, float(np.finfo(kind).tiny) / 4]
    elif kind is np.bool_:
        return few
    else:
        ends = [np.iinfo(kind).min, np.iinfo(kind).max, 1 << (np.iinfo(kind).bits - 2)]
    return np.where(rng.integers(0, 2, shape) > 0, few, rng.choice(np.array(ends, kind), shape))


@pytest.mark.parametrize("dtype", NUMPY | WHOLE, ids=str)
@pytest.mark.parametrize("target", ["cpu", "c"])
def test_places_of_special_values(target: str, dtype: DType) -> None:
    up, down = tw.op(SORT, target=target), tw.op(REVERSE, target=target)
    for n in LENGTHS:
        x = special((NUMPY | WHOLE)[dtype], (3, n))
        np.testing.assert_array_equal(up(x), np.argsort(x, axis=-1, kind="stable"))
        reverse = n - 1 - np.argsort(x[:, ::-1], axis=-1, kind="stable")[:, ::-1]
        np.testing.assert_array_equal(down(x), reverse)


@pytest.mark.parametrize("dtype", (F32, F16, I8, U64, BOOL), ids=str)
def test_the_interpreters_are_the_definition(dtype: DType) -> None:
    for n in (0, 1, 7, LONG + 1):
        x = special((NUMPY | WHOLE)[dtype], (2, n))
        for run in (run_tensor, run_loops):
            np.testing.assert_array_equal(run(tw.op(SORT), (x,), {})[0], np.argsort(x, axis=-1, kind="stable"))


@pytest.mark.parametrize("n", [LONG - 1, LONG + 5])
def test_several_keys_and_axes(n: int) -> None:
    """The first key decides; the axis that is sorted along need not be the last."""
    op = tw.op(
        "op f(a: i8[N, M], b: f32[N, M], c: u8[M]) -> at: i64[N, M]:\n"
        "    at[n, m] = argsort[n](a[n, m] // 2, ~order(b[n, m]), c[m])\n"
    )
    rng = np.random.default_rng(5)
    a, b = rng.integers(-4, 4, (n, 3)).astype(np.int8), rng.integers(-2, 2, (n, 3)).astype(np.float32)
    wanted = np.lexsort((-b, a // 2), axis=0)
    for found in (op(a, b, np.arange(3, dtype=np.uint8)), *run_loops(op, (a, b, np.zeros(3, np.uint8)), {})):
        np.testing.assert_array_equal(found, wanted)


def test_each_step_of_a_sort_is_checked() -> None:
    """Of integers in the exact field too, for which floats have no order."""
    op = tw.op(SORT)
    with tw.verify("each-pass"):
        for kind in (np.float32, np.int16):
            x = special(kind, (3, 70))
            np.testing.assert_array_equal(op(x), np.argsort(x, axis=-1, kind="stable"))
    with pytest.raises(UnsupportedError, match="no meaning in the exact field"):
        InField().run(specialise(parse(SORT).ops[0], {"T": F32}, {"": 0}))
    assert InField().run(specialise(parse(SORT).ops[0], {"T": I8}, {"": 0})).body[0].sort


def test_rows_are_tasks() -> None:
    x = special(np.float32, (50, 2 * LONG))
    tasks = [line.strip() for line in tw.op(SORT).text("loops", x).splitlines() if "_passes tasks" in line]
    assert tasks[0].startswith("run places_at_passes tasks _0 ") and "N*_0*min(1, (N // 32))*4" in tasks[0]
    with tw.threads(2):
        np.testing.assert_array_equal(tw.op(SORT)(x), np.argsort(x, axis=-1, kind="stable"))


def test_text_and_layout() -> None:
    f = specialise(parse(SORT).ops[0], {"T": I8}, {"": 1})
    assert read_back(f).splitlines()[1] == "    at[i0: _0, n: N] = argsort[n](x[i0, n])"
    integer = "where(isnan(x[n]), 2147483647, "
    assert integer in canonical(SORT, {"T": F32}, packs={"": 0})
    for dtype in (F16, BF16, F64, BOOL):
        canonical(SORT, {"T": dtype}, packs={"": 0})
    canonical("op f(x: i32[N]) -> y: i64[N]:\n    y[n] = argsort[n](n, x[n], 7, u8(x[n] > 0))\n")
    untidy = "op f(x: i32[N])->y: i64[N]:\n    y[n]=argsort[n]( x[n],~order(x[n]) )\n"
    assert format(untidy).splitlines()[1] == "    y[n] = argsort[n](x[n], ~order(x[n]))"


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("y[n] = argsort[m](x[n])", "argsort goes along one axis of its result", "at[..., n] = argsort[n](x[..., n])"),
        ("y[n] = argsort[n: N](x[n])", "argsort goes along one axis of its result", "argsort[n]"),
        ("y[n] = argsort[n @ 4](x[n])", "argsort goes along one axis of its result", "argsort[n]"),
        ("y[n] = argsort[](x[n])", "argsort goes along one axis of its result", "argsort[n]"),
        ("(y, z)[n] = argsort[n](x[n])", "argsort gives places, one i64 per element", "y[n] = x[at[n]]"),
        ("y[n] = f16(argsort[n](x[n]))", "argsort gives places, one i64 per element", "y[n] = x[at[n]]"),
        ("y[n] = argsort[n](x[n]) + 1", "this stands inside an expression", "assign it to results of its own first"),
        ("y[n] = argsort[n]((y[n - 1] else 0))", "argsort cannot read its own result", "a name of its own"),
        ("y[n] = argsort(x[n])", "argsort is a reduction", "argsort[axes](value)"),
        ("y[n] = i64(sum[k](x[k], x[k]))", "sum takes one value, not 2", "one reduction for each"),
        ("y[n] = order(x[n], 1)", "order takes one value, not 2", None),
        ("z[n] = argsort[n](x[n])\n    y[n] = i64(z[n] < x[n])", "'<' of i64 and f32", "cast one of them"),
    ],
)
def test_wrong_sorts(line: str, message: str, hint: str | None) -> None:
    with pytest.raises(CheckError) as caught:
        specialise(parse(f"op f(x: f32[N]) -> y: i64[N]:\n    {line}\n").ops[0])
    assert message in caught.value.message and (hint is None or hint in str(caught.value.hint))
    assert caught.value.span and caught.value.span.line >= 2


def test_the_field_has_no_order() -> None:
    with pytest.raises(CheckError, match="the exact field has no order") as caught:
        specialise(parse(SORT).ops[0], {"T": FIELD}, {"": 1})
    assert caught.value.span and caught.value.span.column == SORT.splitlines()[1].index("x[") + 1


def test_a_result_is_i64() -> None:
    with pytest.raises(CheckError, match="y is declared i32, but this is i64"):
        specialise(parse("op f(x: f32[N]) -> y: i32[N]:\n    y[n] = argsort[n](x[n])\n").ops[0])


def test_gradients_go_to_the_chosen_elements() -> None:
    """Of equal elements each has its own place, so the gradient is that of a permutation."""
    text = "    at[m, n] = argsort[n](x[m, n])\n    y[m, n] = x[m, at[m, n]] * f64(n + 1)\n"
    vjp = differentiate(specialise(parse(f"op f(x: f64[M, N]) -> y: f64[M, N]:\n{text}").ops[0]), ("x",))
    x, d_y = np.array([[3.0, 1.0, 3.0], [np.nan, -0.0, 0.0]]), np.array([[10.0, 20.0, 30.0], [1.0, 2.0, 3.0]])
    wanted = np.zeros((2, 3))
    np.put_along_axis(wanted, np.argsort(x, axis=-1, kind="stable"), d_y * [1, 2, 3], -1)
    assert run_function(vjp, {"x": x, "d_y": d_y}, {}, FLOAT64)["d_x"].tolist() == wanted.tolist()
    np.testing.assert_array_equal(FunctionOp(vjp)(x, d_y), wanted)


def test_a_count_and_then_a_fill() -> None:
    x = np.array([3, 1, 3, 2, 1, 3], np.int32)
    room = np.zeros(int(tw.ops.unique_count(x)), np.int8)
    values, inverse, counts = tw.ops.unique(x, room)
    assert values.tolist() == [1, 2, 3] and counts.tolist() == [2, 1, 3]
    np.testing.assert_array_equal(values[inverse], x)
    assert tw.ops.nonzero(x > 2, np.zeros(int(tw.ops.count_nonzero(x > 2, A=0)))).tolist() == [0, 2, 5]


DIFFERENTIABLE: dict[str, dict[str, Any]] = {
    "sort": {"descending": True}, "topk": {"k": 3}, "kthvalue": {"k": 2}, "median": {}, "nanmedian": {}, "quantile": {},
    "masked_select": {}, "unique": {},
}  # fmt: skip


@pytest.mark.parametrize("name", DIFFERENTIABLE)
def test_gradients_by_finite_differences(name: str) -> None:
    rng = np.random.default_rng(7)
    source = tw.ops.get(name).definition.tree
    ranks = {} if name in ("masked_select", "unique") else {"": 1}
    f = specialise(source, {"T": F64, "L": F64}, ranks, DIFFERENTIABLE[name], resolver=definitions)
    vjp = differentiate(f, ("x",))
    x = rng.normal(size=(2, 7) if ranks else 7)
    others = {"mask": x > 0, "like": np.zeros((x > 0).sum() if name == "masked_select" else 7)}

    def run(g: Function, **operands: Any) -> Any:
        operands |= others
        given = {t.name: operands[t.name] for t in g.inputs}
        return run_function(g, given, {s.name: 0.3 for s in g.scalars}, FLOAT64)[g.outputs[0]]

    d_y = rng.normal(size=np.shape(run(f, x=x)))
    found = run(vjp, x=x, **{f"d_{f.outputs[0]}": d_y})
    for at in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[at] = 1e-6
        slope = ((run(f, x=x + step) - run(f, x=x - step)) * d_y).sum() / 2e-6
        assert found[at] == pytest.approx(slope, abs=1e-7)
