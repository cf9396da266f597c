"""Calls of ops by ops: what they compute, what they keep, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tilewright as tw
from tests.test_language import read_back
from tilewright.cli import main
from tilewright.compiler.definition import load_ops
from tilewright.compiler.stages import specialise_request
from tilewright.dsl.calls import in_module
from tilewright.dsl.check import check
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.errors import CallError

HELPERS = """\
op scaled[T: float](x: T[..., C], b: T[C]?, *, times: int = 1, eps: float = 0.5, on: bool = true, by: scalar T)
        -> y: T[..., C]:
    where C >= 2
    a[..., c] = x[..., c] * T(times) + T(eps) * by
    if b and on: y[..., c] = a[..., c] + b[c]
    else: y[..., c] = a[..., c]

op ends[T: any](x: T[..., C]) -> first: T[...], last: T[...]:
    first[...] = x[..., 0]
    last[...] = x[..., C - 1]

op outer(x: f32[N, M], w: f32[M]?, *, k: int = 3, q: scalar f32) -> y: f32[N, M], z: f32[N]:
    t = scaled(x, w, times=k*2, by=q)
    y = scaled(t, eps=-1.5, by=2)
    (u, v) = ends(y)
    z[n] = u[n] - v[n]
"""


def ops(text: str = HELPERS, target: str = "cpu") -> dict[str, tw.Op]:
    return load_ops(text, "helpers.tw", target)


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(len(shape)).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("bias", [False, True])
def test_a_chain_of_calls(target: str, bias: bool) -> None:
    x, w = f32(3, 5), f32(5) if bias else None
    y, z = ops(target=target)["outer"](x, w, q=0.25)
    wanted = x * 6 + 0.125 + (w if bias else 0) - 3
    np.testing.assert_allclose(y, wanted, rtol=1e-5)
    np.testing.assert_allclose(z, wanted[:, 0] - wanted[:, -1], rtol=1e-4, atol=1e-5)


def test_the_bits_are_those_of_the_ops_called_one_by_one() -> None:
    x, w = f32(7, 9001), f32(9001)
    op = tw.op("op f[T: float](x: T[N, C], w: T[C, K]) -> y: T[N, K]:\n    p = softmax(x)\n    y = matmul(p, w)\n")
    w = f32(9001, 3)
    np.testing.assert_array_equal(op(x, w), tw.ops.matmul(tw.ops.softmax(x), w))
    half = x.astype(np.float16)
    np.testing.assert_array_equal(
        op(half, w.astype(np.float16)), tw.ops.matmul(tw.ops.softmax(half), w.astype(np.float16))
    )


def test_callees_become_statements() -> None:
    module = parse(HELPERS)
    op = ops()["outer"]
    request = op.request((f32(2, 3), f32(3)), {})
    text = read_back(specialise_request(module.op("outer"), request, in_module(module)))
    assert text.splitlines()[:4] == [
        "op outer(x: f32[N, M], w: f32[M], *, q: scalar f32) -> y: f32[N, M], z: f32[N]:",
        "    where M >= 2",
        "    t_a[i0: N, c: M] = x[i0, c] * f32(i64(6)) + 0.5 * q",
        "    t[i0: N, c: M] = t_a[i0, c] + w[c]",
    ]
    with pytest.raises(CallError, match="it is required that M >= 2"):
        op(f32(2, 1), q=1.0)


def test_shapes_that_must_be_equal_are_a_precondition() -> None:
    op = tw.op("op f(a: f32[N, K], b: f32[L, M]) -> c: f32[N, M]:\n    c = matmul(a, b)\n")
    np.testing.assert_allclose(op(f32(2, 3), f32(3, 4)), f32(2, 3) @ f32(3, 4), rtol=1e-6)
    with pytest.raises(CallError, match="it is required that K == L|L == K"):
        op(f32(2, 3), f32(4, 4))


def test_a_users_op_hides_a_shipped_one_only_in_its_own_file() -> None:
    text = (
        "op softmax(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i] + 1\n"
        "op f(x: f32[N]) -> y: f32[N]:\n    y = softmax(x)\n"
        "op g(x: f32[N]) -> p: i64[]:\n    p = argmax(x, R=1)\n"
    )
    found = load_ops(text, "mine.tw", shared=tw.ops.definitions)
    np.testing.assert_array_equal(found["f"](f32(3)), f32(3) + 1)
    assert found["g"](f32(3)) == f32(3).argmax()


def test_layout_and_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert format(HELPERS) == HELPERS
    untidy = "op f(x: f32[N]) -> y: f32[N]:\n    t=softmax( x )\n    y =softmax(x=t,)\n"
    assert format(untidy).splitlines()[1:] == ["    t = softmax(x)", "    y = softmax(x=t,)"]
    (tmp_path / "f.tw").write_text(untidy)
    assert main(["check", str(tmp_path / "f.tw")]) == 0
    np.save(tmp_path / "x.npy", f32(3))
    assert (
        main(["run", str(tmp_path / "f.tw"), "--in", f"x={tmp_path / 'x.npy'}", "--out", str(tmp_path / "y.npy")]) == 0
    )
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), tw.ops.softmax(tw.ops.softmax(f32(3))))


HEADER = "op f[T: float](x: T[N, M], idx: i32[N], *, k: int = 3, q: scalar f32) -> y: T[N, M]:\n"
WRONG = {
    "t = soft(x)": ("soft", "there is no op 'soft' to call"),
    "t = scaled(x, x, x, by=q)": ("x", "scaled takes 2 operands, not 3"),
    "t = scaled(x, times = 2)": ("t = scaled(x, times = 2)", "scaled needs by: scalar f32"),
    "t = scaled(x, time = 2, by = 1)": ("time", "scaled has no parameter 'time'"),
    "t = scaled(x, times = 2.5, by = 1)": (None, "attribute 'times' of scaled is an int, not 2.5"),
    "t = scaled(x, times = N, by = 1)": ("N", "times is not known when the op is compiled"),
    "t = scaled(z, by = 1)": ("z", "unknown tensor 'z'"),
    "t = scaled(idx, by = 1)": (
        None,
        "operand 'x' of scaled has dtype i32, but x: T[..., C] takes f16, bf16, f32, f64, field",
    ),
    "t = scaled(x, b = 3, by = 1)": ("3", "b is an operand: a tensor is needed"),
    "t = scaled(x, x = x, by = 1)": ("x = x", "x is given twice"),
    "t = scaled(x, by = x[0, 0])": ("x[0, 0]", "by takes a scalar of type f32"),
    "t = ends(x)": ("t = ends(x)", "ends gives 2 results, not 1"),
    "(y, t) = ends(x)": ("(y, t) = ends(x)", "y is declared f32[N, M], but ends gives f32[_0]"),
    "t = loop(x)": ("deeper", "loop calls itself: loop -> deeper -> loop"),
    "t = f(x, idx)": ("f", "f calls itself: f -> f"),
    "x = ends(x)": ("x", "x is defined twice"),
}
LOOPS = (
    "op loop[T: float](x: T[N, M]) -> y: T[N, M]:\n    y = deeper(x)\n"
    "op deeper[T: float](x: T[N, M]) -> y: T[N, M]:\n    y = loop(x)\n"
)


@pytest.mark.parametrize("line", WRONG)
def test_wrong_calls(line: str) -> None:
    place, message = WRONG[line]
    own = f"{HEADER}    {line}\n    y[n, m] = x[n, m]\n"
    module = parse(HELPERS + LOOPS + own)
    found = [e for e in check(module).diagnostics if "calls itself" in message or e.span and e.span.line > 20]
    e = next(e for e in found if e.message == message)
    assert e.span is not None and e.hint
    text = module.source.line(e.span.line)[e.span.column - 1 : e.span.end_column - 1]
    assert "calls itself" in message or text == (place or line)
