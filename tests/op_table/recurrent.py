"""Recurrent layers over a sequence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from op_table.model import FLOATS, Array, Case, Draw, Row, Wrong, case, row, zeros


def sigmoid(x: Array) -> Array:
    return np.asarray(1 / (1 + np.exp(-x)))


def unrolled(x: Array, state: tuple[Array, ...], step: Callable[..., tuple[Array, ...]]) -> tuple[Array, ...]:
    """All first parts of the state, then the last state."""
    found = []
    for at in x:
        state = step(at, *state)
        found.append(state[0])
    return np.array(found).reshape(len(x), *state[0].shape), *state


def _rnn(
    x: Array, h0: Array, w: Array, u: Array, b: Array | None, c: Array | None, nonlinearity: str
) -> tuple[Array, ...]:
    f = np.tanh if nonlinearity == "tanh" else lambda z: np.maximum(z, 0)
    bias = (0 if b is None else b) + (0 if c is None else c)
    return unrolled(x, (h0,), lambda at, h: (f(at @ w.T + h @ u.T + bias),))


def _gru(x: Array, h0: Array, w: Array, u: Array, b: Array | None, c: Array | None) -> tuple[Array, ...]:
    def step(at: Array, h: Array) -> tuple[Array, ...]:
        r, z, n = np.split(at @ w.T + (0 if b is None else b), 3, -1)
        s, y, m = np.split(h @ u.T + (0 if c is None else c), 3, -1)
        update = sigmoid(z + y)
        return ((1 - update) * np.tanh(n + sigmoid(r + s) * m) + update * h,)

    return unrolled(x, (h0,), step)


def _lstm(x: Array, h0: Array, c0: Array, w: Array, u: Array, b: Array | None, c: Array | None) -> tuple[Array, ...]:
    bias = (0 if b is None else b) + (0 if c is None else c)

    def step(at: Array, h: Array, cell: Array) -> tuple[Array, ...]:
        i, f, g, o = np.split(at @ w.T + h @ u.T + bias, 4, -1)
        cell = sigmoid(f) * cell + sigmoid(i) * np.tanh(g)
        return sigmoid(o) * np.tanh(cell), cell

    return unrolled(x, (h0, c0), step)


def of(gates: int, states: int) -> Callable[[Draw], Case]:
    """A short sequence, weights small enough that errors do not grow along it."""

    def small(draw: Draw, *shape: int) -> Array:
        x = draw.values(*shape)
        return np.asarray((x.astype(np.float64) / 4).astype(x.dtype))

    def make(draw: Draw) -> Case:
        s, n, i, h = draw.shape((5, 3, 4, 7), (0, 3, 4, 7), (0, 0, 0, 1))
        state = [draw.values(n, h) for _ in range(states)]
        weights = small(draw, gates * h, i), small(draw, gates * h, h)
        biases = (draw.pick(draw.values(gates * h), None) for _ in range(2))
        keywords: dict[str, Any] = {"nonlinearity": draw.pick("tanh", "relu")} if gates == 1 else {}
        return case(draw.values(s, n, i), *state, *weights, *biases, **keywords)

    return make


def layer(op: str, oracle: Callable[..., tuple[Array, ...]], gates: int, states: int) -> Row:
    x, state = zeros(2, 3, 4), [zeros(3, 2)] * states
    few, good = zeros(2 * gates + 1, 2), zeros(2 * gates, 4)
    refused = (
        Wrong(case(x, *state, good, few), "must be"),
        Wrong(case(x, *state, good), "needs 'w_hh'"),
        Wrong(case(x[0], *state, good, zeros(2 * gates, 2)), "'x' of .* has 2 axes"),
    )
    why = "errors of each step go on into the next ones, and half precision rounds the state"
    return row(op, FLOATS, of(gates, states), oracle, refused, "smooth", 16, why, layout_operands=(0, 1), samples=6)


TABLE = (layer("rnn", _rnn, 1, 1), layer("gru", _gru, 3, 1), layer("lstm", _lstm, 4, 2))
