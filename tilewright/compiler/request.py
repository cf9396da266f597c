"""What a specialisation is asked for: the dispatch key, less the target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tilewright.dsl.program import Attribute
from tilewright.ir.types import BY_NAME, DType
from tilewright.records import dataclass
from tilewright.runtime import Tensor

__all__ = ["Attribute", "OperandClass", "Request"]


@dataclass(frozen=True)
class OperandClass:
    """What the compiler knows of an operand: dtype, rank and which axis is unit-stride (-1: none).

    ``still`` has a bit for each axis along which all elements are one: its stride is 0.
    """

    dtype: DType
    rank: int
    unit_axis: int
    still: int = 0

    @staticmethod
    def read(made: Sequence[Any] | None) -> OperandClass | None:
        """The class that a key says, None where it says None."""
        return None if made is None else OperandClass(BY_NAME[made[0]], *made[1:])

    def plain(self) -> tuple[str, int, int, int]:
        """As a key says it."""
        return self.dtype.name, self.rank, self.unit_axis, self.still

    @staticmethod
    def of(tensor: Tensor) -> OperandClass:
        """The class of a tensor."""
        dtype = BY_NAME[tensor.dtype.code]
        shape, strides = tensor.shape, tensor.strides
        return OperandClass(dtype, len(shape), _unit_axis(shape, strides, dtype.bytes), _still(shape, strides))

    @staticmethod
    def contiguous(dtype: DType, rank: int) -> OperandClass:
        return OperandClass(dtype, rank, rank - 1)


@dataclass(frozen=True)
class Request:
    """Per tensor operand its class, None where an optional one is absent; the attributes' values by name; per result
    the class of the memory that it is written to, None where it is new or row-major: nothing if they all are.
    """

    operands: tuple[OperandClass | None, ...]
    attributes: tuple[tuple[str, Attribute], ...] = ()
    outputs: tuple[OperandClass | None, ...] = ()


def _still(shape: tuple[int, ...], strides: tuple[int, ...]) -> int:
    moves = 0 in shape
    return sum(1 << a for a, (n, s) in enumerate(zip(shape, strides, strict=True)) if s == 0 and n > 1 and not moves)


def _unit_axis(shape: tuple[int, ...], strides: tuple[int, ...], size: int) -> int:
    """The rule of the dispatch key (docs/architecture.md)."""
    if not shape:
        return -1
    if 0 in shape or shape[-1] <= 1 or strides[-1] == size:
        return len(shape) - 1
    return next((a for a, n in enumerate(shape) if n > 1 and strides[a] == size), -1)
