"""Compiling with everything checked, and a small program that shows what is wrong."""

from __future__ import annotations

from tilewright.compiler.bundle import Miscompiled
from tilewright.compiler.driver import case_of
from tilewright.compiler.shrink import shrink
from tilewright.compiler.stages import Compilation, Job
from tilewright.compiler.validate import Mismatch, mismatch_in, validate
from tilewright.errors import InternalError


def checked_compilation(job: Job, checked: str) -> Compilation:
    """The road of ``job``, each step compared. Miscompiled shows what is wrong on a reduced program."""
    try:
        return validate(job)
    except InternalError as error:
        found = mismatch_in(error)
        if found is None:
            raise
        raise _reduced(*shrink(job, found), checked) from found


def _reduced(job: Job, found: Mismatch, checked: str) -> Miscompiled:
    case = case_of(job, checked, found.trial)
    where = f"called with {found.trial}" if found.trial else "compiled"
    return Miscompiled(f"{found.message}\nThe program, reduced, {where}:\n{case.program.rstrip()}", case)
