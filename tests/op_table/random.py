"""Ops that draw random numbers."""

from __future__ import annotations

from collections.abc import Callable
from statistics import NormalDist
from typing import Any

import numpy as np

from op_table.model import FLOATS, INTS, Array, Case, Draw, Wrong, case, row, wrong_dtype, zeros

SEED = {"seed": 7, "offset": 3}


def philox(seed: int, offset: int, n: int) -> Array:
    """The first ``n`` words of ``bits(seed, offset, i)``, from the definition of Philox4x32-10."""
    i = np.arange(n, dtype=np.uint64)
    counter = (np.uint64(offset) + (i >> np.uint64(2))).astype(np.uint64)
    mask = np.uint64(0xFFFFFFFF)
    c = [counter & mask, counter >> np.uint64(32), np.zeros_like(i), np.zeros_like(i)]
    key = [np.uint64(seed & 0xFFFFFFFF), np.uint64(seed >> 32)]
    for _ in range(10):
        p0, p1 = c[0] * np.uint64(0xD2511F53), c[2] * np.uint64(0xCD9E8D57)
        c = [(p1 >> np.uint64(32)) ^ c[1] ^ key[0], p1 & mask, (p0 >> np.uint64(32)) ^ c[3] ^ key[1], p0 & mask]
        key = [(key[0] + np.uint64(0x9E3779B9)) & mask, (key[1] + np.uint64(0xBB67AE85)) & mask]
    return np.asarray(np.choose((i & np.uint64(3)).astype(int), c))


def uniform(seed: int, offset: int, shape: tuple[int, ...]) -> Array:
    """As the language's ``uniform``, f32."""
    top = philox(seed, offset, int(np.prod(shape))) >> np.uint64(8)
    return (top.astype(np.float32) * np.float32(2.0**-24)).astype(np.float32).reshape(shape)


def _dropout(draw: Draw) -> Case:
    return case(draw.values(*draw.shape((3, 5, 133), (3, 0, 5))), p=0.25, **SEED)


def _dropped(x: Array, keep: Array, p: float) -> Array:
    return np.where(keep, x * np.float64(np.float32(1) / (np.float32(1) - np.float32(p))), 0)


def _dropout_oracle(x: Array, p: float, seed: int, offset: int) -> Array:
    return _dropped(x, uniform(seed, offset, x.shape) >= np.float32(p), p)


def _feature_dropout(x: Array, p: float, seed: int, offset: int) -> Array:
    keep = uniform(seed, offset, x.shape[:2]) >= np.float32(p)
    return _dropped(x, keep.reshape(*x.shape[:2], *(1,) * (x.ndim - 2)), p)


def _uniform(like: Array, low: float, high: float, seed: int, offset: int) -> Array:
    return low + (high - low) * uniform(seed, offset, like.shape).astype(np.float64)


def _normal(like: Array, mean: float, std: float, seed: int, offset: int) -> Array:
    u = uniform(seed, offset, like.shape).astype(np.float64) + 2.0**-25
    return np.asarray(mean + std * np.vectorize(NormalDist().inv_cdf, otypes=[float])(u))


def _bernoulli(p: Array, seed: int, offset: int) -> Array:
    return (uniform(seed, offset, p.shape) < p).astype(np.float64)


def _randint(like: Array, low: int, high: int, seed: int, offset: int) -> Array:
    n = philox(seed, offset, like.size).reshape(like.shape) * np.uint64(high - low) >> np.uint64(32)
    return (n.astype(np.int64) + low).astype(like.dtype)


def of(**keywords: Any) -> Callable[[Draw], Case]:
    return lambda draw: case(draw.values(*draw.shape((3, 5, 133), (3, 0, 5))), **keywords)


def missing(*operands: Array) -> Wrong:
    return Wrong(case(*operands, seed=1), "needs 'offset'")


X = zeros(2)
ANYWHERE: dict[str, Any] = {"layout_operands": (), "unit_operands": (), "samples": 5}
"""Of these operands nothing is read."""
TABLE = (
    row("dropout", FLOATS, _dropout, _dropout_oracle,
        (wrong_dtype("i32", p=0.5, seed=1, offset=0), Wrong(case(zeros(2), p=0.5), "needs 'seed'")), "smooth", 1),
    row("feature_dropout", FLOATS, of(p=0.5, **SEED), _feature_dropout,
        (wrong_dtype("i32", p=0.5, **SEED), Wrong(case(X, p=0.5, **SEED), "has 1 axis")), "smooth", 1, samples=5),
    row("uniform", FLOATS, of(low=-2, high=3, **SEED), _uniform, (missing(X),), "none", 2, **ANYWHERE),
    row("normal", FLOATS, of(mean=1, std=2, **SEED), _normal, (missing(X),), "none", 4,
        "numbers are drawn in f32", **ANYWHERE),
    row("bernoulli", FLOATS, lambda draw: case(draw.unit(*draw.shape((3, 5, 133), (3, 0, 5))), **SEED), _bernoulli,
        (missing(X),), "none", samples=5),
    row("randint", INTS, of(low=3, high=101, **SEED), _randint,
        (Wrong(case(zeros(2, dtype="i32"), **SEED), "needs 'high'"), Wrong(case(X, high=3, **SEED), "has dtype f32")),
        "integer", **ANYWHERE),
)  # fmt: skip
