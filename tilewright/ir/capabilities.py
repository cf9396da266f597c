"""What a target can do, as data that passes consult; a target's manifest makes the value."""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.ir.types import DType


@dataclass(frozen=True)
class Capabilities:
    """``vector_bytes``: the width of a vector register (0: no vectors). ``native``: the scalar operations
    of ``ir.scalar.OPS`` that the emitter takes as they are, as (op, dtype name) pairs, where the dtype is the
    first operand's (for ``cast`` the pair is ("cast", "from>to")). What is not native is expanded by the
    legalising passes or refused before emission.
    """

    vector_bytes: int
    native: frozenset[tuple[str, str]]

    def lanes(self, dtype: DType) -> int:
        """How many elements of ``dtype`` fill a vector; at least 1."""
        return max(1, self.vector_bytes // dtype.bytes)

    def has(self, op: str, dtype: DType) -> bool:
        return (op, dtype.name) in self.native

    def casts(self, source: DType, to: DType) -> bool:
        return ("cast", f"{source}>{to}") in self.native
