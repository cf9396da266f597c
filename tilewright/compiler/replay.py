"""Running the cases of a bundle again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from tilewright.compiler import bundle
from tilewright.compiler.bundle import Case
from tilewright.compiler.optimise import TENSOR_PASSES
from tilewright.compiler.stages import Job, Layout, definition_passes, specialise_request, unit_axes
from tilewright.compiler.trials import Trial
from tilewright.compiler.validate import validate
from tilewright.dsl.calls import in_module
from tilewright.dsl.parse import parse
from tilewright.dsl.parse_pipeline import parse_pipeline
from tilewright.errors import InternalError, UserError
from tilewright.passes.pipeline import Pipeline
from tilewright.targets.target import get_target


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
