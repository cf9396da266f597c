"""The meaning of scalar operations and tensor-IR functions, against NumPy and values worked out by hand."""

from __future__ import annotations

import math
import struct
from random import Random

import ml_dtypes
import numpy as np
import pytest
from hand_built import (
    Axis,
    Compute,
    Const,
    Function,
    IndexValue,
    N,
    Order,
    Param,
    Read,
    Reduction,
    ScalarInput,
    Steps,
    Tensor,
    Var,
    apply,
    argmax,
    call,
    conv1d,
    convert,
    cumsum,
    dropout,
    embedding,
    expression,
    i,
    j,
    literal,
    matmul,
    read,
    recurrence,
    reduced,
    scatter_add,
    softmax,
    summed,
)
from hypothesis import given
from hypothesis import strategies as st

from tilewright.errors import CallError, CallTypeError, InternalError, KernelIndexError
from tilewright.ir import index as ix
from tilewright.ir.index import symbol
from tilewright.ir.interpret import EXACT, FLOAT64, TYPED, IndexFault, evaluate, holds, run_function
from tilewright.ir.interpret.philox import philox4x32
from tilewright.ir.types import BF16, F16, F32, F64, I8, I32, I64, U8, U16, U32, U64, DType
from tilewright.testing.compare import assert_close, assert_same_bits, random_inputs, ulp_distance

RNG = np.random.default_rng(7)


def f32(*shape: int) -> np.ndarray:
    return RNG.normal(size=shape).astype(np.float32)


def value_of(e: object, domain: object = TYPED, **scalars: object) -> object:
    declared = tuple(ScalarInput(n, t) for n, t in SCALARS.items() if n in scalars)
    out = run_function(expression(e, scalars=declared), {}, scalars, domain)["y"]  # type: ignore[arg-type]
    return out.item()


SCALARS = {"seed": U64, "offset": U64, "x": F32}


# --- scalars ----------------------------------------------------------------------------------

NUMPY_INTS = {I8: np.int8, I32: np.int32, I64: np.int64, U8: np.uint8, U16: np.uint16, U64: np.uint64}


@given(st.sampled_from(sorted(NUMPY_INTS, key=str)), st.integers(), st.integers())
def test_integer_arithmetic_wraps_as_numpys(dtype: DType, a: int, b: int) -> None:
    kind = NUMPY_INTS[dtype]
    a, b = (TYPED.constant(v, dtype) for v in (a, b))
    x, y = np.array([a], kind), np.array([b], kind)
    with np.errstate(all="ignore"):
        wanted = {
            "add": x + y,
            "sub": x - y,
            "mul": x * y,
            "bitand": x & y,
            "bitor": x | y,
            "bitxor": x ^ y,
            "floordiv": x // y,
            "mod": x % y,
            "neg": np.negative(x),
            "abs": np.abs(x),
            "bitnot": ~x,
        }
    for op, w in wanted.items():
        operands = (a,) if op in ("neg", "abs", "bitnot") else (a, b)
        assert TYPED.operation(op, [dtype] * len(operands), dtype)(*operands) == w.item(), op


