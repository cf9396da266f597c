"""Functions that put elements elsewhere: in another order, several times, beside those of other tensors."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import Any

from tilewright.errors import CallError
from tilewright.runtime import Tensor, to_tensor
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import table
from tilewright.stdlib.tensor.conversion import Operand, alike, ints

__all__ = ["cat", "flip", "hstack", "one_hot", "repeat_interleave", "roll", "stack", "tile", "vstack"]


def flip(input: Operand, *dims: Any) -> Tensor:
    """``input`` with the order along ``dims``, ints or one tuple, turned round.

    A copy of the same shape and dtype, any. CallIndexError for axes that there are not.

    >>> import tilewright as tw
    >>> tw.flip(tw.arange(4).reshape(2, 2), 0).tolist()
    [[2, 3], [0, 1]]
    """
    x: Tensor = to_tensor(input)
    for dim in ints(dims[0]) if len(dims) == 1 else dims:
        x = table.get("flip")(x, dim)
    return x


def roll(input: Operand, shifts: Any, dims: Any = None) -> Tensor:
    """``input`` moved on by ``shifts`` along ``dims``, or as one row; what falls off comes in again at the start.

    A copy of the same shape and dtype, any. CallError unless there is one shift per axis, CallIndexError for axes that
    there are not.

    >>> import tilewright as tw
    >>> tw.roll(tw.arange(4), 1).tolist(), tw.roll(tw.arange(4).reshape(2, 2), 1, 0).tolist()
    ([3, 0, 1, 2], [[2, 3], [0, 1]])
    """
    x: Tensor = to_tensor(input)
    if dims is None:
        rolled: Tensor = table.get("roll")(x.reshape(-1), shifts, 0).reshape(x.shape)
        return rolled
    if len(ints(shifts)) != len(ints(dims)):
        raise CallError(f"roll(): {shifts!r} shifts for the dims {dims!r}", hint="one shift per dim")
    for shift, dim in zip(ints(shifts), ints(dims), strict=True):
        x = table.get("roll")(x, shift, dim)
    return x


def repeat_interleave(input: Operand, repeats: int, dim: int | None = None) -> Tensor:
    """Each element ``repeats`` times in a row, along ``dim`` or of all elements.

    The axis is ``repeats`` times as long, or there is one axis; any dtype, which stays. CheckError for fewer than 1,
    CallIndexError for a ``dim`` that there is not.

    >>> import tilewright as tw
    >>> tw.repeat_interleave(tw.tensor([[1, 2]]), 2, 1).tolist()
    [[1, 1, 2, 2]]
    """
    x: Tensor = to_tensor(input)
    result: Tensor = table.get("repeat_interleave")(x.reshape(-1) if dim is None else x, dim or 0, repeats)
    return result


def tile(input: Operand, *dims: Any) -> Tensor:
    """``input`` put side by side ``dims[a]`` times along axis ``a``, counted from the last; axes of 1 are added in
    front.

    ``dims`` are ints or one tuple; each axis is as many times as long; any dtype, which stays. CallTypeError for what
    is no tensor.

    >>> import tilewright as tw
    >>> tw.tile(tw.tensor([1, 2]), (2, 2)).tolist()
    [[1, 2, 1, 2], [1, 2, 1, 2]]
    """
    x: Tensor = to_tensor(input)
    counts = ints(dims[0]) if len(dims) == 1 else dims
    x = x.reshape((1,) * builtins.max(len(counts) - len(x.shape), 0) + tuple(x.shape))
    for axis, count in enumerate(reversed(counts), 1):
        if count != 1:
            x = table.get("tile")(x, -axis, count)
    return x


def cat(tensors: Sequence[Operand], dim: int = 0) -> Tensor:
    """The tensors one after the other along ``dim``, in the dtype that all of them fit into.

    Their shapes differ along ``dim`` at most. CallError for other shapes and a ``dim`` that there is not, CallTypeError
    for no tensors.

    >>> import tilewright as tw
    >>> tw.cat([tw.zeros(1, 2), tw.tensor([[1, 2]])]).tolist()
    [[0.0, 0.0], [1.0, 2.0]]
    """
    result: Tensor = ops.concat(alike("cat", tensors), dim)
    return result


def stack(tensors: Sequence[Operand], dim: int = 0) -> Tensor:
    """The tensors, of one shape, side by side along a new axis ``dim``, in the dtype that all of them fit into.

    CallError for other shapes and a ``dim`` that there is not, CallTypeError for no tensors.

    >>> import tilewright as tw
    >>> tw.stack([tw.tensor([1, 2]), tw.tensor([3, 4])], 1).tolist()
    [[1, 3], [2, 4]]
    """
    result: Tensor = ops.stack(alike("stack", tensors), dim)
    return result


def vstack(tensors: Sequence[Operand]) -> Tensor:
    """The tensors one after the other along the first axis; those of one axis are rows. Dtypes and errors as in
    :func:`cat`.

    >>> import tilewright as tw
    >>> tw.vstack((tw.tensor([1, 2]), tw.tensor([3, 4]))).tolist()
    [[1, 2], [3, 4]]
    """
    return cat([t if len(t.shape) > 1 else t.reshape(1, -1) for t in alike("vstack", tensors)])


def hstack(tensors: Sequence[Operand]) -> Tensor:
    """The tensors one after the other along the second axis, those of one axis along it. Dtypes and errors as in
    :func:`cat`.

    >>> import tilewright as tw
    >>> tw.hstack((tw.tensor([1, 2]), tw.tensor([3]))).tolist()
    [1, 2, 3]
    """
    given = [t if t.shape else t.reshape(1) for t in alike("hstack", tensors)]
    return cat(given, 0 if len(given[0].shape) == 1 else 1)


def one_hot(input: Operand, num_classes: int = -1) -> Tensor:
    """A new last axis of ``num_classes``, 1 where its number is the element of ``input``, else 0.

    ``input`` is of int32 or int64 and any shape, the result of int64; -1 classes are as many as the greatest element
    asks for. An element that is no class has no 1. CallTypeError for other dtypes, CallError for -1 classes of no
    elements.

    >>> import tilewright as tw
    >>> tw.one_hot(tw.tensor([0, 2])).tolist()
    [[1, 0, 0], [0, 0, 1]]
    """
    x: Tensor = to_tensor(input)
    count = int(table.get("amax")(x).item()) + 1 if num_classes == -1 else num_classes
    result: Tensor = table.get("one_hot")(x, count)
    return result
