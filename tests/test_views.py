"""Views and basic indexing: equal to PyTorch's and NumPy's, over the same memory."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.errors import CallError, CallIndexError, CallTypeError
from tilewright.runtime import dtypes, set_tensor_hooks

Array = np.ndarray[Any, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]
SHAPES = st.lists(st.sampled_from([0, 1, 1, 2, 2, 3, 4]), max_size=4).map(tuple)


def counted(shape: tuple[int, ...], dtype: Any = np.int64) -> Array:
    return np.arange(math.prod(shape), dtype=dtype).reshape(shape)


def outcome(function: Callable[[], Any], errors: tuple[type[Exception], ...]) -> Any:
    """What it returns, or None where it refuses."""
    try:
        return function()
    except errors:
        return None


# --- arguments for a tensor of some shape, a few of them wrong ------------------------------------


def dims(rank: int) -> st.SearchStrategy[int]:
    return st.integers(-max(rank, 1) - 1, max(rank, 1))


def right_dims(rank: int) -> st.SearchStrategy[int]:
    return st.integers(-max(rank, 1), max(rank, 1) - 1)


def factors(draw: Draw, n: int) -> list[int]:
    """Extents whose product is n."""
    found = []
    while n > 1:
        found.append(draw(st.sampled_from([d for d in range(2, n + 1) if n % d == 0])))
        n //= found[-1]
    if n == 0:
        found = draw(st.lists(st.integers(0, 3), min_size=1, max_size=3))
    for _ in range(draw(st.integers(0, 2))):
        found.insert(draw(st.integers(0, len(found))), 1)
    return found


def shape_of(draw: Draw, shape: tuple[int, ...]) -> tuple[Any, ...]:
    new = factors(draw, math.prod(shape))
    if new and draw(st.booleans()):
        new[draw(st.integers(0, len(new) - 1))] = -1
    return (tuple(new),)


def expanded(draw: Draw, shape: tuple[int, ...]) -> tuple[Any, ...]:
    kept = [draw(st.sampled_from([n, -1])) if n != 1 else draw(st.integers(-1, 3)) for n in shape]
    return ([*draw(st.lists(st.integers(0, 3), max_size=2)), *kept],)


def moved(draw: Draw, shape: tuple[int, ...]) -> tuple[Any, ...]:
    n = draw(st.integers(0, len(shape)))
    order = st.permutations(range(len(shape)))
    return tuple(draw(order)[:n]), tuple(draw(order)[:n])


def part(draw: Draw, shape: tuple[int, ...]) -> tuple[Any, ...]:
    return draw(dims(len(shape))), draw(st.integers(-3, 4)), draw(st.integers(0, 4))


def lengths(draw: Draw, shape: tuple[int, ...]) -> tuple[Any, ...]:
    dim = draw(right_dims(len(shape)))
    ends = sorted(draw(st.lists(st.integers(0, shape[dim] if shape else 0), max_size=3)))
    whole = [0, *ends, shape[dim] if shape else 0]
    found = [b - a for a, b in zip(whole, whole[1:], strict=False)]
    return found[: draw(st.integers(1, 9))], dim


def strided(draw: Draw, shape: tuple[int, ...]) -> tuple[Any, ...]:
    size = draw(st.lists(st.integers(0, 3), max_size=3))
    return size, [draw(st.integers(0, 3)) for _ in size], draw(st.none() | st.integers(0, 3))


def window(draw: Draw, shape: tuple[int, ...]) -> tuple[Any, ...]:
    return draw(right_dims(len(shape))), draw(st.integers(0, 3)), draw(st.integers(1, 3))


def unflattened(draw: Draw, shape: tuple[int, ...]) -> tuple[Any, ...]:
    dim = draw(right_dims(len(shape)))
    return dim, shape_of(draw, shape[dim : dim + 1 or None] if shape else (1,))[0] or (1,)


def some(*strategies: Callable[[int], st.SearchStrategy[Any]]) -> Callable[[Draw, tuple[int, ...]], tuple[Any, ...]]:
    """Arguments that depend on the rank alone."""
    return lambda draw, shape: tuple(draw(make(len(shape))) for make in strategies)


def small(low: int, high: int) -> Callable[[int], st.SearchStrategy[int]]:
    return lambda rank: st.integers(low, high)


VIEWS: dict[str, Callable[[Draw, tuple[int, ...]], tuple[Any, ...]]] = {
    "reshape": shape_of,
    "view": shape_of,
    "ravel": some(),
    "flatten": some(dims, dims),
    "unflatten": unflattened,
    "permute": some(lambda rank: st.permutations(range(rank)).map(tuple)),
    "transpose": some(dims, dims),
    "swapaxes": some(dims, dims),
    "movedim": moved,
    "squeeze": some(dims),
    "unsqueeze": some(lambda rank: dims(rank + 1)),
    "expand": expanded,
    "narrow": part,
    "select": some(dims, small(-4, 3)),
    "split": some(small(0, 4), dims),
    "chunk": some(small(1, 4), dims),
    "tensor_split": some(small(1, 4), dims),
    "unbind": some(dims),
    "diagonal": some(small(-3, 3), dims, dims),
    "as_strided": strided,
    "unfold": window,
}
LISTS = {"split": lengths, "tensor_split": some(lambda rank: st.lists(st.integers(-4, 5), max_size=3), dims)}


def steps(draw: Draw, shape: tuple[int, ...]) -> tuple[str, tuple[Any, ...]]:
    name = draw(st.sampled_from(sorted(VIEWS)))
    make = LISTS[name] if name in LISTS and draw(st.booleans()) else VIEWS[name]
    return name, make(draw, shape)


def storage_of(x: Any) -> int:
    """The address of the storage of a tensor, of ours or PyTorch's."""
    address: int = x.data_ptr() - x.storage_offset() * x.element_size()
    return address


