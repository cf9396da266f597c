"""Checks that what became of a function still means what the function means.

The interpreters are the definition. They run before and after every tensor pass, stage and schedule step in the
exact field; the compiled code runs on the same operands, in the field and in the dtypes themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import field, replace
from functools import partial
from typing import Any, TypeVar

from tilewright.compiler.accuracy import check_expansions, without_math
from tilewright.compiler.kernel_trials import KernelTrial, kernel_trials
from tilewright.compiler.outcomes import Outcome, difference, outcome
from tilewright.compiler.stages import Compilation, Job, Stage, artifact
from tilewright.compiler.trials import (
    PLAN_ITERATIONS,
    STEP_ITERATIONS,
    Trial,
    iterations,
    large_trials,
    small_trials,
    within,
)
from tilewright.dsl.header import Parameter
from tilewright.errors import CallError, InternalError, TilewrightError, UnsupportedError
from tilewright.ir.index import const
from tilewright.ir.interpret import EXACT, TYPED, Domain, Env, IndexFault, evaluate, run_function, run_plan
from tilewright.ir.interpret.arrays import HostArray, decode
from tilewright.ir.loops import Kernel
from tilewright.ir.plan import Plan, Repeat, Step
from tilewright.ir.tensor import Function, Tensor
from tilewright.ir.verify_loops import verify_kernel, verify_plan
from tilewright.ir.verify_tensor import verify
from tilewright.passes.pipeline import Pass
from tilewright.passes.tensor.in_field import InField
from tilewright.records import dataclass
from tilewright.runtime import Op as CoreOp
from tilewright.runtime import Program, cells, threads, to_tensor
from tilewright.runtime import Tensor as Array

T = TypeVar("T")
EMITTED = "emitted code"


class Mismatch(InternalError):
    """``culprit`` (a pass, a stage, or the emitted code) changed what a program means; on ``trial``, if it was run."""

    def __init__(self, culprit: str, what: str, trial: Trial | None = None) -> None:
        self.culprit, self.what, self.trial = culprit, what, trial
        super().__init__(f"{culprit} changes what the program means: {what}" + (f" ({trial})" if trial else ""))

    @property
    def name(self) -> str:
        """The culprit without its options."""
        return self.culprit.partition("{")[0]


def mismatch_in(error: BaseException | None) -> Mismatch | None:
    """The mismatch that ``error`` is or comes from."""
    while error is not None and not isinstance(error, Mismatch):
        error = error.__cause__
    return error


def in_field(job: Job) -> Job | None:
    """The same in the exact field; None if it has no meaning there."""
    try:
        return replace(job, function=InField().run(job.function))
    except UnsupportedError:
        return None


def validate(job: Job, trials: Sequence[Trial] | None = None) -> Compilation:
    """The compilation of ``job``, every step and its code compared on ``trials`` (None: small and large ones that it
    takes). Raises Mismatch, or an InternalError that comes from one."""
    watch, compilation = watched(job, small_trials(job.function) if trials is None else trials, trials is None)
    _compare_typed(compilation, watch)
    exact = in_field(job)
    if exact:
        large = large_trials(job.function) if trials is None else ()
        _compare_field(exact, [*watch.calls, *(Call.of(job, t) for t in large)])
    return compilation


def watched(job: Job, trials: Sequence[Trial], limited: bool = False) -> tuple[Watch, Compilation]:
    """The part of :func:`validate` that the interpreters do."""
    verify(job.function)
    calls = [Call.of(job, t) for t in trials] if in_field(job) else []
    watch = Watch(job, trials, calls, limited=limited)
    return watch, _through(job, watch)


def watched_in_field(job: Job, trials: Sequence[Trial]) -> None:
    """The same of the program in the exact field, if it has a meaning there."""
    exact = in_field(job)
    if exact:
        _through(exact, Watch(exact, trials, [Call.of(job, t) for t in trials], TYPED, limited=False))


def _through(job: Job, watch: Watch) -> Compilation:
    compilation = job.compilation(watch)
    compilation.text  # noqa: B018  the last stage that the hook sees, and the emitter's own complaints
    return compilation


# --- what the interpreters say -------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """Operands in a domain, and what the function gives for them."""

    trial: Trial
    inputs: Mapping[str, HostArray]
    scalars: Mapping[str, Any]
    expected: Outcome

    @staticmethod
    def of(
        job: Job, trial: Trial, domain: Domain = EXACT, run: Callable[..., Mapping[str, HostArray]] | None = None
    ) -> Call:
        """The call of the function (or of what ``run`` runs) in a domain."""
        f = job.function
        inputs, scalars = trial.inputs(f, job.layout, domain), trial.scalars(f, domain)
        given = partial(run or partial(run_function, f), inputs, scalars, domain)
        return Call(trial, inputs, scalars, outcome(given))


@contextmanager
def blaming(culprit: str, trial: Trial | None) -> Iterator[None]:
    """Whatever goes wrong inside is a mismatch of ``culprit``'s; UnsupportedError passes."""
    try:
        yield
    except (Mismatch, UnsupportedError):
        raise
    except TilewrightError as e:
        raise Mismatch(culprit, e.message, trial) from e


