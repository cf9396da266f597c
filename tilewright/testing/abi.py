"""Runs loaded kernels through the ABI, as the C++ runner would, in memory of any kind."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from tilewright.errors import CallError
from tilewright.ir.interpret import TYPED
from tilewright.ir.interpret.arrays import HostArray, storage
from tilewright.ir.plan import Phase, Plan, Step, head, tail
from tilewright.ir.types import DType
from tilewright.targets.target import Loaded
from tilewright.testing.memory import Canaries, Memory

KERNEL = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64, ctypes.c_int64)
SIZES = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
Ranges = Callable[[int], Sequence[tuple[int, int]]]
"""How the tasks of a phase are cut into pieces."""


class Status(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int64) for name in ("lock", "code", "operand", "position", "value")]


class Args(ctypes.Structure):
    _fields_ = [(name, ctypes.c_void_p) for name in ("data", "table", "scalars", "scratch", "status", "counters")]


def call_sizes(plan: Plan, loaded: Loaded, inputs: Mapping[str, HostArray]) -> tuple[int, dict[str, int], Any]:
    """What ``sizes`` returns, the table by name, the table itself."""
    known = [n for t in plan.inputs for n in (*inputs[t.name].shape, *inputs[t.name].strides)]
    names = [*head(plan), *(name for name, _ in tail(plan))]
    table = (ctypes.c_int64 * len(names))(*known)
    start = ctypes.addressof(table)
    failed = SIZES(loaded.sizes)(start, start + 8 * len(known))
    return failed, dict(zip(names, table, strict=True)), table


def scalar_cell(value: Any, dtype: DType) -> bytes:
    """A run-time scalar as the ABI passes it; the bytes that it does not fill hold anything."""
    return np.asarray(value, dtype=storage(dtype, TYPED)).tobytes().ljust(8, b"\xee")


def whole(tasks: int) -> list[tuple[int, int]]:
    """All tasks in one piece."""
    return [(0, tasks)]


def run(
    plan: Plan,
    loaded: Loaded,
    inputs: Mapping[str, HostArray],
    scalars: Mapping[str, Any] | None = None,
    ranges: Ranges = whole,
    threads: int = 1,
    memory: Memory = Canaries,
) -> tuple[dict[str, HostArray], Status]:
    """The outputs and the status of one call; CallError for a failed check.

    ``ranges`` cuts the tasks of a phase into pieces, which ``threads`` take. Results and scratch are in ``memory``.
    """
    failed, sizes, table = call_sizes(plan, loaded, inputs)
    if failed:
        raise CallError(plan.checks[failed - 1].message)
    shapes = {t.name: tuple(sizes[f"out({t.name},{a})"] for a in range(len(t.shape))) for t in plan.outputs}
    outputs = {t.name: memory(math.prod(shapes[t.name]) * t.dtype.bytes) for t in plan.outputs}
    scratch, status = memory(sizes["scratch"]), Status()
    pointers = [inputs[t.name].ctypes.data for t in plan.inputs] + [outputs[t.name].address for t in plan.outputs]
    data = (ctypes.c_void_p * len(pointers))(*pointers)
    cells = b"".join(scalar_cell((scalars or {})[s.name], s.dtype) for s in plan.scalars)
    counters = (ctypes.c_int64 * 8)()
    args = Args(
        ctypes.addressof(data),
        ctypes.addressof(table),
        ctypes.cast(ctypes.c_char_p(cells), ctypes.c_void_p),
        scratch.address,
        ctypes.addressof(status),
        ctypes.addressof(counters),
    )

    def steps(todo: Sequence[Step], number: int, depth: int) -> None:
        for step in todo:
            if isinstance(step, Phase):
                kernel = KERNEL(loaded.kernels[step.kernel])
                _launch(kernel, ctypes.addressof(args), ranges(sizes[f"tasks({number})"]), threads)
            else:
                for trip in range(sizes[f"trips({number})"]):
                    counters[depth] = trip
                    steps(step.steps, number + 1, depth + 1)
            number += count((step,))

    steps(plan.steps, 0, 0)
    for block in (*outputs.values(), scratch):
        block.check()
    if status.lock:
        raise AssertionError("the status record stays locked")
    return {t.name: _result(outputs[t.name], t.dtype, shapes[t.name]) for t in plan.outputs}, status


def _launch(kernel: Any, args: int, pieces: Sequence[tuple[int, int]], threads: int) -> None:
    if threads == 1:
        for piece in pieces:
            kernel(args, *piece, 0)
        return
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda piece: kernel(args, *piece, 0), pieces))


def _result(block: Any, dtype: DType, shape: tuple[int, ...]) -> HostArray:
    kind = storage(dtype, TYPED)
    strides = np.empty(shape, kind).strides
    array: HostArray = block.array(kind, shape, strides, 0).copy()
    return array


def count(steps: Sequence[Step]) -> int:
    """How many steps there are, inner ones included."""
    return sum(1 + (0 if isinstance(s, Phase) else count(s.steps)) for s in steps)
