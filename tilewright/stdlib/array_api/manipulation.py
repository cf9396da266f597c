"""Shapes and places: the standard's chapters on manipulation and indexing functions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tilewright.errors import CallError, CallIndexError
from tilewright.runtime import Tensor
from tilewright.runtime.dtypes import int64
from tilewright.stdlib.array_api.dtypes import together
from tilewright.stdlib.tensor import creation, functions, views
from tilewright.stdlib.tensor.views import moveaxis

__all__ = [
    "broadcast_arrays", "broadcast_to", "concat", "expand_dims", "flip", "moveaxis", "permute_dims", "repeat",
    "reshape", "roll", "squeeze", "stack", "take", "take_along_axis", "tile", "unstack",
]  # fmt: skip

_get = functions.get


def broadcast_to(x: Tensor, /, shape: Sequence[int]) -> Tensor:
    """A view of another shape: axes are added in front, those of extent 1 stretched."""
    return x.broadcast_to(tuple(shape))


def broadcast_arrays(*arrays: Tensor) -> list[Tensor]:
    """Views of one shape."""
    return list(views.broadcast_tensors(*arrays))


def concat(arrays: Sequence[Tensor], /, *, axis: int | None = 0) -> Any:
    """The arrays one after the other along ``axis``; if it is None, their elements."""
    if axis is None:
        arrays, axis = [a.reshape(-1) for a in arrays], 0
    return _get("cat")(together("concat", *arrays), axis)


def stack(arrays: Sequence[Tensor], /, *, axis: int = 0) -> Any:
    """The arrays, of one shape, side by side along a new axis."""
    return _get("stack")(together("stack", *arrays), axis)


def unstack(x: Tensor, /, *, axis: int = 0) -> tuple[Tensor, ...]:
    """The parts of ``x`` along ``axis``, without it."""
    return tuple(x.unbind(axis))


def expand_dims(x: Tensor, /, axis: int | tuple[int, ...] = 0) -> Tensor:
    """A view with new axes of extent 1 at these places."""
    axes = (axis,) if isinstance(axis, int) else axis
    rank = x.ndim + len(axes)
    if any(not -rank <= a < rank for a in axes):
        raise CallIndexError(f"expand_dims(): there is no axis {axis} among {rank}")
    for a in sorted(a % rank for a in axes):
        x = x.unsqueeze(a)
    return x


def squeeze(x: Tensor, /, axis: int | tuple[int, ...]) -> Tensor:
    """A view without these axes, which have the extent 1. CallError if one has not."""
    axes = (axis,) if isinstance(axis, int) else axis
    for a in axes:
        if -x.ndim <= a < x.ndim and x.shape[a] != 1:
            raise CallError(f"squeeze(): axis {a} has the extent {x.shape[a]}, not 1")
    return x.squeeze(tuple(axes))


def permute_dims(x: Tensor, /, axes: Sequence[int]) -> Tensor:
    """A view with its axes in another order."""
    return x.permute(tuple(axes))


def reshape(x: Tensor, /, shape: Sequence[int], *, copy: bool | None = None) -> Any:
    """The elements, row by row, in another shape; with ``copy=False`` CallError where that is no view."""
    made: Any = x.reshape(tuple(shape))
    shared = made.numel() == 0 or made.data_ptr() == x.data_ptr()
    if copy is False and not shared:
        raise CallError("reshape(): this needs a copy", hint="leave copy=False out")
    return made.clone() if copy and shared else made


def flip(x: Tensor, /, *, axis: int | tuple[int, ...] | None = None) -> Any:
    """The order along ``axis``, or along all axes, turned round."""
    return _get("flip")(x, tuple(range(x.ndim)) if axis is None else axis)


def roll(x: Tensor, /, shift: Any, *, axis: Any = None) -> Any:
    """``x`` moved on by ``shift`` along ``axis``; what falls off comes in again."""
    if isinstance(axis, tuple) and isinstance(shift, int):
        shift = (shift,) * len(axis)
    return _get("roll")(x, shift, axis)


def repeat(x: Tensor, repeats: Any, /, *, axis: int | None = None) -> Any:
    """Each element ``repeats`` times in a row; an array says how often each one is."""
    source = x.reshape(-1) if axis is None else x
    along = axis or 0
    if isinstance(repeats, int):
        return _get("repeat_interleave")(source, repeats, along) if repeats else source.narrow(along, 0, 0)
    places = [n for n, times in enumerate(repeats.expand((source.shape[along],)).tolist()) for _ in range(times)]
    return take(source, creation.tensor(places, dtype=int64), axis=along)


def tile(x: Tensor, repetitions: tuple[int, ...], /) -> Any:
    """``x`` put side by side."""
    return _get("tile")(x, tuple(repetitions))


def take(x: Tensor, indices: Tensor, /, *, axis: int | None = None) -> Any:
    """The parts of ``x`` along ``axis`` that ``indices`` name."""
    if axis is None and x.ndim != 1:
        raise CallError(f"take(): an axis is needed for {x.ndim} axes", hint="as in axis=0")
    place = (axis or 0) % max(x.ndim, 1)
    return x[(slice(None),) * place + (indices,)]


def take_along_axis(x: Tensor, indices: Tensor, /, *, axis: int = -1) -> Any:
    """The elements along ``axis`` that ``indices``, which is broadcast with ``x`` but there, name."""
    place = axis % x.ndim
    shapes = [list(a.shape) for a in (x, indices)]
    for shape in shapes:
        shape[place] = 1
    common = list(views.broadcast_shapes(*map(tuple, shapes)))
    full = [tuple(common[:place] + [a.shape[place]] + common[place + 1 :]) for a in (x, indices)]
    places = _get("where")(_get("lt")(indices, 0), _get("add")(indices, x.shape[place]), indices)
    return _get("take_along_dim")(x.expand(full[0]), places.expand(full[1]), place)