@pytest.mark.parametrize(
    ("op", "dtype", "a", "b", "wanted"),
    [
        ("floordiv", I32, -7, 2, -4),
        ("mod", I32, -7, 2, 1),
        ("mod", I32, 7, -2, -1),
        ("floordiv", I32, 5, 0, 0),
        ("mod", I32, 5, 0, 0),
        ("floordiv", I8, -128, -1, -128),
        ("mod", I8, -128, -1, 0),
        ("shl", I8, 1, 7, -128),
        ("shl", I8, 1, 8, 0),
        ("shl", I8, 1, -1, 0),
        ("shr", I8, -128, 3, -16),
        ("shr", I8, -128, 8, -1),
        ("shr", I8, 127, 99, 0),
        ("shr", I8, -1, -1, -1),
        ("shr", U8, 255, 8, 0),
        ("shr", U8, 255, 7, 1),
        ("shl", U32, 0x80000001, 1, 2),
    ],
)
def test_integer_corners(op: str, dtype: DType, a: int, b: int, wanted: int) -> None:
    assert value_of(call(op, literal(a, dtype), literal(b, dtype))) == wanted


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("op", "a", "b", "wanted"),
    [
        ("min", NAN, 1.0, NAN),
        ("min", 1.0, NAN, NAN),
        ("max", NAN, 1.0, NAN),
        ("max", 1.0, NAN, NAN),
        ("min", 0.0, -0.0, 0.0),
        ("min", -0.0, 0.0, -0.0),
        ("max", -0.0, 0.0, -0.0),
        ("max", 0.0, -0.0, 0.0),
        ("div", 1.0, 0.0, INF),
        ("div", 1.0, -0.0, -INF),
        ("div", -1.0, 0.0, -INF),
        ("div", 0.0, 0.0, NAN),
        ("lt", NAN, NAN, False),
        ("ge", NAN, NAN, False),
        ("eq", NAN, NAN, False),
        ("ne", NAN, NAN, True),
        ("add", -0.0, -0.0, -0.0),
        ("mul", 3e38, 10.0, INF),
        ("add", 16777216.0, 1.0, 16777216.0),
    ],
)
def test_float_corners(op: str, a: float, b: float, wanted: float) -> None:
    got = value_of(call(op, literal(a, F32), literal(b, F32)))
    assert struct.pack("<d", got) == struct.pack("<d", wanted) or (math.isnan(got) and math.isnan(wanted))


@pytest.mark.parametrize(
    ("op", "x", "wanted"),
    [
        ("exp", 1000.0, INF),
        ("exp", -INF, 0.0),
        ("log", 0.0, -INF),
        ("log", -0.0, -INF),
        ("log", INF, INF),
        ("sqrt", INF, INF),
        ("exp", 1.0, float(np.float32(math.e))),
    ],
)
def test_math_corners(op: str, x: float, wanted: float) -> None:
    assert value_of(call(op, literal(x, F32))) == wanted


def test_math_outside_of_its_domain_is_nan() -> None:
    assert all(math.isnan(value_of(call(op, literal(-1.0, F32)))) for op in ("log", "sqrt"))
    assert struct.pack("<d", value_of(call("sqrt", literal(-0.0, F32)))) == struct.pack("<d", -0.0)


def test_rounding_depends_on_the_domain() -> None:
    tenth = literal(0.1, F32)
    assert value_of(tenth) == float(np.float32(0.1))
    assert value_of(tenth, FLOAT64) == 0.1
    num, den = (0.1).as_integer_ratio()
    first, second = (10 * num * pow(den, -1, prime) % prime for prime in (2147483579, 1073741789))
    assert value_of(call("mul", tenth, literal(10, F32)), EXACT) == second << 32 | first


def test_casts_and_bitcasts() -> None:
    assert value_of(convert("bitcast", literal(1.0, F32), U32)) == 0x3F800000
    assert value_of(convert("bitcast", literal(0x7F800000, U32), F32)) == INF
    assert value_of(convert("bitcast", literal(-1, I64), U64)) == 2**64 - 1
    assert value_of(convert("bitcast", literal(1.0 + 2**-30, F32), U32), FLOAT64) == 0x3F800000
    assert value_of(convert("cast", literal(300, I32), U8)) == 44
    assert value_of(convert("cast", literal(2**24 + 1, I32), F32)) == 2.0**24
    assert value_of(convert("cast", convert("cast", literal(2049.0, F32), F16), F32)) == 2048.0
    assert value_of(convert("cast", convert("cast", literal(2049.0, F32), F16), F32), FLOAT64) == 2049.0


def test_operations_on_wrong_types_are_refused() -> None:
    wrong = {"add": [F16, F16], "mul": [F32, F64], "div": [I32, I32], "exp": [I32], "nope": [F32]}
    for op, operands in wrong.items():
        with pytest.raises(InternalError, match=f"no {op} on"):
            TYPED.operation(op, operands, F32)
    with pytest.raises(InternalError, match="stored as i32"):
        TYPED.store(F32, I32)


