"""``tw.op`` and ``tw.load``: ops of a user's source, which may call shipped ones."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from tilewright.compiler import op as compiler
from tilewright.compiler.op import Op
from tilewright.stdlib.ops import definition


def op(source: str, *, target: str = "cpu", level: str | None = None) -> Op:
    """The op that ``source`` defines. Its first call for each combination of dtypes and layouts compiles.

    It may call shipped ops. Raises UserError (with place and remedy) for a wrong program, or for a text with more
    than one op.

    >>> import numpy as np, tilewright as tw
    >>> best = tw.op("op best(x: f32[N, C]) -> y: f32[N]:\\n    p = softmax(x)\\n    y[n] = max[c](p[n, c])")
    >>> best(np.zeros((2, 4), np.float32))
    array([0.25, 0.25], dtype=float32)
    """
    return compiler.op(source, target=target, level=level, shared=definition)


def load(path: str | Path, *, target: str = "cpu", level: str | None = None) -> SimpleNamespace:
    """The ops of a ``.tw`` file as attributes; they may call each other and shipped ones."""
    return compiler.load(path, target=target, level=level, shared=definition)
