"""From .tw text to tensor IR and back: the seven probe ops, each construct, random programs, the formatter."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import tilewright
from tilewright.dsl import syntax as ast
from tilewright.dsl.check import check
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.dsl.signature import OperandInfo, bind, signature
from tilewright.dsl.specialise import specialise
from tilewright.errors import CheckError
from tilewright.ir import types
from tilewright.ir.interpret import TYPED, run_function
from tilewright.ir.tensor import Function, Scan, Steps
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import BF16, BOOL, F16, F32, F64, FIELD, I8, I32, I64, U8, U64, DType
from tilewright.ir.verify_tensor import verify
from tilewright.testing.programs import functions

OPS = Path(tilewright.__file__).parent / "stdlib" / "ops"
SEVEN = ("matmul", "softmax", "conv2d", "embedding", "cumsum", "argmax", "dropout")


def source(name: str) -> str:
    return (OPS / f"{name}.tw").read_text()


def load(name: str) -> ast.Op:
    return parse(source(name), f"{name}.tw").op(name)


def canonical(text: str, dtypes: Mapping[str, DType] | None = None, **choices: object) -> str:
    """The canonical text of the only op in ``text``, which is verified and read back."""
    f = specialise(parse(text).ops[0], dtypes, **choices)  # type: ignore[arg-type]
    return read_back(f)


def read_back(f: Function) -> str:
    verify(f)
    text = print_function(f)
    assert specialise(parse(text).ops[0]) == f, text
    return text


def statement(line: str, header: str = "x: f32[N, M], z: f32[M], idx: i32[N], *, p: scalar f64") -> list[str]:
    """The canonical statements that ``line`` becomes, in an op whose result is y: f32[N]."""
    body = "".join(f"    {part}\n" for part in line.split("\n"))
    text = canonical(f"op f({header}) -> y: f32[N]:\n{body}")
    return [part.strip() for part in text.splitlines()[1:]]


# --- the seven ------------------------------------------------------------------------------

GOLDEN = {
    "matmul": """\
op matmul(a: f32[_0, M, K], b: f32[_0, K, N]) -> c: f32[_0, M, N]:
    c[i0: _0, i: M, j: N] = fold[k: K](acc: f32 = 0.0 -> acc + a[i0, i, k] * b[i0, k, j]; (other) -> acc + other)
""",
    "softmax": """\
op softmax(x: f32[_0, C]) -> y: f32[_0, C]:
    m[i0: _0] = fold[c: C](acc: f32 = -inf -> max(acc, x[i0, c]); (other) -> max(acc, other))
    e[i0: _0, c: C] = exp(x[i0, c] - m[i0])
    s[i0: _0] = fold[c: C](acc: f32 = 0.0 -> acc + e[i0, c]; (other) -> acc + other)
    y[i0: _0, c: C] = e[i0, c] / s[i0]
""",
    "conv2d": """\
op conv2d(x: f32[N, D, H, W], w: f32[O, C, R, S], b: f32[O]) -> y: f32[N, O, H - R + 3, -S + W + 3]:
    where D == C
    where R >= 1
    where H + 2 >= R
    where S >= 1
    where W + 2 >= S
    a[n: N, o: O, p: H - R + 3, q: -S + W + 3] = fold[c: C, r: R, s: S](acc: f32 = 0.0 -> \
acc + (x[n, c, p + r - 1, q + s - 1] else 0.0) * w[o, c, r, s]; (other) -> acc + other)
    y[n: N, o: O, p: H - R + 3, q: -S + W + 3] = a[n, o, p, q] + b[o]
""",
    "embedding": """\
op embedding(w: f32[V, D], idx: i32[_0]) -> y: f32[_0, D]:
    y[i0: _0, d: D] = w[idx[i0], d]
""",
    "cumsum": """\
op cumsum(x: f32[_0, C]) -> y: f32[_0, C]:
    y[i0: _0, c: C] = scan[c @ 256](acc: f32 = 0.0 -> acc + x[i0, c]; (other) -> acc + other)
""",
    "argmax": """\
