"""Softmax and its relatives."""

from __future__ import annotations

import numpy as np

from op_table.model import FLOATS, Array, Case, Row, Wrong, case, rows, wrong_dtype, zeros


def softmax(x: Array) -> Array:
    e = np.exp(x - x.max(axis=-1, keepdims=True, initial=-np.inf))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def log_softmax(x: Array) -> Array:
    shifted = x - x.max(axis=-1, keepdims=True, initial=-np.inf)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True)))


REFUSED = (wrong_dtype("i32"), Wrong(case(zeros()), "has 0 axes"))


def row(op: str, function: object, ulps: float = 8) -> Row:
    def oracle(case: Case) -> tuple[Array, ...]:
        return (function(*case.arrays),)  # type: ignore[operator]

    return Row(op, FLOATS, rows, oracle, ulps, REFUSED, "smooth")


TABLE = (
    row("softmax", softmax),
    row("softmin", lambda x: softmax(-x)),
    row("log_softmax", log_softmax),
)
