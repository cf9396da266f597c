"""What a view costs, beside NumPy and, where it is installed, PyTorch: 16 elements, one thread.

    python benchmarks/views.py

Rounds are interleaved; figures are medians in ns with the spread (min .. max), and how many times ours the peer's is.
"""

from __future__ import annotations

import os
import statistics
import timeit
from typing import Any

import numpy as np

import tilewright as tw

NUMBER, ROUNDS = 20_000, 15
CALLS = {
    "a[3:7, None]": "a[3:7, None]",
    "a[3]": "a[3]",
    "b[1, 2]": "b[1, 2]",
    "b[..., 1:]": "b[..., 1:]",
    "a.reshape(4, 4)": "a.reshape(4, 4)",
    "a.reshape(-1, 4)": "a.reshape(-1, 4)",
    "b.T": "b.T",
    "b.swapaxes(0, 1)": "b.swapaxes(0, 1)",
    "b.diagonal()": "b.diagonal()",
    "list(b)": "list(b)",
    "a[3].item()": "a[3].item()",
    "b.tolist()": "b.tolist()",
}


def peers() -> dict[str, Any]:
    """16 elements of each library."""
    vectors: dict[str, Any] = {"tilewright": tw.as_tensor(np.arange(16.0)), "numpy": np.arange(16.0)}
    try:
        import torch
    except ImportError:
        print("without PyTorch: it is not installed")
        return vectors
    torch.set_num_threads(1)
    return vectors | {"torch": torch.arange(16.0)}


def measured(statement: str, vectors: dict[str, Any]) -> dict[str, list[float]]:
    timers = {name: timeit.Timer(statement, globals={"a": x, "b": x.reshape(4, 4)}) for name, x in vectors.items()}
    samples: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(ROUNDS):
        for name, timer in timers.items():
            samples[name].append(timer.timeit(NUMBER) / NUMBER * 1e9)
    return samples


def main() -> None:
    print(f"load {os.getloadavg()[0]:.2f}, {os.cpu_count()} CPUs")
    vectors = peers()
    for name, statement in CALLS.items():
        samples = measured(statement, vectors)
        ours = statistics.median(samples["tilewright"])
        cells = [f"{ours:6.0f} ({min(samples['tilewright']):.0f} .. {max(samples['tilewright']):.0f})"]
        cells += [f"{n} {statistics.median(s):6.0f} ({statistics.median(s) / ours:.1f}x)" for n, s in samples.items()][
            1:
        ]
        print(f"{name:18s} " + "   ".join(cells))


if __name__ == "__main__":
    main()
