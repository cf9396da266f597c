"""What every callable op shares: how the core's reports become errors of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from tilewright.errors import CallError, CallTypeError, InternalError, KernelIndexError


def raiser(op: str, operands: Sequence[str], form: str) -> Callable[[str, Any], NoReturn]:
    """The ``on_error`` callback of an op with these operands, which is called as ``form`` says."""

    def on_error(kind: str, info: Any) -> NoReturn:
        if kind == "argument":
            raise CallTypeError(info, hint=f"it is called as {form}")
        if kind == "check":
            raise CallError(f"{op}: {info}")
        if kind == "index":
            _, operand, position, value = info
            raise KernelIndexError(
                f"{op}: element {position} of {operands[operand]!r} (counted row by row) is the index {value}, out of range",
                hint="indices count from 0 and stay below the extent of the axis that they index",
            )
        raise InternalError(f"the runtime reports {kind!r}: {info}")

    return on_error
