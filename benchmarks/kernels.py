"""Products, convolutions and rows in f32 beside NumPy and PyTorch, interleaved, on one thread.

    python benchmarks/kernels.py [--rounds N]

Prints medians in us, what part of the measured FMA peak the products reach, and how many times as long the others take.
NumPy's BLAS chooses its kernels by itself: OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE are taken out of the environment.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import tilewright as tw
from tilewright.compiler import doctor


@dataclass
class Case:
    """One computation as each library writes it, on the same shapes; ``flops`` of a product."""

    shapes: tuple[tuple[int, ...], ...]
    ours: Callable[..., Any]
    numpy: Callable[..., Any] | None
    torch: Callable[..., Any]
    flops: float = 0.0
    found: dict[str, list[float]] = field(default_factory=dict)


def product(rows: int, inner: int, columns: int) -> Case:
    """A matrix product."""
    shapes = (rows, inner), (inner, columns)
    return Case(shapes, lambda a, b: a @ b, np.matmul, lambda a, b: a @ b, 2.0 * rows * inner * columns)


def window(x: tuple[int, ...], w: tuple[int, ...], padding: int) -> Case:
    """A convolution of two axes."""
    flops = 2.0 * x[0] * w[0] * w[1] * w[2] * w[3] * (x[2] + 2 * padding - w[2] + 1) * (x[3] + 2 * padding - w[3] + 1)
    ours, theirs = tw.ops.conv2d, lambda a, b: torch().conv2d(a, b, padding=padding)
    return Case((x, w), lambda a, b: ours(a, b, padding=padding), None, theirs, flops)


def torch() -> Any:
    """PyTorch."""
    import torch

    return torch


CASES: dict[str, Case] = {
    **{f"matmul {n}^3": product(n, n, n) for n in (32, 64, 100, 256, 333, 512, 1000, 1024)},
    "matmul 1x512x512": product(1, 512, 512),
    "matmul 32x1024x1024": product(32, 1024, 1024),
    "linear 256^3 (W[N, K])": Case(
        ((256, 256),) * 2, lambda x, w: x @ w.T, lambda x, w: x @ w.T, lambda x, w: x @ w.T, 2.0 * 256**3
    ),
    "conv2d 16->32, 3x3": window((4, 16, 32, 32), (32, 16, 3, 3), 0),
    "conv2d 3->16, padded": window((8, 3, 64, 64), (16, 3, 3, 3), 1),
    "softmax 4096x1024": Case(((4096, 1024),), lambda x: x.softmax(-1), None, lambda x: x.softmax(-1)),
    "layer norm 256x768": Case(
        ((256, 768),),
        lambda x: tw.layer_norm(x, (768,)),
        None,
        lambda x: torch().nn.functional.layer_norm(x, (768,)),
    ),
}


def microseconds(call: Callable[..., Any], operands: list[Any]) -> float:
    """Of one call, over as many as take some milliseconds."""
    start = time.perf_counter()
    call(*operands)
    count = max(1, int(0.004 / (time.perf_counter() - start)))
    start = time.perf_counter()
    for _ in range(count):
        call(*operands)
    return (time.perf_counter() - start) / count * 1e6


def contestants(case: Case, has_torch: bool) -> dict[str, tuple[Callable[..., Any], list[Any]]]:
    """What is timed, and on what."""
    rng = np.random.default_rng(0)
    arrays = [rng.standard_normal(s).astype(np.float32) for s in case.shapes]
    found: dict[str, tuple[Callable[..., Any], list[Any]]] = {"ours": (case.ours, [tw.tensor(x) for x in arrays])}
    if case.numpy is not None:
        found["numpy"] = (case.numpy, list(arrays))
    if has_torch:
        found["torch"] = (case.torch, [torch().tensor(x) for x in arrays])
    return found


def started_anew() -> None:
    """NumPy's BLAS reads its settings when it is loaded: starts the process again if they are not those."""
    wanted = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}
    wanted["OPENBLAS_NUM_THREADS"] = "1"
    if wanted != dict(os.environ):
        os.execve(sys.executable, [sys.executable, *sys.argv], wanted)


def main() -> None:
    started_anew()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    tw.set_threads(1)
    try:
        torch().set_num_threads(1)
        has_torch = True
    except ImportError:
        has_torch = False
    everyone = {name: contestants(case, has_torch) for name, case in CASES.items()}
    peaks = []
    for _ in range(rounds):
        peaks.append(doctor.flops())
        for name, case in CASES.items():
            for who, (call, operands) in everyone[name].items():
                case.found.setdefault(who, []).append(microseconds(call, operands))
    peak = statistics.median(peaks)
    print(f"FMA peak: {peak / 1e9:.1f} Gflop/s\n{'':24}{'us':>9}{'of peak':>9}{'numpy':>8}{'torch':>8}")
    for name, case in CASES.items():
        medians = {who: statistics.median(times) for who, times in case.found.items()}
        part = f"{100 * case.flops / (medians['ours'] * 1e-6) / peak:8.0f}%" if case.flops else " " * 9
        others = "".join(
            f"{medians[w] / medians['ours']:7.2f}x" if w in medians else " " * 8 for w in ("numpy", "torch")
        )
        print(f"{name:24}{medians['ours']:9.1f}{part}{others}")


if __name__ == "__main__":
    main()
