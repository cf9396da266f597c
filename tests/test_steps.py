"""Statements in steps: ``for t: T:``, from the text to the machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tilewright as tw
from tilewright.dsl.parse import parse
from tilewright.dsl.specialise import specialise
from tilewright.errors import CheckError
from tilewright.ir.interpret import TYPED, run_function
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import F32
from tilewright.ir.verify_tensor import verify

RANDOM = np.random.default_rng(4)

RNN = """\
op rnn[T: float](x: T[S, N, J], w: T[J, J], h0: T[N, J]) -> h: T[S, N, J]:
    for t: S:
        g[t, n, j] = x[t, n, j] + sum[k]((h[t - 1, n, k] else h0[n, k]) * w[j, k])
        h[t, n, j] = tanh(g[t, n, j])
"""
LSTM = """\
op lstm[T: float](x: T[N, S, E], w: T[4, J, E], u: T[4, J, J]) -> h: T[N, S, J], last: T[N, J]:
    c: T[N, S, J]
    for t: S:
        g[n, t, q, j] = sum[e](x[n, t, e] * w[q, j, e]) + sum[k]((h[n, t - 1, k] else 0) * u[q, j, k])
        c[n, t, j] = sigmoid(g[n, t, 1, j]) * (c[n, t - 1, j] else 0) + sigmoid(g[n, t, 0, j]) * tanh(g[n, t, 2, j])
        h[n, t, j] = sigmoid(g[n, t, 3, j]) * tanh(c[n, t, j])
    last[n, j] = c[n, S - 1, j]
"""
HEAT = """\
op heat(a: f64[N, M], steps: u8[T]) -> r: f64[N, M]:
    u: f64[T, N, M]
    for t: T:
        before[t, i, j] = where(t == 0, a[i, j], (u[t - 1, i, j] else 0))
        u[t, i, j] = before[t, i, j] + 0.125 * ((before[t, i - 1, j] else 0) - 2 * before[t, i, j]
            + (before[t, i + 1, j] else 0))
    r[i, j] = u[T - 1, i, j]
"""
DISTANCE = """\
op distance(a: i64[N], b: i64[M]) -> d: i64[N, M]:
    for i: N, j: M:
        beside[i, j] = min((d[i - 1, j] else j + 1), (d[i, j - 1] else i + 1)) + 1
        d[i, j] = min(beside[i, j], (d[i - 1, j - 1] else max(i, j)) + i64(a[i] != b[j]))
"""
CHOLESKY = """\
op cholesky(a: f64[N, N]) -> l: f64[N, N]:
    for j: N:
        c[j, i] = a[i, j] - sum[k: N]((l[k, i] else 0) * (l[k, j] else 0))
        l[j, i] = where(i < j, 0, c[j, i] / sqrt(c[j, j]))
"""
SOLVE = """\
op solve(u: f64[N, N], b: f64[N]) -> x: f64[N]:
    for i: N down:
        x[i] = (b[i] - sum[j](u[i, j] * (x[j] else 0))) / u[i, i]
"""
SEIDEL = """\
op seidel(a: f64[N, N], steps: u8[T]) -> r: f64[N, N]:
    s: f64[T, N, N]
    for t: T, i: N, j: N:
        old[t, i, j] = (s[t - 1, i, j] else a[i, j])
        right[t, i, j] = where(t == 0, (a[i, j + 1] else 0), (s[t - 1, i, j + 1] else 0))
        s[t, i, j] = (old[t, i, j] + (s[t, i - 1, j] else 0) + (s[t, i, j - 1] else 0) + right[t, i, j]) / 4
    r[i, j] = s[T - 1, i, j]
"""
NESTED = """\
op nested(x: f64[T, N]) -> y: f64[T, N], s: f64[T]:
    for t: T:
        m[t] = max[n](x[t, n]) + (s[t - 1] else 0)
        for n: N down:
            y[t, n] = x[t, n] - m[t] + 0.5 * (y[t, n + 1] else 0) + (y[t - 1, n] else 1)
        s[t] = sum[n](y[t, n]) / 4
"""
JUMPS = """\
op jumps(up: i64[N], x: f32[N, M]) -> y: f32[N, M]:
    for t: N:
        y[t, j] = x[t, j] + (y[up[t], j] else 100)
