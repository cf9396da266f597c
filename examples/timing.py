"""Timing an op beside NumPy doing the same."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any


def seconds(run: Callable[[], Any]) -> float:
    """How long one call of ``run`` takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def beside_numpy(name: str, op: Callable[[], Any], numpy: Callable[[], Any], repeats: int) -> None:
    """Prints the medians of ``repeats`` calls of both, taken in turns after a first one, and their ratio."""
    op(), numpy()
    pairs = [(seconds(op), seconds(numpy)) for _ in range(repeats)]
    ours, theirs = (median(column) * 1e3 for column in zip(*pairs, strict=True))
    print(f"  {name:<14} {ours:9.3f} ms   NumPy {theirs:9.3f} ms   {theirs / ours:6.2f} x")