def test_where_evaluates_both_sides_and_keeps_one() -> None:
    zero, x = literal(0.0, F32), Param("x", F32)
    guarded = call("where", call("eq", x, zero), zero, call("div", literal(1.0, F32), x))
    assert value_of(guarded, x=0.0) == 0.0 and value_of(guarded, x=4.0) == 0.25


def test_a_shared_subexpression_is_evaluated_once() -> None:
    e = literal(1, I64)
    for _ in range(200):  # 2**200 evaluations, were it not so
        e = call("add", e, e)
    assert value_of(e) == 0


def test_deep_expressions_do_not_exhaust_the_stack() -> None:
    e = literal(0, I64)
    for n in range(20000):
        e = call("add", e, literal(n, I64))
    assert value_of(e) == 20000 * 19999 // 2


def test_philox_known_answers() -> None:
    ones = 0xFFFFFFFF
    assert philox4x32((0, 0, 0, 0), (0, 0)) == (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)
    assert philox4x32((ones,) * 4, (ones,) * 2) == (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)
    pi = (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344)
    assert philox4x32(pi, (0xA4093822, 0x299F31D0)) == (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1)


def test_bits_takes_word_and_counter_from_the_index() -> None:
    seed, offset = 0x299F31D0_A4093822, 0x1_0000_0005
    words = philox4x32((7, 1, 0, 0), (0xA4093822, 0x299F31D0))
    for word in range(4):
        e = call("bits", Param("seed", U64), Param("offset", U64), IndexValue(ix.const(8 + word)))
        assert value_of(e, seed=seed, offset=offset) == words[word]


# --- indices ----------------------------------------------------------------------------------


