"""Ops that move elements about: padding, copies in another order, parts, joins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import ANY, Array, Case, Draw, Row, Wrong, case, row, zeros

Function = Callable[..., Any]


def of(
    *space: int, least: int = 0, empty: int = 0, multiples: tuple[int, ...] = (), **keywords: Any
) -> Callable[[Draw], Case]:
    """One operand with these last axes, each a multiple of what ``multiples`` says."""

    def make(draw: Draw) -> Case:
        lows = (0, *(least,) * len(space))
        none = (0, *space) if least or empty == 0 else (3, 0, *space[1:])
        n, *around = draw.shape((3, *space), none, lows)
        sizes = [a * m for a, m in zip(around, multiples or (1,) * len(space), strict=True)]
        return case(draw.values(n, *sizes), **keywords)

    return make


def moved(op: str, make: Callable[[Draw], Case], function: Function, *wrong: Wrong) -> Row:
    """Copies of elements: exact."""
    return row(op, ANY, make, function, wrong, "smooth", samples=5)


def _shuffle(x: Array, upscale_factor: int) -> Array:
    n, c, h, w = x.shape
    r = upscale_factor
    parts = x.reshape(n, c // r**2, r, r, h, w).transpose(0, 1, 4, 2, 5, 3)
    return parts.reshape(n, c // r**2, h * r, w * r)


def _unshuffle(x: Array, downscale_factor: int) -> Array:
    n, c, h, w = x.shape
    r = downscale_factor
    parts = x.reshape(n, c, h // r, r, w // r, r).transpose(0, 1, 3, 5, 2, 4)
    return parts.reshape(n, c * r * r, h // r, w // r)


def _channels(x: Array, groups: int) -> Array:
    n, c, h = x.shape
    return x.reshape(n, groups, c // groups, h).transpose(0, 2, 1, 3).reshape(x.shape)


def _diag_embed(x: Array, offset: int) -> Array:
    n = x.shape[-1] + abs(offset)
    y = np.zeros((*x.shape[:-1], n, n), x.dtype)
    i = np.arange(x.shape[-1])
    y[..., i - min(offset, 0), i + max(offset, 0)] = x
    return y


def _two(draw: Draw) -> Case:
    a, m, n, b = draw.shape((3, 5, 4, 37), (3, 0, 4, 5))
    return case(draw.values(a, m, b), draw.values(a, n, b), A=1)


def _same(draw: Draw) -> Case:
    shape = draw.shape((3, 5, 37), (3, 0, 5))
    return case(draw.values(*shape), draw.values(*shape), A=1)


def no_axis(**keywords: Any) -> Wrong:
    return Wrong(case(zeros(2), A=1, **keywords), "A|axes|axis")


NO_AXES = Wrong(case(zeros()), "has 0 axes")
ONE_AXIS = Wrong(case(zeros(3)), "has 1 axis")


def negative(**keywords: Any) -> Wrong:
    return Wrong(case(zeros(2, 4, 4), **keywords), "does not hold for|must be positive|division by zero|negative")


TABLE = (
    moved("flip", of(5, 17, A=1), lambda x, A: np.flip(x, A), Wrong(case(zeros(2), A=1), "A|axes|axis")),
    moved("roll", of(5, 17, A=1, shifts=-40), lambda x, A, shifts: np.roll(x, shifts, A), no_axis(shifts=1)),
    moved("repeat_interleave", of(5, 17, A=1, repeats=3), lambda x, A, repeats: np.repeat(x, repeats, A),
          negative(A=1, repeats=0), no_axis(repeats=1)),
    moved("tile", of(5, 17, A=1, repeats=3), lambda x, A, repeats: np.concatenate([x] * repeats, A),
          negative(A=1, repeats=-1), no_axis(repeats=1)),
    moved("transpose", of(5, 17), lambda x: np.swapaxes(x, -1, -2), ONE_AXIS),
    moved("cat", _two, lambda x, y, A: np.concatenate([x, y], A),
          Wrong(case(zeros(2, 3), zeros(3, 3), A=1), "must be"), Wrong(case(zeros(2, 3), zeros(2), A=1), "axis|axes")),
    moved("stack", _same, lambda x, y, A: np.stack([x, y], A), Wrong(case(zeros(2, 3), zeros(2, 2), A=1), "must be"),
          Wrong(case(zeros(2), zeros(2), A=2), "A")),
    moved("tril", of(17, 19, diagonal=1), lambda x, diagonal: np.tril(x, diagonal), ONE_AXIS),
    moved("triu", of(17, 19, diagonal=-2), lambda x, diagonal: np.triu(x, diagonal), ONE_AXIS),
    moved("diagonal", of(17, 19, offset=-3), lambda x, offset: np.diagonal(x, offset, -2, -1), ONE_AXIS),
    moved("diag_embed", of(17, offset=2), _diag_embed, NO_AXES),
    moved("pixel_shuffle", of(2, 3, 7, multiples=(4, 1, 1), upscale_factor=2), _shuffle, negative(upscale_factor=0),
          Wrong(case(zeros(3, 4, 4), upscale_factor=2), "C % 4")),
    moved("pixel_unshuffle", of(2, 3, 7, multiples=(1, 2, 2), downscale_factor=2), _unshuffle,
          negative(downscale_factor=0), Wrong(case(zeros(3, 3, 4), downscale_factor=2), "H % 2")),
    moved("channel_shuffle", of(3, 17, multiples=(2, 1), groups=2), _channels, negative(groups=0),
          Wrong(case(zeros(2, 3), groups=2), "C % 2")),
)  # fmt: skip
