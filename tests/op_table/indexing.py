"""Ops that take indices, and those that make numbers of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import ANY, FLOATS, NUMBERS, Array, Case, Draw, Row, Wrong, case, row, zeros

BOTH: dict[str, Any] = {"layout_operands": (0, 1)}
I64 = zeros(3, dtype="i64")


def _embedding(draw: Draw) -> Case:
    v, d, n, m = draw.shape((11, 37, 3, 5), (4, 5, 0, 2), (1, 0, 0, 0))
    return case(draw.values(v, d), draw.indices(v, n, m))


def _select(draw: Draw) -> Case:
    a, d, b, m = draw.shape((3, 11, 37, 5), (3, 4, 5, 0), (0, 1, 0, 0))
    return case(draw.values(a, d, b), draw.indices(d, m), A=1)


def _along(draw: Draw) -> Case:
    n, d, m = draw.shape((3, 37, 19), (3, 5, 0), (0, 1, 0))
    return case(draw.values(n, d), draw.indices(d, n, m))


def _sources(draw: Draw) -> Case:
    n, d, m = draw.shape((3, 5, 37), (3, 5, 0), (0, 1, 0))
    return case(draw.few(n, d), draw.indices(d, n, m), draw.few(n, m))


def _rows(draw: Draw) -> Case:
    d, m, c = draw.shape((5, 37, 7), (5, 0, 7), (1, 0, 0))
    return case(draw.few(d, c), draw.indices(d, m), draw.few(m, c))


def _take(draw: Draw) -> Case:
    d, n, m = draw.shape((37, 3, 5), (4, 0, 5), (1, 0, 0))
    return case(draw.values(d), draw.indices(d, n, m))


def _classes(draw: Draw) -> Case:
    return case(draw.indices(7, *draw.shape((3, 37), (3, 0))).astype(f"int{draw.dtype[1:]}"), num_classes=7)


def _bins(draw: Draw) -> Case:
    return case(draw.indices(7, *draw.shape((37,), (0,))).astype(f"int{draw.dtype[1:]}"), bins=7)


def _bags(draw: Draw) -> Case:
    v, d, n, k = draw.shape((11, 37, 3, 5), (4, 5, 0, 2), (1, 0, 0, 1))
    return case(draw.values(v, d), draw.indices(v, n, k))


def _bounds(draw: Draw) -> Case:
    a, b = draw.shape((37, 5), (0, 5))
    return case(draw.few(a), np.sort(draw.few(b).astype(np.float64)).astype(draw.values(0).dtype))


def added(at: Callable[..., Any]) -> Callable[..., Array]:
    """``x`` with values added in places."""

    def oracle(x: Array, index: Array, source: Array) -> Array:
        y = x.copy()
        np.add.at(y, at(index), source)
        return y

    return oracle


def _one_hot(index: Array, num_classes: int) -> Array:
    return (index[..., None] == np.arange(num_classes)).astype(np.int64)


def _bincount(index: Array, bins: int) -> Array:
    return np.bincount(index, minlength=bins).astype(np.int64)


def outside(name: str, *operands: Array, **keywords: Any) -> tuple[Wrong, ...]:
    """An index that is too large; and a float where an index belongs."""
    floats = (operands[0], operands[1].astype(np.float32), *operands[2:])
    return (
        Wrong(Case(operands, keywords), f"of '{name}' .* is the index 3, out of range"),
        Wrong(Case(floats, keywords), f"'{name}' of .* has dtype f32"),
    )


TABLE: tuple[Row, ...] = (
    row("embedding", ANY, _embedding, lambda w, index: w[index], outside("idx", zeros(3, 2), I64 + 3), "smooth",
        **BOTH),
    row("index_select", ANY, _select, lambda x, index, A: np.take(x, index, A),
        outside("index", zeros(2, 3), I64 + 3, A=1), "smooth", **BOTH),
    row("take_along_dim", ANY, _along, lambda x, index: np.take_along_axis(x, index, -1),
        outside("index", zeros(2, 3), zeros(2, 3, dtype="i64") + 3), "smooth", **BOTH),
    row("gather", ANY, _along, lambda x, index: np.take_along_axis(x, index, -1),
        outside("index", zeros(2, 3), zeros(2, 3, dtype="i64") + 3), "smooth", **BOTH),
    row("take", ANY, _take, lambda x, index: x[index], outside("index", zeros(3), I64 + 3), "smooth", **BOTH),
    row("index_add", NUMBERS, _rows, added(lambda i: i), outside("index", zeros(3, 2), I64 + 3, zeros(3, 2)), "smooth",
        8, **BOTH),
    row("scatter_add", NUMBERS, _sources, added(lambda i: (np.arange(i.shape[0])[:, None], i)),
        outside("index", zeros(2, 3), zeros(2, 3, dtype="i64") + 3, zeros(2, 3)), "smooth", 8, **BOTH),
    row("one_hot", ("i32", "i64"), _classes, _one_hot,
        (Wrong(case(I64, num_classes=0), "does not hold for num_classes = 0"), Wrong(case(zeros(3)), "has dtype f32")),
        "integer"),
    row("bincount", ("i32", "i64"), _bins, _bincount,
        (Wrong(case(I64 + 3, bins=3), "is the index 3, out of range"), Wrong(case(zeros(3)), "has dtype f32")),
        "integer"),
    row("embedding_bag", FLOATS, _bags, lambda w, index: w[index].mean(-2),
        outside("index", zeros(3, 2), zeros(2, 3, dtype="i64") + 3), "smooth", 8, **BOTH),
    row("bucketize", NUMBERS, _bounds, lambda x, b: np.searchsorted(b, x).astype(np.int64),
        (Wrong(case(zeros(3), zeros(2, 2)), "'boundaries' of bucketize has 2 axes"),
         Wrong(case(zeros(3, dtype="bool"), zeros(2, dtype="bool")), "has dtype bool")), "integer"),
)  # fmt: skip
