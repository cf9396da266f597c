"""Objects for aarch64, loaded by our loader and run under qemu: the bits of this machine, op by op."""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from aarch64.machine import Machine, missing
from op_table import ROWS, op_of
from op_table.product import laid_out, spread
from test_guard_pages import as_bits, compilation
from test_ops import PROBES

import tilewright as tw
from tilewright.compiler.function import FunctionOp
from tilewright.runtime import Artifact, to_numpy
from tilewright.targets.cpu.manifest import cross
from tilewright.testing.compare import assert_same_bits

pytestmark = pytest.mark.skipif(bool(missing()), reason=f"no {' and no '.join(missing())} here")

AARCH64 = cross("aarch64")
MACHINE = Machine()


@cache
def artifact(op: str, key: object) -> Artifact:
    return op_of(op).compilation(key, AARCH64).artifact()  # type: ignore[arg-type]


def check(name: str, dtype: str, layout: str, size: str) -> None:
    """One call there and here."""
    op, row = op_of(name), ROWS[name]
    case = laid_out(
        row, layout, row.case(np.random.default_rng(zlib.crc32(f"{name}{dtype}{size}".encode())), dtype, size)
    )
    given = {**op.signature.scalar_defaults, **case.keywords}
    request = op.request(case.operands, {k: v for k, v in case.keywords.items() if k not in op.signature.scalars})
    made = artifact(name, request)
    plan = compilation(op, case).legal
    present = [x for x in op.tensors(case.operands) if x is not None]
    inputs = {t.name: as_bits(to_numpy(x)) for t, x in zip(plan.inputs, present, strict=True)}
    found = MACHINE.run(made, plan, inputs, {s.name: cell(given[s.name], s.dtype.name) for s in plan.scalars})
    job = op.job(request)  # a call of the op would merge axes, and sum up in another order
    scalars = {s.name: given[s.name] for s in job.function.scalars}
    here: Any = FunctionOp(job.function, job.passes)(*present, **scalars)
    for t, there, result in zip(plan.outputs, found, here if isinstance(here, tuple) else (here,), strict=True):
        assert_same_bits(there, as_bits(to_numpy(result)), t.dtype)


def cell(value: Any, dtype: str) -> Any:
    """A run-time scalar, bf16 as its bits."""
    return np.asarray(value, ml_dtypes.bfloat16).view(np.uint16) if dtype == "bf16" else value


@pytest.mark.parametrize("op", [op if op in PROBES[:3] else pytest.param(op, marks=pytest.mark.full) for op in ROWS])
def test_the_bits_of_this_machine(op: str) -> None:
    for combination in sorted({c[:4] for c in spread(ROWS[op])}):
        check(*combination)


def test_code_and_constants_have_their_places() -> None:
    """Far more constants than an instruction reaches: pages, low parts, calls within the object."""
    text = "op many(x: f32[N]) -> y: f32[N]:\n    y[i] = " + " + ".join(f"sin(x[i] * {n}.25)" for n in range(12)) + "\n"
    op, x = tw.op(text), np.linspace(-9, 9, 37, dtype=np.float32)
    road = op.compilation(op.request((x,), {}), AARCH64)
    (found,) = MACHINE.run(road.artifact(), road.legal, {"x": x}, {})
    assert_same_bits(found, op(x))


def test_a_damaged_object_stops_the_machine_only() -> None:
    op, x = tw.op("op one(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i] + 1\n"), np.ones(3, np.float32)
    road = op.compilation(op.request((x,), {}), AARCH64)
    made = road.artifact()
    with pytest.raises(AssertionError, match="the emulated machine stopped: 1"):
        MACHINE.run(made._replace(images=[i[:100] for i in made.images]), road.legal, {"x": x}, {})
    (found,) = MACHINE.run(made, road.legal, {"x": x}, {})
    assert found.tolist() == [2, 2, 2]