def one_of(draw: Draw, results: tuple[Any, Any]) -> tuple[Any, Any]:
    """The same part of two results that may be tuples."""
    if not isinstance(results[0], tuple):
        return results
    assert isinstance(results[1], tuple) and len(results[0]) == len(results[1])
    i = draw(st.integers(0, len(results[0]) - 1)) if results[0] else 0
    return (results[0][i], results[1][i]) if results[0] else (None, None)


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_chains_of_views_are_those_of_torch(data: st.DataObject) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: its views are no oracle here")
    shape = data.draw(SHAPES)
    peer = torch.arange(math.prod(shape)).reshape(shape)
    tensor = tw.from_dlpack(peer)
    for _ in range(data.draw(st.integers(1, 5))):
        name, arguments = steps(data.draw, tensor.shape)
        expected = outcome(lambda: getattr(peer, name)(*arguments), (RuntimeError, IndexError, ValueError))  # noqa: B023
        got = outcome(lambda: getattr(tensor, name)(*arguments), (CallError, CallIndexError))  # noqa: B023
        assert (expected is None) == (got is None), (name, arguments, peer.shape, peer.stride(), expected, got)
        if got is None:
            continue
        expected, got = one_of(data.draw, (expected, got))
        if got is None or got.numel() > 10000:
            return
        assert got.shape == tuple(expected.shape) and got.tolist() == expected.tolist(), (name, arguments)
        assert got.stride() == expected.stride(), (name, arguments, peer.shape, peer.stride())
        assert got.storage_offset() == expected.storage_offset(), (name, arguments)
        assert got.is_contiguous() == expected.is_contiguous()
        if tensor.numel() and got.numel():
            copied = storage_of(expected) != storage_of(peer)
            assert (storage_of(got) != storage_of(tensor)) == copied, (name, arguments, peer.shape, peer.stride())
        peer, tensor = expected, got


