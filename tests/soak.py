"""Random calls of ops and eager tensors for a while: nothing that the process or the cache holds may grow.

    python tests/soak.py [--seconds N] [--out FOLDER]

Writes ``soak.csv`` (seconds, RSS, memory in use and kept, bytes of the cache on disk) and ``soak.svg``; judges the last
third beside the middle one. Sizes, layouts and dtypes are random, so that new programs are met for a while at first.
"""

from __future__ import annotations

import argparse
import csv
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

import tilewright as tw

DTYPES = (tw.float32, tw.float64, tw.float16, tw.int32, tw.int64)
POINTWISE = ("add", "mul", "sub", "maximum")
ALLOWED = 1.03


def tensor(rng: np.random.Generator) -> Any:
    """A tensor of random rank, size, dtype and layout."""
    shape = tuple(int(n) for n in rng.integers(0, 40, rng.integers(1, 4)))
    made: Any = tw.randint(-5, 6, shape, dtype=DTYPES[rng.integers(len(DTYPES))])
    if rng.random() < 0.3:
        made = made.permute(tuple(int(a) for a in rng.permutation(made.ndim)))
    return made[..., :: int(rng.integers(1, 3))] if rng.random() < 0.3 else made


def step(rng: np.random.Generator) -> None:
    """A handful of calls; what they give is let go."""
    x = tensor(rng)
    getattr(tw, POINTWISE[rng.integers(len(POINTWISE))])(x, x + 1)
    x.sum(int(rng.integers(x.ndim)), keepdim=True)
    x.add_(1)
    if x.dtype.is_floating_point:
        x.softmax(-1), x.exp().mean()
    if x.numel():
        x[x > 0] = 0
        x[[0, -1]], repr(x), x.max(0)
    rows: Any = tw.rand(int(rng.integers(1, 64)), int(rng.integers(1, 64)))
    rows @ rows.T
    with tw.lazy():  # programs are for the sizes at hand: of few sizes
        recorded: Any = tw.rand(8 * int(rng.integers(1, 5)), 16)
        kept = (recorded * 2 + x.shape[0]).softmax(-1)
        recorded.add_(1)
        bool((kept.sum() > 0).item())
    wrongs: list[Callable[[], Any]] = [lambda: x.sum(9), lambda: tw.zeros(40) + tw.zeros(41), lambda: rows[[99]]]
    for wrong in wrongs:
        try:
            wrong()
        except tw.TilewrightError:
            continue
        raise SystemExit("a wrong call raises nothing")


def measured(start: float) -> tuple[float, int, int, int, int]:
    """Seconds, and bytes: resident, in use, kept, on disk."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    memory = tw.memory.stats()
    return time.monotonic() - start, 4096 * pages, memory.in_use, memory.cached + memory.scratch, tw.cache.stats().bytes


def plot(rows: list[tuple[float, int, int, int, int]], to: Path) -> None:
    """A line per column, each in parts of its greatest value."""
    lines = []
    for column, (name, colour) in enumerate(
        (("RSS", "black"), ("in use", "green"), ("kept", "blue"), ("cache", "red")), 1
    ):
        top = max(r[column] for r in rows) or 1
        points = " ".join(f"{800 * r[0] / rows[-1][0]:.1f},{190 - 180 * r[column] / top:.1f}" for r in rows)
        lines.append(f'<polyline points="{points}" fill="none" stroke="{colour}"/>')
        lines.append(f'<text x="{10 + 190 * (column - 1)}" y="215" fill="{colour}">{name}: {top / 1e6:.1f} MB</text>')
    to.write_text(f'<svg xmlns="http://www.w3.org/2000/svg" width="800" height="220">{"".join(lines)}</svg>\n')


def main() -> None:
    """The cache is one of its own."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ["TILEWRIGHT_CACHE"] = folder
        soak()


def soak() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--out", type=Path, default=Path("."))
    arguments = parser.parse_args()
    rng, start, steps = np.random.default_rng(0), time.monotonic(), 0
    rows = [measured(start)]
    while rows[-1][0] < arguments.seconds:
        step(rng)
        steps += 1
        if time.monotonic() - start > rows[-1][0] + arguments.seconds / 600:
            rows.append(measured(start))
    with open(arguments.out / "soak.csv", "w", newline="") as file:
        csv.writer(file).writerows([("seconds", "rss", "in use", "kept", "cache"), *rows])
    plot(rows, arguments.out / "soak.svg")
    third, growing = len(rows) // 3, list[str]()
    for column, name in enumerate(("RSS", "in use", "kept", "cache"), 1):
        middle, last = (statistics.median(r[column] for r in part) for part in (rows[third : 2 * third], rows[-third:]))
        grows = last > ALLOWED * middle
        growing += [name] if grows else []
        print(f"{name:7} {middle / 1e6:8.1f} MB, then {last / 1e6:8.1f} MB: {'GROWS' if grows else 'steady'}")
    print(f"{steps} steps in {rows[-1][0]:.0f} s")
    raise SystemExit(1 if growing else 0)


if __name__ == "__main__":
    main()
