"""Whole programs on the cpu target: tensor IR down to machine code, against the interpreters, bit for bit."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from random import Random
from typing import Any

import hand_built
import numpy as np
import pytest
import tensor_programs
from abi import run
from cpu_plans import LEVELS, load, target

from tilewright.ir import index as ix
from tilewright.ir.index import Index, symbol
from tilewright.ir.interpret import TYPED, run_function, run_plan
from tilewright.ir.plan import Plan
from tilewright.ir.scalar import Expr, IndexValue, Read, Var, apply, convert, literal
from tilewright.ir.tensor import CHAIN, Axis, Compute, Function, Reduction, Tensor
from tilewright.ir.types import BF16, F16, F32, F64, FIELD, I8, I32, I64, U8, U32, DType
from tilewright.passes.legalise import legalise
from tilewright.passes.lower import lower
from tilewright.passes.schedule.default import schedule
from tilewright.passes.tensor.form_fma import FormFma
from tilewright.passes.tensor.set_order import SetOrder
from tilewright.targets.target import Loaded
from tilewright.testing.compare import assert_same_bits, random_inputs


def ordered(f: Function) -> Function:
    """``f`` as it is defined for contiguous inputs."""
    return SetOrder(tuple(units(f).items())).run(FormFma().run(f))


def units(f: Function) -> dict[str, int]:
    return {t.name: len(t.shape) - 1 for t in f.inputs}


def compiled(f: Function, level: str, lanes: bool = True) -> Plan:
    """``f`` scheduled (or in plain loops) and made of what the target has."""
    capabilities = target(level).capabilities
    loops = lower(ordered(f), units(f))
    return legalise(schedule(loops, capabilities) if lanes else loops, capabilities)


def backwards(tasks: int) -> list[tuple[int, int]]:
    return [(k, k + 1) for k in reversed(range(tasks))]


def check(plan: Plan, loaded: Loaded, inputs: dict[str, Any], scalars: dict[str, Any], expected: Any) -> None:
    """The outputs agree bit for bit, in whatever order the tasks run."""
    for how in ({}, {"ranges": backwards}):
        actual, status = run(plan, loaded, inputs, scalars, **how)
        assert status.code == 0
        for t in plan.outputs:
            assert_same_bits(actual[t.name], expected[t.name], t.dtype)


# --- programs written by hand -----------------------------------------------------------------

PROGRAMS: dict[str, tuple[Callable[[], Function], dict[str, int]]] = {
    **{f"matmul-{d}": (lambda d=d: hand_built.matmul(d), {"M": 3, "K": 5, "N": 19}) for d in (F16, F64, I32, FIELD)},
    "matmul-bf16": (lambda: hand_built.matmul(BF16), {"M": 1, "K": 70, "N": 5}),
    "softmax": (hand_built.softmax, {"M": 3, "N": 67}),
    "softmax-f16": (lambda: hand_built.softmax(F16), {"M": 2, "N": 5}),
    "conv1d": (lambda: hand_built.conv1d(2, 3), {"N": 40, "K": 5}),
    "embedding": (lambda: hand_built.embedding(I32, F16), {"M": 4, "N": 5, "K": 20}),
    "scatter_add": (hand_built.scatter_add, {"M": 4, "N": 30}),
    "cumsum": (lambda: hand_built.cumsum(4), {"M": 3, "N": 18}),
    "recurrence": (hand_built.recurrence, {"N": 9}),
    "argmax": (hand_built.argmax, {"M": 5, "N": 70}),
    "dropout": (hand_built.dropout, {"M": 3, "N": 21}),
    "conv2d": (tensor_programs.conv2d, {"N": 2, "C": 2, "H": 5, "W": 6, "O": 3, "R": 3, "S": 3}),
}
SCALARS = {"p": 0.3, "seed": 2**63 + 7, "offset": 5}


@cache
def meaning(name: str) -> tuple[Function, dict[str, Any], dict[str, Any], dict[str, Any]]:
    """A program, its operands, and its results by the interpreter of loop IR, math expanded."""
    make, sizes = PROGRAMS[name]
    f, random = make(), Random(name)
    inputs = random_inputs(f, sizes, TYPED, random)
    scalars = {s.name: SCALARS[s.name] for s in f.scalars}
    return f, inputs, scalars, run_plan(compiled(f, "native"), inputs, scalars, TYPED)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", PROGRAMS)
def test_programs(name: str, level: str) -> None:
    f, inputs, scalars, expected = meaning(name)
    plan = compiled(f, level)
    check(plan, load(plan, level), inputs, scalars, expected)


def test_a_failing_index_reaches_the_status_record() -> None:
    f = hand_built.embedding()
    plan = compiled(f, "native")
    loaded = load(plan, "native")
    idx = np.array([0, 3, 2, -1, 9])
    _, status = run(plan, loaded, {"w": np.ones((3, 40), np.float32), "idx": idx})
    assert (status.code, status.operand, status.position, status.value) == (1, 1, 1, 3)


# --- random programs --------------------------------------------------------------------------

M, N, i, j = (symbol(s) for s in "MNij")
BINARY = {
    "float": ("add", "sub", "mul", "div", "min", "max"),
    "int": ("add", "sub", "mul", "floordiv", "mod", "min", "max", "bitand", "bitxor", "shl", "shr"),
}
UNARY = {"float": ("neg", "abs", "sqrt"), "int": ("neg", "abs", "bitnot")}


class Maker:
    """A random function over ``x[M, N]`` and ``w[N]``."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)
        self.dtype: DType = self.random.choice((F16, BF16, F32, F64, I8, U8, I32, U32, I64))
        self.compute = self.dtype.compute
        self.kind = "float" if self.compute.is_float else "int"
        self.x = Tensor("x", self.dtype, (M, N))
        self.w = Tensor("w", self.dtype, (N,))

    def function(self) -> Function:
        axes = (Axis("i", M), Axis("j", N))
        t = Tensor("t", self.compute, (M, N))
        body = [Compute((t,), axes, (self.value(3),))]
        shape = self.random.choice(((0,), (1,), (0, 1)))
        kept = tuple(axes[n] for n in shape)
        y = Tensor("y", self.dtype, tuple(a.extent for a in kept))
        element = apply("add", self.value(2), Read("t", (i, j), self.compute))
        body.append(
            self.reduced(y, kept, axes[1 - shape[0]], element)
            if len(kept) == 1
            else Compute((y,), kept, (convert("cast", element, self.dtype),))
        )
        return Function("random", (self.x, self.w), (), tuple(body), ("y", "t"))

    def reduced(self, y: Tensor, kept: tuple[Axis, ...], over: Axis, element: Expr) -> Compute:
        op, start = self.random.choice((("add", 0), ("max", 1), ("mul", 1)))
        acc, other = Var("acc", self.compute), Var("other", self.compute)
        how = Reduction((over,), (CHAIN,), (acc,), (literal(start, self.compute),), (other,), (apply(op, acc, other),))
        return Compute((y,), kept, (apply(op, acc, element),), how)

    def value(self, depth: int) -> Expr:
        pick = self.random.random()
        if depth == 0 or pick < 0.15:
            return self.leaf()
        if pick < 0.3:
            return apply(self.random.choice(UNARY[self.kind]), self.value(depth - 1))
        a, b = self.value(depth - 1), self.value(depth - 1)
        if pick < 0.45:
            test = apply(self.random.choice(("lt", "ge", "eq", "ne")), a, b)
            return apply("where", test, self.value(depth - 1), b)
        return apply(self.random.choice(BINARY[self.kind]), a, b)

    def leaf(self) -> Expr:
        pick = self.random.random()
        if pick < 0.15:
            return literal(self.random.choice((0, 1, 2, 3, 7)), self.compute)
        if pick < 0.25:
            return convert("cast", IndexValue(self.place(i, M)), self.compute)
        if pick < 0.4:
            return self.element(self.w, (j,))
        if pick < 0.6:
            return self.element(self.x, (i, self.random.choice((j, N - 1 - j, j // 2))))
        otherwise = literal(self.random.choice((0, 1)), self.dtype)
        return self.element(self.x, (self.place(i, M), self.place(j, N)), otherwise)

    def element(self, t: Tensor, where: tuple[Index, ...], otherwise: Expr | None = None) -> Expr:
        return convert("cast", Read(t.name, where, t.dtype, (), otherwise), self.compute)

    def place(self, at: Index, extent: Index) -> Index:
        by = self.random.randrange(-2, 4)
        return self.random.choice(
            (at + by, at * 2 + by, extent - at - by, (at + by) // 2, (at + by) % 3, ix.minimum(at, 3), i + j - 3)
        )


@pytest.mark.parametrize("seed", [*range(12), *(pytest.param(n, marks=pytest.mark.full) for n in range(12, 200))])
def test_random_programs(seed: int) -> None:
    maker = Maker(seed)
    f, level = maker.function(), LEVELS[seed % 3]
    plan = compiled(f, level, lanes=seed % 4 != 0)
    loaded = load(plan, level)
    for sizes in ({"M": maker.random.randrange(1, 6), "N": maker.random.randrange(1, 40)}, {"M": 2, "N": 0}):
        inputs = random_inputs(f, sizes, TYPED, maker.random)
        check(plan, loaded, inputs, {}, run_function(ordered(f), inputs, {}, TYPED))
