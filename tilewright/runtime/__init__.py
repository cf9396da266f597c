"""Tensors, compiled ops and the threads that run them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from tilewright.errors import CallTypeError
from tilewright.runtime._core import (
    Llvm,
    Object,
    Op,
    Pending,
    Program,
    Tensor,
    get_threads,
    limit_threads,
    set_threads,
)
from tilewright.runtime.artifact import ABI_VERSION, SIZES, Artifact
from tilewright.runtime.code import Code, Form

__all__ = [
    "ABI_VERSION", "SIZES", "Artifact", "Code", "Form", "Llvm",
    "Object", "Op", "Pending", "Program", "Tensor", "get_threads", "set_threads", "threads", "to_numpy",
    "to_tensor",
]  # fmt: skip


def to_tensor(obj: object) -> Tensor:
    """A tensor of an array: over its memory where possible, of a copy where it is misaligned or byte-swapped.

    Takes Tensors, NumPy arrays (bfloat16 of ml_dtypes too) and objects that offer themselves to NumPy by
    ``__array_interface__`` or ``__array__``. CallTypeError for anything else.
    """
    if isinstance(obj, Tensor):
        return obj
    if not any(hasattr(obj, face) for face in ("__array_interface__", "__array__")):
        raise CallTypeError(f"an array is needed, not {type(obj).__name__}", hint="numpy.asarray(x) makes one")
    array = np.asarray(obj)
    array = np.require(array, array.dtype.newbyteorder("="), ["ALIGNED"])
    try:
        if array.dtype.name == "bfloat16":
            return Tensor.from_buffer(array.view(np.uint16), "bf16")
        return Tensor.from_buffer(array)
    except TypeError:
        raise CallTypeError(f"there are no tensors of {array.dtype}", hint="x.astype(...) converts an array") from None
    except ValueError as error:
        raise CallTypeError(f"this array is no tensor: {error}") from None


def to_numpy(tensor: Tensor) -> np.ndarray[Any, Any]:
    """A NumPy array over the tensor's memory; bf16 as bfloat16 of ml_dtypes if installed, else as its bits."""
    array = np.asarray(tensor)
    return array.view(_bfloat16()) if tensor.dtype == "bf16" else array


def _bfloat16() -> np.dtype[Any]:
    try:
        import ml_dtypes
    except ImportError:
        return np.dtype(np.uint16)
    dtype: np.dtype[Any] = np.dtype(ml_dtypes.bfloat16)
    return dtype


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Within ``with threads(n):`` the calls of this Python thread use at most n threads.

    ``set_threads(n)`` limits those of the process; the smaller number holds. ValueError for n < 1.
    """
    if n < 1:
        raise ValueError("the number of threads is at least 1")
    before = limit_threads(n)
    try:
        yield
    finally:
        limit_threads(before)
