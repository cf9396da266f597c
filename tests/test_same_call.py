"""One helper for values, dtypes and errors, against NumPy and ml_dtypes; and that it sees each kind of difference."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from op_table import NUMPY, values

import tilewright as tw
from tilewright.errors import CallError
from tilewright.testing.compare import assert_same_call

X = np.array([[1.5, -2.0, 3.0], [0.0, -0.0, 8.0]], np.float32)


def rng() -> np.random.Generator:
    return np.random.default_rng(3)


# --- ops against their NumPy ------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [d for d in NUMPY if d not in ("f16", "bf16")])
def test_pointwise_integers_and_floats(dtype: str) -> None:
    op = tw.op(f"op f(x: {dtype}[N], y: {dtype}[N]) -> z: {dtype}[N]:\n    z[i] = max(x[i], y[i])\n")
    assert_same_call(op, np.maximum, values(rng(), dtype, (37,)), values(rng(), dtype, (37,))[::-1])


@pytest.mark.parametrize("dtype", ["f16", "bf16"])
def test_storage_dtypes_are_computed_in_f32_and_rounded_once(dtype: str) -> None:
    op = tw.op(f"op f(x: {dtype}[N], y: {dtype}[N]) -> z: {dtype}[N]:\n    z[i] = x[i] / y[i] + x[i]\n")

    def theirs(x: Any, y: Any) -> Any:
        a, b = x.astype(np.float32), y.astype(np.float32)
        return (a / b + a).astype(x.dtype)

    assert_same_call(op, theirs, values(rng(), dtype, (67,)), values(rng(), dtype, (67,)))


def test_ops_of_the_library() -> None:
    assert_same_call(tw.ops.cumsum, lambda x: np.cumsum(x, -1, dtype=x.dtype), values(rng(), "i32", (3, 40)))
    assert_same_call(tw.ops.argmax, lambda x, R: np.argmax(x, -1), values(rng(), "f64", (3, 40)), R=1)
    a, b = values(rng(), "f32", (5, 8)), values(rng(), "f32", (8, 9))
    assert_same_call(tw.ops.matmul, np.matmul, a, b, rtol=1e-5, atol=1e-6)


WRONG: dict[str, tuple[Callable[..., Any], Callable[..., Any], tuple[Any, ...]]] = {
    "shapes that do not fit": (tw.ops.matmul, np.matmul, (np.ones((2, 3)), np.ones((4, 2)))),
    "a missing operand": (tw.ops.matmul, lambda a, b: a @ b, (np.ones((2, 3)),)),
    "an index that is too large": (tw.ops.embedding, lambda w, i: w[i], (np.ones((3, 2)), np.array([0, 3]))),
}


@pytest.mark.parametrize("name", WRONG)
def test_both_refuse(name: str) -> None:
    ours, theirs, operands = WRONG[name]
    with pytest.raises(Exception) as caught:
        theirs(*operands)
    assert isinstance(assert_same_call(ours, theirs, *operands), type(caught.value))


# --- what the helper sees -----------------------------------------------------------------------


def same(x: Any) -> Any:
    return x.copy()


def refuse(x: Any) -> Any:
    raise CallError("no")


DIFFERENCES: dict[str, tuple[Callable[..., Any], Callable[..., Any], str]] = {
    "a value": (lambda x: x + (x == 8), same, r"result 0: more than 0 ulp .* at \[1, 2\]: 9.0 .*, expected 8.0"),
    "a dtype": (lambda x: x.astype(np.float64), same, "dtype float64, expected float32"),
    "a shape": (lambda x: x[:1], same, r"shape \(1, 3\), expected \(2, 3\)"),
    "the number of results": (lambda x: (x, x), same, "2 results, expected 1"),
    "the second result": (lambda x: (x, x + 1), lambda x: (x, x), "result 1: more than 0 ulp"),
    "an error of its own": (same, refuse, r"raises nothing, expected CallError \(error: no\)"),
    "another error": (lambda x: x[9], refuse, r"raises IndexError \(.*\), expected CallError"),
    "bf16": (lambda x: x.astype(ml_dtypes.bfloat16), lambda x: x.astype(np.float16), "dtype bfloat16"),
}


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_are_seen(name: str) -> None:
    ours, theirs, message = DIFFERENCES[name]
    with pytest.raises(AssertionError, match=message):
        assert_same_call(ours, theirs, X)


def test_an_error_where_there_should_be_none_passes_through() -> None:
    with pytest.raises(CallError, match="no"):
        assert_same_call(refuse, same, X)


def test_tolerances_and_other_errors() -> None:
    near = np.nextafter(X, np.float32(9))
    assert_same_call(lambda x: near, same, X, ulps=1)
    assert_same_call(lambda x: near, same, X, rtol=1e-6, atol=1e-12)
    raised = assert_same_call(refuse, lambda x: x.missing, X, errors={AttributeError: CallError})
    assert isinstance(raised, CallError)
