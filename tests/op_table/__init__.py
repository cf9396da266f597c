"""The op table: one row per shipped op, by topic. Tests fail on a missing row and on an empty column."""

from __future__ import annotations

from op_table import (
    convolution,
    functions,
    indexing,
    linear,
    normalisation,
    pointwise,
    pooling,
    random,
    reductions,
    selection,
    shape,
    softmax,
    sorting,
)
from op_table.model import (
    ANY,
    EPSILON,
    FLOATS,
    INTS,
    LAYOUTS,
    NUMBERS,
    NUMPY,
    Array,
    Case,
    Draw,
    Row,
    Wrong,
    values,
    widened,
)

__all__ = [
    "ANY", "EPSILON", "FLOATS", "INTS", "LAYOUTS", "NUMBERS", "NUMPY", "PROBES", "ROWS", "TABLE",
    "Array", "Case", "Draw", "Row", "Wrong", "values", "widened",
]  # fmt: skip

TOPICS = (
    pointwise,
    functions,
    softmax,
    reductions,
    linear,
    normalisation,
    convolution,
    pooling,
    shape,
    indexing,
    selection,
    sorting,
    random,
)
TABLE: tuple[Row, ...] = tuple(row for topic in TOPICS for row in topic.TABLE)
ROWS = {row.op: row for row in TABLE}
PROBES = ("matmul", "softmax", "conv2d", "embedding", "cumsum", "argmax", "dropout")
"""Ops that between them use every mechanism: what is slow is tested on these, and on all in the full run."""