NUMPY: dict[str, Callable[..., Array]] = {
    "reshape": lambda x, shape: x.reshape(shape),
    "permute": np.transpose,
    "transpose": np.swapaxes,
    "movedim": np.moveaxis,
    "unsqueeze": np.expand_dims,
    "diagonal": np.diagonal,
    "select": lambda x, dim, index: np.moveaxis(x, dim, 0)[index],
    "tensor_split": lambda x, at, dim: tuple(np.array_split(x, at, dim)),
}


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_chains_of_views_are_those_of_numpy(data: st.DataObject) -> None:
    array = counted(data.draw(SHAPES))
    tensor = tw.as_tensor(array)
    for _ in range(data.draw(st.integers(1, 5))):
        name = data.draw(st.sampled_from(sorted(NUMPY)))
        if not array.ndim and name in ("transpose", "select", "tensor_split", "movedim"):
            continue  # without axes PyTorch has axis 0 all the same
        arguments = VIEWS[name](data.draw, array.shape)
        expected = outcome(lambda: NUMPY[name](array, *arguments), (ValueError, IndexError))  # noqa: B023
        got = outcome(lambda: getattr(tensor, name)(*arguments), (CallError, CallIndexError))  # noqa: B023
        assert (expected is None) == (got is None), (name, arguments, array.shape)
        if got is not None:
            array, tensor = one_of(data.draw, (expected, got))
            assert tensor.shape == array.shape and tensor.tolist() == array.tolist(), (name, arguments)


# --- x[...] -------------------------------------------------------------------------------------

BOUNDS = st.none() | st.integers(-6, 6)
SLICES = st.builds(slice, BOUNDS, BOUNDS, st.none() | st.sampled_from([-3, -2, -1, 1, 2, 3, 2**62, -(2**63)]))
ITEMS = st.one_of(
    SLICES,
    st.integers(-4, 3),
    st.integers(-4, 3).map(np.int16),
    st.integers(-4, 3).map(np.array),
    st.none(),
    st.just(...),
)
LAYOUTS: list[Callable[[Array], Array]] = [
    lambda x: x,
    lambda x: x.T,
    lambda x: x[..., ::-1] if x.ndim else x,
    lambda x: x[::2] if x.ndim else x,
    lambda x: np.broadcast_to(x, (2, *x.shape)),
]


def as_ints(index: Any) -> Any:
    """The index with ints in place of arrays: of these NumPy makes copies."""
    if isinstance(index, tuple):
        return tuple(map(as_ints, index))
    return int(index) if isinstance(index, np.ndarray) else index


@settings(max_examples=600, deadline=None)
@given(SHAPES, st.sampled_from(LAYOUTS), st.lists(ITEMS, max_size=5).map(tuple) | ITEMS)
def test_basic_indices_are_those_of_numpy(shape: tuple[int, ...], layout: Callable[[Array], Array], index: Any) -> None:
    array = layout(counted(shape))
    tensor = tw.as_tensor(array)
    expected = outcome(lambda: array[as_ints(index)], (IndexError,))
    got = outcome(lambda: tensor[index], (CallIndexError,))
    assert (expected is None) == (got is None)
    if got is None:
        return
    assert got.shape == expected.shape and got.tolist() == expected.tolist()
    assert got.dtype is tensor.dtype and np.asarray(got).flags.writeable == array.flags.writeable
    if isinstance(expected, np.ndarray) and expected.size:
        assert got.data_ptr() == expected.ctypes.data


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_basic_indices_have_the_strides_of_torch(data: st.DataObject) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: its strides are no oracle here")
    forward = st.builds(slice, BOUNDS, BOUNDS, st.none() | st.integers(1, 3))
    shape = data.draw(SHAPES)
    index = data.draw(st.lists(st.one_of(forward, st.integers(-4, 3), st.none(), st.just(...)), max_size=5).map(tuple))
    if index.count(...) > 1:
        return
    peer = torch.arange(math.prod(shape)).reshape(shape)
    tensor = tw.from_dlpack(peer)
    expected = outcome(lambda: peer[index], (IndexError,))
    got = outcome(lambda: tensor[index], (CallIndexError,))
    assert (expected is None) == (got is None)
    if got is not None:
        assert (got.shape, got.stride()) == (tuple(expected.shape), expected.stride())
        assert got.storage_offset() == expected.storage_offset()


