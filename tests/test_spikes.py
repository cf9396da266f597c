"""Four things that show whether the IR is right: derivatives as text, fusion of a trace, schedules of a matmul, and ops
over the exact field through the real emitters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Any

import abi
import numpy as np
import pytest
from numpy.typing import NDArray
from op_table import PROBES

import tilewright as tw
from tilewright.compiler.function import FunctionOp
from tilewright.compiler.op import Op
from tilewright.compiler.optimise import optimise
from tilewright.compiler.stages import Compilation
from tilewright.dsl.parse import parse
from tilewright.dsl.parse_loops import parse_kernel, parse_plan
from tilewright.dsl.specialise import specialise
from tilewright.errors import ScheduleError
from tilewright.ir.interpret import EXACT, TYPED, run_plan
from tilewright.ir.plan import Plan
from tilewright.ir.tensor import Function
from tilewright.ir.text_loops import print_kernel, print_plan
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import FIELD
from tilewright.ir.verify_loops import verify_plan
from tilewright.passes.legalise import legalise
from tilewright.passes.loops import Expand, Reorder, Simplify, Split, Vectorize
from tilewright.passes.lower import lower
from tilewright.passes.pipeline import Pass, Pipeline
from tilewright.passes.schedule.lanes import SinkLanes
from tilewright.passes.tensor.differentiate import differentiate
from tilewright.targets.target import get_target
from tilewright.testing.compare import assert_same_bits, random_array, random_inputs
from tilewright.testing.run import run_loops, run_tensor

Array = NDArray[Any]
RNG = np.random.default_rng(17)
PLACES = [("cpu", "native"), ("cpu", "x86-64-v3"), ("cpu", "x86-64"), ("c", None)]


def default(op: Op, rank: int = 1) -> Compilation:
    """The road of ``op`` for contiguous operands, f32 where there is a choice, ``rank`` axes for each pack."""
    return op.compilation(op.default_request({}, rank, {}))


# --- 1. derivatives are functions of the language ---------------------------------------------

MATMUL_VJP = """\
op matmul_vjp(a: f32[M, K], b: f32[K, N], d_c: f32[M, N]) -> d_a: f32[M, K], d_b: f32[K, N]:
    d_a[i: M, k: K] = fold[j: N](acc: f32 = 0.0 -> acc + d_c[i, j] * b[k, j]; (other) -> acc + other)
    d_b[k: K, j: N] = fold[i: M](acc: f32 = 0.0 -> acc + d_c[i, j] * a[i, k]; (other) -> acc + other)
"""
EMBEDDING_VJP = """\
op embedding_vjp(w: f32[V, D], idx: i64[_0], d_y: f32[_0, D]) -> d_w: f32[V, D]:
    d_w[idx[i0], d] += d_y[i0, d] for i0: _0, d: D
