"""Convolutions, and their transposes."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import FLOATS, Array, Case, Draw, Row, Wrong, case, row, zeros

Ints = int | tuple[int, ...]


def each(value: Ints, rank: int) -> tuple[int, ...]:
    """One number for each axis."""
    return value if isinstance(value, tuple) else (value,) * rank


def spaced(x: Array, start: tuple[int, ...], count: tuple[int, ...], stride: tuple[int, ...]) -> Array:
    """``count`` elements from ``start`` on along each of the last axes."""
    cut = tuple(slice(a, a + (n - 1) * s + 1, s) for a, n, s in zip(start, count, stride, strict=True))
    return x[(..., *cut)]


def offset(at: tuple[int, ...], dilation: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(k * d for k, d in zip(at, dilation, strict=True))


def convolve(
    x: Array, w: Array, b: Array | None, stride: Ints = 1, padding: Ints = 0, dilation: Ints = 1, groups: int = 1
) -> Array:
    rank, window = x.ndim - 2, w.shape[2:]
    steps, spread = each(stride, rank), each(dilation, rank)
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in each(padding, rank))))
    spans = tuple(d * (k - 1) + 1 for k, d in zip(window, spread, strict=True))
    count = tuple((n - k) // s + 1 for n, k, s in zip(x.shape[2:], spans, steps, strict=True))
    x = x.reshape(x.shape[0], groups, w.shape[1], *x.shape[2:])
    kernels = w.reshape(groups, w.shape[0] // groups, *w.shape[1:])
    y = np.zeros((x.shape[0], groups, kernels.shape[1], *count))
    for at in itertools.product(*map(range, window)):
        part = spaced(x, offset(at, spread), count, steps)
        y += np.einsum("ngc...,goc->ngo...", part, kernels[(..., *at)])
    y = y.reshape(x.shape[0], w.shape[0], *count)
    return y if b is None else y + b.reshape(-1, *(1,) * rank)


def transposed(
    x: Array,
    w: Array,
    b: Array | None,
    stride: Ints = 1,
    padding: Ints = 0,
    output_padding: Ints = 0,
    dilation: Ints = 1,
    groups: int = 1,
) -> Array:
    rank, window, count = x.ndim - 2, w.shape[2:], x.shape[2:]
    steps, pads, more, spread = (each(v, rank) for v in (stride, padding, output_padding, dilation))
    whole = tuple(
        (n - 1) * s + d * (k - 1) + o + 1 for n, s, d, k, o in zip(count, steps, spread, window, more, strict=True)
    )
    x = x.reshape(x.shape[0], groups, x.shape[1] // groups, *count)
    kernels = w.reshape(groups, x.shape[2], *w.shape[1:])
    y = np.zeros((x.shape[0], groups, w.shape[1], *whole))
    for at in itertools.product(*map(range, window)):
        part = spaced(y, offset(at, spread), count, steps)
        part += np.einsum("ngc...,gco->ngo...", x, kernels[(..., *at)])
    y = y[(..., *(slice(p, n - p) for n, p in zip(whole, pads, strict=True)))]
    y = y.reshape(x.shape[0], groups * w.shape[1], *y.shape[3:])
    return y if b is None else y + b.reshape(-1, *(1,) * rank)


def of(
    space: tuple[int, ...], window: tuple[int, ...], transpose: bool = False, **keywords: Any
) -> Callable[[Draw], Case]:
    def make(draw: Draw) -> Case:
        g = keywords.get("groups", 1)
        n, c, o, *around = draw.shape((2, 3, 2, *space), (0, 3, 2, *space), (0, 1, 1, *(5,) * len(space)))
        kernel = (c * g, o, *window) if transpose else (o * g, c, *window)
        return case(draw.values(n, c * g, *around), draw.values(*kernel), draw.values(o * g), **keywords)

    return make


def _conv2d(draw: Draw) -> Case:
    n, c, h, w, o = draw.shape((2, 3, 9, 19, 4), (0, 3, 9, 9, 4), (0, 0, 3, 3, 0))
    r, s = (3, 2) if draw.size != "one" else (1, 1)
    keywords = {} if draw.size == "one" else {"stride": 2, "padding": 1}
    bias = draw.values(o) if draw.size != "one" else None
    return case(draw.values(n, c, h, w), draw.values(o, c, r, s), bias, **keywords)


def wrong(rank: int) -> tuple[Wrong, ...]:
    x, w = zeros(1, 4, *(5,) * rank), zeros(4, 4, *(3,) * rank)
    return (
        Wrong(case(zeros(1, 2, *(5,) * rank), w), "==|must be|C"),
        Wrong(case(x, w, stride=0), "does not hold for stride = .*0|division by zero"),
        Wrong(case(x, w, padding=-1), "does not hold for stride = .*, padding = .*-1"),
        Wrong(case(x, w, padding=(1,) * (rank + 1)), "padding"),
        Wrong(case(x[0], w), "'x' of conv.* has"),
        Wrong(case(x, w[0]), "'w' of conv.* has"),
    )


def too_large(rank: int) -> Wrong:
    return Wrong(case(zeros(1, 4, *(5,) * rank), zeros(4, 4, *(6,) * rank)), ">=")


def forward(rank: int, groups: int = 2) -> dict[str, Any]:
    named = {"stride": (2, 1, 2), "padding": (2, 1, 0), "dilation": (2, 1, 1)}
    return {**{name: value[:rank] for name, value in named.items()}, "groups": groups}


def backward(rank: int) -> dict[str, Any]:
    named = {"stride": (2, 3, 1), "padding": (1, 0, 1), "output_padding": (1, 0, 0), "dilation": (2, 1, 1)}
    return {**{name: value[:rank] for name, value in named.items()}, "groups": 2}


BOTH: dict[str, Any] = {"layout_operands": (0, 1), "samples": 6}
TABLE: tuple[Row, ...] = (
    row("conv2d", FLOATS, _conv2d, convolve,
        (Wrong(case(zeros(1, 2, 9, 9), zeros(4, 3, 3, 3)), "D == C"), *wrong(2), too_large(2)), "smooth", 8,
        layout_operands=(0, 1)),
    row("conv1d", FLOATS, of((37,), (3,), **forward(1)), convolve, (*wrong(1), too_large(1)), "smooth", 8, **BOTH),
    row("conv3d", FLOATS, of((5, 4, 7), (2, 2, 3), **forward(3)), convolve, (*wrong(3), too_large(3)), "smooth", 8,
        **BOTH),
    row("conv_transpose1d", FLOATS, of((17,), (3,), True, **backward(1)), transposed, wrong(1), "smooth", 8, **BOTH),
    row("conv_transpose2d", FLOATS, of((5, 7), (3, 2), True, **backward(2)), transposed, wrong(2), "smooth", 8, **BOTH),
    row("conv_transpose3d", FLOATS, of((3, 4, 5), (3, 2, 2), True, **backward(3)), transposed, wrong(3), "smooth", 8,
        **BOTH),
)  # fmt: skip
