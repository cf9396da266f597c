"""``equals`` and hand-written gradients: kept, checked, and used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tilewright.compiler.claims import check, vjp
from tilewright.compiler.function import FunctionOp
from tilewright.dsl.calls import in_module
from tilewright.dsl.check import Variant, variants
from tilewright.dsl.parse import parse
from tilewright.dsl.signature import signature
from tilewright.ir.types import F32

SOFTMAX = """\
op plain[T: float](x: T[..., C]) -> y: T[..., C]:
    m[...] = max[c](x[..., c])
    e[..., c] = exp(x[..., c] - m[...])
    s[...] = sum[c](e[..., c])
    y[..., c] = e[..., c] / s[...]

op online[T: float](x: T[..., C]) -> y: T[..., C] equals plain:
    (m, s)[...] = fold[c](
        m: T = lowest(T), s: T = 0 <- x[..., c], 1;
        (n, r) -> max(m, n), s * exp(m - max(m, n)) + r * exp(n - max(m, n)))
    y[..., c] = exp(x[..., c] - m[...]) / s[...]
"""
BY_HAND = """\
op cube[T: float](x: T[N], w: T[N]?, n: i32[N]) -> y: T[N]:
    p[i] = x[i] * x[i]
    if w: y[i] = p[i] * x[i] * w[i]
    else: y[i] = p[i] * x[i]
    gradient:
        if w:
            d_x[i] = 3 * p[i] * w[i] * d_y[i]
            d_w[i] = p[i] * x[i] * d_y[i]
        else: d_x[i] = 3 * p[i] * d_y[i]
"""
PRODUCT = """\
op product[T: float](x: T[N]) -> y: T[]:
    y[] = prod[i](x[i])
    gradient:
        d_x[i] = d_y[] * prod[j](where(i == j, 1, x[j]))
"""
COPIES = """\
op a(x: f32[N]) -> y: f32[N]:
    y[i] = x[i]

op b(x: f32[N]) -> y: f32[N] equals a:
    y[i] = x[i]
"""
OTHER_FORM = """\
op root[T: float](x: T[N]) -> y: T[N]:
    y[i] = tanh(x[i] * x[i])
    gradient:
        d_x[i] = 2 * x[i] * d_y[i] * (1 - y[i]) * (1 + y[i])
"""


def reported(source: str) -> list[Any]:
    return list(check(parse(source)).diagnostics)


def one(source: str, name: str) -> tuple[Any, Variant, Any]:
    module = parse(source)
    op = module.op(name)
    return op, next(v for v in variants(signature(op)) if set(v.dtypes.values()) <= {F32}), in_module(module)


@pytest.mark.parametrize("source", [SOFTMAX, BY_HAND, PRODUCT, OTHER_FORM], ids=["equals", "hand", "quotient", "form"])
def test_true_claims_are_kept(source: str) -> None:
    assert reported(source) == []


@pytest.mark.parametrize(
    ("source", "old", "new", "message", "place"),
    [
        (SOFTMAX, "r * exp(n - max(m, n))", "r", "online does not equal plain: y[", "plain:"),
        (SOFTMAX, "equals plain", "equals plane", "there is no op 'plane' that online could equal", "plane:"),
        (SOFTMAX, "equals plain", "equals online", "there is no op 'online' that online could equal", "online:"),
        (
            COPIES,
            "b(x: f32[N]) -> y: f32[N]",
            "b(x: f32[M]) -> y: f32[M]",
            "the operands of b are not those of a",
            "a:",
        ),
        (BY_HAND, "3 * p[i] * w[i]", "2 * p[i] * w[i]", "this is not the gradient of cube: d_x[0] is", "if w:"),
        (BY_HAND, "else: d_x[i] = 3 * p", "else: d_x[i] = p", "this is not the gradient of cube: d_x[0] is", "if w:"),
        (BY_HAND, "            d_w[i] = p[i] * x[i] * d_y[i]\n", "", "does not say d_w", "if w:"),
        (PRODUCT, "where(i == j, 1, x[j])", "x[j]", "along a direction it is", "d_x[i]"),
        (OTHER_FORM, "(1 + y[i])", "(2 + y[i])", "this is not the gradient of root", "d_x[i]"),
        (OTHER_FORM, "d_x[i] = 2", "d_x[i] = 2 * q[i]", "unknown tensor 'q'", "q[i]"),
    ],
)
def test_false_claims_are_reported(source: str, old: str, new: str, message: str, place: str) -> None:
    source = source.replace(old, new)
    found = reported(source)
    assert found and message in found[0].message and found[0].hint
    span = found[0].span
    assert source.split("\n")[span.line - 1][span.column - 1 :].startswith(place)


def test_the_gradient_of_an_op_is_that_of_its_equal() -> None:
    f = vjp(*one(SOFTMAX, "online"))
    assert f.name == "online_vjp"
    assert f.body == vjp(*one(SOFTMAX, "plain")).body


def test_the_gradient_written_by_hand_is_used() -> None:
    f = vjp(*one(PRODUCT, "product"))
    x = np.array([2, 3, 5], np.float32)
    assert FunctionOp(f)(x, np.float32(10)).tolist() == [150, 100, 60]


def test_a_tensor_may_be_called_gradient() -> None:
    source = "op f(x: f32[N]) -> y: f32[N]:\n    gradient: f32[N]\n    gradient[i] = x[i]\n    y[i] = gradient[i]\n"
    assert reported(source) == []
