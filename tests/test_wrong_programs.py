"""Wrong programs: the message, the place it points at, the hint; and that following the hint mends them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

import tilewright
from tilewright.dsl.check import check
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.dsl.signature import bind
from tilewright.dsl.specialise import specialise
from tilewright.errors import CallError, CallTypeError, CheckError, SyntaxUserError, UserError
from tilewright.ir.types import F32, F64, I32, I64

HEADER = (
    "op f[T: float](x: T[N, C], w: T[C, M], b: T[C]?, idx: i32[N],\n"
    "        *, eps: float = 1e-5, s: int = 1, flag: bool = false, p: scalar f32) -> y: T[N, M]:\n"
)


@dataclass(frozen=True)
class Wrong:
    """``text`` (a body, unless it says ``op``) is wrong at ``place``; ``mended`` is what the hint leads to."""

    text: str
    place: str
    message: str
    hint: str | None
    mended: str


def program(text: str) -> str:
    return text if "op " in text else HEADER + "".join(f"    {line}\n" for line in text.split("\n"))


def error_of(text: str) -> UserError:
    try:
        module = parse(text)
    except SyntaxUserError as e:
        return e
    found = check(module).diagnostics
    assert found, f"nothing wrong was found in\n{text}"
    assert all(isinstance(e, CheckError) for e in found)
    return found[0]


SYNTAX = [
    Wrong("y[i, j] = x[i, 0] +", "", "the line ends too early, expected a value", None, "y[i, j] = x[i, j: 0] + 1"),
    Wrong("y[i, j] = x[i, 0", "[", "this '[' is never closed", "close it", "y[i, j] = x[i, 0]"),
    Wrong(
        "op f(x: f32[N]) -> y: f32[N]\n    y[i] = x[i]",
        "",
        "the line ends too early, expected ',', ':' or 'if'",
        None,
        "op f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]",
    ),
    Wrong(
        "op f(x: f32[N]) -> y: f32[N]:\ny[i] = x[i]",
        "y",
        "unexpected 'y', expected an indented block",
        None,
        "op f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]",
    ),
    Wrong(
        "y = x[0, 0]",
        "[",
        "unexpected '[', expected '('",
        "name the axes: y[i] = ..., or y[] = ... for a single value",
        "y[i, j] = x[i, 0]",
    ),
    Wrong(
        "y[i, j] = x[i, 0] if flag else 0",
        "if",
        "unexpected 'if', expected the end of the line, '(', 'else', 'for' or an operator",
        "choose between values with where(condition, a, b)",
        "y[i, j] = where(flag, x[i, 0], 0)",
    ),
    Wrong(
        "y[i, j] = where((0 < x[i, 0] < 1), 1, 0)",
        "<",
        "unexpected '<', expected ')', 'else' or an operator",
        "comparisons do not chain: write a < b and b < c",
        "y[i, j] = where(0 < x[i, 0] and x[i, 0] < 1, 1, 0)",
    ),
    Wrong(
        "y[i, j] = where(x[i, 0] <-1, 1, 0)",
        "<-",
        "unexpected '<-', expected ')', ',', 'else' or an operator",
        "'<-' is an arrow; write '< -' for \"less than minus\"",
        "y[i, j] = where(x[i, 0] < -1, 1, 0)",
    ),
    Wrong(
        "y[i, j] = x[i, 0] ** 2",
        "*",
        "unexpected '*', expected a value",
        "there is no power operator: multiply, or use exp and log",
        "y[i, j] = x[i, 0] * x[i, 0]",
    ),
    Wrong("y[i, j] = x[i, 0] $ 2", "$", "'$' does not belong in source text", "comments start with #", "y[i, j] = 0"),
    Wrong(
        "op f(*, x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]",
        "x: f32[N]",
        "'x' is on the wrong side: an operand stands before '*'",
        "move it",
        "op f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]",
    ),
    Wrong(
        "edition 7\nop f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]",
        "7",
        "there is no edition 7",
        "write `edition 1`, or use a newer Tilewright",
        "edition 1\nop f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]",
    ),
    Wrong(
        "op f(x: f32[N]) -> y: f32[N]:\n    z[i] = x[i]\n  y[i] = x[i]",
        "y",
        "this line is indented less than its block, but not as any block around it",
        "indent it like the line that it belongs under",
        "op f(x: f32[N]) -> y: f32[N]:\n    z[i] = x[i]\n    y[i] = x[i]",
    ),
]

SUM = "y[i, j] = sum[k](x[i, k] * w[k, j])"
NAMES = [
    Wrong(
        "op f(x: f23[N]) -> y: f32[N]:\n    y[i] = x[i]",
        "f23",
        "unknown dtype 'f23'",
        "did you mean 'f32'?",
        "op f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]",
    ),
    Wrong(
        "op f[T: floats](x: T[N]) -> y: T[N]:\n    y[i] = x[i]",
        "floats",
        "unknown constraint 'floats'",
        "did you mean 'float'?",
        "op f[T: float](x: T[N]) -> y: T[N]:\n    y[i] = x[i]",
    ),
    Wrong("y[i, j] = sum[k](x[i, k] * v[k, j])", "v", "unknown tensor 'v'", "there is x, w, idx", SUM),
    Wrong(f"{SUM} * epsi", "epsi", "unknown name 'epsi'", "did you mean 'eps'?", f"{SUM} * eps"),
    Wrong("y[i, j] = ex(x[i, 0])", "ex", "unknown function 'ex'", "did you mean 'exp'?", "y[i, j] = exp(x[i, 0])"),
    Wrong(
        "y[i, j] = sum(x[i, 0])",
        "sum(x[i, 0])",
        "sum is a reduction",
        "write sum[axes](value)",
        "y[i, j] = sum[k](x[i, k])",
    ),
    Wrong("y[i, j] = x", "x", "x is a tensor, not a value", "say which element: x[...]", "y[i, j] = x[i, 0]"),
    Wrong(
        "y[i, j] = z[i]\nz[i: N] = f32(0)",
        "z",
        "z is read before it is defined",
        "move its statement up",
        "z[i: N] = f32(0)\ny[i, j] = T(z[i])",
    ),
    Wrong(
        "x[i, j] = 0\ny[i, j] = 0",
        "x",
        "x is defined twice",
        "give the second one another name",
        "x2[i: N, j: M] = 0\ny[i, j] = 0",
    ),
    Wrong("z[i: N] = 0", "y: T[N, M]", "the result y is never defined", "assign it: y[...] = ...", "y[i, j] = 0"),
    Wrong(
        f"{SUM} + b[0]",
        "b",
        "b is optional and may be absent here",
        "put this under `if b:`",
        f"if b: {SUM} + b[0]\nelse: {SUM}",
    ),
    Wrong(
        "if s: y[i, j] = 0\nelse: y[i, j] = 1",
        "s",
        "the attribute s is not a bool",
        "compare it: s == 1",
        "if s == 1: y[i, j] = 0\nelse: y[i, j] = 1",
    ),
    Wrong(
        "op f(x: f32[2*N]) -> y: f32[3]:\n    y[i] = 0",
        "N",
        "the value of N cannot be told from the operands",
        "some operand must have N itself as an axis",
        "op f(x: f32[2*N], z: f32[N]) -> y: f32[3]:\n    y[i] = 0",
    ),
]

RANGES = [
    Wrong("y[i, j] = sum[k](x[i, k, 0] * w[k, j])", "x[i, k, 0]", "x has 2 axes, not 3", "it is x: f32[N, C]", SUM),
    Wrong(
        "y[i, j] = sum[k](x[k, i] * w[k, j])",
        "i",
        "axis i runs over N, but here over C",
        "declare its range: [i: N], and the reads are checked against it",
        "y[i: N, j] = sum[k: C](x[k, i] * w[k, j])",
    ),
    Wrong("y[i, j] = T(sum[k](k))", "k", "axis k has no range", "declare it: [k: N]", "y[i, j] = T(sum[k: N](k))"),
    Wrong("y[i, i] = 0", "i", "axis i is used twice", "give each axis a name of its own", "y[i, j] = 0"),
    Wrong(
        "y[i, j] = sum[k](x[i, k + 1] * w[k, j])",
        "k + 1",
        "out of bounds: with C = 1, k = 0 this index is 1, and the extent of x is 1",
        "guard the read: (x[...] else 0), or declare the ranges of the axes",
        "y[i, j] = sum[k]((x[i, k + 1] else 0) * w[k, j])",
    ),
    Wrong(
        "y[i, j] = sum[k](x[i, k*k - k + s] * w[k, j])",
        "k*k - k + s",
        "cannot prove that the index k*k - k + 1 stays inside x, of extent C",
        "guard the read: (x[...] else 0), or declare the ranges of the axes",
        "y[i, j] = sum[k]((x[i, k*k - k + s] else 0) * w[k, j])",
    ),
    Wrong(
        "y[i, j] = y[i - 1, j] + 1",
        "y",
        "y reads itself without `else`",
        "say what it is before the first point: (y[i - 1] else 0)",
        "y[i, j] = (y[i - 1, j] else 0) + 1",
    ),
    Wrong(
        "y[i, j] = (y[i + 1, j] else 0) + 1",
        "y[i + 1, j]",
        "y may read itself only at earlier points of one axis",
        "as in (y[..., i - 1] else 0)",
        "y[i, j] = (y[i - 1, j] else 0) + 1",
    ),
    Wrong(
        "y[i, j] = (y[i - 1, j] else 0) + (y[i + 1, j] else 0)",
        "y[i - 1, j]",
        "y may read itself only at earlier points of one axis",
        "as in (y[..., i - 1] else 0)",
        "y[i, j] = (y[i - 1, j] else 0) + (y[i - 2, j] else 0)",
    ),
    Wrong(
        "z[idx[i]] += x[i, 0]\ny[i, j] = 0",
        "z",
        "the shape of z is not known",
        "declare it on a line before: z: f32[...]",
        "z: T[M]\nz[idx[i]] += x[i, 0]\ny[i, j] = 0",
    ),
    Wrong(
        "y[i, j] = x[i, i // (s - 1)]",
        "s - 1",
        "division by zero",
        "the divisor is 0 here: give it another value",
        "y[i, j] = (x[i, i // s] else 0)",
    ),
    Wrong(
        "z: T[N]\nz[i + 1] += x[i, 0]\ny[i, j] = 0",
        "i + 1",
        "out of bounds: with N = 1, i = 0 this index is 1, and the extent of z is 1",
        "guard the read: (z[...] else 0), or declare the ranges of the axes",
        "z: T[N + 1]\nz[i + 1] += x[i, 0]\ny[i, j] = (z[i] else 0)",
    ),
    Wrong(
        "y[i, j] = x[i, j // i]",
        "j // i",
        "cannot prove that the divisor i is positive",
        "divide by sizes and positive numbers only",
        "y[i, j] = (x[i, j // (i + 1)] else 0)",
    ),
]

TYPES = [
    Wrong(
        "y[i, j] = sum[k](x[i, k] * k)",
        "x[i, k] * k",
        "'*' of f32 and i64",
        "cast one of them: f32(...)",
        "y[i, j] = sum[k](x[i, k] * T(k))",
    ),
    Wrong(
        "y[i, j] = T(idx[i] / 2)",
        "idx[i] / 2",
        "'/' does not take i32",
        "use // for whole numbers, or cast: f32(a) / f32(b)",
        "y[i, j] = T(idx[i] // 2)",
    ),
    Wrong(
        "y[i, j] = T(sum[k](x[i, k] > 0))",
        "x[i, k] > 0",
        "sum of bools",
        "to count, cast them: sum[...](i64(...))",
        "y[i, j] = T(sum[k](i64(x[i, k] > 0)))",
    ),
    Wrong(
        "y[i, j] = where(idx[i] and idx[i], 1, 0)",
        "idx[i] and idx[i]",
        "'and' takes bools, not i32",
        "compare, as in x != 0; for bits use & | ^ ~",
        "y[i, j] = where(idx[i] != 0 and idx[i] != 0, 1, 0)",
    ),
    Wrong(
        "y[i, j] = T(idx[i] + 2.5)",
        "2.5",
        "2.5 does not fit i32",
        "write a number that fits i32, or cast the other side",
        "y[i, j] = T(idx[i]) + 2.5",
    ),
    Wrong("y[i, j] = i", "i", "this is i64, but f32 is stored here", "write f32(...)", "y[i, j] = T(i)"),
    Wrong(
        "y[i, j] = w[x[i, 0], j]",
        "x[i, 0]",
        "an index must be an integer, this is f32",
        "cast it: i64(...)",
        "y[i, j] = w[i64(x[i, 0]), j]",
    ),
    Wrong(
        "y[i, j] = max(x[i, 0], 1, 2)",
        "max(x[i, 0], 1, 2)",
        "max takes 2 values, not 3",
        "nest them: max(a, max(b, c)); over an axis: max[i](x[i])",
        "y[i, j] = max(x[i, 0], max(T(1), 2))",
    ),
    Wrong(
        "y[i, j] = fold[k](u = 0, v = 0 -> u + x[i, k])",
        "u + x[i, k]",
        "accumulators: 2, values: 1",
        "one of each per accumulator, in their order",
        "y[i, j] = fold[k](u = 0 -> u + x[i, k])",
    ),
    Wrong(
        "op f(x: f32[N], *, s: int = 1.5) -> y: f32[N]:\n    y[i] = x[i]",
        "1.5",
        "this is not an int",
        "a literal that fits int",
        "op f(x: f32[N], *, s: int = 1) -> y: f32[N]:\n    y[i] = x[i]",
    ),
]
ALL = [*SYNTAX, *NAMES, *RANGES, *TYPES]


@pytest.mark.parametrize("case", ALL, ids=[w.message for w in ALL])
def test_what_is_said_and_where(case: Wrong) -> None:
    e = error_of(program(case.text))
    assert (e.message, e.hint) == (case.message, case.hint)
    assert e.span is not None
    line = e.span.source.line(e.span.line)
    assert line[e.span.column - 1 : e.span.end_column - 1] == case.place


@pytest.mark.parametrize("case", ALL[1:], ids=[w.message for w in ALL[1:]])
def test_the_hint_mends_it(case: Wrong) -> None:
    assert check(parse(program(case.mended))).diagnostics == ()


def test_rendering() -> None:
    text = "op f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i] + epsilon\n"
    assert str(error_of(text)) == (
        "<string>:2:19: error: unknown name 'epsilon'\n"
        "        y[i] = x[i] + epsilon\n"
        "                      ^^^^^^^\n"
        "help: there is i, N, inf, nan, true, false"
    )


# --- nesting --------------------------------------------------------------------------------

START = "op f(x: f32[N]) -> y: f32[N]:\n    y[i] = "
MANY = 100_000


@pytest.mark.parametrize(
    "text",
    [
        "(" * MANY,
        "[" * MANY,
        START + "(" * MANY,
        START + "(" * MANY + "1" + ")" * MANY,
        START + "-" * MANY + "1",
        START + "1 + " * MANY + "1",
        START + "exp(" * 201 + "1" + ")" * 201,
        "op f(x: f32[N]) -> y: f32[N]:\n" + "".join(" " * n + "if a:\n" for n in range(1, 500)),
    ],
    ids=["parentheses", "brackets", "open", "closed", "signs", "sums", "calls", "statements"],
)
def test_deep_nesting_is_a_diagnostic(text: str) -> None:
    e = error_of(text)
    assert isinstance(e, SyntaxUserError) and len(str(e)) < 1000


@pytest.mark.parametrize("around", ["-{}", "exp({})", "f32({})", "(x[0] else {})", "(x[i] + {})", "where(true, {}, 1)"])
def test_nesting_below_the_limit_is_understood(around: str) -> None:
    text = "x[i]"
    for _ in range(190):
        text = around.replace("{}", text)
    assert not check(parse(START + text)).diagnostics


# --- calls ----------------------------------------------------------------------------------

CALLED = "op matmul[T: number](a: T[M, K], b: T[K, N], c: T[..., N]?, *, n: int = 1) -> d: T[M, N]:\n    d[i, j] = 0\n"


@pytest.mark.parametrize(
    ("operands", "attributes", "kind", "message"),
    [
        ({"a": (F32, 2)}, {}, CallError, "matmul needs operand 'b'"),
        ({"a": (F32, 2), "b": (F32, 2), "e": (F32, 2)}, {}, CallError, "matmul has no operand 'e'"),
        (
            {"a": (F32, 2), "b": (F32, 3)},
            {},
            CallError,
            "operand 'b' of matmul has 3 axes, but b: T[K, N] takes 2",
        ),
        (
            {"a": (F32, 2), "b": (F64, 2)},
            {},
            CallTypeError,
            "operand 'b' of matmul has dtype f64, but T is f32 already, from operand 'a'",
        ),
        (
            {"a": (F32, 2), "b": (F32, 2), "c": (F32, 0)},
            {},
            CallError,
            "operand 'c' of matmul has 0 axes, but c: T[..., N]? takes 1 or more",
        ),
        ({"a": (F32, 2), "b": (F32, 2)}, {"m": 1}, CallError, "matmul has no attribute 'm'"),
        ({"a": (F32, 2), "b": (F32, 2)}, {"n": 1.5}, CallTypeError, "attribute 'n' of matmul is an int, not 1.5"),
        ({"a": (F32, 2), "b": (F32, 2)}, {"n": True}, CallTypeError, "attribute 'n' of matmul is an int, not True"),
        (
            {"a": (F32, 2), "b": (F32, 2)},
            {},
            CallError,
            "matmul: nothing given tells the rank of ...",
        ),
    ],
)
def test_wrong_calls(
    operands: dict[str, tuple[object, int]], attributes: dict[str, object], kind: type[UserError], message: str
) -> None:
    with pytest.raises(kind) as caught:
        bind(parse(CALLED).ops[0], operands, attributes)  # type: ignore[arg-type]
    assert caught.value.message == message


def test_wrong_dtype_for_the_constraint() -> None:
    op = parse("op g[T: float](x: T[N], i: i32[N]) -> y: T[N]:\n    y[n] = x[n]\n").ops[0]
    with pytest.raises(CallTypeError, match=r"'x' of g has dtype i32, but x: T\[N\] takes f16, bf16, f32, f64, field"):
        bind(op, {"x": (I32, 1), "i": (I32, 1)})
    with pytest.raises(CallTypeError, match=r"'i' of g has dtype i64, but i: i32\[N\] takes i32"):
        bind(op, {"x": (F32, 1), "i": (I64, 1)})


def test_conditions_on_attributes_are_checked_when_they_are_chosen() -> None:
    op = parse("op g(x: f32[N], *, s: int = 1) -> y: f32[N]:\n    where s >= 1\n    y[n] = x[n]\n").ops[0]
    with pytest.raises(CheckError, match="this condition does not hold for s = 0"):
        specialise(op, attributes={"s": 0})


# --- garbled programs -----------------------------------------------------------------------

SOURCES = [p.read_text() for p in sorted((Path(tilewright.__file__).parent / "stdlib" / "ops").glob("*.tw"))]
PIECES = [re.findall(r"\w+|\s+|[^\w\s]", s) for s in SOURCES]


@pytest.mark.parametrize("seed", range(8))
def test_garbled_sources_give_diagnostics_or_programs(seed: int) -> None:
    """Nothing but user errors is raised, and what is accepted can be formatted without changing it."""
    random, understood = Random(seed), 0
    for _ in range(40):
        pieces = list(random.choice(PIECES))
        for _ in range(random.randint(1, 3)):
            at = random.randrange(len(pieces))
            pieces[at : at + random.randint(0, 1)] = random.choices(random.choice(PIECES), k=random.randint(0, 1))
        text = "".join(pieces)
        try:
            module = parse(text)
        except SyntaxUserError as e:
            assert e.span is not None
            continue
        assert all(isinstance(e, CheckError) for e in check(module).diagnostics)
        assert parse(format(text)).ops == module.ops and format(format(text)) == format(text)
        understood += 1
    assert understood
