"""Small calls of eager tensors beside NumPy's arrays and PyTorch's tensors, interleaved, on one thread.

    python benchmarks/eager.py [--rounds N]

Prints medians in ns less an empty call, and how many times as long the others take.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

import tilewright as tw

Calls = Mapping[str, Callable[[Any, Any], Any]]

CALLS: Calls = {
    "a + b, 16": lambda a, m: a + a,
    "a + 1, 16": lambda a, m: a + 1,
    "m + m, 8x8": lambda a, m: m + m,
    "m + row": lambda a, m: m + m[0],
    "a.sum(), 16": lambda a, m: a.sum(),
    "m.sum(0), 8x8": lambda a, m: m.sum(0),
    "m @ m, 8x8": lambda a, m: m @ m,
    "a[3:7, None]": lambda a, m: a[3:7, None],
    "a.reshape(4, 4)": lambda a, m: a.reshape(4, 4),
    "ten small ops": lambda a, m: ((((a + a) * a - a) / (a * a + 1) + 1) * a - a).sum(),
}


def nothing(a: Any, m: Any) -> None:
    """An empty call."""


def once(call: Callable[[], Any], count: int = 2000) -> float:
    """Nanoseconds a call."""
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    return (time.perf_counter_ns() - start) / count


def worlds() -> dict[str, tuple[Any, Any]]:
    """A vector of 16 and a matrix of 8x8 floats, as each library has them."""
    vector, matrix = np.linspace(1, 2, 16, dtype=np.float32), np.eye(8, dtype=np.float32) + 1
    made: dict[str, tuple[Any, Any]] = {"tilewright": (tw.tensor(vector), tw.tensor(matrix)), "numpy": (vector, matrix)}
    try:
        import torch
    except ImportError:
        return made
    torch.set_num_threads(1)
    return {**made, "torch": (torch.tensor(vector), torch.tensor(matrix))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=25)
    rounds = parser.parse_args().rounds
    tw.set_threads(1)
    libraries = worlds()
    print(f"{'':18}" + "".join(f"{name:>14}" for name in libraries))
    for label, call in CALLS.items():
        found: dict[str, list[float]] = {name: [] for name in libraries}
        for _ in range(rounds):
            for name, (a, m) in libraries.items():
                found[name].append(once(partial(call, a, m)) - once(partial(nothing, a, m)))
        medians = {name: statistics.median(times) for name, times in found.items()}
        first = medians["tilewright"]
        print(f"{label:18}" + "".join(f"{t:7.0f} {t / first:5.2f}x" for t in medians.values()))


if __name__ == "__main__":
    main()
