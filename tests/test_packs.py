"""Axis packs: several per operand, in any position, of any rank; which ranks a call has to give."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import tilewright as tw
from tests.test_language import read_back
from tilewright.dsl.check import check
from tilewright.dsl.parse import parse
from tilewright.dsl.signature import signature
from tilewright.dsl.specialise import specialise
from tilewright.errors import CallError, CheckError
from tilewright.ir.interpret import TYPED, run_function
from tilewright.ir.types import F32, I32

MIDDLE = (
    "op middle[T: number](x: T[A..., R..., B...]) -> y: T[A..., B...]:\n"
    "    y[a..., b...] = sum[r...](x[a..., r..., b...])\n"
)
SUM = "op total[T: number](x: T[A..., R...]) -> y: T[A...]:\n    y[a...] = sum[r...](x[a..., r...])\n"
PEAK = (
    "op peak[T: number](x: T[A..., R...]) -> v: T[A...], p: i64[A...]:\n"
    "    (v, p)[a...] = fold[r...](\n"
    "        v = lowest(T), p = 0 <- x[a..., r...], linear(r...); (w, q) -> where(w > v, w, v), where(w > v, q, p))\n"
)


@pytest.mark.parametrize("ranks", list(itertools.product((0, 1, 2), repeat=3)), ids=str)
def test_a_sum_over_any_dims(ranks: tuple[int, int, int]) -> None:
    a, r, b = ranks
    f = specialise(parse(MIDDLE).ops[0], {"T": I32}, {"A": a, "R": r, "B": b})
    read_back(f)
    x = np.random.default_rng(sum(ranks)).integers(-9, 9, (2, 3, 1, 2, 3, 2)[: a + r + b]).astype(np.int32)
    found = run_function(f, {"x": x}, {}, TYPED)["y"]
    np.testing.assert_array_equal(found, x.sum(tuple(range(a, a + r)), dtype=np.int32))


@pytest.mark.parametrize("target", ["cpu", "c"])
def test_calls_give_the_rank_that_operands_do_not_tell(target: str) -> None:
    total = tw.op(SUM, target=target)
    x = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    for r in range(4):
        wanted = x.sum(tuple(range(3 - r, 3)), dtype=np.int32)
        np.testing.assert_array_equal(total(x, R=r), wanted)
        np.testing.assert_array_equal(total(x, A=3 - r), wanted)
    assert "op total(x: i32[A0, R0, R1]) -> y: i32[A0]:" in total.text("tensor", x[:, :, ::3], R=2)
    assert "op total(x: i32[A0, R0]) -> y: i32[A0]:" in total.text("tensor", x, R=2)  # merged
    assert total.form == "total(x: T[A..., R...], *, A: int, R: int)"


def test_a_tuple_over_no_axes_is_a_statement_per_result() -> None:
    rng = np.random.default_rng(0)
    for r, x in ((0, rng.normal(size=(2,))), (2, rng.normal(size=(2, 3, 4)))):
        f = specialise(parse(PEAK).ops[0], {"T": F32}, {"A": 1, "R": r})
        read_back(f)
        assert len(f.body) == (1 if r else 2)
        x = x.astype(np.float32)
        found = run_function(f, {"x": x}, {}, TYPED)
        flat = x.reshape(2, -1)
        np.testing.assert_array_equal(found["v"], flat.max(1))
        np.testing.assert_array_equal(found["p"], flat.argmax(1))


def test_one_unknown_pack_per_operand_is_told_by_it() -> None:
    text = (
        "op f(x: f32[A...], z: f32[A..., B...], w: f32[B..., C..., C...]) -> y: f32[A..., B..., C...]:\n"
        "    y[a..., b..., c...] = x[a...] * z[a..., b...] * w[b..., c..., c...]\n"
    )
    op = parse(text).ops[0]
    assert signature(op).ranks == ()
    x, z, w = (
        np.random.default_rng(n).normal(size=s).astype(np.float32) for n, s in enumerate([(2,), (2, 3), (3, 4, 4)])
    )
    found = tw.op(text)(x, z, w)
    np.testing.assert_allclose(found, np.einsum("a,ab,bcc->abc", x, z, w), rtol=1e-6)
    with pytest.raises(CallError, match="operand 'w' of f has 4 axes, but B... is 1 axis already, from operand 'z'"):
        tw.op(text)(x, z, w[..., None])


def test_axis_packs_of_intermediates_and_declared_ranges() -> None:
    text = (
        "op f(x: f32[A..., R...]) -> y: f32[R..., A...]:\n"
        "    m[a...] = max[r...](x[a..., r...])\n"
        "    c[q...: R...] = f32(2)\n"
        "    y[s..., t...] = x[t..., s...] - m[t...] * c[s...]\n"
    )
    assert read_back(specialise(parse(text).ops[0], {}, {"A": 1, "R": 1})).splitlines()[2:] == [
        "    c[q0: R0] = 2.0",
        "    y[s0: R0, t0: A0] = x[t0, s0] - m[t0] * c[s0]",
    ]
    x = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    np.testing.assert_allclose(tw.op(text)(x, A=1), (x - 2 * x.max(1, keepdims=True)).T, rtol=1e-6)


CALLS: dict[str, tuple[Callable[[Any], object], str, str]] = {
    "no rank": (
        lambda x: tw.op(SUM)(x),
        "total: the operands do not tell the ranks of A... and R... in x: T[A..., R...]",
        "give one by keyword: R=1",
    ),
    "one too few": (
        lambda x: tw.op(MIDDLE)(x, A=1),
        "middle: the operands do not tell the ranks of R... and B... in x: T[A..., R..., B...]",
        "give one by keyword: B=1",
    ),
    "too large": (
        lambda x: tw.op(SUM)(x, R=4),
        "operand 'x' of total has 3 axes, but R... is 4 axes",
        "reshape one",
    ),
    "too many": (
        lambda x: tw.op(SUM)(x, R=1, A=1),
        "operand 'x' of total has 3 axes, but A... is 1 axis and R... is 1 axis",
        "reshape one",
    ),
    "negative": (
        lambda x: tw.op(SUM)(x, R=-2),
        "total: the rank R=-2 is no whole number from 0 up",
        "as in R=1",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_wrong_ranks(name: str) -> None:
    call, message, hint = CALLS[name]
    with pytest.raises(CallError) as e:
        call(np.ones((2, 3, 4), np.float32))
    assert (e.value.message, e.value.hint) == (message, hint)


PROGRAMS = {
    "op f(x: f32[N]) -> y: f32[N]:\n    y[a...] = x[a...]\n": "nothing says which dims a... runs over",
    "op f(x: f32[A..., B...]) -> y: f32[A..., B...]:\n    y[a..., b...] = x[b..., a...]\n": (
        "b... runs over B..., but here over A..."
    ),
    "op f(x: f32[A...]) -> y: f32[A...]:\n    y[a...: B...] = x[a...]\n": "no operand has the axis pack B...",
    "op f(x: f32[A...]) -> y: f32[A...]:\n    y[a...: 3] = x[a...]\n": "a... runs over a pack",
    "op f(x: f32[A..., ...]) -> y: f32[]:\n    y[] = 0\n": "the rank of ... cannot be told from the operands",
    "op f(x: f32[A..., R...], *, R: int = 1) -> y: f32[]:\n    y[] = 0\n": "the name R is taken",
}


@pytest.mark.parametrize("text", PROGRAMS)
def test_wrong_programs(text: str) -> None:
    found = check(parse(text)).diagnostics
    assert found and all(isinstance(e, CheckError) for e in found)
    assert found[0].message == PROGRAMS[text]
    assert found[0].span is not None and found[0].hint


@pytest.mark.parametrize("rank", [0, 1, 2])
def test_size_is_the_number_of_points(rank: int) -> None:
    op = tw.op("op f[T: any](x: T[A..., R...]) -> n: i64[A...]:\n    n[a...] = size(R...) * 10 + size()\n")
    x = np.zeros((2, 3, 4), np.float32)
    assert (op(x, R=rank) == 10 * np.prod(x.shape[3 - rank :], dtype=int) + 1).all()
    with pytest.raises(CheckError, match="size takes axes and packs"):
        tw.op("op f(x: f32[N]) -> y: i64[N]:\n    y[i] = size(3)\n")(np.zeros(2, np.float32))
