"""Lowering: the plan computes what the function means, bit for bit; its text, checks, guards and errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from random import Random
from typing import Any

import hand_built
import numpy as np
import pytest
from hand_built import Axis, K, M, N, Order, Reduction, Tensor, i, j, k, literal, read
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tilewright.errors import CallError, CheckError
from tilewright.ir import index as ix
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.index import const
from tilewright.ir.interpret import EXACT, TYPED, Domain, IndexFault, run_function, run_plan
from tilewright.ir.loops import blocks
from tilewright.ir.plan import Plan, tail
from tilewright.ir.scalar import Expr, IndexValue, Read, Var, apply
from tilewright.ir.tensor import Compute, Function, Scan, Scatter
from tilewright.ir.text_loops import print_plan
from tilewright.ir.types import BF16, F16, F32, I32, I64, DType
from tilewright.ir.verify_loops import verify_plan
from tilewright.passes.lower import lower
from tilewright.passes.schedule.default import schedule
from tilewright.passes.tensor.eliminate_dead import EliminateDead
from tilewright.passes.tensor.form_fma import FormFma
from tilewright.passes.tensor.set_order import SetOrder
from tilewright.testing.compare import assert_plan_means, random_inputs
from tilewright.testing.programs import functions, sizes

WIDTHS = (16, 32)


def units(f: Function) -> dict[str, int]:
    return {t.name: len(t.shape) - 1 for t in f.inputs}


def ready(f: Function) -> Function:
    """``f`` as the road takes it: FMA formed, orders set for contiguous inputs."""
    return SetOrder(tuple(units(f).items())).run(FormFma().run(f))


def in_order(f: Function, *orders: Order) -> Function:
    """``f`` with these orders in every reduction."""
    body = (replace(c, reduction=c.reduction and replace(c.reduction, orders=orders)) for c in f.computes)
    return replace(f, body=tuple(body))


def plans(f: Function) -> list[Plan]:
    """Unscheduled and scheduled for several widths, all verified."""
    plain = lower(f, units(f))
    found = [plain, *(schedule(plain, Capabilities(w, frozenset())) for w in WIDTHS)]
    for p in found:
        verify_plan(p)
    return found


def check(
    f: Function,
    at: list[dict[str, int]],
    scalars: Mapping[str, Any] | None = None,
    domains: tuple[Domain, ...] = (TYPED, EXACT),
) -> None:
    random = Random(7)
    found = plans(f)
    for dims in at:
        for domain in domains:
            inputs = random_inputs(f, dims, domain, random)
            for p in found:
                assert_plan_means(f, p, inputs, scalars or {}, domain, random)


# --- the probe programs -------------------------------------------------------------------------

ROWS = [{"M": 3, "N": 21}, {"M": 0, "N": 4}, {"M": 2, "N": 0}, {"M": 1, "N": 1}]
PROGRAMS: dict[str, tuple[Callable[[], Function], list[dict[str, int]]]] = {
    **{
        f"matmul-{d}": (
            lambda d=d: hand_built.matmul(d),  # type: ignore[misc]
            [{"M": m, "N": n, "K": c} for m, n, c in ((3, 11, 4), (0, 3, 2), (2, 0, 3), (1, 1, 1), (2, 3, 0))],
        )
        for d in (F32, F16, I32)
    },
    "softmax": (hand_built.softmax, ROWS),
    "softmax-bf16": (lambda: hand_built.softmax(BF16), ROWS),
    "conv1d": (lambda: hand_built.conv1d(2, 1), [{"N": 9, "K": 3}, {"N": 3, "K": 5}, {"N": 0, "K": 0}]),
    "embedding": (hand_built.embedding, [{"M": 4, "N": n, "K": c} for n, c in ((3, 13), (0, 3), (3, 0))]),
    "embedding-f16": (lambda: hand_built.embedding(I32, F16), [{"M": 4, "N": 3, "K": 13}]),
    "cumsum": (lambda: hand_built.cumsum(4), ROWS),
    "cumsum-f16": (lambda: hand_built.cumsum(4, F16), ROWS),
    "recurrence": (hand_built.recurrence, [{"N": n} for n in (0, 1, 2, 9)]),
    "argmax": (hand_built.argmax, [{"M": 3, "N": 21}, {"M": 0, "N": 4}, {"M": 1, "N": 1}]),
    "scatter_add": (hand_built.scatter_add, [{"M": 4, "N": 9}, {"M": 4, "N": 0}, {"M": 5, "N": 1}]),
    "scatter_add-f16": (lambda: hand_built.scatter_add(F16), [{"M": 4, "N": 9}]),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str) -> None:
    make, at = PROGRAMS[name]
    check(ready(make()), at)


def test_dropout() -> None:
    scalars = {"p": 0.4, "seed": 3, "offset": 5}
    check(ready(hand_built.dropout()), [{"M": 3, "N": 7}, {"M": 1, "N": 1}], scalars, (TYPED,))


# --- orders -------------------------------------------------------------------------------------

ORDERS = [Order(), Order(8, 4), Order(4, 4), Order(2, 1), Order(1, 1), Order(3, 2), Order(5, 8)]


def mixed(a: Expr, factor: int, b: Expr) -> Expr:
    return apply("add", apply("mul", a, literal(factor, I64)), apply("add", apply("mul", b, b), literal(1, I64)))


def mixing(orders: tuple[Order, ...], extents: tuple[ix.Index, ...]) -> Function:
    """A reduction in wrapping integers that no change of order or grouping, and no exchange of sides, gets past."""
    x, y = Tensor("x", I64, (M, *extents)), Tensor("y", I64, (M,))
    acc, other = Var("acc", I64), Var("other", I64)
    names = tuple(f"r{n}" for n in range(len(extents)))
    axes = tuple(Axis(n, e) for n, e in zip(names, extents, strict=True))
    step = mixed(acc, 3, read(x, i, *map(ix.symbol, names)))
    how = Reduction(axes, orders, (acc,), (literal(5, I64),), (other,), (mixed(acc, 7, other),))
    return Function("mixing", (x,), (), (Compute((y,), (Axis("i", M),), (step,), how),), ("y",))


@pytest.mark.parametrize("order", ORDERS, ids=str)
def test_every_order_at_every_length(order: Order) -> None:
    check(mixing((order,), (N,)), [{"M": 2, "N": n} for n in (*range(20), 31, 32, 33, 70)], domains=(TYPED,))


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 8, 9, 30])
def test_orders_of_constant_extents(n: int) -> None:
    for order in (Order(8, 4), Order(4, 1)):
        check(mixing((order,), (const(n),)), [{"M": 2}], domains=(TYPED,))


@pytest.mark.parametrize(
    "orders", [(Order(), Order(4, 2)), (Order(4, 2), Order()), (Order(4, 2), Order(2, 2))], ids=str
)
def test_orders_nest(orders: tuple[Order, ...]) -> None:
    at = [{"M": 2, "N": n, "K": c} for n, c in ((0, 3), (3, 0), (1, 1), (5, 7), (9, 4))]
    check(mixing(orders, (N, K)), at, domains=(TYPED,))


@pytest.mark.parametrize("order", [Order(8, 4), Order(2, 1)], ids=str)
def test_floats_follow_the_order(order: Order) -> None:
    for f in (hand_built.softmax(), hand_built.matmul(F16), hand_built.argmax()):
        check(in_order(f, order), [{"M": 2, "N": 19, "K": 21}])


def mixing_scan(chunk: int) -> Function:
    """A scan like :func:`mixing`."""
    x, y = Tensor("x", I64, (M, N)), Tensor("y", I64, (M, N))
    acc, other = Var("acc", I64), Var("other", I64)
    how = Scan("j", chunk, (acc,), (literal(5, I64),), (other,), (mixed(acc, 7, other),))
    axes, step = (Axis("i", M), Axis("j", N)), mixed(acc, 3, read(x, i, j))
    return Function("mixing", (x,), (), (Compute((y,), axes, (step,), scan=how),), ("y",))


@pytest.mark.parametrize("chunk", [1, 2, 5])
def test_scans_in_chunks(chunk: int) -> None:
    check(mixing_scan(chunk), [{"M": 2, "N": n} for n in (0, 1, 2, 4, 5, 6, 16)], domains=(TYPED,))


@pytest.mark.parametrize(
    ("f", "kinds"),
    [
        (hand_built.recurrence(), [["ordered"]]),
        (hand_built.scatter_add(), [["parallel"], ["ordered"]]),
        (hand_built.cumsum(4), [["parallel"], ["parallel", "ordered"], ["parallel", "ordered", "ordered"]]),
        (hand_built.matmul(F32), [["parallel", "parallel"], ["parallel", "parallel", "reduce"]]),
    ],
    ids=lambda x: getattr(x, "name", ""),
)
def test_kinds_of_iterations(f: Function, kinds: list[list[str]]) -> None:
    """Each that a block of the plan has."""
    found = {tuple(it.kind for it in b.iters) for k in lower(f, units(f)).kernels for b, _ in blocks(k)}
    assert found == set(map(tuple, kinds))


def test_order_is_seen() -> None:
    """The test above could fail: other orders give other bits."""
    x = {"x": np.arange(1, 12).reshape(1, 11) ** 3}
    found = {int(run_function(mixing((o,), (N,)), x, {}, TYPED)["y"][0]) for o in ORDERS}
    assert len(found) == len(ORDERS)


# --- random programs ----------------------------------------------------------------------------


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(functions(), st.data())
def test_random_functions(f: Function, data: st.DataObject) -> None:
    f = EliminateDead().run(f)
    found = plans(f)
    dims = data.draw(sizes(f))
    inputs = random_inputs(f, dims, TYPED, Random(1))
    scalars = {s.name: 1 for s in f.scalars}
    try:
        run_function(f, inputs, scalars, TYPED)
    except (IndexFault, CallError) as e:
        for p in found:
            with pytest.raises(type(e)):
                run_plan(p, inputs, scalars, TYPED)
        return
    for p in found:
        assert_plan_means(f, p, inputs, scalars, TYPED, Random(2))


# --- the form of plans --------------------------------------------------------------------------

MATMUL = """\
plan matmul:
    input a: f32[M, K]
    input b: f32[K, N]
    output c: f32[M, N]
    symbol M = dim(a,0)
    symbol K = dim(a,1)
    symbol N = dim(b,1)
    check dim(b,0) == K: "matmul: axis 0 of 'b' must be K, the extent of axis 1 of 'a'"
    run matmul_c tasks 1 chunk 1
    kernel matmul_c():
        global a: f32[M, K] strides [4, stride(a,1)]
        global b: f32[K, N] strides [stride(b,0), stride(b,1)]
        global c: f32[M, N] strides [N*4, 4]
        register acc: f32[] strides []
        for i in 0..M:
            for j in 0..N:
                block start:
                    iter i: parallel 0..M = i
                    iter j: parallel 0..N = j
                    acc[] = 0.0:f32
                for k in 0..K:
                    block step:
                        iter i: parallel 0..M = i
                        iter j: parallel 0..N = j
                        iter k: reduce 0..K = k
                        acc[] = acc[] + (a[i, k] * b[k, j])
                block store:
                    iter i: parallel 0..M = i
                    iter j: parallel 0..N = j
                    c[i, j] = acc[]
