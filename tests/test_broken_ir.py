"""Sound random IR with one thing wrong in it is refused, whatever it is and wherever it stands; so are wrong texts."""

from __future__ import annotations

import re
from functools import cache
from itertools import islice

import breaking
import breaking_tensor
import hand_built
import pytest
from fuzz.subjects import plans, programs

from tilewright.dsl.parse import parse
from tilewright.dsl.parse_loops import parse_kernel, parse_plan
from tilewright.dsl.specialise import specialise
from tilewright.errors import VerifyError
from tilewright.ir.plan import Plan
from tilewright.ir.tensor import Function
from tilewright.ir.verify_loops import verify_kernel, verify_plan
from tilewright.ir.verify_tensor import verify

TENSOR = {name: broken for table in breaking_tensor.TABLES for name, broken in table.items()}
LOOPS = {name: broken for table in breaking.TABLES for name, broken in table.items()}
PLACES = 3
SCALED = "op scaled(x: f32[N], *, p: scalar f32) -> y: f32[N]:\n    y[i: N] = x[i] * p\n"
STEPPED = """\
op stepped(x: f32[N, M]) -> y: f32[N, M]:
    for t: N:
        y[t, m: M] = (y[t - 1, m] else 0.0) + x[t, m]
"""
"""What is drawn too seldom."""


@cache
def functions() -> tuple[Function, ...]:
    return tuple(specialise(parse(text).ops[0]) for text in (SCALED, STEPPED, *programs(120)))


@cache
def sound_plans() -> tuple[Plan, ...]:
    made = hand_built.matmul_plan(), hand_built.conv1d_plan(2, 1), hand_built.embedding_plan()
    return (*map(parse_plan, plans()), *made)


def test_what_is_broken_is_sound_before() -> None:
    for f in functions():
        verify(f)
    for p in sound_plans():
        verify_plan(p)
    assert len(functions()) > 40 and len(sound_plans()) > 30 and len(TENSOR) + len(LOOPS) > 180


@pytest.mark.parametrize("kind", TENSOR)
def test_broken_functions_are_refused(kind: str) -> None:
    tried = 0
    for f in functions():
        for broken in islice(TENSOR[kind](f), PLACES):
            tried += 1
            with pytest.raises(VerifyError, match=r"\[[a-z-]+\]"):
                verify(broken)
    assert tried


@pytest.mark.parametrize("kind", LOOPS)
def test_broken_plans_are_refused(kind: str) -> None:
    tried = 0
    for p in sound_plans():
        for broken in islice(LOOPS[kind](p), PLACES):
            tried += 1
            with pytest.raises(VerifyError, match=r"\[[a-z-]+\]"):
                verify_plan(broken)
    assert tried


# --- texts --------------------------------------------------------------------------------------

KERNEL = """\
kernel gather(alpha: f32):
    global x: f32[N, K] strides [stride(x,0), 4]
    global idx: i32[M] strides [4]
    global y: f32[M, K] strides [K*4, 4]
    register acc: f32[8] strides [4]
    for t in 0..M parallel:
        for k in 0..K:
            block gather:
                iter i: parallel 0..M = t
                iter r: reduce 0..K = k
                where K >= k + 1
                init 0.0:f32
                y[i, 0] = y[i, 0] + (x[checked(cast(i64, idx[i]), 0..N, idx at i), r] * alpha)
        for l in 0..8 vectorized:
            block lanes:
                iter j: parallel 0..8 = l
                acc[j] = where(acc[j] < 1.0:f32, acc[j], cast(f32, index(j)))
"""
PLAN = """\
plan doubling:
    input x: i64[N]
    output y: i64[N]
    scalar p: i64
    symbol N = dim(x,0)
    symbol H = N // 2
    check N >= 1: "doubling: an element is needed"
    scratch s: i64[N]
    run load tasks N chunk 1
    repeat round in 0..H:
        run double tasks N chunk 1
    run save tasks N chunk 1
    kernel load():
        global x: i64[N] strides [stride(x,0)]
        scratch s: i64[N] strides [8]
        for t in 0..N parallel:
            block load:
                iter i: parallel 0..N = t
                s[i] = x[i]
    kernel double(p: i64):
        scratch s: i64[N] strides [8]
        for t in 0..N parallel:
            block double:
                iter i: parallel 0..N = t
                s[i] = (s[i] * p) + index(round)
    kernel save():
        scratch s: i64[N] strides [8]
        global y: i64[N] strides [8]
        for t in 0..N parallel:
            block save:
                iter i: parallel 0..N = t
                y[i] = s[i]
"""
SIZES = {"N", "M", "K", "stride(x,0)"}

