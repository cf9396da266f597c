"""Tiles of sums in registers: where they are chosen, of which steps, and that they change no bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.compiler.optimise import LOOP_PASSES
from tilewright.dsl.parse_loops import parse_plan
from tilewright.dsl.parse_pipeline import parse_pipeline
from tilewright.errors import ScheduleError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.loops import Kernel, Loop, walk
from tilewright.ir.plan import Phase, Plan, Step
from tilewright.ir.text_loops import print_kernel, print_plan
from tilewright.passes.lower import lower
from tilewright.passes.pipeline import Pipeline
from tilewright.passes.schedule.default import explained, schedule
from tilewright.passes.schedule.tiles import Tiles

NATIVE = frozenset((o, d) for o in ("fma", "mul", "add", "sub", "max", "abs") for d in ("f32", "f64", "i32"))
WIDE = Capabilities(64, NATIVE, vector_registers=32)
NARROW = Capabilities(32, NATIVE)

MATMUL = "op matmul(a: f32[M, K], b: f32[K, N]) -> c: f32[M, N]:\n    c[i, j] = sum[k](a[i, k] * b[k, j])\n"


def kernel(text: str) -> Kernel:
    op = tw.op(text)
    c = op.compilation(op.default_request({}, 1, {}))
    return lower(c.tensor, c.layout).kernels[-1]


def steps(text: str, capabilities: Capabilities = WIDE) -> list[str]:
    return [str(step) for step, _ in Tiles(kernel(text), capabilities).run().steps]


def test_the_steps() -> None:
    assert steps(MATMUL) == [
        "split{loop=i factor=48 names=[i_task, i_in]}",
        "split{loop=j factor=480 names=[j_task, j_in]}",
        "reorder{loops=[i_task, j_task, j_in, i_in]}",
        "parallel{loop=i_task}",
        "parallel{loop=j_task}",
        "fuse{outer=i_task inner=j_task into=i_task_j_task}",
        "clip{loop=i_in}",
        "clip{loop=j_in}",
        "split{loop=j_in factor=48 tail=cut names=[j_in_tile, j_in_i, j_in_rest]}",
        "split{loop=j_in_i factor=16 tail=perfect names=[j_in_v, j_in_l]}",
        "split{loop=j_in_rest factor=16 tail=mask names=[j_in_rest_v, j_in_rest_l]}",
        "split{loop=i_in factor=8 tail=cut names=[i_in_tile, i_in_i, i_in_rest]}",
        "expand{loop=i_in_i}",
        "expand{loop=j_in_v}",
        "expand{loop=j_in_l}",
        "vectorize{loop=j_in_l}",
        "unroll{loop=i_in_i}",
        "fission{loop=i_in_i inside=true}",
        "unroll{loop=j_in_v}",
        "fission{loop=j_in_v inside=true}",
        "split{loop=i_in_tail factor=8 tail=cut names=[i_in_tail_tile, i_in_tail_i, i_in_tail_rest]}",
        "expand{loop=i_in_tail_i}",
        "expand{loop=j_in_rest_l}",
        "vectorize{loop=j_in_rest_l}",
        "unroll{loop=i_in_tail_i}",
        "fission{loop=i_in_tail_i inside=true}",
        "sink-lanes",
        "tidy",
    ]


def shape(text: str, capabilities: Capabilities = WIDE) -> tuple[int, ...]:
    """The unrolled loops and the lanes of the first tile."""
    made = Tiles(kernel(text), capabilities).run().kernel
    found = [o for o, _ in walk(made.body) if isinstance(o, Loop) and o.kind in ("unrolled", "vectorized")][:3]
    return tuple(o.extent.const for o in sorted(found, key=lambda o: (o.kind, o.var)))


def test_a_tile_fills_the_registers() -> None:
    assert shape(MATMUL) == (8, 3, 16)
    assert shape(MATMUL, NARROW) == (6, 2, 8)
    assert shape(MATMUL.replace("f32", "f64")) == (8, 3, 8)
    assert shape(MATMUL.replace("a[i, k] * b[k, j]", "max(abs(a[i, k] - b[k, j]) - 1, 0) * 2")) == (3, 3, 16)


def test_names_and_the_order_of_operands_do_not_matter() -> None:
    renamed = """
op scores(query: f32[L, D], store: f32[D, S]) -> w: f32[L, S]:
    w[s, t] = sum[d](store[d, t] * query[s, d])
