"""Normalisations by mean and variance, or by length."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import FLOATS, Array, Case, Draw, Wrong, case, row, wrong_dtype, zeros


def _scaled(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    return np.asarray((x - x.mean(axes, keepdims=True)) / np.sqrt(x.var(axes, keepdims=True) + eps))


def _channels(x: Array, per_channel: Array | None, absent: float = 1.0) -> Array | float:
    return absent if per_channel is None else per_channel.reshape(-1, *(1,) * (x.ndim - 2))


def _layer_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    return _scaled(x, tuple(range(x.ndim - weight.ndim, x.ndim)), eps) * weight + bias


def _rms_norm(x: Array, weight: Array, eps: float) -> Array:
    return np.asarray(
        x / np.sqrt((x * x).mean(tuple(range(x.ndim - weight.ndim, x.ndim)), keepdims=True) + eps) * weight
    )


def _batch_norm(x: Array, mean: Array, var: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    m, v, w = (_channels(x, p) for p in (mean, var, weight))
    return np.asarray((x - m) / np.sqrt(v + eps) * w + _channels(x, bias, 0.0))


def _batch_norm_train(
    x: Array, weight: Array | None, bias: Array | None, eps: float, unbiased: bool
) -> tuple[Array, ...]:
    axes = (0, *range(2, x.ndim))
    mean, var = x.mean(axes), x.var(axes)
    return _batch_norm(x, mean, var, weight, bias, eps), mean, x.var(axes, ddof=1)


def _instance_norm(x: Array, weight: Array | None, bias: Array | None, eps: float) -> Array:
    return _scaled(x, tuple(range(2, x.ndim)), eps) * _channels(x, weight) + _channels(x, bias, 0.0)


def _group_norm(x: Array, weight: Array | None, bias: Array | None, num_groups: int, eps: float) -> Array:
    groups = x.reshape(x.shape[0], num_groups, -1)
    return _scaled(groups, (2,), eps).reshape(x.shape) * _channels(x, weight) + _channels(x, bias, 0.0)


def _normalize(x: Array, p: float, eps: float) -> Array:
    return np.asarray(x / np.maximum((np.abs(x) ** p).sum(-1, keepdims=True) ** (1 / p), eps))


def of_rows(parameters: int, **keywords: Any) -> Callable[[Draw], Case]:
    """Two axes are normalised; a few parameters have their shape."""

    def make(draw: Draw) -> Case:
        n, a, b = draw.shape((5, 3, 37), (0, 3, 5), (0, 1, 1))
        return case(draw.values(n, a, b), *(draw.values(a, b) for _ in range(parameters)), **keywords)

    return make


def of_channels(parameters: str, multiple: int = 1, least: int = 1, **keywords: Any) -> Callable[[Draw], Case]:
    """Images of several channels; per channel a parameter, positive for each letter p."""

    def make(draw: Draw) -> Case:
        n, c, h, w = draw.shape((3, 3, 5, 17), (3, 0, 5, 3), (1, 1, least, 1))
        c *= multiple
        made = ((draw.positive if p == "p" else draw.values)(c) for p in parameters)
        operands: list[Array | None] = list(made)
        for n_th in range(len(parameters) - 2, len(parameters)):
            operands[n_th] = draw.pick(operands[n_th], None)
        return case(draw.values(n, c, h, w), *operands, **keywords)

    return make


EPS = 1e-2
ERRORS = "a difference of nearly equal numbers, over a spread that may be small"
X, C = zeros(2, 3, 4), zeros(3)
NOT_INT = wrong_dtype("i32", eps=EPS)
TABLE = (
    row("layer_norm", FLOATS, of_rows(2, eps=EPS), _layer_norm,
        (Wrong(case(X, zeros(5)), "must be"), wrong_dtype("i32", 2)), "smooth", 16, ERRORS),
    row("rms_norm", FLOATS, of_rows(1, eps=EPS), _rms_norm,
        (Wrong(case(X, zeros(5)), "must be"), wrong_dtype("i32", 2)), "smooth", 8),
    row("batch_norm", FLOATS, of_channels("vpvv", eps=EPS), _batch_norm,
        (Wrong(case(X, C, C, C, zeros(2)), "must be C"), Wrong(case(zeros(3), C, C, C, C), "has 1 axis")), "smooth", 16,
        ERRORS),
    row("batch_norm_train", FLOATS, of_channels("vv", least=2, eps=EPS, unbiased=True), _batch_norm_train,
        (Wrong(case(X, C, zeros(2)), "must be C"), Wrong(case(zeros(3), C, C), "has 1 axis")), "smooth", 16, ERRORS),
    row("instance_norm", FLOATS, of_channels("vv", eps=EPS), _instance_norm,
        (Wrong(case(X, C, zeros(2)), "must be C"), Wrong(case(zeros(3), C, C), "has 1 axis")), "smooth", 16, ERRORS),
    row("group_norm", FLOATS, of_channels("vv", 2, num_groups=2, eps=EPS), _group_norm,
        (Wrong(case(X, C, C, num_groups=2), "C % 2"), Wrong(case(X, C, C, num_groups=0), "does not hold|zero")),
        "smooth", 16, ERRORS),
    row("normalize", FLOATS, lambda draw: case(draw.values(*draw.shape((3, 5, 133), (3, 0, 5))), p=1.0, eps=EPS),
        _normalize, (wrong_dtype("i32"), Wrong(case(zeros()), "has 0 axes")), "smooth", 8),
)  # fmt: skip
