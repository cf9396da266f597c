"""Where random tests get their choices from: hypothesis, which can shrink them, or a seed, which is faster."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any, TypeVar

from hypothesis import strategies as st

from tilewright.records import dataclass

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]


@dataclass(frozen=True)
class Choices:
    """``integer(low, high)`` chooses one of the integers from ``low`` to ``high``; lower is simpler."""

    integer: Callable[[int, int], int]

    @staticmethod
    def drawn(draw: Draw) -> Choices:
        """From hypothesis; ``draw`` is what a composite strategy is given."""
        return Choices(lambda low, high: int(draw(st.integers(low, high))))

    @staticmethod
    def of(random: Random) -> Choices:
        return Choices(random.randint)

    def pick(self, choices: Sequence[T]) -> T:
        """One of them; the first is the simplest."""
        return choices[self.integer(0, len(choices) - 1)]

    def chance(self, one_in: int) -> bool:
        """True once in so many times; False is simpler."""
        return self.integer(1, one_in) == one_in

    def some(self, choices: Sequence[T], least: int, most: int) -> list[T]:
        """Between ``least`` and ``most`` different ones of them."""
        left, found = list(choices), []
        for _ in range(self.integer(least, min(most, len(left)))):
            found.append(left.pop(self.integer(0, len(left) - 1)))
        return found


def strategy(make: Callable[..., T], *arguments: Any, **options: Any) -> st.SearchStrategy[T]:
    """What ``make(choices, *arguments, **options)`` makes, for any choices."""

    @st.composite
    def made(draw: Draw) -> T:
        return make(Choices.drawn(draw), *arguments, **options)

    return made()
