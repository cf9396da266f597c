"""The op table: per shipped op its oracle, operands, dtypes and tolerance. A test fails on a missing row or column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

FLOATS = ("f16", "bf16", "f32", "f64")
INTS = ("i8", "i16", "i32", "i64", "u8", "u16", "u32", "u64")
NUMPY: Mapping[str, Any] = {
    "bool": np.bool_, "f16": np.float16, "bf16": ml_dtypes.bfloat16, "f32": np.float32, "f64": np.float64,
    **{n: np.dtype(f"{'int' if n[0] == 'i' else 'uint'}{n[1:]}").type for n in INTS},
}  # fmt: skip
EPSILON = {"f16": 2.0**-10, "bf16": 2.0**-7, "f32": 2.0**-23, "f64": 2.0**-52}


@dataclass(frozen=True)
class Case:
    """One call: tensor operands in order (None: absent), keyword arguments."""

    operands: tuple[Array | None, ...]
    keywords: Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """``case(rng, dtype, size)`` makes operands; sizes are 'odd', 'one' and 'empty' (some axis is 0).

    ``oracle`` gets the case (floats widened to float64) and gives the results, which must agree within
    ``ulps`` units of the result's dtype, relative to the largest value. ``layout_operands`` are tried in every layout,
    ``unit_operands`` with every unit-stride axis at every size.
    """

    op: str
    dtypes: tuple[str, ...]
    case: Callable[[np.random.Generator, str, str], Case]
    oracle: Callable[[Case], tuple[Array, ...]]
    ulps: float
    sizes: tuple[str, ...] = ("odd", "one", "empty")
    layout_operands: tuple[int, ...] = (0,)
    unit_operands: tuple[int, ...] = (0,)


def values(rng: np.random.Generator, dtype: str, shape: tuple[int, ...]) -> Array:
    """Random values: floats around 0, small integers (so that no product or sum overflows 8 bits often)."""
    kind = NUMPY[dtype]
    if dtype == "bool":
        return rng.integers(0, 2, shape).astype(bool)
    if dtype in FLOATS:
        return np.asarray(rng.normal(size=shape)).astype(kind)
    return np.asarray(rng.integers(0 if dtype[0] == "u" else -9, 10, shape)).astype(kind)


def pick(size: str, odd: tuple[int, ...], empty: tuple[int, ...]) -> tuple[int, ...]:
    return {"odd": odd, "one": (1,) * len(odd), "empty": empty}[size]


def _matmul(rng: np.random.Generator, dtype: str, size: str) -> Case:
    m, k, n = pick(size, (17, 23, 37), (5, 0, 7))
    return Case((values(rng, dtype, (m, k)), values(rng, dtype, (k, n))), {})


def _rows(rng: np.random.Generator, dtype: str, size: str) -> Case:
    return Case((values(rng, dtype, pick(size, (3, 5, 133), (3, 0, 5))),), {})


def _long_rows(rng: np.random.Generator, dtype: str, size: str) -> Case:
    return Case((values(rng, dtype, pick(size, (2, 9001), (2, 0))),), {})


def _conv2d(rng: np.random.Generator, dtype: str, size: str) -> Case:
    n, c, h, w, o, r, s = pick(size, (2, 3, 9, 19, 4, 3, 3), (0, 3, 9, 9, 4, 3, 3))
    keywords = {"stride": 2, "pad": 1} if size == "odd" else {}
    bias = values(rng, dtype, (o,)) if size != "one" else None
    return Case((values(rng, dtype, (n, c, h, w)), values(rng, dtype, (o, c, r, s)), bias), keywords)


def _conv2d_oracle(case: Case) -> tuple[Array, ...]:
    x, w, b = case.operands
    assert x is not None and w is not None
    stride, pad = case.keywords.get("stride", 1), case.keywords.get("pad", 0)
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    view = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("ncpqrs,ocrs->nopq", view, w)
    return (y if b is None else y + b[None, :, None, None],)


def _embedding(rng: np.random.Generator, dtype: str, size: str) -> Case:
    v, d, n, m = pick(size, (11, 37, 3, 5), (4, 5, 0, 2))
    return Case((values(rng, dtype, (v, d)), rng.integers(0, v, (n, m)).astype(np.int64)), {})


def _embedding_oracle(case: Case) -> tuple[Array, ...]:
    w, index = case.operands
    assert w is not None and index is not None
    return (w[index],)


def _dropout(rng: np.random.Generator, dtype: str, size: str) -> Case:
    return Case((values(rng, dtype, pick(size, (3, 5, 133), (3, 0, 5))),), {"p": 0.25, "seed": 7, "offset": 3})


def philox_uniform(seed: int, offset: int, n: int) -> Array:
    """The first ``n`` values of ``uniform(seed, offset, i)``, from the definition of Philox4x32-10."""
    i = np.arange(n, dtype=np.uint64)
    counter = (np.uint64(offset) + (i >> np.uint64(2))).astype(np.uint64)
    mask = np.uint64(0xFFFFFFFF)
    c = [counter & mask, counter >> np.uint64(32), np.zeros_like(i), np.zeros_like(i)]
    key = [np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)]
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ key[0], p1 & mask, (p0 >> np.uint64(32)) ^ c[3] ^ key[1], p0 & mask]
        key = [(key[0] + np.uint64(0x9E3779B9)) & mask, (key[1] + np.uint64(0xBB67AE85)) & mask]
    words = np.choose((i & np.uint64(3)).astype(int), c)
    return ((words >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)).astype(np.float32)


def _dropout_oracle(case: Case) -> tuple[Array, ...]:
    (x,) = case.operands
    assert x is not None
    p = np.float32(case.keywords["p"])
    keep = philox_uniform(case.keywords["seed"], case.keywords["offset"], x.size).reshape(x.shape) >= p
    return (np.where(keep, x * np.float64(np.float32(1) / (np.float32(1) - p)), 0),)


def _softmax_oracle(case: Case) -> tuple[Array, ...]:
    (x,) = case.operands
    assert x is not None
    e = np.exp(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    return (e / e.sum(axis=-1, keepdims=True),)


def _matmul_oracle(case: Case) -> tuple[Array, ...]:
    a, b = case.operands
    assert a is not None and b is not None
    return (a @ b,)


def _cumsum_oracle(case: Case) -> tuple[Array, ...]:
    (x,) = case.operands
    assert x is not None
    return (np.cumsum(x, axis=-1, dtype=x.dtype),)


def _argmax_oracle(case: Case) -> tuple[Array, ...]:
    (x,) = case.operands
    assert x is not None
    return (np.argmax(x, axis=-1),)


def _argmax(rng: np.random.Generator, dtype: str, size: str) -> Case:
    return Case((values(rng, dtype, pick(size, (3, 5, 133), (0, 3, 5))),), {})


TABLE = (
    Row("matmul", FLOATS + INTS, _matmul, _matmul_oracle, 8, layout_operands=(0, 1), unit_operands=(0, 1)),
    Row("softmax", FLOATS, _rows, _softmax_oracle, 8),
    Row("conv2d", FLOATS, _conv2d, _conv2d_oracle, 8, layout_operands=(0, 1)),
    Row("embedding", FLOATS + INTS + ("bool",), _embedding, _embedding_oracle, 0, layout_operands=(0, 1)),
    Row("cumsum", FLOATS + INTS, _long_rows, _cumsum_oracle, 64),
    Row("argmax", FLOATS + INTS, _argmax, _argmax_oracle, 0),
    Row("dropout", FLOATS, _dropout, _dropout_oracle, 1),
)
ROWS = {row.op: row for row in TABLE}


def contiguous(x: Array) -> Array:
    return np.ascontiguousarray(x)


def strided(x: Array) -> Array:
    """Every second element of something twice as wide."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype) if x.ndim else x
    wide[..., ::2] = x
    return wide[..., ::2]


def transposed(x: Array) -> Array:
    return np.asfortranarray(x)


def reversed_rows(x: Array) -> Array:
    return np.ascontiguousarray(x[::-1])[::-1]


def broadcast(x: Array) -> Array:
    """Stride 0 along the first axis (all rows equal to the first)."""
    return np.broadcast_to(x[:1], x.shape) if x.size else x


LAYOUTS: Mapping[str, Callable[[Array], Array]] = {
    f.__name__: f for f in (contiguous, strided, transposed, reversed_rows, broadcast)
}


def widened(case: Case) -> Case:
    """The case as the oracle wants it: floats as float64."""
    up = tuple(x if x is None or x.dtype.kind in "iub" else x.astype(np.float64) for x in case.operands)
    return Case(up, case.keywords)
