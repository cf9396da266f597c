"""What the families ask of their operands."""

from __future__ import annotations

from operator import index
from typing import Any

from tilewright.compiler.trace import Traced
from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import to_tensor


def rank(x: Any) -> int:
    """How many axes an operand has. CallTypeError if it is none."""
    return x.rank if isinstance(x, Traced) else len(to_tensor(x).shape)


def place(op: str, dim: object, axes: int) -> int:
    """The axis that ``dim`` is among so many, negative ones counted from the end. CallError if there is none."""
    try:
        found = index(dim)  # type: ignore[arg-type]
    except TypeError:
        raise CallTypeError(f"{op}: dim is a whole number, not {dim!r}", hint="as in dim=0") from None
    if not -axes <= found < axes:
        hint = f"it is from {-axes} to {axes - 1}" if axes else "an operand without axes has none"
        raise CallError(f"{op}: there is no dim {found} among {axes}", hint=hint)
    return found % axes
