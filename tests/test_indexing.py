"""Indices of tensors beside NumPy's: any mixture of numbers, slices, new axes, arrays and masks, read and assigned."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw

Array = np.ndarray[Any, Any]
DTYPES = ("float32", "float64", "float16", "int8", "int64", "uint8", "int32", "bool")


@st.composite
def slices(draw: st.DrawFn, n: int) -> slice:
    bound = st.none() | st.integers(-n - 2, n + 2)
    return slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1, 2, 3, -1, -2])))


@st.composite
def arrays(draw: st.DrawFn, n: int, shape: tuple[int, ...]) -> Array:
    low, high = (-n, n - 1) if draw(st.integers(0, 9)) else (-n - 1, n)
    dtype = draw(st.sampled_from([np.int64, np.int32, np.int16, np.uint8]))
    if dtype is np.uint8:
        low = 0
    values = draw(
        st.lists(st.integers(low, max(low, high)), min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))
    )
    return np.array(values, dtype).reshape(shape)


@st.composite
def masks(draw: st.DrawFn, shape: tuple[int, ...]) -> Array:
    size = int(np.prod(shape))
    return np.array(draw(st.lists(st.booleans(), min_size=size, max_size=size)), bool).reshape(shape)


@st.composite
def indices(draw: st.DrawFn, shape: tuple[int, ...]) -> Any:
    """An index of a tensor of ``shape``; now and then one that NumPy refuses."""
    common = draw(st.sampled_from([(), (1,), (2,), (3,), (2, 1), (2, 3), (0,)]))
    entries: list[Any] = []
    axis = 0
    while axis < len(shape) and draw(st.integers(0, 5)):
        n = shape[axis]
        kind = draw(st.sampled_from(["int", "slice", "slice", "array", "array", "list", "mask", "masks", "new", "..."]))
        if kind == "int":
            entries.append(
                draw(st.integers(-n - 1, n) if not draw(st.integers(0, 19)) else st.integers(-n, max(n - 1, 0)))
            )
        elif kind == "slice":
            entries.append(draw(slices(n)))
        elif kind == "array":
            part = draw(st.sampled_from([common, common[1:], (1,) * len(common)]))
            entries.append(draw(arrays(n, part)))
        elif kind == "list":
            entries.append(draw(arrays(n, common[:1])).tolist() if common else draw(st.integers(-n, max(n - 1, 0))))
        elif kind == "mask":
            entries.append(draw(masks((n,))))
        elif kind == "masks":
            rank = draw(st.integers(0, len(shape) - axis))
            entries.append(draw(masks(shape[axis : axis + rank])))
            axis += rank - 1
        elif kind == "new":
            entries.append(None)
            axis -= 1
        elif ... not in [e for e in entries if e is ...]:
            entries.append(...)
            axis += draw(st.integers(0, len(shape) - axis)) - 1
        else:
            axis -= 1
        axis += 1
    if len(entries) == 1 and draw(st.booleans()):
        return entries[0]
    return tuple(entries)


def ours(entry: Any) -> Any:
    """Arrays as tensors."""
    if isinstance(entry, tuple):
        return tuple(map(ours, entry))
    return tw.as_tensor(entry.copy()) if isinstance(entry, np.ndarray) else entry


@st.composite
def cases(draw: st.DrawFn) -> tuple[Array, Any]:
    shape = tuple(draw(st.lists(st.integers(0, 5), max_size=4)))
    x = np.random.default_rng(draw(st.integers(0, 50))).integers(0, 9, shape).astype(draw(st.sampled_from(DTYPES)))
    if len(shape) > 1 and draw(st.booleans()):
        x = x.T
    return x, draw(indices(x.shape))


def attempt(work: Any) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except (IndexError, ValueError, TypeError, tw.TilewrightError) as error:
        return None, error


def lenient(error: Exception | None) -> bool:
    """NumPy takes empty masks for axes of other extents; PyTorch and we do not."""
    return error is not None and "a mask of shape" in str(error) and "0" in str(error)


def agree(case: tuple[Array, Any]) -> None:
    x, index = case
    expected, wrong = attempt(lambda: x[index])
    found, refused = attempt(lambda: tw.from_numpy(x)[ours(index)])
    if wrong is None and lenient(refused):
        return
    assert (wrong is None) == (refused is None), (wrong, refused)
    if wrong is None:
        got = np.asarray(found)
        assert got.dtype == np.asarray(expected).dtype and got.shape == np.shape(expected)
        np.testing.assert_array_equal(got, expected)


@st.composite
def assignments(draw: st.DrawFn) -> tuple[Array, Any, Any]:
    x, index = draw(cases())
    part, wrong = attempt(lambda: x[index])
    shape = np.shape(part) if wrong is None else ()
    kind = draw(st.sampled_from(["number", "whole", "stretched", "wrong"]))
    if kind == "number":
        return x, index, draw(st.sampled_from([0, 1, 3]))
    if kind == "stretched":
        shape = tuple(n if draw(st.booleans()) else 1 for n in shape)[draw(st.integers(0, len(shape))) :]
    if kind == "wrong":
        shape = (*shape, 7)
    value = np.random.default_rng(draw(st.integers(0, 50))).integers(0, 9, shape)
    return x, index, value.astype(draw(st.sampled_from([x.dtype, x.dtype, np.dtype(np.int64)])))


def assign_alike(case: tuple[Array, Any, Any]) -> None:
    x, index, value = case
    expected, mine = x.copy(), x.copy()

    def by_numpy() -> None:
        expected[index] = value

    def by_us() -> None:
        tw.from_numpy(mine)[ours(index)] = tw.as_tensor(value) if isinstance(value, np.ndarray) else value

    _, wrong = attempt(by_numpy)
    _, refused = attempt(by_us)
    if wrong is None and lenient(refused):
        return
    assert (wrong is None) == (refused is None), (wrong, refused)
    np.testing.assert_array_equal(mine, x if wrong is not None else expected)


@given(cases())
@settings(max_examples=400, deadline=None)
def test_what_is_read(case: tuple[Array, Any]) -> None:
    agree(case)


@given(assignments())
@settings(max_examples=400, deadline=None)
def test_what_is_assigned(case: tuple[Array, Any, Any]) -> None:
    assign_alike(case)


@pytest.mark.full
@given(cases())
@settings(max_examples=3000, deadline=None)
def test_much_is_read(case: tuple[Array, Any]) -> None:
    agree(case)


@pytest.mark.full
@given(assignments())
@settings(max_examples=3000, deadline=None)
def test_much_is_assigned(case: tuple[Array, Any, Any]) -> None:
    assign_alike(case)
