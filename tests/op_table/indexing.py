"""Ops that take indices, and those that make numbers of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import ANY, FLOATS, NUMBERS, Array, Case, Draw, Row, Wrong, case, row, zeros

BOTH: dict[str, Any] = {"layout_operands": (0, 1)}
I64, X, AT = zeros(3, dtype="i64"), zeros(2, 3), zeros(2, 3, dtype="i64")
ELEMENTS = X, AT + 3, X


def _embedding(draw: Draw) -> Case:
    v, d, n, m = draw.shape((11, 37, 3, 5), (4, 5, 0, 2), (1, 0, 0, 0))
    return case(draw.values(v, d), draw.indices(v, n, m))


def _select(draw: Draw) -> Case:
    a, d, b, m = draw.shape((3, 11, 37, 5), (3, 4, 5, 0), (0, 1, 0, 0))
    return case(draw.values(a, d, b), draw.indices(d, m), A=1)


def _along(draw: Draw) -> Case:
    n, d, m = draw.shape((3, 37, 19), (3, 5, 0), (0, 1, 0))
    return case(draw.values(n, d), draw.indices(d, n, m))


def _slices(draw: Draw) -> tuple[Array, Array, Array]:
    a, d, b, m = draw.shape((3, 11, 7, 17), (3, 4, 5, 0), (0, 1, 0, 0))
    return draw.few(a, d, b), draw.indices(d, m), draw.few(a, m, b)


def slices(draw: Draw) -> Case:
    """Whole slices along axis 1 of 3, some of them several times."""
    return case(*_slices(draw), A=1)


def _elements(draw: Draw, **keywords: Any) -> Case:
    a, d, b, m = draw.shape((3, 5, 7, 17), (3, 5, 7, 0), (0, 1, 0, 0))
    return case(draw.few(a, d, b), draw.indices(d, a, m, b), draw.few(a, m, b), A=1, **keywords)


def elements(**keywords: Any) -> Callable[[Draw], Case]:
    """Elements along axis 1 of 3, several of which fall on one place."""
    return lambda draw: _elements(draw, **keywords)


def _gather(draw: Draw) -> Case:
    x, index, _ = _elements(draw).arrays
    return case(x, index, A=1)


def _put(draw: Draw) -> Case:
    d, m = draw.shape((37, 51), (4, 0), (1, 0))
    return case(draw.few(d), draw.indices(d, m), draw.few(m))


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
    return case(draw.few(a), np.sort(draw.few(b).astype(np.float64)).astype(draw.values(0).dtype), right=True)


def at_slices(join: Callable[..., None]) -> Callable[..., Array]:
    """``x`` with slices along axis 1 joined in."""

    def oracle(x: Array, index: Array, source: Array, A: int) -> Array:
        y = x.copy()
        join(y, (slice(None), index), source)
        return y

    return oracle


def _index_fill(x: Array, index: Array, value: int, A: int) -> Array:
    return at_slices(store)(x, index, np.asarray(value, x.dtype), A)


def store(y: Array, at: Any, source: Array) -> None:
    y[at] = source


def at_elements(join: Callable[..., None]) -> Callable[..., Array]:
    """``x`` with elements along axis 1 joined in."""

    def oracle(x: Array, index: Array, source: Array, A: int) -> Array:
        y = x.copy()
        a, _, b = np.ogrid[tuple(map(slice, index.shape))]
        join(y, (a, index, b), source)
        return y

    return oracle


JOINS: dict[str, tuple[Any, Any]] = {
    "sum": (np.add.at, lambda dtype: 0),
    "amax": (np.maximum.at, lambda dtype: -np.inf if dtype.kind == "f" else np.iinfo(dtype).min),
    "amin": (np.minimum.at, lambda dtype: np.inf if dtype.kind == "f" else np.iinfo(dtype).max),
}


def _counts(x: Array, index: Array) -> Array:
    return at_elements(np.add.at)(np.zeros(x.shape, np.int64), index, np.ones(index.shape, np.int64), 1)


def _scatter_reduce(x: Array, index: Array, source: Array, A: int, reduce: str, include_self: bool) -> Array:
    join, start = JOINS[reduce]
    if include_self:
        return at_elements(join)(x, index, source, A)
    found = at_elements(join)(np.full(x.shape, start(x.dtype), x.dtype), index, source, A)
    return np.where(_counts(x, index) == 0, x, found)


def _scatter_mean(x: Array, index: Array, source: Array, A: int, include_self: bool) -> Array:
    total, n = at_elements(np.add.at)(np.zeros_like(x), index, source, A), _counts(x, index)
    return np.where(n == 0, x, (total + x * include_self) / np.maximum(n + include_self, 1))


def _put_oracle(join: Callable[..., None]) -> Callable[..., Array]:
    def oracle(x: Array, index: Array, source: Array) -> Array:
        y = x.copy()
        join(y, index, source)
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


def _bucketize(x: Array, boundaries: Array, right: bool) -> Array:
    return np.searchsorted(boundaries, x, "right" if right else "left").astype(np.int64)


TABLE: tuple[Row, ...] = (
    row("embedding", ANY, _embedding, lambda w, index: w[index], outside("idx", zeros(3, 2), I64 + 3), "smooth",
        **BOTH),
    row("index_select", ANY, _select, lambda x, index, A: np.take(x, index, A),
        outside("index", zeros(2, 3), I64 + 3, A=1), "smooth", **BOTH),
    row("index_copy", ANY, slices, at_slices(store), outside("index", X, I64 + 3, X, A=1), "smooth", **BOTH),
    row("index_add", NUMBERS, slices, at_slices(np.add.at), outside("index", X, I64 + 3, X, A=1), "smooth", 8, **BOTH),
    row("index_fill", NUMBERS, lambda draw: case(*_slices(draw)[:2], value=3, A=1), _index_fill,
        outside("index", X, I64 + 3, value=1, A=1), "smooth", **BOTH),
    row("take_along_dim", ANY, _along, lambda x, index: np.take_along_axis(x, index, -1),
        outside("index", zeros(2, 3), AT + 3), "smooth", **BOTH),
    row("gather", ANY, _gather, lambda x, index, A: np.take_along_axis(x, index, A),
        outside("index", zeros(2, 3), AT + 3, A=1), "smooth", **BOTH),
    row("scatter", ANY, elements(), at_elements(store), outside("index", *ELEMENTS, A=1), "smooth", **BOTH),
    row("scatter_add", NUMBERS, elements(), at_elements(np.add.at), outside("index", *ELEMENTS, A=1), "smooth", 8,
        **BOTH),
    row("scatter_reduce", NUMBERS, elements(reduce="amax", include_self=False), _scatter_reduce,
        (*outside("index", *ELEMENTS, A=1), Wrong(case(*ELEMENTS, A=1, reduce="prod"), "reduce")), "almost everywhere",
        8, **BOTH),
    row("scatter_mean", FLOATS, elements(include_self=True), _scatter_mean, outside("index", *ELEMENTS, A=1), "smooth",
        8, **BOTH),
    row("take", ANY, _take, lambda x, index: x[index], outside("index", zeros(3), I64 + 3), "smooth", **BOTH),
    row("put", ANY, _put, _put_oracle(store), outside("index", zeros(3), I64 + 3, zeros(3)), "smooth", **BOTH),
    row("put_add", NUMBERS, _put, _put_oracle(np.add.at), outside("index", zeros(3), I64 + 3, zeros(3)), "smooth", 8,
        **BOTH),
    row("embedding_bag", FLOATS, _bags, lambda w, index: w[index].mean(-2),
        outside("index", zeros(3, 2), AT + 3), "smooth", 8, **BOTH),
    row("one_hot", ("i32", "i64"), _classes, _one_hot,
        (Wrong(case(I64, num_classes=0), "does not hold for num_classes = 0"), Wrong(case(zeros(3)), "has dtype f32")),
        "integer"),
    row("bincount", ("i32", "i64"), _bins, _bincount,
        (Wrong(case(I64 + 3, bins=3), "is the index 3, out of range"), Wrong(case(zeros(3)), "has dtype f32")),
        "integer"),
    row("bucketize", NUMBERS, _bounds, _bucketize,
        (Wrong(case(zeros(3), zeros(2, 2)), "'boundaries' of bucketize has 2 axes"),
         Wrong(case(zeros(3, dtype="bool"), zeros(2, dtype="bool")), "has dtype bool")), "integer"),
)  # fmt: skip
