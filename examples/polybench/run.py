"""Runs the kernels of PolyBench, written in .tw, and compares them with NumPy: ``run.py [KERNEL...]``."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from references import KERNELS, Array

import tilewright as tw

TOLERANCE = {"deriche": 1e-4}
"""Relative to the largest value; 1e-12 for the others, which are f64."""


def results(name: str, **sizes: int) -> tuple[Array, ...]:
    """What the benchmark of a kernel gives for sizes, which are attributes of it (by default the small ones)."""
    made = tw.load(Path(__file__).parent / f"{name}.tw").benchmark(**sizes)
    return tuple(map(np.asarray, made if isinstance(made, tuple) else (made,)))


def expected(name: str, **sizes: int) -> tuple[Array, ...]:
    """The same by NumPy."""
    inputs, kernel = KERNELS[name]
    found = kernel(*inputs(**sizes))
    return found if isinstance(found, tuple) else (found,)


def sizes(name: str) -> dict[str, int]:
    """The small sizes, as the text has them."""
    return dict(tw.load(Path(__file__).parent / f"{name}.tw").benchmark.signature.attributes)


def distance(name: str, given: dict[str, int]) -> float:
    """How far the results are from NumPy's, relative to the largest value."""
    largest = 0.0
    for ours, theirs in zip(results(name, **given), expected(name, **given), strict=True):
        assert ours.shape == theirs.shape
        scale = np.max(np.abs(theirs), initial=0) or 1
        largest = max(largest, float(np.max(np.abs(ours - theirs), initial=0) / scale))
    return largest


def main(names: list[str]) -> None:
    for name in names or KERNELS:
        given = sizes(name)
        far = distance(name, given)
        print(f"{name:16}{', '.join(f'{k} = {v}' for k, v in given.items()):48}{far:.1e}")
        if not far <= TOLERANCE.get(name, 1e-12):
            raise SystemExit(f"{name} is not what NumPy gives")


if __name__ == "__main__":
    main(sys.argv[1:])
