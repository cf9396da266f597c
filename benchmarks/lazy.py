"""Chains of ops on large tensors: recorded (`tw.lazy`), one by one, and beside NumPy and PyTorch, on one thread.

    python benchmarks/lazy.py [--rounds N]

Prints medians in ms, interleaved, and how many times as long as the recorded chain each takes. Compiling is not timed.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import tilewright as tw

ROWS, COLUMNS = 1024, 2048


def polynomial(lib: Any, x: Any) -> Any:
    """Ten elementwise ops."""
    y = x
    for factor in (0.5, 0.25, 0.125, 0.0625, 0.03125):
        y = y * factor + x
    return y


def gelu(lib: Any, x: Any) -> Any:
    """By hand, as of tanh."""
    return 0.5 * x * (1 + lib.tanh(0.7978845608 * (x + 0.044715 * x * x * x)))


def standardise(lib: Any, x: Any) -> Any:
    """Rows of mean 0 and variance 1."""
    centred = x - x.mean(1).reshape(ROWS, 1)
    return centred / lib.sqrt((centred * centred).mean(1) + 1e-5).reshape(ROWS, 1)


def column_norms(lib: Any, x: Any) -> Any:
    """The norms of the columns of what is above 0."""
    return lib.sqrt((lib.where(x > 0, x, x * 0.1) ** 2).sum(0))


CHAINS: dict[str, Callable[[Any, Any], Any]] = {
    "x*f + x, five times": polynomial,
    "gelu by hand": gelu,
    "rows standardised": standardise,
    "norms of columns": column_norms,
}


def recorded(chain: Callable[[Any, Any], Any], x: Any) -> Any:
    """The chain in a block of ``tw.lazy``."""
    with tw.lazy():
        return chain(tw, x)


def contestants() -> dict[str, tuple[Callable[..., Any], Any]]:
    """What runs a chain, and the tensor that it runs on."""
    data = np.random.default_rng(0).standard_normal((ROWS, COLUMNS)).astype(np.float32)
    ours = tw.tensor(data)
    found: dict[str, tuple[Callable[..., Any], Any]] = {
        "lazy": (recorded, ours),
        "eager": (lambda chain, x: chain(tw, x), ours),
        "numpy": (lambda chain, x: chain(np, x), data),
    }
    try:
        import torch
    except ImportError:
        return found
    torch.set_num_threads(1)
    return {**found, "torch": (lambda chain, x: chain(torch, x), torch.tensor(data))}


def milliseconds(run: Callable[..., Any], chain: Callable[[Any, Any], Any], x: Any) -> float:
    """Of one run."""
    start = time.perf_counter()
    run(chain, x)
    return (time.perf_counter() - start) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    tw.set_threads(1)
    all_of_them = contestants()
    print(f"{'':22}" + "".join(f"{name:>16}" for name in all_of_them))
    for label, chain in CHAINS.items():
        found: dict[str, list[float]] = {name: [] for name in all_of_them}
        for round_ in range(rounds + 1):
            for name, (run, x) in all_of_them.items():
                taken = milliseconds(run, chain, x)
                if round_:
                    found[name].append(taken)
        medians = {name: statistics.median(times) for name, times in found.items()}
        print(f"{label:22}" + "".join(f"{t:8.2f} {t / medians['lazy']:6.2f}x" for t in medians.values()))


if __name__ == "__main__":
    main()
