"""Attention."""

from __future__ import annotations

from typing import Any

import numpy as np

from op_table.model import FLOATS, Array, Case, Draw, Wrong, case, row, zeros


def attention(
    q: Array,
    k: Array,
    v: Array,
    mask: Array | None = None,
    bias: Array | None = None,
    is_causal: bool = False,
    scale: float = 0.0,
) -> Array:
    scores = q @ np.swapaxes(k, -1, -2) * (scale or 1 / np.sqrt(q.shape[-1])) + (0 if bias is None else bias)
    seen = np.ones(scores.shape, bool) if mask is None else mask
    if is_causal:
        seen = seen & np.tri(*scores.shape[-2:], dtype=bool)
    scores = np.where(seen, scores, -np.inf)
    top = scores.max(-1, keepdims=True, initial=-np.inf)
    e = np.where(seen, np.exp(scores - np.where(np.isinf(top), 0, top)), 0)
    return np.asarray(e @ v / np.maximum(e.sum(-1, keepdims=True), np.finfo(float).tiny))


def grouped(q: Array, k: Array, v: Array, mask: None, bias: Array, group: int, is_causal: bool) -> Array:
    return attention(q, np.repeat(k, group, -3), np.repeat(v, group, -3), mask, bias, is_causal)


def _attention(draw: Draw) -> Case:
    """A mask, so that some query sees no key; the same keys and values for the whole batch."""
    b, h, n, m, d, e = draw.shape((2, 3, 5, 7, 4, 6), (2, 3, 0, 7, 4, 6), (0, 0, 0, 0, 1, 0))
    mask = draw.bools(h, n, m)
    mask[:, :1] = False
    return case(
        draw.values(b, h, n, d),
        draw.values(h, m, d),
        draw.values(h, m, e),
        draw.pick(mask, None),
        **draw.pick(CAUSAL, SCALED),
    )


def _grouped(draw: Draw) -> Case:
    b, g, n, m, d, e = draw.shape((2, 3, 5, 7, 4, 6), (2, 3, 0, 7, 4, 6), (0, 0, 0, 0, 1, 0))
    bias = draw.values(b, 2 * g, n, m)
    q, k, v = draw.values(b, 2 * g, n, d), draw.values(b, g, m, d), draw.values(b, g, m, e)
    return case(q, k, v, None, bias, group=2, is_causal=False)


OPERANDS: dict[str, Any] = {"layout_operands": (0, 1, 2)}
CAUSAL, SCALED = {"is_causal": True}, {"scale": 0.125}
X = zeros(3, 5, 4)
TABLE = (
    row("attention", FLOATS, _attention, attention,
        (Wrong(case(X, zeros(3, 7, 5), X), "must be D"),
         Wrong(case(X, X, X, zeros(3, 5, 5)), "'mask' of attention has"),
         Wrong(case(X, X), "needs 'v'")), "smooth", 8, **OPERANDS),
    row("grouped_attention", FLOATS, _grouped, grouped,
        (Wrong(case(X, X, X, group=2), "H == G"), Wrong(case(X, X, X, group=0), "does not hold for group = 0|zero")),
        "smooth", 8, samples=6, **OPERANDS),
)  # fmt: skip
