"""The array API's namespace beside NumPy's: an array without axes counts like any in the dtype of a result."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import tilewright as tw
from tilewright import array_api as xp
from tilewright.stdlib.array_api.elementwise import _TWO

PAIRS = [("int8", "int64"), ("uint8", "int16"), ("uint8", "uint32"), ("float32", "float64")]
ELEMENTWISE = [name for name in _TWO if name != "matmul"]


def operands(left: str, right: str) -> list[tuple[Any, Any]]:
    """Arrays with and without axes, the first of one dtype and the second of another."""
    one, three = np.array(3), np.array([1, 2, 5])
    return [(x.astype(left), y.astype(right)) for x, y in ((one, three), (three, one), (one, one))]


def same(ours: Any, theirs: Any) -> None:
    assert (ours.dtype.name, ours.shape) == (theirs.dtype.name, theirs.shape)
    np.testing.assert_allclose(np.asarray(ours), theirs, rtol=1e-6)


@pytest.mark.parametrize("name", ELEMENTWISE)
def test_functions_of_two_arrays_promote_as_numpys(name: str) -> None:
    compared = 0
    for left, right in [*PAIRS, *(pair[::-1] for pair in PAIRS)]:
        for x, y in operands(left, right):
            try:
                theirs = getattr(np, name)(x, y)
            except TypeError:  # not of these dtypes
                continue
            if x.dtype.kind != "f" and theirs.dtype.kind == "f":  # the standard leaves these to the library
                continue
            same(getattr(xp, name)(xp.asarray(x), xp.asarray(y)), theirs)
            compared += 1
    assert compared >= 6


@pytest.mark.parametrize("pair", PAIRS)
def test_other_functions_of_several_arrays_promote_as_numpys(pair: tuple[str, str]) -> None:
    x, y = np.arange(1, 4).astype(pair[0]), np.arange(4, 7).astype(pair[1])
    one = np.array(2, pair[1])
    ours = [xp.asarray(a) for a in (x, y, one)]
    same(xp.where(ours[0] > 1, ours[0], ours[2]), np.where(x > 1, x, one))
    same(xp.where(ours[0] > 1, ours[2], ours[0]), np.where(x > 1, one, x))
    same(xp.vecdot(ours[0], ours[1]), np.vecdot(x, y))
    same(xp.tensordot(ours[0], ours[1], axes=1), np.tensordot(x, y, 1))
    same(xp.tensordot(ours[0], ours[2], axes=0), np.tensordot(x, one, 0))
    same(xp.matmul(ours[0], ours[1]), np.matmul(x, y))
    same(xp.concat(ours, axis=None), np.concatenate([x, y, one], axis=None))
    same(xp.stack(ours[:2], axis=1), np.stack([x, y], 1))
    same(xp.searchsorted(ours[0], ours[2]), np.searchsorted(x, one))
    expected = np.result_type(*pair).name
    assert xp.result_type(ours[0], ours[2]).name == expected == xp.result_type(ours[0], ours[2].dtype, 1).name


@pytest.mark.parametrize(
    "shapes", [((2, 3, 4), (3, 4)), ((3, 4), (2, 3, 1)), ((0, 1, 4), (1, 4)), ((1, 3, 4), (2, 3, 4))]
)
def test_products_along_an_axis_of_each(shapes: tuple[tuple[int, ...], ...]) -> None:
    x, y = (np.arange(np.prod(shape)).reshape(shape).astype(np.float64) for shape in shapes)
    same(xp.vecdot(xp.asarray(x), xp.asarray(y), axis=-2), np.vecdot(x, y, axis=-2))


def test_numbers_and_operators_promote_as_before() -> None:
    x, one = xp.asarray([1, 2], dtype=tw.int8), xp.asarray(1, dtype=tw.int64)
    assert [xp.add(x, 1).dtype, xp.add(1, x).dtype, xp.where(x > 1, x, 0).dtype] == [tw.int8] * 3
    assert xp.add(x, 1.5).dtype is xp.result_type(x, 1.5) is tw.float32
    assert ((x + one).dtype, xp.add(x, one).dtype) == (tw.int8, tw.int64)  # operators are PyTorch's


def test_what_is_no_array_is_refused_by_name() -> None:
    with pytest.raises(tw.CallTypeError, match=r"add\(\): operand 2"):
        xp.add(xp.asarray([1]), "one")
