"""Whether the compiler checks what it compiles."""

from __future__ import annotations

from types import TracebackType

from tilewright.errors import UserError

MODES = ("off", "each-pass")

_mode = ["off"]


class verify:
    """From now on the compiler checks everything that it compiles: ``tw.verify("each-pass")``; ``"off"``: nothing.

    Every pass, stage and step, and the code itself, is compared with what the interpreters say on small operands. A
    difference raises InternalError with the name of the pass and a small program that shows it. As a context manager
    it holds inside only. It is a setting of the process; ops that have been compiled are not compiled again.

    >>> import numpy as np, tilewright as tw
    >>> double = tw.op("op double(x: f32[N]) -> y: f32[N]:\\n    y[i] = x[i] + x[i]")
    >>> with tw.verify("each-pass"):
    ...     double(np.ones(3, np.float32))
    array([2., 2., 2.], dtype=float32)
    """

    def __init__(self, mode: str) -> None:
        if mode not in MODES:
            raise UserError(f"unknown mode {mode!r}", hint=f"one of {', '.join(MODES)}")
        self._before = _mode[0]
        _mode[0] = mode

    def __enter__(self) -> verify:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _mode[0] = self._before


def mode() -> str:
    """What :class:`verify` set last."""
    return _mode[0]