WRONG_KERNELS = [
    ("unique-buffers", "    register acc", "    register y: f32[] strides []\n    register acc"),
    ("unique-buffers", "alpha: f32", "alpha: f32, idx: f32"),
    ("register-shape", "f32[8] strides [4]", "f32[N] strides [4]"),
    ("register-shape", "acc: f32[8]", "acc: f32[0]"),
    ("buffer-rank", "i32[M] strides [4]", "i32[M] strides [4, 4]"),
    ("buffer-rank", "[K*4, 4]", "[4]"),
    ("buffer-symbols", "idx: i32[M]", "idx: i32[t]"),
    ("buffer-symbols", "strides [K*4, 4]", "strides [k*4, 4]"),
    ("free-symbol", "strides [K*4, 4]", "strides [Q*4, 4]"),
    ("free-symbol", "strides [stride(x,0), 4]", "strides [stride(x,1), 4]"),
    ("parallel-loop", "for k in 0..K:", "for k in 0..K parallel:"),
    ("parallel-loop", "for t in 0..M parallel", "for q in 0..1:\n        pass\n    for t in 0..M parallel"),
    ("constant-extent", "for k in 0..K:", "for k in 0..K vectorized:"),
    ("constant-extent", "for k in 0..K:", "for k in 0..K unrolled:"),
    ("shadowing", "for k in 0..K:", "for t in 0..K:"),
    ("shadowing", "for l in 0..8", "for x in 0..8"),
    ("shadowing", "for l in 0..8", "for alpha in 0..8"),
    ("buffer-symbols", "for l in 0..8", "for N in 0..8"),
    ("free-symbol", "for k in 0..K:", "for k in 0..Q:"),
    ("extent-symbols", "for k in 0..K:", "for k in 0..l:"),
    ("extent-symbols", "for k in 0..K:", "for k in 0..k:"),
    ("unique-blocks", "block lanes", "block gather"),
    ("shadowing", "iter r: reduce", "iter i: reduce"),
    ("shadowing", "iter j: parallel", "iter idx: parallel"),
    ("iter-extent", "iter r: reduce 0..K", "iter r: reduce 0..t"),
    ("free-symbol", "iter r: reduce 0..K", "iter r: reduce 0..Q"),
    ("binding-symbols", "0..8 = l", "0..8 = k"),
    ("free-symbol", "0..8 = l", "0..8 = q"),
    ("predicate-symbols", "where K >= k + 1", "where K >= l + 1"),
    ("free-symbol", "where K >= k + 1", "where Q >= k + 1"),
    ("init", "iter r: reduce", "iter r: ordered"),
    ("init", "init 0.0:f32", "init 0.0:f32\n                init 0.0:f32"),
    ("init", "init 0.0:f32", "init cast(f32, index(r))"),
    ("value-dtype", "init 0.0:f32", "init 0.0:f64"),
    ("writes", "                y[i, 0] = ", "                %0 = "),
    ("rank", "                y[i, 0] = ", "                y[i] = "),
    ("rank", "                acc[j] = ", "                acc[j, j] = "),
    ("rank", "= y[i, 0] + ", "= y[i] + "),
    ("value-symbols", "                acc[j] = ", "                acc[l] = "),
    ("free-symbol", "                acc[j] = ", "                acc[q] = "),
    ("value-symbols", "cast(f32, index(j))", "cast(f32, index(l))"),
    ("free-symbol", "cast(f32, index(j))", "cast(f32, index(q))"),
    ("value-symbols", "idx at i", "idx at t"),
    ("value-symbols", "0..N, idx", "0..t, idx"),
    ("value-dtype", "cast(f32, index(j)))", "cast(f32, index(j))) < 2.0:f32"),
    ("value-dtype", "cast(f32, index(j))", "cast(f64, index(j))"),
    ("operand-dtype", "where(acc[j] < 1.0:f32", "where(acc[j]"),
    ("operand-dtype", "1.0:f32", "1.0:f64"),
    ("operand-kind", "acc[j] < 1.0:f32", "true + true"),
    ("operand-kind", "acc[j] < 1.0:f32", "isnan(true)"),
    ("result-dtype", "cast(f32, index(j))", "bitcast(f32, index(j))"),
    ("storage-arithmetic", "cast(f32, index(j))", "cast(f32, 1.0:f16 + 1.0:f16)"),
    ("data-index", "checked(cast(i64, idx[i]), 0..N, idx at i), r", "checked(alpha, 0..N, idx at i), r"),
    ("guard", "= y[i, 0] + ", "= (y[i, 0] if K >= r + 1) + "),
    ("guard", "= y[i, 0] + ", "= (y[i, 0] if K >= r + 1 else 0.0:f64) + "),
    ("value-symbols", "= y[i, 0] + ", "= (y[i, 0] if K >= k + 1 else 0.0:f32) + "),
]  # fmt: skip
WRONG_PLANS = [
    ("unique-tensors", "scratch s: i64[N]\n    run", "scratch x: i64[N]\n    run"),
    ("unique-tensors", "scalar p: i64", "scalar y: i64"),
    ("unique-kernels", "kernel save()", "kernel load()"),
    ("unique-slots", "symbol H", "symbol N"),
    ("unique-slots", "symbol H", "symbol scratch"),
    ("defined-before-use", "symbol N = dim(x,0)", "symbol N = H"),
    ("defined-before-use", "symbol N = dim(x,0)", "symbol N = dim(x,1)"),
    ("defined-before-use", "symbol H = N // 2", "symbol H = Q // 2"),
    ("defined-before-use", "check N >= 1", "check Q >= 1"),
    ("defined-before-use", "check N >= 1", "check scratch >= 1"),
    ("defined-before-use", "input x: i64[N]", "input x: i64[Q]"),
    ("defined-before-use", "output y: i64[N]", "output y: i64[Q]"),
    ("defined-before-use", "scratch s: i64[N]\n    run", "scratch s: i64[Q]\n    run"),
    ("defined-before-use", "in 0..H", "in 0..Q"),
    ("defined-before-use", "in 0..H", "in 0..round"),
    ("defined-before-use", "load tasks N", "load tasks Q"),
    ("defined-before-use", "load tasks N chunk 1", "load tasks N chunk Q"),
    ("unknown-kernel", "run load", "run lead"),
    ("phase-tasks", "load tasks N", "load tasks H"),
    ("phase-tasks", "for t in 0..N parallel:\n            block load", "for t in 0..N:\n            block load"),
    ("phase-chunk", "load tasks N chunk 1", "load tasks N chunk 0"),
    ("shadowing", "repeat round in", "repeat N in"),
    ("shadowing", "        run double", "        repeat round in 0..2:\n            run double"),
    ("free-symbol", "repeat round in", "repeat turn in"),
    ("free-symbol", "    repeat round in 0..H:\n        run double", "    run double"),
    ("unknown-tensor", "global x: i64[N] strides [stride(x,0)]", "scratch x: i64[N] strides [stride(x,0)]"),
    ("unknown-tensor", "    scratch s: i64[N]\n    run", "    run"),
    ("unknown-tensor", "output y: i64[N]", "output z: i64[N]"),
    ("tensor-type", "input x: i64", "input x: i32"),
    ("tensor-type", "input x: i64[N]", "input x: i64[N, N]"),
    ("read-only", "output y: i64[N]", "input y: i64[N]"),
    ("unknown-scalar", "    scalar p: i64\n", ""),
    ("unknown-scalar", "scalar p: i64", "scalar p: i32"),
]  # fmt: skip


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) >= 1 and old != new
    return text.replace(old, new, 1)


def test_the_texts_are_sound_before() -> None:
    verify_kernel(parse_kernel(KERNEL), SIZES)
    verify_plan(parse_plan(PLAN))
    assert len(WRONG_KERNELS) + len(WRONG_PLANS) > 80


@pytest.mark.parametrize(("rule", "old", "new"), WRONG_KERNELS)
def test_wrong_kernel_texts_are_refused_by_the_rule(rule: str, old: str, new: str) -> None:
    with pytest.raises(VerifyError, match=re.escape(f"[{rule}]")):
        verify_kernel(parse_kernel(changed(KERNEL, old, new)), SIZES)


@pytest.mark.parametrize(("rule", "old", "new"), WRONG_PLANS)
def test_wrong_plan_texts_are_refused_by_the_rule(rule: str, old: str, new: str) -> None:
    with pytest.raises(VerifyError, match=re.escape(f"[{rule}]")):
        verify_plan(parse_plan(changed(PLAN, old, new)))
