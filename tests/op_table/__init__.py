"""The op table: one row per shipped op, by topic. Tests fail on a missing row and on an empty column."""

from __future__ import annotations

from op_table import (
    attention,
    convolution,
    creation,
    families,
    functions,
    indexing,
    interpolation,
    linear,
    losses,
    normalisation,
    padding,
    pointwise,
    pooling,
    random,
    recurrent,
    reductions,
    selection,
    shape,
    softmax,
    sorting,
)
from op_table.families import FAMILIES
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
from tilewright import Op, ops

__all__ = [
    "ANY", "EPSILON", "FAMILIES", "FLOATS", "INTS", "LAYOUTS", "NUMBERS", "NUMPY", "PROBES", "ROWS", "TABLE",
    "Array", "Case", "Draw", "Row", "Wrong", "op_of", "values", "widened",
]  # fmt: skip

TOPICS = (
    pointwise,
    functions,
    softmax,
    losses,
    attention,
    recurrent,
    reductions,
    linear,
    normalisation,
    convolution,
    creation,
    pooling,
    interpolation,
    padding,
    shape,
    indexing,
    selection,
    sorting,
    random,
    families,
)
TABLE: tuple[Row, ...] = tuple(row for topic in TOPICS for row in topic.TABLE)
ROWS = {row.op: row for row in TABLE}
PROBES = ("matmul", "softmax", "conv2d", "embedding", "cumsum", "argmax", "dropout")
"""Ops that between them use every mechanism: what is slow is tested on these, and on all in the full run."""


def op_of(name: str) -> Op:
    """The op that the row called ``name`` is about."""
    return FAMILIES[name]() if name in FAMILIES else ops.get(name)
