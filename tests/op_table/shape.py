"""Ops that move elements about: padding, copies in another order, parts, joins."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import ANY, NUMBERS, Array, Case, Draw, Row, Wrong, case, row, zeros

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


def _pad(mode: str) -> Function:
    return lambda x, left, right: np.pad(x, ((0, 0), (left, right)), mode=mode)  # type: ignore[call-overload]


def _pad_constant(x: Array, left: int, right: int, value: int) -> Array:
    return np.pad(x, ((0, 0), (left, right)), constant_values=value)


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


def _diag_embed(x: Array) -> Array:
    return np.asarray(np.where(np.eye(x.shape[-1], dtype=bool), x[..., None], np.zeros((), x.dtype)))


def _unfold(x: Array, size: int, step: int) -> Array:
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=-1)[:, ::step]


def _two(draw: Draw) -> Case:
    a, m, n, b = draw.shape((3, 5, 4, 37), (3, 0, 4, 5))
    return case(draw.values(a, m, b), draw.values(a, n, b), A=1)


NO_AXES = Wrong(case(zeros()), "has 0 axes")
ONE_AXIS = Wrong(case(zeros(3)), "has 1 axis")
EMPTY = Wrong(case(zeros(3, 0)), "L >= 1")


def negative(**keywords: Any) -> Wrong:
    return Wrong(case(zeros(2, 4, 4), **keywords), "does not hold for|must be positive|division by zero|negative")


SIDES = {"left": 2, "right": 3}
TABLE = (
    row("pad_constant", NUMBERS, of(37, **SIDES, value=1), _pad_constant,
        (negative(left=-1, value=0), Wrong(case(zeros(2, 3), left=1), "needs 'value'")), "smooth", samples=5),
    moved("pad_reflect", of(37, least=5, **SIDES), _pad("reflect"), negative(right=-1),
          Wrong(case(zeros(2, 3), left=3), "L")),
    moved("pad_replicate", of(37, least=1, **SIDES), _pad("edge"), negative(left=-1), EMPTY),
    moved("pad_circular", of(37, least=5, **SIDES), _pad("wrap"), negative(left=-1),
          Wrong(case(zeros(2, 3), left=4), "L")),
    moved("flip", of(5, 17, A=1), lambda x, A: np.flip(x, A), Wrong(case(zeros(2), A=1), "A|axes|axis")),
    moved("roll", of(37, shifts=-40), lambda x, shifts: np.roll(x, shifts, -1), NO_AXES),
    moved("repeat_interleave", of(37, repeats=3), lambda x, repeats: np.repeat(x, repeats, -1), negative(repeats=0)),
    moved("tile", of(37, repeats=3), lambda x, repeats: np.tile(x, repeats), negative(repeats=-1)),
    moved("transpose", of(5, 17), lambda x: np.swapaxes(x, -1, -2), ONE_AXIS),
    moved("cat", _two, lambda x, y, A: np.concatenate([x, y], A),
          Wrong(case(zeros(2, 3), zeros(3, 3), A=1), "must be"), Wrong(case(zeros(2, 3), zeros(2), A=1), "axis|axes")),
    moved("tril", of(17, 19, diagonal=1), lambda x, diagonal: np.tril(x, diagonal), ONE_AXIS),
    moved("triu", of(17, 19, diagonal=-2), lambda x, diagonal: np.triu(x, diagonal), ONE_AXIS),
    moved("diagonal", of(17, 19), lambda x: np.diagonal(x, 0, -2, -1), ONE_AXIS),
    moved("diag_embed", of(17), _diag_embed, NO_AXES),
    moved("pixel_shuffle", of(2, 3, 7, multiples=(4, 1, 1), upscale_factor=2), _shuffle, negative(upscale_factor=0),
          Wrong(case(zeros(3, 4, 4), upscale_factor=2), "C % 4")),
    moved("pixel_unshuffle", of(2, 3, 7, multiples=(1, 2, 2), downscale_factor=2), _unshuffle,
          negative(downscale_factor=0), Wrong(case(zeros(3, 3, 4), downscale_factor=2), "H % 2")),
    moved("channel_shuffle", of(3, 17, multiples=(2, 1), groups=2), _channels, negative(groups=0),
          Wrong(case(zeros(2, 3), groups=2), "C % 2")),
    moved("unfold", of(37, least=4, size=4, step=3), _unfold, negative(step=0),
          Wrong(case(zeros(3), size=4), "L >= 4")),
)  # fmt: skip