@given(st.integers(-50, 50), st.integers(-7, 7).filter(bool), st.integers(0, 8))
def test_index_expressions_floor(a: int, d: int, e: int) -> None:
    x, y, z = symbol("x"), symbol("y"), symbol("z")
    env = {"x": a, "y": d, "z": e}
    assert evaluate((3 * x + 1) // y + 2 * x * y, env) == (3 * a + 1) // d + 2 * a * d
    assert evaluate((3 * x + 1) % y, env) == (3 * a + 1) % d
    assert evaluate(ix.minimum(x, y, 3) - ix.maximum(x * y, z), env) == min(a, d, 3) - max(a * d, e)
    assert evaluate(ix.pow2(z) + ix.ctz(z + 8), env) == 2**e + [3, 0, 1, 0, 2, 0, 1, 0, 4][e]
    assert (holds(ix.ge(x, y), env), holds(ix.eq(x, y), env), holds(ix.lt(x, y), env)) == (a >= d, a == d, a < d)


def test_undefined_index_expressions_are_refused() -> None:
    x = symbol("x")
    for e, message in (
        (ix.const(1) // x, "division by 0"),
        (ix.ctz(x), "not defined for 0"),
        (ix.pow2(x - 1), "not defined for -1"),
        (symbol("q") + 1, "q has no value"),
    ):
        with pytest.raises(InternalError, match=message):
            evaluate(e, {"x": 0})


# --- functions --------------------------------------------------------------------------------


def test_matmul_accumulates_in_order_and_rounds_each_step() -> None:
    a, b = f32(3, 5), f32(5, 2)
    wanted = np.zeros((3, 2), np.float32)
    for k in range(5):
        wanted += a[:, k : k + 1] * b[k : k + 1]
    assert_same_bits(run_function(matmul(), {"a": a, "b": b}, {}, TYPED)["c"], wanted)
    assert_close(run_function(matmul(), {"a": a, "b": b}, {}, FLOAT64)["c"], a.astype(np.float64) @ b, F64, rtol=1e-12)


def test_matmul_of_field_elements_is_modular() -> None:
    inputs = random_inputs(matmul(), {"M": 2, "N": 3, "K": 4}, EXACT, Random(1))
    c = run_function(matmul(), inputs, {}, EXACT)["c"]
    for shift, prime in ((0, 2147483579), (32, 1073741789)):
        a, b = ((inputs[n] >> np.uint64(shift) & np.uint64(0xFFFFFFFF)).astype(object) for n in "ab")
        assert ((c >> np.uint64(shift) & np.uint64(0xFFFFFFFF)).astype(object) == (a @ b) % prime).all()


def test_half_types_accumulate_in_f32_and_round_once() -> None:
    for dtype, numpy in ((F16, np.float16), (BF16, ml_dtypes.bfloat16)):
        a, b = f32(2, 40).astype(numpy), f32(40, 2).astype(numpy)
        wanted = np.zeros((2, 2), np.float32)
        for k in range(40):
            wanted += a[:, k : k + 1].astype(np.float32) * b[k : k + 1].astype(np.float32)
        got = run_function(matmul(dtype), {"a": a, "b": b}, {}, TYPED)["c"]
        assert_same_bits(got, wanted.astype(numpy), dtype)


def test_bf16_inputs_may_be_bit_patterns() -> None:
    a, b = f32(2, 3).astype(ml_dtypes.bfloat16), f32(3, 2).astype(ml_dtypes.bfloat16)
    as_bits = {"a": a.view(np.uint16), "b": b.view(np.uint16)}
    for domain in (TYPED, FLOAT64, EXACT):
        assert_same_bits(
            run_function(matmul(BF16), {"a": a, "b": b}, {}, domain)["c"],
            run_function(matmul(BF16), as_bits, {}, domain)["c"],
        )


def test_softmax() -> None:
    x = f32(3, 7)
    e = np.exp(x.astype(np.float64) - x.max(1, keepdims=True))
    wanted = e / e.sum(1, keepdims=True)
    assert_close(run_function(softmax(), {"x": x}, {}, FLOAT64)["y"], wanted, F64, rtol=1e-14)
    assert_close(run_function(softmax(), {"x": x}, {}, TYPED)["y"], wanted.astype(np.float32), F32, ulps=4)


def test_softmax_sums_to_one_in_the_field() -> None:
    inputs = random_inputs(softmax(), {"M": 2, "N": 5}, EXACT, Random(3))
    y = run_function(softmax(), inputs, {}, EXACT)["y"]
    assert ((y & np.uint64(0xFFFFFFFF)).astype(object).sum(1) % 2147483579 == 1).all()


@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1), (3, 2)])
def test_conv_reads_zero_outside(stride: int, pad: int) -> None:
    x, w = f32(9), f32(3)
    padded = np.pad(x, pad).astype(np.float64)
    wanted = np.array([padded[p : p + 3] @ w for p in range(0, len(padded) - 2, stride)])
    assert_close(run_function(conv1d(stride, pad), {"x": x, "w": w}, {}, FLOAT64)["y"], wanted, F64, rtol=1e-12)


def test_preconditions_and_shapes_are_checked() -> None:
    with pytest.raises(CallError, match=r"conv1d requires N >= K"):
        run_function(conv1d(1, 0), {"x": f32(2), "w": f32(3)}, {}, TYPED)
    with pytest.raises(CallError, match=r"'b' has the shape \(4, 2\), not \(5, 2\)"):
        run_function(matmul(), {"a": f32(3, 5), "b": f32(4, 2)}, {}, TYPED)
    with pytest.raises(CallError, match="'a' has 1 dims, not 2"):
        run_function(matmul(), {"a": f32(3), "b": f32(4, 2)}, {}, TYPED)
    with pytest.raises(CallError, match="input 'b' is missing"):
        run_function(matmul(), {"a": f32(3, 5)}, {}, TYPED)
    with pytest.raises(CallError, match="no scalar 'p'"):
        run_function(matmul(), {"a": f32(1, 1), "b": f32(1, 1)}, {"p": 1.0}, TYPED)
    with pytest.raises(CallTypeError, match="float64 stands for one of f32"):
        run_function(matmul(), {"a": np.ones((1, 1)), "b": f32(1, 1)}, {}, TYPED)


def test_embedding_gathers_bits() -> None:
    w, idx = f32(6, 3), np.array([5, 0, 0, 3])
    w[0, 0], w[3, 1] = -0.0, np.nan
    assert_same_bits(run_function(embedding(), {"w": w, "idx": idx}, {}, TYPED)["y"], w[idx])