"""
BATCH = """\
op batch(x: f32[T, B, N]) -> y: f32[T, B, N], z: f32[T, B, N]:
    for t: T:
        y[t, b, n] = (z[t - 1, b, n] else 1) * x[t, b, n]
        z[t, b, n] = y[t, b, n] + (y[t - 1, b, n] else 0.5)
"""


def rnn(x: Any, w: Any, h0: Any) -> Any:
    found, h = [], h0
    for row in x:
        h = np.tanh(row + h @ w.T)
        found.append(h)
    return np.array(found)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + np.exp(-x))


def lstm(x: Any, w: Any, u: Any) -> Any:
    n, s, _ = x.shape
    h = c = np.zeros((n, w.shape[1]))
    found = np.zeros((n, s, w.shape[1]))
    for t in range(s):
        i, f, g, o = (x[:, t] @ w[q].T + h @ u[q].T for q in range(4))
        c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
        h = found[:, t] = _sigmoid(o) * np.tanh(c)
    return found, c


def heat(a: Any, steps: Any) -> Any:
    for _ in steps:
        p = np.pad(a, ((1, 1), (0, 0)))
        a = a + 0.125 * (p[:-2] - 2 * a + p[2:])
    return a


def distance(a: Any, b: Any) -> Any:
    d = np.zeros((len(a) + 1, len(b) + 1), np.int64)
    d[:, 0], d[0] = range(len(a) + 1), range(len(b) + 1)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            d[i + 1, j + 1] = min(d[i, j + 1] + 1, d[i + 1, j] + 1, d[i, j] + (x != y))
    return d[1:, 1:]


def seidel(a: Any, steps: Any) -> Any:
    p = np.pad(a, 1)
    for _ in steps:
        for i in range(1, len(a) + 1):
            for j in range(1, len(a) + 1):
                p[i, j] = (p[i, j] + p[i - 1, j] + p[i, j - 1] + p[i, j + 1]) / 4
    return p[1:-1, 1:-1]


def nested(x: Any) -> Any:
    y, s = np.zeros_like(x), np.zeros(len(x))
    for t, row in enumerate(x):
        m = row.max() + (s[t - 1] if t else 0)
        for n in reversed(range(len(row))):
            right, before = y[t, n + 1] if n + 1 < len(row) else 0, y[t - 1, n] if t else 1
            y[t, n] = row[n] - m + 0.5 * right + before
        s[t] = y[t].sum() / 4
    return y, s


def jumps(up: Any, x: Any) -> Any:
    y = np.zeros_like(x)
    for t, at in enumerate(up):
        y[t] = x[t] + (y[at] if 0 <= at < t else 100)
    return y


def batch(x: Any) -> Any:
    y, z = np.zeros_like(x), np.zeros_like(x)
    for t in range(len(x)):
        y[t] = (z[t - 1] if t else 1) * x[t]
        z[t] = y[t] + (y[t - 1] if t else 0.5)
    return y, z


def floats(*shape: int, dtype: str = "f8") -> Any:
    return RANDOM.normal(size=shape).astype(dtype)


def positive(n: int) -> Any:
    a = floats(n, n)
    return a @ a.T + np.eye(n)


def words(*sizes: int) -> list[Any]:
    return [RANDOM.integers(0, 3, n) for n in sizes]


CASES: dict[str, tuple[str, Callable[..., Any], Callable[[], list[list[Any]]]]] = {
    "rnn": (RNN, rnn, lambda: [[floats(s, 3, j), floats(j, j), floats(3, j)] for s, j in ((5, 4), (1, 1), (2, 70))]),
    "lstm": (LSTM, lstm, lambda: [[floats(3, s, 2), floats(4, 5, 2), floats(4, 5, 5)] for s in (4, 1)]),
    "heat": (HEAT, heat, lambda: [[floats(n, 3), np.zeros(t, np.uint8)] for n, t in ((6, 4), (1, 1), (80, 2))]),
    "distance": (DISTANCE, distance, lambda: [words(7, 5), words(1, 9), words(0, 3)]),
    "cholesky": (CHOLESKY, lambda a: np.linalg.cholesky(a).T, lambda: [[positive(n)] for n in (1, 6, 70)]),
    "solve": (
        SOLVE,
        np.linalg.solve,
        lambda: [[np.triu(floats(n, n)) + 9 * np.eye(n), floats(n)] for n in (1, 6, 70)],
    ),
    "seidel": (SEIDEL, seidel, lambda: [[floats(n, n), np.zeros(3, np.uint8)] for n in (1, 5)]),
    "nested": (NESTED, nested, lambda: [[floats(t, n)] for t, n in ((4, 5), (3, 1), (0, 2))]),
    "jumps": (JUMPS, jumps, lambda: [[np.array([0, 0, 1, 7, -1, 5, 2]), floats(7, m, dtype="f4")] for m in (1, 40)]),
    "batch": (BATCH, batch, lambda: [[floats(6, 3, n, dtype="f4")] for n in (4, 40)]),
}
ALL = pytest.mark.parametrize("name", CASES)


def same(actual: Any, expected: Any) -> None:
    for a, e in zip(*(r if isinstance(r, tuple) else (r,) for r in (actual, expected)), strict=True):
        np.testing.assert_allclose(a, e, rtol=1e-5, atol=1e-6)


@ALL
@pytest.mark.parametrize("target", ["cpu", "c"])
def test_steps_give_what_a_loop_gives(name: str, target: str) -> None:
    source, oracle, operands = CASES[name]
    op = tw.op(source)
    op = op.definition.on(target)
    for given in operands():
        with np.errstate(all="ignore"):
            same(op(*given), oracle(*given))


@ALL
def test_every_stage_keeps_what_steps_mean(name: str) -> None:
    source, oracle, operands = CASES[name]
    given = operands()[0]
    with tw.verify("each-pass"):
        same(tw.op(source)(*given), oracle(*given))


@ALL
def test_steps_print_and_read_back(name: str) -> None:
    op = parse(CASES[name][0]).ops[0]
    f = specialise(op, {v.name: F32 for v in op.variables})
    verify(f)
    text = print_function(f)
    assert "    for " in text
    assert specialise(parse(text).ops[0]) == f


def test_what_steps_do_not_compute_is_done_before_them() -> None:
    f = specialise(parse(LSTM).ops[0], {"T": F32})
    assert [r.name for r in f.body[0].results] == ["g_sum"]  # type: ignore[union-attr]
    assert len(f.body) == 3


WRONG = {
    "y[t] = y[t]": ("perhaps not computed yet", "y[t]"),
    "y[t] = y[N - 1 - t]": ("perhaps not computed yet", "y[N - 1 - t]"),
    "y[t] = y[t - 1]": ("out of bounds", "t - 1"),
    "z[i] = x[i]\n        y[t] = z[t]": ("has t among its axes", "z[i] = x[i]"),
    "y[t] = z[t]\n        z[t] = x[t]": ("its type must be said", "z"),
    "y[t: N] = x[t]": ("the steps say what t runs over", "t: N"),
    "y[t] += x[t] for t": ("a scatter is no part of steps", "y[t] += x[t] for t"),
    "y = cumsum(x)": ("a call of an op is no part of steps", "y = cumsum(x)"),
    "y[t] = sum[t](x[t])": ("axis t is used twice", "t"),
    "y[t] = scan[t](a = 0 <- x[t]; (b) -> a + b)": ("which the steps go along", "t"),
}


@pytest.mark.parametrize("body", WRONG)
def test_wrong_steps_say_what_is_wrong(body: str) -> None:
    message, place = WRONG[body]
    source = f"op f(x: f32[N]) -> y: f32[N]:\n    for t: N:\n        {body}\n"
    with pytest.raises(CheckError) as error:
        specialise(parse(source).ops[0])
    assert message in error.value.message and error.value.hint
    span = error.value.span
    assert span is not None and place in source.split("\n")[span.line - 1][span.column - 1 :]


def test_a_declared_type_mends_a_read_further_up() -> None:
    body = "z: f32[N]\n    for t: N:\n        w[t] = 2 * x[t]\n        y[t] = (z[t - 1] else 3)\n        z[t] = w[t]"
    source = f"op f(x: f32[N]) -> y: f32[N]:\n    {body}\n"
    assert tw.op(source)(np.arange(4, dtype=np.float32)).tolist() == [3, 0, 2, 4]


def test_an_earlier_step_needs_no_guard_where_it_is_in_bounds() -> None:
    source = "op f(x: f32[N]) -> y: f32[N], z: f32[N]:\n    for t: N:\n        y[t] = x[t]\n        z[t] = y[t // 2]\n"
    assert tw.op(source)(np.arange(5, dtype=np.float32))[1].tolist() == [0, 0, 1, 1, 2]


def test_static_conditions_choose_among_statements_in_steps() -> None:
    op = tw.op(
        "op walk(x: f32[N], w: f32[N]?, *, halve: bool = false) -> y: f32[N]:\n    for i: N:\n"
        "        if w: z[i] = x[i] * w[i]\n        else: z[i] = x[i]\n"
        "        if halve: y[i] = (y[i - 1] else 0) / 2 + z[i]\n        else: y[i] = (y[i - 1] else 0) - z[i]\n"
    )
    x = np.array([1, 2, 4], np.float32)
    assert op(x).tolist() == [-1, -3, -7]
    assert op(x, x, halve=True).tolist() == [1, 4.5, 18.25]


# --- how many steps are kept --------------------------------------------------------------------

KEPT: dict[str, tuple[str, int | None]] = {
    "its own step": ("s[t, j] = 2 * x[t, j]\n        y[t, j] = s[t, j]", 1),
    "one before": ("s[t, j] = (s[t - 1, j] else 1) * x[t, j]\n        y[t, j] = s[t, j]", 2),
    "two before": ("s[t, j] = (s[t - 2, j] else 1) + x[t, j]\n        y[t, j] = s[t, j]", 4),
    "the last three": ("y[t, j] = x[t, j] + sum[k: 3]((s[t - 1 - k, j] else 1))\n        s[t, j] = 2 * y[t, j]", 4),
    "nine before": ("s[t, j] = (s[t - 9, j] else 1) + x[t, j]\n        y[t, j] = s[t, j]", None),
    "any before": ("s[t, j] = (s[i64(x[t, j]), j] else 1) + 1\n        y[t, j] = s[t, j]", None),
    "columns by data": ("y[t, j] = (s[t - 1, i64(x[t, j])] else 1) + x[t, j]\n        s[t, j] = 2 * y[t, j]", None),
    "as far from the end": ("s[t, j] = (s[T - 1 - t, j] else 1) + 1\n        y[t, j] = s[t, j]", None),
    "other columns": ("y[t, j] = (s[t - 1, j + 1] else 1) + x[t, j]\n        s[t, j] = 2 * y[t, j]", 2),
    "other columns of its own": ("s[t, j] = (s[t - 1, j + 1] else 1) + x[t, j]\n        y[t, j] = s[t, j]", None),
    "the end": ("s[t, j] = 2 * x[t, j]\n        y[t, j] = s[t, j]\n    z[j] = (s[T - 2, j] else 7)", 2),
    "the start": ("s[t, j] = 2 * x[t, j]\n        y[t, j] = s[t, j]\n    z[j] = (s[1, j] else 7)", None),
    "all": ("s[t, j] = 2 * x[t, j]\n        y[t, j] = s[t, j]\n    z[j] = sum[t](s[t, j])", None),
}


@pytest.mark.parametrize("down", [False, True])
@pytest.mark.parametrize("what", KEPT)
def test_only_the_steps_that_are_read_are_kept(what: str, down: bool) -> None:
    """Going down means the same of the operand turned around."""
    body, slots = KEPT[what]
    if "z[" not in body:
        body += "\n    z[j] = x[0, j]"
    turned = {"t - ": "t + ", "- k": "+ k", "s[T - 2": "s[1", "s[1": "s[T - 2"}
    if down:
        body = re.sub("|".join(map(re.escape, turned)), lambda found: turned[found[0]], body)
    head = "op f(x: f32[T, J]) -> y: f32[T, J], z: f32[J]:\n    where T >= 1\n    s: f32[T, J]\n"
    source = f"{head}    for t: T{' down' if down else ''}:\n        {body}\n"
    op, x = tw.op(source), RANDOM.integers(0, 4, (11, 5)).astype("f4")
    assert f"scratch s: f32[{slots or 'T'}, J]\n" in op.text("loops", x)
    expected = run_function(specialise(parse(source).ops[0]), {"x": x}, {}, TYPED)
    same(op(x), tuple(expected.values()))
