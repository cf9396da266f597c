"""From a job to its compiled form: where it is decided what is checked, and where defects are reported."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tilewright.compiler.bundle import Case, reporting
from tilewright.compiler.request import OperandClass, Request
from tilewright.compiler.stages import Job, definition_passes
from tilewright.runtime import Artifact
from tilewright.runtime._core import has_room

if TYPE_CHECKING:
    from tilewright.compiler.trials import Trial

ROOM = 64 << 20
"""Bytes of memory that compiling starts with: LLVM ends the process when it finds none."""


def compiled(job: Job, checked: str) -> Artifact:
    """The compiled form of ``job``, checked as the mode says. Miscompiled shows what is wrong on a reduced program."""
    if not has_room(ROOM):
        raise MemoryError(f"no memory to compile: {ROOM} bytes asked for")
    if checked == "off":
        return job.compilation().artifact()
    from tilewright.compiler.checked import checked_compilation

    return checked_compilation(job, checked).artifact()


def case_of(job: Job, checked: str, trial: Trial | None = None) -> Case:
    """What a bundle holds of ``job``: its function as canonical ``.tw``."""
    classes = tuple(OperandClass(t.dtype, len(t.shape), job.layout[t.name]) for t in job.function.inputs)
    passes = None if job.passes is definition_passes else str(job.passes(job.layout))
    sizes, outside = (trial.sizes, trial.outside) if trial else (None, False)
    from tilewright.ir.text_tensor import print_function

    text = print_function(job.function)
    return Case(text, Request(classes), passes, job.target.name, job.target.level, checked, sizes, outside)


@contextmanager
def reported(job: Job, checked: str) -> Iterator[None]:
    """:func:`tilewright.compiler.bundle.reporting` with the function of a job."""
    with reporting(lambda: case_of(job, checked)):
        yield