"""


def vjp(name: str, rank: int, *wrt: str) -> Function:
    return differentiate(default(tw.ops.get(name), rank).function, wrt)


@pytest.mark.parametrize(
    ("name", "rank", "wrt", "text"), [("matmul", 0, ("a", "b"), MATMUL_VJP), ("embedding", 1, ("w",), EMBEDDING_VJP)]
)
def test_a_vjp_is_text_of_the_language(name: str, rank: int, wrt: tuple[str, ...], text: str) -> None:
    gradient = vjp(name, rank, *wrt)
    assert print_function(gradient) == text
    assert specialise(parse(text).ops[0]) == gradient


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("sizes", [(5, 7, 33), (1, 1, 1), (0, 3, 2), (2, 0, 3), (17, 4, 130)])
def test_the_vjp_of_matmul_runs(target: str, sizes: tuple[int, int, int]) -> None:
    m, k, n = sizes
    run = FunctionOp(specialise(parse(MATMUL_VJP).ops[0]), target=target)
    a, b, d_c = (RNG.integers(-9, 9, shape).astype(np.float32) for shape in ((m, k), (k, n), (m, n)))
    for dc in (d_c, np.asfortranarray(d_c)):
        d_a, d_b = run(a, b, dc)
        np.testing.assert_array_equal(d_a, dc @ b.T)
        np.testing.assert_array_equal(d_b, a.T @ dc)


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("rows", [0, 1, 7, 400])
def test_the_vjp_of_embedding_runs(target: str, rows: int) -> None:
    run = FunctionOp(specialise(parse(EMBEDDING_VJP).ops[0]), target=target)
    w, idx, d_y = RNG.normal(size=(11, 37)), RNG.integers(0, 11, rows), RNG.normal(size=(rows, 37))
    w, d_y = w.astype(np.float32), d_y.astype(np.float32)
    assert rows < 400 or len(set(idx)) < rows
    wanted = np.zeros_like(w)
    np.add.at(wanted, idx, d_y)
    for threads in (1, 2):
        with tw.threads(threads):
            np.testing.assert_array_equal(run(w, idx, d_y), wanted)


# --- 2. a trace becomes one kernel -----------------------------------------------------------

SHIFT = "op shift[T: float](x: T[..., C], w: T[C], b: T[C]) -> y: T[..., C]:\n    y[..., c] = x[..., c] * w[c] + b[c]\n"
RELU = "op relu[T: float](x: T[...]) -> y: T[...]:\n    y[...] = max(x[...], 0)\n"


shift, relu = tw.op(SHIFT), tw.op(RELU)


def block(x: Any, w: Any, b: Any) -> Any:
    return relu(shift(x, w, b))


def dense(a: Any, b: Any, w: Any) -> Any:
    return relu(shift(tw.ops.matmul(a, b), w, w))


def attention(a: Any, b: Any) -> Any:
    return tw.ops.softmax(tw.ops.matmul(a, relu(b)))


def kernels(traced: FunctionOp) -> list[str]:
    layout = {t.name: len(t.shape) - 1 for t in traced.function.inputs}
    return [k.name for k in traced.compilation(layout).loops.kernels]


def normal(*shape: int) -> Array:
    return RNG.normal(size=shape).astype(np.float32)


def test_two_traced_ops_are_one_kernel() -> None:
    x, w, b = normal(3, 133), normal(133), normal(133)
    assert kernels(tw.trace(shift, x, w, b)) == ["shift_t1"]
    assert kernels(tw.trace(block, x, w, b)) == ["block_t2"]


def test_pointwise_ops_after_a_matmul_are_one_more_kernel() -> None:
    a, b, w = normal(17, 23), normal(23, 37), normal(37)
    assert kernels(tw.trace(dense, a, b, w)) == ["dense_t1", "dense_t3"]


TRACED = {
    block: lambda n: (normal(3, n), normal(n), normal(n)),
    dense: lambda n: (normal(5, n), normal(n, 7), normal(7)),
    attention: lambda n: (normal(4, 9), normal(9, n)),
}


@pytest.mark.parametrize("function", TRACED)
@pytest.mark.parametrize(("target", "level"), PLACES)
def test_a_trace_has_the_bits_of_its_ops(target: str, level: str | None, function: Callable[..., Any]) -> None:
    traced = tw.trace(function, *TRACED[function](1), target=target, level=level)
    for size in (0, 1, 2, 17, 133):
        operands = TRACED[function](size)
        assert_same_bits(traced(*operands), function(*operands))
    assert traced.misses == 1


def test_a_traced_function_can_be_traced_again() -> None:
    x = normal(3, 133)
    inner = tw.trace(tw.ops.softmax, x)
    outer = tw.trace(lambda y: tw.ops.cumsum(inner(inner(y))), x)
    assert_same_bits(outer(x), tw.ops.cumsum(tw.ops.softmax(tw.ops.softmax(x))))


# --- 3. schedules of matmul ------------------------------------------------------------------

SIZES = ({"M": 3, "K": 5, "N": 7}, {"M": 2, "K": 9, "N": 17}, {"M": 1, "K": 1, "N": 1}, {"M": 5, "K": 4, "N": 8},
         {"M": 0, "K": 3, "N": 2}, {"M": 2, "K": 0, "N": 9}, {"M": 4, "K": 2, "N": 0})  # fmt: skip
TILED = (
    Split("i", 2),
    Split("j", 8, "mask"),
    Reorder(("j_o", "i_o", "i_i", "j_i")),
    Expand("j_i"),
    Vectorize("j_i"),
    SinkLanes(),
    Simplify(),
)
SCHEDULES: dict[str, tuple[Pass, ...]] = {
    "split{loop=j factor=8}": (Split("j", 8),),
    "split{loop=k factor=4 tail=cut}": (Split("k", 4, "cut"),),
    "split{loop=k factor=3},split{loop=i factor=2 tail=cut}": (Split("k", 3), Split("i", 2, "cut")),
    "reorder{loops=[j, i]}": (Reorder(("j", "i")),),
    "split{loop=j factor=4},reorder{loops=[j_o, i, j_i]}": (Split("j", 4), Reorder(("j_o", "i", "j_i"))),
    "split{loop=i factor=2},split{loop=j factor=8 tail=mask},reorder{loops=[j_o, i_o, i_i, j_i]},"
    "expand{loop=j_i},vectorize{loop=j_i},sink-lanes,simplify": TILED,
}  # fmt: skip


def matmul() -> tuple[Function, Plan]:
    """Before any schedule: three serial loops and an accumulator."""
    road = default(tw.ops.matmul, 0)
    return road.tensor, lower(road.tensor, road.layout)


def scheduled(plan: Plan, *passes: Pass) -> Plan:
    return replace(plan, kernels=tuple(Pipeline(passes).run(k) for k in plan.kernels))


@pytest.mark.parametrize("pipeline", SCHEDULES)
def test_a_schedule_changes_no_value(pipeline: str) -> None:
    function, plan = matmul()
    after = scheduled(plan, *SCHEDULES[pipeline])
    verify_plan(after)
    assert after != plan
    assert list(optimise(print_plan(plan), "matmul", pipeline)) == [print_plan(after)]
    assert parse_plan(print_plan(after)) == after
    for sizes in SIZES:
        inputs = random_inputs(function, sizes, EXACT, Random(repr(sizes)))
        wanted = run_plan(plan, inputs, {}, EXACT)["c"]
        assert_same_bits(run_plan(after, inputs, {}, EXACT)["c"], wanted)


@pytest.mark.parametrize("pipeline", SCHEDULES)
@pytest.mark.parametrize(("target", "level"), PLACES)
def test_a_scheduled_kernel_runs(pipeline: str, target: str, level: str | None) -> None:
    function, plan = matmul()
    to = get_target(target, level)
    legal = legalise(scheduled(plan, *SCHEDULES[pipeline]), to.capabilities)
    loaded = to.load(to.emit(legal), legal)
    for sizes in SIZES:
        inputs = random_inputs(function, sizes, TYPED, Random(repr(sizes)))
        wanted = run_plan(plan, inputs, {}, TYPED)["c"]
        assert_same_bits(abi.run(legal, loaded, inputs)[0]["c"], wanted)


REFUSED = {
    "split{loop=k factor=4},reorder{loops=[k_i, k_o]}": (
        "reorder{loops=[k_i, k_o]}: iterations that differ in k_o and k_i would change their order: "
        "k_o=0, k_i=1 and k_o=1, k_i=0 both touch acc[] (for K=5, M=5, N=5, i=0, j=0)",
        None,
    ),
    "split{loop=k factor=4},vectorize{loop=k_i}": (
        "vectorize{loop=k_i}: iterations of k_i depend on each other: "
        "k_i=0 and k_i=1 both touch acc[] (for K=3, M=3, N=3, i=0, j=0, k_o=0)",
        None,
    ),
    "vectorize{loop=j}": (
        "vectorize{loop=j}: the extent of j, N, is not constant",
        "split it by the lanes first",
    ),
    "reorder{loops=[k, i]}": ("reorder{loops=[k, i]}: k and i are not perfectly nested", None),
    "split{loop=j factor=8 tail=perfect}": (
        "split{loop=j factor=8 tail=perfect}: cannot prove that 8 divides N, the extent of j",
        "use tail=guard or tail=cut, or give the condition (N % 8) == 0",
    ),
}


@pytest.mark.parametrize("pipeline", REFUSED)
def test_an_illegal_schedule_is_refused(pipeline: str) -> None:
    _, plan = matmul()
    with pytest.raises(ScheduleError) as caught:
        list(optimise(print_plan(plan), "matmul", pipeline))
    assert (caught.value.message, caught.value.hint) == REFUSED[pipeline]


REGISTER = """\
kernel last():
    global x: f32[M, N] strides [N*4, 4]
    global y: f32[M, N] strides [N*4, 4]
    global z: f32[] strides []
    register r: f32[] strides []
    for i in 0..M:
        for j in 0..N:
            block put:
                iter i: parallel 0..M = i
                iter j: parallel 0..N = j
                r[] = x[i, j]
            block y:
                iter i: parallel 0..M = i
                iter j: parallel 0..N = j
                y[i, j] = r[]
