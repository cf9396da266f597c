"""Results that are written to memory of the caller's, and the axes that calls merge and reorder."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw

Array = np.ndarray[Any, Any]


def f32(*shape: int) -> Array:
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) - 7


@st.composite
def views(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    """An array of ``shape`` in memory of any order, with gaps and reversed axes."""
    rank = len(shape)
    order = draw(st.permutations(range(rank)))
    steps = [draw(st.sampled_from([1, 1, 2, -1, -2])) for _ in range(rank)]
    gaps = [draw(st.sampled_from([0, 0, 1])) for _ in range(rank)]
    memory = np.zeros([shape[a] * abs(steps[a]) + gaps[a] for a in order], np.float32)
    whole = memory.transpose(np.argsort(order)) if rank else memory
    cut = tuple(slice(None, n * abs(s)) for n, s in zip(shape, steps, strict=True))
    return whole[cut][(*(slice(None, None, s) for s in steps), ...)]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Array, Array, Array]:
    shape = tuple(draw(st.lists(st.integers(0, 4), max_size=4)))
    x, y, z = (draw(views(shape)) for _ in range(3))
    values = np.random.default_rng(draw(st.integers(0, 99)))
    x[...], y[...] = values.integers(-9, 9, shape), values.integers(-9, 9, shape)
    return x, y, z


@given(cases())
@settings(max_examples=150, deadline=None)
def test_any_layout_is_read_and_written(case: tuple[Array, Array, Array]) -> None:
    x, y, z = case
    memory = z
    while isinstance(memory.base, np.ndarray):
        memory = memory.base
    result = tw.ops.sub(x, y, out=z)
    assert result is z
    np.testing.assert_array_equal(z, x - y)
    z[...] = 0
    assert not memory.any()  # nothing was written beside it
    np.testing.assert_array_equal(tw.ops.sub(x, y), x - y)


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_reductions_of_any_layout(data: st.DataObject) -> None:
    shape = tuple(data.draw(st.lists(st.integers(0, 4), max_size=4)))
    x = data.draw(views(shape))
    x[...] = np.random.default_rng(5).integers(-9, 9, shape)
    rank = data.draw(st.integers(0, len(shape)))
    axes = tuple(range(len(shape) - rank, len(shape)))
    kept = shape[: len(shape) - rank]
    z = data.draw(views(kept))
    np.testing.assert_array_equal(tw.ops.sum(x, R=rank), x.sum(axis=axes))
    np.testing.assert_array_equal(tw.ops.sum(x, R=rank, out=z), x.sum(axis=axes))
    if 0 not in shape:
        flat = x.reshape(*kept, -1)
        np.testing.assert_array_equal(tw.ops.argmax(x, R=rank), flat.argmax(axis=-1))


def test_what_is_read_element_by_element_may_be_written_over() -> None:
    x = f32(4, 6)
    made = tw.memory.stats().allocations
    assert tw.ops.add(x, x, out=x) is x
    assert tw.memory.stats().allocations == made
    np.testing.assert_array_equal(x, 2 * f32(4, 6))
    part = x[:, ::2]
    tw.ops.neg(part, out=part)
    np.testing.assert_array_equal(x[:, ::2], -2 * f32(4, 6)[:, ::2])
    np.testing.assert_array_equal(x[:, 1::2], 2 * f32(4, 6)[:, 1::2])


@pytest.mark.parametrize("shift", [1, 3, -2])
def test_what_overlaps_is_as_if_it_were_copied_first(shift: int) -> None:
    x, y = f32(20), f32(20)
    source, target = (
        (slice(shift, None), slice(None, -shift)) if shift > 0 else (slice(None, shift), slice(-shift, None))
    )
    tw.ops.mul(x[source], x[source], out=x[target])
    y[target] = y[source] * y[source]
    np.testing.assert_array_equal(x, y)


def test_rows_that_are_read_more_than_once_are_not_written_over_too_early() -> None:
    x = f32(5, 5)
    expected = tw.ops.softmax(f32(5, 5).T)
    tw.ops.softmax(x.T, out=x)
    np.testing.assert_array_equal(x, expected)
    y = f32(5, 5)
    tw.ops.matmul(y, y, out=y)
    np.testing.assert_array_equal(y, f32(5, 5) @ f32(5, 5))


def test_several_results() -> None:
    x = f32(3, 5)
    values, places = np.zeros(3, np.float32), np.zeros(6, np.int64)[::2]
    result = tw.ops.max(x, out=(values, places))
    assert result[0] is values and result[1] is places
    np.testing.assert_array_equal(values, x.max(1))
    np.testing.assert_array_equal(places, x.argmax(1))
    values[...] = 0
    new = tw.ops.max(x, out=(values, None))
    assert new[0] is values
    np.testing.assert_array_equal(new[1], x.argmax(1))


def test_a_row_major_place_compiles_nothing_new() -> None:
    op = tw.op("op twice[T: number](x: T[...]) -> y: T[...]:\n    y[...] = x[...] + x[...]")
    x = f32(3, 4)
    op(x), op(x, out=np.zeros((3, 4), np.float32)), op(x, out=x)
    assert op.misses == 1
    for wide in (f32(3, 9), f32(7, 5)):
        op(wide[:, 1:3], out=np.zeros((*wide.shape, 2), np.float32)[:, 1:3, 0])
    assert op.misses == 2


def test_layouts_that_lie_alike_share_a_program() -> None:
    op = tw.op("op half(x: f32[...], y: f32[...]) -> z: f32[...]:\n    z[...] = x[...] * 0.5 + y[...]")
    x = f32(4, 3, 2)
    for a in (x, x.T, x.transpose(1, 2, 0), x[:1], x[:, :1, :1], f32(9), f32(2, 2, 2, 2, 2)):
        np.testing.assert_array_equal(op(a, a), a * np.float32(0.5) + a)
    assert op.misses == 2  # x[:, :1, :1] has gaps
    assert op(x.T, x.T).strides == x.T.strides


def test_what_stands_still_is_told_in_the_key() -> None:
    key = tw.ops.add.key(f32(4, 3), f32(3))
    assert key == ((("f32", 2, 1, 0), ("f32", 2, 1, 1)), ())
    assert tw.ops.add.key(f32(4, 3), np.float32(1).reshape(())) == ((("f32", 1, 0, 0), ("f32", 1, -1, 1)), ())
    assert "y[0, i1]" in tw.ops.add.text("tensor", f32(4, 3), f32(3))


def test_where_the_place_counts_axes_keep_their_order() -> None:
    x = f32(3, 4)
    seed = {"p": 0.5, "seed": 3, "offset": 0}
    np.testing.assert_array_equal(tw.ops.dropout(np.asfortranarray(x), **seed), tw.ops.dropout(x, **seed))
    np.testing.assert_array_equal(tw.ops.argmax(np.asfortranarray(-x), R=2), (-x).argmax())


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (np.zeros((3, 5), np.float32), "the result is f32[3, 4], but out= is f32[3, 5]"),
        (np.zeros((3, 4), np.float64), "the result is f32[3, 4], but out= is f64[3, 4]"),
        (np.zeros(12, np.float32), "the result is f32[3, 4], but out= is f32[12]"),
        (np.broadcast_to(np.float32(0), (3, 4)), "cannot be written to out=, f32[3, 4]: it is read-only"),
        ([0.0], "out= takes a tensor or array per result, not [0.0]"),
        ((), "out= takes a tensor or array per result, not ()"),
    ],
)
def test_places_that_do_not_fit(place: Any, said: str) -> None:
    with pytest.raises(tw.CallTypeError) as caught:
        tw.ops.neg(f32(3, 4), out=place)
    assert said in str(caught.value)
    with pytest.raises(tw.CallTypeError, match="several of its elements are one"):
        wide = np.lib.stride_tricks.as_strided(np.zeros(4, np.float32), (3, 4), (0, 4), writeable=True)
        tw.ops.neg(f32(3, 4), out=wide)


@pytest.mark.parametrize("size", [2, 5, 40])
def test_what_is_written_to_other_places_of_its_own_memory_is_read_first(size: int) -> None:
    x = f32(size, size)
    turned = (-x.T).tolist()
    tw.ops.neg(x.T, out=x)
    assert x.tolist() == turned