def test_the_lowest_index_out_of_range_is_raised() -> None:
    with pytest.raises(KernelIndexError, match="the index -1 at position 2 of 'idx'") as e:
        run_function(embedding(), {"w": f32(6, 3), "idx": np.array([5, 0, -1, 6])}, {}, TYPED)
    assert isinstance(e.value, IndexFault) and (e.value.operand, e.value.position, e.value.value) == (1, 2, -1)


def test_an_index_read_by_way_of_another_is_blamed_on_the_innermost() -> None:
    idx, sel, x, y = (
        Tensor(n, t, (symbol(d),))
        for n, t, d in (("idx", I64, "A"), ("sel", I32, "N"), ("x", F32, "M"), ("y", F32, "N"))
    )
    body = Compute((y,), (Axis("i", N),), (read(x, read(idx, read(sel, i))),))
    f = Function("chain", (idx, sel, x), (), (body,), ("y",))
    inputs = {"idx": np.array([0, 5]), "sel": np.int32([0, 0, 1]), "x": np.float32([3, 4])}
    with pytest.raises(IndexFault) as e:
        run_function(f, inputs, {}, TYPED)
    assert (e.value.operand, e.value.position, e.value.value) == (1, 2, 5)


def test_a_computed_index_is_numbered_after_the_inputs() -> None:
    x, y, h = Tensor("x", I64, (N,)), Tensor("y", I64, (N,)), Tensor("h", I64, (N,))
    body = (
        Compute((h,), (Axis("i", N),), (apply("mul", read(x, i), literal(2, I64)),)),
        Compute((y,), (Axis("i", N),), (read(x, read(h, i)),)),
    )
    with pytest.raises(IndexFault, match="the index 6 at position 1 of 'h'") as e:
        run_function(Function("f", (x,), (), body, ("y",)), {"x": np.array([0, 3, 1])}, {}, TYPED)
    assert e.value.operand == 1


def test_a_guarded_gather_takes_its_other_value_instead() -> None:
    idx, x, y = Tensor("idx", I64, (N,)), Tensor("x", F32, (symbol("M"),)), Tensor("y", F32, (N,))
    body = Compute((y,), (Axis("i", N),), (read(x, read(idx, i), otherwise=Const(-9.0, F32)),))
    f = Function("gather", (idx, x), (), (body,), ("y",))
    got = run_function(f, {"idx": np.array([1, -100, 2]), "x": np.float32([5, 6])}, {}, TYPED)["y"]
    assert got.tolist() == [6.0, -9.0, -9.0]


def test_scatter_adds_in_row_major_order() -> None:
    like, idx = np.zeros(3, np.float32), np.array([1, 1, 2, 1, 1])
    dy = np.float32([1e8, 1, 5, -1e8, 1])
    got = run_function(scatter_add(), {"dy": dy, "idx": idx, "like": like}, {}, TYPED)["y"]
    assert got.tolist() == [0.0, 1.0, 5.0]
    with pytest.raises(IndexFault, match="index 3 at position 0 of 'idx'") as e:
        run_function(scatter_add(), {"dy": dy[:1], "idx": np.array([3]), "like": like}, {}, TYPED)
    assert e.value.operand == 1


def test_scatter_into_a_half_type_rounds_at_the_end() -> None:
    dy, like = np.full(4096, 1, np.float16), np.zeros(1, np.float16)
    got = run_function(scatter_add(F16), {"dy": dy, "idx": np.zeros(4096, np.int64), "like": like}, {}, TYPED)["y"]
    assert got.tolist() == [4096.0]  # adding 1 in f16 stops at 2048


def test_recurrence() -> None:
    got = run_function(recurrence(), {"x": np.arange(5)}, {}, TYPED)["y"]
    assert got.tolist() == [2, 3, 2 * 2 + 2, 2 * 3 + 3, 2 * 6 + 4]


