"""Ops of the shipped families, one of each kind; a family has an op per number of operands or axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from op_table.model import ANY, NUMBERS, Array, Case, Draw, Row, Wrong, case, row, zeros
from tilewright import Op
from tilewright.stdlib.families.einsum import _einsum, parsed
from tilewright.stdlib.families.getitem import _getitem
from tilewright.stdlib.families.join import _concat, _stack

MATMUL = "...ij,jk->...ik"
FAMILIES: Mapping[str, Callable[[], Op]] = {
    "concat of 3": lambda: _concat.op(3),
    "stack of 3": lambda: _stack.op(3),
    f"einsum {MATMUL}": lambda: _einsum.op(*parsed(MATMUL, 2)),
    "getitem ::, array, :, None": lambda: _getitem.op(("slice", "array", "all", "new")),
}
"""The op of a row by its name."""


def _concatenated(draw: Draw) -> Case:
    a, n0, n1, n2, b = draw.shape((3, 5, 4, 2, 37), (3, 0, 4, 0, 5))
    return case(*(draw.values(a, n, b) for n in (n0, n1, n2)), A=1)


def _stacked(draw: Draw) -> Case:
    shape = draw.shape((3, 37), (0, 5))
    return case(*(draw.values(*shape) for _ in range(3)), A=1)


def _multiplied(draw: Draw) -> Case:
    b, i, j, k = draw.shape((2, 5, 7, 19), (2, 5, 0, 3))
    return case(draw.values(b, i, j), draw.values(j, k))


def _taken(draw: Draw) -> Case:
    n0, n1, n2, m = draw.shape((7, 5, 19, 3), (0, 5, 19, 3), (0, 1, 0, 0))
    like = np.empty((n0 + 1) // 2, np.bool_)
    return case(draw.values(n0, n1, n2), like, draw.indices(n1, m, 2), start0=0, step0=2)


def _getitem_oracle(x: Array, like: Array, at: Array, start0: int, step0: int) -> Array:
    return x[start0::step0, at, :, None]


TABLE: tuple[Row, ...] = (
    row("concat of 3", ANY, _concatenated, lambda *x, A: np.concatenate(x, A),
        (Wrong(case(zeros(2, 3), zeros(2, 3), zeros(3, 3), A=1), "must be"),
         Wrong(case(zeros(2), zeros(2), zeros(2)), "do not tell the ranks"),
         Wrong(case(zeros(2), zeros(2), A=0), "needs 'x2'")), "smooth", layout_operands=(0, 1, 2), samples=5),
    row("stack of 3", ANY, _stacked, lambda *x, A: np.stack(x, A),
        (Wrong(case(zeros(2, 3), zeros(2, 3), zeros(2, 4), A=1), "must be"),), "smooth", layout_operands=(0, 1, 2),
        samples=5),
    row(f"einsum {MATMUL}", NUMBERS, _multiplied, lambda x, y: np.einsum(MATMUL, x, y),
        (Wrong(case(zeros(2, 3), zeros(2, 3)), "must be"), Wrong(case(zeros(2), zeros(2, 3)), "has 1 axis")), "smooth",
        8, layout_operands=(0, 1), samples=5),
    row("getitem ::, array, :, None", ANY, _taken, _getitem_oracle,
        (Wrong(case(zeros(3, 4, 5), np.zeros(2, np.bool_), np.array([4]), start0=0, step0=1), "is the index 4, out of"),
         Wrong(case(zeros(3, 4, 5), np.zeros(2, np.bool_), np.array([0]), start0=2, step0=1), "index is 3, out of"),
         Wrong(case(zeros(3, 4), np.zeros(2, np.bool_), np.array([0]), start0=0, step0=1), "has 2 axes")), "smooth",
        samples=5),
)  # fmt: skip
