"""``make demo``: a photograph filtered and handwritten digits learnt, by ops written in .tw."""

from __future__ import annotations

from pathlib import Path

from digits import run as digits
from photo import run as photo
from threadpoolctl import threadpool_limits

if __name__ == "__main__":
    photo.main(Path("out") / "photo")
    with threadpool_limits(1, "blas"):  # NumPy's matrix products are faster on one thread at these sizes
        digits.main()