def test_a_recurrence_runs_along_its_axis_first() -> None:
    y = Tensor("y", I64, (symbol("A"), symbol("B")))
    x = Tensor("x", I64, (symbol("A"), symbol("B")))
    value = apply("add", read(y, i + 1, j - 1, otherwise=literal(0, I64)), read(x, i, j))
    body = Compute((y,), (Axis("i", symbol("A")), Axis("j", symbol("B"))), (value,))
    along = Steps(body.axes[1:], (body,))
    got = run_function(Function("diagonal", (x,), (), (along,), ("y",)), {"x": np.arange(6).reshape(2, 3)}, {}, TYPED)
    assert got["y"].tolist() == [[0, 1 + 3, 2 + 4], [3, 4, 5]]
    with pytest.raises(InternalError, match=r"y\[1, 0\] is read before it is computed"):
        run_function(Function("diagonal", (x,), (), (body,), ("y",)), {"x": np.ones((2, 3), np.int64)}, {}, TYPED)


@pytest.mark.parametrize("order", [Order(), Order(4, 1), Order(2, 1)])
def test_argmax_takes_the_first(order: Order) -> None:
    x = np.float32([[1, 3, 3, 2, 3, 0], [5, -1, 5, 5, 5, 5], [-1, -2, -3, -4, 0, 0]])
    assert run_function(argmax(order), {"x": x}, {}, TYPED)["p"].tolist() == [1, 0, 4]


def test_argmax_with_lanes_prefers_the_lower_lane() -> None:
    x = np.float32([[0, 7, 7, 0]])
    assert run_function(argmax(Order(4, 2)), {"x": x}, {}, TYPED)["p"].tolist() == [2]
    assert run_function(argmax(Order(4, 1)), {"x": x}, {}, TYPED)["p"].tolist() == [1]


def test_dropout_follows_philox() -> None:
    x, seed, offset, p = f32(2, 5), 1234567890123, 77, 0.4
    words = [w for c in range(3) for w in philox4x32((offset + c, 0, 0, 0), (seed & 0xFFFFFFFF, seed >> 32))][:10]
    keep = (np.uint32(words) >> 8).astype(np.float32).reshape(2, 5) * np.float32(2**-24) >= np.float32(p)
    one = np.float32(1)
    wanted = np.where(keep, x * (one / (one - np.float32(p))), np.float32(0))
    got = run_function(dropout(), {"x": x}, {"p": p, "seed": seed, "offset": offset}, TYPED)["y"]
    assert 0 < keep.sum() < 10
    assert_same_bits(got, wanted)


# --- orders -----------------------------------------------------------------------------------


def spelled(orders: tuple[Order, ...], *extents: int) -> int:
    """A reduction that tells every order apart, of the numbers 0, 1, ... over axes of these extents."""
    acc, other = Var("acc", U64), Var("other", U64)
    names = "ijk"[: len(extents)]
    point = ix.const(0)
    for name, extent in zip(names, extents, strict=True):
        point = point * extent + symbol(name)
    element = convert("cast", IndexValue(point), U64)
    step = mix(acc, element, 31, 1)
    merge = mix(acc, other, 1000003, 131)
    axes = tuple(Axis(n, ix.const(e)) for n, e in zip(names, extents, strict=True))
    y = Tensor("y", U64, ())
    reduction = Reduction(axes, orders, (acc,), (literal(7, U64),), (other,), (merge,))
    f = Function("spelled", (), (), (Compute((y,), (), (step,), reduction),), ("y",))
    return int(run_function(f, {}, {}, TYPED)["y"])


def mix(a: object, b: object, p: int, q: int) -> object:
    return call("add", call("mul", a, literal(p, U64)), call("mul", b, literal(q, U64)))


def step(acc: int, *elements: int) -> int:
    for e in elements:
        acc = (acc * 31 + e) % 2**64
    return acc


def join(a: int, b: int) -> int:
    return (a * 1000003 + b * 131) % 2**64


def test_a_chain_is_sequential_over_all_axes() -> None:
    assert spelled((Order(),), 5) == step(7, 0, 1, 2, 3, 4)
    assert spelled((Order(), Order()), 2, 3) == step(7, 0, 1, 2, 3, 4, 5)


