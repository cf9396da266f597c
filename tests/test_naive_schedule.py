"""The naive schedule: what it does to each kind of kernel, and its steps before and after."""

from __future__ import annotations

from random import Random

import hand_built
import pytest
from hand_built import Axis, K, M, N, Tensor, i, k, read, summed
from loop_oracle import brute_force_legal

from tilewright.dsl.parse_loops import parse_kernel
from tilewright.errors import ScheduleError
from tilewright.ir import index as ix
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.index import Index, const
from tilewright.ir.interpret import TYPED
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Write, blocks, walk
from tilewright.ir.plan import Phase, Plan
from tilewright.ir.scalar import Read, literal
from tilewright.ir.tensor import Compute, Function, Order, Scatter
from tilewright.ir.text_loops import print_kernel
from tilewright.ir.types import F32, F64, I64
from tilewright.passes.loops.expand import Expand
from tilewright.passes.loops.parallel import Parallel
from tilewright.passes.loops.split import Split
from tilewright.passes.loops.vectorize import Vectorize
from tilewright.passes.lower import lower
from tilewright.passes.pipeline import Pass
from tilewright.passes.schedule import naive
from tilewright.passes.schedule.default import schedule, scheduled
from tilewright.passes.schedule.lanes import Clip, Once, SinkLanes, Tidy
from tilewright.passes.schedule.naive import Naive
from tilewright.passes.tensor.set_order import SetOrder
from tilewright.testing.compare import assert_plan_means, random_inputs

NONE, SSE, AVX = (Capabilities(w, frozenset()) for w in (0, 16, 32))


def units(f: Function) -> dict[str, int]:
    return {t.name: len(t.shape) - 1 for t in f.inputs}


def ordered(f: Function) -> Function:
    return SetOrder(tuple(units(f).items())).run(f)


def unscheduled(f: Function) -> Plan:
    return lower(ordered(f), units(f))


def only_kernel(f: Function) -> Kernel:
    (kernel,) = unscheduled(f).kernels
    return kernel


def loops(kernel: Kernel) -> list[Loop]:
    return [s for s, _ in walk(kernel.body) if isinstance(s, Loop)]


def lanes(kernel: Kernel) -> set[int]:
    return {o.extent.const for o in loops(kernel) if o.kind == "vectorized"}


def steps(f: Function, capabilities: Capabilities) -> list[str]:
    return [str(step) for step, _ in Naive(only_kernel(f), capabilities).run().steps]


# --- which steps ----------------------------------------------------------------------------------


def test_steps_of_a_contraction() -> None:
    assert steps(hand_built.matmul(), AVX) == [
        "parallel{loop=i}",
        "parallel{loop=j}",
        "split{loop=j factor=128 names=[j_tile, j_in]}",
        "fuse{outer=i inner=j_tile into=i_j_tile}",
        "clip{loop=j_in}",
        "split{loop=j_in factor=8 tail=cut names=[j_in_v, j_in_l, j_in_rest]}",
        "split{loop=j_in_rest factor=8 tail=mask names=[j_in_rest_v, j_in_rest_l]}",
        "once{loop=j_in_rest_v}",
        "expand{loop=j_in_l}",
        "vectorize{loop=j_in_l}",
        "expand{loop=j_in_rest_l}",
        "vectorize{loop=j_in_rest_l}",
        "sink-lanes",
        "tidy",
    ]


def test_every_step_has_a_reason() -> None:
    made = Naive(only_kernel(hand_built.matmul()), AVX).run()
    assert all(reason and "\n" not in reason for _, reason in made.steps)


def test_a_row_reduction_has_lanes_of_partials_and_rows_as_tasks() -> None:
    kernel = unscheduled(hand_built.softmax()).kernels[0]
    with_max = Capabilities(32, frozenset({("max", "f32")}))
    applied = [str(step) for step, _ in Naive(kernel, with_max).run().steps]
    assert applied == ["parallel{loop=i}", *(f"vectorize{{loop=j_lane{n}}}" for n in ("", *range(2, 9))), "tidy"]


