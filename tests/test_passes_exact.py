"""Every pass on random programs: no value changes in the exact field, and no bit where the pass promises that."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from tilewright.errors import CallError
from tilewright.ir import statements
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.interpret import EXACT, TYPED, Domain, IndexFault, run_function, run_plan
from tilewright.ir.interpret.arrays import HostArray
from tilewright.ir.plan import Plan
from tilewright.ir.scalar import Apply, Expr, apply, rewrite
from tilewright.ir.statements import map_computes
from tilewright.ir.tensor import Compute, Function, Order
from tilewright.ir.types import BOOL, I32, I64, U8
from tilewright.ir.verify_loops import verify_plan
from tilewright.ir.verify_tensor import verify
from tilewright.passes.legalise import legalise
from tilewright.passes.loops.simplify import Simplify as SimplifyLoops
from tilewright.passes.lower import lower
from tilewright.passes.schedule.default import schedule
from tilewright.passes.tensor.eliminate_dead import EliminateDead
from tilewright.passes.tensor.form_fma import FormFma
from tilewright.passes.tensor.inline import Inline
from tilewright.passes.tensor.set_order import SetOrder
from tilewright.passes.tensor.simplify import Simplify
from tilewright.targets.target import get_target
from tilewright.testing.compare import assert_same_bits, random_inputs
from tilewright.testing.programs import DTYPES, functions, sizes

INTEGERS = (I32, I64, U8, BOOL)
SMALL = (Order(), Order(1, 1), Order(2, 1), Order(2, 2), Order(3, 2), Order(4, 4))
BOTH = (TYPED, EXACT)

NO_SHRINKING = (Phase.explicit, Phase.generate)
QUICK = settings(
    max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck), phases=NO_SHRINKING
)
MANY = settings(QUICK, max_examples=500, derandomize=False, phases=tuple(Phase))

Values = Mapping[str, HostArray]


def units(f: Function) -> dict[str, int]:
    """All inputs contiguous."""
    return {t.name: len(t.shape) - 1 for t in f.inputs}


def scalar_values(f: Function) -> dict[str, Any]:
    return {s.name: 1 for s in f.scalars}


def meaning(f: Function, dims: Mapping[str, int], domain: Domain) -> tuple[Values, Values]:
    """Random inputs and what ``f`` makes of them; programs that a call would refuse are passed over."""
    inputs = random_inputs(f, dims, domain, Random(repr(dims)))
    try:
        return inputs, run_function(f, inputs, scalar_values(f), domain)
    except (IndexFault, CallError):
        assume(False)
        raise


def assert_values(actual: Values, expected: Values, f: Function) -> None:
    assert list(actual) == list(expected)
    for name, array in expected.items():
        assert_same_bits(actual[name], array, f.tensor(name).dtype)


# --- passes of tensor IR ----------------------------------------------------------------------


def small_orders(f: Function) -> Function:
    """``f`` with orders so small that five elements fill several chunks and lanes; scans too."""
    random = Random(f.name + str(len(f.body)))

    def ordered(c: Compute) -> Compute:
        if c.scan is not None:
            return replace(c, scan=replace(c.scan, chunk=random.choice((1, 2, 3))))
        if c.reduction is None or not c.reduction.merge:
            return c
        return replace(c, reduction=replace(c.reduction, orders=tuple(random.choice(SMALL) for _ in c.reduction.axes)))

    return replace(f, body=map_computes(f.body, ordered))


@dataclass(frozen=True)
class Rewrite:
    """A pass, and the domains in which it changes no bit of programs with inputs of ``dtypes``."""

    run: Callable[[Function], Function]
    domains: tuple[Domain, ...] = BOTH
    dtypes: tuple[Any, ...] = DTYPES


REWRITES = {
    "form-fma": Rewrite(lambda f: FormFma().run(f), (EXACT,)),
    "form-fma of integers": Rewrite(lambda f: FormFma().run(f), BOTH, INTEGERS),
    "set-order": Rewrite(lambda f: SetOrder(tuple(units(f).items())).run(f), (EXACT,)),
    "small orders": Rewrite(small_orders, (EXACT,)),
    "small orders of integers": Rewrite(small_orders, BOTH, INTEGERS),
    "inline": Rewrite(lambda f: Inline().run(f)),
    "inline with duplicates": Rewrite(lambda f: Inline(duplicate=True).run(f)),
    "eliminate-dead": Rewrite(lambda f: EliminateDead().run(f)),
    "simplify": Rewrite(lambda f: Simplify().run(f)),
}


def check_rewrite(how: Rewrite, data: st.DataObject) -> None:
    f = data.draw(functions(how.dtypes))
    after = how.run(f)
    verify(after)
    dims = data.draw(sizes(f))
    for domain in how.domains:
        inputs, wanted = meaning(f, dims, domain)
        assert_values(run_function(after, inputs, scalar_values(f), domain), wanted, f)


@pytest.mark.parametrize("name", REWRITES)
@QUICK
@given(st.data())
def test_a_rewrite_changes_nothing(name: str, data: st.DataObject) -> None:
    check_rewrite(REWRITES[name], data)


@pytest.mark.full
@pytest.mark.parametrize("name", REWRITES)
@MANY
@given(st.data())
def test_a_rewrite_changes_nothing_in_many_programs(name: str, data: st.DataObject) -> None:
    check_rewrite(REWRITES[name], data)


# --- lowering and the passes of loop IR -------------------------------------------------------

LANES = Capabilities(16, frozenset())


def lowered(f: Function) -> Plan:
    return lower(f, units(f))


def simplified(plan: Plan) -> Plan:
    return replace(plan, kernels=tuple(SimplifyLoops().run(k) for k in plan.kernels))


def legal(target: str, level: str | None = None) -> Callable[[Function], Plan]:
    """Scheduled for the target and made of its operations."""
    capabilities = get_target(target, level).capabilities
    return lambda f: legalise(schedule(lowered(f), capabilities), capabilities)


@dataclass(frozen=True)
class Road:
    """A way to a plan, and the domains in which it keeps every bit; ``math``: exp, log, sqrt and division too."""

    run: Callable[[Function], Plan]
    domains: tuple[Domain, ...] = BOTH
    math: bool = True


ROADS = {
    "lower": Road(lowered),
    "simplify of loops": Road(lambda f: simplified(lowered(f))),
    "naive schedule": Road(lambda f: schedule(lowered(f), LANES)),
    "legalise for c": Road(legal("c"), (TYPED,), math=False),
    "legalise for cpu": Road(legal("cpu", "x86-64"), (TYPED,), math=False),
}


def check_road(road: Road, data: st.DataObject) -> None:
    f = small_orders(data.draw(functions(math=road.math)))
    plan = road.run(f)
    verify_plan(plan)
    dims = data.draw(sizes(f))
    for domain in road.domains:
        inputs, wanted = meaning(EliminateDead().run(f), dims, domain)
        assert_values(run_plan(plan, inputs, scalar_values(f), domain, Random(3)), wanted, f)


@pytest.mark.parametrize("name", ROADS)
@QUICK
@given(st.data())
def test_a_road_changes_nothing(name: str, data: st.DataObject) -> None:
    check_road(ROADS[name], data)


@pytest.mark.full
@pytest.mark.parametrize("name", ROADS)
@MANY
@given(st.data())
def test_a_road_changes_nothing_in_many_programs(name: str, data: st.DataObject) -> None:
    check_road(ROADS[name], data)


# --- could these tests fail? ------------------------------------------------------------------


def mistaken(rule: Callable[[Expr], Expr]) -> Rewrite:
    """A wrong pass: it applies ``rule`` wherever it can."""

    def run(f: Function) -> Function:
        def change(c: Compute) -> Compute:
            return statements.map_expressions(c, lambda e: rewrite(e, rule))

        return replace(f, body=map_computes(f.body, change))

    return Rewrite(run, (EXACT,))


def swapped(e: Expr) -> Expr:
    return apply("sub", e.args[1], e.args[0]) if isinstance(e, Apply) and e.op == "sub" else e


def turned(e: Expr) -> Expr:
    return Apply("min", e.args, e.dtype) if isinstance(e, Apply) and e.op == "max" else e


@pytest.mark.parametrize("rule", [swapped, turned])
def test_a_wrong_rewrite_is_caught(rule: Callable[[Expr], Expr]) -> None:
    @settings(QUICK, database=None)
    @given(st.data())
    def run(data: st.DataObject) -> None:
        check_rewrite(mistaken(rule), data)

    with pytest.raises(AssertionError, match="bits differ"):
        run()
