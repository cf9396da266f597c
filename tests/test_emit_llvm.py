"""LLVM text from hand-built plans: memory, lanes, registers, checks and sizes, compared with the interpreter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from abi import call_sizes, run
from cpu_plans import LEVELS, check, contiguous_input, edges, fault, load, nest, pointwise, target
from hand_built import check_pairs, conv1d_plan, doubling_plan, embedding_plan, matmul_plan, pair_plan

from tilewright.errors import CallError, InternalError, UnsupportedError, UserError
from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index, const, symbol
from tilewright.ir.interpret import TYPED, evaluate
from tilewright.ir.interpret.arrays import storage
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Stmt, Write, row_major
from tilewright.ir.plan import Check, Phase, Plan, dim, stride
from tilewright.ir.scalar import CheckedIndex, Const, Expr, IndexValue, Read, apply, convert
from tilewright.ir.tensor import Tensor
from tilewright.ir.types import BOOL, BY_NAME, F16, F32, F64, I8, I32, I64, U8, U32, U64, DType
from tilewright.targets.cpu import build
from tilewright.targets.target import get_target

N = symbol("N")
i, j = symbol("i"), symbol("j")

# --- memory -----------------------------------------------------------------------------------

X = Tensor("x", F32, (N,))


@pytest.mark.parametrize("lanes", [0, 1, 3, 8, 16, 64])
@pytest.mark.parametrize("level", LEVELS)
def test_tails_are_masked(lanes: int, level: str) -> None:
    x = Read("x", (i,), F32)
    plan = pointwise([X], [(apply("mul", x, x), F32), (apply("lt", x, Const(0.0, F32)), BOOL)], N, lanes)
    for n in (0, 1, 15, 16, 17, 130):
        check(contiguous_input(plan, "x"), {"x": np.linspace(-1, 1, n, dtype=np.float32)}, level=level)


@pytest.mark.parametrize("step", [1, 3, -1, -2, 0])
def test_any_stride(step: int) -> None:
    base = np.arange(300, dtype=np.float32)
    x = np.lib.stride_tricks.as_strided(base[150:], (37,), (4 * step,))
    check(pointwise([X], [(Read("x", (i,), F32), F32)], N, 16), {"x": x})


@pytest.mark.parametrize(
    "where", [N - 1 - i, i // 3, i % 4, (i * 5 + 2) % N, i * 0, ix.minimum(i, 9), N - 1 - i // 2], ids=str
)
@pytest.mark.parametrize("dtype", [F32, BOOL, I8], ids=str)
def test_any_index(where: Index, dtype: DType) -> None:
    x = (np.arange(41) * 7 % 11 > 4) if dtype is BOOL else np.arange(41).astype(storage(dtype, TYPED))
    plan = pointwise([Tensor("x", dtype, (N,))], [(Read("x", (where,), dtype), dtype)], N, 16)
    check(plan, {"x": x})
    check(contiguous_input(plan, "x"), {"x": x})


@pytest.mark.parametrize("at", [N - 1 - i, i, i // 2 + (i % 2) * ((N + 1) // 2)], ids=str)
def test_writes_to_any_place(at: Index) -> None:
    for n in (1, 16, 33):
        check(pointwise([X], [(Read("x", (i,), F32), F32)], N, 8, at=at), {"x": np.arange(n, dtype=np.float32)})


def test_tasks_in_ranges() -> None:
    def cut(tasks: int) -> list[tuple[int, int]]:
        return [(tasks // 2, tasks), (0, 0), (0, tasks // 2)]

    check(pointwise([X], [(Read("x", (i,), F32), F32)], N, 4), {"x": np.arange(50, dtype=np.float32)}, ranges=cut)


@pytest.mark.parametrize("lanes", [0, 4])
def test_only_the_tasks_asked_for_run(lanes: int) -> None:
    """Other threads have the others, which may be at work on the same memory."""
    plan = pointwise([X], [(Read("x", (i,), F32), F32)], N, lanes)
    x, tile = np.arange(1, 51, dtype=np.float32), max(1, lanes)
    for pieces in ([(3, 7)], [(9, 9), (5, 5)], [(8, 9), (2, 3)]):
        outputs, _ = run(plan, load(plan), {"x": x}, ranges=lambda tasks, pieces=pieces: pieces)
        asked = [any(lo <= at // tile < hi for lo, hi in pieces) for at in range(50)]
        np.testing.assert_array_equal(outputs["y0"], np.where(asked, x, 0))


@pytest.mark.parametrize("lanes", [0, 8])
def test_a_guarded_read_loads_nothing_outside(lanes: int) -> None:
    def element(at: Index, otherwise: Expr) -> Expr:
        return Read("x", (at,), F32, (ix.ge(at, 0), ix.lt(at, N)), otherwise)

    values = [
        apply("add", element(i - 2, Const(0.0, F32)), element(i + 3, Const(1.0, F32))),
        element(i * 2 - 5, element(N - 1 - i * 3, Const(7.0, F32))),
        Read("x", (const(0),), F32, (ix.ge(i, 4),), Read("x", (i,), F32)),
        Read("x", (i + 1000000000,), F32, (ix.ge(N, 1000),), Const(2.0, F32)),
        Read("x", (const(2**40),), F32, (ix.ge(i, N),), Const(3.0, F32)),
    ]
    plan = pointwise([X], [(v, F32) for v in values], N, lanes)
    for p in (plan, contiguous_input(plan, "x")):
        check(p, {"x": np.arange(1, 22, dtype=np.float32)})


def test_index_arithmetic_under_a_condition_serves_code_outside_of_it() -> None:
    """The same index is first used after a guarded read under a predicate, then without any."""
    x, y, z = X, Tensor("y", F32, (N,)), Tensor("z", I64, (N,))
    at = IndexValue(i * i + 7)
    element = Read("x", (i - 2,), F32, (ix.ge(i, 2),), Const(1.0, F32))
    cell, here, t = (Iter("i", "parallel", N),), (symbol("t"),), symbol("t")
    first = Block(
        "first", cell, here, (ix.ge(t, 1),), (Write("y", (i,)),), (apply("add", element, convert("cast", at, F32)),)
    )
    second = Block("second", cell, here, (), (Write("z", (i,)),), (at,))
    buffers = tuple(Buffer(b.name, b.dtype, b.shape, row_major(b.shape, b.dtype)) for b in (x, y, z))
    kernel = Kernel("k", buffers, (), (Loop("t", N, "parallel", (first, second)),))
    plan = Plan("k", (x,), (y, z), (), (("N", dim("x", 0)),), (), (), (kernel,), (Phase("k", N, const(1)),))
    outputs, _ = run(plan, load(plan), {"x": np.arange(5, dtype=np.float32)})
    np.testing.assert_array_equal(outputs["z"], [7, 8, 11, 16, 23])
    np.testing.assert_array_equal(outputs["y"], [0, 9, 11, 17, 25])


def test_hand_built_plans() -> None:
    random = np.random.default_rng(0)
    x, w = (random.standard_normal(n).astype(np.float32) for n in (23, 5))
    for stride_, pad in ((1, 0), (2, 2), (3, 4)):
        check(conv1d_plan(stride_, pad), {"x": x, "w": w})
    for times in (0, 1, 5):
        check(doubling_plan(const(times)), {"x": np.arange(7)})


# --- checked indices --------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [I64, I32, U32, U64, I8], ids=str)
@pytest.mark.parametrize("lanes", [0, 4, 16])
def test_a_gather_notes_the_first_failing_index(dtype: DType, lanes: int) -> None:
    index, table = Tensor("x", dtype, (N,)), Tensor("w", F32, (symbol("V"),))
    row = CheckedIndex(Read("x", (i,), dtype), symbol("V"), "x", i)
    plan = pointwise(
        [table, index], [(Read("w", (row,), F32), F32)], N, lanes, dims=[("N", dim("x", 0)), ("V", dim("w", 0))]
    )
    w, good = np.arange(10, dtype=np.float32) + 1, (np.arange(35) * 3 % 10).astype(storage(dtype, TYPED))
    check(plan, {"w": w, "x": good})
    bad = good.copy()
    bad[[30, 13, 22]] = 10, 100, 77
    noted = fault(plan, {"w": w, "x": bad}, ranges=lambda n: [(k, k + 1) for k in reversed(range(n))])
    assert noted == (1, 13, 100)
    outputs, _ = run(plan, load(plan), {"w": w, "x": bad})
    inside = bad.astype(np.int64) < 10
    np.testing.assert_array_equal(outputs["y0"], np.where(inside, w[np.where(inside, bad.astype(np.int64), 0)], 0))
    if dtype.kind == "int":
        bad[5] = -1
        assert fault(plan, {"w": w, "x": bad}) == (1, 5, -1)


@pytest.mark.parametrize("lanes", [0, 4, 16])
def test_an_index_that_fails_alone_is_noted_in_any_lane(lanes: int) -> None:
    index = Tensor("x", I64, (N,))
    row = CheckedIndex(Read("x", (i,), I64), N, "x", i)
    plan = pointwise([index], [(Read("x", (row,), I64), I64)], N, lanes)
    loaded = load(plan)
    for at in range(35):
        x = np.arange(35)[::-1].copy()
        x[at] = 99
        _, status = run(plan, loaded, {"x": x})
        assert (status.code, status.position, status.value) == (1, at, 99)


@pytest.mark.parametrize(("dtype", "extent", "checked"), [(U8, 256, False), (U8, 255, True), (I8, 256, True)], ids=str)
def test_an_index_that_its_dtype_keeps_inside_is_not_checked(dtype: DType, extent: int, checked: bool) -> None:
    w, x = Tensor("w", F32, (const(extent),)), Tensor("x", dtype, (N,))
    row = CheckedIndex(convert("cast", Read("x", (i,), dtype), I64), const(extent), "x", i)
    plan = pointwise([w, x], [(Read("w", (row,), F32), F32)], N, 4)
    assert ("call void @tw.note" in target("native").emit(plan)) == checked
    at = np.arange(extent)[:127:3].astype(storage(dtype, TYPED))
    check(plan, {"w": np.arange(extent, dtype=np.float32), "x": at})
    at[3] = 255 if dtype is U8 else -1
    if checked:
        assert fault(plan, {"w": np.zeros(extent, np.float32), "x": at}) == (1, 3, int(at[3]))


@pytest.mark.parametrize("lanes", [0, 4])
def test_of_several_operands_the_first_one_wins(lanes: int) -> None:
    """Whichever fails at the lower position, and whichever is noted before."""
    table, p, q = Tensor("x", F32, (N,)), Tensor("p", I64, (N,)), Tensor("q", I64, (N,))
    rows = (CheckedIndex(Read(t.name, (i,), I64), N, t.name, i) for t in (q, p))
    plan = pointwise([table, p, q], [(Read("x", (row,), F32), F32) for row in rows], N, lanes)
    x, good = np.zeros(11, np.float32), np.arange(11)
    for late, early in product((0, 5, 10), repeat=2):
        inputs = {"x": x, "p": np.where(good == late, -1, good), "q": np.where(good == early, -2, good)}
        for ranges in (lambda n: [(0, n)], lambda n: [(k, k + 1) for k in reversed(range(n))]):
            assert fault(plan, inputs, ranges=ranges) == (1, late, -1)
    assert fault(plan, {"x": x, "p": good, "q": good + 1}) == (2, 10, 11)


def test_an_index_is_not_checked_where_the_guard_or_the_predicate_fails() -> None:
    index = Tensor("x", I64, (N,))
    guarded = Read("x", (CheckedIndex(Read("x", (i,), I64), N, "x", i),), I64, (ix.ge(i, 3),), Const(-9, I64))
    for lanes in (0, 8):
        plan = pointwise([index], [(guarded, I64)], N, lanes)
        check(plan, {"x": np.array([99, -1, 77, 2, 1, 0, 4, 3, 2, 1])})
        assert fault(plan, {"x": np.array([99, -1, 77, 2, 1, 0, 10, 3, 2, 1])}) == (0, 6, 10)


def test_the_lowest_place_wins_whatever_the_threads() -> None:
    index = Tensor("x", I64, (N,))
    row = CheckedIndex(Read("x", (i,), I64), N, "x", i)
    for lanes in (0, 4):
        plan = pointwise([index], [(Read("x", (row,), I64), I64)], N, lanes)
        loaded, x = load(plan), np.full(40000, -1)
        x[:17] = 0
        for _ in range(5):
            _, status = run(
                plan,
                loaded,
                {"x": x},
                threads=2,
                ranges=lambda n: [(k * n // 8, (k + 1) * n // 8) for k in (7, 0, 6, 1, 5, 2, 4, 3)],
            )
            assert (status.lock, status.code, status.operand, status.position, status.value) == (0, 1, 0, 17, -1)


def test_an_embedding_and_its_failure() -> None:
    plan, w = embedding_plan(), np.arange(12, dtype=np.float32).reshape(4, 3)
    check(plan, {"w": w, "idx": np.array([3, 0, 2, 2])})
    assert fault(plan, {"w": w, "idx": np.array([3, 4, -1])}) == (1, 1, 4)
    assert fault(plan, {"w": w[:0], "idx": np.array([0])}) == (1, 0, 0)


@pytest.mark.parametrize("lanes", [0, 8])
def test_a_scatter_leaves_out_what_is_outside(lanes: int) -> None:
    index, value = Tensor("x", I64, (N,)), Tensor("v", F32, (N,))
    plan = pointwise([index, value], [(Read("v", (i,), F32), F32)], N, lanes)
    (kernel,) = plan.kernels
    block = next(b for b in _blocks(kernel.body))
    row = CheckedIndex(Read("x", (i,), I64), N, "x", i)
    aimed = Block(block.name, block.iters, block.bindings, block.predicate, (Write("y0", (row,)),), block.values)
    kernel = Kernel(kernel.name, kernel.buffers, kernel.scalars, nest(N, lanes, aimed))
    plan = Plan(plan.name, plan.inputs, plan.outputs, (), plan.symbols, (), (), (kernel,), plan.steps)
    v = np.arange(19, dtype=np.float32) + 1
    order = np.random.default_rng(3).permutation(19)
    check(plan, {"x": order, "v": v})
    order[[4, 9]] = 19, -3
    assert fault(plan, {"x": order, "v": v}) == (0, 4, 19)
    outputs, _ = run(plan, load(plan), {"x": order, "v": v})
    expected = np.zeros(19, np.float32)
    kept = (order >= 0) & (order < 19)
    expected[order[kept]] = v[kept]
    np.testing.assert_array_equal(outputs["y0"], expected)


def _blocks(body: Sequence[Stmt]) -> list[Block]:
    return [b for s in body for b in ([s] if isinstance(s, Block) else _blocks(s.body))]


# --- loops and registers ----------------------------------------------------------------------


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("kind", ["vectorized", "unrolled", "serial"])
@pytest.mark.parametrize("dtype", [F32, F64, BY_NAME["i32"]], ids=str)
def test_matmul(dtype: DType, kind: str, level: str) -> None:
    random = np.random.default_rng(5)
    plan = matmul_plan(8, kind, dtype)
    for m, k, n in ((3, 5, 17), (1, 1, 8), (2, 7, 0), (4, 3, 5)):
        a, b = ((random.standard_normal(s) * 9).astype(storage(dtype, TYPED)) for s in ((m, k), (k, n)))
        check(plan, {"a": a, "b": b}, level=level)
        check(plan, {"a": a[::-1], "b": np.asfortranarray(b)}, level=level)


@pytest.mark.parametrize("lanes", [1, 4, 8])
def test_a_block_evaluates_all_its_values_before_it_writes_and_starts_where_it_runs(lanes: int) -> None:
    plan = pair_plan(lanes)
    check_pairs(plan, load(plan))


def test_a_failed_check_is_numbered() -> None:
    plan = matmul_plan()
    a, b = np.zeros((2, 3), np.float32), np.zeros((4, 2), np.float32)
    assert call_sizes(plan, load(plan), {"a": a, "b": b})[0] == 1
    with pytest.raises(CallError, match="a's columns must be as many as b's rows"):
        run(plan, load(plan), {"a": a, "b": b})


def fma_tile(rows: int, width: int, lanes: int, masked: bool) -> Plan:
    """A matmul of register tiles whose inner loop is unrolled over rows and vectors; full columns unless masked."""
    m, n, k = symbol("M"), symbol("N"), symbol("K")
    a = Buffer("a", F32, (m, k), (stride("a", 0), const(4)))
    b = Buffer("b", F32, (k, n), (stride("b", 0), const(4)))
    c = Buffer("c", F32, (m, n), row_major((m, n), F32))
    tile = (const(rows), const(width))
    acc = Buffer("acc", F32, tile, row_major(tile, F32), "register")
    p, q = symbol("p"), symbol("q")
    row, column = symbol("r"), symbol("v") * lanes + symbol("l")
    cells = (Iter("p", "parallel", tile[0]), Iter("q", "parallel", tile[1]))
    points = (*cells, Iter("i", "parallel", m), Iter("j", "parallel", n))
    there = (row, column, symbol("t") * rows + row, symbol("c") * width + column)
    here, old = (Write("acc", (p, q)),), Read("acc", (p, q), F32)
    kk = symbol("k")
    step = apply("fma", Read("a", (i, kk), F32), Read("b", (kk, j), F32), old)
    inside = (ix.lt(there[3], n),) if masked else ()
    clear = Block("clear", cells, there[:2], (), here, (Const(0.0, F32),))
    update = Block("update", (*points, Iter("k", "reduce", k)), (*there, kk), inside, here, (step,))
    store = Block("store", points, there, inside, (Write("c", (i, j)),), (old,))

    def over_tile(block: Block) -> Loop:
        inner = Loop("l", const(lanes), "vectorized", (block,))
        return Loop("r", tile[0], "unrolled", (Loop("v", const(width // lanes), "unrolled", (inner,)),))

    columns = Loop(
        "c",
        ix.ceildiv(n, width),
        "serial",
        (over_tile(clear), Loop("k", k, "serial", (over_tile(update),)), over_tile(store)),
    )
    kernel = Kernel("tiles", (a, b, c, acc), (), (Loop("t", m // rows, "parallel", (columns,)),))
    dims = (("M", dim("a", 0)), ("K", dim("a", 1)), ("N", dim("b", 1)))
    checks = (Check(ix.eq(m % rows, 0), "rows"), Check(ix.eq(n % (1 if masked else width), 0), "columns"))
    return Plan(
        "tiles",
        (Tensor("a", F32, (m, k)), Tensor("b", F32, (k, n))),
        (Tensor("c", F32, (m, n)),),
        (),
        dims,
        checks,
        (),
        (kernel,),
        (Phase("tiles", m // rows, const(1)),),
    )


@pytest.mark.parametrize("level", LEVELS)
def test_register_tiles_with_a_masked_tail(level: str) -> None:
    plan = fma_tile(4, 32, 16, masked=True)
    random = np.random.default_rng(7)
    for n in (1, 16, 37, 64):
        a, b = (random.standard_normal(s).astype(np.float32) for s in ((8, 9), (9, n)))
        check(plan, {"a": a, "b": b}, level=level)


TILES = [("native", (8, 48, 16)), ("native", (3, 64, 64)), ("x86-64-v3", (6, 16, 8))]


@pytest.mark.parametrize(("level", "shape"), TILES)
def test_accumulators_stay_in_registers(level: str, shape: tuple[int, int, int]) -> None:
    if get_target("cpu", level).capabilities.vector_bytes < 32:
        pytest.skip("too few registers")
    plan = fma_tile(*shape, masked=False)
    listing = target(level).assembly(target(level).emit(plan))  # type: ignore[misc]
    pieces = re.split(r"^\.\w+:", listing, flags=re.M)
    inner = [p for p in pieces if "vfmadd" in p]
    floats = {"native": target(level).capabilities.vector_bytes // 4}.get(level, 8)
    assert sum(p.count("vfmadd") for p in inner) == shape[0] * shape[1] // floats
    for piece in inner:
        assert "Spill" not in piece and "Reload" not in piece
        assert not re.search(r"vmov\w+\s+%[xyz]mm\d+, .*\(", piece), "an accumulator is stored inside of the loop"


def test_a_reduction_of_64_partials() -> None:
    """Partials in lanes of a register buffer, then joined by halves."""
    rows, width = symbol("R"), symbol("N")
    x, y = Tensor("x", F32, (rows, width)), Tensor("y", F32, (rows,))
    part = Buffer("part", F32, (const(64),), (const(4),), "register")
    p, n = symbol("p"), symbol("n")
    lane = Iter("p", "parallel", const(64))

    def partial(at: Index) -> Read:
        return Read("part", (at,), F32)

    def lanes(count: int, *blocks: Block) -> Loop:
        return Loop("l", const(count), "vectorized", blocks)

    here = (Write("part", (p,)),)
    column = n * 64 + symbol("l")
    start = Block("start", (lane,), (symbol("l"),), (), here, (Const(0.0, F32),))
    take = Block(
        "take",
        (lane, Iter("i", "parallel", rows), Iter("j", "reduce", width)),
        (symbol("l"), symbol("t"), column),
        (ix.lt(column, width),),
        here,
        (apply("add", partial(p), Read("x", (i, j), F32)),),
    )
    joins = tuple(
        lanes(
            h,
            Block(
                f"join{h}",
                (Iter("p", "parallel", const(h)),),
                (symbol("l"),),
                (),
                here,
                (apply("add", partial(p), partial(p + h)),),
            ),
        )
        for h in (32, 16, 8, 4, 2, 1)
    )
    end = Block("end", (Iter("i", "parallel", rows),), (symbol("t"),), (), (Write("y", (i,)),), (partial(const(0)),))
    body = (lanes(64, start), Loop("n", ix.ceildiv(width, 64), "serial", (lanes(64, take),)), *joins, end)
    buffers = (Buffer("x", F32, x.shape, (stride("x", 0), const(4))), Buffer("y", F32, y.shape, (const(4),)), part)
    kernel = Kernel("sums", buffers, (), (Loop("t", rows, "parallel", body),))
    plan = Plan(
        "sums",
        (x,),
        (y,),
        (),
        (("R", dim("x", 0)), ("N", dim("x", 1))),
        (),
        (),
        (kernel,),
        (Phase("sums", rows, const(1)),),
    )
    for level in LEVELS:
        for size in (0, 1, 63, 64, 200):
            check(plan, {"x": np.random.default_rng(size).standard_normal((3, size)).astype(np.float32)}, level=level)


def test_loops_that_differ_between_lanes_and_lanes_inside_of_lanes() -> None:
    """``y[i, j] = sum of x[0..i]`` with i in lanes, and j in lanes inside of it."""
    x, y = Tensor("x", I64, (N,)), Tensor("y", I64, (const(4), const(3)))
    old = Read("y", (i, j), I64)
    cell = (Iter("i", "parallel", const(4)), Iter("j", "parallel", const(3)))
    take = Block(
        "take",
        (*cell, Iter("k", "reduce", const(4))),
        (symbol("l"), symbol("m"), symbol("k")),
        (),
        (Write("y", (i, j)),),
        (apply("add", old, Read("x", (symbol("k"),), I64)),),
        (Const(0, I64),),
    )
    inner = Loop("k", symbol("l") + 1, "serial", (take,))
    body = Loop("l", const(4), "vectorized", (Loop("m", const(3), "vectorized", (inner,)),))
    buffers = (Buffer("x", I64, x.shape, (stride("x", 0),)), Buffer("y", I64, y.shape, row_major(y.shape, I64)))
    kernel = Kernel("sums", buffers, (), (body,))
    plan = Plan("sums", (x,), (y,), (), (("N", dim("x", 0)),), (), (), (kernel,), (Phase("sums", const(1), const(1)),))
    outputs, _ = run(plan, load(plan), {"x": np.array([1, 10, 100, 1000])})
    np.testing.assert_array_equal(outputs["y"], [[1] * 3, [11] * 3, [111] * 3, [1111] * 3])


@pytest.mark.parametrize("cells", [8, 7, 5])
@pytest.mark.parametrize("dtype", [BOOL, F16, I8, F64], ids=str)
def test_registers_of_any_dtype_under_a_mask(dtype: DType, cells: int) -> None:
    """Eight lanes go through a register buffer; those beyond the tail and beyond its cells leave it alone."""
    x = Tensor("x", dtype, (N,))
    buffer = Buffer("r", dtype, (const(cells),), (const(dtype.bytes),), "register")
    place = symbol("t") * cells + symbol("l")
    lane, cell = Iter("p", "parallel", const(cells)), Iter("i", "parallel", N)
    here, there = Read("r", (symbol("p"),), dtype), (symbol("l"), place)
    inside = (ix.lt(place, N), *((ix.lt(symbol("l"), cells),) if cells < 8 else ()))
    blocks = (
        Block("in", (lane, cell), there, inside, (Write("r", (symbol("p"),)),), (Read("x", (i,), dtype),)),
        Block("out", (lane, cell), there, inside, (Write("y", (i,)),), (here,)),
    )
    body = Loop("t", ix.ceildiv(N, cells), "parallel", (Loop("l", const(8), "vectorized", blocks),))
    y = Buffer("y", dtype, x.shape, (const(dtype.bytes),))
    buffers = (Buffer("x", dtype, x.shape, (stride("x", 0),)), y, buffer)
    kernel = Kernel("copy", buffers, (), (body,))
    plan = Plan(
        "copy",
        (x,),
        (Tensor("y", dtype, (N,)),),
        (),
        (("N", dim("x", 0)),),
        (),
        (),
        (kernel,),
        (Phase("copy", ix.ceildiv(N, cells), const(1)),),
    )
    check(plan, {"x": edges(dtype)})
    check(plan, {"x": np.repeat(edges(dtype)[::-1], 2)[1::3]})


def test_blocks_that_an_unrolled_loop_decides() -> None:
    place = symbol("t") * 4 + symbol("u")
    x, write = Read("x", (i,), F32), (Write("y0", (i,)),)
    inside, late = ix.lt(place, N), ix.ge(symbol("u"), 2)
    rows = (Iter("i", "parallel", N),)
    first = Block("first", rows, (place,), (inside,), write, (x,))
    second = Block("second", rows, (place,), (inside, late), write, (apply("neg", x),))
    plan = pointwise([X], [(x, F32)], N)
    (kernel,) = plan.kernels
    tasks = Loop("t", ix.ceildiv(N, 4), "parallel", (Loop("u", const(4), "unrolled", (first, second)),))
    plan = replace(plan, kernels=(replace(kernel, body=(tasks,)),), steps=(Phase("map", tasks.extent, const(1)),))
    check(plan, {"x": np.arange(1, 11, dtype=np.float32)})


# --- sizes ------------------------------------------------------------------------------------


def test_sizes_computes_every_kind_of_index() -> None:
    a, b = (symbol(f"{n}") for n in ("a", "b"))
    values = [
        a // 3,
        a % 3,
        a // -8,
        a % -8,
        (a - 5) // 4,
        (a - 5) % 4,
        (a - 50) // 7,
        (a - 50) % 7,
        (a - b) // 7,
        (a - b) % 7,
        a // b,
        a % b,
        (a - 9) // (b - 6),
        (a - 9) % (b - 6),
        ix.minimum(a, b, 7),
        ix.maximum(a - b, 3),
        ix.pow2(a % 9),
        ix.ctz(a + 1),
        a * b * 3 - a * 2 + 1,
        (a * b + 3) // (b + 1) * 2,
    ]
    dims = [("a", dim("x", 0)), ("b", dim("x", 1)), *((f"v{n}", v) for n, v in enumerate(values))]
    x = Tensor("x", F32, (a, b))
    plan = Plan("sizes", (x,), (), (), tuple(dims), (), (), (), ())
    loaded = load(plan)
    for m, n in product((0, 1, 5, 8, 63, 64, 100), (0, 1, 2, 3, 6, 9, 17)):
        failed, table, _ = call_sizes(plan, loaded, {"x": np.empty((m, n), np.float32)})
        assert failed == 0
        for k, v in enumerate(values):
            try:
                expected = evaluate(v, {"a": m, "b": n})
            except Exception:
                continue  # a division by 0 has no value, and must only not trap
            assert table[f"v{k}"] == expected, (str(v), m, n)


def test_the_first_failing_check_wins() -> None:
    n = symbol("N")
    checks = [ix.ge(n, 2), ix.eq(n % 4, 0), ix.lt(n, 100), Condition("ge", const(0))]
    plan = Plan("checks", (X,), (), (), (("N", dim("x", 0)),), tuple(Check(c, str(c)) for c in checks), (), (), ())
    loaded = load(plan)
    for size, failed in ((1, 1), (6, 2), (104, 3), (8, 0), (101, 2)):
        assert call_sizes(plan, loaded, {"x": np.empty(size, np.float32)})[0] == failed


# --- refusals ---------------------------------------------------------------------------------


def test_what_is_not_native_is_refused() -> None:
    plan = pointwise([X], [(apply("exp", Read("x", (i,), F32)), F32)], N)
    with pytest.raises(UnsupportedError, match=r"kernel map: target cpu:native cannot emit exp of f32"):
        target("native").emit(plan)


@pytest.mark.parametrize(("level", "functions"), [("native", 0), ("x86-64-v3", 0), ("x86-64", 1)])
def test_what_a_level_emulates_is_in_its_module_once(level: str, functions: int) -> None:
    x = Read("x", (i,), F32)
    for _ in range(50):
        x = apply("fma", x, x, x)
    text = target(level).emit(pointwise([X], [(x, F32)], N, lanes=16))
    assert text.count("define internal") == functions
    assert text.count(' call <4 x float> @"tw.fma.f32.4"') == (4 * 50 if functions else 0)


def test_unknown_targets_and_levels() -> None:
    with pytest.raises(UserError, match="unknown target 'gpu'") as caught:
        get_target("gpu")
    assert caught.value.hint == "one of c, cpu"
    with pytest.raises(UserError, match="target 'cpu' has no level 'z80'"):
        get_target("cpu", "z80")


def test_code_from_outside_is_refused() -> None:
    with pytest.raises(InternalError, match=r"the intrinsic llvm\.exp is not on the cpu target's list"):
        build.check_intrinsics("%r = call float @llvm.exp.f32(float %x)")
    with pytest.raises(InternalError, match="LLVM refuses"):
        build.compile_objects([build.MODULE + "\ndefine void @f() {"], build.host())
