"""Attributes that are choices and tuples, static conditions, defaults of run-time scalars, ranks by keyword."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_wrong_programs import error_of

import tilewright as tw
from tilewright.cli import main
from tilewright.compiler.bundle import Case
from tilewright.compiler.definition import load_ops
from tilewright.compiler.driver import job_of
from tilewright.dsl.attributes import Kind, shown
from tilewright.dsl.check import check
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.dsl.signature import signature
from tilewright.errors import CallError, CallTypeError
from tilewright.testing.run import run_loops, run_tensor

LOSS = """op loss(x: f32[N], *, reduction: "none" | "mean" | "sum" = "mean", twice: bool = false) -> y: f32[N]:
    s[] = sum[i](x[i])
    if reduction == "none": y[i] = x[i]
    elif reduction == "mean" and not twice: y[i] = s[] / f32(N)
    elif reduction != "sum": y[i] = 2 * s[] / f32(N)
    else:
        y[i] = s[]
"""
POOL = """op pool[T: number](x: T[H, W], *, size: int[2] = (2, 3), step: int[2] = 1, keep: bool[2] = true,
    scale: float[1] = (0.5,)) -> y: T[(H - size[0])//step[0] + 1, (W - size[1])//step[1] + 1]:
    where size[0] >= 1 and size[1] >= 1 and step[0] >= 1 and step[1] >= 1 and H >= size[0] and W >= size[1]
    a[p, q] = sum[r: size[0], s: size[1]](x[p*step[0] + r, q*step[1] + s])
    if keep[1]: y[p, q] = a[p, q] * T(scale[0] * 2)
    else: y[p, q] = a[p, q] * T(step[0] + size[1])
"""
SCALE = (
    "op scale[T: float](x: T[N], *, by: scalar T = 0.5, n: scalar i8 = -3) -> y: T[N]:\n    y[i] = x[i] * by + T(n)\n"
)
X = np.arange(12, dtype=np.float32).reshape(3, 4)


def pooled(x: np.ndarray[Any, Any], size: tuple[int, int], step: tuple[int, int]) -> np.ndarray[Any, Any]:
    windows = np.lib.stride_tricks.sliding_window_view(x, size)[:: step[0], :: step[1]]
    return np.asarray(windows.sum((2, 3)))


@pytest.mark.parametrize(
    ("keywords", "wanted"),
    [
        ({}, [2, 2, 2]),
        ({"reduction": "none"}, [1, 2, 3]),
        ({"reduction": "sum"}, [6, 6, 6]),
        ({"reduction": "mean", "twice": True}, [4, 4, 4]),
        ({"reduction": "sum", "twice": True}, [6, 6, 6]),
    ],
)
def test_choices(keywords: dict[str, Any], wanted: list[float]) -> None:
    op, x = tw.op(LOSS), np.array([1, 2, 3], np.float32)
    assert op(x, **keywords).tolist() == wanted
    for run in (run_tensor, run_loops):
        assert run(op, (x,), keywords)[0].tolist() == wanted


def test_each_choice_is_compiled_once() -> None:
    op = tw.op(LOSS.replace("op loss", "op counted"))
    for reduction in ("sum", "none", "".join(["s", "u", "m"]), "none"):
        op(np.ones(3, np.float32), reduction=reduction)
    assert op.misses == 2


@settings(max_examples=50, deadline=None)
@given(
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(3, 8), st.integers(3, 8)),
    st.sampled_from([tuple, list]),
)
def test_tuples(size: tuple[int, int], step: tuple[int, int], shape: tuple[int, int], kind: Any) -> None:
    x = np.arange(shape[0] * shape[1], dtype=np.float32).reshape(shape)
    wanted = pooled(x, size, step)
    op = tw.op(POOL)
    np.testing.assert_array_equal(run_tensor(op, (x,), {"size": kind(size), "step": kind(step)})[0], wanted)
    changed = wanted * (step[0] + size[1])
    keywords = {"size": size, "step": step, "keep": (True, False)}
    np.testing.assert_array_equal(run_tensor(op, (x,), keywords)[0], changed)


def test_one_value_stands_for_a_tuple_of_equal_ones() -> None:
    op = tw.op(POOL.replace("op pool", "op spread"))
    np.testing.assert_array_equal(op(X), pooled(X, (2, 3), (1, 1)))
    np.testing.assert_array_equal(op(X, size=2), pooled(X, (2, 2), (1, 1)))
    np.testing.assert_array_equal(op(X, size=[2, 2], step=(1, 1), keep=True), pooled(X, (2, 2), (1, 1)))
    assert op.misses == 2
    np.testing.assert_array_equal(op(X, size=(np.int64(1), 2), step=2), pooled(X, (1, 2), (2, 2)))
    assert op.text("tensor", X, size=2) == op.text("tensor", X, size=(2, 2))


def test_a_call_passes_attributes_on() -> None:
    text = (
        POOL + 'op outer(x: f32[H, W], *, size: int[2] = 1, how: "a" | "b" = "b") -> y: f32[H - size[1] + 1, W]:\n'
        "    where H >= size[1] and size[1] >= 1 and W >= 1\n"
        '    if how == "a": y = pool(x, size=(size[1], 1), step=1)\n'
        "    else: y = pool(x, size=(size[1], 2 - 1), keep=(true, false))\n"
    )
    outer = load_ops(text, "<test>")["outer"]
    np.testing.assert_array_equal(outer(X, size=(5, 2), how="a"), pooled(X, (2, 1), (1, 1)))
    np.testing.assert_array_equal(outer(X, size=2), 2 * pooled(X, (2, 1), (1, 1)))


def test_a_trace_passes_attributes_on() -> None:
    op = tw.op(POOL)
    np.testing.assert_array_equal(tw.trace(lambda x: op(x, size=2, step=[1, 2]), X)(X), pooled(X, (2, 2), (1, 2)))


def test_a_bundle_keeps_attributes() -> None:
    """What JSON makes of a request is the request."""
    request = tw.op(POOL).request((X,), {"size": (2, 1), "scale": (1.5,)})
    case = Case(POOL, request, None, "cpu", "native", "off")
    assert Case.read(POOL, json.loads(json.dumps(case.manifest()))) == case
    other = Case(LOSS, tw.op(LOSS).request((X[0],), {"reduction": "sum"}), None, "c", "", "off")
    assert Case.read(LOSS, json.loads(json.dumps(other.manifest()))) == other
    assert str(job_of(case).function.tensor("y").shape[0]) == "H - 1"


def test_defaults_of_scalars() -> None:
    op, x = tw.op(SCALE), np.array([2, 4], np.float32)
    assert op(x).tolist() == [-2, -1]
    assert op(x, by=1.0, n=1).tolist() == [3, 5]
    assert op.misses == 1
    assert run_loops(op, (x,), {})[0].tolist() == [-2, -1]
    caller = load_ops(f"{SCALE}op caller(x: f32[N]) -> y: f32[N]:\n    y = scale(x, n=0)\n", "<test>")["caller"]
    assert caller(x).tolist() == [1, 2]
    assert tw.trace(lambda x: op(x, n=0), x)(x).tolist() == [1, 2]


def test_what_a_signature_says() -> None:
    sig = signature(parse(POOL).ops[0])
    assert sig.attributes == {"size": (2, 3), "step": (1, 1), "keep": (True, True), "scale": (0.5,)}
    assert [str(k) for k in sig.kinds.values()] == ["int[2]", "int[2]", "bool[2]", "float[1]"]
    assert tw.op(LOSS).form == ('loss(x: f32[N], *, reduction: "none" | "mean" | "sum" = "mean", twice: bool = false)')
    assert tw.op(SCALE).form == "scale(x: T[N], *, by: scalar T = 0.5, n: scalar i8 = -3)"


@settings(max_examples=50, deadline=None)
@given(st.one_of(st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.just("sum")))
def test_values_read_back(value: bool | int | float | str) -> None:
    """What is shown is what the source would say."""
    kind = {bool: "bool", int: "int", float: "float"}.get(type(value), '"sum" | "mean"')
    for text, wanted in ((shown(value), value), (shown((value,) * 3), (value,) * 3)):
        if isinstance(wanted, tuple) and isinstance(value, str):
            continue
        written = f"{kind}[3]" if isinstance(wanted, tuple) else kind
        op = parse(f"op f(x: f32[N], *, a: {written} = {text}) -> y: f32[N]:\n    y[i] = x[i]\n").ops[0]
        assert signature(op).attributes == {"a": wanted}


@pytest.mark.parametrize(
    ("kind", "value", "taken"),
    [
        (Kind("int"), True, None),
        (Kind("float"), 2, 2.0),
        (Kind("int", length=2), (1, 2, 3), None),
        (Kind("int", length=2), (1, 2.0), None),
        (Kind("int", length=2), [1, 2], (1, 2)),
        (Kind("int", length=2), 1.5, None),
        (Kind("bool", length=2), False, (False, False)),
        (Kind("choice", ("a", "b")), "b", "b"),
        (Kind("choice", ("a", "b")), "c", None),
    ],
)
def test_what_a_kind_takes(kind: Kind, value: object, taken: object) -> None:
    assert kind.taken(value) == taken


# --- ranks ----------------------------------------------------------------------------------

NORM = """op norm[T: float](x: T[A..., R...], w: T[R...]?) -> y: T[A..., R...]:
    m[a...] = sum[r...](x[a..., r...]) / T(size(R...))
    if w: y[a..., r...] = (x[a..., r...] - m[a...]) * w[r...]
    else: y[a..., r...] = x[a..., r...] - m[a...]
"""


def test_a_rank_that_an_optional_operand_tells() -> None:
    op = tw.op(NORM)
    centred = X - X.mean(1, keepdims=True)
    np.testing.assert_allclose(op(X, X[0]), centred * X[0])
    np.testing.assert_allclose(op(X, R=1), centred)
    np.testing.assert_allclose(op(X, A=0), X - X.mean())
    np.testing.assert_allclose(op(X, X[0], A=1, R=1), centred * X[0])
    with pytest.raises(CallError, match="the operands do not tell the ranks of A... and R... in x"):
        op(X)
    with pytest.raises(CallError, match=r"operand 'w' of norm has 1 axis, but R... is 2 axes"):
        op(X, X[0], R=2)


# --- numbers as bools -----------------------------------------------------------------------

FILL = "op fill[T: any](x: T[N]) -> y: T[N], z: T[N]:\n    y[i] = T(0)\n    z[i] = T(2 - 1)\n"


@pytest.mark.parametrize("dtype", [np.bool_, np.int8, np.uint64, np.float16, np.float64])
def test_a_number_becomes_a_bool(dtype: Any) -> None:
    y, z = tw.op(FILL)(np.ones(2, dtype))
    assert (y.dtype, y.tolist(), z.tolist()) == (np.dtype(dtype), [0, 0], [1, 1])


# --- the command line -----------------------------------------------------------------------


def test_settings_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "loss.tw").write_text(LOSS)
    (tmp_path / "pool.tw").write_text(POOL)
    np.save(tmp_path / "x.npy", X[0])
    np.save(tmp_path / "y.npy", X)

    def call(op: str, file: str, *settings: str) -> str:
        words = [word for s in settings for word in ("--set", s)]
        status = main(["run", str(tmp_path / op), "--in", f"x={tmp_path / file}", *words])
        captured = capsys.readouterr()
        return captured.err if status else captured.out

    assert call("loss.tw", "x.npy", "reduction=sum") == "[6. 6. 6. 6.]\n"
    assert call("pool.tw", "y.npy", "size=3,4") == call("pool.tw", "y.npy", "size=(3, 4)") == "[[66.]]\n"
    assert call("pool.tw", "y.npy", "size=3", "step=2", "keep=true,true") == "[[45.]]\n"
    assert '\'reduction\' takes a value of type "none" | "mean" | "sum", not \'max\'' in call(
        "loss.tw", "x.npy", "reduction=max"
    )
    assert call("pool.tw", "y.npy", "size=3,x") == "error: not a number, true or false: 'x'\n"


# --- wrong calls ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "keywords", "message"),
    [
        (
            LOSS,
            {"reduction": "max"},
            'loss(): \'reduction\' takes a value of type "none" | "mean" | "sum", not \'max\'',
        ),
        (LOSS, {"reduction": 1}, 'loss(): \'reduction\' takes a value of type "none" | "mean" | "sum", not 1'),
        (POOL, {"size": (1, 2, 3)}, "pool(): 'size' takes a value of type int[2], not (1, 2, 3)"),
        (POOL, {"size": (1, 2.5)}, "pool(): 'size' takes a value of type int[2], not (1, 2.5)"),
        (POOL, {"size": "ab"}, "pool(): 'size' takes a value of type int[2], not 'ab'"),
        (POOL, {"keep": (1, 0)}, "pool(): 'keep' takes a value of type bool[2], not (1, 0)"),
        (POOL, {"scale": "x"}, "pool(): 'scale' takes a value of type float[1], not 'x'"),
    ],
)
def test_wrong_values(text: str, keywords: dict[str, Any], message: str) -> None:
    op = tw.op(text)
    with pytest.raises(CallTypeError) as caught:
        op(X if "pool" in text else X[0], **keywords)
    assert (caught.value.message, caught.value.hint) == (message, f"it is called as {op.form}")


def test_wrong_values_of_a_text() -> None:
    with pytest.raises(CallTypeError) as caught:
        tw.op(LOSS).text("tensor", reduction="meen")
    assert caught.value.message == ('attribute \'reduction\' of loss is one of "none", "mean", "sum", not \'meen\'')
    assert caught.value.hint == "did you mean 'mean'?"


# --- wrong programs: see wrong_programs/attributes.txt -------------------------------------------


def test_every_choice_is_checked() -> None:
    """A mistake under one choice only is found."""
    for choice in ("none", "mean", "sum"):
        lines = [f'if reduction == "{choice}": y[i] = z[i]', "else: y[i] = x[i]"]
        text = f"{LOSS.splitlines()[0]}\n" + "".join(f"    {line}\n" for line in lines)
        assert [d.message for d in check(parse(text)).diagnostics] == ["unknown tensor 'z'"]


# --- layout ---------------------------------------------------------------------------------


def test_canonical_layout() -> None:
    ugly = LOSS.replace(' | "mean" | ', '|"mean"|').replace(" == ", "==").replace("elif reduction", "elif   reduction")
    assert format(ugly) == format(LOSS) == LOSS
    assert format('op f(x: f32[N], *, t: "# no  comment"="# no  comment") -> y: f32[N]: y[i] = x[i]') == (
        'op f(x: f32[N], *, t: "# no  comment" = "# no  comment") -> y: f32[N]: y[i] = x[i]\n'
    )


# --- shapes of results ----------------------------------------------------------------------

KEEP = """op peak[T: number](x: T[A..., R, B...], *, keep: bool = false, last: bool = true)
        -> y: T[A..., 1, B...] if keep and last else T[1, A..., B...] if keep else T[A..., B...]:
    m[a..., b...] = max[r](x[a..., r, b...])
    if keep and last: y[a..., i: 1, b...] = m[a..., b...]
    elif keep: y[i: 1, a..., b...] = m[a..., b...]
    else: y[a..., b...] = m[a..., b...]
"""


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("last", [False, True])
def test_the_shape_of_a_result_follows_an_attribute(keep: bool, last: bool) -> None:
    wanted = X.max(1, keepdims=keep)
    assert tw.op(KEEP)(X, A=1, keep=keep, last=last).tolist() == (wanted if last or not keep else wanted.T).tolist()
    assert format(KEEP) == KEEP and not check(parse(KEEP)).diagnostics


def test_each_shape_is_checked() -> None:
    text = "op f(x: f32[N], *, k: bool = false) -> y: f32[N] if k else f33[M]:\n    y[i] = x[i]\n"
    assert error_of(text).message == "unknown dtype 'f33'"
    assert error_of(text.replace("f33", "f32")).message == "unknown dim or attribute 'M'"
    assert error_of(text.replace("f33[M]", "f32[N]").replace("if k", "if N == 1")).message == (
        "this is not known when the op is compiled"
    )


def test_a_bool_attribute_is_a_number_in_a_shape() -> None:
    op = tw.op("op f(x: f32[N], *, more: bool = false) -> y: f32[N + i64(more)]:\n    y[i] = (x[i] else 7)\n")
    x = np.zeros(2, np.float32)
    assert op(x).tolist() == [0, 0] and op(x, more=True).tolist() == [0, 0, 7]
