"""Reductions of the last axes, and running ones along the last."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from op_table.model import ANY, FLOATS, NUMBERS, Array, Case, Draw, Gradient, Row, Wrong, case, row, wrong_dtype, zeros

NO_AXES = Wrong(case(zeros()), "has 0 axes")
NOT_BOOL = wrong_dtype("bool")
NOT_INT = wrong_dtype("i32")


def plane(elements: Callable[..., Array] = Draw.values, least: int = 0, **keywords: Any) -> Callable[[Draw], Case]:
    """Two axes are reduced."""

    def make(draw: Draw) -> Case:
        shape = draw.shape((3, 5, 133), (3, 0, 5) if least == 0 else (0, 3, 5), least)
        return case(elements(draw, *shape), R=2, **keywords)

    return make


def over_plane(function: Callable[..., Any]) -> Callable[..., Array]:
    def reduced(x: Array, R: int, **keywords: Any) -> Array:
        axes = tuple(range(x.ndim - R, x.ndim))
        return np.asarray(function(x, axis=axes, **keywords))

    return reduced


def reduction(
    op: str,
    dtypes: tuple[str, ...],
    function: Callable[..., Any],
    gradient: Gradient,
    ulps: float = 0,
    why: str = "",
    least: int = 0,
    elements: Callable[..., Array] = Draw.values,
    **keywords: Any,
) -> Row:
    refused = [Wrong(case(zeros(2, 3, dtype=dtypes[-1]), R=3), "R is 3|3 axes|at most|more"),
               Wrong(case(zeros(2, 3, dtype=dtypes[-1])), "R")]  # fmt: skip
    if least:
        refused.append(Wrong(case(zeros(2, 0, dtype=dtypes[-1]), R=1), ">= 1"))
    if "bool" not in dtypes:
        refused.append(Wrong(case(zeros(2, dtype="bool"), R=1), "has dtype bool"))
    make = plane(elements, least, **keywords)
    return row(op, dtypes, make, over_plane(function), tuple(refused), gradient, ulps, why)


def _same(function: Callable[..., Any]) -> Callable[..., Array]:
    """NumPy sums small integers in wider ones; we do not."""
    return lambda x, axis: function(x, axis=axis, dtype=x.dtype)


def _wide(function: Callable[..., Any]) -> Callable[..., Array]:
    return lambda x, axis: function(x.astype(np.int64), axis=axis)


def _place(function: Callable[..., Array]) -> Callable[..., Array]:
    """Counted row by row among the reduced axes."""
    return lambda x, axis: function(x.reshape(*x.shape[: -len(axis)], math.prod(x.shape[-len(axis) :])), axis=-1)


def _some(draw: Draw) -> Case:
    return case(draw.few(*draw.shape((3, 5, 133), (0, 3, 5), (0, 0, 1))))


def _logsumexp(x: Array, axis: tuple[int, ...]) -> Array:
    m = np.max(x, axis=axis, keepdims=True, initial=-np.inf)
    m = np.where(np.isinf(m), 0, m)
    return np.asarray(np.log(np.exp(x - m).sum(axis=axis)) + m.reshape(m.shape[: m.ndim - len(axis)]))


def _divisor(x: Array, axis: tuple[int, ...], correction: int) -> Array:
    n = np.prod([x.shape[a] for a in axis])
    return np.asarray(((x - x.mean(axis, keepdims=True)) ** 2).sum(axis) / max(0, n - correction))


def _norm(x: Array, axis: tuple[int, ...], p: float) -> Array:
    size = np.abs(x)
    if p == 0:
        return np.asarray((size != 0).sum(axis).astype(x.dtype))
    if np.isinf(p):
        return np.asarray(size.max(axis, initial=0) if p > 0 else size.min(axis, initial=np.inf))
    return np.asarray((size**p).sum(axis) ** (1 / p))


def _any_norm(draw: Draw) -> Case:
    return plane(p=draw.pick(3.0, 2.0, 1.0, 0.0, np.inf, -np.inf, -1.0))(draw)


def _long_rows(draw: Draw) -> Case:
    return case(draw.values(*draw.shape((2, 9001), (2, 0))))


def _rows(draw: Draw) -> Case:
    return case(draw.few(*draw.shape((3, 301), (3, 0))))


def _near_one(draw: Draw) -> Case:
    x = draw.few(*draw.shape((3, 301), (3, 0)))
    return case(x if draw.dtype not in FLOATS else (1 + x.astype(np.float32) / 64).astype(x.dtype))


def _running(better: np.ufunc) -> Callable[[Array], tuple[Array, Array]]:
    """The best so far, and where it last was."""

    def oracle(x: Array) -> tuple[Array, Array]:
        found = better.accumulate(x, axis=-1)
        here = np.where(x == found, np.arange(x.shape[-1]), 0)
        return found, np.maximum.accumulate(here, axis=-1)

    return oracle


def _diff(draw: Draw) -> Case:
    return case(draw.values(*draw.shape((3, 5, 133), (0, 3, 5), (0, 0, 1))))


EMPTY = Wrong(case(zeros(3, 0)), "C >= 1")
WALK = "rounding errors of a chain of n additions walk randomly: about sqrt(n) units, and n is 9001"
CANCEL = "665 terms of both signs may nearly cancel, and sums are chains where the layout makes them"
LOGS = "errors of exp and log along 301 steps"
FACTORS = "each of 301 factors is rounded, and the largest product is not the last"
TABLE = (
    reduction("sum", NUMBERS, _same(np.sum), "smooth", 32, CANCEL),
    reduction("prod", NUMBERS, _same(np.prod), "smooth", 8, elements=Draw.few),
    reduction("sum_whole", ANY, _wide(np.sum), "integer", elements=Draw.few),
    reduction("prod_whole", ANY, _wide(np.prod), "integer", elements=Draw.few),
    reduction("amax", ANY, np.max, "almost everywhere", least=1, elements=Draw.special),
    reduction("amin", ANY, np.min, "almost everywhere", least=1, elements=Draw.special),
    reduction("any", ANY, lambda x, axis: np.any(x != 0, axis=axis), "integer", elements=Draw.special),
    reduction("all", ANY, lambda x, axis: np.all(x != 0, axis=axis), "integer", elements=Draw.special),
    reduction("count_nonzero", ANY, np.count_nonzero, "integer", elements=Draw.special),
    reduction("mean", FLOATS, np.mean, "smooth", 8),
    reduction("var", FLOATS, _divisor, "smooth", 8, correction=1),
    reduction("std", FLOATS, lambda x, axis, correction: np.sqrt(_divisor(x, axis, correction)), "smooth", 8,
              correction=0),
    replace(reduction("norm", FLOATS, _norm, "smooth", 8, p=3.0), make=_any_norm),
    reduction("logsumexp", FLOATS, _logsumexp, "smooth", 8),
    reduction("argmax", NUMBERS, _place(np.argmax), "integer", least=1, elements=Draw.special),
    reduction("argmin", NUMBERS, _place(np.argmin), "integer", least=1, elements=Draw.special),
    row("max", NUMBERS, _some, lambda x: (x.max(-1), x.argmax(-1)), (NOT_BOOL, NO_AXES, EMPTY), "almost everywhere"),
    row("min", NUMBERS, _some, lambda x: (x.min(-1), x.argmin(-1)), (NOT_BOOL, NO_AXES, EMPTY), "almost everywhere"),
    row("cumsum", NUMBERS, _long_rows, lambda x: np.cumsum(x, axis=-1, dtype=x.dtype), (NOT_BOOL, NO_AXES), "smooth",
        64, WALK),
    row("cumprod", NUMBERS, _near_one, lambda x: np.cumprod(x, axis=-1, dtype=x.dtype), (NOT_BOOL, NO_AXES), "smooth",
        32, FACTORS),
    row("cumsum_whole", ANY, _rows, lambda x: np.cumsum(x.astype(np.int64), axis=-1), (NO_AXES,), "integer"),
    row("cumprod_whole", ANY, _rows, lambda x: np.cumprod(x.astype(np.int64), axis=-1), (NO_AXES,), "integer"),
    row("cummax", NUMBERS, _rows, _running(np.maximum), (NOT_BOOL, NO_AXES), "almost everywhere"),
    row("cummin", NUMBERS, _rows, _running(np.minimum), (NOT_BOOL, NO_AXES), "almost everywhere"),
    row("logcumsumexp", FLOATS, _rows, lambda x: np.logaddexp.accumulate(x, axis=-1), (NOT_INT, NO_AXES), "smooth", 16,
        LOGS),
    row("diff", NUMBERS, _diff, lambda x: np.diff(x, axis=-1), (NOT_BOOL, NO_AXES, EMPTY), "smooth", 1),
)  # fmt: skip
