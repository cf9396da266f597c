"""Rows of the ops that new tensors are made of."""

from __future__ import annotations

from typing import Any

import numpy as np

from op_table.model import ANY, FLOATS, INTS, NUMBERS, Array, Case, Draw, Wrong, case, row, zeros


def _like(draw: Draw, shape: tuple[int, ...]) -> Array:
    return draw.values(*shape)


def _fill(draw: Draw) -> Case:
    return case(_like(draw, draw.shape((3, 5, 7), (3, 0, 5))), value=True if draw.dtype == "bool" else 3)


def _range(draw: Draw) -> Case:
    return case(_like(draw, draw.shape((133,), (0,))), start=3, step=2)


def _between(draw: Draw) -> Case:
    return case(_like(draw, draw.shape((33,), (0,))), start=2, end=98)


def _powers(draw: Draw) -> Case:
    return case(_like(draw, draw.shape((33,), (0,))), start=-1, end=2, base=3)


def _eye(draw: Draw) -> Case:
    return case(_like(draw, draw.shape((5, 7), (0, 3))))


def _linspace(like: Array, start: float, end: float) -> Array:
    found = np.linspace(start, end, like.size)
    return found.astype(like.dtype) if like.dtype.kind in "iu" else found


def missing(name: str, **given: Any) -> tuple[Wrong, ...]:
    return (Wrong(case(zeros(2), **given), f"needs '{name}'"),)


ANYWHERE: dict[str, Any] = {"layout_operands": (), "unit_operands": (), "samples": 5}
"""Of these operands nothing is read."""
TABLE = (
    row("fill", ANY, _fill, lambda like, value: np.full(like.shape, value, like.dtype), missing("value"), "none",
        **ANYWHERE),
    row("arange", FLOATS, _range, lambda like, start, step: float(start) + np.arange(like.size) * step,
        missing("step", start=0), "none", 1, **ANYWHERE),
    row("arange_whole", INTS, _range,
        lambda like, start, step: (start + np.arange(like.size) * step).astype(like.dtype),
        (Wrong(case(zeros(2), start=0, step=1), "has dtype f32"),), "integer", **ANYWHERE),
    row("linspace", NUMBERS, _between, _linspace, missing("end", start=0), "none", 1, **ANYWHERE),
    row("logspace", FLOATS, _powers,
        lambda like, start, end, base: np.logspace(start, end, like.size, base=base), missing("base", start=0, end=1),
        "none", 4, **ANYWHERE),
    row("eye", ANY, _eye, lambda like: np.eye(*like.shape).astype(like.dtype),
        (Wrong(case(zeros(2)), "has 1 axis"),), "none", **ANYWHERE),
)  # fmt: skip