def _require(culprit: str, trial: Trial, found: str | None) -> None:
    if found is not None:
        raise Mismatch(culprit, found, trial)


@dataclass
class Watch:
    """The hook that compares, after each pass, what was rewritten with what the function gives for ``calls``."""

    job: Job
    trials: Sequence[Trial]
    calls: Sequence[Call]
    domain: Domain = EXACT
    limited: bool = True
    """Leaves out trials that take the interpreters long."""
    plan: Plan | None = None
    kernels: list[KernelTrial] = field(default_factory=list)
    steps: list[tuple[str, Kernel]] = field(default_factory=list)
    typed: list[Call] = field(default_factory=list)
    """Operands in the dtypes themselves, and what the legalised plan gives for them."""

    def __call__(self, p: Pass, before: Any, after: Any) -> None:
        culprit = str(p)
        with blaming(culprit, None):
            _verify(after)
        if isinstance(p, Stage) and p.by_bits:
            self._encoded(culprit, before, after)
        elif isinstance(after, Function):
            self._function(culprit, before, after)
        elif isinstance(after, Plan):
            self._plan(culprit, after)
        else:
            self._kernel(culprit, after)

    def _function(self, culprit: str, before: Function, after: Function) -> None:
        signature = (before.inputs, before.scalars, before.outputs)
        if signature != (after.inputs, after.scalars, after.outputs):
            raise Mismatch(culprit, "it takes or gives other tensors than before")
        outputs = [after.tensor(name) for name in after.outputs]
        for c in self.calls:
            self._same(culprit, c, outputs, lambda c: run_function(after, c.inputs, c.scalars, self.domain))

    def _plan(self, culprit: str, after: Plan) -> None:
        for c in self._within(self.calls, lambda c: _iterations(after, c.trial), PLAN_ITERATIONS):
            self._same(culprit, c, after.outputs, lambda c: run_plan(after, c.inputs, c.scalars, self.domain))
            if self.plan is None:
                self.kernels += kernel_trials(after, c.trial, c.inputs, c.scalars, self.domain)
        self.plan = after

    def _within(self, choices: Iterable[T], cost: Callable[[T], int], most: int) -> Iterable[T]:
        return within(choices, cost, most) if self.limited else choices

    def _same(
        self, culprit: str, call: Call, outputs: Sequence[Tensor], run: Callable[[Call], Mapping[str, HostArray]]
    ) -> None:
        with blaming(culprit, call.trial):
            actual = outcome(lambda: run(call))
        _require(culprit, call.trial, difference(actual, call.expected, outputs, self.domain))

    def _kernel(self, culprit: str, after: Kernel) -> None:
        self.steps.append((culprit, after))
        trials = [t for t in self.kernels if t.kernel == after.name]
        for trial in self._within(trials, lambda t: iterations(after, t.table), STEP_ITERATIONS):
            try:
                _try(culprit, after, trial)
            except Mismatch:
                self._blame_earlier(after.name, trial)
                raise

    def _blame_earlier(self, kernel: str, trial: KernelTrial) -> None:
        """An earlier step may not have been tried on what now fails."""
        for culprit, after in self.steps:
            if after.name == kernel:
                _try(culprit, after, trial)

    def _encoded(self, culprit: str, before: Plan, after: Plan) -> None:
        """Bit for bit in the dtypes themselves. What the target's functions of mathematics are, their expansion says:
        that one is compared with the definition number by number."""
        with blaming(culprit, None):
            check_expansions(before, self.job.target.capabilities)
            expanded = without_math(before)
        for trial in self._within(self.trials, partial(_iterations, after), PLAN_ITERATIONS):
            with blaming(culprit, trial):
                call = Call.of(self.job, trial, TYPED, partial(run_plan, after))
                wanted = call if expanded == after else Call.of(self.job, trial, TYPED, partial(run_plan, expanded))
            _require(culprit, trial, difference(call.expected, wanted.expected, after.outputs, TYPED))
            self.typed.append(call)


