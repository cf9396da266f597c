"""The text of kernels and plans, read back."""

from __future__ import annotations

import re
from pathlib import Path

import hand_built
import pytest
from hypothesis import HealthCheck, given, settings
from loop_strategies import conditions, indices, kernels, plans

import tilewright.dsl
from tilewright.dsl.parse_loops import parse_condition, parse_index, parse_kernel, parse_plan
from tilewright.errors import InternalError, SyntaxUserError
from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index, symbol
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Write
from tilewright.ir.plan import Plan
from tilewright.ir.scalar import Expr, Read, Var, apply, literal
from tilewright.ir.text_loops import print_kernel, print_plan
from tilewright.ir.text_scalar import KEYWORDS, condition_text, index_text
from tilewright.ir.types import F32

relaxed = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))

DOUBLING = """\
plan doubling:
    input x: i64[N]
    output y: i64[N]
    symbol N = dim(x,0)
    scratch s: i64[N]
    run load tasks N chunk 1
    repeat round in 0..N:
        run double tasks N chunk 1
    run save tasks N chunk 1
    kernel load():
        global x: i64[N] strides [stride(x,0)]
        scratch s: i64[N] strides [8]
        for t in 0..N parallel:
            block load:
                iter i: parallel 0..N = t
                s[i] = x[i]
    kernel double():
        scratch s: i64[N] strides [8]
        for t in 0..N parallel:
            block double:
                iter i: parallel 0..N = t
                s[i] = (s[i] * 2:i64) + index(round)
    kernel save():
        scratch s: i64[N] strides [8]
        global y: i64[N] strides [8]
        for t in 0..N parallel:
            block save:
                iter i: parallel 0..N = t
                y[i] = s[i]
"""

EVERYTHING = """\
kernel everything(alpha: f32, `init`: bool):
    global x: f32[N, M] strides [stride(x,0), -4]
    scratch idx: i64[N] strides [8]
    register `for`: f32[] strides []
    for i_o in 0..((N + 7) // 8) parallel:
        for i_i in 0..8 vectorized:
            block first:
                iter i: parallel 0..N = i_i + i_o*8
                iter k: reduce 0..M = 3
                where N >= i_i + i_o*8 + 1 and i_i == 0
                %0 = -(x[i, (k // 4)*4 - 1] if k >= 1 and M >= k else inf:f32)
                init -0.0:f32
                init 7:i64
                `for`[] = cast(f32, fma(%0, alpha, %0) < nan:f32) + (-(1.5:f32))
                idx[checked(idx[i] >> 3:i64, 0..N, idx at i*2)] = where(`init` or (not (true)), index(-i + k), -9:i64)
        for j in 0..min(4, N - 2*i_o) unrolled:
            pass
"""


@pytest.mark.parametrize(
    "plan",
    [
        hand_built.matmul_plan(),
        hand_built.matmul_plan(8, "unrolled", hand_built.F32),
        hand_built.embedding_plan(),
        hand_built.conv1d_plan(2, 1),
        hand_built.doubling_plan(symbol("dim(x,0)")),
    ],
)
def test_plans_read_back(plan: Plan) -> None:
    assert parse_plan(print_plan(plan)) == plan


def test_the_text_of_a_plan() -> None:
    assert print_plan(hand_built.doubling_plan(hand_built.N)) == DOUBLING


def test_all_of_the_grammar_reads_back_to_the_same_text() -> None:
    kernel = parse_kernel(EVERYTHING)
    assert print_kernel(kernel) == EVERYTHING
    first = kernel.body[0].body[0].body[0]  # type: ignore[union-attr]
    assert isinstance(first, Block)
    shared = first.values[0].args[0].args[0].args[0]  # type: ignore[union-attr]
    assert shared.op == "fma" and shared.args[0] is shared.args[2]
    assert first.predicate == (ix.lt(symbol("i_i") + symbol("i_o") * 8, symbol("N")), ix.eq(symbol("i_i"), 0))
    assert [v.value for v in first.init] == [0.0, 7]  # type: ignore[union-attr]


def test_comments_and_blank_lines_do_not_matter() -> None:
    spread = EVERYTHING.replace("\n", "   # a comment\n\n")
    assert parse_kernel(spread) == parse_kernel(EVERYTHING)


@relaxed
@given(kernels)
def test_random_kernels_read_back(kernel: Kernel) -> None:
    assert parse_kernel(print_kernel(kernel)) == kernel


@relaxed
@given(plans)
def test_random_plans_read_back(plan: Plan) -> None:
    assert parse_plan(print_plan(plan)) == plan


@settings(max_examples=300, deadline=None)
@given(indices)
def test_random_indices_read_back(index: Index) -> None:
    assert parse_index(index_text(index)) is index


@relaxed
@given(conditions)
def test_random_conditions_read_back(condition: Condition) -> None:
    assert parse_condition(condition_text(condition)) is condition


# --- shared nodes -------------------------------------------------------------------------------


def _kernel_of(value: Expr) -> Kernel:
    x = Buffer("x", F32, (), ())
    return Kernel("k", (x,), (), (Block("b", (), (), (), (Write("x", ()),), (value,)),))


