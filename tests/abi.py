"""Runs loaded kernels through the ABI, as the C++ runner would, with guards around every buffer."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tilewright.errors import CallError
from tilewright.ir.interpret import TYPED
from tilewright.ir.interpret.arrays import storage
from tilewright.ir.plan import Phase, Plan, Step, head, tail
from tilewright.ir.types import DType
from tilewright.targets.target import Loaded

GUARD = 0xA5
KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
SIZES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class Status(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("lock", "code", "operand", "position", "value")]


class Args(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("data", "table", "scalars", "scratch", "status", "counters")]


class Guarded:
    """``bytes_`` zeroed bytes, 64-byte aligned, between bytes that must not change."""

    def __init__(self, bytes_: int) -> None:
        self.bytes = bytes_
        self.memory = np.full(bytes_ + 384, GUARD, np.uint8)
        self.start = 128 + -(self.memory.ctypes.data + 128) % 64
        self.inside[:] = 0

    @property
    def inside(self) -> np.ndarray:
        return self.memory[self.start:self.start + self.bytes]

    @property
    def address(self) -> int:
        return self.memory.ctypes.data + self.start

    def check(self) -> None:
        around = np.concatenate([self.memory[:self.start], self.memory[self.start + self.bytes:]])
        assert (around == GUARD).all(), "a kernel wrote outside of its buffer"


def call_sizes(plan: Plan, loaded: Loaded, inputs: Mapping[str, np.ndarray]) -> tuple[int, dict[str, int], Any]:
    """What ``sizes`` returns, the table by name, the table itself."""
    known = [n for t in plan.inputs for n in (*inputs[t.name].shape, *inputs[t.name].strides)]
    names = [*head(plan), *(name for name, _ in tail(plan))]
    table = (ctypes.c_int64 * len(names))(*known)
    start = ctypes.addressof(table)
    failed = SIZES(loaded.sizes)(start, start + 8 * len(known))
    return failed, dict(zip(names, table, strict=True)), table


def scalar_cell(value: Any, dtype: DType) -> bytes:
    return np.asarray(value, dtype=storage(dtype, TYPED)).tobytes().ljust(8, b"\xEE")


def run(
    plan: Plan,
    loaded: Loaded,
    inputs: Mapping[str, np.ndarray],
    scalars: Mapping[str, Any] | None = None,
    ranges: Callable[[int], Sequence[tuple[int, int]]] = lambda tasks: [(0, tasks)],
    threads: int = 1,
) -> tuple[dict[str, np.ndarray], Status]:
    """The outputs and the status of one call; CallError for a failed check.

    ``ranges`` cuts the tasks of a phase into pieces, which ``threads`` take.
    """
    failed, sizes, table = call_sizes(plan, loaded, inputs)
    if failed:
        raise CallError(plan.checks[failed - 1].message)
    shapes = {t.name: tuple(sizes[f"out({t.name},{a})"] for a in range(len(t.shape))) for t in plan.outputs}
    outputs = {t.name: Guarded(math.prod(shapes[t.name]) * t.dtype.bytes) for t in plan.outputs}
    scratch, status = Guarded(sizes["scratch"]), Status()
    pointers = [inputs[t.name].ctypes.data for t in plan.inputs] + [outputs[t.name].address for t in plan.outputs]
    data = (ctypes.c_void_p * len(pointers))(*pointers)
    cells = b"".join(scalar_cell((scalars or {})[s.name], s.dtype) for s in plan.scalars)
    counters = (ctypes.c_int64 * 8)()
    args = Args(*(ctypes.addressof(x) for x in (data, table)), ctypes.cast(ctypes.c_char_p(cells), ctypes.c_void_p),
                scratch.address, ctypes.addressof(status), ctypes.addressof(counters))

    def steps(todo: Sequence[Step], number: int, depth: int) -> None:
        for step in todo:
            if isinstance(step, Phase):
                kernel, pieces = KERNEL(loaded.kernels[step.kernel]), ranges(sizes[f"tasks({number})"])
                with ThreadPoolExecutor(threads) as pool:
                    list(pool.map(lambda piece, k=kernel: k(ctypes.addressof(args), *piece, 0), pieces))
            else:
                for trip in range(sizes[f"trips({number})"]):
                    counters[depth] = trip
                    steps(step.steps, number + 1, depth + 1)
            number += count((step,))

    steps(plan.steps, 0, 0)
    for memory in (*outputs.values(), scratch):
        memory.check()
    assert status.lock == 0
    return {t.name: outputs[t.name].inside.view(storage(t.dtype, TYPED)).reshape(shapes[t.name])
            for t in plan.outputs}, status


def count(steps: Sequence[Step]) -> int:
    """How many steps there are, inner ones included."""
    return sum(1 + (0 if isinstance(s, Phase) else count(s.steps)) for s in steps)
