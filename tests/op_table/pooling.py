"""Pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import FLOATS, NUMBERS, Array, Case, Draw, Wrong, case, row, zeros


def pool(join: Callable[..., Array], rank: int, fill: float | None) -> Callable[..., Array]:
    """``join`` reduces the windows; padding counts as ``fill`` (None: the lowest value)."""

    def oracle(x: Array, kernel_size: int, stride: int, padding: int, dilation: int = 1) -> Array:
        least = -np.inf if x.dtype.kind == "f" else np.iinfo(x.dtype).min
        around = ((0, 0),) * (x.ndim - rank) + ((padding, padding),) * rank
        x = np.pad(x, around, constant_values=least if fill is None else fill)
        axes = tuple(range(x.ndim - rank, x.ndim))
        span = dilation * (kernel_size - 1) + 1
        windows = np.lib.stride_tricks.sliding_window_view(x, (span,) * rank, axis=axes)
        steps = (*(slice(None, None, stride),) * rank, *(slice(None, None, dilation),) * rank)
        return np.asarray(join(windows[(..., *steps)], axis=tuple(range(-rank, 0))))

    return oracle


def of(space: tuple[int, ...], **keywords: Any) -> Callable[[Draw], Case]:
    def make(draw: Draw) -> Case:
        shape = draw.shape((3, *space), (0, *space), (0, *(5,) * len(space)))
        return case(draw.values(*shape), **keywords)

    return make


def _adaptive(x: Array, output_size: int) -> Array:
    n = x.shape[-1]
    cells = [x[..., p * n // output_size : -(-(p + 1) * n // output_size)].mean(-1) for p in range(output_size)]
    return np.stack(cells, -1)


def wrong(rank: int) -> tuple[Wrong, ...]:
    x = zeros(2, *(5,) * rank)
    return (
        Wrong(case(x, kernel_size=6), ">="),
        Wrong(case(x, stride=0), "division by zero|does not hold"),
        Wrong(case(x, kernel_size=2, padding=2), "does not hold for kernel_size = 2"),
        Wrong(case(x, kernel_size=0), "does not hold"),
        Wrong(case(zeros(2, dtype="bool")), "has dtype bool"),
    )


WINDOW = {"kernel_size": 3, "stride": 2, "padding": 1}
TABLE = (
    row("max_pool1d", NUMBERS, of((37,), **WINDOW, dilation=2), pool(np.max, 1, None), wrong(1), "almost everywhere"),
    row("max_pool2d", NUMBERS, of((7, 19), **WINDOW, dilation=2), pool(np.max, 2, None), wrong(2), "almost everywhere"),
    row("avg_pool1d", FLOATS, of((37,), **WINDOW), pool(np.mean, 1, 0), wrong(1), "smooth", 4),
    row("avg_pool2d", FLOATS, of((7, 19), **WINDOW), pool(np.mean, 2, 0), wrong(2), "smooth", 4),
    row("adaptive_avg_pool1d", FLOATS, of((37,), output_size=5), _adaptive,
        (Wrong(case(zeros(3), output_size=0), "does not hold for output_size = 0|negative"),
         Wrong(case(zeros(0), output_size=2), "L >= 1")), "smooth", 4),
)  # fmt: skip
