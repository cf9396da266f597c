"""Random cases: a program with a layout, a pipeline and a schedule, ready to be checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from tilewright.compiler.trials import points
from tilewright.ir.interpret.indices import Env
from tilewright.ir.tensor import Function
from tilewright.passes.pipeline import Pipeline
from tilewright.testing.case import Call, Case
from tilewright.testing.choices import Choices, strategy
from tilewright.testing.layouts import Layout, make_layout
from tilewright.testing.pipelines import make_pipeline
from tilewright.testing.programs import KINDS, ORDERED_KINDS, make_function, make_sizes
from tilewright.testing.schedules import make_schedule

Place = tuple[str, str | None]
"""A target and its level."""
LONG = 40
"""Enough for whole vectors and what they leave."""
POINTS = 2_000
"""So many of a statement are interpreted quickly; where the long dim makes more, there is none."""
NATIVE: tuple[Place, ...] = (("cpu", None),)


def make_case(
    choices: Choices,
    exact: bool = True,
    places: Sequence[Place] = NATIVE,
    naive: int = 4,
    calls: int = 2,
    statements: int = 3,
) -> Case:
    """A random case of up to ``statements`` statements; one in ``naive`` has the naive schedule, the others random
    primitives."""
    f = make_function(choices, kinds=KINDS if exact else ORDERED_KINDS, statements=statements, math=exact)
    return make_case_of(choices, f, exact, places, naive, calls)


def make_case_of(
    choices: Choices, f: Function, exact: bool, places: Sequence[Place] = NATIVE, naive: int = 4, calls: int = 2
) -> Case:
    """As :func:`make_case`, for a function."""
    layouts = {t.name: make_layout(choices, len(t.shape)) for t in f.inputs}
    called = tuple(Call(_sizes(choices, f), choices.integer(0, 2**32)) for _ in range(calls))
    target, level = choices.pick(places)
    case = Case(f, called, layouts, exact, Pipeline(()), None, target, level)
    if choices.chance(2):
        case = replace(case, passes=make_pipeline(choices, tuple(sorted(case.units.items())), exact))
    if choices.chance(naive) or not _lowers(case):
        return case
    return case.scheduled_by(lambda k: make_schedule(choices, k))


def _sizes(choices: Choices, f: Function) -> dict[str, int]:
    found = make_sizes(choices, f, long=LONG)
    return found if points(f, Env(found)) <= POINTS else {n: min(size, 3) for n, size in found.items()}


def _lowers(case: Case) -> bool:
    """Whether there are kernels to schedule; if not, the check of the case says why."""
    try:
        return bool(case.lowered.kernels)
    except Exception:
        return False


def contiguous(f: Function) -> dict[str, Layout]:
    """The plainest layouts of the inputs of ``f``."""
    return {t.name: Layout.contiguous(len(t.shape)) for t in f.inputs}


def cases(
    exact: bool = True, places: Sequence[Place] = NATIVE, naive: int = 4, calls: int = 2, statements: int = 3
) -> st.SearchStrategy[Case]:
    """Cases as :func:`make_case` makes them."""
    return strategy(make_case, exact, places, naive, calls, statements)
