"""No size of a call leaves 64 bits: what wraps around is refused, and what does not is let through."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator

import hand_built
import numpy as np
import pytest
from hand_built import Axis, Tensor, literal
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import tilewright as tw
from tilewright.errors import CallError, CallTypeError, UserError
from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index, atoms, children, const, maximum, minimum, symbols
from tilewright.ir.interpret.indices import Env, evaluate, holds
from tilewright.ir.loops import Loop, walk
from tilewright.ir.plan import Plan, tail
from tilewright.ir.tensor import Compute, Function
from tilewright.ir.types import I8, I32
from tilewright.passes.lower import fit_sizes, lower
from tilewright.passes.lower.fit import LARGEST
from tilewright.passes.schedule.default import schedule
from tilewright.targets.cpu.manifest import target
from tilewright.testing.programs import functions

N, M, K = (ix.symbol(name) for name in "NMK")


def plan_of(f: Function) -> Plan:
    return schedule(lower(f, {t.name: -1 for t in f.inputs}), target().capabilities)


def fits(value: int) -> bool:
    return -(1 << 63) <= value < 1 << 63


def parts(index: Index) -> Iterator[Index]:
    """``index``, and what is divided, compared or divided by in it."""
    yield index
    for atom in atoms(index):
        yield from children(atom)


def table(plan: Plan, dims: list[int]) -> Env:
    """The dims of ``plan``'s operands where no extent is derived from another."""
    names = [name for name, _ in plan.symbols]
    found = Env(dict(zip(names, dims, strict=False)))
    for t in plan.inputs:
        found.update((f"dim({t.name},{a})", evaluate(e, found)) for a, e in enumerate(t.shape))
    return found


def sizes(plan: Plan) -> list[Index]:
    """All that is computed of dims for a call, but the lengths of chunks."""
    dims = {name for name, _ in plan.symbols}
    loops = [s.extent for k in plan.kernels for s, _ in walk(k.body) if isinstance(s, Loop)]
    slots = [v for n, v in tail(plan) if not n.startswith("chunk(")]
    return [i for i in (*loops, *slots) if symbols(i) <= dims]


def can_exist(plan: Plan, env: Env) -> bool:
    """Whether the runtime holds operands and results of these dims."""
    shapes = [(t.dtype.bytes, [evaluate(e, env) for e in t.shape]) for t in (*plan.inputs, *plan.outputs)]
    return all(item * math.prod(max(1, d) for d in shape) <= LARGEST for item, shape in shapes)


def passes(condition: Condition, env: Env) -> bool:
    """Whether ``condition`` holds; its own arithmetic must not leave 64 bits."""
    assert all(fits(evaluate(p, env)) for p in parts(condition.index)), condition
    return holds(condition, env)


