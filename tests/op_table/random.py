"""Ops that draw random numbers."""

from __future__ import annotations

import numpy as np

from op_table.model import FLOATS, Array, Case, Draw, Row, Wrong, case, wrong_dtype, zeros


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


def philox_uniform(seed: int, offset: int, n: int) -> Array:
    """The first ``n`` values of ``uniform(seed, offset, i)``."""
    words = philox(seed, offset, n)
    return ((words >> np.uint64(8)).astype(np.float32) * np.float32(2.0**-24)).astype(np.float32)


def _dropout(draw: Draw) -> Case:
    return case(draw.values(*draw.shape((3, 5, 133), (3, 0, 5))), p=0.25, seed=7, offset=3)


def _dropout_oracle(case: Case) -> tuple[Array, ...]:
    (x,) = case.arrays
    p = np.float32(case.keywords["p"])
    keep = philox_uniform(case.keywords["seed"], case.keywords["offset"], x.size).reshape(x.shape) >= p
    return (np.where(keep, x * np.float64(np.float32(1) / (np.float32(1) - p)), 0),)


TABLE = (
    Row("dropout", FLOATS, _dropout, _dropout_oracle, 1,
        (wrong_dtype("i32", p=0.5, seed=1, offset=0), Wrong(case(zeros(2), p=0.5), "needs 'seed'")),
        "smooth"),
)  # fmt: skip
