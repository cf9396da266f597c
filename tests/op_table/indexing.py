"""Ops that take indices."""

from __future__ import annotations

from op_table.model import ANY, Array, Case, Draw, Row, Wrong, case, zeros


def _embedding(draw: Draw) -> Case:
    v, d, n, m = draw.shape((11, 37, 3, 5), (4, 5, 0, 2), (1, 0, 0, 0))
    return case(draw.values(v, d), draw.indices(v, n, m))


def _embedding_oracle(case: Case) -> tuple[Array, ...]:
    w, index = case.arrays
    return (w[index],)


TABLE = (
    Row("embedding", ANY, _embedding, _embedding_oracle, 0,
        (Wrong(case(zeros(3, 2), zeros(3, dtype="i64") + 3), "element 0 of 'idx' .* is the index 3, out of range"),),
        "smooth", layout_operands=(0, 1)),
)  # fmt: skip