def test_a_tree_joins_chunks_pairwise_and_the_odd_one_goes_up() -> None:
    c = [step(7, 0, 1), step(7, 2, 3), step(7, 4, 5), step(7, 6, 7), step(7, 8)]
    total = join(join(join(c[0], c[1]), join(c[2], c[3])), c[4])
    assert spelled((Order(2, 1),), 9) == join(7, total)
    assert spelled((Order(2, 1),), 2) == join(7, c[0])
    assert spelled((Order(2, 1),), 0) == 7


def test_lanes_are_strided_and_halved() -> None:
    # One chunk of 8 with 4 lanes and 6 elements; then a chunk of 1 element: three lanes stay as they began.
    lanes = [step(7, 0, 4), step(7, 1, 5), step(7, 2), step(7, 3)]
    assert spelled((Order(8, 4),), 6) == join(7, join(join(lanes[0], lanes[2]), join(lanes[1], lanes[3])))
    full = [step(7, lane, lane + 4) for lane in range(4)]
    first = join(join(full[0], full[2]), join(full[1], full[3]))
    last = join(join(step(7, 8), 7), join(7, 7))
    assert spelled((Order(8, 4),), 9) == join(7, join(first, last))


def test_orders_nest_into_one_accumulator() -> None:
    # Outer chain, inner tree: each outer element joins the inner total to the accumulator.
    inner = [join(step(7, 0, 1), step(7, 2)), join(step(7, 3, 4), step(7, 5))]
    assert spelled((Order(), Order(2, 1)), 2, 3) == join(join(7, inner[0]), inner[1])
    # Outer tree, inner chain: a chunk is a chain over both.
    assert spelled((Order(2, 1), Order()), 3, 2) == join(7, join(step(7, 0, 1, 2, 3), step(7, 4, 5)))


def total_sum(order: Order) -> Function:
    x = Tensor("x", F32, (N,))
    body = summed(Tensor("y", F32, ()), (), (Axis("i", N),), read(x, i), (order,))
    return Function("sum", (x,), (), (body,), ("y",))


def test_orders_differ_under_cancellation() -> None:
    x = np.float32([1e8, 1, -1e8, 1, 1e8, 1, -1e8, 1])

    def total(order: Order) -> float:
        return float(run_function(total_sum(order), {"x": x}, {}, TYPED)["y"])

    assert total(Order()) == 1.0  # each 1 but the last is lost in 1e8
    assert total(Order(8, 2)) == 4.0  # even lane 0, odd lane 4
    assert total(Order(4, 1)) == 2.0  # each chunk keeps its last 1
    assert total(Order(2, 1)) == 0.0  # 1e8 + 1 loses it, and so does -1e8 + 1


def test_a_sum_of_negative_zeros_and_of_nothing_is_zero() -> None:
    for x in (np.float32([-0.0, -0.0]), np.float32([])):
        assert_same_bits(run_function(total_sum(Order()), {"x": x}, {}, TYPED)["y"], np.float32(0.0))


def test_nan_propagates_through_max() -> None:
    t = Tensor("x", F32, (N,))
    f = Function("max", (t,), (), (reduced("max", -INF, Tensor("y", F32, ()), (), Axis("i", N), read(t, i)),), ("y",))
    assert math.isnan(run_function(f, {"x": np.float32([1, NAN, 2])}, {}, TYPED)["y"])
    assert run_function(f, {"x": np.float32([])}, {}, TYPED)["y"] == -INF


def test_a_scan_carries_between_chunks() -> None:
    x = np.float32([[1e8, 1, -1e8, 1, 1, 1]])
    assert run_function(cumsum(3), {"x": x}, {}, TYPED)["y"].tolist() == [[1e8, 1e8, 0, 1, 2, 3]]
    assert run_function(cumsum(2), {"x": x}, {}, TYPED)["y"].tolist() == [[1e8, 1e8, 0, 0, 1, 2]]
    got = run_function(cumsum(4), {"x": f32(3, 11)}, {}, FLOAT64)["y"]
    assert got.shape == (3, 11)