"""


def test_text_of_a_contraction() -> None:
    assert print_plan(lower(hand_built.matmul(), {"a": 0, "b": -1})).strip() == MATMUL.strip()


def test_results_that_nothing_needs_are_left_out() -> None:
    p = lower(hand_built.argmax(), {"x": 1})
    assert [b.name for b in p.kernels[0].buffers if b.scope == "global"] == ["x", "p"]
    assert p.scratch == ()
    f = hand_built.softmax()
    unused = replace(f, outputs=("m",))
    assert [kernel.name for kernel in lower(unused, {"x": 1}).kernels] == ["softmax_m"]


def test_intermediates_are_scratch_and_sums_are_wide() -> None:
    assert [(t.name, t.dtype) for t in lower(hand_built.softmax(F16), {"x": 1}).scratch] == [
        ("m", F32), ("e", F32), ("s", F32),
    ]  # fmt: skip
    f = hand_built.scatter_add(F16)
    p = lower(f, units(f))
    assert [(t.name, t.dtype) for t in p.scratch] == [("y_sums", F32)]
    assert [kernel.name for kernel in p.kernels] == ["scatter_add_y_init", "scatter_add_y", "scatter_add_y_round"]


def test_names_are_kept_apart() -> None:
    """Axes called as tensors, dims, scalars and each other are."""
    x, y = Tensor("i", F32, (M, N)), Tensor("M_", F32, (M,))
    acc, other = Var("acc", F32), Var("other", F32)
    merge = apply("add", acc, other)
    how = Reduction((Axis("acc", N),), (Order(4, 2),), (acc,), (literal(0, F32),), (other,), (merge,))
    element = Read("i", (ix.symbol("M_"), ix.symbol("acc")), F32)
    body = Compute((y,), (Axis("M_", M),), (apply("add", acc, element),), how)
    check(Function("f", (x,), (), (body,), ("M_",)), [{"M": 3, "N": 11}])


# --- checks -------------------------------------------------------------------------------------


def message(f: Function, shapes: Mapping[str, tuple[int, ...]]) -> str:
    inputs = {t.name: np.zeros(shapes[t.name], np.float32) for t in f.inputs}
    with pytest.raises(CallError) as e:
        run_plan(lower(f, units(f)), inputs, {}, TYPED)
    return e.value.message


def copy_of(*shape: ix.Index, axes: tuple[ix.Index, ...], preconditions: tuple[ix.Condition, ...] = ()) -> Function:
    """An op that fills ``y[axes]`` and has an operand of each shape symbol, and one of ``shape``."""
    x, y = Tensor("x", F32, shape), Tensor("y", F32, axes)
    size = Tensor("size", F32, (M, N))
    over = tuple(Axis(f"i{n}", e) for n, e in enumerate(axes))
    return Function("copy", (size, x), (), (Compute((y,), over, (literal(1, F32),)),), ("y",), preconditions)


def test_a_dim_that_contradicts_another() -> None:
    text = message(hand_built.matmul(), {"a": (2, 3), "b": (4, 5)})
    assert text == "matmul: axis 0 of 'b' must be K, the extent of axis 1 of 'a'"


def test_a_dim_that_is_no_plain_symbol() -> None:
    f = copy_of(M + N * 2, const(3), axes=(M,))
    expected = "where M is the extent of axis 0 of 'size' and N is the extent of axis 1 of 'size'"
    text = message(f, {"size": (2, 1), "x": (5, 3)})
    assert text.startswith("copy: axis 0 of 'x' must be ") and text.endswith(expected)
    assert message(f, {"size": (2, 1), "x": (4, 2)}) == "copy: axis 1 of 'x' must be 3"


def test_a_negative_extent_and_a_precondition() -> None:
    shapes = {"size": (2, 3), "x": (2,)}
    f = copy_of(M, axes=(M - N,))
    assert message(f, shapes) == "copy: axis 0 of the result 'y' would have the negative extent M - N"
    stated = copy_of(M, axes=(M - N,), preconditions=(ix.ge(M, N),))
    text = message(stated, shapes)
    assert text.startswith("copy: it is required that M >= N, where M is the extent of axis 0 of 'size'")
    assert len(lower(stated, units(stated)).checks) == 2


def test_a_dim_that_no_operand_gives() -> None:
    x, y = Tensor("x", F32, (M * 2,)), Tensor("y", F32, (M,))
    f = Function("half", (x,), (), (Compute((y,), (Axis("i", M),), (literal(0, F32),)),), ("y",))
    with pytest.raises(CheckError, match="half: the dim M cannot be found from the operands' shapes"):
        lower(f, {"x": 0})


# --- reads --------------------------------------------------------------------------------------


def pointwise(value: Expr, *inputs: Tensor, dtype: DType = F32) -> Function:
    y = Tensor("y", dtype, (N,))
    return Function("f", inputs, (), (Compute((y,), (Axis("i", N),), (value,)),), ("y",))


def only_read(f: Function) -> Read:
    (value,) = lower(f, units(f)).kernels[0].body[0].body[0].values  # type: ignore[union-attr]
    assert isinstance(value, Read)
    return value


def test_guards_keep_what_is_not_proved() -> None:
    x = Tensor("x", F32, (N,))
    zero = literal(0, F32)
    shifted = only_read(pointwise(read(x, i - 1, otherwise=zero), x))
    assert shifted.guard == (ix.ge(i, 1),) and shifted.otherwise is zero
    assert only_read(pointwise(read(x, i + 1, otherwise=zero), x)).guard == (ix.lt(i + 1, N),)
    inside = only_read(pointwise(read(x, i, otherwise=zero), x))
    assert inside.guard == () and inside.otherwise is None
    never = only_read(pointwise(read(x, i + N, otherwise=zero), x))
    assert never.guard == (ix.lt(i + N, N),) and never.otherwise is zero


def test_a_guarded_gather_never_fails() -> None:
    x, idx = Tensor("x", BF16, (M,)), Tensor("idx", I32, (N,))
    f = pointwise(Read("x", (Read("idx", (i,), I32),), BF16, (), literal(2, BF16)), x, idx, dtype=BF16)
    inputs = {"x": np.ones(3, np.float32), "idx": np.array([0, -1, 2, 3, 99], np.int32)}
    for p in plans(f):
        inputs["x"] = np.array([0x3F80] * 3, np.uint16)
        result = run_plan(p, inputs, {}, TYPED)["y"]
        assert result.tolist() == [0x3F80, 0x4000, 0x3F80, 0x4000, 0x4000]
        inputs["x"] = np.zeros(0, np.uint16)
        assert run_plan(p, inputs, {}, TYPED)["y"].tolist() == [0x4000] * 5


def fault(p: Plan, inputs: Mapping[str, Any]) -> tuple[int, int, int]:
    with pytest.raises(IndexFault) as e:
        run_plan(p, inputs, {}, TYPED)
    return e.value.operand, e.value.position, e.value.value


def test_checked_indices_name_the_element() -> None:
    f = hand_built.embedding()
    inputs = {"w": np.ones((3, 2), np.float32), "idx": np.array([0, 2, 7, -5])}
    for p in plans(f):
        assert fault(p, inputs) == (1, 2, 7)


def test_positions_of_a_scatter_keep_their_statement() -> None:
    f = hand_built.scatter_add()
    (c,) = f.body
    p = Compute((Tensor("p", I64, (N,)),), c.axes, (apply("sub", Read("idx", (j,), I64), literal(0, I64)),))
    assert c.scatter is not None
    moved = replace(c, scatter=replace(c.scatter, indices=(Read("p", (j,), I64),)))
    check(replace(f, body=(p, moved)), [{"M": 4, "N": 9}])


def test_scratch_tensors_are_aligned_and_apart() -> None:
    plan = lower(hand_built.softmax(), units(hand_built.softmax()))
    for m, n in ((3, 5), (16, 16), (1, 0)):
        slots = {"dim(x,0)": m, "dim(x,1)": n}
        for name, value in tail(plan):
            slots[name] = ix.substitute(value, {s: const(v) for s, v in slots.items()}).constant or 0
        end = 0
        for t, size in zip(plan.scratch, (m, m * n, m), strict=True):
            assert slots[f"offset({t.name})"] % 64 == 0 and slots[f"offset({t.name})"] >= end
            end = slots[f"offset({t.name})"] + 4 * size
        assert slots["scratch"] >= end


def test_positions_in_a_matrix_count_by_rows() -> None:
    x, idx, y = Tensor("x", F32, (M,)), Tensor("idx", I64, (N, K)), Tensor("y", F32, (N, K))
    body = Compute((y,), (Axis("j", N), Axis("k", K)), (Read("x", (Read("idx", (j, k), I64),), F32),))
    inputs = {"x": np.ones(3, np.float32), "idx": np.array([[0, 1, 2], [0, 5, 1]])}
    for p in plans(Function("f", (x, idx), (), (body,), ("y",))):
        assert fault(p, inputs) == (1, 4, 5)


def test_an_index_of_an_index_and_an_index_from_no_input() -> None:
    x, idx = Tensor("x", F32, (M,)), Tensor("idx", I64, (N,))
    inner = Read("idx", (Read("idx", (i,), I64),), I64)
    nested = pointwise(Read("x", (inner,), F32), x, idx)
    computed = pointwise(Read("x", (IndexValue(i * 2),), F32), x, idx)
    inputs = {"x": np.ones(3, np.float32), "idx": np.array([1, 2, 5])}
    for p in plans(nested):
        assert fault(p, inputs)[0] == 1
    for p in plans(computed):
        assert fault(p, inputs) == (2, 0, 4)


def test_an_index_made_of_two_reads_is_told_of_neither() -> None:
    x, a, b = Tensor("x", F32, (M,)), Tensor("a", I64, (N,)), Tensor("b", I64, (N,))
    made = apply("add", Read("a", (i,), I64), Read("b", (i,), I64))
    inputs = {"x": np.ones(3, np.float32), "a": np.array([1, 2, 5]), "b": np.array([0, 0, 1])}
    for p in plans(pointwise(Read("x", (made,), F32), x, a, b)):
        assert fault(p, inputs) == (3, 0, 6)


def test_a_scatter_writes_nothing_outside() -> None:
    f = hand_built.scatter_add()
    inputs = {"dy": np.ones(3, np.float32), "idx": np.array([1, -1, 4]), "like": np.ones(2, np.float32)}
    for p in plans(f):
        assert fault(p, inputs) == (1, 1, -1)


def test_a_scatter_along_a_plain_axis_is_in_lanes() -> None:
    dy, idx, y = Tensor("dy", F32, (N, K)), Tensor("idx", I64, (N,)), Tensor("y", F32, (M, K))
    like = Tensor("like", F32, (M,))
    how = Scatter((Read("idx", (j,), I64), k), "add", literal(0, F32))
    body = Compute((y,), (Axis("j", N), Axis("k", K)), (read(dy, j, k),), scatter=how)
    f = Function("f", (dy, idx, like), (), (body,), ("y",))
    check(f, [{"N": 9, "K": 7, "M": 4}, {"N": 3, "K": 0, "M": 4}])
    text = print_plan(plans(f)[1])
    assert "ordered 0..N" in text and "vectorized" in text.split("kernel f_y()")[1]


WHOLE = np.random.default_rng(3).random((8, 10), dtype=np.float32)


@pytest.mark.parametrize(
    ("x", "unit"),
    [(WHOLE[:5].T, 0), (WHOLE[::-2, 1:8], 1), (np.broadcast_to(WHOLE[:1], (3, 10)), 1), (WHOLE[::2, ::-3], -1)],
)
def test_strides(x: np.ndarray[Any, Any], unit: int) -> None:
    """Only the unit axis is taken for granted; negative strides and zeros are strides."""
    f = hand_built.softmax()
    p = lower(f, {"x": unit})
    for made in (p, schedule(p, Capabilities(16, frozenset()))):
        expected = run_function(f, {"x": x}, {}, TYPED)["y"]
        np.testing.assert_array_equal(run_plan(made, {"x": x}, {}, TYPED)["y"], expected)
