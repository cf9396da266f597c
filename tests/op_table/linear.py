"""Products of matrices and vectors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import FLOATS, NUMBERS, Array, Case, Draw, Wrong, case, row, zeros

Maker = Callable[[Draw], Case]
BOTH: dict[str, Any] = {"layout_operands": (0, 1), "unit_operands": (0, 1)}


def of(odd: dict[str, int], empty: str, *shapes: str, **keywords: Any) -> Maker:
    """Operands whose axes are named by letters with these extents; ``empty`` is the axis that may be 0."""

    def make(draw: Draw) -> Case:
        none = tuple(0 if axis == empty else n for axis, n in odd.items())
        sizes = dict(zip(odd, draw.shape(tuple(odd.values()), none), strict=True))
        return case(*(draw.values(*(sizes[axis] for axis in shape)) for shape in shapes), **keywords)

    return make


def einsum(spec: str) -> Callable[..., Array]:
    return lambda *operands: np.einsum(spec, *(x for x in operands if x is not None))


def _addmm(x: Array, a: Array, b: Array, beta: int, alpha: int) -> Array:
    kind = x.dtype.type
    return np.asarray(kind(beta) * x + kind(alpha) * np.matmul(a, b))


def _linear(x: Array, weight: Array, bias: Array) -> Array:
    return np.asarray(x @ weight.T + bias)


def _bilinear(x: Array, y: Array, weight: Array, bias: Array) -> Array:
    return np.asarray(np.einsum("bi,nij,bj->bn", x, weight, y) + bias)


def _three(draw: Draw) -> Case:
    n, _ = draw.shape((17, 3), (0, 3))
    return case(draw.values(n, 3), draw.values(n, 3))


def _matmul(draw: Draw) -> Case:
    """Matrices in some layouts and sizes, else batches that broadcast."""
    m, k, n = draw.shape((17, 23, 37), (5, 0, 3))
    left, right = draw.pick(((), ()), ((2, 3), (3,)), ((2,), (4, 1)))
    return case(draw.values(*left, m, k), draw.values(*right, k, n))


def mismatch(message: str, *shapes: tuple[int, ...], **keywords: Any) -> tuple[Wrong, ...]:
    """Operands of these shapes, and none."""
    return Wrong(Case(tuple(zeros(*s) for s in shapes), keywords), message), Wrong(Case((), keywords), "needs")


BATCH = {"b": 3, "m": 5, "k": 7, "n": 17}
TABLE = (
    row("matmul", NUMBERS, _matmul, np.matmul,
        (Wrong(case(zeros(2, 3), zeros(2, 3)), "axis 0 of 'b' must be K, the extent of axis 1 of 'a'"),
         Wrong(case(zeros(2, 3, 4), zeros(3, 4, 5)), "broadcast"),
         Wrong(case(zeros(3), zeros(3, 5)), "'a' of matmul has 1 axis")), "smooth", 8, **BOTH),
    row("mv", NUMBERS, of(BATCH, "k", "bmk", "k"), np.matmul, mismatch("must be K", (2, 3), (2,)), "smooth", 8, **BOTH),
    row("vm", NUMBERS, of(BATCH, "k", "bk", "kn"), np.matmul, mismatch("must be K", (2,), (3, 2)), "smooth", 8, **BOTH),
    row("dot", NUMBERS, of({"b": 3, "k": 301}, "k", "bk", "bk"), einsum("bk,bk->b"), mismatch("must be K", (2,), (3,)),
        "smooth", 8, **BOTH),
    row("outer", NUMBERS, of(BATCH, "m", "bm", "bn"), einsum("bm,bn->bmn"), mismatch("has 0 axes", (), (3,)), "smooth",
        1, **BOTH),
    row("addmm", NUMBERS, of(BATCH, "k", "mn", "bmk", "kn", beta=2, alpha=3), _addmm,
        mismatch("must be", (2, 3), (2, 4), (3, 4), beta=1, alpha=1), "smooth", 8),
    row("linear", FLOATS, of(BATCH, "b", "bmk", "nk", "n"), _linear, mismatch("must be K", (2, 3), (4, 5)), "smooth", 8,
        **BOTH),
    row("bilinear", FLOATS, of({"b": 3, "i": 5, "n": 17, "j": 4}, "b", "bi", "bj", "nij", "n"), _bilinear,
        mismatch("must be I", (2, 3), (2, 3), (1, 2, 3)), "smooth", 8),
    row("tensordot", NUMBERS, of({"a": 3, "b": 5, "k": 7, "l": 4, "c": 17}, "k", "abkl", "klc", K=2),
        lambda x, y, K: np.tensordot(x, y, K).astype(x.dtype), mismatch("must be", (2, 3), (2, 3), K=1), "smooth", 8),
    row("kron", NUMBERS, of({"m": 3, "n": 5, "p": 2, "q": 7}, "m", "mn", "pq"), np.kron,
        mismatch("has 1 axis", (2, 3), (3,)), "smooth", 1),
    row("cross", NUMBERS, _three, np.cross, mismatch("C == 3", (2, 2), (2, 2)), "smooth", 2),
    row("trace", NUMBERS, of({"b": 3, "m": 5, "n": 7}, "m", "bmn"),
        lambda x: np.trace(x, axis1=-2, axis2=-1, dtype=x.dtype), mismatch("has 1 axis", (3,)), "smooth", 8),
)  # fmt: skip
