"""What a call compiles, what it finds compiled, and the texts and IRs on the way."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from op_table import PROBES, ROWS

import tilewright as tw
from tilewright.compiler.op import STAGES, Op
from tilewright.compiler.report import compile_times
from tilewright.compiler.stages import Compilation
from tilewright.dsl.check import check
from tilewright.dsl.format import format as format_source
from tilewright.dsl.parse import parse
from tilewright.dsl.parse_loops import parse_plan
from tilewright.dsl.specialise import specialise
from tilewright.ir.text_loops import print_plan
from tilewright.ir.types import F16, F64

SUM = "op total[T: number](x: T[..., C]) -> y: T[...]:\n    y[...] = sum[c](x[..., c])\n"
SCALE = "op scale[T: float](x: T[...], *, by: scalar T, k: int = 0) -> y: T[...]:\n    y[...] = x[...] * by\n"

OPS = PROBES


COUNT = itertools.count()


def fresh(source: str) -> Op:
    """An op that nothing was compiled for yet: ops of one text are one object."""
    return tw.op(f"# {next(COUNT)}\n{source}")


def f32(*shape: int) -> np.ndarray[Any, Any]:
    return np.ones(shape, np.float32)


def road(name: str, target: str = "cpu") -> Compilation:
    op = tw.ops.get(name).on(target)
    return op.compilation(op.default_request({}, 1, {}))


# --- misses -----------------------------------------------------------------------------------


def test_each_class_of_layout_compiles_once() -> None:
    op = fresh(SUM)
    wide = f32(6, 8, 10)
    groups = [
        [wide, f32(1, 1, 2), f32(0, 3, 4), wide[:, :, :1], wide.T[:0], f32(2, 3), f32(2, 1, 3, 1, 4)],
        [wide[:, :3], wide[::-1], wide[::2, :3, ::-10], f32(4, 6, 3, 5)[:, :5]],
        [np.asfortranarray(wide), wide.T, wide.transpose(0, 2, 1)[:1], f32(2, 3, 4, 5).transpose(3, 1, 2, 0)],
        [wide.transpose(2, 0, 1), wide.T[:, ::-1], wide.transpose(0, 2, 1), wide.transpose(0, 2, 1)[::-2]],
        [wide[:, :, ::2], wide.T[::2], np.asfortranarray(wide)[:1]],
        [np.broadcast_to(f32(3, 1, 1), (3, 4, 5)), np.broadcast_to(f32(3, 1, 1), (3, 7, 2))],
    ]
    for count, arrays in enumerate(groups, start=1):
        for x in arrays:
            np.testing.assert_array_equal(op(x), x.sum(axis=-1))
            assert op.misses == count


def test_every_part_of_the_key_compiles() -> None:
    op = fresh(SUM)
    for x in (f32(2, 3), f32(2, 3).astype(np.float64), f32(2), f32(2, 4, 3)[:, :3], f32(2, 3).T, f32(4, 6)[::2, ::2]):
        before = op.misses
        op(x)
        op(x)
        assert op.misses == before + 1


def test_attributes_and_absent_operands_are_part_of_the_key() -> None:
    op, x, w, b = tw.ops.conv2d, f32(1, 2, 5, 5), f32(3, 2, 3, 3), f32(3)
    calls: list[Any] = [
        lambda: op(x, w),
        lambda: op(x, w, b),
        lambda: op(x, w, b, padding=3),
        lambda: op(x, w, stride=3, padding=3),
    ]
    for call in calls:
        call()
    met = op.misses
    for call in calls:
        call()
    op(x, w, None, stride=1, padding=0)
    op(x=x, w=w, b=None)
    assert op.misses == met


def test_a_run_time_scalar_compiles_nothing() -> None:
    op, x = fresh(SCALE), f32(5)
    for by in (2, 0.5, np.float32(3), -1, float("inf"), True):
        np.testing.assert_array_equal(op(x, by=by), x * np.float32(by))
    assert op.misses == 1
    op(x, by=2, k=1)
    assert op.misses == 2
    drop = tw.ops.dropout
    masks = {drop(f32(64), p=p, seed=s, offset=o).tobytes() for p in (0.3, 0.6) for s in (1, 2**64 - 1) for o in (0, 9)}
    met = drop.misses
    assert len(masks) == 8
    drop(f32(64), p=0.9, seed=77, offset=5)
    assert drop.misses == met


def test_a_failed_compilation_is_tried_again() -> None:
    op = fresh(SUM)
    for n in (1, 2):
        with pytest.raises(tw.CallError):
            op(f32())
        assert op.misses == n
    op(f32(2))
    assert op.misses == 3


def test_targets_and_levels_are_kept() -> None:
    op = tw.ops.softmax
    assert op.on("c") is op.on("c") and op.on("cpu", "x86-64") is op.on("cpu", "x86-64")
    assert op.on("cpu") is op and op.on("cpu", "native") is op
    assert tw.op(SUM) is tw.op(SUM) and tw.op(SUM) is not tw.op(SUM, target="c")
    assert op.on("c") is not op and op.on("c").on("cpu") is op
    assert repr(op.on("cpu", "x86-64")) == "<op softmax for cpu:x86-64>"


def test_equal_ops_of_two_texts_are_each_shown_as_written() -> None:
    one, other = tw.op(SUM), tw.op(SUM.replace("    y", "    # the last axis\n    y"))
    assert one.definition.tree == other.definition.tree
    assert "# the last axis" not in one.text("source") and "# the last axis" in other.text("source")


def test_targets_compile_apart() -> None:
    op = fresh(SUM)
    op(f32(2))
    assert (op.misses, op.on("c").misses) == (1, 0)
    op.on("c")(f32(2))
    assert (op.misses, op.on("c").misses) == (1, 1)


# --- texts ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", OPS)
def test_every_stage_has_a_text(name: str) -> None:
    op = tw.ops.get(name)
    texts = {stage: op.text(stage) for stage in STAGES}
    assert all(text.strip() for text in texts.values())
    assert len(set(texts.values())) == len(STAGES)
    assert "define" in texts["llvm"] and "\tretq\n" in texts["asm"] and "#include <stdint.h>" in texts["c"]


@pytest.mark.parametrize("name", OPS)
def test_the_source_is_the_op(name: str) -> None:
    text = tw.ops.get(name).text("source")
    assert format_source(text) == text
    assert not check(parse(text)).diagnostics
    again = tw.op(text)
    assert again.text("tensor") == tw.ops.get(name).text("tensor")


@pytest.mark.parametrize("name", OPS)
def test_the_tensor_text_is_the_function(name: str) -> None:
    text, function = tw.ops.get(name).text("tensor"), road(name).tensor
    assert specialise(parse(text).ops[0]) == function


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("name", OPS)
def test_the_loops_text_is_the_plan(name: str, target: str) -> None:
    compilation = road(name, target)
    assert parse_plan(print_plan(compilation.loops)) == compilation.loops
    assert parse_plan(print_plan(compilation.legal)) == compilation.legal
    assert tw.ops.get(name).on(target).text("loops") == print_plan(compilation.loops)


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("name", OPS)
def test_every_stage_obeys_the_rules_of_its_ir(name: str, target: str) -> None:
    op, row = tw.ops.get(name).on(target), ROWS[name]
    for dtype in row.dtypes:
        case = row.case(np.random.default_rng(1), dtype, "odd")
        attributes = {k: v for k, v in case.keywords.items() if k not in op.signature.scalars}
        for operands in (case.operands, tuple(None if x is None else x.T.copy().T for x in case.operands)):
            op.compilation(op.request(operands, attributes)).verify()


def test_operands_choose_what_is_shown() -> None:
    op = tw.ops.softmax
    assert op.text("tensor").startswith("op softmax(x: f32[_0, C])")
    half = np.ones((2, 3), np.float16)
    assert op.text("tensor", half).startswith("op softmax(x: f16[_0, C])")
    assert "strides [2, stride(x,1)]" in op.text("loops", np.asfortranarray(np.ones((2, 3), np.float16)))
    request = op.default_request({"T": F64}, 3, {})
    assert op.stage_text("tensor", request).startswith("op softmax(x: f64[_0, _1, _2, C])")
    total = tw.op(SUM)
    assert "[c: C @ 4096 x 64]" in total.text("tensor", half)
    assert "[c: C @ 4096]" in total.text("tensor", np.asfortranarray(half))


def test_attributes_choose_what_is_shown() -> None:
    text = tw.ops.conv2d.text("tensor", stride=2, padding=1)
    assert "y: f32[N, O, ((H - R) // 2) + 2, ((-S + W) // 2) + 2]" in text
    with_bias = tw.ops.conv2d.text("tensor", f32(1, 1, 3, 3), f32(1, 1, 3, 3), f32(1))
    assert "b: f32[O]" in with_bias
    assert "b: f32[O]" not in tw.ops.conv2d.text("tensor", f32(1, 1, 3, 3), f32(1, 1, 3, 3))


def test_default_dtypes() -> None:
    request = tw.ops.embedding.default_request({"T": F16}, 2, {})
    assert [str(o.dtype) for o in request.operands if o] == ["f16", "i64"]
    assert [o.rank for o in request.operands if o] == [2, 2]


# --- memory -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "y: f64[N, N]:\n    y[i, j] = x[i] * x[j]",
            rf"no memory for a result f64\[4194304, 4194304\]: {1 << 47} bytes asked for, \d+ in use",
        ),
        (
            "y: f64[N]:\n    t[i, j] = x[i] * x[j]\n    y[i] = max[j](t[i, j]) + sum[j](t[i, j])",
            r"no memory for intermediates: 1407\d{11} bytes asked for, \d+ in use",
        ),
    ],
    ids=["result", "intermediates"],
)
def test_what_does_not_fit_in_memory_says_how_much_it_is(body: str, message: str) -> None:
    op = tw.op(f"op f(x: f64[N]) -> {body}\n")
    with pytest.raises(MemoryError, match=f"^{message}$"):
        op(np.broadcast_to(0.0, (1 << 22,)))
    assert op(np.ones(2)).shape[0] == 2


# --- time -------------------------------------------------------------------------------------


def test_compile_times_tell_where_the_time_goes() -> None:
    times = compile_times(tw.ops.matmul)
    assert set(times.stages) == {"tensor", "loops", "legalise", "emit", "target", "load"}
    assert 0 < times.target == times.stages["target"] < times.total
    assert sum(times.stages.values()) <= times.total
