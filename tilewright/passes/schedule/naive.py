"""Lanes along the rows of the result, or over the partial results of a chunk; everything outside of them as tasks."""

from __future__ import annotations

from tilewright.ir.loops import Block, Loop, walk
from tilewright.passes.loops.expand import Expand
from tilewright.passes.loops.parallel import Parallel
from tilewright.passes.loops.split import Split
from tilewright.passes.loops.vectorize import Vectorize
from tilewright.passes.schedule.lanes import Clip, Once, SinkLanes, Tidy, find
from tilewright.passes.schedule.making import Making, Row, partials, widest

ROW_POINTS = 4096
"""A task takes so much of a row,"""
ROW_VECTORS = 16
"""or, where each point is a loop of its own, so many vectors."""
PARTIAL_VECTORS = 4
"""So many vectors of partial results are computed at once by operations that are expanded."""


class Naive(Making):
    """The schedule of one kernel by lanes along its rows."""

    def run(self) -> Naive:
        """Applies all steps."""
        axes = self.free_axes()
        parts = partials(self.kernel) if self.capabilities.vector_bytes else []
        row = None if parts else self.row(axes)
        whole = row is not None and self._is_short(row)
        for var in axes[:-1] if whole else axes:
            self.apply(Parallel(var), "its iterations are independent")
        inner = axes.pop() if whole else self._tile(axes, row) if row else None
        self.tasks(axes)
        if row and inner:
            self._vectorise(inner, self.width(row))
        for var in parts:
            self._partial_lanes(var)
        self.apply(Tidy(), "loops of one iteration are none")
        return self

    # --- tasks ------------------------------------------------------------------------------

    def _points(self, row: Row) -> int:
        """How much of the row a task takes."""
        return ROW_POINTS if row.innermost else ROW_VECTORS * self.width(row)

    def _is_short(self, row: Row) -> bool:
        """Whether a task takes all of the row."""
        extent = find(self.kernel, row.var)[0].extent.constant
        return extent is not None and extent <= self._points(row)

    def _tile(self, axes: list[str], row: Row) -> str:
        """Cuts the row into tiles, which take the row's place in ``axes``; the loop inside a tile."""
        tile, inner = self.new(f"{row.var}_tile", f"{row.var}_in")
        self.apply(Split(row.var, self._points(row), "guard", (tile, inner)), "a task takes part of a row")
        axes[-1] = tile
        return inner

    # --- lanes ------------------------------------------------------------------------------

    def _vectorise(self, inner: str, width: int) -> None:
        self.apply(Clip(inner), "the last tile is shorter")
        vector, lane, rest = self.new(f"{inner}_v", f"{inner}_l", f"{inner}_rest")
        self.apply(Split(inner, width, "cut", (vector, lane, rest)), "whole vectors need no mask")
        vectors = [lane]
        if rest in {s.var for s, _ in walk(self.kernel.body) if isinstance(s, Loop)}:
            last, masked = self.new(f"{rest}_v", f"{rest}_l")
            self.apply(Split(rest, width, "mask", (last, masked)), "what is left is one vector with a mask")
            self.apply(Once(last), "that vector is there or it is not")
            vectors.append(masked)
        for var in vectors:
            self.apply(Expand(var), "each lane has its own accumulators")
            self.apply(Vectorize(var), "the lanes store neighbouring elements")
        self.apply(SinkLanes(), "vectors are innermost")

    def _partial_lanes(self, var: str) -> None:
        """All partial results at once where an instruction does each step, else as many as a few registers hold."""
        loop, _ = find(self.kernel, var)
        inside = [s for s in loop.body if isinstance(s, Block)]
        width = PARTIAL_VECTORS * self.capabilities.lanes(widest(inside, self.capabilities))
        native = all(map(self.is_native, inside))
        if not native and loop.extent.const > width and loop.extent.const % width == 0:
            part, lane = self.new(f"{var}_part", f"{var}_l")
            self.apply(Split(var, width, "cut", (part, lane)), "what is expanded needs registers of its own")
            var = lane
        self.apply(Vectorize(var), "the partial results of a chunk are independent of each other")