def test_partials_of_what_is_expanded_share_a_few_registers() -> None:
    kernel = unscheduled(hand_built.softmax()).kernels[0]
    applied = [str(step) for step, _ in Naive(kernel, AVX).run().steps]
    assert applied[2:4] == [
        "split{loop=j_lane2 factor=32 tail=cut names=[j_lane2_part, j_lane2_l]}",
        "vectorize{loop=j_lane2_l}",
    ]
    assert max(lanes(scheduled(kernel, SSE).kernel) - {64}) == 16


def test_without_vectors_there_are_only_tasks() -> None:
    assert steps(hand_built.matmul(), NONE) == [
        "parallel{loop=i}",
        "parallel{loop=j}",
        "fuse{outer=i inner=j into=i_j}",
        "tidy",
    ]
    assert steps(hand_built.argmax(), NONE) == ["parallel{loop=i}", "tidy"]


def test_a_recurrence_along_rows_has_rows_as_tasks() -> None:
    assert steps(hand_built.cumsum(4), AVX) == ["parallel{loop=i}", "tidy"]
    assert steps(hand_built.recurrence(), AVX) == ["tidy"]


def test_independent_axes_go_outside_of_ordered_ones() -> None:
    dy, idx, like = Tensor("dy", F32, (N, K)), Tensor("idx", I64, (N,)), Tensor("like", F32, (M,))
    y = Tensor("y", F32, (M, K))
    how = Scatter((Read("idx", (i,), I64), k), "add", literal(0, F32))
    body = Compute((y,), (Axis("i", N), Axis("k", K)), (read(dy, i, k),), scatter=how)
    plan = unscheduled(Function("f", (dy, idx, like), (), (body,), ("y",)))
    applied = [str(step) for step, _ in Naive(plan.kernels[1], AVX).run().steps]
    assert applied[0] == "reorder{loops=[k, i]}" and "vectorize{loop=k_in_l}" in applied


def test_lanes_fit_the_widest_type() -> None:
    for dtype, width in ((F32, 8), (F64, 4)):
        assert lanes(scheduled(only_kernel(hand_built.matmul(dtype)), AVX).kernel) == {width}
    assert lanes(scheduled(only_kernel(hand_built.matmul()), SSE).kernel) == {4}


def test_lanes_fit_what_is_computed_on_the_way() -> None:
    """Random bits are computed in u64; where an instruction gave them, they would be as wide as they are."""
    keep = unscheduled(hand_built.dropout()).kernels[0]
    own = Capabilities(32, frozenset({("bits", "u64")}))
    assert lanes(scheduled(keep, AVX).kernel) == {4} and lanes(scheduled(keep, own).kernel) == {8}


