"""Host arrays as values of a domain, and back."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tilewright.errors import CallError, CallTypeError, InternalError
from tilewright.ir.interpret.domains import Domain, Typed
from tilewright.ir.interpret.numbers import Value
from tilewright.ir.interpret.rounding import FORMATS, from_bits
from tilewright.ir.tensor import ScalarInput
from tilewright.ir.types import BF16, BOOL, F16, F32, F64, FIELD, DType

HostArray = NDArray[Any]

_STORAGE = {BOOL: "bool", F16: "float16", BF16: "uint16", F32: "float32", F64: "float64", FIELD: "uint64"}


def storage(dtype: DType, domain: Domain) -> np.dtype[Any]:
    """The NumPy dtype that holds values of ``dtype``: bf16 as bit patterns, the field as cells."""
    real = domain.stand_in(dtype)
    return np.dtype(_STORAGE.get(real) or f"{real.kind}{real.bits}")


class Array:
    """A tensor's values in row-major order; None where nothing has been computed yet."""

    def __init__(self, name: str, dtype: DType, shape: Sequence[int], cells: list[Any] | None = None) -> None:
        self.name, self.dtype, self.shape = name, dtype, tuple(shape)
        self.cells: list[Any] = [None] * math.prod(shape) if cells is None else cells

    def offset(self, where: Sequence[int]) -> int:
        """The row-major position of an element that lies in the shape."""
        position = 0
        for i, extent in zip(where, self.shape, strict=True):
            position = position * extent + i
        return position

    def has(self, where: Sequence[int]) -> bool:
        """Whether the element, which lies in the shape, has been computed."""
        return self.cells[self.offset(where)] is not None

    def load(self, where: Sequence[int]) -> Any:
        """The element; InternalError if it has not been computed."""
        value = self.cells[self.offset(where)]
        if value is None:
            raise InternalError(f"{self.name}{list(where)} is read before it is computed")
        return value

    def store(self, where: Sequence[int], value: Value) -> None:
        self.cells[self.offset(where)] = value


def decode(data: Any, dtype: DType, domain: Domain) -> list[Any]:
    """The elements of a host array (or nested values) in row-major order, as values of the domain.

    Bits are taken as they are where the array has the storage dtype; elsewhere numbers are converted. In
    the typed domain an array of another dtype raises CallTypeError.
    """
    convert, array = _decoder(data, dtype, domain)
    return [convert(v) for v in array.ravel().tolist()]


def _decoder(data: Any, dtype: DType, domain: Domain) -> tuple[Callable[[Any], Any], HostArray]:
    numbers, array = domain.numbers(dtype), np.asarray(data)
    if array.dtype.name == "bfloat16":
        return numbers.constant, array.astype(np.float32)
    if not isinstance(data, (np.ndarray, np.generic)):
        return numbers.constant, np.asarray(data, dtype=object)
    if dtype is BF16 and array.dtype == np.uint16:
        return lambda bits: numbers.constant(from_bits(bits, FORMATS[BF16])), array
    if array.dtype == storage(dtype, domain):
        return lambda v: v, array
    if not dtype.is_float or (isinstance(domain, Typed) and dtype is not FIELD):
        raise CallTypeError(f"an array of {array.dtype} stands for one of {dtype}")
    return numbers.constant, array


def encode(cells: Iterable[Any], shape: Sequence[int], dtype: DType, domain: Domain) -> HostArray:
    """Values of the domain as a host array of :func:`storage`'s dtype."""
    kind, numbers = storage(dtype, domain), domain.numbers(dtype)
    bits = domain.stand_in(dtype) is BF16
    return np.array([numbers.to_bits(v) if bits else v for v in cells], dtype=kind).reshape(tuple(shape))


def shape_of(data: Any) -> tuple[int, ...]:
    """The shape of a host array or of nested values."""
    return tuple(np.shape(data))


def bind_scalars(declared: Iterable[ScalarInput], given: Mapping[str, Any], domain: Domain) -> dict[str, Any]:
    """The run-time scalars as values of their dtypes; CallError if one is missing or unknown."""
    wanted = {s.name: s.dtype for s in declared}
    require_names("scalar", wanted, given)
    return {name: decode(given[name], dtype, domain)[0] for name, dtype in wanted.items()}


def require_names(kind: str, wanted: Iterable[str], given: Iterable[str]) -> None:
    """CallError unless the names given are the names wanted."""
    missing, unknown = sorted(set(wanted) - set(given)), sorted(set(given) - set(wanted))
    if missing:
        raise CallError(f"the {kind} {missing[0]!r} is missing")
    if unknown:
        raise CallError(f"there is no {kind} {unknown[0]!r}")
