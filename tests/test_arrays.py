"""Calls from Python: byte order, alignment, dtypes, layouts, threads of arrays; what a definition fixes."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

import tilewright as tw
from tilewright.compiler.function import FunctionOp
from tilewright.ir.text_tensor import print_function
from tilewright.runtime import get_threads, limit_threads

TWICE = "op twice[T: number](x: T[...]) -> y: T[...]:\n    y[...] = x[...] + x[...]\n"
MUL = "op mul(x: f32[N], w: f32[N]) -> y: f32[N]:\n    y[i] = x[i] * w[i]\n"
ADD = "op add(x: f32[N], w: f32[N]) -> y: f32[N]:\n    y[i] = x[i] + w[i]\n"
EXPS = "op exps(x: f32[N]) -> y: f32[N]:\n    y[i] = exp(x[i])\n"


def ones(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


def compiled_text(op: FunctionOp) -> str:
    """What is lowered, for contiguous vectors."""
    return print_function(op.compilation({t.name: 0 for t in op.function.inputs}).tensor)


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i4", ">u2", ">i8"])
def test_byte_swapped_arrays_mean_their_numbers(dtype: str) -> None:
    x = np.arange(7).astype(dtype)
    y = tw.op(TWICE)(x)
    assert y.dtype == x.dtype.newbyteorder("=") and y.tolist() == [2 * n for n in range(7)]


def test_misaligned_arrays_mean_their_numbers() -> None:
    x = np.frombuffer(b"\0" + np.arange(5, dtype=np.int32).tobytes(), np.int32, offset=1)
    assert not x.flags.aligned
    assert tw.op(TWICE)(x).tolist() == [0, 2, 4, 6, 8]


def test_bfloat16_arrays_are_bf16() -> None:
    x = np.array([1.5, -2.0, 3e38], ml_dtypes.bfloat16)
    y = tw.op(TWICE)(x)
    assert y.dtype == ml_dtypes.bfloat16 and y.astype(np.float32).tolist() == [3.0, -4.0, float("inf")]
    assert tw.as_tensor(x).dtype is tw.bfloat16


def test_the_limit_of_threads_is_the_one_before_again() -> None:
    assert limit_threads(0) == 0
    with tw.threads(2):
        with tw.threads(1):
            pass
        assert limit_threads(2) == 2
    assert limit_threads(0) == 0 and get_threads() >= 1


@pytest.mark.parametrize(
    ("x", "axis"),
    [
        (ones(3, 4), 1),
        (ones(3, 4).T, 0),
        (ones(3, 4)[:, :1], 1),
        (ones(3, 4)[:, ::4], 1),
        (ones(3, 4)[:, ::2], -1),
        (ones(0, 4).T, 1),
        (ones(3, 4)[:1, ::2], -1),
    ],
)
def test_the_unit_axis_that_texts_are_shown_for(x: np.ndarray[Any, Any], axis: int) -> None:
    assert tw.ops.softmax.operand_class(x).unit_axis == axis


def test_texts_are_those_of_the_attributes_given() -> None:
    x, w = ones(1, 1, 9, 9), ones(1, 1, 3, 3)
    assert "*2" in tw.ops.conv2d.text("tensor", x, w, stride=2)
    assert tw.ops.conv2d.text("tensor", x, w, stride=2) != tw.ops.conv2d.text("tensor", x, w)


def test_a_definition_has_its_fma_and_orders() -> None:
    assert "fma(" in tw.ops.matmul.text("tensor", ones(2, 3), ones(3, 4))
    assert "@ 4096 x 64" in tw.ops.softmax.text("tensor", ones(2, 3))


def test_an_absent_operand_shifts_no_layout() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 3, 9, 8)).astype(np.float32).transpose(0, 1, 3, 2)
    w = rng.normal(size=(4, 3, 3, 3)).astype(np.float32)
    plain = tw.ops.conv2d(np.ascontiguousarray(x), w)
    np.testing.assert_array_equal(tw.ops.conv2d(x, w), plain)
    np.testing.assert_array_equal(tw.ops.conv2d(x, w, np.zeros(4, np.float32)), plain)


def test_fma_does_not_cross_ops() -> None:
    mul, add = tw.op(MUL), tw.op(ADD)
    text = compiled_text(tw.trace(lambda x, w: add(mul(x, w), w), ones(5), ones(5)))
    assert "fma" not in text and "*" in text and "+" in text


def test_what_several_read_is_computed_once() -> None:
    exps, mul, add = tw.op(EXPS), tw.op(MUL), tw.op(ADD)

    def function(x: Any) -> Any:
        e = exps(x)
        return mul(e, x), add(e, x)

    assert compiled_text(tw.trace(function, ones(5))).count("exp(") == 1
