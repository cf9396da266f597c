"""What all tests share."""

from __future__ import annotations

import os

import numpy as np
import pytest

os.environ.setdefault("TILEWRIGHT_CACHE", "off")  # what is tested is what compiles; test_cache.py has caches of its own


@pytest.fixture(autouse=True)
def random_numbers_do_not_depend_on_other_tests(request: pytest.FixtureRequest) -> None:
    """A module's ``RNG`` starts anew for each of its tests, whatever ran before in this process."""
    if hasattr(request.module, "RNG"):
        request.module.RNG = np.random.default_rng(29)
