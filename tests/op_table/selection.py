"""Results whose length depends on the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from op_table.model import ANY, Array, Case, Draw, Wrong, case, row, zeros


def _like(x: Array, count: int) -> Array:
    """Something of this extent: nothing of it is read."""
    return np.zeros(count, x.dtype)


def _masked(draw: Draw) -> Case:
    x = draw.special(*draw.shape((301,), (0,)))
    mask = draw.bools(*x.shape)
    return case(x, mask, _like(x, int(mask.sum())))


def _some(draw: Draw) -> Case:
    x = draw.few(*draw.shape((301,), (0,)))
    return case(x, _like(np.zeros(0, np.int64), np.count_nonzero(x)))


def _replaced(draw: Draw) -> Case:
    x = draw.few(*draw.shape((301,), (0,)))
    mask = draw.bools(*x.shape)
    return case(x, mask, draw.values(max(1, int(mask.sum()))))


def _masked_scatter(x: Array, mask: Array, source: Array) -> Array:
    y = x.copy()
    y[mask] = source[: mask.sum()]
    return y


def _starts(x: Array) -> Array:
    """Where a run of equal elements starts."""
    return np.concatenate([np.ones(min(1, len(x)), bool), x[1:] != x[:-1]])


def _runs(draw: Draw) -> Case:
    x = draw.special(*draw.shape((301,), (0,)))
    return case(x, _like(x, int(_starts(x).sum())))


def _unique(x: Array, like: Array) -> tuple[Array, ...]:
    starts = _starts(x)
    inverse = np.cumsum(starts) - 1
    return x[starts], inverse, np.bincount(inverse, minlength=len(like)).astype(np.int64)


X, TWO, INTS = zeros(3), zeros(2), zeros(2, dtype="i64")
MASK = np.ones(3, bool)
LIKE: dict[str, Any] = {"layout_operands": (1,)}
"""Another layout of x may have other values, and so another count."""
TABLE = (
    row("masked_select", ANY, _masked, lambda x, mask, like: x[mask],
        (Wrong(case(X, MASK, zeros(1)), "index (is )?2, out of range"), Wrong(case(X, MASK[:2], TWO), "must be N"),
         Wrong(case(X, X, X), "'mask' of masked_select has dtype f32")), "smooth"),
    row("masked_scatter", ANY, _replaced, _masked_scatter,
        (Wrong(case(X, MASK, TWO), "index (is )?2, out of range"), Wrong(case(X, MASK, zeros(0)), "M >= 1")), "smooth"),
    row("nonzero", ANY, _some, lambda x, like: np.flatnonzero(x),
        (Wrong(case(X + 1, TWO[:1]), "index is 2, out of range"), Wrong(case(X), "needs 'like'")), "integer", **LIKE),
    row("count_runs", ANY, lambda draw: case(draw.special(*draw.shape((301,), (0,)))),
        lambda x: np.asarray(_starts(x).sum()), (Wrong(case(zeros(2, 3)), "has 2 axes"),), "integer"),
    row("unique_consecutive", ANY, _runs, _unique,
        (Wrong(case(np.arange(3.0), zeros(2, dtype="f64")), "index (is )?2, out of range"),
         Wrong(case(X, INTS), "has dtype i64, but")), "almost everywhere", **LIKE),
)  # fmt: skip