def test_tasks_and_chunks_of_phases() -> None:
    plan = schedule(unscheduled(hand_built.matmul()), AVX)
    (phase,) = plan.steps
    assert isinstance(phase, Phase)
    tiles = ix.ceildiv(N, 128)
    assert phase.tasks is M * tiles
    assert phase.chunk is ix.maximum(1, M * tiles * 16384 // ix.maximum(1, M * N * K))


def test_what_cannot_be_proved_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(step: Pass, kernel: Kernel) -> Kernel:
        raise ScheduleError("cannot prove")

    kernel = only_kernel(hand_built.matmul())
    monkeypatch.setattr(Vectorize, "run", refuse)
    assert [o.kind for o in loops(scheduled(kernel, AVX).kernel)] == ["parallel", "serial"]
    monkeypatch.setattr(Parallel, "run", refuse)
    assert scheduled(kernel, AVX).kernel == kernel


def test_vectors_are_innermost() -> None:
    for f in (hand_built.matmul(), hand_built.conv1d(2, 1), hand_built.dropout(), hand_built.softmax()):
        for kernel in schedule(unscheduled(f), AVX).kernels:
            for block, around in blocks(kernel):
                inside_out = [o.kind for o in reversed(around)]
                assert "vectorized" not in inside_out[1:], block.name


# --- what comes out -------------------------------------------------------------------------------


def check(f: Function, at: list[dict[str, int]]) -> None:
    plan = schedule(unscheduled(f), SSE)
    for dims in at:
        inputs = random_inputs(f, dims, TYPED, Random(1))
        assert_plan_means(ordered(f), plan, inputs, {}, TYPED, Random(2))


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 8, 63, 64, 65, 127, 128, 200])
def test_rows_of_constant_extents(n: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naive, "ROW_POINTS", 16)
    x, y = Tensor("x", F32, (const(n),)), Tensor("y", F32, (const(n),))
    copy = Function("copy", (x,), (), (Compute((y,), (Axis("i", const(n)),), (read(x, i),)),), ("y",))
    check(copy, [{}])
    x = Tensor("x", F32, (K, const(n)))
    column = summed(y, (Axis("i", const(n)),), (Axis("k", K),), read(x, k, i), (Order(4, 1),))
    check(Function("column", (x,), (), (column,), ("y",)), [{"K": 5}])


