"""Where the axes of indices stand in what they take."""

from __future__ import annotations

from collections.abc import Sequence


def around(pattern: Sequence[bool], apart: bool = False) -> tuple[list[int], list[int]]:
    """The axes that no array indexes (``pattern`` says which do): those before the arrays' in the result, and behind.

    The axes of the arrays stand in their place, or first if something is between them (``apart``: if ``...`` is, though
    it stands for no axis): NumPy's rule.

    >>> around([False, True, True, False]), around([True, False, True])
    (([0], [3]), ([], [1]))
    """
    taking = [axis for axis, taken in enumerate(pattern) if taken]
    kept = [axis for axis, taken in enumerate(pattern) if not taken]
    together = not apart and taking[-1] - taking[0] + 1 == len(taking)
    before = [axis for axis in kept if together and axis < taking[0]]
    return before, kept[len(before) :]
