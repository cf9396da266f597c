"""Random programs, layouts, pipelines and schedules, compiled, against the interpreter of tensor IR: exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from tilewright.testing.campaign import check_seed
from tilewright.testing.isolated import failures
from tilewright.testing.replay import replay

BATCH, FAST, ALL = 100, 2000, 4000
"""Of all programs the fast run checks those up to FAST; each batch is a test in a process of its own."""


@pytest.mark.parametrize(
    "first", [pytest.param(n, marks=() if n < FAST else pytest.mark.full) for n in range(0, ALL, BATCH)]
)
def test_campaign(first: int) -> None:
    found = failures(check_seed, [(seed,) for seed in range(first, first + BATCH)])
    assert not found, "\n\n".join(f"seed {seed}: {why}" for (seed,), why in found)


def test_what_campaigns_found_stays_mended() -> None:
    """Each file of tests/found is the shrunk program of a failure."""
    files = sorted((Path(__file__).parent / "found").glob("*.tw"))
    assert files
    found = failures(replay, [(str(f),) for f in files])
    assert not found, "\n\n".join(f"{name}: {why}" for (name,), why in found)
