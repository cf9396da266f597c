"""Random layouts of operands: any order of axes in memory, steps that skip, go backwards or stay."""

from __future__ import annotations

from hypothesis import strategies as st

from tilewright.ir.interpret.arrays import HostArray
from tilewright.records import dataclass
from tilewright.testing.choices import Choices, strategy
from tilewright.testing.memory import Canaries, Memory

STEPS = (1, 1, 1, 2, -1, 3, -2, 0)


@dataclass(frozen=True)
class Layout:
    """``order``: the axes from the outermost in memory to the innermost. ``steps``, per axis: by how many elements
    of the axis' own room one index moves; 0 puts all on one place (a broadcast). ``offset``: elements before the first.
    """

    order: tuple[int, ...]
    steps: tuple[int, ...]
    offset: int = 0

    @staticmethod
    def contiguous(rank: int) -> Layout:
        return Layout(tuple(range(rank)), (1,) * rank)

    @property
    def unit_axis(self) -> int:
        """The axis whose stride is one element whatever the sizes, or -1."""
        return self.order[-1] if self.order and self.steps[self.order[-1]] == 1 else -1

    def place(self, array: HostArray, memory: Memory = Canaries) -> HostArray:
        """The values of ``array`` in this layout, in a block of ``memory`` that ends with the last element.

        Along an axis of step 0 all values are those at index 0.
        """
        strides, inner = [array.itemsize] * array.ndim, array.itemsize
        for axis in reversed(self.order):
            strides[axis] = inner * self.steps[axis]
            inner *= max(1, (array.shape[axis] - 1) * abs(self.steps[axis]) + 1)
        return moved(array, memory, tuple(strides), self.offset)


def moved(array: HostArray, memory: Memory, strides: tuple[int, ...] | None = None, offset: int = 0) -> HostArray:
    """The values of ``array`` in a block of ``memory`` that holds nothing else, but for ``offset`` elements before.

    ``strides`` (in bytes) are its own unless given; where one is 0, all values are those at index 0.
    """
    strides = array.strides if strides is None else strides
    if not array.size:
        return memory(0).array(array.dtype, array.shape, strides, 0)
    reach = [(n - 1) * s for n, s in zip(array.shape, strides, strict=True)]
    start = offset * array.itemsize - sum(r for r in reach if r < 0)
    view = memory(start + array.itemsize + sum(r for r in reach if r > 0)).array(
        array.dtype, array.shape, strides, start
    )
    kept = tuple(slice(0, None if s else 1) for s in strides)
    view[kept] = array[kept]
    return view


def make_layout(choices: Choices, rank: int) -> Layout:
    """A random layout of ``rank`` axes."""
    order = choices.some(range(rank), rank, rank)
    steps = tuple(choices.pick(STEPS) if choices.chance(2) else 1 for _ in range(rank))
    return Layout(tuple(order), steps, choices.pick((0, 0, 1, 3)))


def layouts(rank: int) -> st.SearchStrategy[Layout]:
    """Layouts as :func:`make_layout` makes them."""
    return strategy(make_layout, rank)