op argmax(x: f32[A0, R0]) -> p: i64[A0]:
    where R0 >= 1
    (p_value, p)[a0: A0] = fold[r0: R0](value: f32 = -inf, at: i64 = 0 -> \
where(x[a0, r0] > value or x[a0, r0] == value and r0 < at or x[a0, r0] != x[a0, r0] and (value == value or r0 < at), \
x[a0, r0], value), \
where(x[a0, r0] > value or x[a0, r0] == value and r0 < at or x[a0, r0] != x[a0, r0] and (value == value or r0 < at), \
r0, at); \
(other, there) -> \
where(other > value or other == value and there < at or other != other and (value == value or there < at), \
other, value), \
where(other > value or other == value and there < at or other != other and (value == value or there < at), there, at))
""",
    "dropout": """\
op dropout(x: f32[_0], *, p: scalar f32, seed: scalar u64, offset: scalar u64) -> y: f32[_0]:
    keep[i0: _0] = f32(bits(seed, offset, i0) >> 8) * 5.960464477539063e-08 >= p
    y[i0: _0] = where(keep[i0], x[i0] * (1.0 / (1.0 - p)), 0.0)
""",
}


@pytest.mark.parametrize("name", SEVEN)
def test_canonical_text(name: str) -> None:
    op = load(name)
    dtypes = {v: F32 if v == "T" else I32 for v in signature(op).variables}
    attributes = {"padding": (1, 1)} if name == "conv2d" else {}
    assert read_back(specialise(op, dtypes, {"": 1, "A": 1, "R": 1}, attributes)) == GOLDEN[name]


@pytest.mark.parametrize("name", SEVEN)
@pytest.mark.parametrize("rank", [0, 1, 3])
@pytest.mark.parametrize("dtype", [F16, BF16, F64, FIELD, I8, U64, BOOL], ids=str)
def test_every_dtype_and_rank_reads_back(name: str, rank: int, dtype: DType) -> None:
    op, packs = load(name), {"": rank, "A": rank, "R": 1}
    sig = signature(op)
    if dtype not in sig.variables["T"]:
        with pytest.raises(CheckError, match=f"T cannot be {dtype}"):
            specialise(op, {"T": dtype, "I": I64}, packs)
        return
    for present in ((), ("b",)):
        read_back(specialise(op, {"T": dtype, "I": I64}, packs, present=present))


def test_checking_the_seven() -> None:
    found = {name: check(parse(source(name))) for name in SEVEN}
    assert not any(r.diagnostics for r in found.values())
    assert {name: r.preconditions[name] for name, r in found.items() if r.preconditions[name]} == {
        "conv2d": ("D == C", "R >= 1", "H >= R", "S >= 1", "W >= S"),
        "argmax": ("R0 >= 1", "R0*R1 >= 1"),
    }


@pytest.mark.parametrize("name", SEVEN)
def test_the_sources_are_in_canonical_layout(name: str) -> None:
    assert format(source(name)) == source(name)


def test_half_precision_is_widened_where_read_and_rounded_where_stored() -> None:
    f = specialise(load("softmax"), {"T": F16}, {"": 0})
    assert print_function(f) == (
        "op softmax(x: f16[C]) -> y: f16[C]:\n"
        "    m[] = fold[c: C](acc: f32 = -inf -> max(acc, f32(x[c])); (other) -> max(acc, other))\n"
        "    e[c: C] = exp(f32(x[c]) - m[])\n"
        "    s[] = fold[c: C](acc: f32 = 0.0 -> acc + e[c]; (other) -> acc + other)\n"
        "    y[c: C] = f16(e[c] / s[])\n"
    )
    assert [f.tensor(n).dtype for n in ("m", "e", "s", "y")] == [F32, F32, F32, F16]


def test_strides_are_constants_and_absent_operands_vanish() -> None:
    f = specialise(load("conv2d"), {"T": F32}, attributes={"stride": (2, 2), "padding": (1, 1)}, present=())
    assert [t.name for t in f.inputs] == ["x", "w"]
    assert "x[n, c, p*2 + r - 1, q*2 + s - 1] else 0.0" in read_back(f)


def test_pack_names_may_be_given_and_never_collide() -> None:
    op = parse("op f(x: f32[..., _0], y: f32[i0]) -> z: f32[..., _0]:\n    z[..., c] = x[..., c]\n").ops[0]
    assert print_function(specialise(op, packs={"": 1})).splitlines()[1] == "    z[i_0: __0, c: _0] = x[i_0, c]"
    assert "z[i_0: R, c: _0]" in print_function(specialise(op, packs={"": ["R"]}))


def test_named_packs() -> None:
    text = (
        "op f(x: f32[a..., R], z: f32[R, b...]) -> y: f32[b..., a...]:\n"
        "    y[b..., a...] = sum[r](x[a..., r] * z[r, b...])\n"
    )
    assert canonical(text, packs={"a": 2, "b": 1}) == (
        "op f(x: f32[a0, a1, R], z: f32[R, b0]) -> y: f32[b0, a0, a1]:\n"
        "    y[i_b0: b0, i_a0: a0, i_a1: a1] = fold[r: R](acc: f32 = 0.0 -> acc + x[i_a0, i_a1, r] * z[r, i_b0];"
        " (other) -> acc + other)\n"
    )


# --- constructs -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("y[i] = x[i, 0] + 1", ["where M >= 1", "y[i: N] = x[i, 0] + 1.0"]),
        ("y[i] = -x[i, 0] * -2", ["where M >= 1", "y[i: N] = -x[i, 0] * -2.0"]),
        ("where M >= 3\ny[i] = x[i, 2]", ["where M >= 3", "y[i: N] = x[i, 2]"]),
        ("y[i] = x[i, i]", None),
        (
            "where M >= 1\ny[i] = x[N - 1 - i, min(i, M - 1)]",
            ["where M >= 1", "y[i: N] = x[N - i - 1, min(M - 1, i)]"],
        ),
        ("y[i] = (x[i + 1, 0] else inf)", ["y[i: N] = (x[i + 1, 0] else inf)"]),
        ("y[i] = f32(i) * f32(p)", ["y[i: N] = f32(i) * f32(p)"]),
        ("y[i] = f32(i * 2 + N)", ["y[i: N] = f32(i * 2 + N)"]),
        ("y[i] = f32(linear(i) + index(i*N))", ["y[i: N] = f32(i + index(N*i))"]),
        ("y[i] = f32(bitcast(i32, z[idx[i]]) >> 3 & 7)", ["y[i: N] = f32(bitcast(i32, z[idx[i]]) >> 3 & 7)"]),
        ("y[i] = where(not (idx[i] < 2) or true, 1, 0)", ["y[i: N] = where(not idx[i] < 2 or true, f32(1.0), 0.0)"]),
        ("y[i] = fma(2, z[idx[i] % 2], 1 / 3)", ["y[i: N] = fma(2.0, z[idx[i] % 2], f32(1.0) / 3.0)"]),
        (
            "h[i: N] = f16(i)\ny[i] = h[i] + 1",
            ["h[i: N] = f16(i)", "y[i: N] = f32(h[i]) + 1.0"],
        ),
        (
            "y[i] = (y[i - 2] else 1) * z[0]",
            ["where M >= 1", "for i: N:", "y[i] = (y[i - 2] else 1.0) * z[0]"],
        ),
        (
            "y[i] = max(z[0], (y[i - 1] else -inf))",
            [
                "where M >= 1",
                "y[i: N] = scan[i @ 256](acc: f32 = -inf -> max(z[0], acc); (other) -> max(other, acc))",
            ],
        ),
        ("y[i] = (y[i - 1] else 1) + 2", ["for i: N:", "y[i] = (y[i - 1] else 1.0) + 2.0"]),
        (
            "y[i] = x[i, 0] / sum[k](x[i, k]) - max[k](z[k])",
            [
                "where M >= 1",
                "y_sum[i: N] = fold[k: M](acc: f32 = 0.0 -> acc + x[i, k]; (other) -> acc + other)",
                "y_max[] = fold[k: M](acc: f32 = -inf -> max(acc, z[k]); (other) -> max(acc, other))",
                "y[i: N] = x[i, 0] / y_sum[i] - y_max[]",
            ],
        ),
        (
            "y[i] = f32(any[k](x[i, k] > 0))",
            [
                "y_any[i: N] = fold[k: M](acc: bool = false -> acc or x[i, k] > 0.0; (other) -> acc or other)",
                "y[i: N] = f32(y_any[i])",
            ],
        ),
        (
            "y[i] = fold[k @ 8 x 4](n: f64 = 0 -> n + f64(x[i, k]); (o) -> n + o)",
            None,
        ),
        (
            "y[i] = fold[k @ 8 x 4](n = 0 -> n + x[i, k]; (o) -> n + o)",
            ["y[i: N] = fold[k: M @ 8 x 4](n: f32 = 0.0 -> n + x[i, k]; (o) -> n + o)"],
        ),
        (
            "y[i] = fold[k](n = 0 -> n * 2 + x[i, k])",
            ["y[i: N] = fold[k: M](n: f32 = 0.0 -> n * 2.0 + x[i, k])"],
        ),
        ("y[idx[n]] += x[n, m]", ["y[idx[n]] += x[n, m] for n: N, m: M"]),
        ("y[n] += z[m] for m, n", ["y[n] += z[m] for m: M, n: N"]),
        ("y[n] += z[m] for m: M, n: N", ["y[n] += z[m] for m: M, n: N"]),
        (
            "h: f64[M, 2]\nh[m, 1] += p for m\ny[i] = f32(h[0, 1])",
            ["where M >= 1", "h: f64[M, 2]", "h[m, 1] += p for m: M", "y[i: N] = f32(h[0, 1])"],
        ),
    ],
)
def test_statements(line: str, expected: list[str] | None) -> None:
    if expected is None:
        with pytest.raises(CheckError):
            statement(line)
    else:
        assert statement(line) == expected


def test_a_recurrence_becomes_a_scan_only_if_it_is_one() -> None:
    scan, strict = (
        specialise(parse(f"op f(x: i32[N]) -> y: i32[N]:\n    y[i] = {value}\n").ops[0])
        for value in ("(y[i - 1] else 1) * x[i]", "(y[i - 1] else 0) * x[i]")
    )
    assert isinstance(scan.computes[0].scan, Scan) and scan.body == scan.computes
    (along,) = strict.body
    assert isinstance(along, Steps) and along.axes == strict.computes[0].axes and strict.computes[0].scan is None


def test_a_scatter_into_half_precision_is_summed_in_single() -> None:
    text = "op f(x: f16[N], i: i32[N], z: f16[M]) -> y: f16[M]:\n    y[i[n]] += x[n]\n"
    assert canonical(text).splitlines()[1:] == [
        "    y_sum: f32[M]",
        "    y_sum[i[n]] += f32(x[n]) for n: N",
        "    y[i0: M] = f16(y_sum[i0])",
    ]


def test_ranges_flow_back_from_where_an_intermediate_is_read() -> None:
    text = "op f(x: f32[N]) -> y: f32[N + 2]:\n    a[i] = (x[i - 1] else 0)\n    y[i] = a[i]\n"
    assert canonical(text).splitlines()[1:] == [
        "    a[i: N + 2] = (x[i - 1] else 0.0)",
        "    y[i: N + 2] = a[i]",
    ]


NAMED: dict[str, tuple[str, list[int]]] = {
    "sum": ("i32", [0, 5, 3]),
    "prod": ("i32", [1, 5, -120]),
    "min": ("i32", [2**31 - 1, 5, -6]),
    "max": ("i32", [-(2**31), 5, 5]),
    "any": ("bool", [False, True, True]),
    "all": ("bool", [True, True, False]),
}


@pytest.mark.parametrize("name", NAMED)
def test_named_reductions(name: str) -> None:
    """Of nothing, of one value and of several."""
    dtype, wanted = NAMED[name]
    f = specialise(parse(f"op f(x: {dtype}[N]) -> y: {dtype}[]:\n    y[] = {name}[i](x[i])\n").ops[0])
    values = ([], [5], [5, -6, 2, 0] if dtype == "bool" else [5, -6, 4])
    for x, y in zip(values, wanted, strict=True):
        assert run_function(f, {"x": np.array(x, bool if dtype == "bool" else np.int32)}, {}, TYPED)["y"] == y


def test_bounds_become_preconditions() -> None:
    text = "op f(x: f32[N], w: f32[K]) -> y: f32[N - K + 1]:\n    y[i] = sum[k](x[i + k] * w[k]) + x[K + 2]\n"
    f = specialise(parse(text).ops[0])
    assert [str(c) for c in f.preconditions] == ["N + 1 >= K", "N >= K + 3"]


def test_static_conditions() -> None:
    text = (
        "op f(x: f32[N], b: f32[N]?, *, on: bool = false) -> y: f32[N]:\n"
        "    if b and not on: y[i] = b[i]\n    else:\n        if on: y[i] = x[i]\n        else: y[i] = 0\n"
    )
    op = parse(text).ops[0]
    for on, present, value in ((False, ("b",), "b[i]"), (True, ("b",), "x[i]"), (False, (), "f32(0.0)")):
        found = print_function(specialise(op, attributes={"on": on}, present=present)).splitlines()[-1]
        assert found == f"    y[i: N] = {value.replace('f32(0.0)', '0.0')}"


def test_equal_trees_do_not_depend_on_layout() -> None:
    a = parse("op f(x: f32[N]) -> y: f32[N]:\n    y[i] = (x[i] + 1)\n")
    b = parse("\n\n  op f(x : f32[N])\n      -> y: f32[N]: # why\n\n    y[i]=(x[\n    i]+1)")
    assert a.ops == b.ops and a.ops[0].body[0].span.line == 2 and b.ops[0].body[0].span.line == 6


def test_signature_and_bind() -> None:
    sig = signature(load("conv2d"))
    assert [str(o) for o in sig.operands] == ["x: T[N, D, H, W]", "w: T[O, C, R, S]", "b: T[O]?"]
    wanted = {"stride": (1, 1), "padding": (0, 0), "dilation": (1, 1), "groups": 1}
    assert sig.attributes == wanted and sig.results == ("y",) and sig.scalars == {}
    assert signature(load("dropout")).scalars == {"p": "f32", "seed": "u64", "offset": "u64"}
    assert signature(load("embedding")).operands[1] == OperandInfo("idx", "I", False, ("...",), ("",))
    assert bind(load("embedding"), {"w": (BF16, 2), "idx": (I64, 3)}) == ({"T": BF16, "I": I64}, {"": 3}, frozenset())
    operands = {"x": (F32, 4), "w": (F32, 4), "b": (F32, 1)}
    assert bind(load("conv2d"), operands, {"padding": (2, 2)}) == ({"T": F32}, {}, frozenset({"b"}))


# --- properties -----------------------------------------------------------------------------

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
WIDE = tuple(t for t in types.ALL if t is not U8)


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(st.one_of(functions(), functions(dtypes=WIDE)))
def test_random_programs_read_back(f: Function) -> None:
    read_back(f)


@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
@given(functions(), st.randoms(use_true_random=False))
def test_formatting_keeps_the_meaning_and_is_final(f: Function, random: Random) -> None:
    text = "# first\n" + _shaken(print_function(f), random) + "  # last\n"
    once = format(text)
    assert format(once) == once and parse(once).ops == parse(text).ops
    assert once.count("#") == text.count("#")


def _shaken(text: str, random: Random) -> str:
    """``text`` with spaces, breaks in brackets and comments added at random."""
    pick = random.random
    out, depth = [], 0
    for c in text:
        depth += (c in "([") - (c in ")]")
        if c == "," and pick() < 0.2:
            c = " ,"
        elif c == " " and depth and pick() < 0.1:
            c = "  \n \n" if pick() < 0.7 else " # note\n   "
        elif c == "\n" and pick() < 0.3:
            c = "  # end\n" if pick() < 0.5 else "\n\n\n"
        out.append(c)
    return "".join(out)


def test_layout_in_full() -> None:
    untidy = (
        "\n\n# about\nedition   1\n# about f\n"
        "op   f [ T :float]( x:T[ ... ,C]  ,*,n:int=- 1)->y:T[... ,C] :   # trailing\n"
        "\n  # first\n"
        "  y[...,c: C]  =  ( x[ ...,c-1] else -2.0e-3)*-3 +2 *  x[...,c]\n\n\n  # second\n\n"
        "  where (C) >=1   and C<5\n  # last\n"
        "op g(x: f32[N]) -> y: f32[]:\n"
        "  if   x:\n      y[] = sum[i]( # why\n        x[i]+\n  1)\n  else: y[]=~ 1\n"
    )
    assert format(untidy) == (
        "# about\nedition 1\n\n# about f\n"
        "op f[T: float](x: T[..., C], *, n: int = -1) -> y: T[..., C]:  # trailing\n"
        "    # first\n"
        "    y[..., c: C] = (x[..., c - 1] else -2.0e-3)*-3 + 2 * x[..., c]\n\n"
        "    # second\n\n"
        "    where (C) >= 1 and C < 5\n"
        "    # last\n\n"
        "op g(x: f32[N]) -> y: f32[]:\n"
        "    if x:\n"
        "        y[] = sum[i](  # why\n"
        "            x[i] +\n"
        "            1)\n"
        "    else: y[] = ~1\n"
    )


def test_the_remainder_of_floats_is_a_function() -> None:
    op = "op f[T: number](x: T[N]) -> y: T[N]:\n    y[i] = x[i] % 2\n"
    assert "y[i: N] = remainder(x[i], 2.0)" in canonical(op, {"T": F32})
    assert "y[i: N] = x[i] % 2" in canonical(op, {"T": I32})
