"""Operands that share the pack ``...`` are stretched to one shape, as NumPy does it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.compiler.definition import load_ops
from tilewright.errors import CallError, UserError
from tilewright.testing.run import run_loops, run_tensor

ADD = tw.op("op add[T: number](x: T[...], y: T[...]) -> z: T[...]:\n    z[...] = x[...] + y[...]")
SCALE = tw.op(
    "op scale[T: number](x: T[..., C], y: T[C, ...], b: T[...]?) -> z: T[C, ..., C]:\n"
    "    if b: z[c, ..., d] = x[..., d] * y[c, ...] + b[...]\n"
    "    else: z[c, ..., d] = x[..., d] * y[c, ...]\n"
)
shapes = st.lists(st.sampled_from([0, 1, 1, 2, 3]), max_size=3).map(tuple)


def values(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(len(shape)).integers(-9, 10, shape).astype(np.int32)


def numpy_shape(*given: tuple[int, ...]) -> tuple[int, ...] | None:
    try:
        return np.broadcast_shapes(*given)
    except ValueError:
        return None


@settings(max_examples=60, deadline=None)
@given(shapes, shapes, st.booleans())
def test_two_operands(a: tuple[int, ...], b: tuple[int, ...], tensors: bool) -> None:
    x, y = values(*a), values(*b)
    operands = (tw.as_tensor(x), tw.as_tensor(y)) if tensors else (x, y)
    if numpy_shape(a, b) is None:
        message = f"add(): the axes ... of 'x' and 'y' do not broadcast: their shapes are {list(a)} and {list(b)}"
        with pytest.raises(CallError) as e:
            ADD(*operands)
        assert e.value.message == message
    else:
        np.testing.assert_array_equal(ADD(*operands), x + y)


@settings(max_examples=30, deadline=None)
@given(shapes, shapes, st.none() | shapes)
def test_the_pack_stands_anywhere(a: tuple[int, ...], b: tuple[int, ...], c: tuple[int, ...] | None) -> None:
    x, y, bias = values(*a, 2), values(2, *b), None if c is None else values(*c)
    shape = numpy_shape(a, b, c or ())
    if shape is None:
        with pytest.raises(CallError, match="do not broadcast"):
            SCALE(x, y, bias)
        return
    wide = np.broadcast_to(y.reshape(2, *(1,) * (len(shape) - len(b)), *b), (2, *shape))
    wanted = np.broadcast_to(x, (*shape, 2))[None] * wide[..., None]
    if bias is not None:
        wanted = wanted + np.broadcast_to(bias, shape)[None, ..., None]
    np.testing.assert_array_equal(SCALE(x, y, bias), wanted)


def test_the_interpreters_agree() -> None:
    x, y = values(3, 1), values(4)
    for run in (run_tensor, run_loops):
        np.testing.assert_array_equal(run(ADD, (x, y), {})[0], x + y)


def test_views_are_stretched_and_operands_stay() -> None:
    x, y = values(4, 6)[::-1, ::2], values(2, 1, 1)
    t = tw.as_tensor(y)
    np.testing.assert_array_equal(ADD(x, y), x + y)
    np.testing.assert_array_equal(np.asarray(ADD(tw.as_tensor(x), t)), x + y)
    assert t.shape == (2, 1, 1)


def test_the_error_names_the_two_that_do_not_fit() -> None:
    op = tw.op("op f(x: i32[...], y: i32[...], z: i32[...]) -> w: i32[...]:\n    w[...] = x[...] + y[...] + z[...]")
    with pytest.raises(CallError, match=r"of 'x' and 'z' do not broadcast: their shapes are \[3, 1\] and \[2, 2\]"):
        op(values(3, 1), values(1, 1), values(2, 2))


def test_named_packs_are_not_stretched() -> None:
    op = tw.op("op f(x: i32[A...], y: i32[A...]) -> z: i32[A...]:\n    z[a...] = x[a...] + y[a...]")
    with pytest.raises(CallError, match="axis 0 of 'y' must be A0"):
        op(values(3), values(1))


def test_a_stretched_shape_compiles_once() -> None:
    op = tw.op("op g[T: number](x: T[...], y: T[...]) -> z: T[...]:\n    z[...] = x[...] - y[...]")
    for n in (2, 5, 9):
        np.testing.assert_array_equal(op(values(n, 1), values(n + 1)), values(n, 1) - values(n + 1))
    assert op.misses == 1


def test_the_text_is_that_of_the_stretched_call() -> None:
    assert ADD.text("tensor", values(3, 1), values(4)).endswith("z[i0: _0, i1: _1] = x[i0, 0] + y[0, i1]\n")
    assert ADD.text("tensor", values(3, 4), values(3, 4)).endswith("z[i0: _0] = x[i0] + y[i0]\n")


INSIDE = """\
op plus[T: number](x: T[...], y: T[...]) -> z: T[...]:
    z[...] = x[...] + y[...]

op beside[T: number](x: T[..., C], y: T[...]) -> z: T[..., C]:
    z[..., c] = (x[..., c - 1] else 5) * y[...]

op inside(x: i32[N, C], b: i32[C], u: i32[N, 1]) -> r: i32[N, C], q: i32[N, C], w: i32[N, C, C]:
    r = plus(x, b)
    q = plus(u, r)
    w = beside(b, x)
"""


def test_calls_of_ops_by_ops_stretch_their_operands() -> None:
    op = load_ops(INSIDE, "<inside>")["inside"]
    x, b, u = values(3, 4), values(4), values(3, 1)
    with tw.verify("each-pass"):
        r, q, w = op(x, b, u)
    np.testing.assert_array_equal(r, x + b)
    np.testing.assert_array_equal(q, u + x + b)
    np.testing.assert_array_equal(w, np.array([5, *b[:-1]]) * x[..., None])


def test_traces_add_the_axes_that_are_missing() -> None:
    scaled = tw.trace(lambda x, y, z: ADD(ADD(x, y), z), values(3, 4), values(4), values(2, 1, 4))
    x, y, z = values(5, 4), values(4), values(3, 5, 4)
    np.testing.assert_array_equal(scaled(x, y, z), x + y + z)


def test_what_is_needed_in_full_shape_is_not_stretched() -> None:
    source = """\
op start[T: number](x: T[...], y: T[...]) -> z: T[...]:
    z[...] += y[...] from x

op caller(x: i32[C], y: i32[N, C]) -> z: i32[N, C]:
    z = start(x, y)
"""
    with pytest.raises(UserError, match="start needs x in full shape here"):
        load_ops(source, "<start>")["caller"](values(4), values(3, 4))
