"""Checks what ops claim: that one equals another, and that a gradient written by hand is the gradient.

Both sides are interpreted on the same small operands. In the exact field they are the same, or else, for gradients,
near in float64, since a gradient may be written in another way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tilewright.compiler.outcomes import difference, outcome
from tilewright.compiler.trials import Trial, fits, small_trials
from tilewright.dsl import syntax as ast
from tilewright.dsl.calls import in_module
from tilewright.dsl.check import Report, Variant, variants
from tilewright.dsl.check import check as check_module
from tilewright.dsl.claims import equal_of, gradient_of
from tilewright.dsl.program import Resolver, error, no_ops
from tilewright.dsl.signature import signature
from tilewright.dsl.specialise import specialise
from tilewright.errors import UnsupportedError, UserError
from tilewright.ir.interpret import EXACT, TYPED, Domain, Env, IndexFault, run_function
from tilewright.ir.interpret.arrays import HostArray, decode, encode
from tilewright.ir.interpret.domains import FLOAT64
from tilewright.ir.tensor import Function, Tensor
from tilewright.passes.tensor.differentiate import differentiate, pruned
from tilewright.passes.tensor.in_field import InField
from tilewright.targets.target import TARGETS

TRIALS = 4
STEP, NEAR, NEAR_QUOTIENT = 1e-4, 1e-6, 1e-3
"""How far apart finite differences are taken; how near gradients are to each other, and to a difference quotient."""

Arrays = Mapping[str, HostArray]


def check(module: ast.Module, shared: Resolver = no_ops) -> Report:
    """As :func:`tilewright.dsl.check.check`; what sound ops claim is tried too."""
    report = check_module(module, shared, TARGETS)
    if report.diagnostics:
        return report
    resolver = in_module(module, shared)
    found = (_wrong_claim(op, resolver) for op in module.ops if op.equals or op.gradient)
    return replace(report, diagnostics=tuple(e for e in found if e is not None))


def vjp(op: ast.Op, variant: Variant, resolver: Resolver = no_ops) -> Function:
    """The vector-Jacobian product of ``op`` with respect to all float operands.

    It is the one that is written by hand, that of the op that ``op`` equals, or else derived. UnsupportedError where
    there is none.
    """
    if op.gradient:
        return pruned(specialise(gradient_of(op, variant.present), *variant.choices, resolver))
    other = equal_of(op, resolver)
    if other is not None:
        return replace(vjp(other, variant, resolver), name=f"{op.name}_vjp")
    return _derived(specialise(op, *variant.choices, resolver))


def _derived(f: Function) -> Function:
    return differentiate(f, [t.name for t in f.inputs if t.dtype.is_float])


def _wrong_claim(op: ast.Op, resolver: Resolver) -> UserError | None:
    """The first claim of ``op`` that does not hold."""
    sig = signature(op)
    for variant in variants(sig):
        found = _unequal(op, variant, resolver)
        if found is None and op.gradient and variant.has_gradient(sig):
            found = _wrong_gradient(op, variant, resolver)
        if found is not None:
            return found
    return None


# --- equals -------------------------------------------------------------------------------------


def _unequal(op: ast.Op, variant: Variant, resolver: Resolver) -> UserError | None:
    other = equal_of(op, resolver)
    if other is None or op.equals is None:
        return None
    f, g = (specialise(o, *variant.choices, resolver) for o in (op, other))
    domain = _domain(f, g)
    for trial in small_trials(f)[:TRIALS]:
        if fits(g, Env(trial.sizes)):
            inputs, scalars = trial.inputs(f, _layout(f), domain), trial.scalars(f, domain)
            one, two = (outcome(partial(run_function, h, inputs, scalars, domain)) for h in (f, g))
            what = difference(one, two, [f.tensor(o) for o in f.outputs], domain)
            if what is not None:
                message = f"{op.name} does not equal {other.name}: {what} ({trial})"
                return error(message, op.equals.span, "change one of the two until they give the same values")
    return None


def _domain(*functions: Function) -> Domain:
    """The exact one, where the functions have a meaning in it."""
    try:
        for f in functions:
            InField().run(f)
    except UnsupportedError:
        return TYPED
    return EXACT


def _layout(f: Function) -> dict[str, int]:
    return {t.name: len(t.shape) - 1 for t in f.inputs}


# --- gradients ----------------------------------------------------------------------------------


def _wrong_gradient(op: ast.Op, variant: Variant, resolver: Resolver) -> UserError | None:
    f = specialise(op, *variant.choices, resolver)
    written = specialise(gradient_of(op, variant.present), *variant.choices, resolver)
    for trial in small_trials(written)[:TRIALS]:
        try:
            what = _gradient_difference(f, written, trial)
        except IndexFault:
            continue
        if what is not None:
            message = f"this is not the gradient of {op.name}: {what} ({trial})"
            return error(message, op.gradient[0].span, "change it, or leave it out: gradients are derived")
    return None


def _gradient_difference(f: Function, written: Function, trial: Trial) -> str | None:
    try:
        derived = _derived(f)
    except UnsupportedError:
        return _unlike_quotient(f, written, trial)
    outputs = [written.tensor(o) for o in written.outputs]
    if _domain(written, derived) is EXACT:
        one, two = _both(written, derived, trial, EXACT)
        if difference(one, two, outputs, EXACT) is None:
            return None
    one, two = _both(written, derived, trial, FLOAT64)
    return next((what for t in outputs if (what := _far(one[t.name], two[t.name], t))), None)


def _both(written: Function, derived: Function, trial: Trial, domain: Domain) -> tuple[Arrays, Arrays]:
    inputs, scalars = trial.inputs(written, _layout(written), domain), trial.scalars(written, domain)
    one = run_function(written, inputs, scalars, domain)
    own = {t.name: inputs[t.name] for t in derived.inputs}
    two = run_function(derived, own, {s.name: scalars[s.name] for s in derived.scalars}, domain)
    return one, two


def _far(actual: HostArray, expected: HostArray, t: Tensor) -> str | None:
    """The first element of a gradient that is not near the derived one, in words."""
    for n, (a, e) in enumerate(zip(*(decode(x, t.dtype, FLOAT64) for x in (actual, expected)), strict=True)):
        if not (math.isclose(a, e, rel_tol=NEAR, abs_tol=NEAR) or (math.isnan(a) and math.isnan(e))):
            return f"{t.name}{_place(n, actual.shape)} is {a}, not {e}"
    return None


def _place(number: int, shape: Sequence[int]) -> list[int]:
    where: list[int] = []
    for extent in reversed(shape):
        number, at = divmod(number, extent)
        where.insert(0, at)
    return where


def _unlike_quotient(f: Function, written: Function, trial: Trial) -> str | None:
    """How the gradient differs from a difference quotient along one direction, where none can be derived."""
    inputs, scalars = trial.inputs(written, _layout(written), FLOAT64), trial.scalars(written, FLOAT64)
    gradient = run_function(written, inputs, scalars, FLOAT64)
    moved = [f.tensor(o.removeprefix("d_")) for o in written.outputs]
    directions = {t.name: [((7 * n) % 13 - 6) / 6 for n in range(inputs[t.name].size)] for t in moved}

    def shifted(step: float) -> dict[str, Any]:
        there = {t.name: inputs[t.name] for t in f.inputs}
        for t in moved:
            values = zip(decode(inputs[t.name], t.dtype, FLOAT64), directions[t.name], strict=True)
            there[t.name] = encode([v + step * d for v, d in values], inputs[t.name].shape, t.dtype, FLOAT64)
        return run_function(f, there, {s.name: scalars[s.name] for s in f.scalars}, FLOAT64)

    up, down = shifted(STEP), shifted(-STEP)
    results = [f.tensor(t.name.removeprefix("d_")) for t in written.inputs[len(f.inputs) :]]
    wanted = sum(
        c * (a - b) / (2 * STEP)
        for r in results
        for c, a, b in zip(*(decode(x[k], r.dtype, FLOAT64) for x, k in _named(inputs, up, down, r)), strict=True)
    )
    found = sum(
        g * d
        for t in moved
        for g, d in zip(decode(gradient[f"d_{t.name}"], t.dtype, FLOAT64), directions[t.name], strict=True)
    )
    if math.isnan(wanted) or math.isclose(found, wanted, rel_tol=NEAR_QUOTIENT, abs_tol=NEAR_QUOTIENT):
        return None
    return f"along a direction it is {found}, and the difference quotient is {wanted}"


def _named(inputs: Arrays, up: Arrays, down: Arrays, r: Tensor) -> Iterator[tuple[Arrays, str]]:
    yield from ((inputs, f"d_{r.name}"), (up, r.name), (down, r.name))
