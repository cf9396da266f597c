"""Reductions of an axis, and running ones along it."""

from __future__ import annotations

import numpy as np

from op_table.model import NUMBERS, Array, Case, Draw, Row, Wrong, case, wrong_dtype, zeros


def _long_rows(draw: Draw) -> Case:
    return case(draw.values(*draw.shape((2, 9001), (2, 0))))


def _cumsum(case: Case) -> tuple[Array, ...]:
    (x,) = case.arrays
    return (np.cumsum(x, axis=-1, dtype=x.dtype),)


def _argmax(case: Case) -> tuple[Array, ...]:
    (x,) = case.arrays
    return (np.argmax(x, axis=-1),)


def _some(draw: Draw) -> Case:
    return case(draw.values(*draw.shape((3, 5, 133), (0, 3, 5), (0, 0, 1))))


REFUSED = (wrong_dtype("bool"), Wrong(case(zeros()), "has 0 axes"))
WALK = "rounding errors of a chain of n additions walk randomly: about sqrt(n) units, and n is 9001"
TABLE = (
    Row("cumsum", NUMBERS, _long_rows, _cumsum, 64, REFUSED, "smooth", WALK),
    Row("argmax", NUMBERS, _some, _argmax, 0, (*REFUSED, Wrong(case(zeros(3, 0)), "C >= 1")), "integer"),
)