def test_a_scan_carries_the_unrounded_accumulator() -> None:
    x = np.full((1, 4), 1.0, np.float16)
    x[0, 0] = 2048
    assert run_function(cumsum(1, F16), {"x": x}, {}, TYPED)["y"].tolist() == [[2048, 2048, 2050, 2052]]


def test_all_orders_agree_in_the_field() -> None:
    inputs = random_inputs(total_sum(Order()), {"N": 17}, EXACT, Random(5))
    results = set()
    for order in (Order(), Order(4, 1), Order(4, 4), Order(3, 2)):
        results.add(int(run_function(total_sum(order), inputs, {}, EXACT)["y"]))
    assert len(results) == 1


# --- comparing --------------------------------------------------------------------------------


def test_ulp_distance() -> None:
    assert ulp_distance(1.0, 1.0 + 2**-23, F32) == 1
    assert ulp_distance(-0.0, 0.0, F32) == 0
    assert ulp_distance(-(2.0**-149), 2.0**-149, F32) == 2
    assert ulp_distance(NAN, NAN, F16) == 0 and ulp_distance(NAN, 1.0, F16) == 2**64 - 1
    assert ulp_distance(3.4028234663852886e38, INF, F32) == 1
    assert ulp_distance(1.0, 1.0078125, BF16) == 1
    assert ulp_distance(-1.7976931348623157e308, 1.7976931348623157e308, F64) == 2 * (0x7FEFFFFFFFFFFFFF)


def test_comparisons_name_the_first_difference() -> None:
    a, b = np.float32([[1, 2], [3, 4]]), np.float32([[1, 2], [3, 5]])
    with pytest.raises(AssertionError, match=r"bits differ at \[1, 1\]: 4.0 \(0x40800000\), expected 5.0"):
        assert_same_bits(a, b)
    with pytest.raises(AssertionError, match=r"bits differ at \[0\]: -0.0"):
        assert_same_bits(np.float32([-0.0]), np.float32([0.0]))
    with pytest.raises(AssertionError, match=r"shape \(2, 2\), expected \(2,\)"):
        assert_same_bits(a, b[0])
    with pytest.raises(AssertionError, match="dtype float32, expected float64"):
        assert_same_bits(a, b.astype(np.float64))
    with pytest.raises(AssertionError, match=r"more than 3 ulp apart .* at \[1, 1\]"):
        assert_close(a, b, F32, ulps=3)
    with pytest.raises(AssertionError, match=r"beyond rtol 0.1"):
        assert_close(a, b, F32, rtol=0.1)
    assert_close(a, b, F32, rtol=0.3)
    assert_same_bits(np.float32([NAN]), -np.float32([NAN]))
    with pytest.raises(AssertionError, match="bits differ"):
        assert_same_bits(np.array([0x7FC0], np.uint16), np.array([0x7FC1], np.uint16))
    assert_same_bits(np.array([0x7FC0], np.uint16), np.array([0x7FC1], np.uint16), BF16)


def test_malformed_functions_are_refused() -> None:
    x, y = Tensor("x", F32, (N,)), Tensor("y", F32, (N,))
    cases = [
        (Compute((y,), (Axis("i", N),), (Read("x", (i + 1,), F32),)), r"x\[2\] is outside of the shape \(2,\)"),
        (Compute((y,), (Axis("i", N),), (Read("z", (i,), F32),)), "no tensor 'z' yet"),
        (Compute((y,), (Axis("i", N),), (Read("x", (i,), F64),)), "'x' of f32 is read as f64"),
        (Compute((y,), (Axis("i", N + 1),), (literal(0, F32),)), r"'y' has the shape \(2,\), its axes have \(3,\)"),
        (Compute((y,), (Axis("i", N),), (literal(0, I32),)), "a value of i32 is stored as f32"),
        (Compute((y,), (Axis("i", N),), (Param("p", F32),)), "no scalar 'p'"),
    ]
    for compute, message in cases:
        with pytest.raises(InternalError, match=message):
            run_function(Function("f", (x,), (), (compute,), ("y",)), {"x": f32(2)}, {}, TYPED)
