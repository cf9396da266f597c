"""Pooling."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from op_table.model import FLOATS, NUMBERS, Array, Case, Draw, Row, Wrong, case, row, zeros

Ints = tuple[int, ...]


def windows(
    shape: Ints, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool
) -> tuple[Ints, Iterator[tuple[Ints, list[range]]]]:
    """How many windows there are along each axis, and each with the places that it covers."""
    counts = []
    for n, k, s, p, d in zip(shape, kernel_size, stride, padding, dilation, strict=True):
        steps = (n + 2 * p - d * (k - 1) - 1) / s
        count = int(np.ceil(steps) if ceil_mode else np.floor(steps)) + 1
        counts.append(count - 1 if (count - 1) * s >= n + p else count)

    def each() -> Iterator[tuple[Ints, list[range]]]:
        for at in itertools.product(*map(range, counts)):
            places = zip(at, kernel_size, stride, padding, dilation, strict=True)
            yield at, [range(a * s - p, a * s - p + k * d, d) for a, k, s, p, d in places]

    return tuple(counts), each()


def pooled(
    x: Array, shape: Ints, cells: Iterator[tuple[Ints, Any]], value: Callable[[Any], Array], dtype: Any = None
) -> Array:
    lead = x.shape[: x.ndim - len(shape)]
    y = np.zeros((*lead, *shape), dtype or x.dtype)
    for at, places in cells:
        y[(..., *at)] = value(places)
    return y


def _inside(places: list[range], shape: Ints) -> list[list[int]]:
    return [[i for i in r if 0 <= i < n] for r, n in zip(places, shape, strict=True)]


def max_pool(rank: int) -> Callable[..., Array]:
    def oracle(x: Array, kernel_size: Ints, stride: Ints, padding: Ints, dilation: Ints, ceil_mode: bool) -> Array:
        space = x.shape[x.ndim - rank :]
        shape, cells = windows(space, kernel_size, stride, padding, dilation, ceil_mode)
        axes = tuple(range(-rank, 0))
        return pooled(x, shape, cells, lambda places: x[(..., *np.ix_(*_inside(places, space)))].max(axes))

    return oracle


def with_indices(rank: int) -> Callable[..., tuple[Array, Array]]:
    def oracle(x: Array, **keywords: Any) -> tuple[Array, Array]:
        space = x.shape[x.ndim - rank :]
        shape, cells = windows(space, *keywords.values())
        numbers = np.arange(int(np.prod(space))).reshape(space)

        def place(places: list[range]) -> Array:
            part = np.ix_(*_inside(places, space))
            values = x[(..., *part)].reshape(*x.shape[: x.ndim - rank], numbers[part].size)
            return np.asarray(numbers[part].ravel()[values.argmax(-1)])

        return max_pool(rank)(x, **keywords), pooled(x, shape, cells, place, np.int64)

    return oracle


def avg_pool(rank: int) -> Callable[..., Array]:
    def oracle(
        x: Array,
        kernel_size: Ints,
        stride: Ints,
        padding: Ints,
        ceil_mode: bool,
        count_include_pad: bool = True,
        divisor_override: int = 0,
    ) -> Array:
        space = x.shape[x.ndim - rank :]
        shape, cells = windows(space, kernel_size, stride, padding, (1,) * rank, ceil_mode)

        def mean(places: list[range]) -> Array:
            inside = _inside(places, space)
            padded = [sum(i < n + p for i in r) for r, n, p in zip(places, space, padding, strict=True)]
            count = np.prod(padded if count_include_pad else [*map(len, inside)])
            return np.asarray(x[(..., *np.ix_(*inside))].sum(tuple(range(-rank, 0))) / (divisor_override or count))

        return pooled(x, shape, cells, mean)

    return oracle


def adaptive(join: Callable[..., Array], rank: int) -> Callable[..., Array]:
    def oracle(x: Array, output_size: Ints) -> Array:
        space, axes = x.shape[x.ndim - rank :], tuple(range(-rank, 0))
        places = (
            (at, [slice(p * n // m, -(-(p + 1) * n // m)) for p, n, m in zip(at, space, output_size, strict=True)])
            for at in itertools.product(*map(range, output_size))
        )
        return pooled(x, output_size, places, lambda cell: join(x[(..., *cell)], axis=axes))

    return oracle


def of(space: Ints, least: int = 5, **keywords: Any) -> Callable[[Draw], Case]:
    def make(draw: Draw) -> Case:
        shape = draw.shape((3, *space), (0, *space), (0, *(least,) * len(space)))
        return case(draw.few(*shape) if draw.rng.random() < 0.5 else draw.values(*shape), **keywords)

    return make


def wrong(rank: int) -> tuple[Wrong, ...]:
    x = zeros(2, *(5,) * rank)
    return (
        Wrong(case(x, kernel_size=6), ">="),
        Wrong(case(x, stride=0), "division by zero|does not hold"),
        Wrong(case(x, kernel_size=2, padding=2), "does not hold for kernel_size = .*2"),
        Wrong(case(x, kernel_size=0), "does not hold"),
        Wrong(case(zeros(2, dtype="bool")), "has dtype bool"),
    )


def window(rank: int, **keywords: Any) -> dict[str, Any]:
    return {"kernel_size": (3, 2, 1)[:rank], "stride": (2, 3, 1)[:rank], "padding": (1, 0, 0)[:rank], **keywords}


def rows(rank: int) -> tuple[Row, ...]:
    x = of(SPACES[rank], **window(rank, dilation=(2, 1, 1)[:rank], ceil_mode=True))
    means = of(SPACES[rank], **window(rank, ceil_mode=True, count_include_pad=rank == 2))
    cells = of(SPACES[rank], 1, output_size=(5, 3, 2)[:rank])
    no_cells = (Wrong(case(zeros(*(3,) * rank), output_size=0), "does not hold for output_size|negative"),
                Wrong(case(zeros(*(0,) * rank), output_size=2), ">= 1"))  # fmt: skip
    return (
        row(f"max_pool{rank}d", NUMBERS, x, max_pool(rank), wrong(rank), KINKS, samples=6),
        row(f"max_pool{rank}d_with_indices", NUMBERS, x, with_indices(rank), wrong(rank), KINKS, samples=6),
        row(f"avg_pool{rank}d", FLOATS, means, avg_pool(rank), wrong(rank), "smooth", 4, samples=6),
        row(f"adaptive_max_pool{rank}d", NUMBERS, cells, adaptive(np.max, rank), no_cells, KINKS, samples=6),
        row(f"adaptive_avg_pool{rank}d", FLOATS, cells, adaptive(np.mean, rank), no_cells, "smooth", 4, samples=6),
    )


KINKS: Any = "almost everywhere"
SPACES: dict[int, Ints] = {1: (37,), 2: (7, 19), 3: (5, 6, 7)}
TABLE: tuple[Row, ...] = (*rows(1), *rows(2), *rows(3))