def _iterations(plan: Plan, trial: Trial) -> int:
    """About how many blocks the plan runs."""
    sizes, kernels = Env(trial.sizes), {k.name: k for k in plan.kernels}

    def count(steps: Sequence[Step]) -> int:
        found = 0
        for s in steps:
            if isinstance(s, Repeat):
                found += max(0, evaluate(s.trips, sizes)) * count(s.steps)
            else:
                found += iterations(kernels[s.kernel], dict(trial.sizes))
        return found

    return count(plan.steps)


def _try(culprit: str, kernel: Kernel, trial: KernelTrial) -> None:
    with blaming(culprit, trial.trial):
        found = trial.difference(kernel)
    _require(culprit, trial.trial, found)


def _verify(subject: Any) -> None:
    if isinstance(subject, Function):
        verify(subject)
    elif isinstance(subject, Plan):
        verify_plan(subject)
    else:
        verify_kernel(subject)


# --- what the machine says -----------------------------------------------------------------------


def _compare_typed(compilation: Compilation, watch: Watch) -> None:
    """The compiled code gives the bits that its legalised plan means."""
    run = Compiled(compilation.legal, compilation.program())
    for call in watch.typed:
        run.require(call)


def _compare_field(job: Job, calls: Sequence[Call]) -> None:
    """The code of the field's program gives the cells that the function means, every task claimed by itself."""
    compilation = job.compilation()
    plan = replace(compilation.legal, steps=_one_by_one(compilation.legal.steps))
    run = Compiled(plan, artifact(plan, job.target, job.target.compile(job.target.pieces(plan))).program())
    for call in calls:
        try:
            run.require(call)
        except Mismatch:  # the code is not at fault if a pass is
            _through(job, Watch(job, [call.trial], [call], TYPED, limited=False))
            raise


def _one_by_one(steps: tuple[Step, ...]) -> tuple[Step, ...]:
    return tuple(
        replace(s, steps=_one_by_one(s.steps)) if isinstance(s, Repeat) else replace(s, chunk=const(1)) for s in steps
    )


class Compiled:
    """The code of a plan, to be called with host arrays."""

    def __init__(self, plan: Plan, code: Program) -> None:
        self.plan = plan
        operands: list[Parameter] = [(t.name, "tensor", None, False, None, False) for t in plan.inputs]
        operands += [(s.name, "scalar", s.dtype.name, False, None, True) for s in plan.scalars]
        self._op = CoreOp(plan.name, operands, lambda key: code, self._fail, to_tensor, lambda t: t)

    def _fail(self, kind: str, info: Any) -> None:
        if kind != "index":
            raise CallError(f"the call is refused: {info[0] if kind == 'check' else info}")
        _, operand, position, value = info
        raise IndexFault(operand, position, value, self.plan.inputs[operand].name)

    def __call__(self, inputs: Mapping[str, HostArray], scalars: Mapping[str, Any]) -> Mapping[str, HostArray]:
        """The outputs by name; IndexFault as the interpreter raises it."""
        operands = [Array.from_buffer(inputs[t.name], t.dtype.name) for t in self.plan.inputs]
        numbers = {s.name: decode(scalars[s.name], s.dtype, TYPED)[0] for s in self.plan.scalars}
        results = self._op(*operands, **numbers)
        made = results if isinstance(results, tuple) else (results,)
        return {t.name: cells(r) for t, r in zip(self.plan.outputs, made, strict=True)}

    def require(self, call: Call) -> None:
        """Mismatch unless the code gives what is expected, on one thread and on two."""
        for n in (1, 2):
            with blaming(EMITTED, call.trial), threads(n):
                actual = outcome(lambda: self(call.inputs, call.scalars))
            _require(EMITTED, call.trial, difference(actual, call.expected, self.plan.outputs, TYPED))
