"""The numbering that all emitters share."""

from __future__ import annotations

import pytest

from tilewright.errors import InternalError
from tilewright.ir.index import const, symbol
from tilewright.ir.plan import Plan, Repeat, Step
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.ir.types import F32, I64
from tilewright.targets.target import numbering

X, IDX, Y, Z, S = (Tensor(name, F32, (symbol("N"),)) for name in ("x", "idx", "y", "z", "s"))


def plan(*steps: Step) -> Plan:
    scalars = ScalarInput("p", F32), ScalarInput("q", I64)
    return Plan("p", (X, IDX), (Y, Z), scalars, (("N", symbol("dim(x,0)")),), (), (S,), (), steps)


def repeat(counter: str, *steps: Step) -> Repeat:
    return Repeat(counter, const(2), steps)


def test_operands_and_slots() -> None:
    found = numbering(plan())
    assert (found.data, found.scalars) == ({"x": 0, "idx": 1, "y": 2, "z": 3}, {"p": 0, "q": 1})
    assert [found.slots[s] for s in ("dim(x,0)", "stride(x,0)", "dim(idx,0)", "N", "out(y,0)")] == [0, 1, 2, 4, 5]
    assert found.scratch == {"s": found.slots["offset(s)"]}
    assert [found.operand(name) for name in ("x", "idx", "y", "z", "s")] == [0, 1, 2, 2, 2]


def test_counters_are_numbered_by_depth() -> None:
    assert numbering(plan(repeat("a", repeat("b")), repeat("c"), repeat("a"))).counters == {"a": 0, "b": 1, "c": 0}
    with pytest.raises(InternalError, match="counter b stands at two depths"):
        numbering(plan(repeat("a", repeat("b")), repeat("b")))
