"""The c target: portable C99, vectorised by nobody or by the C compiler, with the bits of all other targets."""

from __future__ import annotations

from tilewright.ir.capabilities import Capabilities
from tilewright.targets.c.build import assembly, compile_library
from tilewright.targets.c.emit import emit, kernel_names
from tilewright.targets.c.operations import NATIVE
from tilewright.targets.target import Target, pick_level

DEVICE = "cpu"
LEVELS = ("c99",)


def target(level: str | None = None) -> Target:
    """The c target; it has one level."""
    return Target(
        name="c",
        level=pick_level("c", LEVELS, level),
        capabilities=Capabilities(vector_bytes=0, native=NATIVE),
        pieces=lambda plan: [emit(plan)],
        compile=compile_library,
        form="library",
        symbols=kernel_names,
        assembly=assembly,
        about="portable C99",
    )
