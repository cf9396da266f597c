"""Convolutions, and their transposes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import FLOATS, Array, Case, Draw, Row, Wrong, case, row, zeros


def spaced(x: Array, start: tuple[int, ...], count: tuple[int, ...], stride: int) -> Array:
    """``count`` elements from ``start`` on along each of the last axes."""
    cut = tuple(slice(s, s + (n - 1) * stride + 1, stride) for s, n in zip(start, count, strict=True))
    return x[(..., *cut)]


def convolve(
    x: Array, w: Array, b: Array | None, stride: int = 1, padding: int = 0, dilation: int = 1, groups: int = 1
) -> Array:
    rank, window = x.ndim - 2, w.shape[2:]
    x = np.pad(x, ((0, 0), (0, 0), *((padding, padding),) * rank))
    count = tuple((n - dilation * (k - 1) - 1) // stride + 1 for n, k in zip(x.shape[2:], window, strict=True))
    x = x.reshape(x.shape[0], groups, w.shape[1], *x.shape[2:])
    kernels = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    y = np.zeros((x.shape[0], groups, kernels.shape[1], *count))
    for at in itertools.product(*map(range, window)):
        part = spaced(x, tuple(dilation * k for k in at), count, stride)
        y += np.einsum("ngc...,goc->ngo...", part, kernels[(..., *at)])
    y = y.reshape(x.shape[0], w.shape[0], *count)
    return y if b is None else y + b.reshape(-1, *(1,) * rank)


def transposed(
    x: Array, w: Array, b: Array | None, stride: int = 1, padding: int = 0, output_padding: int = 0, dilation: int = 1
) -> Array:
    rank, window, count = x.ndim - 2, w.shape[2:], x.shape[2:]
    whole = tuple(
        (n - 1) * stride + dilation * (k - 1) + output_padding + 1 for n, k in zip(count, window, strict=True)
    )
    y = np.zeros((x.shape[0], w.shape[1], *whole))
    for at in itertools.product(*map(range, window)):
        part = spaced(y, tuple(dilation * k for k in at), count, stride)
        part += np.einsum("nc...,co->no...", x, w[(..., *at)])
    y = y[(..., *(slice(padding, n - padding) for n in whole))]
    return y if b is None else y + b.reshape(-1, *(1,) * rank)


def _conv2d(draw: Draw) -> Case:
    n, c, h, w, o = draw.shape((2, 3, 9, 19, 4), (0, 3, 9, 9, 4), (0, 0, 3, 3, 0))
    r, s = (3, 2) if draw.size != "one" else (1, 1)
    keywords = {} if draw.size == "one" else {"stride": 2, "pad": 1}
    bias = draw.values(o) if draw.size != "one" else None
    return case(draw.values(n, c, h, w), draw.values(o, c, r, s), bias, **keywords)


def of(
    space: tuple[int, ...], window: tuple[int, ...], transpose: bool = False, **keywords: Any
) -> Callable[[Draw], Case]:
    def make(draw: Draw) -> Case:
        g = keywords.get("groups", 1)
        n, c, o, *around = draw.shape((2, 3, 2, *space), (0, 3, 2, *space), (0, 1, 1, *(5,) * len(space)))
        kernel = (c, o, *window) if transpose else (o * g, c, *window)
        bias = draw.values(o if transpose else o * g)
        return case(draw.values(n, c * g, *around), draw.values(*kernel), bias, **keywords)

    return make


def wrong(rank: int, name: str = "C") -> tuple[Wrong, ...]:
    x, w = zeros(1, 4, *(5,) * rank), zeros(4, 4, *(3,) * rank)
    return (
        Wrong(case(zeros(1, 2, *(5,) * rank), w), "==|must be|C"),
        Wrong(case(x, w, stride=0), "does not hold for stride = 0|division by zero"),
        Wrong(case(x, w, padding=-1), "does not hold for stride = 1, padding = -1"),
        Wrong(case(x[0], w), "'x' of conv.* has"),
        Wrong(case(x, w[0]), "'w' of conv.* has"),
    )


def too_large(rank: int) -> Wrong:
    return Wrong(case(zeros(1, 4, *(5,) * rank), zeros(4, 4, *(6,) * rank)), ">=")


def _pad(x: Array, w: Array, b: Array | None, stride: int = 1, pad: int = 0) -> Array:
    return convolve(x, w, b, stride, pad)


FULL = {"stride": 2, "padding": 2, "dilation": 2, "groups": 2}
BACK = {"stride": 2, "padding": 1, "output_padding": 1, "dilation": 2}
TABLE: tuple[Row, ...] = (
    row("conv2d", FLOATS, _conv2d, _pad,
        (Wrong(case(zeros(1, 2, 9, 9), zeros(4, 3, 3, 3)), "axis 1 of 'w' must be C"),),
        "smooth", 8, layout_operands=(0, 1)),
    row("conv1d", FLOATS, of((37,), (3,), **FULL), convolve, (*wrong(1), too_large(1)), "smooth", 8,
        layout_operands=(0, 1)),
    row("conv3d", FLOATS, of((5, 4, 7), (2, 1, 3), **FULL), convolve, (*wrong(3), too_large(3)), "smooth", 8,
        layout_operands=(0, 1)),
    row("conv_transpose1d", FLOATS, of((17,), (3,), True, **BACK), transposed, wrong(1), "smooth", 8,
        layout_operands=(0, 1)),
    row("conv_transpose2d", FLOATS, of((5, 7), (3, 2), True, **BACK), transposed, wrong(2), "smooth", 8,
        layout_operands=(0, 1)),
)  # fmt: skip
