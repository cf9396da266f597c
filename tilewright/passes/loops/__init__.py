"""Rewrites of loop IR: the schedule primitives and simplification."""

from __future__ import annotations

from tilewright.passes.loops.decompose_reduction import DecomposeReduction
from tilewright.passes.loops.expand import Expand
from tilewright.passes.loops.fission import Fission
from tilewright.passes.loops.fuse import Fuse
from tilewright.passes.loops.parallel import Parallel
from tilewright.passes.loops.reorder import Reorder
from tilewright.passes.loops.simplify import Simplify
from tilewright.passes.loops.split import Split
from tilewright.passes.loops.unroll import Unroll
from tilewright.passes.loops.vectorize import Vectorize
from tilewright.passes.pipeline import Pass

PASSES: dict[str, type[Pass]] = {
    p.name: p
    for p in (Split, Fuse, Reorder, Fission, Expand, Vectorize, Parallel, Unroll, DecomposeReduction, Simplify)
}
"""The passes of this folder by name."""

__all__ = [
    "PASSES",
    "DecomposeReduction",
    "Expand",
    "Fission",
    "Fuse",
    "Parallel",
    "Reorder",
    "Simplify",
    "Split",
    "Unroll",
    "Vectorize",
]