def test_tensors_are_indices() -> None:
    x = tw.as_tensor(counted((4, 4)))
    two = tw.as_tensor(np.array(2, np.int16))
    assert x[two, 1].item() == 9 and x[:two].shape == (2, 4) and x[two:, two].tolist() == [10, 14]
    assert x.narrow(0, two, 1).tolist() == [[8, 9, 10, 11]] and x.reshape(two, 8).shape == (2, 8)
    assert operator.index(tw.as_tensor(np.array([[3]]))) == 3 and [5, 6, 7][two] == 7


@pytest.fixture
def asked() -> Iterator[list[Any]]:
    """What hooks were called with: they return their name."""
    calls: list[Any] = []

    def hook(name: str) -> Callable[..., str]:
        return lambda *arguments: calls.append((name, *arguments)) or name  # type: ignore[func-returns-value]

    names = ("advanced_getitem", "advanced_setitem", "assign")
    before = set_tensor_hooks(**{name: hook(name) for name in names})
    yield calls
    set_tensor_hooks(**before)


MASK = np.array([True, False])
ADVANCED = [[0, 1], True, np.True_, MASK, np.array([0, 1]), (0, [1]), (slice(None), MASK), (None, False), "name", 1.5]


@pytest.mark.parametrize("index", ADVANCED, ids=repr)
def test_other_indices_are_left_to_python(index: Any, asked: list[Any]) -> None:
    x = tw.as_tensor(counted((2, 2)))
    assert x[index] == "advanced_getitem"
    x[index] = 5
    assert asked[0][0] == "advanced_getitem" and asked[0][1] is x and asked[0][2] is index
    assert asked[1][0] == "advanced_setitem" and asked[1][1] is x and asked[1][2] is index and asked[1][3] == 5


def test_tensors_of_several_numbers_or_bools_are_left_to_python(asked: list[Any]) -> None:
    x = tw.as_tensor(counted((2, 2)))
    for index in (
        tw.as_tensor(np.array([1])),
        tw.as_tensor(np.array(True)),
        tw.as_tensor(MASK),
        (0, tw.as_tensor(np.array(1.5))),
    ):
        x[index]
        assert asked.pop()[2] is index


def test_assignment_is_to_the_view(asked: list[Any]) -> None:
    array = counted((3, 4))
    x = tw.as_tensor(array)
    x[1:, ::-2] = 7.5
    name, view, value = asked.pop()
    assert name == "assign" and value == 7.5
    assert view.shape == (2, 2) and view.data_ptr() == array[1:, ::-2].ctypes.data and view.stride() == (4, -2)
    x[2] = asked
    assert asked.pop()[1].tolist() == [8, 9, 10, 11]


def test_what_hooks_raise_is_raised() -> None:
    def refuse(*arguments: object) -> None:
        raise KeyError("no")

    before = set_tensor_hooks(assign=refuse, advanced_getitem=refuse)
    try:
        x = tw.as_tensor(counted((2,)))
        with pytest.raises(KeyError):
            x[0] = 1
        with pytest.raises(KeyError):
            x[[0]]
    finally:
        assert set_tensor_hooks(**before) == {"assign": refuse, "advanced_getitem": refuse}
    with pytest.raises(TypeError, match="no hook 'other'"):
        set_tensor_hooks(other=refuse)


# --- memory -------------------------------------------------------------------------------------


def test_views_are_read_only_where_the_tensor_is() -> None:
    array = counted((2, 6))
    array.flags.writeable = False
    x = tw.as_tensor(array)
    for view in (x[0], x.T, x.reshape(12), *x.split(1), x.view(tw.uint8), x.expand(3, 2, 6), x.diagonal()):
        assert not view.numpy().flags.writeable
    assert x.T.reshape(12).numpy().flags.writeable, "a copy"


def test_the_strides_of_axes_of_extent_1_do_not_matter() -> None:
    x = tw.as_tensor(counted((1, 2, 3))).permute(1, 0, 2)
    assert x.stride() == (3, 6, 1) and x.view(6).data_ptr() == x.data_ptr() == x.reshape(3, 2).data_ptr()
    with pytest.raises(CallError, match="has no view of shape"):
        tw.as_tensor(counted((2, 1, 3))).permute(2, 1, 0).view(6)