@pytest.mark.parametrize("points", [4, 12, 18])
def test_rows_of_several_tiles(points: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(naive, "ROW_POINTS", points)
    monkeypatch.setattr(naive, "ROW_VECTORS", 2)
    at = [{"M": 2, "N": n, "K": 3} for n in (0, 1, 3, 4, 12, 35, 36, 37)]
    for f in (hand_built.softmax(), hand_built.matmul()):
        check(f, at)


def test_the_last_vector_of_short_rows_is_no_loop_of_one() -> None:
    x, y = Tensor("x", F32, (N,)), Tensor("y", F32, (N,))
    copy = Function("copy", (x,), (), (Compute((y,), (Axis("i", N),), (read(x, i),)),), ("y",))
    (kernel,) = schedule(unscheduled(copy), SSE).kernels
    assert [o.kind for o in loops(kernel)] == ["parallel", "serial", "vectorized", "vectorized"]
    (last,) = (b for b, _ in blocks(kernel) if b.name == "store_tail")
    assert len(last.predicate) == 1


def ones(extent: ix.Index) -> Kernel:
    """``y[v] = 1`` in a serial loop over v."""
    p = ix.symbol("p")
    block = Block("b", (Iter("p", "parallel", extent),), (ix.symbol("v"),), (), (Write("y", (p,)),), (literal(1, F32),))
    return Kernel("k", (Buffer("y", F32, (extent,), (const(4),)),), (), (Loop("v", extent, "serial", (block,)),))


def test_a_loop_of_at_most_one_iteration_becomes_its_condition() -> None:
    (once,) = Once("v").run(ones(ix.minimum(1, N))).body
    assert isinstance(once, Block)
    assert once.bindings == (const(0),) and once.predicate == (ix.ge(ix.minimum(1, N), 1),)
    longer = ones(ix.minimum(2, N))
    assert Once("v").run(longer) is longer


# --- the steps ------------------------------------------------------------------------------------


def body_text(kernel: Kernel) -> list[str]:
    """Loops and what blocks write, one per line."""
    lines = print_kernel(kernel).split("\n")
    return [t for t in lines if t.strip().startswith(("for", "register")) or " = " in t and "iter" not in t]


def rows() -> Kernel:
    """``y[i] = sum[k] x[k, i]``, a chain, as it is lowered."""
    x, y = Tensor("x", F32, (K, N)), Tensor("y", F32, (N,))
    f = Function("f", (x,), (), (summed(y, (Axis("i", N),), (Axis("k", K),), read(x, k, i)),), ("y",))
    (kernel,) = lower(f, {"x": 1}).kernels
    return kernel


def test_clip_makes_a_condition_the_extent() -> None:
    split = Split("i", 8).run(rows())
    clipped = Clip("i_i").run(split)
    inner = next(o for o in loops(clipped) if o.var == "i_i")
    assert inner.extent is ix.minimum(8, N - ix.symbol("i_o") * 8)
    assert all(not b.predicate for b, _ in blocks(clipped)) and all(b.predicate for b, _ in blocks(split))
    assert Clip("i_o").run(split) is split
    with pytest.raises(ScheduleError, match="no loop q"):
        Clip("q").run(split)


TWO_BLOCKS = """\
kernel k():
    global x: f32[N] strides [4]
    global y: f32[N] strides [4]
    register r: f32[2] strides [4]
    for i in 0..8:
        block a:
            iter i: parallel 0..N = i{first}
            r[1] = x[i]
        block b:
            iter i: parallel 0..N = i{second}
            y[i] = r[1]
"""
GUARD = "\n            where N >= i + 1"


@pytest.mark.parametrize(
    ("first", "second", "extent"), [(GUARD, GUARD, ix.minimum(8, N)), (GUARD, "", const(8)), ("", GUARD, const(8))]
)
def test_clip_leaves_out_what_no_block_does(first: str, second: str, extent: Index) -> None:
    kernel = parse_kernel(TWO_BLOCKS.format(first=first, second=second))
    clipped = Clip("i").run(kernel)
    assert loops(clipped)[0].extent is extent
    for n in (3, 8, 9):
        assert brute_force_legal(kernel, clipped, {"N": n})


def test_a_register_of_several_cells_has_all_of_them_for_each_lane() -> None:
    kernel = Expand("i").run(parse_kernel(TWO_BLOCKS.format(first="", second="")))
    assert body_text(Vectorize("i").run(kernel)) == [
        "    register r: f32[2, 8] strides [32, 4]",
        "    for i in 0..8 vectorized:",
        "            r[1, i_cell] = x[i]",
        "            y[i] = r[1, i_cell]",
    ]


def test_lanes_get_their_own_registers_and_go_inside() -> None:
    kernel = Split("i", 4).run(rows())
    with pytest.raises(ScheduleError, match="depend on each other"):
        Vectorize("i_i").run(kernel)
    kernel = Vectorize("i_i").run(Expand("i_i").run(kernel))
    assert body_text(SinkLanes().run(kernel)) == [
        "    register acc: f32[4] strides [4]",
        "    for i_o in 0..((N + 3) // 4):",
        "        for i_i in 0..4 vectorized:",
        "                acc[i_i_cell] = 0.0:f32",
        "        for k in 0..K:",
        "            for i_i2 in 0..4 vectorized:",
        "                    acc[i_i_cell] = acc[i_i_cell] + x[k, i]",
        "        for i_i3 in 0..4 vectorized:",
        "                y[i] = acc[i_i_cell]",
    ]


def test_registers_need_a_constant_extent() -> None:
    with pytest.raises(ScheduleError, match="the extent of i, N, is not constant"):
        Expand("i").run(rows())


def test_tidy_takes_away_loops_of_one_iteration_and_of_none() -> None:
    x, y = Tensor("x", F32, (K, const(1))), Tensor("y", F32, (const(1),))
    whole = Function("f", (x,), (), (summed(y, (Axis("i", const(1)),), (Axis("k", K),), read(x, k, i)),), ("y",))
    (kernel,) = lower(whole, {"x": 1}).kernels
    assert [o.var for o in loops(kernel)] == ["i", "k"] and [o.var for o in loops(Tidy().run(kernel))] == ["k"]
    empty = summed(y, (Axis("i", const(1)),), (Axis("k", const(0)),), read(x, k, i))
    (kernel,) = lower(Function("f", (x,), (), (empty,), ("y",)), {"x": 1}).kernels
    assert [b.name for b, _ in blocks(Tidy().run(kernel))] == ["start", "store"]
