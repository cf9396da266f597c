"""Wrong programs: what is said about each, where it points, and that following the remedy mends it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest
from wrong_programs import Case, cases, diagnostics, files, fixed

import tilewright
from tilewright import cli
from tilewright.compiler.definition import load_ops
from tilewright.dsl.check import check
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.dsl.signature import bind
from tilewright.dsl.specialise import specialise
from tilewright.errors import CallError, CallTypeError, CheckError, SyntaxUserError, UserError
from tilewright.ir.types import F32, F64, I32, I64
from tilewright.stdlib import ops

CASES = {f"{path.stem}: {case.name}": case for path in files() for case in cases(path.read_text())}
LEAST, LEAST_SHARE = 200, 0.6
each_case = pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))


@each_case
def test_what_is_said_and_where(case: Case) -> None:
    assert f"{diagnostics(case.text)[0]}\n" == case.says
    place, _, carets = case.says.split("\n")[:3]
    assert re.match(r"<string>:\d+:\d+: (syntax )?error: .{8,}", place) and set(carets.strip()) == {"^"}


@each_case
def test_the_remedy_mends_it(case: Case) -> None:
    """The edits that the diagnostics suggest are made by machine; what is only said in words was done by hand."""
    assert fixed(case.text).rstrip() == (case.fixed or case.text).rstrip()
    if case.by_hand:
        assert not diagnostics(case.by_hand)


def test_most_are_mended_by_the_edits_that_are_suggested() -> None:
    compiling = [c for c in CASES.values() if c.fixed and not diagnostics(c.fixed)]
    silent = [c for c in CASES.values() if "\nhelp: " not in c.says]
    share = len(compiling) / len(CASES)
    print(
        f"{len(CASES)} wrong programs: {len(compiling)} compile after the suggested edits ({share:.0%}), "
        f"{len(silent)} have no remedy"
    )
    assert len(CASES) >= LEAST and share >= LEAST_SHARE and len(silent) <= 0.02 * len(CASES)
    assert len(set(CASES.values())) == sum(len(list(cases(p.read_text()))) for p in files())


def test_the_command_line_says_the_same(tmp_path: Path) -> None:
    """All of them in one process: nothing but diagnostics, and the status 1."""
    for n, case in enumerate(CASES.values()):
        (tmp_path / f"{n}.tw").write_text(case.text)
    names = [f"{n}.tw" for n in range(len(CASES))]
    command = [sys.executable, "-m", "tilewright.cli", "check", *names]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=600)
    assert done.returncode == 1 and "Traceback" not in done.stderr and not done.stdout
    for name, case in zip(names, CASES.values(), strict=True):
        assert case.says.replace("<string>:", f"{name}:") in done.stderr


SAMPLED = [
    pytest.param(c, id=k, marks=() if n % 5 == 0 else pytest.mark.full) for n, (k, c) in enumerate(CASES.items())
]


@pytest.mark.parametrize("case", SAMPLED)
def test_other_commands_raise_nothing_else(case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "wrong.tw").write_text(case.text)
    for command in ("fmt --check", "doc", "show"):
        assert cli.main([*command.split(), str(tmp_path / "wrong.tw")]) in (0, 1)
    assert "Traceback" not in capsys.readouterr().err


@each_case
def test_python_raises_nothing_else(case: Case) -> None:
    """Some are wrong only for operands that the text of a stage does not choose."""
    try:
        for op in load_ops(case.text, "<op>", shared=ops.definitions).values():
            op.text("tensor")
    except UserError as e:
        assert e.message
    else:
        assert not isinstance(diagnostics(case.text)[0], SyntaxUserError)


def error_of(text: str) -> UserError:
    found = diagnostics(text)
    assert found, f"nothing wrong was found in\n{text}"
    return found[0]


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
