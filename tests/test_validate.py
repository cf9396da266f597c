"""``tw.verify``: what is right passes, what is wrong is caught, and the right pass is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import verified as v
from op_table import PROBES

import tilewright as tw
from tilewright.compiler import driver
from tilewright.compiler.bundle import FOLDER
from tilewright.compiler.mode import mode
from tilewright.compiler.shrink import part, readable, smaller_functions, smaller_trials
from tilewright.compiler.stages import definition_passes
from tilewright.compiler.trials import Trial, fits, index_limits, iterations, large_trials, small_trials, spread, within
from tilewright.compiler.validate import EMITTED, Job, Mismatch, mismatch_in, validate
from tilewright.dsl.parse import parse
from tilewright.dsl.specialise import specialise
from tilewright.errors import InternalError, UserError
from tilewright.ir.interpret import EXACT, TYPED, Env
from tilewright.ir.loops import Kernel, Loop, Stmt
from tilewright.ir.tensor import Function
from tilewright.ir.text_tensor import print_function
from tilewright.passes.loops.split import Split
from tilewright.passes.tensor.form_fma import FormFma
from tilewright.targets.target import get_target


@pytest.fixture(autouse=True)
def _bundles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FOLDER, str(tmp_path))


def function(name: str, rank: int = 1) -> Function:
    op = tw.ops.get(name)
    return op.compilation(op.default_request({}, rank, {})).function


def read(text: str) -> Function:
    return specialise(parse(text).ops[0])


def job(f: Function, target: str = "cpu", level: str | None = None) -> Job:
    layout = {t.name: len(t.shape) - 1 for t in f.inputs}
    return Job(f, layout, definition_passes, get_target(target, level))


# --- what is right --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBES)
def test_shipped_ops_pass(name: str, tmp_path: Path) -> None:
    op = tw.ops.get(name)
    got = v.verified(lambda: v.CALLS[name](v.anew(op)))
    np.testing.assert_array_equal(got, v.CALLS[name](op))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("target", "level"), [("c", None), ("cpu", "x86-64")])
def test_other_targets_and_layouts_pass(target: str, level: str | None) -> None:
    x = np.ones((5, 3), np.float32).T
    got = v.verified(lambda: v.anew(tw.ops.softmax, target, level)(x))
    np.testing.assert_array_equal(got, tw.ops.softmax(x))


def test_a_trace_is_checked_from_its_fusing_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Function] = []
    monkeypatch.setattr(driver, "validate", lambda job: seen.append(job.function) or validate(job))
    got = v.verified(lambda: tw.trace(lambda a: tw.ops.softmax(tw.ops.cumsum(a)), v.X)(v.X))
    np.testing.assert_array_equal(got, tw.ops.softmax(tw.ops.cumsum(v.X)))
    assert [len(f.body) for f in seen] == [5]


def test_floats_without_a_meaning_in_the_field_are_checked_in_their_own_dtypes(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "op bits_of(x: f32[N], y: f32[N]) -> z: i32[N]:\n    z[i] = bitcast(i32, x[i]) + i32(exp(y[i]))\n"
    x = v.X[0]
    got = v.verified(lambda: v.anew(tw.op(text))(x, x))
    np.testing.assert_array_equal(got, x.view(np.int32) + 2)
    v.exp_is_off(monkeypatch)
    assert "legalise changes what the program means" in v.caught(lambda: v.anew(tw.op(text))(x, x)).message


def test_half_scalars_and_empty_ranks_pass() -> None:
    text = "op scaled(x: f32[], *, p: scalar f16, q: scalar bf16) -> y: f32[]:\n    y[] = x[] * f32(p) + f32(q)\n"
    assert v.verified(lambda: v.anew(tw.op(text))(np.float32(2), p=1.5, q=0.25)) == 3.25


# --- what is wrong --------------------------------------------------------------------------------

FAULTS: dict[str, tuple[Callable[[pytest.MonkeyPatch], None], Callable[[], Any], str]] = {
    "split": (v.split_loses_an_iteration, lambda: v.CALLS["softmax"](v.anew(tw.ops.softmax)), "split{loop="),
    "split of a contraction": (v.split_loses_an_iteration, lambda: v.anew(tw.ops.matmul)(v.X, v.Y), "split{loop="),
    "form-fma": (v.fma_forgets_a_sign, v.mixed, "form-fma changes"),
    "exp": (v.exp_is_off, v.mixed, "legalise changes what the program means: exp("),
    "field": (v.field_sum_is_off, v.mixed, "legalise changes"),
    "masks": (v.masked_loads_see_nothing, v.mixed, f"{EMITTED} changes"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_caught_and_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fault, call, wanted = FAULTS[name]
    fault(monkeypatch)
    error = v.caught(call)
    assert error.message.startswith(wanted), error
    assert isinstance(error, InternalError) and error.bundle in str(error)
    reduced = read(error.reduced.program)
    assert error.reduced.program.rstrip() in str(error) and len(reduced.body) == 1
    if error.reduced.sizes is not None:
        assert fits(reduced, Env(error.reduced.sizes))


def test_what_is_reduced_still_fails_and_is_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    v.fma_forgets_a_sign(monkeypatch)
    error = v.caught(v.mixed)
    assert len(error.reduced.program) < len(print_function(read(v.MIXED)))
    body = "z[i: M, j: N] = u[i, j] - x[i, j] * y[i, j]"
    assert body in error.reduced.program and "exp" not in error.reduced.program
    assert all(n <= 2 for _, n in error.reduced.sizes or [("none", 9)])
    with pytest.raises(InternalError) as again:
        driver.run(error.reduced)
    found = mismatch_in(again.value)
    assert found is not None and found.name == "form-fma"


def test_without_verify_nothing_is_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    v.fma_forgets_a_sign(monkeypatch)
    np.testing.assert_array_equal(v.mixed(), np.float32(np.exp(np.float32(1))) + 2 + 0 * v.X)


def test_a_rule_of_the_verifiers_is_a_mismatch_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def strange(self: Any, f: Function) -> Function:
        return Function(f.name, f.inputs, f.scalars, f.body, ("nothing",))

    monkeypatch.setattr(FormFma, "run", strange)
    assert v.caught(v.mixed).message.startswith("form-fma changes what the program means: [outputs]")


def test_a_step_that_was_tried_on_less_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the guard split each row costs thousands of iterations; the fault shows in a later, cheaper kernel."""
    run = Split.run

    def lossy(self: Split, kernel: Kernel) -> Kernel:
        made = run(self, kernel)
        return replace(made, body=_clipped(made.body, 60)) if self.tail == "guard" else made

    monkeypatch.setattr(Split, "run", lossy)
    f = read("op copy(x: f32[M, N]) -> y: f32[M, N]:\n    y[i: M, j: N] = x[i, j]\n")
    with pytest.raises(InternalError) as error:
        validate(job(f))
    found = mismatch_in(error.value)
    assert found is not None and found.culprit.startswith("split{loop=j factor=4096"), found


