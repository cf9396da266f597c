"""From a job to a program: where it is decided what is checked, and where defects are reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tilewright.compiler import bundle
from tilewright.compiler.bundle import Case, Miscompiled, reporting
from tilewright.compiler.optimise import TENSOR_PASSES
from tilewright.compiler.request import OperandClass, Request
from tilewright.compiler.shrink import shrink
from tilewright.compiler.stages import Layout, definition_passes, specialise_request, unit_axes
from tilewright.compiler.trials import Trial
from tilewright.compiler.validate import Job, Mismatch, mismatch_in, validate
from tilewright.dsl.calls import in_module
from tilewright.dsl.parse import parse
from tilewright.dsl.parse_pipeline import parse_pipeline
from tilewright.errors import InternalError, UserError
from tilewright.ir.text_tensor import print_function
from tilewright.passes.pipeline import Pipeline
from tilewright.runtime import Artifact
from tilewright.runtime._core import has_room
from tilewright.targets.target import get_target

ROOM = 64 << 20
"""Bytes of memory that compiling starts with: LLVM ends the process when it finds none."""


def compiled(job: Job, checked: str) -> Artifact:
    """The compiled form of ``job``, checked as the mode says. Miscompiled shows what is wrong on a reduced program."""
    if not has_room(ROOM):
        raise MemoryError(f"no memory to compile: {ROOM} bytes asked for")
    if checked == "off":
        return job.compilation().artifact()
    try:
        return validate(job).artifact()
    except InternalError as error:
        found = mismatch_in(error)
        if found is None:
            raise
        raise _reduced(*shrink(job, found), checked) from found


def _reduced(job: Job, found: Mismatch, checked: str) -> Miscompiled:
    case = case_of(job, checked, found.trial)
    where = f"called with {found.trial}" if found.trial else "compiled"
    return Miscompiled(f"{found.message}\nThe program, reduced, {where}:\n{case.program.rstrip()}", case)


def case_of(job: Job, checked: str, trial: Trial | None = None) -> Case:
    """What a bundle holds of ``job``: its function as canonical ``.tw``."""
    classes = tuple(OperandClass(t.dtype, len(t.shape), job.layout[t.name]) for t in job.function.inputs)
    passes = None if job.passes is definition_passes else str(job.passes(job.layout))
    sizes, outside = (trial.sizes, trial.outside) if trial else (None, False)
    text = print_function(job.function)
    return Case(text, Request(classes), passes, job.target.name, job.target.level, checked, sizes, outside)


# --- replaying -----------------------------------------------------------------------------------


def replay(folder: Path) -> Iterator[tuple[str, InternalError | None]]:
    """Runs the cases of a bundle again: per program what goes wrong, or None."""
    for name, case in bundle.read(folder).items():
        if case.request is None:
            raise UserError(f"{folder} does not say how {name} was called", hint=f"{bundle.ERROR} in it has the error")
        try:
            run(case)
            yield name, None
        except InternalError as error:
            yield name, error


def run(case: Case) -> None:
    """Compiles a case, and checks it as it was checked."""
    job = job_of(case)
    if case.verify == "off":
        job.compilation().program()
    else:
        validate(job, None if case.sizes is None else [Trial(case.sizes, case.outside)])


def job_of(case: Case) -> Job:
    """The job that a case describes."""
    if case.request is None:
        raise UserError("the case does not say what it is specialised for")
    module = parse(case.program, bundle.PROGRAM)
    function = specialise_request(module.ops[0], case.request, in_module(module))
    layout = unit_axes(function, case.request)
    return Job(function, layout, _passes(case.passes), get_target(case.target, case.level))


def _passes(text: str | None) -> Callable[[Layout], Pipeline]:
    if text is None:
        return definition_passes
    pipeline = Pipeline(parse_pipeline(text, TENSOR_PASSES))
    return lambda layout: pipeline


@contextmanager
def reported(job: Job, checked: str) -> Iterator[None]:
    """:func:`tilewright.compiler.bundle.reporting` with the function of a job."""
    with reporting(lambda: case_of(job, checked)):
        yield