def test_shared_nodes_are_printed_once() -> None:
    value: Expr = Read("x", (), F32)
    for _ in range(300):
        value = apply("add", value, value)  # 2 ** 300 leaves as a tree
    kernel = _kernel_of(value)
    text = print_kernel(kernel)
    assert len(text) < 300 * 40
    assert parse_kernel(text) == kernel


def test_deep_expressions_are_printed_in_parts() -> None:
    value: Expr = Read("x", (), F32)
    for _ in range(3000):
        value = apply("exp", apply("neg", value))
    kernel = _kernel_of(value)
    text = print_kernel(kernel)
    assert max(map(len, text.splitlines())) < 140
    assert parse_kernel(text) == kernel


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "message", "place"),
    [
        ("kernel everything", "kernl everything", "unexpected 'kernl', expected 'kernel'", "kernl"),
        ("x[i, (k", "y[i, (k", "no buffer y", "y[i, (k // 4)*4 - 1]"),
        ("fma(%0, alpha, %0)", "fma(%0, beta, %0)", "no scalar beta", "beta"),
        ("fma(%0, alpha, %0)", "fma(%0, alpha)", "no operation fma of 2 values", "fma"),
        ("fma(%0, alpha, %0)", "sinc(%0)", "no operation sinc of 1 values", "sinc"),
        ("fma(%0, alpha, %0)", "fma(%0, %1, %0)", "%1 is not defined before", "%1"),
        ("fma(%0, alpha, %0)", "(%0 and alpha)", "and does not take f32", "%0 and alpha"),
        ("init 7:i64", "init 7.5:i64", "7.5 is not a literal of i64", "7.5"),
        ("init 7:i64", "init 7:i63", "unknown dtype i63", "i63"),
        ("init 7:i64", "init 7", "the end of the line, expected ':'", ""),
        ("(k // 4)*4", "(k // 0)*4", "division by zero", "0"),
        ("min(4, N - 2*i_o)", "mid(4, N)", "no index function mid of 2 values", "mid"),
        ("0..8 vectorized", "0..8 quickly", "unexpected 'quickly'", "quickly"),
        ("where N >= i_i", "where N != i_i", "unexpected '!='", "!="),
        ("            pass", "           pass", "", ""),
        ("            pass\n", "", "the text ends too early, expected an indented block", ""),
    ],
)
def test_malformed_text_is_refused_where_it_is_wrong(old: str, new: str, message: str, place: str) -> None:
    text = EVERYTHING.replace(old, new, 1)
    if not message:  # one space less of indentation is no mistake where nothing else has it
        assert parse_kernel(text) == parse_kernel(EVERYTHING)
        return
    with pytest.raises(SyntaxUserError) as e:
        parse_kernel(text, "k.loops")
    assert message in e.value.message
    span = e.value.span
    assert span is not None and str(span).startswith("k.loops:")
    if place:
        assert text.splitlines()[span.line - 1][span.column - 1 : span.end_column - 1] == place


def test_nesting_without_end_is_refused() -> None:
    deep = "(" * 100_000 + "x[]" + ")" * 100_000
    with pytest.raises(SyntaxUserError, match="deep"):
        parse_kernel(f"kernel k():\n    global x: f32[] strides []\n    block b:\n        x[] = {deep}\n")
    with pytest.raises(SyntaxUserError):
        parse_index("(" * 5000 + "i" + ")" * 5000)


@pytest.mark.parametrize("text", ["", "kernel", "kernel k(", "\x00", "plan p:\n", "kernel k():\n    block"])
def test_fragments_are_refused(text: str) -> None:
    for parse in (parse_kernel, parse_plan):
        with pytest.raises(SyntaxUserError):
            parse(text)


def test_what_loop_ir_does_not_have_is_not_printed() -> None:
    with pytest.raises(InternalError, match="no scalar node Var"):
        print_kernel(_kernel_of(Var("acc", F32)))
    with pytest.raises(InternalError, match="not as many bindings"):
        print_kernel(Kernel("k", (), (), (Block("b", (Iter("i", "parallel", ix.const(1)),), (), (), (), ()),)))
    with pytest.raises(InternalError, match="cannot be a name"):
        print_kernel(Kernel("a`b", (), (), ()))
    with pytest.raises(InternalError, match="no statement int"):
        print_kernel(Kernel("k", (), (), (Loop("i", ix.const(1), "serial", (3,)),)))  # type: ignore[arg-type]


def test_every_word_of_the_grammar_is_quoted_as_a_name() -> None:
    grammar = Path(tilewright.dsl.__file__).with_name("loops.lark").read_text()
    rules = grammar.split("pipeline:")[0] + "".join(re.findall(r"^[A-Z_]+: .*", grammar, re.MULTILINE))
    words = set(re.findall(r'"([a-z]+)"', rules)) - {"none"} | {"or"}  # of pipelines; in a pattern
    assert words == KEYWORDS
    for word in words:
        kernel = _kernel_of(literal(1, F32))
        renamed = Kernel(word, kernel.buffers, kernel.scalars, kernel.body)
        assert parse_kernel(print_kernel(renamed)) == renamed
