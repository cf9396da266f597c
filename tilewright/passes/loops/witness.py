"""Two iterations that conflict, found by running the loops of a kernel for small sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from tilewright.ir.index import Condition, Index, const, substitute
from tilewright.ir.loops import Kernel, Loop, Stmt
from tilewright.passes.loops.dependence import block_accesses
from tilewright.records import dataclass

_SIZES = (3, 2, 5, 9, 17)
_POINTS = 600


@dataclass(frozen=True)
class Point:
    """One instance of a block: the values of the loops around it, and the cells it touches of one buffer."""

    block: str
    values: Mapping[str, int]
    cells: tuple[tuple[tuple[int, ...], bool], ...]

    def before(self, other: Point, order: Sequence[str]) -> bool:
        """Whether the loops ``order``, outermost first, run this point before ``other``."""
        return [self.values[v] for v in order] < [other.values[v] for v in order]

    def text(self, among: Sequence[str]) -> str:
        return ", ".join(f"{v}={self.values[v]}" for v in among if v in self.values)


def witness(
    kernel: Kernel, around: tuple[Loop, ...], loop: Loop, buffer: str, broken: Callable[[Point, Point], bool]
) -> str | None:
    """Two points in ``loop`` that touch the same cell of ``buffer``, one writing, and are ``broken``; in words.

    Data-dependent indices count as 0, so that they all meet. None if small sizes show no such points.
    """
    free = sorted(replace(kernel, buffers=()).free_symbols)
    for size in _SIZES:
        sizes = {s: const(size) for s in free} | {o.var: const(0) for o in around}
        seen: dict[tuple[int, ...], list[tuple[Point, bool]]] = {}
        for count, point in enumerate(points((loop,), sizes, buffer)):
            if count >= _POINTS:
                break
            for cell, writes in point.cells:
                earlier = seen.setdefault(cell, [])
                for other, wrote in earlier:
                    if (writes or wrote) and broken(other, point):
                        return _words(other, point, buffer, cell, sizes if free else {})
                earlier.append((point, writes))
    return None


def _words(a: Point, b: Point, buffer: str, cell: tuple[int, ...], sizes: Mapping[str, Index]) -> str:
    known = [v for v in sizes if v not in a.values]
    where = f" (for {', '.join(f'{s}={sizes[s]}' for s in known)})" if known else ""
    names = list(a.values)
    ours = a.text(names) if a.block == b.block else f"{a.block} at {a.text(names)}"
    theirs = b.text(list(b.values)) if a.block == b.block else f"{b.block} at {b.text(list(b.values))}"
    return f"{ours} and {theirs} both touch {buffer}[{', '.join(map(str, cell))}]{where}"


def points(body: tuple[Stmt, ...], known: Mapping[str, Index], buffer: str) -> Iterator[Point]:
    """The instances of the blocks in ``body`` in the order they run, for known sizes and outer loops."""
    yield from _points(body, dict(known), {}, buffer)


def _points(body: tuple[Stmt, ...], known: dict[str, Index], values: dict[str, int], buffer: str) -> Iterator[Point]:
    for s in body:
        if isinstance(s, Loop):
            for n in range(_value(s.extent, known)):
                yield from _points(s.body, known | {s.var: const(n)}, values | {s.var: n}, buffer)
        elif all(_holds(c, known) for c in s.predicate):
            touched = (a for a in block_accesses(s, ()) if a.buffer == buffer)
            cells = ((tuple(0 if i is None else _value(i, known) for i in a.indices), a.writes) for a in touched)
            yield Point(s.name, values, tuple(dict.fromkeys(cells)))


def _value(index: Index, known: Mapping[str, Index]) -> int:
    """The value of ``index``; what divides by zero counts as 0, for it would not be run."""
    return substitute(index, known).constant or 0


def _holds(condition: Condition, known: Mapping[str, Index]) -> bool:
    value = _value(condition.index, known)
    return value >= 0 if condition.kind == "ge" else value == 0