"""
    assert [s.split("{")[0] for s in steps(renamed)] == [s.split("{")[0] for s in steps(MATMUL)]


@pytest.mark.parametrize(
    "text",
    [
        "op f(x: f32[M, N]) -> y: f32[M, N]:\n    y[i, j] = x[i, j] * 2\n",
        "op f(x: f32[M, N]) -> y: f32[N]:\n    y[j] = sum[i](x[i, j])\n",
        "op f(x: f32[M, N]) -> y: f32[M]:\n    y[i] = sum[j](x[i, j])\n",
        "op f(x: f32[M], y: f32[N]) -> z: f32[M, N]:\n    z[i, j] = x[i] * y[j]\n",
        "op f(x: f32[M, K], y: f32[K]) -> z: f32[M]:\n    z[i] = sum[k](x[i, k] * y[k])\n",
        "op f(x: f32[M, N, K]) -> z: f32[M, N]:\n    z[i, j] = sum[k](x[i, j, k])\n",
        MATMUL.replace("a[i, k] * b[k, j]", "exp(a[i, k] * b[k, j])"),
        MATMUL.replace("a[i, k]", "a[i, k] * a[i, k] * a[i, k] * a[i, k] * a[i, k]").replace(
            "b[k, j]", " * ".join(["b[k, j]"] * 32)
        ),
    ],
    ids=["pointwise", "columns", "rows", "outer", "vector", "nothing again", "expanded", "long"],
)
def test_where_nothing_is_gained_there_are_none(text: str) -> None:
    with pytest.raises(ScheduleError):
        Tiles(kernel(text), WIDE).run()


EDGES = (1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 47, 48, 49, 63, 96, 97)


def same_bits(op: Any, *operands: Any, **attributes: Any) -> None:
    """The bits are those of C, which knows no tiles."""
    expected = np.asarray(op.on("c")(*operands, **attributes))
    for level in ("native", "x86-64-v3"):
        for threads in (1, 2):
            with tw.threads(threads):
                found = np.asarray(op.on("cpu", level)(*operands, **attributes))
            assert found.tobytes() == expected.tobytes()


@given(
    st.sampled_from(EDGES),
    st.sampled_from((*EDGES, 479, 480, 481, 530)),
    st.sampled_from((0, 1, 2, 5, 40)),
    st.sampled_from(("f32", "f64", "i32", "f16")),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_products_of_all_sizes(rows: int, columns: int, inner: int, dtype: str, turn_a: bool, turn_b: bool) -> None:
    rng = np.random.default_rng(rows * 1000 + columns)
    kinds = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "f16": np.float16}
    a = (rng.standard_normal((rows, inner)) * 4).astype(kinds[dtype])
    b = (rng.standard_normal((inner, columns)) * 4).astype(kinds[dtype])
    a, b = (np.asfortranarray(x) if turn else x for x, turn in ((a, turn_a), (b, turn_b)))
    same_bits(tw.ops.matmul, a, b)


LINEAR = "op linear(x: f32[M, K], w: f32[N, K]) -> y: f32[M, N]:\n    y[i, j] = sum[k](x[i, k] * w[j, k])\n"
RECURRENT = """
op recurrent(x: f32[T, N, J], w: f32[J, J]) -> h: f32[T, N, J]:
    for t: T:
        g[t, n, j] = sum[k]((h[t - 1, n, k] else 0) * w[j, k])
        h[t, n, j] = tanh(g[t, n, j] + x[t, n, j])
"""
CHANGING = """
op changing(x: f32[T, N, J], s0: f32[J, J]) -> y: f32[T, N, J]:
    s: f32[T, J, J]
    for t: T:
        y[t, n, j] = sum[k](x[t, n, k] * (s[t - 1, j, k] else 1))
        s[t, i, k] = (s[t - 1, i, k] else s0[i, k]) * 0.5 + 1
