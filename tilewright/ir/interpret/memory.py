"""Buffers as the kernels of loop IR see them: cells at byte offsets."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from tilewright.errors import InternalError
from tilewright.ir.interpret.arrays import HostArray, decode, encode
from tilewright.ir.interpret.domains import Domain
from tilewright.ir.interpret.numbers import Operation
from tilewright.ir.types import DType


class Memory:
    """The cells of one buffer by byte offset; None in a cell that was never written.

    Offsets count in bytes of the declared dtype, whatever the size of a value in the domain.
    """

    def __init__(self, name: str, dtype: DType, cells: dict[int, Any], writable: bool = True) -> None:
        self.name, self.dtype, self.cells, self.writable = name, dtype, cells, writable

    @staticmethod
    def blank(name: str, dtype: DType, count: int) -> Memory:
        """``count`` adjoining cells, none of them written."""
        return Memory(name, dtype, dict.fromkeys(range(0, count * dtype.bytes, dtype.bytes)))

    @staticmethod
    def of_array(name: str, dtype: DType, array: HostArray, domain: Domain) -> Memory:
        """The elements of an input, at the offsets that its strides give them; it cannot be written."""
        offsets = element_offsets(array.shape, byte_strides(array, dtype))
        return Memory(name, dtype, dict(zip(offsets, decode(array, dtype, domain), strict=True)), writable=False)

    def array(self, shape: Sequence[int], domain: Domain) -> HostArray:
        """The cells as a contiguous host array; InternalError if one was never written."""
        missing = [offset for offset, value in self.cells.items() if value is None]
        if missing:
            raise InternalError(f"byte {missing[0]} of {self.name!r} is never written")
        return encode((self.cells[o] for o in sorted(self.cells)), shape, self.dtype, domain)


def byte_strides(array: HostArray, dtype: DType) -> list[int]:
    """The strides that ``array`` would have with elements of ``dtype``'s size."""
    return [s // array.itemsize * dtype.bytes for s in array.strides]


def element_offsets(shape: Sequence[int], strides: Sequence[int]) -> list[int]:
    """The offset of every element, in row-major order."""
    points = itertools.product(*map(range, shape))
    return [sum(i * s for i, s in zip(point, strides, strict=True)) for point in points]


class View:
    """A buffer of a kernel laid over a memory: elements have indices, checked against the shape.

    A buffer whose dtype is not the memory's sees the encodings of its values.
    """

    def __init__(self, name: str, dtype: DType, shape: Sequence[int], strides: Sequence[int]) -> None:
        self.name, self.dtype, self.shape, self.strides = name, dtype, tuple(shape), tuple(strides)
        self.memory = Memory(name, dtype, {})
        self._seen: Operation | None = None
        self._kept: Operation | None = None
        self.loads: set[int] | None = None
        """The offsets loaded, while somebody wants to know."""

    def lay_over(self, memory: Memory, domain: Domain) -> None:
        """Has the view show ``memory``; InternalError if their elements differ in size."""
        self.memory = memory
        if memory.dtype is not self.dtype:
            self._seen = domain.bitcast(memory.dtype, self.dtype)
            self._kept = domain.bitcast(self.dtype, memory.dtype)

    def renew(self) -> None:
        """Lays the view over a new memory of its own, in which nothing is written."""
        cells = dict.fromkeys(element_offsets(self.shape, self.strides))
        self.memory = Memory(self.name, self.dtype, cells)

    def locate(self, where: Sequence[int]) -> int:
        """The byte offset of an element; InternalError if it is outside of the buffer or its memory."""
        inside = len(where) == len(self.shape) and all(0 <= i < n for i, n in zip(where, self.shape, strict=True))
        offset = sum(i * s for i, s in zip(where, self.strides, strict=False))
        if not inside or offset not in self.memory.cells:
            raise InternalError(f"{self.name}{list(where)} is outside of the buffer, which has shape {self.shape}")
        return offset

    def load(self, where: Sequence[int]) -> Any:
        """The element's value; InternalError if it was never written."""
        offset = self.locate(where)
        value = self.memory.cells[offset]
        if value is None:
            raise InternalError(f"{self.name}{list(where)} is read before it is written")
        if self.loads is not None:
            self.loads.add(offset)
        return value if self._seen is None else self._seen(value)

    def store(self, where: Sequence[int], value: Any) -> None:
        """Sets the element; InternalError if the memory cannot be written."""
        offset = self.locate(where)
        if not self.memory.writable:
            raise InternalError(f"{self.name}{list(where)} is an input and cannot be written")
        self.memory.cells[offset] = value if self._kept is None else self._kept(value)


def host_array(data: Any, dtype: DType, domain: Domain) -> HostArray:
    """``data`` as an array that has strides; nested values become one of the domain's storage."""
    if isinstance(data, np.ndarray):
        return data
    return encode(decode(data, dtype, domain), np.shape(data), dtype, domain)
