"""Operands as tensors of one dtype, and results written into tensors."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, reduce
from typing import Any, TypeAlias

from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import Tensor, _core, promote_types, to_tensor
from tilewright.runtime.dtypes import dtype
from tilewright.stdlib import ops

Operand: TypeAlias = Any
"""A tensor, an array or a number."""


def converted(x: Any, to: dtype) -> Any:
    """``x`` in another dtype; ``x`` itself if that is its own."""
    return x if x.dtype is to else ops.get("convert")(x, _like(to))


@cache
def _like(to: dtype) -> Any:
    """A tensor without axes that stands for a dtype."""
    return _core.empty((), to)


def _category(of: dtype) -> int:
    return ("bool", "unsigned", "signed", "float").index("signed" if of.kind == "unsigned" else of.kind)


def assign(name: str, target: Any, values: Any) -> Any:
    """Writes ``values`` into ``target``, which it gives back."""
    if _category(values.dtype) > _category(target.dtype):
        message = f"{name}(): the result, of {values.dtype}, cannot be written into a tensor of {target.dtype}"
        raise CallTypeError(message, hint="assign it instead: x = x + y")
    if values.shape != target.shape:
        message = f"{name}(): the result, of shape {[*values.shape]}, cannot be written into one of {[*target.shape]}"
        raise CallError(message, hint="assign it instead: x = x + y")
    copy_into(target, values)
    return target


def coerce(value: object, name: str, operand: int) -> Tensor:
    """The tensor of an operand, counted from 0, of the function ``name``."""
    try:
        return to_tensor(value)
    except CallTypeError as error:
        raise CallTypeError(f"{name}(): operand {operand + 1}: {error.message}", hint=error.hint) from None


def copy_into(target: Any, values: Any) -> None:
    """Writes ``values``, of the same shape, into the memory of ``target``."""
    if values.dtype is target.dtype:
        ops.get("clone")(values, out=target)
    else:
        ops.get("convert")(values, _like(target.dtype), out=target)


def alike(name: str, tensors: Sequence[Operand]) -> list[Any]:
    """The tensors in one dtype."""
    if not isinstance(tensors, (tuple, list)) or not tensors:
        what = "an empty one" if isinstance(tensors, (tuple, list)) else type(tensors).__name__
        raise CallTypeError(f"{name}() takes a tuple or list of tensors, not {what}", hint=f"as in {name}((x, y))")
    given: list[Any] = [to_tensor(t) for t in tensors]
    common = reduce(promote_types, [t.dtype for t in given])
    return [converted(t, common) for t in given]


def ints(values: Any) -> tuple[int, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)
