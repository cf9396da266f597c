"""Inlining, dead code and simplification: what changes, what stays, and that no bit of a result changes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hand_built import argmax
from tensor_programs import (
    axes,
    conv2d,
    matmul,
    pointwise,
    read,
    relu,
    running,
    scale_shift,
    scattered,
    softmax,
    tensor,
    total,
)

import tilewright as tw
from tilewright.ir import index as ix
from tilewright.ir import scalar
from tilewright.ir.interpret.domains import EXACT, TYPED
from tilewright.ir.interpret.tensor import run_function
from tilewright.ir.scalar import Apply, Expr, Read, apply, convert, literal
from tilewright.ir.tensor import Compute, Function
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import BF16, BOOL, F32, I8, I32, U8
from tilewright.passes.tensor.compose import Call, compose
from tilewright.passes.tensor.differentiate import differentiate
from tilewright.passes.tensor.eliminate_dead import EliminateDead, eliminate_dead
from tilewright.passes.tensor.inline import Inline, inline
from tilewright.passes.tensor.simplify import simplify, simplify_expression
from tilewright.passes.tensor.simplify_indices import simplify_indices

SIZES = {"N": 4, "C": 5, "M": 3, "K": 2, "R": 3, "S": 3, "O": 2, "H": 5, "W": 4}


def operands(f: Function) -> dict[str, Any]:
    rng = np.random.default_rng(7)
    found: dict[str, Any] = {}
    for t in f.inputs:
        shape = [ix.substitute(d, {n: ix.const(s) for n, s in SIZES.items()}).constant or 0 for d in t.shape]
        if t.dtype is BF16:
            found[t.name] = (rng.normal(size=shape).astype(np.float32).view(np.uint32) >> 16).astype(np.uint16)
        elif t.dtype.is_integer:
            found[t.name] = rng.integers(0, 3, shape).astype(np.int32)
        else:
            found[t.name] = rng.normal(size=shape).astype(np.float32)
    return found


def check_same(before: Function, after: Function) -> None:
    inputs = operands(before)
    for domain in (TYPED, EXACT):
        old, new = (run_function(f, inputs, {}, domain) for f in (before, after))
        assert list(old) == list(new)
        for name in old:
            assert old[name].tobytes() == new[name].tobytes()


def results(f: Function) -> list[str]:
    return [r.name for c in f.computes for r in c.results]


def scale_shift_relu(dtype: Any = F32) -> Function:
    inputs = [tensor("x", "N", "C", dtype=dtype), tensor("w", "C", dtype=dtype), tensor("b", "C", dtype=dtype)]
    calls = [
        Call(scale_shift(dtype), {"x": "x", "w": "w", "b": "b"}, ["h"]),
        Call(relu(dtype), {"x": "h"}, ["y"]),
    ]
    return compose("block", inputs, calls, ["y"])


def test_two_pointwise_ops_become_one_statement() -> None:
    traced = scale_shift_relu()
    fused = inline(traced)
    assert (results(traced), results(fused)) == (["h", "y"], ["y"])
    (c,) = fused.body
    x, w, b = (read(t, *at) for t, at in zip(fused.inputs, [("i", "j"), "j", "j"], strict=True))
    shifted = apply("add", apply("mul", x, w), b)
    assert c.values == (apply("max", shifted, literal(0, F32)),)
    check_same(traced, fused)


def test_the_rounding_between_two_ops_stays() -> None:
    traced = scale_shift_relu(BF16)
    fused = inline(traced)
    assert len(fused.body) == 1
    nodes = scalar.walk(fused.body[0].values[0])
    assert sum(isinstance(e, Apply) and e.op == "cast" and e.dtype is BF16 for e in nodes) == 2
    check_same(traced, fused)


def test_pointwise_after_a_product_stays_two_statements() -> None:
    inputs = [tensor("a", "M", "K"), tensor("b", "K", "C"), tensor("w", "C"), tensor("s", "C")]
    calls = [
        Call(matmul(), {"a": "a", "b": "b"}, ["t"]),
        Call(scale_shift(), {"x": "t", "w": "w", "b": "s"}, ["h"]),
        Call(relu(), {"x": "h"}, ["y"]),
    ]
    traced = compose("layer", inputs, calls, ["y"])
    fused = inline(traced)
    assert (results(traced), results(fused)) == (["t", "h", "y"], ["t", "y"])
    check_same(traced, fused)


X = tensor("x", "N", "C")
H = tensor("h", "N", "C")
EXP = pointwise("h", axes(n="N", c="C"), apply("exp", read(X, "n", "c")))
COPY = pointwise("h", axes(n="N", c="C"), read(X, "n", "c"))
SHIFTED = pointwise("h", axes(n="N", c="C"), read(X, "n", ix.symbol("c") - 1, otherwise=2))


def then(first: Compute, *rest: Compute) -> Function:
    return Function("op", (X,), (), (first, *rest), tuple(r.name for c in rest for r in c.results))


def reader(name: str, value: Expr) -> Compute:
    return pointwise(name, axes(i="N", j="C"), value)


IDX = tensor("idx", "N", "C", dtype=I32)
HERE = read(H, "i", "j")
OVER_BORDER = read(H, "i", ix.symbol("j") + 1, otherwise=0)
SHORT = pointwise("h", axes(n="N", c=ix.symbol("C") - 1), read(X, "n", "c"))
OVER_INNER_BORDER = read(SHORT.results[0], "i", ix.symbol("j") + 1, otherwise=0)

KEPT: dict[str, tuple[Function, bool]] = {
    "read by two statements": (then(EXP, reader("y", HERE), reader("z", HERE)), False),
    "read twice by one": (then(EXP, reader("y", apply("add", HERE, OVER_BORDER))), False),
    "read more than once per point": (then(EXP, total("y", axes(i="N"), axes(j="C", k="M"), HERE)), False),
    "repeated along an axis": (then(EXP, pointwise("y", axes(i="N", j="C", k="M"), HERE)), False),
    "a guard that its value cannot carry": (then(EXP, reader("y", OVER_BORDER)), True),
    "a guard around a guard": (then(SHIFTED, reader("y", OVER_BORDER)), True),
    "a border inside the operand's": (then(SHORT, reader("y", OVER_INNER_BORDER)), True),
    "a reduction": (then(total("h", axes(n="N", c="C"), axes(k="M"), read(X, "n", "c")), reader("y", HERE)), True),
    "a running sum": (then(running("h", axes(n="N", c="C"), "c", read(X, "n", "c")), reader("y", HERE)), True),
    "a scatter": (then(scattered(H, axes(n="N", c="C"), ["n", "c"], read(X, "n", "c")), reader("y", HERE)), True),
    "an output": (replace(then(EXP, reader("y", HERE)), outputs=("h", "y")), True),
}


def with_dims(f: Function) -> Function:
    """``f`` with operands that say what M is, and of indices."""
    return replace(f, inputs=(*f.inputs, tensor("of", "M"), IDX))


@pytest.mark.parametrize("name", KEPT)
def test_what_is_kept(name: str) -> None:
    f, duplicate = with_dims(KEPT[name][0]), KEPT[name][1]
    assert inline(f, duplicate).body == f.body


def test_what_is_read_at_positions_from_data_is_kept() -> None:
    at = Read("h", (ix.symbol("i"), read(IDX, "i", "j")), F32)
    gathered = with_dims(then(EXP, reader("y", at)))
    assert inline(gathered, duplicate=True).body == gathered.body
    position = pointwise("p", axes(i="N", j="C"), apply("add", read(IDX, "i", "j"), literal(1, I32)))
    at = Read("x", (ix.symbol("i"), Read("p", (ix.symbol("i"), ix.symbol("j")), I32)), F32)
    computed = with_dims(then(position, reader("y", at)))
    assert inline(computed, duplicate=True).body == computed.body


INLINED: dict[str, tuple[Function, bool]] = {
    "under a reduction": (then(EXP, total("y", axes(i="N"), axes(j="C"), HERE)), False),
    "transposed and shifted": (
        then(EXP, pointwise("y", axes(j=ix.symbol("C") - 1, i="N"), read(H, "i", ix.symbol("j") + 1))),
        False,
    ),
    "reversed": (then(EXP, reader("y", read(H, "i", ix.symbol("C") - 1 - ix.symbol("j")))), False),
    "a copy, read often": (then(COPY, reader("y", apply("mul", HERE, OVER_BORDER)), reader("z", HERE)), False),
    "a guarded copy": (then(SHIFTED, reader("y", HERE)), False),
    "several times, when asked": (then(EXP, reader("y", HERE), reader("z", apply("mul", HERE, HERE))), True),
    "under a running sum": (then(EXP, running("y", axes(i="N", j="C"), "j", HERE)), False),
    "in a scattered value": (then(EXP, scattered(tensor("y", "C", "N"), axes(i="N", j="C"), ["j", "i"], HERE)), False),
}


@pytest.mark.parametrize("name", INLINED)
def test_what_is_inlined(name: str) -> None:
    f, duplicate = with_dims(INLINED[name][0]), INLINED[name][1]
    after = inline(f, duplicate)
    assert results(after) == results(f)[1:]
    check_same(f, after)


def test_one_result_of_several_is_inlined() -> None:
    both = replace(EXP, results=(H, tensor("g", "N", "C")), values=(EXP.values[0], apply("neg", read(X, "n", "c"))))
    f = then(both, reader("y", HERE), reader("z", read(tensor("g", "N", "C"), "i", "j")))
    f = replace(f, outputs=("g", "y", "z"))
    after = inline(f)
    assert results(after) == ["g", "y", "z"]
    check_same(f, after)


@pytest.mark.parametrize("f", [softmax(), conv2d(2), differentiate(softmax(), ("x",)), differentiate(conv2d(), ("w",))])
@pytest.mark.parametrize("duplicate", [False, True])
def test_real_programs_keep_every_bit(f: Function, duplicate: bool) -> None:
    after = Inline(duplicate).run(f)
    assert len(after.body) <= len(f.body)
    check_same(f, after)


def test_softmax_by_policy() -> None:
    """exp is computed once per point unless duplication is asked for; m and s are reductions."""
    assert results(inline(softmax())) == ["m", "e", "s", "y"]
    assert results(inline(softmax(), duplicate=True)) == ["m", "s", "y"]


def test_dead_statements_and_results() -> None:
    dead = reader("z", read(H, "i", "j"))
    f = replace(then(COPY, reader("y", read(X, "i", "j")), dead), outputs=("y",))
    assert results(eliminate_dead(f)) == ["y"]
    two = replace(COPY, results=(H, tensor("g", "N", "C")), values=(COPY.values[0], COPY.values[0]))
    f = then(two, reader("y", HERE))
    after = EliminateDead().run(f)
    assert results(after) == ["h", "y"]
    assert after.inputs == f.inputs


def test_the_results_of_a_fold_hang_together() -> None:
    assert argmax().outputs == ("p",)
    assert eliminate_dead(argmax()) == argmax()


def test_positions_keep_their_tensors_alive() -> None:
    p = pointwise("p", axes(i="N", j="C"), apply("add", read(IDX, "i", "j"), literal(0, I32)))
    position = Read("p", (ix.symbol("i"), ix.symbol("j")), I32)
    f = with_dims(then(p, scattered(tensor("y", "C"), axes(i="N", j="C"), [position], read(X, "i", "j"))))
    assert results(eliminate_dead(replace(f, outputs=("y",)))) == ["p", "y"]


V, W = (read(tensor(n, "N"), "i") for n in "vw")
A, B = (read(tensor(n, "N", dtype=I32), "i") for n in "kl")
P, Q = apply("lt", V, W), apply("lt", A, B)
TRUE, FALSE = literal(True, BOOL), literal(False, BOOL)


def number(value: int, dtype: Any = I32) -> Expr:
    return literal(value, dtype)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (apply("mul", A, number(1)), A),
        (apply("mul", number(1), A), A),
        (apply("neg", apply("neg", A)), A),
        (apply("where", P, V, V), V),
        (apply("where", TRUE, V, W), V),
        (apply("where", FALSE, V, W), W),
        (apply("where", apply("not", P), V, W), apply("where", P, W, V)),
        (apply("max", V, V), V),
        (apply("and", P, TRUE), P),
        (apply("and", FALSE, P), FALSE),
        (apply("or", P, FALSE), P),
        (apply("or", P, P), P),
        (apply("or", Q, TRUE), TRUE),
        (apply("not", apply("not", P)), P),
        (apply("add", A, number(0)), A),
        (apply("sub", A, number(0)), A),
        (apply("mul", A, number(0)), number(0)),
        (apply("floordiv", A, number(1)), A),
        (apply("add", number(100, I8), number(100, I8)), number(-56, I8)),
        (apply("sub", number(1, U8), number(2, U8)), number(255, U8)),
        (apply("floordiv", number(-7), number(2)), number(-4)),
        (apply("mod", number(-7), number(0)), number(0)),
        (apply("lt", number(1), number(2)), TRUE),
        (apply("where", apply("lt", number(1), number(2)), V, W), V),
    ],
)
def test_peepholes(before: Expr, after: Expr) -> None:
    assert simplify_expression(before) is after


@pytest.mark.parametrize(
    "kept", [apply("mul", V, number(1, F32)), apply("div", V, number(1, F32)), apply("neg", apply("neg", V))], ids=str
)
def test_what_the_exact_field_tells_apart_is_kept(kept: Expr) -> None:
    """There -inf * 1, -inf / 1 and -(-inf) on the way to --(-inf) are poison."""
    assert simplify_expression(kept) is kept


@pytest.mark.parametrize(
    "e",
    [
        apply("add", V, number(0, F32)),
        apply("sub", V, number(0, F32)),
        apply("mul", V, number(0, F32)),
        apply("sub", V, V),
        apply("div", V, V),
        apply("add", number(1, F32), number(2, F32)),
        apply("eq", V, V),
        convert("cast", convert("cast", V, BF16), F32),
    ],
)
def test_what_floats_do_not_allow(e: Expr) -> None:
    assert simplify_expression(e) is e


def test_simplified_programs_keep_every_bit() -> None:
    f = differentiate(softmax(), ("x",))
    check_same(f, simplify(f))


@pytest.mark.parametrize(
    ("place", "inlined"),
    [
        ("t[i*5 + j]", True),
        ("t[i*7 + j]", True),
        ("t[(3 - i)*5 + j]", True),
        ("t[i + j*4]", True),
        ("t[i*4 + j]", False),
        ("t[i + j]", False),
        ("t[i*5]", False),
        ("u[(i*5 + j) // 5, (i*5 + j) % 5]", True),
        ("u[(i*5 + j) // 5, (i*5 + j) % 4]", False),
        ("u[(i*5 + j) // 5, (i*5 + j) % 5 // 2]", False),
        ("w[(i*5 + j) // 10, (i*5 + j) // 5 % 2, (i*5 + j) % 5]", True),
        ("w[(i*5 + j) // 10, (i*5 + j) % 5 % 2, (i*5 + j) % 5]", False),
    ],
)
def test_what_is_read_at_another_place_each_time_is_computed_there(place: str, inlined: bool) -> None:
    op = tw.op(
        f"""
