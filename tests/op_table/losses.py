"""Losses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import FLOATS, Array, Case, Draw, Gradient, Row, Wrong, case, row, wrong_dtype, zeros
from op_table.softmax import log_softmax

Elements = Callable[..., Array]


def reduced(d: Array, reduction: str, weight: Array | None = None) -> Array:
    """``d`` as it is, its sum, or its mean, weighted by ``weight``."""
    if reduction == "none":
        return d
    total = d.sum()
    return np.asarray(total if reduction == "sum" else total / (d.size if weight is None else weight.sum()))


def pairs(*of: Elements, optional: int = 0, **keywords: Any) -> Callable[[Draw], Case]:
    """The last ``optional`` operands may be absent."""

    def make(draw: Draw) -> Case:
        shape = draw.shape((3, 5, 37), (3, 0, 5))
        operands: list[Array | None] = [elements(draw, *shape) for elements in of]
        for n in range(len(of) - optional, len(of)):
            operands[n] = draw.pick(operands[n], None)
        return Case(tuple(operands), {**keywords, "reduction": draw.pick("mean", "none", "sum")})

    return make


def elementwise(function: Callable[..., Any]) -> Callable[..., Array]:
    def oracle(*operands: Array | None, reduction: str, **keywords: Any) -> Array:
        given = (1.0 if x is None else x for x in operands)
        return reduced(function(*given, *keywords.values()), reduction)

    return oracle


def _smooth_l1(x: Array, t: Array, beta: float) -> Array:
    a = np.abs(x - t)
    return np.where(a < beta, a * a / (2 * beta), a - beta / 2)


def _huber(x: Array, t: Array, delta: float) -> Array:
    a = np.abs(x - t)
    return np.where(a <= delta, a * a / 2, delta * (a - delta / 2))


def _bce(x: Array, t: Array, weight: Array) -> Array:
    return -weight * (t * np.maximum(np.log(x), -100) + (1 - t) * np.maximum(np.log(1 - x), -100))


def _logits(x: Array, t: Array, weight: Array, positive: Array) -> Array:
    return weight * (positive * t * np.logaddexp(0, -x) + (1 - t) * np.logaddexp(0, x))


def probabilities(draw: Draw, *shape: int) -> Array:
    """0 and 1 among them."""
    x = draw.unit(*shape)
    return np.where(draw.bools(*shape), x, draw.bools(*shape).astype(x.dtype))


def _kl(draw: Draw) -> Case:
    x, t = pairs(Draw.values, probabilities)(draw).arrays
    reduction = draw.pick("batchmean", "mean", "none", "sum")
    return case(x, t, log_target=draw.pick(False, True), reduction=reduction)


def _kl_div(x: Array, t: Array, log_target: bool, reduction: str) -> Array:
    d = np.exp(t) * (t - x) if log_target else np.where(t == 0, 0, t * (np.log(t) - x))
    return np.asarray(d.sum() / len(d)) if reduction == "batchmean" else reduced(d, reduction)


def classes(smooth: bool, **keywords: Any) -> Callable[[Draw], Case]:
    """Scores of 5 images in 4 classes; every third target is to be ignored."""

    def make(draw: Draw) -> Case:
        n, c, h = draw.shape((5, 4, 17), (0, 4, 3), (0, 1, 1))
        target = draw.indices(c, n, h)
        target[:, 1::3] = keywords["ignore_index"]
        weight = draw.pick(draw.positive(c), None)
        smoothing = {"label_smoothing": draw.pick(0.25, 0.0)} if smooth else {}
        reduction = draw.pick("mean", "none", "sum")
        scores = draw.values(n, c, h) if smooth else -draw.positive(n, c, h)
        return case(scores, target, weight, **keywords, **smoothing, reduction=reduction)

    return make


def _nll(x: Array, t: Array, weight: Array | None, reduction: str, ignore_index: int = -100) -> Array:
    weight = np.ones(x.shape[1]) if weight is None else weight
    at = np.where(t == ignore_index, 0, t)
    w = np.where(t == ignore_index, 0, weight[at])
    return reduced(-w * np.take_along_axis(x, at[:, None], 1)[:, 0], reduction, w)


def _log_probabilities(x: Array) -> Array:
    return np.moveaxis(log_softmax(np.moveaxis(x, 1, -1)), -1, 1)


def _cross_entropy(
    x: Array, t: Array, weight: Array | None, ignore_index: int, label_smoothing: float, reduction: str
) -> Array:
    weight = np.ones(x.shape[1]) if weight is None else weight
    logs = _log_probabilities(x)
    w = np.where(t == ignore_index, 0, weight[np.where(t == ignore_index, 0, t)])
    spread = np.where(t == ignore_index, 0, -(weight[:, None] * logs).sum(1)) / x.shape[1]
    d = (1 - label_smoothing) * _nll(logs, t, weight, "none", ignore_index) + label_smoothing * spread
    return reduced(d, reduction, w)


def _soft(draw: Draw) -> Case:
    n, c, h = draw.shape((5, 4, 17), (0, 4, 3), (0, 1, 1))
    return case(draw.values(n, c, h), draw.unit(n, c, h), draw.positive(c), label_smoothing=0.25, reduction="mean")


def _soft_cross_entropy(x: Array, t: Array, weight: Array, label_smoothing: float, reduction: str) -> Array:
    t = (1 - label_smoothing) * t + label_smoothing / x.shape[1]
    return reduced(-(weight[:, None] * t * _log_probabilities(x)).sum(1), reduction)


def loss(
    op: str,
    function: Callable[..., Any],
    of: tuple[Elements, ...] = (Draw.values, Draw.values),
    gradient: Gradient = "smooth",
    optional: int = 0,
    **keywords: Any,
) -> Row:
    x = zeros(2, 3)
    refused = (
        wrong_dtype("i32", len(of)),
        Wrong(case(x), "needs 'target'"),
        Wrong(case(x, zeros(2, 4)), "do not broadcast"),
        Wrong(case(x, x, reduction="max"), "reduction"),
    )
    return row(
        op, FLOATS, pairs(*of, optional=optional, **keywords), elementwise(function), refused, gradient, 8, samples=5
    )


VALUES, UNIT, POSITIVE = Draw.values, Draw.unit, Draw.positive
KINKS: Gradient = "almost everywhere"
X, T = zeros(2, 3), zeros(2, dtype="i64")
CLASSES = (Wrong(case(X, T + 3), "index (is )?3, out"), Wrong(case(X, zeros(2)), "'target' of .* has dtype f32"),
           Wrong(case(X, zeros(3, dtype="i64")), "must be N"), Wrong(case(X, T, zeros(2)), "must be C"))  # fmt: skip
TABLE = (
    loss("mse_loss", lambda x, t: (x - t) ** 2),
    loss("l1_loss", lambda x, t: np.abs(x - t), gradient=KINKS),
    loss("smooth_l1_loss", _smooth_l1, beta=0.5),
    loss("huber_loss", _huber, delta=0.75),
    loss("binary_cross_entropy", _bce, (UNIT, probabilities, POSITIVE), optional=1),
    loss("binary_cross_entropy_with_logits", _logits, (VALUES, probabilities, POSITIVE, POSITIVE), optional=2),
    row("kl_div", FLOATS, _kl, _kl_div,
        (wrong_dtype("i32", 2), Wrong(case(X, zeros(2, 4)), "must be")), "smooth", 32,
        "terms of both signs may nearly cancel", samples=5),
    row("nll_loss", FLOATS, classes(False, ignore_index=-1), _nll, CLASSES, "smooth", 8, samples=6),
    row("cross_entropy", FLOATS, classes(True, ignore_index=-1), _cross_entropy,
        CLASSES, "smooth", 8, samples=8),
    row("soft_cross_entropy", FLOATS, _soft, _soft_cross_entropy,
        (Wrong(case(X, zeros(2, 4)), "must be"), wrong_dtype("i32", 2)), "smooth", 8, samples=6),
)  # fmt: skip
