"""The kernels of PolyBench in .tw beside NumPy: whole benchmarks, and kernels on operands of other sizes."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import tilewright as tw

FOLDER = Path(__file__).parents[1] / "examples" / "polybench"
sys.path.append(str(FOLDER))

import run as examples  # noqa: E402
from references import KERNELS  # noqa: E402

LEAST = 3


def some_sizes(name: str, count: int) -> list[dict[str, int]]:
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    return [{k: int(rng.integers(LEAST, 20)) for k in examples.sizes(name)} for _ in range(count)]


def assert_near(name: str, ours: Any, theirs: Any) -> None:
    for a, b in zip(*(x if isinstance(x, tuple) else (x,) for x in (ours, theirs)), strict=True):
        assert np.shape(a) == np.shape(b)
        bound = examples.TOLERANCE.get(name, 1e-12) * (np.max(np.abs(b), initial=0) or 1)
        np.testing.assert_allclose(a, b, rtol=0, atol=bound)


def test_each_file_has_a_reference() -> None:
    assert sorted(p.stem for p in FOLDER.glob("*.tw")) == sorted(KERNELS)


@pytest.mark.parametrize("name", KERNELS)
def test_a_benchmark_gives_what_numpy_gives(name: str) -> None:
    """At the sizes of the text, which are attributes, and at others."""
    for sizes in ({}, *some_sizes(name, 1)):
        given = {**examples.sizes(name), **sizes}
        assert_near(name, examples.results(name, **given), examples.expected(name, **given))


@pytest.mark.parametrize("target", ["cpu", "c"])
@pytest.mark.parametrize("name", KERNELS)
def test_a_kernel_takes_operands_of_any_sizes(name: str, target: str) -> None:
    inputs, reference = KERNELS[name]
    kernel = tw.load(FOLDER / f"{name}.tw", target=target).kernel
    for sizes in some_sizes(name, 4):
        operands = inputs(**sizes)
        assert_near(name, kernel(*operands), reference(*operands))
    assert kernel.misses == 1


@pytest.mark.parametrize("name", KERNELS)
def test_inputs_are_those_of_the_definition(name: str) -> None:
    (sizes,) = some_sizes(name, 1)
    made = tw.load(FOLDER / f"{name}.tw").inputs(**sizes)
    found = made if isinstance(made, tuple) else (made,)
    assert_near(name, tuple(map(np.asarray, found)), KERNELS[name][0](**sizes))
