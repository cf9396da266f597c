"""Tensors and the arrays of other libraries: the same memory wherever it can be."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike

from tilewright.errors import CallError, CallIndexError, CallTypeError
from tilewright.runtime._core import Tensor, set_errors
from tilewright.runtime.dtypes import bfloat16

CPU = 1
"""DLPack's number for memory of this machine."""

set_errors((CallError, CallTypeError, CallIndexError))


def to_tensor(obj: object) -> Tensor:
    """A tensor of an array: over its memory where possible, of a copy where it is misaligned or byte-swapped.

    Takes Tensors, NumPy arrays (bfloat16 of ml_dtypes too), what ``from_dlpack`` takes and objects that offer
    themselves to NumPy by ``__array_interface__`` or ``__array__``. CallTypeError for anything else.
    """
    if isinstance(obj, Tensor):
        return obj
    if hasattr(obj, "__dlpack__") and not isinstance(obj, np.ndarray):  # it alone has bf16
        return from_dlpack(obj)
    if not any(hasattr(obj, face) for face in ("__array_interface__", "__array__")):
        raise CallTypeError(f"an array is needed, not {type(obj).__name__}", hint="numpy.asarray(x) makes one")
    array = np.asarray(obj)
    array = np.require(array, array.dtype.newbyteorder("="), ["ALIGNED"])
    try:
        return Tensor.from_buffer(array, "bf16" if array.dtype.name == "bfloat16" else None)
    except TypeError:
        raise CallTypeError(f"there are no tensors of {array.dtype}", hint="x.astype(...) converts an array") from None
    except ValueError as error:
        raise CallTypeError(f"this array is no tensor: {error}") from None


def from_dlpack(obj: object) -> Tensor:
    """A tensor over the memory of an array of another library, by DLPack; nothing is copied.

    ``obj`` has ``__dlpack__`` and ``__dlpack_device__`` (DLPack 1, or its form before versions), as arrays of NumPy,
    PyTorch and others have. The tensor keeps that memory alive, has its strides, and is read-only where the array
    is. CallTypeError says why an array cannot be a tensor: it is on another device, misaligned, or of another dtype.

    >>> import numpy as np
    >>> import tilewright as tw
    >>> x = np.arange(6.0).reshape(2, 3)
    >>> t = tw.from_dlpack(x.T)
    >>> t.shape, t.strides
    ((3, 2), (8, 24))
    >>> t.data_ptr() == x.ctypes.data == np.from_dlpack(t).ctypes.data
    True
    """
    if isinstance(obj, Tensor):
        return obj
    name = f"{type(obj).__module__}.{type(obj).__qualname__}".removeprefix("builtins.")
    if not (hasattr(obj, "__dlpack__") and hasattr(obj, "__dlpack_device__")):
        raise CallTypeError(f"an array with __dlpack__ is needed, not {name}", hint="numpy.asarray(x) makes one")
    try:
        kind, number = obj.__dlpack_device__()
        # The capsule has a name here, lest its destructor runs while an error is raised.
        capsule = _capsule(obj) if kind == CPU else None
        tensor = None if capsule is None else Tensor.from_capsule(capsule)
    except (TypeError, ValueError, BufferError, RuntimeError) as error:  # what DLPack and its producers raise
        raise CallTypeError(f"this {name} cannot be a tensor: {error}") from error
    if tensor is None:
        place = f"on the device ({int(kind)}, {number})"
        raise CallTypeError(f"this {name} is {place}, not the CPU", hint="x.cpu() or the like copies it there")
    return tensor


def _capsule(obj: Any) -> object:
    if hasattr(obj, "is_neg") and obj.is_neg():  # PyTorch refuses to give this to NumPy, but not by DLPack
        raise BufferError("its memory holds the opposite sign of its values; x.resolve_neg() has the values")
    try:
        return obj.__dlpack__(max_version=(1, 0))
    except TypeError:  # it is older than versions
        return obj.__dlpack__()


def to_numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A NumPy array over the tensor's memory; bf16 as bfloat16 of ml_dtypes, CallTypeError if that is not installed."""
    array = cells(tensor)
    return array.view(_bfloat16()) if tensor.dtype is bfloat16 else array


def cells(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A NumPy array over the tensor's memory; bf16 as its bits in uint16."""
    return np.asarray(Tensor.from_buffer(tensor, "u16") if tensor.dtype is bfloat16 else tensor)


def array(tensor: Tensor, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
    """``Tensor.__array__``: NumPy's protocol. A view where ``dtype`` is the tensor's and ``copy`` is not true.

    ValueError where a copy is needed and ``copy`` is false.
    """
    return np.array(to_numpy(tensor), dtype, copy=copy)


def _bfloat16() -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError:
        raise CallTypeError(
            "NumPy has no bfloat16 without ml_dtypes",
            hint="pip install ml_dtypes; or Tensor.from_buffer(x, 'u16') for the bits",
        ) from None
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype
