"""Makes a program on which the compiler is wrong smaller, as long as the same pass is at fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from tilewright.compiler.stages import Job
from tilewright.compiler.trials import Trial, fits, small_trials
from tilewright.compiler.validate import Mismatch, mismatch_in, validate, watched, watched_in_field
from tilewright.dsl.parse import parse
from tilewright.dsl.specialise import specialise
from tilewright.errors import InternalError, TilewrightError
from tilewright.ir import index as ix
from tilewright.ir import scalar, statements
from tilewright.ir.interpret import Env
from tilewright.ir.scalar import Expr, Var
from tilewright.ir.tensor import Compute, Function, Statement, Tensor, computes
from tilewright.ir.text_tensor import print_function
from tilewright.ir.verify_tensor import verify

Check = Callable[[Job, Sequence[Trial]], object]

SECONDS = 15.0
"""After which the smallest program so far is good enough."""


def shrink(job: Job, found: Mismatch) -> tuple[Job, Mismatch]:
    """A smaller job on which a pass of the same name is at fault, and its mismatch."""
    return _Shrinking(job, found).run()


class _Shrinking:
    def __init__(self, job: Job, found: Mismatch) -> None:
        self.job, self.found = job, found
        self.check = next((c for c in _CHECKS if _is_like(fault(job, found.trial, c), found)), validate)
        self.until = time.monotonic() + SECONDS

    def run(self) -> tuple[Job, Mismatch]:
        """Takes the first candidate that fails too, until none does."""
        while any(self._fails(job, trial) for job, trial in self._candidates()):
            pass
        return self.job, self.found

    def _candidates(self) -> Iterator[tuple[Job, Trial | None]]:
        trial = self.found.trial
        for f in smaller_functions(self.job.function):
            if readable(f):
                job = replace(self.job, function=f, layout=_layout(self.job, f))
                yield job, None if trial is None else _restricted(trial, f)
        if trial is not None:
            yield from ((self.job, t) for t in smaller_trials(self.job.function, trial))

    def _fails(self, job: Job, trial: Trial | None) -> bool:
        if time.monotonic() > self.until:
            return False
        found = fault(job, trial, self.check)
        if found is None or not _is_like(found, self.found):
            return False
        self.job, self.found = job, found
        return True


_CHECKS: tuple[Check, ...] = (watched, watched_in_field, validate)
"""Quick ones first."""


def _is_like(found: Mismatch | None, wanted: Mismatch) -> bool:
    return found is not None and found.name == wanted.name


def fault(job: Job, trial: Trial | None, check: Check = validate) -> Mismatch | None:
    """The mismatch that ``check`` meets on a trial (None: the first that the function takes), if it does."""
    trials = [trial] if trial else small_trials(job.function)[:1]
    if not all(fits(job.function, Env(t.sizes)) for t in trials):
        return None
    try:
        check(job, trials)
    except InternalError as e:
        return mismatch_in(e)
    except TilewrightError:
        return None
    return None


def _layout(job: Job, f: Function) -> dict[str, int]:
    """As before; what was computed is contiguous."""
    return {t.name: job.layout.get(t.name, len(t.shape) - 1) for t in f.inputs}


def _restricted(trial: Trial, f: Function) -> Trial:
    dims = statements.dims(f)
    return replace(trial, sizes=tuple((name, n) for name, n in trial.sizes if name in dims))


def smaller_trials(f: Function, trial: Trial) -> Iterator[Trial]:
    """Trials with one dim smaller, or all indices in range."""
    if trial.outside:
        yield replace(trial, outside=False)
    for at, (name, n) in enumerate(trial.sizes):
        for less in sorted({0, 1, 2, n // 2, n - n // 4, n - 1}):
            if 0 <= less < n:
                yield replace(trial, sizes=(*trial.sizes[:at], (name, less), *trial.sizes[at + 1 :]))


def smaller_functions(f: Function) -> Iterator[Function]:
    """Functions with shorter texts: one statement of ``f``, one of its outputs, one statement less, simpler values."""
    length = len(print_function(f))
    yield from (g for g in _smaller(f) if len(print_function(g)) < length)


def _smaller(f: Function) -> Iterator[Function]:
    for s in (*f.body, *f.computes):
        yield part(f, (s,), _names(s))
    for name in f.outputs:
        yield part(f, f.body, (name,))
    for n, s in enumerate(f.body):
        outputs = [o for o in f.outputs if o not in _names(s)]
        if outputs:
            yield part(f, (*f.body[:n], *f.body[n + 1 :]), outputs)
    for n, s in enumerate(f.body):
        for simpler in _simpler(s):
            yield part(f, (*f.body[:n], simpler, *f.body[n + 1 :]), f.outputs)


def _names(s: Statement) -> list[str]:
    return [r.name for c in computes((s,)) for r in c.results]


def part(f: Function, body: Sequence[Statement], outputs: Sequence[str]) -> Function:
    """The statements of ``body`` that ``outputs`` need; what they read and is not computed becomes an input."""
    live, kept = set(outputs), list[Statement]()
    for s in reversed(body):
        if live.intersection(_names(s)):
            kept.insert(0, s)
            live |= {r.tensor for c in computes((s,)) for r in statements.reads(c)}
    computed = {name for s in kept for name in _names(s)}
    wanted = [t for t in f.tensors().values() if t.name in live - computed]
    inputs = (*wanted, *_givers(f, wanted, kept))
    g = replace(f, inputs=inputs, body=tuple(kept), outputs=tuple(outputs))
    dims, used = statements.dims(g), statements.params(g)
    conditions = tuple(c for c in f.preconditions if ix.symbols(c.index) <= dims)
    return replace(g, scalars=tuple(s for s in f.scalars if s.name in used), preconditions=conditions)


def _givers(f: Function, inputs: Sequence[Tensor], body: Sequence[Statement]) -> list[Tensor]:
    """Inputs of ``f`` for dims that the chosen ``inputs`` do not give."""
    given = {e.symbol for t in inputs for e in t.shape}
    needed = statements.union(map(statements.free_symbols, computes(tuple(body))))
    needed |= statements.union(ix.symbols(e) for t in inputs for e in t.shape)
    found: list[Tensor] = []
    for t in f.inputs:
        new = {e.symbol for e in t.shape} & (needed - given)
        if new and t not in inputs:
            found.append(t)
            given |= new
    return found


def _simpler(s: Statement) -> Iterator[Statement]:
    """``s`` with less in steps, or with an operation of a value replaced by one of its operands."""
    if isinstance(s, Compute):
        yield from _simpler_compute(s)
        return
    for n, inner in enumerate(s.body):
        if len(s.body) > 1:
            yield replace(s, body=(*s.body[:n], *s.body[n + 1 :]))
        for simpler in _simpler(inner):
            yield replace(s, body=(*s.body[:n], simpler, *s.body[n + 1 :]))


def _simpler_compute(c: Compute) -> Iterator[Compute]:
    for n, value in enumerate(c.values):
        for node in reversed(list(scalar.walk(value))):
            if any(isinstance(x, Var) for x in scalar.walk(node)):
                continue
            for operand in scalar.operands(node):
                if operand.dtype is node.dtype:
                    yield replace(c, values=(*c.values[:n], _with(value, node, operand), *c.values[n + 1 :]))


def _with(e: Expr, old: Expr, new: Expr) -> Expr:
    return scalar.rewrite(e, lambda node: new if node is old else node)


def readable(f: Function) -> bool:
    """Whether ``f`` keeps the rules and its text reads back as what it is."""
    try:
        verify(f)
        return specialise(parse(print_function(f)).ops[0]) == f
    except TilewrightError:
        return False
