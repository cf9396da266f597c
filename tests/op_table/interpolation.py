"""Interpolation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from op_table.model import FLOATS, Array, Case, Draw, Row, Wrong, case, row, zeros

SPACES = {1: (17,), 2: (7, 13), 3: (4, 5, 6)}
SIZES = {1: (23,), 2: (11, 6), 3: (7, 3, 6)}


def places(n: int, size: int, align_corners: bool) -> Array:
    """Where the new elements lie among the old ones."""
    if align_corners:
        return np.arange(size) * (n - 1) / max(size - 1, 1)
    return (np.arange(size) + 0.5) * n / size - 0.5


def _hat(d: Array) -> Array:
    return np.maximum(1 - np.abs(d), 0)


def _cubic(d: Array) -> Array:
    a, d = -0.75, np.abs(d)
    near, far = (a + 2) * d**3 - (a + 3) * d**2 + 1, a * (d**3 - 5 * d**2 + 8 * d - 4)
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def weights(n: int, size: int, mode: str, align_corners: bool) -> Array:
    """The matrix that resamples one axis."""
    if mode.startswith("nearest"):
        half = 0.5 if mode == "nearest-exact" else 0
        at = np.floor((np.arange(size) + half) * n / size + 1e-9).astype(int)
        return np.eye(n)[at]
    at = places(n, size, align_corners)
    if mode == "bicubic":
        border = np.arange(-2, n + 2)
        taps = _cubic(at[:, None] - border)
        return np.stack([taps[:, np.clip(border, 0, n - 1) == i].sum(1) for i in range(n)], 1)
    return _hat(np.clip(at, 0, n - 1)[:, None] - np.arange(n))


def _interpolate(x: Array, size: tuple[int, ...], mode: str, align_corners: bool) -> Array:
    for axis, m in zip(range(-len(size), 0), size, strict=True):
        matrix = weights(x.shape[axis], m, mode, align_corners)
        x = np.moveaxis(np.moveaxis(x, axis, -1) @ matrix.T, -1, axis)
    return x


def of(rank: int, *modes: str) -> Callable[[Draw], Case]:
    def make(draw: Draw) -> Case:
        shape = draw.shape((3, *SPACES[rank]), (0, *SPACES[rank]), (0, *(1,) * rank))
        mode, aligned = draw.pick(*modes, "nearest", "nearest-exact"), draw.pick(True, False)
        return case(draw.values(*shape), size=SIZES[rank], mode=mode, align_corners=aligned)

    return make


def resized(rank: int, *modes: str) -> Row:
    x = zeros(2, *(3,) * rank)
    refused = (
        Wrong(case(x, size=0), "does not hold for size|negative|division by zero"),
        Wrong(case(x, size=(2,) * (rank + 1)), "size"),
        Wrong(case(x, mode="cubic"), "mode"),
        Wrong(case(x[..., :0], size=2), ">= 1"),
    )
    return row(f"interpolate{rank}d", FLOATS, of(rank, *modes), _interpolate, refused, "smooth", 8, samples=6)


TABLE = (resized(1, "linear"), resized(2, "bicubic", "bilinear"), resized(3, "trilinear"))
