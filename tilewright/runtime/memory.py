"""The memory of results and intermediates: what is held, and how much may be.

Freed blocks are kept for the next result of about their size, at most 256 MiB of them. Each Python thread keeps the
scratch of its largest call, if that is at most 64 MiB. Memory borrowed from NumPy is not counted.
"""

from __future__ import annotations

from typing import NamedTuple

from tilewright.errors import UserError
from tilewright.runtime import _core
from tilewright.runtime._core import empty_cache, reset_peak

__all__ = ["Stats", "empty_cache", "limit", "reset_peak", "set_limit", "stats"]


class Stats(NamedTuple):
    """The account of this process's memory. Blocks come in sizes, four to a power of two, from 64 bytes on."""

    in_use: int
    """Bytes of the blocks that tensors, and arrays made by ops, stand in."""
    cached: int
    """Bytes of free blocks that are kept for the next results."""
    scratch: int
    """Bytes that all threads keep for intermediates."""
    thread_scratch: int
    """Bytes of it that are this Python thread's."""
    peak: int
    """The most bytes that were in use at once since the start, or since :func:`reset_peak`."""
    allocations: int
    """How often a result was given memory."""
    hits: int
    """How many of the allocations were served from the cache."""


def stats() -> Stats:
    """What is held now.

    >>> import numpy as np, tilewright as tw
    >>> before = tw.memory.stats()
    >>> y = tw.ops.relu(np.zeros(1 << 20, np.float32))
    >>> tw.memory.stats().in_use - before.in_use
    4194304
    """
    return Stats(*_core.memory_stats())


def limit() -> int | None:
    """The most bytes that may be in use, cached and scratch together; None: as many as the system gives."""
    bytes = _core.memory_limit()
    return None if bytes < 0 else bytes


def set_limit(bytes: int | None) -> None:
    """Limits this process's memory to ``bytes``; None: no limit. Scratch and results together.

    A call that needs more first gives the cache back, then raises MemoryError with the bytes asked for, those in
    use and the limit. What is held already stays. UserError for a negative number.

    >>> import numpy as np, tilewright as tw
    >>> tw.memory.set_limit(1 << 20)
    >>> tw.ops.relu(np.zeros(1 << 20, np.float32))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    MemoryError: no memory for a result f32[1048576]: 4194304 bytes asked for, ... in use, the limit is 1048576
    >>> tw.memory.set_limit(None)
    """
    if bytes is not None and bytes < 0:
        raise UserError(f"a limit of {bytes} bytes", hint="tilewright.memory.set_limit(None) sets no limit")
    _core.set_memory_limit(-1 if bytes is None else bytes)
