"""Products of matrices and vectors."""

from __future__ import annotations

import numpy as np

from op_table.model import NUMBERS, Array, Case, Draw, Row, Wrong, case, zeros


def _matmul(draw: Draw) -> Case:
    m, k, n = draw.shape((17, 23, 37), (5, 0, 7))
    return case(draw.values(m, k), draw.values(k, n))


def _product(case: Case) -> tuple[Array, ...]:
    a, b = case.arrays
    return (np.matmul(a, b),)


BOTH = (0, 1)
TABLE = (
    Row(
        "matmul", NUMBERS, _matmul, _product, 8,
        (Wrong(case(zeros(2, 3), zeros(2, 3)), "axis 0 of 'b' must be K, the extent of axis 1 of 'a'"),
         Wrong(case(zeros(2, 3, 4), zeros(4, 5)), "'a' of matmul has 3 axes")),
        "smooth", layout_operands=BOTH, unit_operands=BOTH,
    ),
)  # fmt: skip
