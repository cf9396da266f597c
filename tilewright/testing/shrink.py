"""Shrinking what was made of seeded choices: the same maker on fewer and lower choices."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from random import Random
from typing import TypeVar

from tilewright.testing.choices import Choices

T = TypeVar("T")


def recording(seed: int, taken: list[int]) -> Choices:
    """The choices of ``seed``; how far each lies above its lowest is appended to ``taken``."""
    random = Random(seed)

    def integer(low: int, high: int) -> int:
        taken.append(random.randint(0, high - low))
        return low + taken[-1]

    return Choices(integer)


def repeated(taken: list[int], make: Callable[[Choices], T]) -> T:
    """What ``make`` makes of recorded choices; where they end, the lowest is chosen."""
    left = iter(taken)
    return make(Choices(lambda low, high: low + min(next(left, 0), high - low)))


def shrink(taken: list[int], make: Callable[[Choices], T], fails: Callable[[T], bool], attempts: int = 1500) -> T:
    """The simplest thing found that ``fails``, out of what ``make`` makes of choices below ``taken``, which fail."""
    place = 0
    for _ in range(attempts):
        simpler = next(islice(_simpler(taken), place, None), None)
        if simpler is None:
            break
        place += 1
        if _fails(simpler, make, fails):
            taken, place = simpler, max(place - 3, 0)
    return repeated(taken, make)


def _fails(taken: list[int], make: Callable[[Choices], T], fails: Callable[[T], bool]) -> bool:
    try:
        made = repeated(taken, make)
    except Exception:
        return False
    return fails(made)


def _simpler(taken: list[int]) -> Iterator[list[int]]:
    """Shorter lists and lists of lower numbers, the boldest first."""
    size = len(taken)
    while size >= 1:
        for start in range(0, len(taken), size):
            yield taken[:start] + taken[start + size :]
            if any(taken[start : start + size]):
                yield taken[:start] + [0] * len(taken[start : start + size]) + taken[start + size :]
        size //= 2
    for n, value in enumerate(taken):
        for lower in dict.fromkeys((value // 2, value - 1)):
            if 0 < lower < value:
                yield taken[:n] + [lower] + taken[n + 1 :]
