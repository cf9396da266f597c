"""New tensors of numbers in order, and of ones in order, under PyTorch's names."""

from __future__ import annotations

import math
from typing import Any

from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import Tensor, _core
from tilewright.runtime.dtypes import bool_, dtype, float64, int64
from tilewright.stdlib import ops
from tilewright.stdlib.tensor.arguments import Number, extent, finite, fit, placed, real, wanted, whole
from tilewright.stdlib.tensor.conversion import converted
from tilewright.stdlib.tensor.creation import get_default_dtype
from tilewright.stdlib.tensor.indexing import nonzero

__all__ = ["arange", "eye", "linspace", "logspace", "tril_indices", "triu_indices"]


def arange(
    start: Number | None = None,
    end: Number | None = None,
    step: Number = 1,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``start, start + step, ...`` below ``end`` (above it for a negative step); ``arange(end)`` starts from 0. One
    axis.

    int64 if all is whole, else the default dtype, unless one is given; computed in float64 or int64. CallTypeError for
    what is no number and for bools, CallError for a step of 0 or that leads away, for numbers that are not finite, and
    for those that do not fit into an integer dtype or are not whole there.

    >>> import tilewright as tw
    >>> tw.arange(1, 2, 0.25).tolist(), tw.arange(3).tolist()
    ([1.0, 1.25, 1.5, 1.75], [0, 1, 2])
    """
    placed(device, requires_grad)
    alone = end is None
    ends = {"start": 0, "end": start} if alone else {"start": 0 if start is None else start, "end": end}
    first, last, stride = finite("arange", **ends, step=step)
    if alone and stride != 1:
        raise CallTypeError(f"arange(): a step of {step}, and no end", hint=f"as in tw.arange(0, {last}, {stride})")
    to = _of_numbers("arange", wanted(dtype, int64 if isinstance(first, int) else get_default_dtype()))
    made = _core.empty((_count(first, last, stride),), to)
    if to.is_floating_point:
        return ops.get("arange")(made, start=float(first), step=float(stride), out=made)  # type: ignore[no-any-return]
    if first % 1 or stride % 1:
        message = f"arange(): {first}, {first + stride}, ... are no whole numbers, as in {to}"
        raise CallError(message, hint="tw.arange(...).to(dtype) truncates them")
    for value in (first, first + max(made.numel() - 1, 0) * int(stride)):
        fit(f"arange(): the element {value}", value, to)
    return ops.get("arange_whole")(made, start=int(first), step=int(stride), out=made)  # type: ignore[no-any-return]


def _count(start: Number, end: Number, step: Number) -> int:
    """How many numbers there are from ``start`` on before ``end``."""
    if step == 0:
        raise CallError("arange(): the step is 0", hint="it is above or below 0")
    if (end > start) if step < 0 else (end < start):
        raise CallError(f"arange(): a step of {step} does not lead from {start} to {end}", hint="turn its sign")
    if isinstance(step, int):
        return extent("arange", -((start - end) // step))
    steps = (end - start) / step
    if math.isinf(steps):
        raise CallError(f"arange(): {start} to {end} in steps of {step} are too many", hint="make the step larger")
    return extent("arange", math.ceil(steps))


def _of_numbers(name: str, to: dtype) -> dtype:
    if to is bool_:
        raise CallTypeError(f"{name}() has no bools", hint=f"tw.{name}(...) > 0 makes some")
    return to


def linspace(
    start: Number,
    end: Number,
    steps: int,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``steps`` numbers evenly from ``start`` to ``end``, both included: one axis, of the default dtype unless one is
    given.

    Computed in float64, in integers truncated. CallTypeError for what is no number and for bools, CallError for ends
    that do not fit into an integer dtype and a negative number of steps.

    >>> import tilewright as tw
    >>> tw.linspace(0, 1, 5).tolist()
    [0.0, 0.25, 0.5, 0.75, 1.0]
    """
    placed(device, requires_grad)
    made = _core.empty((extent("linspace", steps),), _of_numbers("linspace", wanted(dtype, get_default_dtype())))
    ends = {name: real("linspace", name, value) for name, value in (("start", start), ("end", end))}
    if not made.dtype.is_floating_point:
        for name, value in ends.items():
            fit(f"linspace(): {name}={value}", value, made.dtype)
    return ops.get("linspace")(made, **ends, out=made)  # type: ignore[no-any-return]


def logspace(
    start: Number,
    end: Number,
    steps: int,
    base: float = 10.0,
    *,
    dtype: dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """``base`` to the powers of :func:`linspace`: one axis, of the default dtype unless one is given; computed in
    float64.

    CallTypeError for what is no number and for bools, CallError for a negative number of steps.

    >>> import tilewright as tw
    >>> tw.logspace(0, 2, 3, base=2.0).tolist()
    [1.0, 2.0, 4.0]
    """
    placed(device, requires_grad)
    to = _of_numbers("logspace", wanted(dtype, get_default_dtype()))
    made = _core.empty((extent("logspace", steps),), to if to.is_floating_point else float64)
    scalars = (("start", start), ("end", end), ("base", base))
    given = {name: real("logspace", name, value) for name, value in scalars}
    return converted(ops.get("logspace")(made, **given, out=made), to)  # type: ignore[no-any-return]


def eye(
    n: int, m: int | None = None, *, dtype: dtype | None = None, device: Any = None, requires_grad: bool = False
) -> Tensor:
    """The matrix of ``n`` rows and ``m`` (``n``) columns with ones where row and column are equal, else zeros.

    Of the default dtype unless one is given. CallError for negative extents, CallTypeError for what is no int.

    >>> import tilewright as tw
    >>> tw.eye(2).tolist()
    [[1.0, 0.0], [0.0, 1.0]]
    """
    placed(device, requires_grad)
    shape = extent("eye", n), extent("eye", n if m is None else m)
    made = _core.empty(shape, wanted(dtype, get_default_dtype()))
    return ops.get("eye")(made, out=made)  # type: ignore[no-any-return]


def _triangle(name: str, row: int, col: int, offset: int, lower: bool, to: dtype | None, device: Any) -> Tensor:
    placed(device, False)
    diagonal = whole(f"{name}(): offset", offset)
    columns: Any = arange(extent(name, col))
    right: Any = columns - arange(extent(name, row)).reshape(-1, 1)
    kept = right <= diagonal if lower else right >= diagonal
    return converted(nonzero(kept).T.contiguous(), wanted(to, int64))  # type: ignore[no-any-return]


def tril_indices(row: int, col: int, offset: int = 0, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """The places of a matrix on and below its diagonal ``offset``, row by row: an int64 tensor ``[2, n]``.

    CallError for negative extents, CallTypeError for what is no int.

    >>> import tilewright as tw
    >>> tw.tril_indices(2, 2).tolist()
    [[0, 1, 1], [0, 0, 1]]
    """
    return _triangle("tril_indices", row, col, offset, True, dtype, device)


def triu_indices(row: int, col: int, offset: int = 0, *, dtype: dtype | None = None, device: Any = None) -> Tensor:
    """The places of a matrix on and above its diagonal ``offset``, row by row: an int64 tensor ``[2, n]``.

    CallError for negative extents, CallTypeError for what is no int.

    >>> import tilewright as tw
    >>> tw.triu_indices(2, 2).tolist()
    [[0, 0, 1], [0, 1, 1]]
    """
    return _triangle("triu_indices", row, col, offset, False, dtype, device)
