"""Convolutions."""

from __future__ import annotations

import numpy as np

from op_table.model import FLOATS, Array, Case, Draw, Row, Wrong, case, zeros


def _conv2d(draw: Draw) -> Case:
    n, c, h, w, o, r, s = draw.shape((2, 3, 9, 19, 4, 3, 3), (0, 3, 9, 9, 4, 3, 3), (0, 0, 1, 1, 0, 1, 1))
    r, s = min(r, h), min(s, w)
    keywords = {"stride": 2, "pad": 1} if draw.size == "odd" else {}
    bias = draw.values(o) if draw.size != "one" else None
    return case(draw.values(n, c, h, w), draw.values(o, c, r, s), bias, **keywords)


def _conv2d_oracle(case: Case) -> tuple[Array, ...]:
    x, w, b = case.operands
    assert x is not None and w is not None
    stride, pad = case.keywords.get("stride", 1), case.keywords.get("pad", 0)
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    view = np.lib.stride_tricks.sliding_window_view(x, w.shape[2:], axis=(2, 3))[:, :, ::stride, ::stride]
    y = np.einsum("ncpqrs,ocrs->nopq", view, w)
    return (y if b is None else y + b[None, :, None, None],)


TABLE = (
    Row("conv2d", FLOATS, _conv2d, _conv2d_oracle, 8,
        (Wrong(case(zeros(1, 2, 9, 9), zeros(4, 3, 3, 3)), "axis 1 of 'w' must be C"),), "smooth",
        layout_operands=(0, 1)),
)  # fmt: skip
