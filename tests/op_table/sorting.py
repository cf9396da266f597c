"""Sorting along the last axis, and what is as long as the data say: a count, then a fill."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import ANY, FLOATS, NUMBERS, Array, Case, Draw, Row, Wrong, case, row, wrong_dtype, zeros
from op_table.random import philox

NO_AXES = Wrong(case(zeros()), "has 0 axes")
NOT_BOOL = wrong_dtype("bool")
EMPTY = Wrong(case(zeros(3, 0)), "N >= 1")


def rows(least: int = 0, **keywords: Any) -> Callable[[Draw], Case]:
    """Rows with many equal elements, NaN and infinities among floats."""

    def make(draw: Draw) -> Case:
        empty = (3, 0) if least == 0 else (0, 5)
        return case(draw.special(*draw.shape((3, 133), empty, (0, least))), **keywords)

    return make


def order(x: Array, descending: bool = False) -> Array:
    """Stable either way, NaN the greatest."""
    if not descending:
        return np.argsort(x, axis=-1, kind="stable")
    return x.shape[-1] - 1 - np.argsort(x[..., ::-1], axis=-1, kind="stable")[..., ::-1]


def at(x: Array, places: Array) -> tuple[Array, Array]:
    return np.take_along_axis(x, places, -1), places


def _topk(x: Array, k: int, largest: bool) -> tuple[Array, Array]:
    return at(x, order(x, largest)[..., :k])


def _one(x: Array, places: Array) -> tuple[Array, Array]:
    found = at(x, places[..., None])
    return found[0][..., 0], found[1][..., 0]


def _median(x: Array) -> tuple[Array, Array]:
    nans = (x != x).sum(-1)
    middle = np.where(nans > 0, x.shape[-1] - nans, (x.shape[-1] - 1) // 2)
    return _one(x, _one(order(x), middle)[0])


def _nanmedian(x: Array) -> tuple[Array, Array]:
    middle = np.maximum(x.shape[-1] - 1 - (x != x).sum(-1), 0) // 2
    return _one(x, _one(order(x), middle)[0])


def _two_keys(draw: Draw) -> Case:
    shape = draw.shape((3, 133), (3, 0))
    return case(draw.few(*shape), draw.rng.integers(-2, 3, shape).astype(np.int16))


def _values(draw: Draw) -> Case:
    return case(draw.values(*draw.shape((3, 133), (0, 5), (0, 1))), q=0.3)


def _set(draw: Draw) -> Case:
    return case(draw.special(*draw.shape((133,), (0,))))


def _set_and_count(draw: Draw) -> Case:
    """With room for one value more than there is."""
    (x,) = _set(draw).arrays
    return case(x, np.zeros(len(np.unique(x.astype(np.float64))) + 1, np.int8))


def _padded(x: Array, length: int, fill: int = 0) -> Array:
    return np.concatenate([x, np.full(length - len(x), fill, x.dtype)])


def _unique(x: Array, like: Array) -> tuple[Array, ...]:
    values, inverse, counts = np.unique(x, return_inverse=True, return_counts=True)
    m = len(like)
    return _padded(values, m), inverse.astype(np.int64).reshape(-1), _padded(counts.astype(np.int64), m)


def _random_order(x: Array, seed: int, offset: int) -> Array:
    words = philox(seed, offset, 2 * len(x)).reshape(-1, 2)
    return np.lexsort((words[:, 1], words[:, 0]))


def too_small(index: int, *operands: Array) -> Wrong:
    return Wrong(case(*operands), f"a computed index is {index}, out of range.*\n.*gives a size is too small")


NO_LIKE = Wrong(case(zeros(2)), "needs 'like'")
TWO = np.array([1, 2], np.float32)
TABLE: tuple[Row, ...] = (
    row("argsort", ANY, rows(descending=True), order, (NO_AXES, Wrong(case(zeros(2), reverse=True), "reverse")),
        "integer"),
    row("sort", ANY, rows(descending=False), lambda x, descending: at(x, order(x, descending)),
        (NO_AXES, Wrong(case(zeros(2), descending=2), "descending")), "almost everywhere"),
    row("lexsort", ANY, _two_keys, lambda a, b: np.lexsort((b, a), axis=-1),
        (Wrong(case(zeros(3), zeros(4)), "must be|broadcast"), Wrong(case(zeros(3)), "needs|second")), "integer"),
    row("topk", ANY, rows(5, k=5, largest=True), _topk,
        (Wrong(case(zeros(3), k=4), "k <= N|N >= 4"), Wrong(case(zeros(3), k=-1), "k")), "almost everywhere"),
    row("kthvalue", ANY, rows(5, k=3), lambda x, k: _one(x, order(x)[..., k - 1]),
        (Wrong(case(zeros(3), k=4), "k <= N|N >= 4"), Wrong(case(zeros(3), k=0), "k")), "almost everywhere"),
    row("median", NUMBERS, rows(1), _median, (NOT_BOOL, EMPTY), "almost everywhere"),
    row("nanmedian", NUMBERS, rows(1), _nanmedian, (NOT_BOOL, EMPTY), "almost everywhere"),
    row("quantile", FLOATS, _values, lambda x, q: np.quantile(x, q, axis=-1),
        (wrong_dtype("i32", q=0.5), Wrong(case(zeros(3, 0), q=0.5), "N >= 1")), "almost everywhere", 4),
    row("unique_count", ANY, _set, lambda x: np.asarray(len(np.unique(x)), np.int64),
        (NO_AXES, Wrong(case(zeros(2, 3)), "has 2 axes")), "integer"),
    row("unique", ANY, _set_and_count, _unique, (too_small(1, TWO, zeros(1)), NO_LIKE), "almost everywhere"),
    row("randperm", ANY, lambda draw: case(draw.values(*draw.shape((133,), (0,))), seed=7, offset=3), _random_order,
        (Wrong(case(zeros(2), seed=1), "needs 'offset'"), Wrong(case(zeros(2, 3), seed=1, offset=0), "has 2 axes")),
        "integer"),
)  # fmt: skip
