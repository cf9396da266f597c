"""What a call costs beside its work: the call itself, memory, threads. Each line with its goal.

    python benchmarks/calls.py

Rounds are interleaved; figures are medians with the spread (min .. max). Run it on an idle machine: the load is
printed, and beside other work the lines on two threads say little.
"""

from __future__ import annotations

import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import timeit
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

import tilewright as tw
from tilewright.runtime import Op, Program, to_numpy, to_tensor
from tilewright.targets.c.build import LIBRARY, compile_c

ADD = "op add[T: number](a: T[...], b: T[...]) -> c: T[...]:\n    c[...] = a[...] + b[...]\n"
IDLE = """
#include <stdint.h>
int sizes(const int64_t* head, int64_t* tail) {
    tail[0] = 0, tail[1] = head[0], tail[2] = 1;
    return 0;
}
void idle(const void* args, int64_t lo, int64_t hi, int64_t tid) {}
"""
"""A kernel that does nothing, in as many tasks of one chunk each as its operand has elements, without scratch."""

Calls = dict[str, Callable[[], object]]
Samples = dict[str, list[float]]


def interleaved(calls: Calls, number: int, rounds: int) -> Samples:
    """Seconds per call, a sample of ``number`` calls in each round."""
    samples: Samples = {name: [] for name in calls}
    for call in calls.values():
        call()
    for _ in range(rounds):
        for name, call in calls.items():
            samples[name].append(timeit.timeit(call, number=number) / number)
    return samples


def show(name: str, samples: list[float], unit: str, scale: float, goal: str = "") -> None:
    low, mid, high = (f(samples) * scale for f in (min, statistics.median, max))
    print(f"{name:56s} {mid:8.2f} {unit:3s} ({low:.2f} .. {high:.2f}){goal and f'   goal: {goal}'}")


def above(samples: Samples, name: str, base: str) -> list[float]:
    """What ``name`` costs more than the least that ``base`` does, in each round."""
    return [sample - min(samples[base]) for sample in samples[name]]


def empty(a: object, b: object) -> None:
    """A call of a Python function that does nothing."""


def call_cost() -> None:
    a, b = np.ones(16, np.float32), np.ones(16, np.float32)
    ta, tb = tw.as_tensor(a), tw.as_tensor(b)
    op = tw.op(ADD)
    calls: Calls = {
        "empty": lambda: empty(ta, tb),
        "add on three tensors, the result's memory included": lambda: op(ta, tb),
        "add on three NumPy arrays": lambda: op(a, b),
        "numpy.add": lambda: np.add(a, b),
    }
    samples = interleaved(calls, number=20000, rounds=15)
    show("an empty call", samples["empty"], "ns", 1e9)
    for name, goal in zip(list(calls)[1:], ("60, with memory 130", "400", ""), strict=True):
        show(f"... {name}", above(samples, name, "empty"), "ns", 1e9, goal)


def idle_op(folder: str) -> Op:
    path = Path(folder) / "idle.so"
    compile_c(IDLE, path, LIBRARY)
    library = ctypes.CDLL(str(path))
    sizes, idle = (ctypes.cast(library[name], ctypes.c_void_p).value or 0 for name in ("sizes", "idle"))

    def program(key: object) -> Program:
        return Program(sizes, 2, 3, [], 2, [("phase", idle, 3, 4)], [], library)

    def refuse(kind: str, info: object) -> None:
        raise RuntimeError(kind, info)

    return Op("idle", [("x", "tensor", None, False, None, False)], program, refuse, to_tensor, to_numpy)


def parallel_for() -> None:
    """What a phase on two threads costs more than one on one thread, when there is nothing to do."""
    with tempfile.TemporaryDirectory() as folder:
        op = idle_op(folder)
    calls: Calls = {"serial": lambda: op(one)}
    one, tensors = tw.as_tensor(np.zeros(1)), {n: tw.as_tensor(np.zeros(n)) for n in (2, 16)}
    for n, tensor in tensors.items():
        calls[f"an empty parallel-for of {n} tasks, 2 threads"] = lambda tensor=tensor: op(tensor)
    with tw.threads(2):
        samples = interleaved(calls, number=5000, rounds=15)
    for name in list(calls)[1:]:
        show(name, above(samples, name, "serial"), "us", 1e6, "1")


def page_faults() -> None:
    """How many pages a result of 64 MiB meets for the first time, beside NumPy's."""
    x = tw.as_tensor(np.ones(16 << 20, np.float32))
    array = np.asarray(x)
    relu = tw.ops.relu

    def fresh() -> object:
        tw.memory.empty_cache()
        return relu(x)

    calls: Calls = {"reused": lambda: relu(x), "fresh": fresh, "NumPy's": lambda: np.maximum(array, 0)}
    for name, call in calls.items():
        call()
        faults = []
        for _ in range(9):
            before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
            call()
            faults.append(float(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before))
        show(f"page faults of a result of 64 MiB, {name}", faults, "", 1, "0" if name == "reused" else "")


@contextmanager
def neighbour() -> Iterator[None]:
    """Beside a process that spins."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    time.sleep(0.5)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def speed_ups() -> list[float]:
    """How many times faster two threads are than one, round by round, for a product of 512 x 512 matrices."""
    x = tw.as_tensor(np.random.default_rng(0).standard_normal((512, 512), np.float32))

    def seconds(n: int) -> float:
        with tw.threads(n):
            return timeit.timeit(lambda: tw.ops.matmul(x, x), number=1)

    seconds(1), seconds(2)
    return [seconds(1) / seconds(2) for _ in range(15)]


def two_threads() -> None:
    show("two threads over one, matmul of 512", alone := speed_ups(), "", 1, "the best 1.9")
    with neighbour():
        show("... beside one spinning process", speed_ups(), "", 1, "the median 0.9")
    print(f"{'the best round alone':56s} {max(alone):8.2f}")


if __name__ == "__main__":
    print(f"load: {' '.join(f'{x:.2f}' for x in os.getloadavg())}, {tw.get_threads()} CPUs")
    call_cost()
    parallel_for()
    page_faults()
    two_threads()