def test_views_share_the_count_of_writes() -> None:
    x = tw.as_tensor(counted((2, 6)))
    views = (x, x[0], x.T, x.view(tw.int8))
    assert {view._version for view in views} == {0}
    x[0, 1:] = 3
    assert {view._version for view in views} == {1} and x.tolist()[0] == [0, 3, 3, 3, 3, 3]


def test_views_keep_their_memory() -> None:
    x = tw.ops.add(tw.as_tensor(counted((3,))), tw.as_tensor(counted((3,))))[1:]
    fill = [tw.ops.add(x, x) for _ in range(4)]
    assert x.tolist() == [2, 4] and fill[0].tolist() == [4, 8]


@pytest.mark.parametrize("flip", [np.s_[:], np.s_[::-1], np.s_[::-2]])
def test_strides_stay_within_borrowed_memory(flip: slice) -> None:
    array = np.arange(10)[flip]
    x = tw.as_tensor(array)
    low = min(array.ctypes.data, array[-1:].ctypes.data)
    whole = abs(array.strides[0]) // 8 * (len(array) - 1) + 1
    assert x.storage_offset() == (array.ctypes.data - low) // 8
    assert x.as_strided((whole,), (1,), 0).data_ptr() == low
    with pytest.raises(CallError, match="outside of the memory"):
        x.as_strided((whole + 1,), (1,), 0)
    with pytest.raises(CallError, match="outside of the memory"):
        x.as_strided((2,), (-1,), 0)


EXTREMES = [2**31, -(2**31), 2**33, 2**48, -(2**48), 2**62, 2**63 - 1, -(2**63), 2**64]
ANY = st.integers(-4, 8) | st.sampled_from(EXTREMES)
ANY_INDEX = st.one_of(ANY, st.none(), st.just(...), st.builds(slice, ANY | st.none(), ANY | st.none(), ANY | st.none()))
FREE = "as_strided diagonal expand movedim narrow permute select squeeze t transpose unflatten unfold unsqueeze"


@settings(max_examples=600, deadline=None)
@given(st.data())
def test_no_view_reaches_outside_of_the_memory(data: st.DataObject) -> None:
    array = data.draw(st.sampled_from(LAYOUTS))(counted(data.draw(SHAPES)))
    low, high = np.lib.array_utils.byte_bounds(array)
    view = tw.as_tensor(array)
    for _ in range(data.draw(st.integers(1, 6))):
        if data.draw(st.booleans()):
            index = data.draw(st.lists(ANY_INDEX, max_size=4).map(tuple))
            made = outcome(lambda: view[index], (CallError, CallIndexError))  # noqa: B023
        else:
            name = data.draw(st.sampled_from(FREE.split()))
            arguments = data.draw(st.lists(ANY | st.lists(ANY, max_size=4), max_size=3))
            errors = (CallError, CallIndexError, CallTypeError)
            made = outcome(lambda: getattr(view, name)(*arguments), errors)  # noqa: B023
        if made is None or made.nbytes > 1 << 20:
            continue
        view = made
        if view.nbytes:
            first, end = np.lib.array_utils.byte_bounds(np.asarray(view))
            assert low <= first and end <= high
            assert view.data_ptr() % 8 == 0 and view.shape == np.asarray(view).shape