@st.composite
def extents(draw: st.DrawFn, depth: int, constant: int) -> Index:
    """A dim, or what is computed of some; it may be negative."""
    if depth == 0:
        return draw(st.sampled_from([N, M, K, const(2), const(constant)]))
    a, b = (draw(extents(depth - 1, constant)) for _ in range(2))
    c = draw(st.integers(1, 4096))
    return draw(st.sampled_from([a, a + b, a - b, a * b, (a + c - 1) // c, a % c, a * c, minimum(a, b), maximum(a, b)]))


@st.composite
def computed(draw: st.DrawFn, depth: int = 3, constant: int = 3 << 40) -> Function:
    """A function with extents and trip counts that are computed of its dims, and a result of a plain shape."""
    inputs = tuple(Tensor(name, I8, shape) for name, shape in (("x", (N, M)), ("z", (K,))))
    e, f, g = (draw(extents(depth, constant)) for _ in range(3))
    over = (Axis("i", e), Axis("j", f))
    one = Compute((Tensor("y", I8, (e, f)),), over, (literal(1, I8),))
    many = hand_built.reduced("add", 0, Tensor("s", I32, (N,)), (Axis("n", N),), Axis("k", g), literal(1, I32))
    return Function("computed", inputs, (), (one, many), ("y", "s"))


large = st.integers(0, 48).flatmap(lambda bits: st.integers(0, 1 << bits))


@settings(suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow], max_examples=60, deadline=None)
@given(st.one_of(computed(), functions()), st.lists(large, min_size=8, max_size=8))
def test_what_passes_the_checks_fits(f: Function, dims: list[int]) -> None:
    assume(all(map(ix.in_range, sizes(plan_of(f)))))
    plan = fit_sizes(plan_of(f))
    env = table(plan, dims)
    added = plan.checks[: len(plan.checks) - len(plan_of(f).checks)]
    assume(all(passes(c.condition, env) for c in added) and all(holds(c.condition, env) for c in plan.checks))
    assume(can_exist(plan, env))
    for index in sizes(plan):
        assert all(fits(evaluate(p, env)) for p in parts(index)), (index, env)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(computed(2, 7), functions()), st.lists(st.integers(0, 40), min_size=8, max_size=8))
def test_what_is_small_passes(f: Function, dims: list[int]) -> None:
    plan = plan_of(f)
    fitted = fit_sizes(plan)
    added = fitted.checks[: len(fitted.checks) - len(plan.checks)]
    assert fitted.checks == (*added, *plan.checks)
    env = table(fitted, dims)
    assert [c.message for c in added if not holds(c.condition, env)] == []


def test_a_program_without_computed_products_needs_no_check() -> None:
    for f in (hand_built.matmul(), hand_built.softmax(), hand_built.conv1d(2, 1), hand_built.cumsum(4)):
        assert fit_sizes(plan_of(f)) == plan_of(f)


@pytest.mark.parametrize("extent", [N * 2 - M * 3, minimum(N - M, 0) + M])
def test_what_terms_of_a_shape_cancel_is_not_bounded_by_it(extent: Index) -> None:
    inputs = tuple(Tensor(name, I8, (size,)) for name, size in (("n", N), ("m", M), ("k", K)))
    over = (Axis("i", extent), Axis("j", K))
    y = Compute((Tensor("y", I8, (extent, K)),), over, (literal(1, I8),))
    sum_ = hand_built.reduced("add", 0, Tensor("s", I32, ()), (), Axis("r", M * K), literal(1, I32))
    plan = fit_sizes(plan_of(Function("f", inputs, (), (y, sum_), ("y", "s"))))
    env = table(plan, [3 << 40, 2 << 40, 1 << 30] if extent == N * 2 - M * 3 else [0, 1 << 40, 1 << 30])
    assert evaluate(extent, env) == 0 and can_exist(plan, env)
    assert "f: M*K does not fit" in [c.message for c in plan.checks if not holds(c.condition, env)][0].replace(
        "K*M", "M*K"
    )


def test_numbers_of_more_than_64_bits() -> None:
    y = Compute(
        (Tensor("y", I8, (const(1 << 40),) * 2),), tuple(Axis(a, const(1 << 40)) for a in "ij"), (literal(1, I8),)
    )
    sum_ = hand_built.reduced("add", 0, Tensor("s", I32, ()), (), Axis("r", N + (1 << 80)), literal(1, I32))
    for c in (y, sum_):
        f = Function("f", (Tensor("n", I8, (N,)),), (), (c,), (c.results[0].name,))
        with pytest.raises(UserError, match="f: the size .* does not fit 64 bits"):
            fit_sizes(plan_of(f))


def test_intermediates_of_a_constant_size_that_no_memory_holds() -> None:
    text = KEPT.replace("i8", "f64").replace("op kept(", "op big(").replace(") -> s", ", *, k: int = 1) -> s")
    text = text.replace("a[i, j] = max[k: 2](x[i] + y[j] + f64(k))", "a[i: k, j: k] = max[l: 2](x[l] + y[l])")
    with pytest.raises(UserError, match=f"big: the size {1 << 62} does not fit 64 bits"):
        tw.op(text)(zeros(2, np.float64), zeros(2, np.float64), k=1 << 31)


def test_extents_that_are_named_by_each_other() -> None:
    inputs = tuple(Tensor(name, I8, (size,)) for name, size in (("n", N), ("m", M), ("k", K)))
    shape = (N - M, N - K, M - K)
    y = Compute((Tensor("y", I8, shape),), tuple(map(Axis, "abc", shape)), (literal(1, I8),))
    sum_ = hand_built.reduced("add", 0, Tensor("s", I32, ()), (), Axis("r", (N - K) * M * K), literal(1, I32))
    plan = fit_sizes(plan_of(Function("f", inputs, (), (y, sum_), ("y", "s"))))
    for dims, fit in (([5, 4, 3], True), ([1 << 33, 1 << 33, 1 << 32], False)):
        env = table(plan, dims)
        assert all(holds(c.condition, env) for c in plan.checks) == fit


VIRTUAL = "op virtual(x: i8[N], y: i8[M]) -> s: i8[]:\n    s[] = sum[k: N*M](x[k // M])\n"
KEPT = """
op kept(x: i8[N], y: i8[M]) -> s: i8[]:
    a[i, j] = max[k: 2](x[i] + y[j] + i8(k))
    s[] = sum[i, j](a[i, j])
"""
STEPS = """
op steps(x: i8[N], y: i8[M]) -> s: i8[1]:
    a: i8[N*M, 2]
    for t: N*M:
        b[t, i: 2] = x[t // M] + (a[t - 1, 1 - i] else 0)
        a[t, i: 2] = b[t, i] + b[t, i]
    s[i: 1] = (a[N*M - 1, i] else 0)
"""
REPEATED = "op repeated(x: i8[N], *, k: int = 1) -> y: i8[N*k]:\n    y[i] = x[i // k]\n"


def zeros(n: int, dtype: type = np.int8) -> np.ndarray:
    """As many zeros in the memory of one."""
    return np.broadcast_to(dtype(0), (n,))


@pytest.mark.parametrize("place", ["cpu", "c"])
@pytest.mark.parametrize(
    "text, dims, size",
    [
        (VIRTUAL, (1 << 32, 1 << 32), "M*N"),
        (KEPT, (1 << 31, 1 << 33), "M*N"),
        (KEPT.replace("i8", "f64"), (1 << 30, 1 << 31), "M*N"),
        (STEPS, (1 << 32, 1 << 32), "M*N"),
        (REPEATED, (1 << 20,), "N*35184372088832"),
    ],
)
def test_a_call_that_would_wrap_around(place: str, text: str, dims: tuple[int, ...], size: str) -> None:
    op = tw.op(text, target=place)
    attributes = {"k": 1 << 45} if "k: int" in text else {}
    with pytest.raises(CallError, match=re.escape(f"{size} does not fit 64 bits, where ")):
        op(*(zeros(n, np.float64 if "f64" in text else np.int8) for n in dims), **attributes)


def test_no_tensor_is_larger_than_the_checks_rely_on() -> None:
    assert tw.as_tensor(zeros(LARGEST)).shape == (LARGEST,)
    with pytest.raises(CallTypeError, match=f"a tensor has at most {LARGEST} bytes"):
        tw.as_tensor(zeros(LARGEST + 1))
    with pytest.raises(CallTypeError, match=f"a tensor has at most {LARGEST} bytes"):
        tw.as_tensor(np.broadcast_to(np.int8(0), (1 << 24, 0, 1 << 25)))
