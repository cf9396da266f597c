"""Tensors, compiled ops and the threads that run them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tilewright.runtime._core import (
    Llvm,
    Object,
    Op,
    Pending,
    Program,
    Tensor,
    get_threads,
    limit_threads,
    promote_types,
    result_type,
    set_tensor_hooks,
    set_tensor_type,
    set_threads,
)
from tilewright.runtime.arrays import cells, from_dlpack, to_numpy, to_tensor
from tilewright.runtime.artifact import ABI_VERSION, SIZES, Artifact
from tilewright.runtime.code import Code, Form

__all__ = [
    "ABI_VERSION", "SIZES", "Artifact", "Code", "Form", "Llvm",
    "Object", "Op", "Pending", "Program", "Tensor", "cells", "from_dlpack", "get_threads",
    "promote_types", "result_type", "set_tensor_hooks", "set_tensor_type", "set_threads", "threads", "to_numpy",
    "to_tensor",
]  # fmt: skip


@contextmanager
def threads(n: int) -> Iterator[None]:
    """Within ``with threads(n):`` the calls of this Python thread use at most n threads.

    ``set_threads(n)`` limits those of the process; the smaller number holds. ValueError for n < 1.

    >>> import tilewright as tw
    >>> with tw.threads(1):
    ...     y = tw.ones(2, 3).sum()
    >>> y.item()
    6.0
    """
    if n < 1:
        raise ValueError("the number of threads is at least 1")
    before = limit_threads(n)
    try:
        yield
    finally:
        limit_threads(before)
