"""The meaning of kernels and plans: against the functions they implement, and their refusals."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hand_built import (
    N,
    conv1d,
    conv1d_plan,
    doubling_plan,
    embedding,
    embedding_plan,
    i,
    j,
    literal,
    matmul,
    matmul_kernel,
    matmul_plan,
)

from tilewright.errors import CallError, InternalError, UnsupportedError
from tilewright.ir import index as ix
from tilewright.ir.index import const, symbol
from tilewright.ir.interpret import EXACT, FLOAT64, TYPED, IndexFault, Memory, Status, run_kernel, run_plan, size_table
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Write, row_major
from tilewright.ir.plan import Phase, Plan, dim
from tilewright.ir.scalar import CheckedIndex, Expr, IndexValue, Param, Read, apply
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.types import BF16, F16, F32, FIELD, I64, U16, DType
from tilewright.testing.compare import assert_plan_means, assert_same_bits, random_inputs

DOMAINS = [TYPED, FLOAT64, EXACT]


# --- plans ------------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", DOMAINS)
@pytest.mark.parametrize("kind", ["vectorized", "serial", "unrolled"])
def test_a_tiled_matmul_means_matmul(domain: object, kind: str) -> None:
    for m, n, k in ((3, 9, 5), (1, 4, 2), (0, 3, 2), (2, 0, 3), (1, 1, 1)):
        inputs = random_inputs(matmul(), {"M": m, "N": n, "K": k}, domain, Random(m))  # type: ignore[arg-type]
        assert_plan_means(matmul(), matmul_plan(4, kind), inputs, {}, domain, Random(2))  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [F16, BF16])
def test_half_types_round_where_they_are_stored(dtype: DType) -> None:
    inputs = random_inputs(matmul(dtype), {"M": 2, "N": 3, "K": 20}, TYPED, Random(4))
    assert_plan_means(matmul(dtype), matmul_plan(2, "vectorized", dtype), inputs, {}, TYPED)


def test_strides_of_any_sign_are_followed() -> None:
    rng = np.random.default_rng(3)
    a = rng.normal(size=(6, 8)).astype(np.float32)[::-2, ::2]
    b = np.broadcast_to(rng.normal(size=(1, 5)).astype(np.float32), (4, 5)).T[:5].T
    assert a.strides == (-64, 8) and b.strides[0] == 0
    assert_plan_means(matmul(), matmul_plan(), {"a": a, "b": b}, {}, TYPED)
    table = size_table(matmul_plan(), {"a": a, "b": b})
    assert (table["stride(a,0)"], table["stride(a,1)"], table["stride(b,0)"], table["N"]) == (-64, 8, 0, 5)


@pytest.mark.parametrize(("stride", "pad"), [(1, 0), (2, 1), (3, 2)])
@pytest.mark.parametrize("domain", DOMAINS)
def test_a_guarded_convolution(stride: int, pad: int, domain: object) -> None:
    f = conv1d(stride, pad)
    inputs = random_inputs(f, {"N": 9, "K": 3}, domain, Random(0))  # type: ignore[arg-type]
    assert_plan_means(f, conv1d_plan(stride, pad), inputs, {}, domain)  # type: ignore[arg-type]


def test_checks_raise_their_messages() -> None:
    x = np.ones(2, np.float32)
    with pytest.raises(CallError, match="conv1d: the kernel is longer than the padded input"):
        run_plan(conv1d_plan(1, 0), {"x": x, "w": np.ones(3, np.float32)}, {}, TYPED)
    with pytest.raises(CallError, match="a's columns must be as many as b's rows"):
        run_plan(matmul_plan(), {"a": np.ones((2, 2), np.float32), "b": np.ones((3, 2), np.float32)}, {}, TYPED)
    with pytest.raises(CallError, match="'a' has 1 dims, not 2"):
        run_plan(matmul_plan(), {"a": x, "b": x}, {}, TYPED)


@pytest.mark.parametrize("seed", range(4))
def test_the_lowest_bad_index_wins_in_any_order(seed: int) -> None:
    idx = np.array([1, 9, 0, -3, 7])
    w = np.ones((2, 3), np.float32)
    with pytest.raises(IndexFault) as e:
        run_plan(embedding_plan(), {"w": w, "idx": idx}, {}, TYPED, Random(seed))
    assert (e.value.operand, e.value.position, e.value.value) == (1, 1, 9)
    assert_plan_means(embedding(), embedding_plan(), {"w": w, "idx": idx % 2}, {}, TYPED, Random(seed))


def test_repeats_count_from_zero() -> None:
    x = np.array([1, 10])
    assert run_plan(doubling_plan(const(3)), {"x": x}, {}, TYPED)["y"].tolist() == [
        ((1 * 2 + 0) * 2 + 1) * 2 + 2,
        ((10 * 2 + 0) * 2 + 1) * 2 + 2,
    ]
    assert run_plan(doubling_plan(N - 2), {"x": x}, {}, TYPED)["y"].tolist() == [1, 10]


def test_the_size_table_holds_the_tail() -> None:
    table = size_table(doubling_plan(const(3)), {"x": np.zeros(9, np.int64)})
    wanted = {
        "N": 9,
        "out(y,0)": 9,
        "offset(s)": 0,
        "scratch": 128,
        "tasks(0)": 9,
        "chunk(0)": 1,
        "trips(1)": 3,
        "tasks(2)": 9,
        "tasks(3)": 9,
    }
    assert {name: table[name] for name in wanted} == wanted


def test_a_plan_that_leaves_an_output_unwritten_is_refused() -> None:
    p = doubling_plan(const(1))
    with pytest.raises(InternalError, match="byte 0 of 'y' is never written"):
        run_plan(replace(p, steps=p.steps[:-1]), {"x": np.array([1])}, {}, TYPED)
    with pytest.raises(InternalError, match=r"s\[0\] is read before it is written"):
        run_plan(replace(p, steps=p.steps[1:]), {"x": np.array([1])}, {}, TYPED)
    with pytest.raises(InternalError, match="phase 0 runs 2 tasks"):
        run_plan(replace(p, steps=(Phase("load", const(2), const(1)),)), {"x": np.array([1])}, {}, TYPED)
    with pytest.raises(InternalError, match="no kernel 'gone'"):
        run_plan(replace(p, steps=(Phase("gone", N, const(1)),)), {"x": np.array([1])}, {}, TYPED)


# --- kernels ----------------------------------------------------------------------------------

X, Y = Tensor("x", I64, (N,)), Tensor("y", I64, (N,))
BX, BY = (Buffer(t.name, I64, t.shape, row_major(t.shape, I64)) for t in (X, Y))
PN, T = Iter("i", "parallel", N), symbol("t")
RX, RY = Read("x", (i,), I64), Read("y", (i,), I64)


def loop(extent: int | ix.Index, kind: str, *body: Block | Loop, var: str = "t") -> Loop:
    return Loop(var, ix.as_index(extent), kind, body)


def copy(
    value: Expr = RX,
    at: ix.Index | CheckedIndex = i,
    iter_: Iter = PN,
    binding: ix.Index = T,
    init: tuple[Expr, ...] = (),
) -> Block:
    return Block("copy", (iter_,), (binding,), (), (Write("y", (at,)),), (value,), init)


def run(
    *body: Loop | Block,
    x: tuple[int, ...] = (5, 6, 7),
    y: tuple[int, ...] = (),
    tasks: list[int] | None = None,
    status: Status | None = None,
    buffers: tuple[Buffer, ...] = (BX, BY),
) -> list[int | None]:
    memory = {
        "x": Memory.of_array("x", I64, np.array(x), TYPED),
        "y": Memory("y", I64, dict(zip(range(0, 8 * len(x), 8), y or [None] * len(x), strict=True))),
    }
    run_kernel(Kernel("k", buffers, (), body), memory, {"N": len(x)}, {}, TYPED, tasks, status)
    return list(memory["y"].cells.values())


def test_tasks_can_be_picked() -> None:
    assert run(loop(N, "parallel", copy())) == [5, 6, 7]
    assert run(loop(N, "parallel", copy()), tasks=[2, 0]) == [5, None, 7]
    with pytest.raises(InternalError, match="k has no task 3, only 3"):
        run(loop(N, "parallel", copy()), tasks=[3])


def test_init_comes_before_the_first_reduce_step_only() -> None:
    value = apply("add", Read("y", (const(0),), I64), RX)
    first = Write("y", (const(0),))
    block = Block("sum", (Iter("i", "reduce", N),), (T,), (), (first,), (value,), (literal(100, I64),))
    assert run(loop(N, "serial", block)) == [118, None, None]


def test_a_predicate_is_over_loop_variables() -> None:
    block = replace(copy(iter_=PN, binding=2 * T), predicate=(ix.lt(2 * T, N),))
    assert run(loop(7, "serial", block)) == [5, None, 7]
    with pytest.raises(InternalError, match="i = 4 in the block 'copy' is outside of 0 .. 3"):
        run(loop(7, "serial", replace(block, predicate=())))


def test_values_are_evaluated_before_any_is_written() -> None:
    swap = Block(
        "swap",
        (),
        (),
        (),
        (Write("y", (const(0),)), Write("y", (const(1),))),
        (Read("y", (const(1),), I64), Read("y", (const(0),), I64)),
    )
    assert run(swap, x=(0, 0), y=(1, 2)) == [2, 1]


def test_lanes_run_in_lockstep() -> None:
    """Two blocks in a vectorized loop: the second sees what all lanes of the first wrote."""
    shift = copy(apply("add", RY, Read("y", (N - 1 - i,), I64)), at=N + i, iter_=Iter("i", "parallel", N))
    wide = Buffer("y", I64, (2 * N,), row_major((2 * N,), I64))
    memory = {"x": Memory.of_array("x", I64, np.array([1, 2, 4]), TYPED), "y": Memory.blank("y", I64, 6)}
    run_kernel(Kernel("k", (BX, wide), (), (loop(3, "vectorized", copy(), shift),)), memory, {"N": 3}, {}, TYPED)
    assert list(memory["y"].cells.values()) == [1, 2, 4, 5, 4, 5]


def test_loops_inside_of_a_vectorized_loop_go_step_by_step() -> None:
    step = Block(
        "step",
        (PN, Iter("k", "reduce", const(2))),
        (T, symbol("s")),
        (),
        (Write("y", (i,)),),
        (apply("add", RY, RX),),
        (literal(1, I64),),
    )
    assert run(loop(3, "vectorized", loop(2, "serial", step, var="s"))) == [11, 13, 15]
    with pytest.raises(InternalError, match=r"lanes disagree on the extent of the loop 's': \[0, 1, 2\]"):
        run(loop(3, "vectorized", loop(T, "serial", step, var="s")))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (copy(at=const(0)), r"lanes of the block 'copy' both write y\[0\]"),
        (copy(Read("y", (N - 1 - i,), I64)), "a lane of the block 'copy' reads byte 16 of y, which another writes"),
        (copy(init=(literal(0, I64),), at=const(1)), r"both write y\[1\]"),
    ],
)
def test_lanes_that_conflict_are_refused(block: Block, message: str) -> None:
    with pytest.raises(InternalError, match=message):
        run(loop(3, "vectorized", block), y=(1, 2, 3))
    run(loop(3, "serial", block), y=(1, 2, 3))


@pytest.mark.parametrize(
    ("block", "message"),
    [
        (copy(Read("x", (i + 1,), I64)), r"x\[3\] is outside of the buffer, which has shape \(3,\)"),
        (copy(at=i - 1), r"y\[-1\] is outside of the buffer"),
        (copy(RY), r"y\[0\] is read before it is written"),
        (copy(Read("z", (i,), I64)), "k has no buffer 'z'"),
        (copy(Read("x", (T,), I64)), "t has no value here"),
        (copy(Read("x", (i,), F32)), "malformed read of 'x'"),
        (copy(Read("x", (i,), I64, (ix.ge(i, 1),))), "malformed read of 'x'"),
        (copy(CheckedIndex(RX, N, "x", i)), "no meaning for a CheckedIndex outside of an index"),
        (replace(copy(), writes=(Write("x", (i,)),)), r"x\[0\] is an input and cannot be written"),
    ],
)
def test_broken_blocks_are_refused(block: Block, message: str) -> None:
    with pytest.raises(InternalError, match=message):
        run(loop(3, "serial", block))


def test_a_guard_keeps_the_read_from_happening() -> None:
    guarded = Read("x", (i + 1,), I64, (ix.lt(i + 1, N),), literal(-1, I64))
    assert run(loop(3, "serial", copy(guarded))) == [6, 7, -1]
    # The index inside of the read is not evaluated either.
    inner = Read("x", (Read("x", (i + 5,), I64),), I64, (ix.lt(i, 0),), literal(-2, I64))
    assert run(loop(3, "serial", copy(inner))) == [-2, -2, -2]


def test_a_checked_read_gives_zero_and_a_checked_write_is_left_out() -> None:
    target = CheckedIndex(RX, N, "x", i)
    status = Status(["a", "x"])
    assert run(loop(3, "serial", copy(literal(9, I64), at=target)), x=(2, 3, -1), status=status) == [None, None, 9]
    assert status.fault is not None
    assert (status.fault.operand, status.fault.position, status.fault.value) == (1, 1, 3)
    source = Read("x", (target,), I64)
    assert run(loop(3, "serial", copy(source)), x=(2, 3, -1), status=Status(["x"])) == [-1, 0, 0]
    with pytest.raises(IndexFault, match="the index 3 at position 1 of 'x'"):
        run(loop(3, "serial", copy(source)), x=(2, 3, -1))


def test_registers_belong_to_one_task() -> None:
    register = Buffer("r", I64, (const(1),), (const(8),), "register")
    keep = Block("keep", (PN,), (T,), (ix.eq(T, 0),), (Write("r", (const(0),)),), (RX,))
    load = copy(Read("r", (const(0),), I64))
    with pytest.raises(InternalError, match=r"r\[0\] is read before it is written"):
        run(loop(N, "parallel", keep, load), buffers=(BX, BY, register))
    everywhere = replace(keep, predicate=())
    assert run(loop(N, "parallel", everywhere, load), buffers=(BX, BY, register)) == [5, 6, 7]


def test_parallel_loops_stand_alone() -> None:
    with pytest.raises(InternalError, match="statements beside its parallel loop"):
        run(loop(N, "parallel", copy()), loop(N, "serial", copy()))


def test_a_parallel_loop_in_another_runs_inside_of_its_tasks() -> None:
    inside = replace(copy(), predicate=(ix.ge(symbol("s"), 1),))
    assert run(loop(2, "parallel", loop(N, "parallel", inside), var="s")) == run(loop(N, "serial", copy()))


def test_counters_and_sizes_are_symbols() -> None:
    memory = {"y": Memory.blank("y", I64, 2)}
    block = copy(IndexValue(symbol("round") * N + i))
    k = Kernel("k", (BY,), (), (loop(N, "serial", block),))
    run_kernel(k, memory, {"N": 2}, {}, TYPED, counters={"round": 7})
    assert list(memory["y"].cells.values()) == [14, 15]


def seeded_faults() -> list[tuple[str, Callable[[Kernel], Kernel]]]:
    def over_blocks(change: Callable[[Block], Block]) -> Callable[[Kernel], Kernel]:
        def visit(s: Loop | Block) -> Loop | Block:
            return change(s) if isinstance(s, Block) else replace(s, body=tuple(map(visit, s.body)))

        return lambda k: replace(k, body=tuple(map(visit, k.body)))

    return [
        ("predicate dropped", over_blocks(lambda b: replace(b, predicate=()))),
        ("init dropped", over_blocks(lambda b: replace(b, init=()))),
        ("init changed", over_blocks(lambda b: replace(b, init=b.init and (literal(1, F32),)))),
        ("transposed output", over_blocks(lambda b: b if b.init else replace(b, writes=(Write("c", (j, i)),)))),
    ]


@pytest.mark.parametrize(("name", "fault"), seeded_faults(), ids=lambda v: v if isinstance(v, str) else "")
def test_a_faulty_kernel_is_found_out(name: str, fault: Callable[[Kernel], Kernel]) -> None:
    p = matmul_plan(4)
    broken: Plan = replace(p, kernels=(fault(matmul_kernel(4)),))
    inputs = random_inputs(matmul(), {"M": 3, "N": 6, "K": 2}, EXACT, Random(1))
    with pytest.raises((InternalError, AssertionError)):
        assert_plan_means(matmul(), broken, inputs, {}, EXACT)


def test_a_buffer_of_another_dtype_sees_encodings() -> None:
    """Kernels may hold f16 as u16, scalars too: here they clear the sign bit and add a scalar's encoding."""
    x, y = Tensor("x", F16, (N,)), Tensor("y", F16, (N,))
    bx, by = (Buffer(t.name, U16, t.shape, row_major(t.shape, U16)) for t in (x, y))
    value = apply("bitor", apply("bitand", Read("x", (i,), U16), literal(0x7FFF, U16)), Param("s", U16))
    block = Block("abs", (PN,), (T,), (), (Write("y", (i,)),), (value,))
    kernel = Kernel("abs", (bx, by), (ScalarInput("s", U16),), (loop(N, "serial", block),))
    p = Plan(
        "abs",
        (x,),
        (y,),
        (ScalarInput("s", F16),),
        (("N", dim("x", 0)),),
        (),
        (),
        (kernel,),
        (Phase("abs", const(1), const(1)),),
    )
    got = run_plan(p, {"x": np.float16([-1.5, 2.0, -0.0])}, {"s": -0.0}, TYPED)["y"]
    assert_same_bits(got, np.float16([-1.5, -2.0, -0.0]))
    with pytest.raises(UnsupportedError, match="bitcast from f16 to u16 has no meaning in the exact field"):
        run_plan(p, {"x": np.float16([1.0])}, {"s": 0.0}, EXACT)
    wide = replace(kernel, buffers=(replace(bx, dtype=I64), by))
    with pytest.raises(InternalError, match="no bitcast from f16 to i64"):
        run_plan(replace(p, kernels=(wide,)), {"x": np.float16([1.0])}, {"s": 0.0}, TYPED)


def test_field_scalars_are_cells_or_numbers() -> None:
    y = Tensor("y", FIELD, ())
    scalar = ScalarInput("s", FIELD)
    block = Block("copy", (), (), (), (Write("y", ()),), (Param("s", FIELD),))
    kernel = Kernel("copy", (Buffer("y", FIELD, (), ()),), (scalar,), (block,))
    p = Plan("copy", (), (y,), (scalar,), (), (), (), (kernel,), (Phase("copy", const(1), const(1)),))
    for domain in (TYPED, EXACT):
        assert run_plan(p, {}, {"s": np.uint64(0xFFFFFFFF_00000007)}, domain)["y"] == 0xFFFFFFFF_00000007
        assert run_plan(p, {}, {"s": 7.0}, domain)["y"] == 7 << 32 | 7
