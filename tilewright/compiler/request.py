"""What a specialisation is asked for: the dispatch key, less the target."""

from __future__ import annotations

from dataclasses import dataclass

from tilewright.dsl.program import Attribute
from tilewright.ir.types import BY_NAME, DType
from tilewright.runtime import Tensor

__all__ = ["Attribute", "OperandClass", "Request"]


@dataclass(frozen=True)
class OperandClass:
    """What the compiler knows of an operand: dtype, rank and which axis is unit-stride (-1: none)."""

    dtype: DType
    rank: int
    unit_axis: int

    @staticmethod
    def of(tensor: Tensor) -> OperandClass:
        """The class of a tensor."""
        dtype = BY_NAME[tensor.dtype.code]
        return OperandClass(dtype, len(tensor.shape), _unit_axis(tensor.shape, tensor.strides, dtype.bytes))

    @staticmethod
    def contiguous(dtype: DType, rank: int) -> OperandClass:
        return OperandClass(dtype, rank, rank - 1)


@dataclass(frozen=True)
class Request:
    """Per tensor operand its class, None where an optional one is absent; the attributes' values by name."""

    operands: tuple[OperandClass | None, ...]
    attributes: tuple[tuple[str, Attribute], ...] = ()


def _unit_axis(shape: tuple[int, ...], strides: tuple[int, ...], size: int) -> int:
    """The rule of the dispatch key (docs/architecture.md)."""
    if not shape:
        return -1
    if 0 in shape or shape[-1] <= 1 or strides[-1] == size:
        return len(shape) - 1
    return next((a for a, n in enumerate(shape) if n > 1 and strides[a] == size), -1)