"""
LATER = """\
    block z:
        z[] = r[]
"""


def test_loops_over_a_register_change_places_unless_it_is_read_later() -> None:
    swap = Reorder(("j", "i"))
    assert "for j in 0..N:\n        for i in 0..M:" in print_kernel(swap.run(parse_kernel(REGISTER)))
    with pytest.raises(ScheduleError, match="iterations that differ in i and j would change their order"):
        swap.run(parse_kernel(REGISTER + LATER))


# --- 4. the exact field through the emitters --------------------------------------------------

OTHER_CELLS = (0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFF00000003, 0, 1)
"""-inf, poison, 3 without a second residue, zero, and 1 mod p with 0 mod q."""


def cells(random: Random, *shape: int) -> Array:
    """Random cells of the field; one in ten is one of the odd ones."""
    found: Array = random_array(shape, FIELD, EXACT, random)
    for n in range(found.size):
        if random.random() < 0.1:
            found.flat[n] = random.choice(OTHER_CELLS)
    return found


def field_call(op: str, random: Random) -> tuple[list[Array], dict[str, Any]]:
    """Operands (as cells where they are of the field) and keywords."""
    if op == "matmul":
        return [cells(random, 5, 9), cells(random, 9, 37)], {}
    if op == "conv2d":
        return [cells(random, 2, 3, 7, 9), cells(random, 4, 3, 3, 2), cells(random, 4)], {"stride": 2, "padding": 1}
    if op == "embedding":
        return [cells(random, 7, 19), np.array([random.randrange(7) for _ in range(12)])], {}
    keywords: dict[str, dict[str, Any]] = {"dropout": {"p": 0.25, "seed": 7, "offset": 3}, "argmax": {"R": 1}}
    return [cells(random, 3, 5, 37)], keywords.get(op, {})


@pytest.mark.parametrize("op", PROBES)
def test_an_op_over_the_field_is_the_same_everywhere(op: str) -> None:
    """Cell for cell, by both interpreters, the C emitter and every level of the LLVM emitter."""
    arrays, keywords = field_call(op, Random(op))
    operands = [tw.Tensor.from_buffer(x, "field") if x.dtype == np.uint64 else tw.as_tensor(x) for x in arrays]
    (wanted,) = run_tensor(tw.ops.get(op), operands, keywords, TYPED)
    assert len(np.unique(wanted)) > 10
    (loops,) = run_loops(tw.ops.get(op), operands, keywords, TYPED)
    assert_same_bits(loops, wanted)
    if op != "dropout":  # its random numbers are f32, which the exact domain replaces too
        assert_same_bits(run_tensor(tw.ops.get(op), operands, keywords, EXACT)[0], wanted)
    for target, level in PLACES:
        compiled = tw.ops.get(op).on(target, level)(*operands, **keywords)
        assert_same_bits(np.asarray(compiled), wanted)


@pytest.mark.parametrize(("target", "level"), PLACES)
def test_a_tree_of_sums_over_the_field_loses_no_element(target: str, level: str | None) -> None:
    """Chunks of 4096 with 64 partials each: rounding could hide a lost element, residues cannot."""
    dot = tw.op(
        "op dot[T: float](a: T[K], b: T[K]) -> y: T[]:\n    y[] = sum[k](a[k] * b[k])\n", target=target, level=level
    )
    assert "@ 4096 x 64" in dot.text("tensor")
    random = Random(5)
    for size in (0, 1, 63, 64, 65, 4095, 9001):
        a, b = (random_array((size,), FIELD, EXACT, random) for _ in range(2))
        operands = [tw.Tensor.from_buffer(x, "field") for x in (a, b)]
        (wanted,) = run_tensor(dot, operands, {}, EXACT)
        assert_same_bits(np.asarray(dot(*operands)), wanted)
