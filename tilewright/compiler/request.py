"""What a specialisation is asked for: the dispatch key, less the target."""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.dsl.program import Attribute
from tilewright.ir.types import DType

__all__ = ["Attribute", "OperandClass", "Request"]


@dataclass(frozen=True)
class OperandClass:
    """What the compiler knows of an operand: dtype, rank and which axis is unit-stride (-1: none)."""

    dtype: DType
    rank: int
    unit_axis: int

    @staticmethod
    def contiguous(dtype: DType, rank: int) -> OperandClass:
        return OperandClass(dtype, rank, rank - 1)


@dataclass(frozen=True)
class Request:
    """Per tensor operand its class, None where an optional one is absent; the attributes' values by name."""

    operands: tuple[OperandClass | None, ...]
    attributes: tuple[tuple[str, Attribute], ...] = ()
