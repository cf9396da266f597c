"""Expansions of scalar operations: each means what the operation means, in operations the target has.

The C target compiles what comes out; the interpreter says what it should be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from fractions import Fraction
from importlib import import_module
from pkgutil import iter_modules
from random import Random
from typing import Any

import numpy as np
import pytest
from abi import run
from one_block import HERE, combinations, filled, operand_dtypes, pointwise

from tilewright.compiler.accuracy import ROUNDED
from tilewright.errors import UnsupportedError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.index import ge
from tilewright.ir.interpret import TYPED, run_plan
from tilewright.ir.interpret.rounding import FORMATS, fma
from tilewright.ir.loops import blocks
from tilewright.ir.plan import Plan
from tilewright.ir.scalar import Apply, Const, Expr, IndexValue, Param, Read, apply, convert, walk
from tilewright.ir.tensor import ScalarInput
from tilewright.ir.types import BF16, BY_NAME, F16, F32, F64, FIELD, I64, U16, U64, DType
from tilewright.ir.verify_loops import verify_plan
from tilewright.passes.legalise import legalise
from tilewright.passes.legalise import math as functions
from tilewright.passes.legalise.expand import EXPANSIONS, signature
from tilewright.targets.target import get_target
from tilewright.testing.compare import assert_same_bits

C = get_target("c")
ALL = C.capabilities

_SPARSE = {"fma", "min", "max", "isnan", "neg", "abs", "gt", "ge", "ne", "bitnot", "floor", "ceil", "trunc", "round"}


def _is_sparse(op: str, dtypes: str) -> bool:
    source, _, to = dtypes.partition(">")
    to_integer = to != "bool" and BY_NAME[source].is_float and to in BY_NAME and BY_NAME[to].is_integer
    return op in _SPARSE or (op == "cast" and ("bool" in (source, to) or to_integer))


SPARSE = Capabilities(0, frozenset(pair for pair in ALL.native if not _is_sparse(*pair)))
"""A target without everything that we can do without."""


def native_only(plan: Plan, capabilities: Capabilities) -> None:
    verify_plan(plan)
    for kernel in plan.kernels:
        for block, _ in blocks(kernel):
            for value in block.values:
                for node in walk(value):
                    assert not isinstance(node, Apply) or signature(node) in capabilities.native, node


def compiled(
    plan: Plan,
    inputs: Mapping[str, np.ndarray[Any, Any]],
    capabilities: Capabilities = ALL,
    scalars: Mapping[str, Any] | None = None,
) -> np.ndarray[Any, Any]:
    """The output of ``plan`` legalised for ``capabilities`` (a part of the C target's)."""
    legal = legalise(plan, capabilities)
    native_only(legal, capabilities)
    return run(legal, C.load(C.emit(legal), legal), inputs, scalars)[0]["y"]


def check(plan: Plan, inputs: Mapping[str, np.ndarray[Any, Any]], capabilities: Capabilities = ALL) -> None:
    expected = run_plan(plan, inputs, {}, TYPED)["y"]
    assert_same_bits(compiled(plan, inputs, capabilities), expected, plan.outputs[0].dtype)


def op(name: str, *dtypes: DType, result: DType | None = None) -> Plan:
    return pointwise(dtypes, lambda *a: Apply(name, a, result) if result else apply(name, *a))


# --- every expansion against the interpreter --------------------------------------------------

OPERATIONS = sorted(
    (name, dtype) for name, dtype in EXPANSIONS if name != "cast" and (dtype == "field" or name not in ROUNDED)
)
CASTS = sorted(dtypes for name, dtypes in EXPANSIONS if name == "cast")


@pytest.mark.parametrize("name", sorted({name for name, _ in OPERATIONS}))
def test_every_operation(name: str) -> None:
    for dtype in (d for n, d in OPERATIONS if n == name):
        dtypes = operand_dtypes(name, BY_NAME[dtype])
        check(op(name, *dtypes), combinations(dtypes, 500), SPARSE)


def test_every_function_is_found_in_its_file() -> None:
    tables = {m.name: import_module(f"{functions.__name__}.{m.name}") for m in iter_modules(functions.__path__)}
    found = {name: set(m.TABLE) for name, m in tables.items() if "TABLE" in vars(m)}
    said = {
        family: {(name, dtype) for name in names for dtype in ("f32", "f64")}
        for family, names in functions.FAMILIES.items()
    }
    assert found == said and set().union(*said.values()) <= set(EXPANSIONS)


@pytest.mark.parametrize("source", sorted({c.split(">")[0] for c in CASTS}))
def test_every_cast(source: str) -> None:
    for to in (c.split(">")[1] for c in CASTS if c.startswith(f"{source}>")):
        check(op("cast", BY_NAME[source], result=BY_NAME[to]), combinations((BY_NAME[source],), 500), SPARSE)


def test_what_cannot_be_expanded_is_refused_by_name() -> None:
    without = Capabilities(0, ALL.native - {("sqrt", "f64")})
    with pytest.raises(UnsupportedError, match="the target has no sqrt of f64"):
        legalise(op("sqrt", F64), without)
    with pytest.raises(UnsupportedError, match="the target has no cast of field>f32"):
        legalise(op("cast", FIELD, result=F32), ALL)
    with pytest.raises(UnsupportedError, match="the target has no mul of u64"):
        legalise(op("mul", FIELD, FIELD), Capabilities(0, ALL.native - {("mul", "u64")}))


# --- exp and log ------------------------------------------------------------------------------


def ulps(actual: np.ndarray[Any, Any], exact: np.ndarray[Any, Any]) -> float:
    """The largest error in units of the last place of the exact value, where that is finite in the format."""
    kind = actual.dtype
    top = np.finfo(kind).max
    finite = np.abs(exact) <= np.longdouble(top)
    unit = np.spacing(np.minimum(np.abs(exact[finite]).astype(kind), np.nextafter(top, kind.type(0))))
    return float(np.max(np.abs(actual[finite].astype(np.longdouble) - exact[finite]) / unit))


SPECIALS = [0.0, -0.0, math.inf, -math.inf, math.nan, 1.0, -1.0, 5e-324, 1e-45, 1e-40, 1e-310, 1e300, -1e300, 3.4e38]


def samples(dtype: DType, low: float, high: float, count: int) -> np.ndarray[Any, Any]:
    """Even in value, even in bit pattern around 0, and near the ends."""
    kind = np.dtype(dtype.name.replace("f", "float"))
    random = np.random.default_rng(7)
    patterns = random.integers(0, 2 ** (dtype.bits - 1), count // 4, dtype=np.uint64)
    small = patterns.astype(f"u{dtype.bytes}").view(kind)
    ends = [np.nextafter(kind.type(x), kind.type(y)) for x in (low, high) for y in (0, x, 2 * x)]
    with np.errstate(over="ignore"):
        special = np.array(SPECIALS).astype(kind)
    return np.concatenate([random.uniform(low, high, count).astype(kind), small, -small, np.array(ends, kind), special])


@pytest.mark.parametrize(
    "name, dtype, low, high, count, limit",
    [
        ("exp", F32, -104.5, 89.0, 600_000, 1.0),
        ("exp", F64, -746.0, 710.0, 100_000, 1.2),
        ("log", F32, 0.0, 4.0, 600_000, 1.0),
        ("log", F64, 0.0, 4.0, 100_000, 1.2),
    ],
)
def test_accuracy(name: str, dtype: DType, low: float, high: float, count: int, limit: float) -> None:
    x = samples(dtype, low, high, count)
    y = compiled(op(name, dtype), {"a": x})
    with np.errstate(all="ignore"):
        exact = getattr(np, name)(x.astype(np.longdouble))
        rounded = exact.astype(x.dtype)
    np.testing.assert_array_equal(np.isnan(y), np.isnan(x) | (x < 0 if name == "log" else False))
    assert ulps(y, exact) < limit
    over = np.isinf(rounded)
    np.testing.assert_array_equal(y[over], rounded[over])
    assert not np.isinf(y[~over]).any()


def test_exp_at_the_edges_of_the_formats() -> None:
    for dtype, low, top in ((F32, -103.972, 88.72283), (F64, -745.133, 709.782712893384)):
        x = filled(dtype, [low, low - 1, top, np.nextafter(filled(dtype, top), 1000) + 1e-4, 0.0, -0.0])
        y = compiled(op("exp", dtype), {"a": x})
        least = np.nextafter(filled(dtype, 0.0), filled(dtype, 1.0))
        assert y[0] == least and y[1] == 0.0 and np.isfinite(y[2]) and y[3] == math.inf
        assert (y[4:] == 1.0).all()


@pytest.mark.parametrize("name", ["exp", "log"])
@pytest.mark.parametrize("dtype", [F32, F64], ids=str)
def test_the_bits_do_not_depend_on_what_the_target_has(name: str, dtype: DType) -> None:
    x = samples(dtype, -20.0, 20.0, 150)
    plan = op(name, dtype)
    y = compiled(plan, {"a": x}, ALL)
    assert_same_bits(compiled(plan, {"a": x}, SPARSE), y)
    for capabilities in (ALL, SPARSE):
        assert_same_bits(run_plan(legalise(plan, capabilities), {"a": x}, {}, TYPED)["y"], y)


# --- fma --------------------------------------------------------------------------------------


def hard_triples(dtype: DType, count: int) -> list[tuple[float, float, float]]:
    """Cancellation, ties and near-ties, denormal operands and results, overflow, far apart exponents."""
    random, form = Random(3), FORMATS[dtype]
    digits, least, most = form.precision, form.last_place, form.emax

    def value(exponent: int) -> float:
        """About 2^exponent, with few or many digits."""
        short = random.choice((1, 2, 3, digits // 2, digits, digits))
        mantissa = random.getrandbits(short) | 1 << (short - 1)
        size = math.ldexp(mantissa, max(least, min(exponent, most)) - short + 1)
        return random.choice((1, -1)) * TYPED.constant(size, dtype)

    def triple() -> tuple[float, float, float]:
        a = value(random.choice((random.randint(least, most), random.randint(-20, 20))))
        product = random.choice((random.randint(-20, 20), random.randint(least - 3, least + 2 * digits), most + 1))
        b = value(product - math.frexp(a)[1] + 1)
        if random.random() < 0.2:
            c = -TYPED.constant(a * b, dtype)
            return a, b, c if math.isfinite(c) else 1.0
        apart = random.choice((0, 1, -1, digits, -digits, digits + 1, -digits - 1, random.randint(-200, 200)))
        return a, b, value(math.frexp(a)[1] + math.frexp(b)[1] + apart)

    return [triple() for _ in range(count)]


@pytest.mark.parametrize("dtype, count", [(F32, 100_000), (F64, 100_000)], ids=str)
def test_fma_is_exact(dtype: DType, count: int) -> None:
    triples = hard_triples(dtype, count)
    columns = [filled(dtype, column) for column in zip(*triples, strict=True)]
    y = compiled(op("fma", *[dtype] * 3), dict(zip("abc", columns, strict=True)), SPARSE)
    expected = filled(dtype, [fma(*t, FORMATS[dtype]) for t in triples])
    assert_same_bits(y, expected)
    assert 0.01 < np.mean(expected == 0) + np.mean(np.isinf(expected)) < 0.5
    if dtype is F64:
        plain = [i for i, t in enumerate(triples) if np.isfinite(expected[i]) and expected[i] and np.isfinite(t).all()]
        for i in plain[:20_000]:
            a, b, c = map(Fraction, triples[i])
            assert float(a * b + c) == y[i]


def test_fma_on_random_patterns_is_the_math_librarys() -> None:
    random = np.random.default_rng(2)
    for dtype in (F32, F64):
        kind = np.dtype(dtype.name.replace("f", "float"))
        columns = [
            random.integers(0, 2**dtype.bits, 200_000, dtype=np.uint64).astype(f"u{dtype.bytes}").view(kind)
            for _ in range(3)
        ]
        inputs = dict(zip("abc", columns, strict=True))
        plan = op("fma", dtype, dtype, dtype)
        assert_same_bits(compiled(plan, inputs, SPARSE), compiled(plan, inputs, ALL))


# --- f16 and bf16 -----------------------------------------------------------------------------


def midpoints(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """As f64: the values of a half format, the points between neighbours, and what lies just beside those."""
    last = 2 * values[-1] - values[-2]
    points = np.concatenate([values, (values[1:] + values[:-1]) / 2, [(values[-1] + last) / 2, last, 1e300, np.inf]])
    beside = np.concatenate([points, np.nextafter(points, 0), np.nextafter(points, np.inf)])
    return np.concatenate([beside, -beside, [np.nan]])


def nearest(values: np.ndarray[Any, Any], x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The pattern nearest to each ``x``, ties to even; ``values`` are those of patterns 0, 1, ... up to the largest."""
    ladder = np.append(values, 2 * values[-1] - values[-2])
    size = np.minimum(np.abs(x), ladder[-1])
    below = np.minimum(np.searchsorted(ladder, size, side="right") - 1, len(values) - 1)
    middle = (ladder[below] + ladder[below + 1]) / 2
    up = (size > middle) | ((size == middle) & (below % 2 == 1))
    return np.where(np.isnan(x), 0x7FFF, below + up + np.where(np.signbit(x), 0x8000, 0)).astype(np.uint16)


def f16_values(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return bits.view(np.float16).astype(np.float32)


def bf16_values(bits: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return (bits.astype(np.uint32) << 16).view(np.float32)


HALVES = {F16: f16_values, BF16: bf16_values}


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_all_halves_widen(half: DType) -> None:
    bits = np.arange(0x10000, dtype=np.uint32).astype(np.uint16)
    given = bits.view(np.float16) if half is F16 else bits
    for to in (F32, F64):
        y = compiled(op("cast", half, result=to), {"a": given})
        with np.errstate(invalid="ignore"):
            assert_same_bits(y, HALVES[half](bits).astype(y.dtype))


@pytest.mark.parametrize("half", HALVES, ids=str)
@pytest.mark.parametrize("source", [F32, F64], ids=str)
def test_halves_are_rounded_once(half: DType, source: DType) -> None:
    infinity = {F16: 0x7C00, BF16: 0x7F80}[half]
    values = HALVES[half](np.arange(infinity, dtype=np.uint16)).astype(np.float64)
    x = midpoints(values)
    if source is F32:
        with np.errstate(over="ignore"):
            x = x.astype(np.float32).astype(np.float64)
    y = compiled(op("cast", source, result=half), {"a": filled(source, x)})
    assert_same_bits(y.view(np.uint16).view(y.dtype), nearest(values, x).view(y.dtype), half)


@pytest.mark.parametrize("source", [I64, U64], ids=str)
def test_large_integers_are_rounded_once_to_halves(source: DType) -> None:
    """Ties of bf16, and what differs from them in the last of 63 bits."""
    low, high = 257 << 54, 259 << 54
    x = filled(source, [low, low + 1, low - 1, high, high - 1])
    y = compiled(op("cast", source, result=BF16), {"a": x})
    assert (y.view(np.uint16) - ((127 + 62) << 7)).tolist() == [0, 1, 0, 2, 1]


@pytest.mark.parametrize("half", HALVES, ids=str)
def test_nan_stays_nan_in_halves(half: DType) -> None:
    x = np.array([0x7F800001, 0xFF800001, 0x7FC00000, 0x7FFFFFFF], np.uint32).view(np.float32)
    y = compiled(op("cast", F32, result=half), {"a": x})
    assert np.isnan(HALVES[half](y.view(np.uint16))).all()


def test_integers_carry_what_the_target_does_not_know() -> None:
    def value(a: Expr, b: Expr) -> Expr:
        half = Const(0.1, F16)
        guarded = Read("a", (HERE - 1,), F16, (ge(HERE, 1),), half)
        value = apply("where", apply("eq", b, Const(0.5, FIELD)), convert("cast", half, F32), convert("cast", a, F32))
        less = apply("lt", convert("cast", a, F32), convert("cast", Param("s", BF16), F32))
        return convert("cast", apply("where", less, convert("cast", guarded, F32), value), F16)

    plan = pointwise([F16, FIELD], value, scalars=[ScalarInput("s", BF16)])
    legal = legalise(plan, ALL)
    (kernel,) = legal.kernels
    assert [b.dtype for b in kernel.buffers] == [U16, U64, U16]
    assert [s.dtype for s in kernel.scalars] == [U16]
    assert (legal.inputs, legal.outputs, legal.scalars) == (plan.inputs, plan.outputs, plan.scalars)
    a = np.array([-1.0, 2.0, 3.0, -4.0, 5.0], np.float16)
    half_cell = ((1073741789 + 1) // 2) << 32 | (2147483579 + 1) // 2
    b = np.array([0, half_cell, 1, 2, half_cell], np.uint64)
    y = compiled(plan, {"a": a, "b": b}, ALL, {"s": np.uint16(0x3FC0)})
    np.testing.assert_array_equal(y, np.array([0.1, 0.1, 3.0, 3.0, 0.1], np.float16))


def test_a_native_half_stays() -> None:
    native = Capabilities(0, ALL.native | {("cast", "f16>f32"), ("cast", "f32>f16"), ("bitcast", "f16")})
    (kernel,) = legalise(op("cast", F16, result=F64), native).kernels
    assert [b.dtype for b in kernel.buffers] == [F16, F64]


# --- bits -------------------------------------------------------------------------------------


def test_bits_are_philox() -> None:
    """The known answers that the generator's authors publish for counter and key 0, and ours for others."""
    i = np.arange(8)
    zeros = np.zeros(8, np.uint64)
    y = compiled(op("bits", U64, U64, I64), {"a": zeros, "b": zeros, "c": i})
    assert [hex(w) for w in y[:4]] == ["0x6627e8d5", "0xe169c58d", "0xbc57ac4c", "0x9b00dbd8"]
    assert y.dtype == np.uint32
    later = compiled(op("bits", U64, U64, I64), {"a": zeros[:4], "b": zeros[:4] + np.uint64(1), "c": i[:4]})
    np.testing.assert_array_equal(later, y[4:])


def test_bits_of_an_index_and_run_time_scalars() -> None:
    plan = pointwise(
        [F32], lambda a: apply("bits", Param("seed", U64), Param("offset", U64), IndexValue(HERE)),
        scalars=[ScalarInput("seed", U64), ScalarInput("offset", U64)],
    )  # fmt: skip
    given = {"seed": np.uint64(0xDEADBEEF12345678), "offset": np.uint64(2**64 - 2)}
    x = {"a": np.zeros(41, np.float32)}
    assert_same_bits(compiled(plan, x, ALL, given), run_plan(plan, x, given, TYPED)["y"])


# --- the field --------------------------------------------------------------------------------


def test_field_identities_on_random_cells() -> None:
    random = np.random.default_rng(11)
    p, q = (random.integers(0, m, (2, 2000), dtype=np.uint64) for m in (2147483579, 1073741789))
    inputs = dict(zip("ab", q << np.uint64(32) | p, strict=True))

    def equal(make: Callable[[Expr, Expr], tuple[Expr, Expr]]) -> None:
        left = compiled(pointwise([FIELD, FIELD], lambda a, b: make(a, b)[0]), inputs)
        right = compiled(pointwise([FIELD, FIELD], lambda a, b: make(a, b)[1]), inputs)
        np.testing.assert_array_equal(left, right)
        assert len(np.unique(left)) > 1900

    equal(lambda a, b: (apply("mul", apply("div", a, b), b), a))
    equal(lambda a, b: (apply("exp", apply("add", a, b)), apply("mul", apply("exp", a), apply("exp", b))))
    equal(lambda a, b: (apply("sub", apply("add", a, b), a), b))


def test_run_time_floats_enter_the_field_as_their_literals_do() -> None:
    values = [0.0, -0.0, 0.1, -2.5, 1e300, 5e-324, -1e-310, 123456789.25, -math.inf, math.inf, math.nan]
    cast = compiled(op("cast", F64, result=FIELD), {"a": np.array(values)})
    for value, cell in zip(values, cast, strict=True):
        literal = compiled(pointwise([F64], lambda a, v=value: Const(v, FIELD)), {"a": np.zeros(1)})  # type: ignore[misc]
        assert cell == literal[0]


# --- sharing ----------------------------------------------------------------------------------


def test_shared_expressions_stay_shared() -> None:
    def size(depth: int) -> int:
        def value(a: Expr) -> Expr:
            for _ in range(depth):
                a = apply("fma", apply("exp", a), a, a)
            return a

        (kernel,) = legalise(pointwise([F64], value), SPARSE).kernels
        ((block, _),) = blocks(kernel)
        return len(list(walk(block.values[0])))

    once, twice, thrice = map(size, (1, 2, 3))
    assert twice - once == pytest.approx(thrice - twice, rel=0.01)
    assert thrice < 40_000