@pytest.mark.parametrize("dtype", [d for d in dtypes.ALL if d is not dtypes.bool_], ids=lambda d: d.code)
def test_reinterpretation_is_that_of_numpy(dtype: dtypes.dtype) -> None:
    array = np.random.default_rng(3).integers(0, 256, (3, 16)).astype(np.uint8)
    x = tw.as_tensor(array).view(dtype)
    bits = np.asarray(x.view(getattr(tw, f"uint{8 * dtype.itemsize}")))
    assert x.dtype is dtype and x.shape == (3, 16 // dtype.itemsize) and x.data_ptr() == array.ctypes.data
    np.testing.assert_array_equal(bits, array.view(f"u{dtype.itemsize}"))
    np.testing.assert_array_equal(x.view(tw.uint8).numpy(), array)


def test_reinterpretation_is_that_of_torch() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is no oracle here")
    peer = torch.arange(48, dtype=torch.int16).reshape(2, 3, 8)[:, ::2]
    x = tw.from_dlpack(peer)
    for name in ("int8", "int16", "bfloat16", "float32", "float64"):
        expected, got = peer.view(getattr(torch, name)), x.view(getattr(tw, name))
        assert (got.shape, got.stride()) == (tuple(expected.shape), expected.stride())
        assert got.view(tw.uint8).tolist() == expected.view(torch.uint8).tolist()
        assert x.view(dtype=getattr(tw, name)).shape == got.shape


def test_elements_stay_aligned_where_the_storage_is_not() -> None:
    array = np.arange(65, dtype=np.uint8)[1:]
    x = tw.as_tensor(array)
    words = x[-array.ctypes.data % 8 :][:48].view(tw.int64)
    assert words.as_strided((2,), (2,)).data_ptr() == words.data_ptr()
    assert words.as_strided((2,), (1,), words.storage_offset() + 1).tolist() == words[1:3].tolist()


@pytest.mark.parametrize("n", [33, 100])
def test_more_axes_than_there_can_be(n: int) -> None:
    x = tw.as_tensor(counted((1,)))
    many = (1,) * n
    for call in (
        lambda: x.reshape(many),
        lambda: x.view(*many),
        lambda: x.unflatten(0, many),
        lambda: x.expand(many),
        lambda: x.as_strided(many, many),
        lambda: x[(None,) * n],
    ):
        with pytest.raises(CallError, match="at most 32 axes"):
            call()
    with pytest.raises(CallError):
        x.permute((0,) * n)
    assert tw.as_tensor(counted((n,))).split([1] * n)[-1].item() == n - 1


def test_what_changes_while_it_is_read() -> None:
    class Shrinks:
        def __index__(self) -> int:
            shape.clear()
            return 1

    shape = [Shrinks(), 1, 1, 1, 1, 1, 1]
    assert tw.as_tensor(counted((1,))).reshape(shape).shape == (1,) * 7

    def fails() -> Iterator[int]:
        yield 1
        raise KeyError("of the iterator")

    with pytest.raises(KeyError, match="of the iterator"):
        tw.as_tensor(counted((1,))).reshape(fails())


# --- numbers ------------------------------------------------------------------------------------

NUMPY_DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "bfloat16"]


@pytest.mark.parametrize("code", NUMPY_DTYPES)
def test_numbers_of_python(code: str) -> None:
    dtype = np.dtype(ml_dtypes.bfloat16 if code == "bfloat16" else code)
    bits = np.random.default_rng(5).integers(0, 256, 64 * dtype.itemsize).astype(np.uint8)
    array = (bits % 2 == 0) if code == "?" else bits.view(dtype)
    x = tw.as_tensor(array.reshape(8, 8).T)
    assert repr(x.tolist()) == repr(array.reshape(8, 8).T.tolist())
    assert repr(x[3, 5].item()) == repr(array.reshape(8, 8).T[3, 5].item())
    assert bool(x[3, 5]) == bool(array.reshape(8, 8).T[3, 5])


def test_tensors_of_one_element_are_numbers() -> None:
    x = tw.as_tensor(np.array([[2.75]]))
    assert (float(x), int(x), bool(x), x.item()) == (2.75, 2, True, 2.75)
    assert not bool(tw.as_tensor(np.array(0.0))) and int(tw.as_tensor(np.array(2**64 - 1, np.uint64))) == 2**64 - 1


def test_tensors_are_iterated_over_by_their_first_axis() -> None:
    x = tw.as_tensor(counted((3, 2)))
    assert len(x) == 3 and [row.tolist() for row in x] == [[0, 1], [2, 3], [4, 5]]
    assert list(tw.as_tensor(counted((0, 2)))) == []


# --- names --------------------------------------------------------------------------------------