def _clipped(body: tuple[Stmt, ...], most: int) -> tuple[Stmt, ...]:
    """The loop inside tiles, ending early."""
    made = []
    for s in body:
        if isinstance(s, Loop):
            extent = s.extent - 4096 + most if s.var.endswith("_in") else s.extent
            s = replace(s, extent=extent, body=_clipped(s.body, most))
        made.append(s)
    return tuple(made)


# --- the setting ----------------------------------------------------------------------------------


def test_the_mode_holds_inside_only_and_else_until_it_is_set_again() -> None:
    assert mode() == "off"
    with tw.verify("each-pass"):
        with tw.verify("off"):
            assert mode() == "off"
        assert mode() == "each-pass"
    assert mode() == "off"
    tw.verify("each-pass")
    assert mode() == "each-pass"
    tw.verify("off")
    assert mode() == "off"
    with pytest.raises(UserError, match="unknown mode 'always'") as error:
        tw.verify("always")
    assert error.value.hint == "one of off, each-pass"
    assert mode() == "off"


# --- trials ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PROBES)
def test_trials_fit_and_cross_lanes_and_chunks(name: str) -> None:
    f = function(name)
    small, large = small_trials(f), large_trials(f)
    for t in (*small, *large):
        assert fits(f, Env(t.sizes))
    assert {n for t in small for _, n in t.sizes} >= {1, 67}
    assert 4163 in {n for t in large for _, n in t.sizes}
    assert name in ("argmax", "conv2d") or any(not any(n for _, n in t.sizes) for t in small)


