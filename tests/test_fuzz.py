"""Bytes into every parser: a result or a diagnostic, whatever they are."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from fuzz.campaign import Report, reduced, run
from fuzz.subjects import SUBJECTS, judged

import tilewright as tw
from tilewright.dsl.check import check
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.dsl.parse_loops import parse_condition, parse_index, parse_kernel, parse_plan
from tilewright.dsl.parse_pipeline import parse_pipeline
from tilewright.errors import SyntaxUserError, UserError
from tilewright.ir.text_loops import print_kernel, print_plan
from tilewright.passes.loops import PASSES

BY_NAME = {s.name: s for s in SUBJECTS}
SHARDS = 10


def explained(report: Report) -> str:
    return "\n".join(f"{f.subject}: {f.problem}\n    {reduced(f, 100)!r}" for f in report.failures[:3])


@pytest.mark.parametrize("shard", range(SHARDS))
def test_two_thousand_spoilt_texts(shard: int) -> None:
    report = run(f"ci/{shard}", 2_000)
    assert not report.failures, explained(report)
    assert report.inputs == 2_000
    accepted = sum(n for outcome, n in report.outcomes.items() if "accepted" in outcome)
    assert accepted > 100 and len(report.kinds) > 150


def test_every_text_of_a_corpus_is_understood() -> None:
    for subject in SUBJECTS:
        for text in subject.corpus():
            assert judged(subject, text.encode()) == "accepted", (subject.name, text)


def test_a_parser_that_raises_is_found_and_reduced(monkeypatch: pytest.MonkeyPatch) -> None:
    """The harness itself: an error that is no diagnostic is a failure."""

    def broken(text: str, *rest: object) -> object:
        if "%" in text:
            raise KeyError("percent")
        return parse_index(text)

    monkeypatch.setattr("fuzz.subjects.parse_index", broken)
    report = run("broken", 400)
    others = [f for f in report.failures if f.subject != "index" or b"%" not in f.data]
    assert report.failures and not others, others
    assert "KeyError" in report.failures[0].problem
    assert reduced(report.failures[0]) == b"%"


# --- what it found ------------------------------------------------------------------------------

HEADER = "op f(x: f32[N], *, n: int = 1) -> y: f32[N]:\n"
KERNEL = "kernel k():\n    register x: f32[1] strides [4]\n"
DIMS = ", ".join(f"N{n}" for n in range(20))
SUMS = f"op f(x: f32[N], z: f32[{DIMS}]) -> y: f32[N]:\n"
FOUND = {
    "a name of 6000 digits": ("index", "9" * 6000, "this number is too long"),
    "a coefficient of 6000 digits": ("index", "*".join(["9" * 49] * 120), "more than 64 bits"),
    "an index that grows": ("index", "*".join(f"(a{n} + b{n})" for n in range(64)), "too large when it is multiplied"),
    "a product of many": ("index", "*".join("abc"[n % 3] for n in range(9000)), "too large when it is multiplied"),
    "pow2 of a negative number": ("index", "pow2(3 - 4)", "pow2(-1) has no value"),
    "pow2 of a large number": ("index", "pow2(1000000000000)", "pow2(1000000000000) has no value"),
    "ctz of zero": ("index", "ctz(0*n)", "ctz(0) has no value"),
    "a literal that does not fit": ("kernel", KERNEL + "    block b:\n        x[0] = 999:i8\n", "does not fit i8"),
    "an escape that is none": ("plan", 'plan p:\n    check 1 >= N: "\\q"\n', "this is no string: Invalid \\escape"),
    "lanes beyond the chunk": ("language", HEADER + "    y[i] = sum[k: N @ 4 x 8](x[k])\n", "8 lanes of chunks of 4"),
    "lanes of no power": ("tensor", HEADER + "    y[i] = sum[k: N @ 96 x 6](x[k])\n", "6 lanes of chunks of 96"),
    "lanes of 6000 digits": ("format", HEADER + f"    y[i] = sum[k: N @ 4 x {'9' * 6000}](x[k])\n", "fits no dtype"),
    "an extent over an axis": ("language", HEADER + "    y[i] = sum[k: i](x[k])\n", "unknown dim or attribute 'i'"),
    "a scalar called like a dim": (
        "language", HEADER.replace("n: int = 1", "N: scalar f32") + "    y[i] = N\n", "the name N is taken",
    ),
    "an accumulator called like a literal": (
        "language", HEADER + "    y[i] = fold[k: N](inf = 0.0 -> x[k]; (o) -> o)\n", "the name inf is taken",
    ),
    "two accumulators of one name": (
        "language", HEADER + "    y[i] = fold[k: N](v = 0.0, v = 1.0 -> x[k], v; (a, b) -> a, b)\n",
        "two accumulators or others have the same name",
    ),
    "an index of 180 signs": (
        "language", f"op f(x: f32[N], k: i64[N]) -> y: f32[N]:\n    y[{'-' * 180}k[i]] += x[i]\n", "accepted",
    ),
    "a dim called like a literal": ("tensor", HEADER.replace("N", "nan") + "    y[i] = 0\n", "the name nan is taken"),
    "two values for one": ("language", HEADER + "    y[i: pow2(1, 2)] = x[0]\n", "pow2 takes one value, not 2"),
    "an index of 80 bits": ("language", HEADER + f"    y[i] = (x[i*{1 << 80}] else 0)\n", "more than 64 bits"),
    "a product of sums": (
        "language", SUMS + f"    y[i] = (x[{'*'.join(f'(i + N{n})' for n in range(20))}] else 0)\n", "too large when",
    ),
    "an else at the end": ("language", HEADER + "    if n:\n        y[i] = 0\n    else:", "the block ends too early"),
}  # fmt: skip


@pytest.mark.parametrize("what", FOUND)
def test_what_the_fuzzer_found(what: str) -> None:
    name, text, message = FOUND[what]
    outcome = judged(BY_NAME[name], text.encode())
    assert message in outcome


def test_names_that_look_like_signs_read_back() -> None:
    assert judged(BY_NAME["condition"], b"`+ -` - 1 >= N") == "accepted"


@pytest.mark.parametrize(
    "index", ["i64(i)", "i64(min(i, N - 1) // 2)", "u8(1)", "u8(250) + u8(8)", "i64(u8(1))", "T(i)"]
)
def test_casts_of_indices_are_indices_or_values(index: str) -> None:
    text = f"op f[T: int](x: T[N]) -> y: T[N]:\n    y[i] = (x[{index}] else 0)\n"
    assert judged(BY_NAME["language"], text.encode()) == "accepted"


@pytest.mark.parametrize(("data", "place"), [(b"\xff\xfe", "1:1"), ("op f(\n  # é".encode() + b"\xc3", "2:6")])
def test_files_that_are_not_utf8(tmp_path: Path, data: bytes, place: str) -> None:
    file = tmp_path / "wrong.tw"
    file.write_bytes(data)
    with pytest.raises(SyntaxUserError) as e:
        tw.load(file)
    assert str(e.value).startswith(
        f"{file}:{place}: syntax error: the byte 0x{data[-1 if len(data) > 2 else 0]:02x} is"
    )


# --- a hundred thousand of everything -----------------------------------------------------------

MANY = 100_000
OP = "op f(x: f32[N]) -> y: f32[N]:\n"
DEEP = {
    "language": (parse, OP + "    y[i] = {}x[i]{}\n"),
    "kernel": (parse_kernel, KERNEL + "    block b:\n        x[0] = {}x[0]{}\n"),
    "kernel index": (parse_kernel, KERNEL + "    block b:\n        x[{}0{}] = x[0]\n"),
    "plan": (parse_plan, "plan p:\n    symbol n = {}dim(x,0){}\n"),
    "index": (parse_index, "{}i{}"),
    "condition": (parse_condition, "{}i{} >= 0"),
    "pipeline": (lambda t: parse_pipeline(t, PASSES), "split{{loop=i given=[({}K{} == 0)]}}"),
}
AROUND = {
    "parentheses": ("(", ")"),
    "open": ("(", ""),
    "brackets": ("[", "]"),
    "signs": ("-", ""),
    "calls": ("exp(", ")"),
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("grammar", DEEP)
def test_deep_nesting_is_a_diagnostic(grammar: str, around: str) -> None:
    read, template = DEEP[grammar]
    start, end = AROUND[around]
    with pytest.raises(UserError) as e:
        read(template.format(start * MANY, end * MANY))
    assert len(str(e.value)) < 1_000


@pytest.mark.parametrize("grammar", ["kernel", "plan", "index", "condition", "language"])
def test_nesting_up_to_the_limit_is_understood(grammar: str) -> None:
    read, template = DEEP[grammar]
    assert read(template.format("(" * 190, ")" * 190)) is not None


LONG = {
    "language": (parse, OP, "    t{}[i] = x[i]\n"),
    "format": (format, OP, "    t{}[i] = x[i]\n"),
    "kernel": (parse_kernel, KERNEL, "    block b{}:\n        x[0] = 1.0:f32\n"),
    "print": (lambda t: print_kernel(parse_kernel(t)), KERNEL, "    block b{}:\n        x[0] = 1.0:f32\n"),
    "plan": (parse_plan, "plan p:\n", "    run k{} tasks 1 chunk 1\n"),
    "symbols": (lambda t: print_plan(parse_plan(t)), "plan p:\n", "    symbol n{} = dim(x,0)\n"),
    "index": (parse_index, "0", " + a{}"),
    "minimum": (lambda t: parse_index(t + ")"), "min(0", ", a{}"),
    "condition": (lambda t: parse_condition(t + " >= 0"), "0", " + a{}"),
    "pipeline": (lambda t: parse_pipeline(t, PASSES), "simplify", ",vectorize{{loop=i{}}}"),
}


def grown(grammar: str, count: int) -> float:
    """Seconds of processor time that ``count`` statements take."""
    read, start, line = LONG[grammar]
    text = start + "".join(line.format(n) for n in range(count))
    before = time.process_time()
    assert read(text)
    return time.process_time() - before


@pytest.mark.parametrize("grammar", LONG)
def test_five_thousand_statements_are_understood(grammar: str) -> None:
    assert grown(grammar, 5_000) < 12


@pytest.mark.full
@pytest.mark.parametrize("grammar", LONG)
def test_a_hundred_thousand_statements_are_understood(grammar: str) -> None:
    assert grown(grammar, MANY) < 60


def test_checking_is_linear_in_the_statements() -> None:
    """No table is copied for each statement: the number of statements times a constant, within 60 s for 100,000."""
    module = parse(OP + "".join(f"    t{n}[i] = x[i]\n" for n in range(2_000)) + "    y[i] = x[i]\n")
    before = time.process_time()
    assert not check(module).diagnostics
    assert time.process_time() - before < 10