def test_both_forms_of_calls() -> None:
    x = tw.as_tensor(counted((2, 3, 4)))
    assert x.permute(2, 0, 1).shape == x.permute((2, 0, 1)).shape == x.permute([2, 0, 1]).shape == (4, 2, 3)
    assert x.permute(dims=(2, 0, 1)).shape == tw.permute(x, (2, 0, 1)).shape == (4, 2, 3)
    assert x.reshape(shape=(6, 4)).shape == x.reshape(np.int64(6), -1).shape == x.view(size=(6, 4)).shape == (6, 4)
    assert x.transpose(dim0=0, dim1=2).shape == x.swapaxes(axis0=0, axis1=2).shape == (4, 3, 2)
    assert x.flatten(start_dim=1).shape == x.flatten(end_dim=-1, start_dim=1).shape == (2, 12)
    assert x.size(dim=1) == 3 and x.stride(dim=None) == x.stride() == (12, 4, 1)
    assert x.squeeze(dim=None).shape == x.squeeze(None).shape == (2, 3, 4)
    assert x.reshape(np.array([6, 4])).shape == x.reshape(iter([6, 4])).shape == (6, 4)


def test_functions_of_several_tensors() -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: it is no oracle here")
    arrays = [counted((3, 1)), counted((4,)), counted(())]
    mine, peers = [tw.as_tensor(a) for a in arrays], [torch.from_numpy(a) for a in arrays]
    for name in ("broadcast_tensors", "atleast_1d", "atleast_2d", "atleast_3d"):
        for ours, theirs in zip(getattr(tw, name)(*mine), getattr(torch, name)(*peers), strict=True):
            assert ours.shape == tuple(theirs.shape) and ours.tolist() == theirs.tolist(), name
    for indexing in ("ij", "xy"):
        grids = tw.meshgrid(mine[1], mine[2], mine[1][:2], indexing=indexing)
        expected = torch.meshgrid(peers[1], peers[2], peers[1][:2], indexing=indexing)
        assert [g.tolist() for g in grids] == [g.tolist() for g in expected]
    assert tw.broadcast_shapes((2, 1), 3) == tuple(torch.broadcast_shapes((2, 1), 3))


@pytest.mark.parametrize(
    ("name", "shape"), [("hsplit", (4,)), ("hsplit", (2, 4)), ("vsplit", (4, 2)), ("dsplit", (2, 2, 4))]
)
def test_parts_along_named_axes(name: str, shape: tuple[int, ...]) -> None:
    array = counted(shape)
    for at in (2, [1, 3]):
        expected = getattr(np, name)(array, at)
        assert [part.tolist() for part in getattr(tw, name)(tw.as_tensor(array), at)] == [p.tolist() for p in expected]


def test_tensors_of_numbers_are_sequences_of_ints() -> None:
    x, at = tw.as_tensor(counted((6, 2))), tw.as_tensor(np.array([2, 3]))
    assert [part.shape[0] for part in x.tensor_split(at)] == [2, 1, 3]
    assert x.reshape(tw.as_tensor(np.array([4, 3]))).shape == (4, 3) and x.permute(
        tw.as_tensor(np.array([1, 0]))
    ).shape == (
        2,
        6,
    )


@pytest.mark.parametrize("dtype", dtypes.ALL, ids=lambda d: d.code)
def test_copies_have_the_elements_of_every_dtype(dtype: dtypes.dtype) -> None:
    words = np.random.default_rng(7).integers(0, 2, (4, 6, 8)).astype(np.uint8)
    x = tw.as_tensor(words.astype(np.bool_)) if dtype is tw.bool else tw.as_tensor(words).view(dtype)
    for view in (x.T, x[::-1], x[:, ::-2], x[:1].expand(3, 6, -1)):
        copy = view.contiguous()
        assert copy.is_contiguous() and copy.dtype is dtype and copy.tolist() == view.tolist()
        assert view.reshape(-1).tolist() == copy.view(-1).tolist()


def test_the_example_of_the_page_runs() -> None:
    page = (Path(__file__).parent.parent / "docs" / "views.md").read_text()
    (example,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    exec(compile(example, "views.md", "exec"), {})
