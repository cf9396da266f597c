"""Each parser with texts that it understands, and what must hold of any bytes at all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

import hypothesis
from hypothesis import HealthCheck, Phase

import tilewright
from tilewright.compiler.definition import load_ops
from tilewright.compiler.optimise import LOOP_PASSES, TENSOR_PASSES
from tilewright.dsl.calls import in_module
from tilewright.dsl.check import check, variants
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.dsl.parse_loops import parse_condition, parse_index, parse_kernel, parse_plan
from tilewright.dsl.parse_pipeline import parse_pipeline
from tilewright.dsl.signature import signature
from tilewright.dsl.specialise import specialise
from tilewright.dsl.text import decode
from tilewright.errors import InternalError, UserError, VerifyError
from tilewright.ir.text_loops import print_kernel, print_plan
from tilewright.ir.text_scalar import condition_text, index_text
from tilewright.ir.text_tensor import print_function
from tilewright.ir.verify_loops import verify_kernel, verify_plan
from tilewright.ir.verify_tensor import verify
from tilewright.passes.lower import lower
from tilewright.passes.pipeline import Pipeline
from tilewright.testing.programs import functions

OPS = Path(tilewright.__file__).parent / "stdlib" / "ops"
EDITION = (OPS / "matmul.tw").read_text()
LANGUAGE = (
    "op f[T: number](x: T[N, M]?, s: T[..., N], a: f32[N], *, p: scalar f32, n: int = 2, b: bool = true,"
    " r: float = 0.5) -> y: T[..., N]:\n    where N >= 2 and N % 2 == 0\n"
    "    if b and not x:\n        y[..., j] = s[..., N - 1 - j]\n"
    "    else:\n        t: f32[N]\n        t[j] = f32(a[0]) * r\n        y[..., j] = s[..., j] + T(t[j // n])\n",
    "op g(x: f32[N, M], i: i32[K]) -> y: f32[N], z: i64[N], w: f32[M]:\n"
    "    (y, z)[n] = fold[m](v = lowest(f32), k = 0 <- x[n, m], m; (u, l) -> where(u > v, u, v), where(u > v, l, k))\n"
    "    w[i[k]] += (x[0, index(min(k, M - 1))] else -inf) * 2.0 for k: K\n",
    "op h(x: u32[N], seed: u64[]) -> y: f32[N], c: f32[N]:\n    u[i] = bits(seed[], 0, linear(i)) ^ x[i] << 3 & ~x[i]\n"
    "    y[i] = (y[i - 1] else 1.0) * uniform(seed[], 1, i) + bitcast(f32, u[i])\n"
    "    c[i] = scan[i @ 4](a: f32 = 0 -> a + (y[i + 1] else 0) / -y[i]; (o) -> a + o)\n",
    "op k(x: f32[pow2(3) + 8], i: i64[2*N + 1], j: i8[N]) -> y: f32[N]:\n"
    "    y[n] = sum[m: 4 @ 2 x 2]((x[ctz(pow2(m + 1))] else 0) * f32(j[n] % 4))"
    " + where(any[q: 3](x[q] != nan), 1, f32(i[2*n]))\n",
    'edition 1\nop p[T: number](x: T[A..., H, B...], w: T[B...]?, *, m: "a" | "b c" = "b c", k: int[2] = (1, -2), '
    'q: float[1] = 0.5,\n    z: scalar T = 1) -> y: T[A..., B...] if m == "a" and k[1] < 0 else T[1, A..., B...] if w '
    "else T[A..., H, B...]:\n"
    '    if m == "a" and k[1] < k[0]:\n        y[a..., b...] = (x[a..., k[0], b...] else z)\n'
    "    elif w: y[i: 1, a..., b...] = (x[a..., i + k[0] * 2, b...] else T(0))\n    else:\n        y = flip(x, A=0)\n"
    "op flip[T: any](x: T[A..., R, B...]) -> y: T[A..., R, B...]:\n    y[a..., i, b...] = x[a..., R - 1 - i, b...]\n",
    "op s(a: f32[M, K], b: f32[K, N], *, n: int = 2, f: bool = false) -> c: f32[M, N]:\n"
    "    c[i, j] = sum[k](a[i, k] * b[k, j])\n"
    "schedule s for cpu when bytes(b) > 1MiB or stride(a, i) % 64 == 0 and not f:\n"
    "    io, i = split(i, 8); ko, k, kr = split(k, 64, tail=cut)\n    reorder(io, i, j); parallel(io); unroll(k)\n"
    "schedule s.c for c: ij = fuse(i, j); decompose_reduction(c, k)\n"
    "schedule contraction(i, j, k; a, b, c) for cpu when extent(j) >= 2*8: vectorize(j)\n",
)
PIPELINE = (
    "split{loop=j factor=16 tail=cut names=[jo, j] given=[((K % 8) == 0), (N >= M + 1)]}",
    'simplify,reorder{loops=[i, k]},vectorize{loop="j\'"}',
    "set-order{unit_axes=[[x, 1], [y, -1]]},form-fma,inline,eliminate-dead",
    'tidy,clip{loop=j},differentiate{wrt=[x, "w"]},unroll{loop=k},parallel{loop=i}',
)
INDICES = (
    "i + 16*(j // 4) - (N % 7)", "min(4096, C - 4096*c)", "pow2(k)*2 + ctz(n + 1)", "dim(x,0)*stride(x,1)", "`a.b` - 1",
)  # fmt: skip


@dataclass(frozen=True)
class Subject:
    """A parser: texts to spoil, and what is done with any text. ``judge`` says ``accepted`` or raises."""

    name: str
    corpus: Callable[[], list[str]]
    judge: Callable[[str], str]
    share: int


def judged(subject: Subject, data: bytes) -> str:
    """What became of ``data``: ``accepted``, or ``kind: message`` of the diagnostic. Anything else is raised."""
    try:
        return subject.judge(decode(data, "<fuzz>"))
    except UserError as e:
        _require_good_diagnostic(e, data)
        return f"{type(e).__name__}: {e.message}"


def _require_good_diagnostic(e: UserError, data: bytes) -> None:
    """It renders, is not endless, and points into the text."""
    assert e.message and len(e.render()) < 3_000 + 4 * len(data), f"a diagnostic of {len(e.render())} characters"
    if e.span is not None:
        lines = e.span.source.text.split("\n")
        assert 1 <= e.span.line <= len(lines), f"line {e.span.line} of {len(lines)}"
        assert 1 <= e.span.column <= len(lines[e.span.line - 1]) + 2, f"column {e.span.column}"


# --- what must hold -----------------------------------------------------------------------------


def _language(text: str) -> str:
    """It parses, is checked, and what it specialises to reads back."""
    module = parse(text)
    report = check(module)
    assert report.render()
    for diagnostic in report.diagnostics:
        _require_good_diagnostic(diagnostic, text.encode())
    if report.diagnostics:
        first = report.diagnostics[0]
        return f"{type(first).__name__}: {first.message}"
    for op in module.ops:
        for v in islice(variants(signature(op)), 2):
            f = specialise(op, v.dtypes, v.packs, v.attributes, v.present, in_module(module))
            verify(f)
            assert _tensor(print_function(f))
    return "accepted"


def _tensor(text: str) -> str:
    """Canonical text gives the function that it was printed from."""
    for op in parse(text).ops:
        f = specialise(op)
        verify(f)
        again = print_function(f)
        assert print_function(specialise(parse(again).ops[0])) == again
    return "accepted"


def _format(text: str) -> str:
    """The layout is a fixed point and keeps the meaning."""
    formatted = format(text)
    assert parse(formatted) == parse(text)
    assert format(formatted) == formatted
    return "accepted"


def _kernel(text: str) -> str:
    found = parse_kernel(text)
    _printed_back(found, print_kernel, parse_kernel)
    return _verified(lambda: verify_kernel(found))


def _plan(text: str) -> str:
    found = parse_plan(text)
    _printed_back(found, print_plan, parse_plan)
    return _verified(lambda: verify_plan(found))


def _printed_back(found: object, write: Callable[..., str], read: Callable[..., object]) -> None:
    """A block that has not as many values as writes has no text."""
    try:
        text = write(found)
    except InternalError as e:
        assert "not as many" in e.message
        return
    assert read(text) == found


def _verified(run: Callable[[], None]) -> str:
    try:
        run()
    except VerifyError as e:
        return f"accepted, but [{e.rule}]"
    return "accepted"


def _index(text: str) -> str:
    found = parse_index(text)
    assert parse_index(index_text(found)) is found
    return "accepted"


def _condition(text: str) -> str:
    found = parse_condition(text)
    assert parse_condition(condition_text(found)) is found
    return "accepted"


def _pipeline(text: str) -> str:
    passes = parse_pipeline(text, {**TENSOR_PASSES, **LOOP_PASSES})
    again = parse_pipeline(str(Pipeline(passes)), {**TENSOR_PASSES, **LOOP_PASSES})
    assert str(Pipeline(again)) == str(Pipeline(passes))
    return "accepted"


# --- texts to begin with ------------------------------------------------------------------------


@cache
def programs(count: int = 40) -> tuple[str, ...]:
    """Canonical texts of random programs, the same every time."""
    found: list[str] = []
    examples = hypothesis.settings(
        max_examples=count, phases=[Phase.generate], database=None, deadline=None, derandomize=True,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip

    @examples
    @hypothesis.given(functions(statements=2))
    def collect(f: object) -> None:
        found.append(print_function(f))  # type: ignore[arg-type]

    collect()
    return tuple(sorted(set(found), key=len)[: count * 2 // 3])


def _sources() -> list[str]:
    return [p.read_text() for p in sorted(OPS.glob("*.tw"))]


def _canonical() -> list[str]:
    ops = [next(iter(load_ops(s, "<corpus>").values())) for s in _sources()]
    return [*(op.text("tensor") for op in ops), *programs()]


@cache
def plans() -> tuple[str, ...]:
    """Lowered programs, scheduled ops, shortest first."""
    lowered = []
    for text in (t for t in _canonical() if len(t) < 500):
        f = specialise(parse(text).ops[0])
        lowered.append(print_plan(lower(f, {t.name: len(t.shape) - 1 for t in f.inputs})))
    scheduled = [next(iter(load_ops(s, "<corpus>").values())).text("loops") for s in _sources()]
    return tuple(sorted((p for p in lowered + scheduled if len(p) < 5_000), key=len)[:40])


def _kernels() -> list[str]:
    found = []
    for text in plans():
        found += [print_kernel(k) for k in parse_plan(text).kernels]
    return [k for k in found if len(k) < 3_000]


SUBJECTS = (
    Subject("language", lambda: [*_sources(), *LANGUAGE, *programs()], _language, 4),
    Subject("tensor", _canonical, _tensor, 3),
    Subject("format", lambda: [*_sources(), *LANGUAGE, *programs(), EDITION + "# end"], _format, 2),
    Subject("kernel", _kernels, _kernel, 2),
    Subject("plan", lambda: list(plans()), _plan, 2),
    Subject("index", lambda: list(INDICES), _index, 2),
    Subject("condition", lambda: [f"{i} >= N" for i in INDICES] + ["2*i == j"], _condition, 2),
    Subject("pipeline", lambda: list(PIPELINE), _pipeline, 3),
)
