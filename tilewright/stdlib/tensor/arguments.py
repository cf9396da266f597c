"""What the arguments of the functions that make tensors may be."""

from __future__ import annotations

import math
from operator import index
from typing import Any, TypeAlias

from tilewright.errors import CallError, CallTypeError, UnsupportedError
from tilewright.runtime import Tensor, to_tensor
from tilewright.runtime.dtypes import dtype
from tilewright.stdlib.tensor import devices

Number: TypeAlias = bool | int | float

_MOST = 2**63 - 1
_PRECISION = {"f16": 11, "bf16": 8, "f32": 24, "f64": 53}


def placed(device: Any, requires_grad: bool) -> None:
    """Checks the arguments that all functions share."""
    devices.checked(device)
    if flag("requires_grad", requires_grad):
        raise UnsupportedError("tensors keep no gradients yet", hint="leave requires_grad out")


def wanted(given: dtype | None, otherwise: dtype) -> dtype:
    """The dtype that is given, or ``otherwise``."""
    if given is not None and not isinstance(given, dtype):
        raise CallTypeError(f"dtype={given!r} is no dtype", hint="as in dtype=tw.float32")
    return otherwise if given is None else given


def flag(name: str, given: bool) -> bool:
    """What is True or False."""
    if not isinstance(given, bool):
        raise CallTypeError(f"{name}={given!r} is neither True nor False", hint=f"as in {name}=False")
    return given


def source(name: str, value: Any, argument: str = "input") -> Tensor:
    """The tensor that a function ``name`` takes as an argument."""
    try:
        return to_tensor(value)
    except CallTypeError as error:
        raise CallTypeError(f"{name}(): {argument}: {error.message}", hint=error.hint) from None


# --- numbers --------------------------------------------------------------------------------


def integer(what: str, value: Any) -> int:
    """A whole number of Python, of NumPy or in a tensor without axes; no bool."""
    try:
        found = None if isinstance(value, bool) else index(value)
    except TypeError:
        found = None
    if found is None:
        raise CallTypeError(f"{what} {value!r} is no whole number", hint="ints are taken: int(x) truncates a float")
    return found


def whole(what: str, value: Any) -> int:
    """A whole number of 64 bits."""
    found = integer(what, value)
    if not -_MOST <= found <= _MOST:
        raise CallError(f"{what} {found} has more than 64 bits", hint=f"{_MOST} is the most")
    return found


def extent(name: str, value: Any) -> int:
    """How many elements an axis has."""
    if type(value) is int and 0 <= value <= _MOST:
        return value
    found = whole(f"{name}(): the extent", value)
    if found < 0:
        raise CallError(f"{name}(): the extent {found} is negative", hint="extents are 0 or more")
    return found


def dims(name: str, extents: tuple[Any, ...], size: Any = None) -> tuple[int, ...]:
    """The extents that are given one by one or as a sequence, or the latter by its name."""
    if size is not None:
        if extents:
            raise CallTypeError(f"{name}(): {extents} and size={size!r} are given", hint="leave one of them out")
        extents = (size,)
    given = extents[0] if len(extents) == 1 and isinstance(extents[0], (tuple, list)) else extents
    return tuple(extent(name, e) for e in given)


def number(name: str, argument: str, value: Any) -> Number:
    """A number of Python, of NumPy or in a tensor without axes, as Python has it."""
    if type(value) in (int, float, bool):
        return value  # type: ignore[no-any-return]
    found = value.item() if hasattr(value, "item") and getattr(value, "ndim", 1) == 0 else value
    if not isinstance(found, (bool, int, float)):
        raise CallTypeError(f"{name}(): {argument}={value!r} is no number", hint=f"as in {argument}=1")
    return found


def real(name: str, argument: str, value: Any) -> float:
    """A number as a float."""
    try:
        return float(number(name, argument, value))
    except OverflowError:
        raise CallError(f"{name}(): {argument} is too large for a float", hint="float('inf') may do") from None


def finite(name: str, **given: Any) -> list[Number]:
    """Ints if all are, else finite floats."""
    found = {argument: number(name, argument, value) for argument, value in given.items()}
    if all(isinstance(v, int) for v in found.values()):
        return [*found.values()]
    floats = {argument: real(name, argument, value) for argument, value in found.items()}
    for argument, value in floats.items():
        if not math.isfinite(value):
            raise CallError(f"{name}(): {argument}={value} is not finite", hint="there would be no end")
    return [*floats.values()]


# --- numbers in dtypes ----------------------------------------------------------------------


def span(of: dtype) -> tuple[int, int]:
    """The least and the greatest value of integers and bools; between which all whole numbers are among floats."""
    if of.is_floating_point:
        return -(1 << _PRECISION[of.code]), 1 << _PRECISION[of.code]
    bits = 1 if of.kind == "bool" else 8 * of.itemsize
    low = -(1 << bits - 1) if of.is_signed else 0
    return low, low + (1 << bits) - 1


def cell(name: str, argument: str, value: Any, to: dtype) -> Number:
    """A number as an element of ``to``, truncated where that is whole. CallError where it does not fit."""
    given = number(name, argument, value)
    if to.kind == "bool":
        return bool(given)
    if to.is_floating_point:
        return real(name, argument, given)
    fit(f"{name}(): {argument}={given}", given, to)
    return int(given)


def fit(what: str, value: Number, to: dtype) -> None:
    """CallError unless a number, truncated, is one of the integers of ``to``."""
    low, high = span(to)
    if not low - 1 < value < high + 1:
        raise CallError(f"{what} does not fit into {to}", hint=f"it takes {low} to {high}: choose another dtype")