op f(x: f32[30], z: f32[4, 5], v: f32[2, 2, 5]) -> y: f32[4, 5]:
    t[n: 30] = exp(x[n])
    u[a: 4, b: 5] = exp(z[a, b])
    w[a: 2, b: 2, c: 5] = exp(v[a, b, c])
    y[i: 4, j: 5] = {place}
"""
    )
    before = op.compilation(op.default_request({}, 1, {})).function
    after = inline(simplify_indices(before))
    assert results(after) == (["y"] if inlined else [place[0], "y"])
    check_same(before, after)


def test_extents_decide_quotients_and_remainders() -> None:
    op = tw.op("op f(x: f32[N, M]) -> y: f32[N, M]:\n    y[i, j] = x[(i*M + j) // M, (i*M + j) % M]\n")
    before = op.compilation(op.default_request({}, 1, {})).function
    after = simplify_indices(before)
    assert print_function(after).splitlines()[1].strip() == "y[i: N, j: M] = x[i, j]"
    check_same(before, after)


@pytest.mark.parametrize(
    ("place", "inlined"),
    [
        ("u[i // 5, i % 5]", True),
        ("u[i // 5, i % 4]", False),
        ("u[i // 5, i % 5 // 2]", False),
        ("u[i // 5, (i % 5 + 1) % 5]", False),
        ("w[i // 10, i // 5 % 2, i % 5]", True),
        ("w[i // 10, i % 5 % 2, i % 5]", False),
    ],
)
def test_a_quotient_and_its_remainder_tell_the_number(place: str, inlined: bool) -> None:
    op = tw.op(
        f"""
op f(z: f32[4, 5], v: f32[2, 2, 5]) -> y: f32[20]:
    u[a: 4, b: 5] = exp(z[a, b])
    w[a: 2, b: 2, c: 5] = exp(v[a, b, c])
    y[i: 20] = {place}
"""
    )
    before = op.compilation(op.default_request({}, 1, {})).function
    after = inline(before)
    assert results(after) == (["y"] if inlined else [place[0], "y"])
    check_same(before, after)
