"""The pass form-fma: which sums become fused, in what order, and where nothing may change."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hand_built import cumsum, matmul, softmax

from tilewright.ir.scalar import Apply, Expr, Var, apply, convert, literal
from tilewright.ir.tensor import Function
from tilewright.ir.types import F32, F64, FIELD, I32
from tilewright.passes.tensor.form_fma import FormFma, fused

a, b, c, d = (Var(n, F32) for n in "abcd")


def mul(x: Expr, y: Expr) -> Expr:
    return apply("mul", x, y)


def add(x: Expr, y: Expr) -> Expr:
    return apply("add", x, y)


def sub(x: Expr, y: Expr) -> Expr:
    return apply("sub", x, y)


def fma(x: Expr, y: Expr, z: Expr) -> Expr:
    return apply("fma", x, y, z)


def neg(x: Expr) -> Expr:
    return apply("neg", x)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (add(mul(a, b), c), fma(a, b, c)),
        (add(c, mul(a, b)), fma(a, b, c)),
        (add(mul(a, b), mul(c, d)), fma(c, d, mul(a, b))),
        (sub(c, mul(a, b)), fma(neg(a), b, c)),
        (sub(mul(a, b), c), fma(a, b, neg(c))),
        (sub(mul(a, b), mul(c, d)), fma(neg(c), d, mul(a, b))),
        (add(add(mul(a, b), c), d), add(fma(a, b, c), d)),
        (add(mul(add(mul(a, b), c), d), a), fma(fma(a, b, c), d, a)),
        (apply("exp", add(mul(a, b), c)), apply("exp", fma(a, b, c))),
        (mul(add(a, b), c), mul(add(a, b), c)),
        (add(a, neg(mul(b, c))), add(a, neg(mul(b, c)))),
    ],
)
def test_rule(before: Expr, after: Expr) -> None:
    assert fused(before) is after


@pytest.mark.parametrize("dtype", [F64, FIELD])
def test_every_float_type_is_fused(dtype: object) -> None:
    x, y, z = (Var(n, dtype) for n in "xyz")  # type: ignore[arg-type]
    assert fused(add(mul(x, y), z)) is fma(x, y, z)


def test_integers_stay() -> None:
    x, y, z = (Var(n, I32) for n in "xyz")
    assert fused(add(mul(x, y), z)) is add(mul(x, y), z)
    mixed = add(convert("cast", mul(x, y), F32), a)
    assert fused(mixed) is mixed


def test_a_fused_expression_has_nothing_left_to_fuse() -> None:
    once = fused(sub(add(mul(a, b), mul(c, d)), mul(a, d)))
    assert fused(once) is once


def test_steps_and_merges_of_a_function() -> None:
    f = FormFma().run(matmul())
    (step,) = f.body[0].values
    assert isinstance(step, Apply) and step.op == "fma"
    assert f.body[0].reduction == matmul().body[0].reduction
    assert FormFma().run(softmax()) == softmax()


@pytest.mark.parametrize("f", [cumsum(4), matmul()], ids=lambda f: f.name)
def test_merges_of_scans_and_reductions(f: Function) -> None:
    (c,) = f.body
    fold = c.scan or c.reduction
    assert fold is not None
    merge = add(mul(fold.accs[0], literal(2, F32)), fold.others[0])
    part = "scan" if c.scan else "reduction"
    c = replace(c, **{part: replace(fold, merge=(merge,))})
    (after,) = FormFma().run(replace(f, body=(c,))).body
    found = after.scan or after.reduction
    assert found is not None and found.merge == (fma(fold.accs[0], literal(2, F32), fold.others[0]),)