"""


def plan(text: str, capabilities: Capabilities = WIDE) -> Plan:
    op = tw.op(text)
    c = op.compilation(op.default_request({}, 1, {}))
    return schedule(lower(c.tensor, c.layout), capabilities)


def phases(steps: tuple[Step, ...]) -> list[str]:
    """The kernels of a plan in order, those of repeats in brackets."""
    return [s.kernel if isinstance(s, Phase) else f"[{' '.join(phases(s.steps))}]" for s in steps]


def test_what_lies_across_the_lanes_is_turned_where_rows_use_it_again() -> None:
    made = plan(LINEAR)
    assert phases(made.steps) == ["linear_y_turn", "linear_y_turned", "linear_y"]
    copy, tiles, few = made.kernels[1:] + made.kernels[:1]
    assert [str(t.shape[0]) for t in made.scratch] == ["K*min(1, max(0, M - 7))"]
    assert "w" in {b.name for b in few.buffers} and "w" not in {b.name for b in tiles.buffers}
    assert {b.name for b in copy.buffers} == {"w", "w_turned"}
    assert phases(plan(MATMUL).steps) == ["matmul_c"]
    assert phases(plan(LINEAR, Capabilities(0, NATIVE)).steps) == ["linear_y"]


def test_phases_with_conditions_are_written_and_read() -> None:
    made = plan(LINEAR)
    text = print_plan(made)
    assert text.count(" where M >= 8\n") == 2 and text.count(" where 7 >= M\n") == 1
    assert print_plan(parse_plan(text)) == text


def test_weights_of_a_recurrence_are_turned_once() -> None:
    assert phases(plan(RECURRENT).steps) == [
        "recurrent_g_turn",
        "[recurrent_g_turned recurrent_g recurrent_h]",
    ]


def test_turned_programs_are_checked_by_the_interpreters() -> None:
    rng = np.random.default_rng(3)
    x, w = (rng.standard_normal(s).astype(np.float32) for s in ((9, 5), (17, 5)))
    with tw.verify("each-pass"):
        y = tw.op(LINEAR.replace("x[i, k] * w[j, k]", "x[i, k] * w[j, k] * 2"))(x, w)
    np.testing.assert_allclose(y, 2 * x @ w.T, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("rows", [1, 7, 8, 9, 20])
@pytest.mark.parametrize("text", [LINEAR, RECURRENT, CHANGING], ids=["linear", "recurrent", "changing"])
def test_turned_operands_give_the_same_bits(text: str, rows: int) -> None:
    rng = np.random.default_rng(rows)
    shapes = ((rows, 6), (50, 6)) if text is LINEAR else ((4, rows, 6), (6, 6))
    same_bits(tw.op(text), *(rng.standard_normal(s).astype(np.float32) for s in shapes))


@pytest.mark.parametrize("channels", [1, 3, 8, 9])
@pytest.mark.parametrize("width", [5, 16, 50])
@pytest.mark.parametrize("attributes", [{}, {"padding": 1}, {"stride": 2, "padding": 2}, {"dilation": 2}], ids=str)
def test_windows(channels: int, width: int, attributes: dict[str, int]) -> None:
    rng = np.random.default_rng(width)
    x = rng.standard_normal((2, 3, 7, width)).astype(np.float32)
    w = rng.standard_normal((channels, 3, 3, 3)).astype(np.float32)
    same_bits(tw.ops.conv2d, x, w, **attributes)


def test_other_folds() -> None:
    distance = tw.op(
        "op distance(a: f32[M, K], b: f32[K, N]) -> c: f32[M, N]:\n    c[i, j] = max[k](abs(a[i, k] - b[k, j]))\n"
    )
    rng = np.random.default_rng(5)
    for rows, columns in ((9, 50), (48, 96), (1, 17)):
        a = rng.standard_normal((rows, 6)).astype(np.float32)
        b = rng.standard_normal((6, columns)).astype(np.float32)
        same_bits(distance, a, b)
        np.testing.assert_array_equal(distance(a, b), np.abs(a[:, :, None] - b[None]).max(1))


@pytest.mark.parametrize("text", [MATMUL, LINEAR, RECURRENT], ids=["matmul", "linear", "recurrent"])
def test_a_schedule_that_is_read_again_gives_the_same_kernel(text: str) -> None:
    op = tw.op(text)
    c = op.compilation(op.default_request({}, 1, {}))
    for made in explained(lower(c.tensor, c.layout), WIDE):
        again = Pipeline(parse_pipeline(",".join(str(step) for step, _ in made.steps), LOOP_PASSES))
        assert again.passes == tuple(step for step, _ in made.steps)
        assert print_kernel(again.run(made.start)) == print_kernel(made.kernel)


FOLDS = {
    "gathered": "sum[k](a[i, p[k]] * b[k, j])",
    "guarded": "sum[k]((a[i, k - 1] else 0) * (b[k, j + 1] else 0.5))",
    "triangular": "sum[k](where(k <= i, a[i, k], 0) * b[k, j])",
    "strict": "fold[k](s: f32 = 1 -> s * 0.5 + a[i, k] * b[k, j])",
    "maximum": "max[k](a[i, k] * b[k, j])",
    "mixed": "sum[k](a[i, k] * b[k, j] + b[k, j])",
}


@pytest.mark.parametrize("fold", FOLDS)
def test_whatever_is_folded(fold: str) -> None:
    op = tw.op(f"op f(a: f32[M, K], b: f32[K, N], p: i64[K]) -> y: f32[M, N]:\n    y[i, j] = {FOLDS[fold]}\n")
    rng = np.random.default_rng(8)
    for rows, columns in ((19, 67), (8, 48), (3, 5)):
        a, b = (rng.standard_normal(s).astype(np.float32) for s in ((rows, 7), (7, columns)))
        same_bits(op, a, b, rng.integers(0, 7, 7))


def test_the_lowest_wrong_index_is_told_in_tiles_too() -> None:
    op = tw.op(f"op g(a: f32[M, K], p: i64[K], b: f32[K, N]) -> y: f32[M, N]:\n    y[i, j] = {FOLDS['gathered']}\n")
    p = np.array([0, 1, 2, 9, 4, -1, 6])
    for target in ("c", "cpu"):
        with pytest.raises(tw.KernelIndexError, match="element 3 of 'p'.*is the index 9"):
            op.on(target)(np.ones((19, 7), np.float32), p, np.ones((7, 67), np.float32))


def test_small_integers_are_summed_up_in_wide_ones() -> None:
    op = tw.op("op u(a: u8[M, K], b: i8[K, N]) -> y: i32[M, N]:\n    y[i, j] = sum[k](i32(a[i, k]) * i32(b[k, j]))\n")
    rng = np.random.default_rng(2)
    a, b = rng.integers(0, 255, (33, 40)).astype(np.uint8), rng.integers(-128, 127, (40, 70)).astype(np.int8)
    assert (op(a, b) == a.astype(int) @ b.astype(int)).all()
