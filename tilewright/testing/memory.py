"""Memory for operands, results and scratch that shows where a kernel reaches outside of it."""

from __future__ import annotations

import ctypes
import mmap
from collections.abc import Callable
from typing import Any

import numpy as np

from tilewright.ir.interpret.arrays import HostArray

CANARY = 0xA5
PAGE = mmap.PAGESIZE


class Block:
    """``size`` zeroed bytes at ``address``, valid as long as the block is referenced."""

    def __init__(self, address: int, size: int, keepalive: object) -> None:
        self.address, self.size, self.keepalive = address, size, keepalive
        ctypes.memset(address, 0, size)

    def array(self, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...], start: int) -> HostArray:
        """A view of these bytes whose first element is at byte ``start``."""
        held = (ctypes.c_char * self.size).from_address(self.address)
        held._block = self  # type: ignore[attr-defined]
        return np.ndarray(shape, dtype, memoryview(held), start, strides)

    def check(self) -> None:
        """AssertionError if something was written around the block, as far as its kind can tell."""


Memory = Callable[[int], Block]
"""A kind of memory: makes a block of so many bytes."""


class Canaries(Block):
    """64-byte aligned, between bytes that must not change."""

    def __init__(self, size: int) -> None:
        self.whole = np.full(size + 384, CANARY, np.uint8)
        self.start = 128 + -(self.whole.ctypes.data + 128) % 64
        super().__init__(self.whole.ctypes.data + self.start, size, self.whole)

    def check(self) -> None:
        around = np.concatenate([self.whole[: self.start], self.whole[self.start + self.size :]])
        if not (around == CANARY).all():
            raise AssertionError("a kernel wrote outside of its buffer")


def fenced_after(size: int) -> Block:
    """Memory that ends where an inaccessible page begins: any access past its end faults."""
    return _fenced(size, after=True)


def fenced_before(size: int) -> Block:
    """Memory that begins where an inaccessible page ends: any access before it faults."""
    return _fenced(size, after=False)


def _fenced(size: int, after: bool) -> Block:
    inside = -(-size // PAGE) * PAGE
    pages = mmap.mmap(-1, inside + 2 * PAGE)
    start = ctypes.addressof(ctypes.c_char.from_buffer(pages))
    for page in (start, start + PAGE + inside):
        if _libc().mprotect(ctypes.c_void_p(page), ctypes.c_size_t(PAGE), 0):
            raise OSError(ctypes.get_errno(), "mprotect")
    return Block(start + PAGE + (inside - size if after else 0), size, pages)


def from_heap(size: int) -> Block:
    """A block of malloc's own, which a sanitizer knows the ends of; 64-byte aligned."""
    address = ctypes.c_void_p()
    if _libc().posix_memalign(ctypes.byref(address), ctypes.c_size_t(64), ctypes.c_size_t(size)):
        raise MemoryError(size)
    return Block(address.value or 0, size, _Freed(address))


class _Freed:
    def __init__(self, address: ctypes.c_void_p) -> None:
        self.address = address

    def __del__(self) -> None:
        _libc().free(self.address)


def _libc() -> Any:
    return ctypes.CDLL(None, use_errno=True)


KINDS: dict[str, Memory] = {
    "canaries": Canaries,
    "after": fenced_after,
    "before": fenced_before,
    "heap": from_heap,
}
"""The kinds of memory by name."""
