"""Padding, and windows of an axis."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.convolution import each, offset, spaced
from op_table.model import ANY, NUMBERS, Array, Case, Draw, Row, Wrong, case, row, zeros
from op_table.shape import negative

SPACES = {1: (37,), 2: (7, 19), 3: (5, 6, 7)}
PADS = {1: (2, 3), 2: (2, 3, 0, 4), 3: (2, 3, 0, 4, 1, 2)}


def of(rank: int, least: int = 0, **keywords: Any) -> Callable[[Draw], Case]:
    def make(draw: Draw) -> Case:
        n, *around = draw.shape((3, *SPACES[rank]), (0, *SPACES[rank]), (0, *(least,) * rank))
        return case(draw.values(n, *around), **keywords)

    return make


def sides(x: Array, pad: tuple[int, ...]) -> list[tuple[int, int]]:
    """As NumPy wants it: all axes, the first one first."""
    pairs = [*zip(pad[::2], pad[1::2], strict=True)]
    return [(0, 0)] * (x.ndim - len(pairs)) + pairs[::-1]


def mode(name: Any) -> Callable[..., Array]:
    return lambda x, pad: np.pad(x, sides(x, pad), mode=name)


def _constant(x: Array, pad: tuple[int, ...], value: int) -> Array:
    kept = [(max(a, 0), max(b, 0)) for a, b in sides(x, pad)]
    cut = [slice(max(-a, 0), n - max(-b, 0)) for (a, b), n in zip(sides(x, pad), x.shape, strict=True)]
    return np.pad(x[tuple(cut)], kept, constant_values=value)


def rows(rank: int) -> tuple[Row, ...]:
    more = "" if rank == 1 else f"{rank}d"
    x, pad = zeros(2, *(3,) * rank), PADS[rank]
    some: dict[str, Any] = {"samples": 4}
    return (
        row(f"pad_constant{more}", NUMBERS, of(rank, 3, pad=(-2, *pad[1:]), value=1), _constant,
            (Wrong(case(x, pad=(1,) * (2 * rank + 1)), "pad"), Wrong(case(x, pad=-2), ">=|negative")), "smooth",
            **some),
        row(f"pad_reflect{more}", ANY, of(rank, 5, pad=pad), mode("reflect"), (negative_pad(x), too_wide(x)), "smooth",
            **some),
        row(f"pad_replicate{more}", ANY, of(rank, 1, pad=pad), mode("edge"),
            (Wrong(case(x[..., :0]), ">= 1"), Wrong(case(x, pad=-2), ">=|negative")), "smooth", **some),
        row(f"pad_circular{more}", ANY, of(rank, 5, pad=pad), mode("wrap"),
            (too_wide(x), Wrong(case(x[..., :0]), ">= 1")), "smooth", **some),
    )  # fmt: skip


def negative_pad(x: Array) -> Wrong:
    return Wrong(case(x, pad=-1), "does not hold for pad|negative")


def too_wide(x: Array) -> Wrong:
    return Wrong(case(x, pad=4), ">=|does not hold")


# --- windows ------------------------------------------------------------------------------------


def _unfold(x: Array, size: int, step: int) -> Array:
    return np.lib.stride_tricks.sliding_window_view(x, size, axis=-1)[:, ::step]


def _columns(draw: Draw) -> Case:
    n, p, r = draw.shape((3, 11, 4), (0, 11, 4), (0, 1, 1))
    return case(draw.values(n, p, r), step=3)


def _fold(x: Array, step: int) -> Array:
    n, p, r = x.shape
    y = np.zeros((n, (p - 1) * step + r), x.dtype)
    for i in range(p):
        y[:, i * step : i * step + r] += x[:, i]
    return y


WINDOW: dict[str, Any] = {"kernel_size": (3, 2), "dilation": (2, 1), "padding": (1, 0), "stride": (2, 3)}


def _counts(space: tuple[int, ...]) -> tuple[int, ...]:
    of_axes = zip(space, *WINDOW.values(), strict=True)
    return tuple((n + 2 * p - d * (k - 1) - 1) // s + 1 for n, k, d, p, s in of_axes)


def _unfold2d(
    x: Array, kernel_size: tuple[int, ...], dilation: tuple[int, ...], padding: tuple[int, ...], stride: tuple[int, ...]
) -> Array:
    count = _counts(x.shape[2:])
    x = np.pad(x, ((0, 0), (0, 0), *((p, p) for p in each(padding, 2))))
    parts = [spaced(x, offset(at, dilation), count, stride) for at in np.ndindex(kernel_size)]
    return np.stack(parts, 2).reshape(x.shape[0], x.shape[1] * len(parts), count[0] * count[1])


def _images(draw: Draw) -> Case:
    n, c, h, w = draw.shape((2, 3, 9, 11), (0, 3, 9, 9), (0, 0, 5, 5))
    return case(draw.values(n, c, h, w), **WINDOW)


def _cut(draw: Draw) -> Case:
    n, c = draw.shape((2, 3), (0, 3))
    p, q = _counts((9, 11))
    return case(draw.values(n, c * 6, p * q), output_size=(9, 11), **WINDOW)


def _fold2d(x: Array, output_size: tuple[int, ...], **keywords: Any) -> Array:
    """The transpose of :func:`_unfold2d`: ones are scattered to where it takes them from."""
    n, c = x.shape[0], x.shape[1] // 6
    places = np.arange(output_size[0] * output_size[1]).reshape(1, 1, *output_size) + 1
    taken = _unfold2d(places, **keywords)[0]
    y = np.zeros((n, c, places.size + 1), x.dtype)
    for k, at in enumerate(taken):
        np.add.at(y, (slice(None), slice(None), at), x.reshape(n, c, 6, x.shape[2])[:, :, k])
    return y[..., 1:].reshape(n, c, *output_size)


IMAGE = zeros(1, 2, 4, 4)
TABLE: tuple[Row, ...] = (
    *rows(1), *rows(2), *rows(3),
    row("unfold", ANY, lambda draw: case(draw.values(*draw.shape((3, 37), (0, 37), (0, 4))), size=4, step=3), _unfold,
        (negative(step=0), Wrong(case(zeros(3), size=4), "L >= 4")), "smooth", samples=4),
    row("fold", NUMBERS, _columns, _fold, (Wrong(case(zeros(2, 0, 3)), "P >= 1"), negative(step=0)), "smooth", 4,
        samples=4),
    row("unfold2d", NUMBERS, _images, _unfold2d,
        (Wrong(case(IMAGE, kernel_size=5), ">="), Wrong(case(IMAGE, stride=0), "division by zero|does not hold")),
        "smooth", samples=5),
    row("fold2d", NUMBERS, _cut, _fold2d,
        (Wrong(case(zeros(1, 4, 9), output_size=4, kernel_size=2, stride=2), "P == 4"),
         Wrong(case(zeros(1, 3, 4), output_size=4, kernel_size=2, stride=2), "C % 4")), "smooth", 4, samples=5),
)  # fmt: skip
