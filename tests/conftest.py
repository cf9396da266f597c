"""What all tests share."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture(autouse=True)
def random_numbers_do_not_depend_on_other_tests(request: pytest.FixtureRequest) -> None:
    """A module's ``RNG`` starts anew for each of its tests, whatever ran before in this process."""
    if hasattr(request.module, "RNG"):
        request.module.RNG = np.random.default_rng(29)
