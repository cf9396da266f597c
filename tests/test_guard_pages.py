"""Operands, results and scratch against inaccessible pages: no access outside of any buffer, anywhere.

The checks run in processes of their own (`tilewright.testing.isolated`), which such an access kills by a signal.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytest
from op_table import PROBES, ROWS, Case, Row, op_of, widened
from op_table.product import PLACES, Combination, assert_agrees, laid_out, product
from test_ops import SAMPLE

import tilewright as tw
from tilewright.compiler.stages import Compilation
from tilewright.dsl.parse_loops import parse_plan
from tilewright.ir.plan import Plan
from tilewright.ir.text_loops import print_plan
from tilewright.runtime import Tensor, to_numpy
from tilewright.targets.target import Loaded, Target
from tilewright.testing import abi
from tilewright.testing.campaign import check_seed, cpu_places
from tilewright.testing.isolated import failures
from tilewright.testing.layouts import moved
from tilewright.testing.memory import KINDS

FENCES = ("after", "before")
PROGRAMS = 30
"""Random programs per place and fence of the fast run; ten times as many in the full one."""


# --- random programs ----------------------------------------------------------------------------


@pytest.mark.parametrize("times", [1, pytest.param(10, marks=pytest.mark.full)])
@pytest.mark.parametrize("place", [*cpu_places(), ("c", None)], ids=str)
@pytest.mark.parametrize("fence", FENCES)
def test_random_programs(fence: str, place: tuple[str, str | None], times: int) -> None:
    count = PROGRAMS * times // (4 if place[0] == "c" else 1)
    start = zlib.crc32(f"{fence}{place}".encode()) % 10_000 * 1000
    found = failures(check_seed, [(seed, fence, (place,)) for seed in range(start, start + count)])
    assert not found, "\n\n".join(f"seed {seed}: {why}" for (seed, *_), why in found)


# --- the op table -------------------------------------------------------------------------------


Load = Callable[[str, Plan], Loaded]


def compilation(op: tw.Op, case: Case) -> Compilation:
    names = op.signature.scalars
    attributes = {k: v for k, v in case.keywords.items() if k not in names}
    return op.compilation(op.request(case.operands, attributes))


@cache
def loaded(target: Target, load: Load | None, text: str, plan: str) -> tuple[Plan, Loaded]:
    """What is compiled for a plan, given as its text, of which many sizes and layouts need the same."""
    parsed = parse_plan(plan)
    return parsed, (load or target.load)(text, parsed)


def run_in(memory: str, op: tw.Op, case: Case, load: Load | None = None) -> tuple[Any, ...]:
    """The results of a call whose operands, results and scratch lie in a kind of memory."""
    road = compilation(op, case)
    plan, code = loaded(op.target, load, road.text, print_plan(road.legal))
    present = [as_bits(to_numpy(x)) for x in op.tensors(case.operands) if x is not None]
    inputs = {t.name: moved(x, KINDS[memory]) for t, x in zip(plan.inputs, present, strict=True)}
    given = {**op.signature.scalar_defaults, **case.keywords}
    scalars = {s.name: given[s.name] for s in plan.scalars}
    outputs, status = abi.run(plan, code, inputs, scalars, memory=KINDS[memory])
    assert status.code == 0
    return tuple(to_numpy(Tensor.from_buffer(outputs[t.name], t.dtype.name)) for t in plan.outputs)


def as_bits(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """bf16 as the patterns that it is held in."""
    return x.view(np.uint16) if x.dtype.name == "bfloat16" else x


def check_op(combination: Combination, memories: Sequence[str] = FENCES, load: Load | None = None) -> None:
    """One row of the op table, as :func:`test_ops.check` runs it."""
    name, dtype, layout, size, place, _ = combination
    row: Row = ROWS[name]
    rng = np.random.default_rng(zlib.crc32(f"{name}{dtype}{size}".encode()))
    case = laid_out(row, layout, row.case(rng, dtype, size))
    for memory in memories:
        results = run_in(memory, op_of(name).on(*PLACES[place]), case, load)
        for actual, expected in zip(results, row.oracle(widened(case)), strict=True):
            assert_agrees(actual, expected, row, dtype)


def compiled(op: str, combinations: Sequence[Combination]) -> list[Combination]:
    """Those of ``op`` that compile, each once."""
    return sorted({(*c[:5], 1) for c in combinations if c[0] == op and PLACES[c[4]][0] in ("cpu", "c")})


def check_ops(combinations: list[Combination]) -> None:
    found = failures(check_op, [(c,) for c in combinations])
    assert not found, "\n\n".join(f"{item}: {why}" for item, why in found)


@pytest.mark.parametrize("op", PROBES)
def test_ops(op: str) -> None:
    check_ops(compiled(op, SAMPLE)[::4])


@pytest.mark.full
@pytest.mark.parametrize("op", ROWS)
def test_ops_in_full(op: str) -> None:
    check_ops(compiled(op, product(ROWS[op])))


# --- the nets themselves ------------------------------------------------------------------------

COPY = "op copy(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]\n"


def reach(memory: str, by: int) -> None:
    """A copy that is told that its operand starts ``by`` bytes further on."""
    op = tw.op(COPY)
    plan, target = op.compilation(op.default_request({}, 1, {})).legal, op.target
    x = moved(np.ones(37, np.float32), KINDS[memory])
    abi.run(plan, target.load(target.emit(plan), plan), {"x": shifted(x, by)}, memory=KINDS[memory])


def shifted(x: np.ndarray[Any, Any], by: int) -> Any:
    """A claim that ``x`` starts elsewhere."""

    class Claim:
        shape, strides = x.shape, x.strides
        ctypes = type("Place", (), {"data": x.ctypes.data + by})

    return Claim()


def test_a_kernel_that_reaches_too_far_is_caught() -> None:
    outside = [("after", 4), ("before", -4)]
    found = failures(reach, [*outside, ("after", 0), ("before", 0), ("before", 4)])
    assert [item for item, _ in found] == outside
    assert {why for _, why in found} == {"killed by SIGSEGV"}
