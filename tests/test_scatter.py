"""Scatters: adding, last wins, the greatest and the least; from a constant and from a tensor; what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tilewright as tw
from tests.test_language import read_back, statement
from tilewright.dsl.check import check
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.dsl.specialise import specialise
from tilewright.errors import KernelIndexError, UnsupportedError, VerifyError
from tilewright.ir.interpret import TYPED, run_function
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import BOOL, F16, F32, I32, DType
from tilewright.passes.tensor.differentiate import differentiate
from tilewright.testing.run import run_loops, run_tensor

PUT = "op put[T: any](x: T[N, C], idx: i32[M], v: T[M, C]) -> y: T[N, C]:\n    y[idx[m], c] = v[m, c] for m, c from x\n"
JOIN = (
    "op join[T: number](x: T[N], idx: i32[M], v: T[M]) -> a: T[N], b: T[N], c: T[N], d: T[N]:\n"
    "    a[idx[m]] += v[m] from x\n"
    "    b[idx[m]] max= v[m] for m from x\n"
    "    c[idx[m]] min= v[m]\n"
    "    d[idx[m]] = v[m] for m\n"
)
NUMPY: dict[DType, Any] = {F32: np.float32, F16: np.float16, I32: np.int32, BOOL: np.bool_}
IDX = np.array([1, 3, 1, 0, 3], np.int32)


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("dtype", NUMPY, ids=str)
def test_the_last_one_wins(target: str, dtype: DType) -> None:
    rng = np.random.default_rng(0)
    x, v = (rng.integers(0, 2 if dtype is BOOL else 9, s).astype(NUMPY[dtype]) for s in ((5, 3), (5, 3)))
    wanted = x.copy()
    wanted[IDX] = v
    op = tw.op(PUT, target=target)
    np.testing.assert_array_equal(op(x, IDX, v), wanted)
    for run in (run_tensor, run_loops):
        np.testing.assert_array_equal(run(op, (x, IDX, v), {})[0], wanted)


@pytest.mark.parametrize("dtype", [F32, F16, I32], ids=str)
def test_each_combination(dtype: DType) -> None:
    x, v = np.array([1, 5, 2, 2]).astype(NUMPY[dtype]), np.array([3, 1, 4, -1, 5]).astype(NUMPY[dtype])
    highest = np.inf if dtype.is_float else np.iinfo(np.int32).max
    wanted = (x.copy(), x.copy(), np.full(4, highest).astype(x.dtype), np.zeros(4, x.dtype))
    np.add.at(wanted[0], IDX, v)
    np.maximum.at(wanted[1], IDX, v)
    np.minimum.at(wanted[2], IDX, v)
    wanted[3][IDX] = v
    op = tw.op(JOIN)
    for found in (op(x, IDX, v), run_tensor(op, (x, IDX, v), {}), run_loops(op, (x, IDX, v), {})):
        for a, b in zip(found, wanted, strict=True):
            np.testing.assert_array_equal(a, b)


def test_a_nan_wins_and_an_index_outside_is_an_error() -> None:
    op = tw.op(JOIN)
    x, v = np.zeros(4, np.float32), np.array([1, np.nan, 2, 3, 4], np.float32)
    assert np.isnan(op(x, IDX, v)[1][3]) and np.isnan(op(x, IDX, v)[2][3])
    with pytest.raises(KernelIndexError, match="element 3 of 'idx' .* is the index 4"):
        op(x, np.array([1, 3, 1, 4, 3], np.int32), v)


def test_an_index_that_was_computed_and_is_outside() -> None:
    op = tw.op("op twice(i: i64[M], x: f32[N]) -> y: f32[M]:\n    at[m] = i[m] * 2\n    y[m] = x[at[m]]")
    x = np.zeros(3, np.float32)
    assert op(np.array([1, 0]), x).tolist() == [0, 0]
    with pytest.raises(KernelIndexError, match="twice: a computed index is 18, out of range"):
        op(np.array([9]), x)


def test_text_and_layout() -> None:
    f = specialise(parse(JOIN).ops[0], {"T": F16})
    read_back(f)
    assert [line.strip() for line in print_function(f).splitlines()[1:6]] == [
        "a_sum_start[i0: N] = f32(x[i0])",
        "a_sum: f32[N]",
        "a_sum[idx[m]] += f32(v[m]) for m: M from a_sum_start",
        "a[i0_1: N] = f16(a_sum[i0_1])",
        "b_sum_start[i0_2: N] = f32(x[i0_2])",
    ]
    assert statement("y[idx[n]] = 2 for n") == ["y[idx[n]] = 2.0 for n: N"]
    untidy = "op f(x: i32[N]) -> y: i32[N]:\n    y[x[i]]max=x[i]   for i  from x\n    z[i]=x[i]for i\n"
    assert format(untidy).splitlines()[1:] == ["    y[x[i]] max= x[i] for i from x", "    z[i] = x[i] for i"]


def test_the_gradient_of_a_start_is_that_of_the_result() -> None:
    f = specialise(
        parse("op f(x: f32[N], idx: i32[M], v: f32[M]) -> y: f32[N]:\n    y[idx[m]] += v[m] from x\n").ops[0]
    )
    g = differentiate(f, ("x", "v"))
    rng = np.random.default_rng(1)
    given = {"x": rng.normal(size=4), "idx": IDX, "v": rng.normal(size=5), "dy": rng.normal(size=4)}
    given = {
        t.name: np.asarray(given.get(t.name, given["dy"]), IDX.dtype if t.name == "idx" else np.float32)
        for t in g.inputs
    }
    found = list(run_function(g, given, {}, TYPED).values())
    dy = next(v for k, v in given.items() if k not in ("x", "idx", "v"))
    np.testing.assert_array_equal(found[-2], dy)
    np.testing.assert_array_equal(found[-1], dy[IDX])
    h = specialise(
        parse("op f(x: f32[N], idx: i32[M], v: f32[M]) -> y: f32[N]:\n    y[idx[m]] max= v[m] from x\n").ops[0]
    )
    with pytest.raises(UnsupportedError, match="it is a scatter by max"):
        differentiate(h, ("v",))


def test_what_a_scatter_starts_from_is_kept_and_named() -> None:
    text = (
        "op f(x: f32[N], idx: i32[M], v: f32[M]) -> y: f32[N]:\n"
        "    h[n: N] = x[n]\n    y[idx[m]] += v[m] for m from h\n"
    )
    op = tw.op(text)
    v = np.ones(5, np.float32)
    traced = tw.trace(lambda x, i, v: op(x, i, v), np.ones(4, np.float32), IDX, v)
    wanted = np.ones(4, np.float32)
    np.add.at(wanted, IDX, v)
    np.testing.assert_array_equal(traced(np.ones(4, np.float32), IDX, v), wanted)


WRONG = {
    "y[idx[m]] += v[m] from z": ("unknown tensor 'z'", "z"),
    "y[idx[m]] += v[m] from v": ("v is f32[M], but this is f32[N]", "v"),
    "y[idx[m]] += v[m] from idx": ("idx is i32[M], but this is f32[N]", "idx"),
    "y[idx[m]] = idx[m] for m": ("this is i32, but f32 is stored here", "idx[m]"),
    "y[idx[m]] max= idx[m]": ("i32 is compared with f32", "idx[m]"),
    "t: bool[N]\n    t[idx[m]] max= v[m] > 0\n    y[n] = x[n]": ("a scatter of bools by max", "v[m] > 0"),
}


@pytest.mark.parametrize("line", WRONG)
def test_wrong_scatters(line: str) -> None:
    module = parse(f"op f(x: f32[N], idx: i32[M], v: f32[M]) -> y: f32[N]:\n    {line}\n")
    message, place = WRONG[line]
    e = check(module).diagnostics[0]
    assert e.message == message and e.span is not None
    assert module.source.line(e.span.line)[e.span.column - 1 : e.span.end_column - 1] == place


def test_the_verifier_refuses_a_start_of_another_shape() -> None:
    from dataclasses import replace

    from tilewright.ir.verify_tensor import verify

    f = specialise(parse(PUT).ops[0], {"T": F32})
    (c,) = f.body
    assert c.scatter is not None
    with pytest.raises(VerifyError, match="v, which it starts from, is of another type"):
        verify(replace(f, body=(replace(c, scatter=replace(c.scatter, start="v")),)))
