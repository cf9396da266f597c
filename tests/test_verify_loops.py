"""Kernels and plans that break a rule are refused with its name; sound ones pass."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import hand_built
import pytest

from tilewright.dsl.parse_loops import parse_plan
from tilewright.errors import VerifyError
from tilewright.ir import index as ix
from tilewright.ir.index import const, symbol
from tilewright.ir.loops import Block, Buffer, Iter, Kernel, Loop, Write, row_major
from tilewright.ir.plan import Phase, Plan, Repeat
from tilewright.ir.scalar import Apply, CheckedIndex, Const, IndexValue, Param, Read, Var, apply, literal
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.text_loops import print_plan
from tilewright.ir.types import BF16, BOOL, F16, F32, F64, I32, I64
from tilewright.ir.verify_loops import verify_kernel, verify_plan
from tilewright.passes.legalise import legalise
from tilewright.passes.loops import Simplify
from tilewright.passes.lower import lower
from tilewright.passes.schedule.default import schedule
from tilewright.passes.tensor.form_fma import FormFma
from tilewright.passes.tensor.set_order import SetOrder
from tilewright.targets.target import get_target

N, K, i, k = (symbol(s) for s in ("N", "K", "i", "k"))
X = Read("x", (i, k), F32)
ACC = Read("y", (i,), F32)
BLOCK = Block(
    "sum",
    (Iter("i", "parallel", N), Iter("k", "reduce", K)),
    (symbol("t"), symbol("u")),
    (ix.ge(symbol("t"), 0),),
    (Write("y", (i,)),),
    (apply("add", ACC, apply("mul", X, Param("alpha", F32))),),
    (literal(0, F32),),
)


def buffer(name: str, *shape: ix.Index, dtype: Any = F32, scope: str = "global") -> Buffer:
    return Buffer(name, dtype, shape, row_major(shape, dtype), scope)


BUFFERS = (buffer("x", N, K), buffer("y", N), buffer("idx", N, dtype=I32))


def kernel(
    block: Block = BLOCK,
    outer: str = "t",
    inner: str = "u",
    kinds: tuple[str, str] = ("parallel", "serial"),
    **other: Any,
) -> Kernel:
    nest = Loop(outer, N, kinds[0], (Loop(inner, K, kinds[1], (block,)),))
    return replace(Kernel("sum", BUFFERS, (ScalarInput("alpha", F32),), (nest,)), **other)


def block(**other: Any) -> Kernel:
    return kernel(replace(BLOCK, **other))


def value(e: Any) -> Kernel:
    return block(values=(e,))


def test_a_sound_kernel_passes() -> None:
    verify_kernel(kernel())
    verify_kernel(kernel(), {"N", "K"})
    row = CheckedIndex(Read("idx", (i,), I32), N, "idx", i)
    guarded = Read("x", (row, k), F32, (ix.ge(k, 1),), literal(0, F32))
    verify_kernel(value(apply("where", apply("lt", ACC, X), guarded, ACC)), {"N", "K"})


CHECKED = CheckedIndex(Read("y", (i,), F32), N, "y", i)
MALFORMED: dict[str, tuple[str, Kernel]] = {
    "two buffers of one name": ("unique-buffers", kernel(buffers=(*BUFFERS, BUFFERS[0]))),
    "a scalar called like a buffer": ("unique-buffers", kernel(scalars=(ScalarInput("y", F32),))),
    "an unknown scope": ("buffer-scope", kernel(buffers=(*BUFFERS, buffer("s", N, scope="heap")))),
    "too few strides": ("buffer-rank", kernel(buffers=(*BUFFERS, Buffer("s", F32, (N, K), (const(4),))))),
    "a register of unknown shape": ("register-shape", kernel(buffers=(*BUFFERS, buffer("r", N, scope="register")))),
    "a shape over a loop": ("buffer-symbols", kernel(buffers=(*BUFFERS, buffer("s", symbol("t"))))),
    "two blocks of one name": ("unique-blocks", kernel(body=(Loop("t", N, "serial", (BLOCK, BLOCK)),))),
    "an unknown loop kind": ("loop-kind", kernel(kinds=("parallel", "magic"))),
    "a loop in itself": ("shadowing", kernel(inner="t")),
    "a loop called like a buffer": ("shadowing", kernel(inner="x")),
    "a loop called like a size": ("shadowing", kernel(body=(Loop("K", N, "serial", ()),), buffers=())),
    "a vectorized loop of any extent": ("constant-extent", kernel(kinds=("parallel", "vectorized"))),
    "an unrolled loop of any extent": ("constant-extent", kernel(kinds=("parallel", "unrolled"))),
    "a parallel loop inside": ("parallel-loop", kernel(kinds=("serial", "parallel"))),
    "a statement beside tasks": ("parallel-loop", replace(kernel(), body=(*kernel().body, Loop("v", N, "serial", ())))),
    "an extent over a loop elsewhere": (
        "extent-symbols",
        kernel(body=(Loop("t", N, "serial", ()), Loop("u", symbol("t"), "serial", ()))),
    ),
    "a binding over a loop elsewhere": ("binding-symbols", kernel(body=(BLOCK, Loop("t", N, "serial", ())))),
    "a predicate over a loop elsewhere": (
        "predicate-symbols",
        kernel(body=(replace(BLOCK, bindings=(N, N)), Loop("t", N, "serial", ()))),
    ),
    "an unbound symbol": ("free-symbol", block(bindings=(symbol("t") + symbol("Q"), symbol("u")))),
    "an unbound extent": ("free-symbol", kernel(body=(Loop("t", symbol("Q"), "serial", ()),))),
    "an unknown iteration kind": ("iter-kind", block(iters=(Iter("i", "free", N), BLOCK.iters[1]))),
    "an iteration twice": ("shadowing", block(iters=(BLOCK.iters[0], BLOCK.iters[0]))),
    "an iteration called like a buffer": ("shadowing", block(iters=(Iter("x", "parallel", N), BLOCK.iters[1]))),
    "an iteration extent over a loop": (
        "iter-extent",
        block(iters=(Iter("i", "parallel", symbol("t")), BLOCK.iters[1])),
    ),
    "too few bindings": ("bindings", block(bindings=(symbol("t"),))),
    "a condition of no kind": ("condition-kind", block(predicate=(ix.Condition("gt", N),))),
    "no writes": ("writes", block(writes=(), values=(), init=())),
    "too many values": ("values", block(values=BLOCK.values * 2)),
    "too many inits": ("init", block(init=BLOCK.init * 2)),
    "an init over parallel iterations": (
        "init",
        block(iters=(BLOCK.iters[0], Iter("k", "parallel", K))),
    ),
    "an init that depends on the reduction": ("init", block(init=(X,))),
    "a write to nowhere": ("unknown-buffer", block(writes=(Write("z", (i,)),))),
    "a read from nowhere": ("unknown-buffer", value(Read("z", (i,), F32))),
    "a write of too few indices": ("rank", block(writes=(Write("y", ()),))),
    "a read of too many indices": ("rank", value(Read("y", (i, k), F32))),
    "a value over a loop": ("value-symbols", value(Read("y", (symbol("t"),), F32))),
    "an index over a loop": ("value-symbols", block(writes=(Write("y", (symbol("t"),)),))),
    "a value over an unbound symbol": ("free-symbol", value(apply("add", ACC, Read("y", (symbol("Q"),), F32)))),
    "a value of another dtype": ("value-dtype", value(literal(0, F64))),
    "an init of another dtype": ("value-dtype", block(init=(literal(0, F64),))),
    "a read of another dtype": ("read-dtype", value(Apply("cast", (Read("x", (i, k), F64),), F32))),
    "an unchecked index": ("data-index", value(Read("y", (Read("idx", (i,), I32),), F32))),
    "an index that is no integer": ("data-index", value(Read("y", (CHECKED,), F32))),
    "an undeclared scalar": ("unknown-scalar", value(Param("beta", F32))),
    "a scalar of another dtype": ("unknown-scalar", value(Apply("cast", (Param("alpha", F64),), F32))),
    "a variable of tensor IR": ("scalar-node", value(Var("acc", F32))),
    "a guard without another value": ("guard", value(Read("x", (i, k), F32, (ix.ge(k, 1),)))),
    "another value of another dtype": ("guard", value(Read("x", (i, k), F32, (ix.ge(k, 1),), literal(0, F64)))),
    "an operation on the wrong kind": ("operand-kind", value(Apply("cast", (apply("mod", X, X),), F32))),
    "operands that differ": ("operand-dtype", value(Apply("add", (X, literal(0, F64)), F32))),
    "a condition that is no bool": ("operand-dtype", value(Apply("where", (X, X, X), F32))),
    "arithmetic on a storage type": (
        "storage-arithmetic",
        value(Apply("cast", (apply("add", literal(1, BF16), literal(1, BF16)),), F32)),
    ),
    "a result of another dtype": ("result-dtype", value(Apply("lt", (X, X), F32))),
    "a bitcast to another width": ("result-dtype", value(Apply("bitcast", (IndexValue(i),), F32))),
    "logic on numbers": ("operand-kind", value(Apply("cast", (Apply("not", (X,), BOOL),), F32))),
}


@pytest.mark.parametrize("what", MALFORMED)
def test_malformed_kernels_are_refused_by_the_rule(what: str) -> None:
    rule, malformed = MALFORMED[what]
    with pytest.raises(VerifyError) as e:
        verify_kernel(malformed, {"N", "K"})
    assert e.value.rule == rule, e.value.message
    assert f"[{rule}]" in str(e.value)


def test_without_a_table_any_symbol_that_no_loop_binds_is_a_size() -> None:
    verify_kernel(kernel(body=(Loop("t", symbol("Q"), "serial", ()),)))
    with pytest.raises(VerifyError, match="extent-symbols"):
        verify_kernel(MALFORMED["an extent over a loop elsewhere"][1])


# --- plans --------------------------------------------------------------------------------------


def test_sound_plans_pass() -> None:
    for plan in (hand_built.matmul_plan(), hand_built.embedding_plan(), hand_built.conv1d_plan(1, 1)):
        verify_plan(plan)
    verify_plan(doubling())


def doubling() -> Plan:
    """``round`` is a counter; the kernel that works in place has its buffer once."""
    plan = hand_built.doubling_plan(symbol("dim(x,0)"))
    return replace(plan, kernels=tuple(replace(k, buffers=tuple(dict.fromkeys(k.buffers))) for k in plan.kernels))


PLAN = doubling()
LOAD, DOUBLE, SAVE = PLAN.kernels
ONE = const(1)


def with_kernel(k: Kernel) -> Plan:
    return replace(PLAN, kernels=tuple(k if k.name == o.name else o for o in PLAN.kernels))


MALFORMED_PLANS: dict[str, tuple[str, Plan]] = {
    "two tensors of one name": ("unique-tensors", replace(PLAN, scratch=(Tensor("x", I64, ()),))),
    "two kernels of one name": ("unique-kernels", replace(PLAN, kernels=(*PLAN.kernels, LOAD))),
    "a symbol twice": ("unique-slots", replace(PLAN, symbols=PLAN.symbols * 2)),
    "a symbol of later ones": ("defined-before-use", replace(PLAN, symbols=(("N", symbol("P")), ("P", const(3))))),
    "a check of scratch": (
        "defined-before-use",
        replace(PLAN, checks=(*PLAN.checks, hand_built.Check(ix.ge(symbol("scratch"), 0), "?"))),
    ),
    "an output of unknown shape": ("defined-before-use", replace(PLAN, outputs=(Tensor("y", I64, (symbol("Q"),)),))),
    "tasks counted by a counter": (
        "defined-before-use",
        replace(PLAN, steps=(Repeat("round", ONE, (Phase("load", symbol("round"), ONE),)),)),
    ),
    "an input of unknown shape": ("defined-before-use", replace(PLAN, inputs=(Tensor("x", I64, (symbol("Q"),)),))),
    "a phase of no kernel": ("unknown-kernel", replace(PLAN, steps=(Phase("store", ONE, ONE),))),
    "other tasks than the kernel's": ("phase-tasks", replace(PLAN, steps=(Phase("load", symbol("N") + 1, ONE),))),
    "chunks of nothing": ("phase-chunk", replace(PLAN, steps=(Phase("load", symbol("N"), const(0)),))),
    "a counter called like a slot": ("shadowing", replace(PLAN, steps=(Repeat("N", ONE, ()),))),
    "a counter in itself": ("shadowing", replace(PLAN, steps=(Repeat("r", ONE, (Repeat("r", ONE, ()),)),))),
    "a kernel outside of its repeat": ("free-symbol", replace(PLAN, steps=(Phase("double", symbol("N"), ONE),))),
    "a buffer of no tensor": ("unknown-tensor", replace(PLAN, scratch=())),
    "an output that is scratch": (
        "unknown-tensor",
        with_kernel(replace(SAVE, buffers=(*SAVE.buffers[:1], replace(SAVE.buffers[1], scope="scratch")))),
    ),
    "a buffer of another width": ("tensor-type", replace(PLAN, scratch=(Tensor("s", I32, (symbol("N"),)),))),
    "a buffer of another rank": ("tensor-type", replace(PLAN, scratch=(Tensor("s", I64, ()),))),
    "an input that is written": (
        "read-only",
        with_kernel(
            replace(
                LOAD,
                body=(
                    Loop(
                        "t",
                        symbol("N"),
                        "parallel",
                        (Block("b", (), (), (), (Write("x", (const(0),)),), (Const(1, I64),)),),
                    ),
                ),
            )
        ),
    ),
    "a scalar that the plan has not": ("unknown-scalar", with_kernel(replace(LOAD, scalars=(ScalarInput("a", F32),)))),
}


@pytest.mark.parametrize("what", MALFORMED_PLANS)
def test_malformed_plans_are_refused_by_the_rule(what: str) -> None:
    rule, malformed = MALFORMED_PLANS[what]
    with pytest.raises(VerifyError) as e:
        verify_plan(malformed)
    assert e.value.rule == rule, e.value.message


# --- every stage of the road --------------------------------------------------------------------

PROGRAMS = {
    "matmul-f16": lambda: hand_built.matmul(F16),
    "matmul-f64": lambda: hand_built.matmul(F64),
    "softmax": hand_built.softmax,
    "conv1d": lambda: hand_built.conv1d(2, 3),
    "embedding": lambda: hand_built.embedding(I32),
    "scatter_add": lambda: hand_built.scatter_add(F16),
    "cumsum": lambda: hand_built.cumsum(4),
    "recurrence": hand_built.recurrence,
    "argmax": hand_built.argmax,
    "dropout": hand_built.dropout,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_what_each_stage_makes_obeys_the_rules_and_reads_back(name: str) -> None:
    function = PROGRAMS[name]()
    units = {t.name: len(t.shape) - 1 for t in function.inputs}
    capabilities = get_target("cpu", "x86-64").capabilities
    lowered = lower(SetOrder(tuple(units.items())).run(FormFma().run(function)), units)
    scheduled = schedule(lowered, capabilities)
    legal = legalise(scheduled, capabilities)
    for plan in (lowered, scheduled, legal):
        verify_plan(plan)
        assert parse_plan(print_plan(plan)) == plan
    simple = replace(lowered, kernels=tuple(Simplify().run(k) for k in lowered.kernels))
    verify_plan(simple)
