"""What a target can do, as data that passes consult; a target's manifest makes the value."""

from __future__ import annotations

from tilewright.ir.types import DType
from tilewright.records import dataclass


@dataclass(frozen=True)
class Capabilities:
    """``vector_bytes``: the width of a vector register (0: no vectors); ``vector_registers``: how many there are.
    ``native``: the scalar operations of ``ir.scalar.OPS`` that the emitter takes as they are, as (op, dtype name)
    pairs, where the dtype is the first operand's (for ``cast`` the pair is ("cast", "from>to")). ``emulated``: those
    that it takes too, and calls functions for that it makes of the expansions. All others are expanded by the
    legalising passes or refused before emission.
    """

    vector_bytes: int
    native: frozenset[tuple[str, str]]
    emulated: frozenset[tuple[str, str]] = frozenset()
    vector_registers: int = 16

    def lanes(self, dtype: DType) -> int:
        """How many elements of ``dtype`` fill a vector; at least 1."""
        return max(1, self.vector_bytes // dtype.bytes)

    def takes(self, operation: tuple[str, str]) -> bool:
        """Whether the emitter takes ``operation``."""
        return operation in self.native or operation in self.emulated