def test_operands_have_the_layout_that_is_compiled_for() -> None:
    f = function("matmul", 0)
    inputs = Trial((("M", 3), ("K", 4), ("N", 5))).inputs(f, {"a": 0, "b": -1}, TYPED)
    assert [inputs[n].shape for n in "ab"] == [(3, 4), (4, 5)]
    assert inputs["a"].strides[0] == 4 and inputs["a"].strides[1] not in (4, 12)
    assert 4 not in map(abs, inputs["b"].strides)
    again = Trial((("M", 3), ("K", 4), ("N", 5))).inputs(f, {"a": 1, "b": 0}, TYPED)
    np.testing.assert_array_equal(again["a"], inputs["a"])


def test_spread_keeps_the_elements() -> None:
    array = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    for unit in (-1, 0, 1, 2):
        view = spread(array, unit, array.dtype)
        np.testing.assert_array_equal(view, array)
        assert [a for a in range(3) if view.strides[a] == 2] == ([unit] if unit >= 0 else [])
    assert spread(np.array(5), -1, np.dtype(np.int16)) == 5


def test_indices_are_in_range_or_some_are_not() -> None:
    f = function("embedding")
    sizes = (("V", 3), ("D", 2), ("_0", 67))
    assert index_limits(f, Env(sizes)) == {"idx": 3}
    layout = {"w": 1, "idx": 0}
    inside = Trial(sizes).inputs(f, layout, EXACT)["idx"]
    outside = Trial(sizes, outside=True).inputs(f, layout, EXACT)["idx"]
    assert inside.min() == 0 and inside.max() == 2
    assert outside.min() < 0 and outside.max() > 2 and ((outside >= 0) & (outside < 3)).sum() > 30


def test_an_index_that_is_computed_keeps_operands_small() -> None:
    text = "op f(x: f32[N], k: i32[N]) -> y: f32[N]:\n    where N >= 3\n    t[i: N] = k[i] + 1\n    y[i: N] = x[t[i]]\n"
    assert index_limits(read(text), Env({"N": 9})) == {"t": 9, "k": 2}


def test_within_leaves_out_what_is_too_much() -> None:
    assert within([3, 9, 0, 4, 2], lambda n: n, 8) == [3, 0, 4]


def test_iterations_counts_no_loop_inside_an_empty_one() -> None:
    plan = tw.ops.embedding.compilation(tw.ops.embedding.default_request({}, 1, {})).loops
    (kernel,) = plan.kernels
    assert iterations(kernel, {"V": 3, "D": 0, "_0": 4}) == 0
    assert iterations(kernel, {"V": 3, "D": 1, "_0": 4}) >= 4


# --- shrinking ------------------------------------------------------------------------------------


def test_a_part_is_a_function_of_its_own() -> None:
    f = read(v.MIXED)
    last = part(f, f.body[2:], ["z"])
    assert [t.name for t in last.inputs] == ["x", "y", "u"] and readable(last)
    assert [c.results[0].name for c in part(f, f.body, ["u"]).body] == ["t", "u"]


@pytest.mark.parametrize("name", PROBES)
def test_smaller_functions_are_shorter(name: str) -> None:
    f = function(name)
    for g in smaller_functions(f):
        assert len(print_function(g)) < len(print_function(f))


def test_smaller_trials_change_one_thing() -> None:
    found = list(smaller_trials(read(v.MIXED), Trial((("M", 4), ("N", 0)), outside=True)))
    assert found[0] == Trial((("M", 4), ("N", 0)))
    assert [dict(t.sizes)["M"] for t in found[1:]] == [0, 1, 2, 3]
    assert {dict(t.sizes)["N"] for t in found} == {0}


def test_a_mismatch_is_found_behind_other_errors() -> None:
    first = Mismatch("split{loop=i}", "wrong", None)
    try:
        raise InternalError("outer") from first
    except InternalError as e:
        assert mismatch_in(e) is first
    assert first.name == "split" and mismatch_in(InternalError("x")) is None


def test_values_are_the_same_each_time_and_differ_between_operands() -> None:
    f = function("matmul", 0)
    trial = Trial((("M", 9), ("K", 9), ("N", 9)))
    a, b = (trial.inputs(f, {"a": 1, "b": 1}, EXACT)[n] for n in "ab")
    assert not (a == b).all() and len(np.unique(a)) < a.size
    np.testing.assert_array_equal(a, trial.inputs(f, {"a": 1, "b": 1}, EXACT)["a"])
