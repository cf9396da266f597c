"""Indices of tensors beside NumPy's: any mixture of numbers, slices, new axes, arrays and masks, read and assigned."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.stdlib.families import at_places

Array = np.ndarray[Any, Any]
DTYPES = (
    "float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool",
)  # fmt: skip


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
    return error is not None and "a mask of shape" in str(error) and re.search(r"\b0\b", str(error)) is not None


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
@settings(max_examples=750, deadline=None)
def test_what_is_read(case: tuple[Array, Any]) -> None:
    agree(case)


@given(assignments())
@settings(max_examples=750, deadline=None)
def test_what_is_assigned(case: tuple[Array, Any, Any]) -> None:
    assign_alike(case)


def test_sums_at_places() -> None:
    x, y = tw.zeros(4, 3), np.zeros((4, 3), np.float32)
    rows, columns = [0, 3, 0, -4], [1, 2, 1, 1]
    values = np.arange(4, dtype=np.float32)
    assert x.index_put_((tw.tensor(rows), tw.tensor(columns)), tw.tensor(values), accumulate=True) is x
    np.add.at(y, (rows, columns), values)
    assert x.tolist() == y.tolist()
    made = tw.index_put(x, (tw.tensor(rows),), tw.tensor(7.0))
    y[rows] = 7
    assert made.tolist() == y.tolist() and x.tolist() != y.tolist()


def test_places_and_values_may_be_of_the_tensor_itself() -> None:
    x, y = tw.tensor([3, 1, 2, 0]), np.array([3, 1, 2, 0])
    x[x] = x * 10
    y[y.copy()] = y * 10
    assert x.tolist() == y.tolist()
    x[x > 5] = x[x > 5].flip(0)
    y[y > 5] = y[y > 5][::-1].copy()
    assert x.tolist() == y.tolist()


def test_places() -> None:
    x = tw.tensor([[0, 5, 0], [7, 0, 9]])
    assert tw.nonzero(x).tolist() == tw.argwhere(x).tolist() == [[0, 1], [1, 0], [1, 2]]
    assert [p.tolist() for p in tw.nonzero(x, as_tuple=True)] == [[0, 1, 1], [1, 0, 2]]
    assert tw.nonzero(tw.tensor(3)).shape == (1, 0) and tw.nonzero(tw.zeros(2, 0)).shape == (0, 2)
    assert tw.masked_select(x, tw.tensor([True, False, True])).tolist() == [0, 0, 7, 9]
    assert tw.take(x, tw.tensor([[5, -6]])).tolist() == [[9, 0]]
    part = tw.take(x, tw.tensor([[True, False]]).to(tw.int8))
    assert part.tolist() == [[5, 0]] and part.dtype is tw.int64


def test_known_patterns_compile_nothing() -> None:
    def work(n: int) -> None:
        x = tw.arange(n * 6).reshape(n, 6)
        x[tw.tensor([0, n - 1]), 1:4], x[x % 3 == 1], x[:, [0, 5]]
        x[tw.tensor([n - 1, 0])] = tw.zeros(2, 6, dtype=tw.int64)
        x[x > 7] = -1

    def misses() -> int:
        made = (*at_places.take._made.values(), *at_places.put._made.values())
        return sum(op.misses for op in (*made, tw.ops.masked_fill, tw.ops.nonzero, tw.ops.count_nonzero))

    for n in (2, 3, 7):
        work(n)
    met = misses()
    for n in range(2, 40):
        work(n)
    assert misses() == met > 0


@pytest.mark.parametrize(
    ("index", "said"),
    [
        ((0, 0, 0), "too many indices: 3 for f32[2, 3]"),
        (([0], 0, 0), "3 indices for the 2 axes of a tensor"),
        (([0], ..., ...), "an index has ... twice"),
        ((..., ...), "..."),
        (2, "index 2 is out of range for axis 0 of f32[2, 3]"),
        ((0, -4), "index -4 is out of range for axis 1 of f32[2, 3]"),
        (([0], 3), "the index 3 is out of range for an axis of extent 3"),
        ((None, [0], -4), "the index -4 is out of range for an axis of extent 3"),
        (([0, 2],), "element 1 of 'index0' (counted row by row) is the index 2, out of range"),
        ((slice(None), [0, -4]), "element 1 of 'index1' (counted row by row) is the index -1, out of range"),
        (([[0], [5]],), "element 1 of 'index0'"),
        ((slice(0, 0), [7]), "the index 7 is out of range for an axis of extent 3"),
        (0.5, "0.5 is no index"),
        ((0, 1.0), "1.0 is no index"),
        ("a", "'a' is no index"),
        (([0], "a"), "'a' is no index"),
        (([0.5],), "an array of tilewright.float32 is no index"),
        (tw.zeros(2), "an array of tilewright.float32 is no index"),
        (np.zeros((1, 1)), "an array of tilewright.float64 is no index"),
        (np.array(["a"]), "is no index"),
        ({0: 1}, "{0: 1} is no index"),
        ({1}, "{1} is no index"),
        (([True, False, True],), "a mask of shape [3] stands for axes of extents [2]"),
        ((0, [True]), "a mask of shape [1] stands for axes of extents [3]"),
        (np.ones((2, 2), bool), "a mask of shape [2, 2] stands for axes of extents [2, 3]"),
        (np.ones((2, 3, 1), bool), "3 indices for the 2 axes of a tensor"),
        (([0, 1], [0, 1, 2]), "the shapes [2], [3] do not broadcast"),
        ((slice(0, 1, 0),), "slice"),
        ((slice("a"),), "slice"),
        (([0], slice(0.5)), "slice"),
        (([[0], [1, 2]],), "element 1 of a list has the shape [2], those before [1]"),
    ],
    ids=repr,
)
def test_wrong_indices(index: Any, said: str) -> None:
    with pytest.raises((tw.TilewrightError, TypeError, ValueError)) as caught:
        tw.ones(2, 3)[index]
    assert said in str(caught.value)
    with pytest.raises((tw.TilewrightError, TypeError, ValueError)):
        tw.ones(2, 3)[index] = 1


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
