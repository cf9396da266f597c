"""What every callable op shares: how the core's reports become errors of ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn

from tilewright.errors import CallError, CallTypeError, InternalError, KernelIndexError
from tilewright.runtime import Tensor

if TYPE_CHECKING:
    from tilewright.compiler.bundle import Case


def raiser(op: str, operands: Sequence[str], form: str, case: Callable[[], Case]) -> Callable[[str, Any], NoReturn]:
    """The ``on_error`` callback of an op with these operands, which is called as ``form`` says; ``case`` is what a
    bundle says of the op."""

    def on_error(kind: str, info: Any) -> NoReturn:
        if kind == "argument":
            raise CallTypeError(info, hint=f"it is called as {form}")
        if kind == "shape":
            raise CallError(info, hint="extents are equal or 1, counted from the last axis; reshape an operand")
        if kind == "check":
            message, given = info
            raise CallError(f"{message}; called with {_shapes(operands, given)}", hint=f"it is called as {form}")
        if kind == "index":
            _, operand, position, value = info
            if operand >= len(operands):
                hint = "it follows from the data: perhaps an operand that gives a size is too small"
                raise KernelIndexError(f"{op}: a computed index is {value}, out of range", hint=hint)
            place = f"element {position} of {operands[operand]!r} (counted row by row)"
            raise KernelIndexError(
                f"{op}: {place} is the index {value}, out of range",
                hint="indices count from 0 and stay below the extent of the axis that they index",
            )
        from tilewright.compiler.bundle import reporting

        with reporting(case):
            raise InternalError(f"the runtime reports {kind!r}: {info}")

    return on_error


def _shapes(names: Sequence[str], given: Sequence[Tensor | None]) -> str:
    return ", ".join(f"{n}: {t.dtype.code}{list(t.shape)}" for n, t in zip(names, given, strict=True) if t is not None)
