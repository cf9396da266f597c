"""Lazy tensors: ops that are recorded, and computed together when somebody looks."""

from __future__ import annotations

from contextlib import ContextDecorator, nullcontext, suppress
from types import TracebackType
from typing import Any

from tilewright.compiler.recorder import Recorder
from tilewright.errors import CallTypeError, UserError
from tilewright.runtime import Tensor, _core

__all__ = ["eval", "lazy"]


class lazy(ContextDecorator):
    """Within ``with tw.lazy():`` the ops of this Python thread are recorded and computed when somebody looks.

    Results have shapes, dtypes and views as always. What shows their elements (printing, ``item``, ``tolist``,
    ``numpy``, ``if``, ...), ``tw.eval``, or the end of the block computes all that is pending as one program; values
    that nobody can ask for any more are not computed. Results are those of the same calls outside, bit for bit. A
    program is compiled for the sizes at hand.

    Shapes, dtypes and indices that do not fit are errors of the call; indices that turn out to be out of range are
    found when they are computed, and are said as outside. Memory that is shared with others, such as NumPy's arrays, is
    not to be written to by them while calls that read it are pending.

    >>> import tilewright as tw
    >>> x = tw.arange(4.0)
    >>> with tw.lazy() as pending:
    ...     y = (x * 2.0 + 1.0).sum()
    ...     print(len(pending), y.shape)
    ...     print(y.item(), len(pending))
    3 ()
    16.0 0
    """

    def __init__(self) -> None:
        self._entered: list[tuple[Any, Recorder]] = []

    def __enter__(self) -> Recorder:
        before = _core.set_mode(None)
        recorder = before if isinstance(before, Recorder) else Recorder()
        self._entered.append((before, recorder))
        _core.set_mode(recorder)
        return recorder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        before, recorder = self._entered.pop()
        _core.set_mode(before)
        if before is not recorder:
            with suppress(UserError) if error else nullcontext():
                recorder.settle()


def eval(*tensors: Tensor) -> None:
    """Computes what is pending of ``tensors``; without any, all that is recorded in the :class:`lazy` block around.

    CallTypeError for what is no tensor; else the errors of the recorded calls.

    >>> import tilewright as tw
    >>> with tw.lazy() as pending:
    ...     y = tw.ones(3) + 1.0
    ...     tw.eval(y)
    ...     print(len(pending))
    0
    """
    for tensor in tensors:
        if not isinstance(tensor, Tensor):
            raise CallTypeError(f"eval() takes tensors, not {type(tensor).__name__}", hint="tw.eval(a, b)")
        _core.settle(tensor)
    if not tensors:
        recorder = _core.set_mode(None)
        _core.set_mode(recorder)
        if isinstance(recorder, Recorder):
            recorder.settle()
