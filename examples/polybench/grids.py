"""Arrays by formula."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]


def grid(function: Callable[..., Any], *shape: int) -> Array:
    """The array whose element at (i, j, ...) is ``function(i, j, ...)``."""
    found = np.fromfunction(np.vectorize(function, otypes=[float]), shape, dtype=int) if 0 not in shape else 0.0
    return np.broadcast_to(found, shape).astype(np.float64)
