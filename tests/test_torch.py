"""The shipped ops beside PyTorch's, which other people wrote and many use."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from op_table import EPSILON, FLOATS, INTS, NUMPY

import tilewright as tw

torch = pytest.importorskip("torch", reason="PyTorch is not installed; .ci/run installs it")

Array = NDArray[Any]
RNG = np.random.default_rng(29)
SIGNED = tuple(n for n in INTS if n[0] == "i")
TYPES = {
    "bf16": torch.bfloat16, "f16": torch.float16, "f32": torch.float32, "f64": torch.float64, "u8": torch.uint8,
    **{n: getattr(torch, f"int{n[1:]}") for n in SIGNED},
}  # fmt: skip


def normal(dtype: str, *shape: int) -> Array:
    return np.asarray(RNG.normal(size=shape).astype(NUMPY[dtype]))


def to_torch(x: Array, dtype: str) -> Any:
    """The same bits, strides too."""
    if dtype == "bf16":
        return torch.from_numpy(x.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(x)


def from_torch(x: Any) -> Array:
    return np.asarray((x.double() if x.is_floating_point() else x).numpy())


def assert_close(actual: Array, expected: Any, dtype: str, ulps: float) -> None:
    """Within ``ulps`` units of the dtype relative to the largest value; torch keeps to its own order of sums."""
    wanted = from_torch(expected)
    assert actual.dtype == NUMPY[dtype] and actual.shape == wanted.shape
    scale = np.max(np.abs(wanted), initial=0.0)
    np.testing.assert_allclose(actual.astype(np.float64), wanted, rtol=0, atol=ulps * EPSILON[dtype] * scale)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("size", [(1, 1, 1), (17, 23, 37), (64, 100, 3), (5, 0, 7)])
def test_matmul(dtype: str, size: tuple[int, int, int]) -> None:
    m, k, n = size
    a, b = normal(dtype, m, k), normal(dtype, n, k).T
    wanted = torch.matmul(to_torch(a, dtype), to_torch(np.ascontiguousarray(b), dtype))
    assert_close(tw.ops.matmul(a, b), wanted, dtype, 4)


@pytest.mark.parametrize("dtype", SIGNED)
def test_matmul_of_integers(dtype: str) -> None:
    a, b = (RNG.integers(-99, 99, shape).astype(NUMPY[dtype]) for shape in ((7, 9), (9, 33)))
    np.testing.assert_array_equal(tw.ops.matmul(a, b), torch.matmul(to_torch(a, dtype), to_torch(b, dtype)).numpy())


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(1,), (3, 133), (2, 3, 1), (2, 9001), (0, 4)])
def test_softmax(dtype: str, shape: tuple[int, ...]) -> None:
    x = normal(dtype, *shape) * NUMPY[dtype](3)
    assert_close(tw.ops.softmax(x), torch.softmax(to_torch(x, dtype), -1), dtype, 4)


@pytest.mark.parametrize("dtype", FLOATS)
def test_softmax_of_extremes(dtype: str) -> None:
    rows = [[1e4, -1e4, 0], [-np.inf, 0, 1], [-np.inf, -np.inf, -np.inf], [np.inf, 0, 1], [np.nan, 0, 1]]
    x = np.array(rows).astype(NUMPY[dtype])
    wanted = from_torch(torch.softmax(to_torch(x, dtype), -1))
    np.testing.assert_allclose(tw.ops.softmax(x).astype(np.float64), wanted, rtol=4 * EPSILON[dtype], atol=0)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize(
    ("stride", "pad", "bias", "window"),
    [(1, 0, False, (3, 3)), (2, 1, True, (3, 2)), (3, 2, True, (1, 4)), (1, 4, False, (5, 5)), (2, 0, True, (1, 1))],
)
def test_conv2d(dtype: str, stride: int, pad: int, bias: bool, window: tuple[int, int]) -> None:
    x, w, b = normal(dtype, 2, 3, 9, 19), normal(dtype, 4, 3, *window), normal(dtype, 4) if bias else None
    given = [to_torch(v, dtype) for v in (x, w)]
    bias_there = None if b is None else to_torch(b, dtype)
    wanted = torch.nn.functional.conv2d(*given, bias_there, stride=stride, padding=pad)
    assert_close(tw.ops.conv2d(x, w, b, stride=stride, padding=pad), wanted, dtype, 4)


@pytest.mark.parametrize("index", ["i32", "i64"])
@pytest.mark.parametrize("dtype", (*FLOATS, *SIGNED, "u8"))
def test_embedding(dtype: str, index: str) -> None:
    w = normal(dtype, 11, 37) if dtype in FLOATS else RNG.integers(0, 99, (11, 37)).astype(NUMPY[dtype])
    idx = RNG.integers(0, 11, (3, 5)).astype(NUMPY[index])
    wanted = from_torch(torch.nn.functional.embedding(to_torch(idx, index), to_torch(w, dtype)))
    np.testing.assert_array_equal(tw.ops.embedding(w, idx).astype(wanted.dtype), wanted)


@pytest.mark.parametrize("dtype", ("f32", "f64"))
@pytest.mark.parametrize("shape", [(1,), (3, 133), (2, 9001), (0, 3)])
def test_cumsum(dtype: str, shape: tuple[int, ...]) -> None:
    """Rounding errors of a chain of n additions walk randomly: about sqrt(n) units."""
    x = normal(dtype, *shape)
    assert_close(tw.ops.cumsum(x), torch.cumsum(to_torch(x, dtype), -1), dtype, max(16, 2 * shape[-1] ** 0.5))


@pytest.mark.parametrize("dtype", ("f16", "bf16"))
def test_cumsum_of_halves(dtype: str) -> None:
    """Short, as torch rounds each step: sums of small integers are exact in both."""
    x = RNG.integers(-3, 4, (3, 20)).astype(NUMPY[dtype])
    wanted = from_torch(torch.cumsum(to_torch(x, dtype), -1))
    np.testing.assert_array_equal(tw.ops.cumsum(x).astype(np.float64), wanted)


@pytest.mark.parametrize("dtype", SIGNED)
def test_cumsum_of_integers(dtype: str) -> None:
    x = RNG.integers(-99, 99, (3, 300)).astype(NUMPY[dtype])
    wanted = torch.cumsum(to_torch(x, dtype), -1, dtype=TYPES[dtype])
    np.testing.assert_array_equal(tw.ops.cumsum(x), wanted.numpy())


@pytest.mark.parametrize("dtype", (*FLOATS, *SIGNED, "u8"))
def test_argmax(dtype: str) -> None:
    x = normal(dtype, 5, 133) if dtype in FLOATS else RNG.integers(0, 99, (5, 133)).astype(NUMPY[dtype])
    place = tw.ops.argmax(x, R=1)
    assert place.dtype == np.int64
    value = np.take_along_axis(x, place[:, None], -1)[:, 0]
    np.testing.assert_array_equal(value.astype(np.float64), from_torch(to_torch(x, dtype).amax(-1)))
    assert all((x[r, : place[r]] < value[r]).all() for r in range(5))


@pytest.mark.parametrize("dtype", ("f32", "f64"))
def test_argmax_of_nan_infinities_and_ties(dtype: str) -> None:
    """torch names the first of equal values on short rows, and NaN as the largest."""
    rows = [
        [1, 3, 3, 2],
        [0, np.nan, 5, np.nan],
        [np.inf, np.nan, np.inf, 0],
        [-np.inf] * 4,
        [np.nan] * 4,
        [0, -0.0, 0, 0],
    ]
    x = np.array(rows).astype(NUMPY[dtype])
    np.testing.assert_array_equal(tw.ops.argmax(x, R=1), torch.argmax(to_torch(x, dtype), -1).numpy())


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", [0.0, 0.25, 0.9])
def test_dropout(dtype: str, p: float) -> None:
    """Other random numbers than torch's, but as many zeros, and torch's scale on what is kept."""
    n = 20000
    x = np.ones((4, n // 4), NUMPY[dtype])
    ours = tw.ops.dropout(x, p=p, seed=3, offset=0).astype(np.float64)
    torch.manual_seed(3)
    theirs = from_torch(torch.nn.functional.dropout(to_torch(x, dtype), p))
    kept = theirs[theirs != 0]
    # our p is an f32, and so is the scale
    np.testing.assert_allclose(ours[ours != 0], kept[0], rtol=max(EPSILON[dtype], 2 * EPSILON["f32"]))
    deviation = np.sqrt(p * (1 - p) / n)
    assert abs((ours == 0).mean() - p) <= 4 * deviation


def test_dropout_keeps_or_scales_each_element() -> None:
    x = normal("f32", 3, 1001)
    y = tw.ops.dropout(x, p=0.25, seed=9, offset=2)
    mask = tw.ops.dropout(np.ones_like(x), p=0.25, seed=9, offset=2) != 0
    np.testing.assert_array_equal(y, np.where(mask, x * np.float32(1 / (1 - np.float32(0.25))), np.float32(0)))
