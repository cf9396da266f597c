"""Campaigns: as many random cases as one likes, each made of a seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import cache, partial

from tilewright.errors import UserError
from tilewright.targets.target import get_target
from tilewright.testing.case import Case, Load
from tilewright.testing.cases import Place, make_case
from tilewright.testing.choices import Choices
from tilewright.testing.memory import KINDS
from tilewright.testing.shrink import recording, shrink

C_SHARE, TYPED_SHARE = 20, 4
"""One program in so many goes through C, one in so many is compared in its own dtypes, bit for bit."""


@cache
def cpu_places() -> tuple[Place, ...]:
    """The cpu target at each level that this machine runs."""
    found: list[Place] = []
    for level in ("native", "x86-64-v3", "x86-64"):
        try:
            get_target("cpu", level)
        except UserError:
            continue
        found.append(("cpu", level))
    return tuple(found)


def maker(seed: int, places: tuple[Place, ...] | None = None) -> Callable[[Choices], Case]:
    """How the case of ``seed`` is made of choices; ``places`` instead of the campaign's own mixture."""
    mixture: tuple[Place, ...] = (("c", None),) if seed % C_SHARE == 7 else cpu_places()
    exact = seed % TYPED_SHARE != 0
    return partial(make_case, exact=exact, places=places or mixture, naive=6, statements=2)


def check_seed(
    seed: int, memory: str = "canaries", places: tuple[Place, ...] | None = None, load: Load | None = None
) -> Counter[str]:
    """Makes and checks the case of ``seed``; what happened, counted.

    AssertionError shows a failing case, shrunk, and the command that replays it.
    """
    taken: list[int] = []
    make = maker(seed, places)
    case = make(recording(seed, taken))
    try:
        ended = case.check(KINDS[memory], load)
    except Exception as e:
        raise AssertionError(_report(seed, taken, make, partial(_failure, memory=memory, load=load), e)) from None
    return counted(case, ended)


def counted(case: Case, ended: list[str]) -> Counter[str]:
    """What a case that passed went through."""
    applied = [p.name for steps in (case.schedule or {}).values() for p in steps.passes]
    return Counter(
        {
            "programs": 1,
            "in the field" if case.exact else "typed": 1,
            f"{case.target}:{case.machine.level}": 1,
            "naive schedule" if case.schedule is None else "random schedule": 1,
            "tensor passes": len(case.passes.passes),
            "primitives applied": len(applied),
            "primitives refused": len(case.refused),
            **{f"calls: {how}": n for how, n in Counter(ended).items()},
        }
    )


def _failure(case: Case, memory: str, load: Load | None) -> Exception | None:
    try:
        case.check(KINDS[memory], load)
    except Exception as e:
        return e
    return None


def _report(
    seed: int,
    taken: list[int],
    make: Callable[[Choices], Case],
    failure: Callable[[Case], Exception | None],
    first: Exception,
) -> str:
    small = shrink(taken, make, lambda c: type(failure(c)) is type(first), attempts=400)
    return f"seed {seed}: {type(first).__name__}: {failure(small)}\n{small}replay: {small.save()}"
