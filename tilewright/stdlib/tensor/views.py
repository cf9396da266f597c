"""Views as functions: ``tw.permute(x, (1, 0))`` is ``x.permute((1, 0))``; and those that take several tensors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

from tilewright.errors import CallError, CallTypeError
from tilewright.runtime import Tensor

__all__ = [
    "as_strided", "atleast_1d", "atleast_2d", "atleast_3d", "broadcast_shapes", "broadcast_tensors", "broadcast_to",
    "chunk", "diagonal", "dsplit", "flatten", "hsplit", "meshgrid", "moveaxis", "movedim", "narrow", "numel",
    "permute", "ravel", "reshape", "select", "split", "squeeze", "swapaxes", "swapdims", "t", "tensor_split",
    "transpose", "unbind", "unflatten", "unfold", "unsqueeze", "vsplit",
]  # fmt: skip

as_strided = Tensor.as_strided
broadcast_to = Tensor.broadcast_to
chunk = Tensor.chunk
diagonal = Tensor.diagonal
flatten = Tensor.flatten
moveaxis = Tensor.moveaxis
movedim = Tensor.movedim
narrow = Tensor.narrow
numel = Tensor.numel
permute = Tensor.permute
ravel = Tensor.ravel
reshape = Tensor.reshape
select = Tensor.select
split = Tensor.split
squeeze = Tensor.squeeze
swapaxes = Tensor.swapaxes
swapdims = Tensor.swapdims
t = Tensor.t
tensor_split = Tensor.tensor_split
transpose = Tensor.transpose
unbind = Tensor.unbind
unflatten = Tensor.unflatten
unfold = Tensor.unfold
unsqueeze = Tensor.unsqueeze


# --- broadcasting


def broadcast_shapes(*shapes: int | Sequence[int]) -> tuple[int, ...]:
    """The shape that all shapes broadcast to; an int is a shape of one axis.

    Counted from the last axis, extents are equal or 1; CallError where they are not.

    >>> import tilewright as tw
    >>> tw.broadcast_shapes((2, 1), (3,), (4, 1, 1))
    (4, 2, 3)
    """
    return _broadcast("broadcast_shapes", [(shape,) if isinstance(shape, int) else tuple(shape) for shape in shapes])


def _broadcast(name: str, whole: list[tuple[int, ...]]) -> tuple[int, ...]:
    rank = max(map(len, whole), default=0)
    padded = [(1,) * (rank - len(shape)) + shape for shape in whole]
    return tuple(_common(name, extents, whole) for extents in zip(*padded, strict=True))


def _common(name: str, extents: tuple[int, ...], shapes: list[tuple[int, ...]]) -> int:
    others = {n for n in extents if n != 1}
    if len(others) > 1 or min(extents) < 0:
        listed = ", ".join(str(list(shape)) for shape in shapes)
        hint = "extents are equal or 1, counted from the last axis"
        raise CallError(f"{name}(): the shapes {listed} do not broadcast", hint=hint)
    return others.pop() if others else 1


def broadcast_tensors(*tensors: Tensor | Sequence[Tensor]) -> tuple[Tensor, ...]:
    """Views of all tensors with the one shape that they broadcast to; the dtypes stay. CallError where they do not.

    >>> import numpy as np
    >>> import tilewright as tw
    >>> x, y = tw.broadcast_tensors(tw.tensor(np.zeros((2, 1))), tw.tensor(np.zeros(3)))
    >>> x.shape, y.shape
    ((2, 3), (2, 3))
    """
    given = _several("broadcast_tensors", tensors)
    shape = _broadcast("broadcast_tensors", [x.shape for x in given])
    return tuple(x.expand(shape) for x in given)


def meshgrid(*tensors: Tensor | Sequence[Tensor], indexing: Literal["ij", "xy"] = "ij") -> tuple[Tensor, ...]:
    """For n vectors (or single numbers), n views with n axes: the i-th varies along axis i as the i-th vector does.

    ``indexing="xy"`` swaps the first two axes, as NumPy does by default. CallError for tensors with more axes, and for
    another ``indexing``. Any dtypes, which stay.

    >>> import numpy as np
    >>> import tilewright as tw
    >>> i, j = tw.meshgrid(tw.tensor(np.arange(2)), tw.tensor(np.arange(3)))
    >>> i.tolist(), j.tolist()
    ([[0, 0, 0], [1, 1, 1]], [[0, 1, 2], [0, 1, 2]])
    >>> tw.meshgrid(tw.tensor(np.arange(2)), tw.tensor(np.arange(3)), indexing="xy")[0].shape
    (3, 2)
    """
    vectors = _several("meshgrid", tensors)
    if indexing not in ("ij", "xy"):
        raise CallError(f"meshgrid(): 'indexing' takes 'ij' or 'xy', not {indexing!r}")
    for x in vectors:
        if x.ndim > 1:
            hint = "flatten() makes a vector"
            raise CallError(f"meshgrid(): vectors are needed, not a tensor of {x.ndim} axes", hint=hint)
    shape = tuple(x.numel() for x in vectors)
    grids = tuple(_along(x, axis, shape) for axis, x in enumerate(vectors))
    return tuple(x.transpose(0, 1) for x in grids) if indexing == "xy" and len(grids) > 1 else grids


def _along(vector: Tensor, axis: int, shape: tuple[int, ...]) -> Tensor:
    return vector.reshape((1,) * axis + (-1,) + (1,) * (len(shape) - axis - 1)).expand(shape)


def _several(name: str, given: Sequence[Tensor | Sequence[Tensor]]) -> list[Tensor]:
    """The tensors of a call that takes them one by one or in one sequence."""
    one_sequence = len(given) == 1 and isinstance(given[0], (list, tuple))
    tensors: Any = given[0] if one_sequence else given
    for x in tensors:
        if not isinstance(x, Tensor):
            raise CallTypeError(f"{name}(): a Tensor is needed, not {type(x).__name__}", hint="tw.tensor(x) makes one")
    return list(tensors)


# --- at least so many axes


def atleast_1d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """A view with one axis of a tensor that has none, else the tensor; of several, a tuple.

    Any dtype, which stays. CallTypeError for what is no tensor.

    >>> import numpy as np
    >>> import tilewright as tw
    >>> tw.atleast_1d(tw.tensor(np.array(3.0))).shape
    (1,)
    """
    return _each("atleast_1d", tensors, (lambda x: x.reshape(1),))


def atleast_2d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """A view with two axes of a tensor that has fewer (a vector is a row), else the tensor; of several, a tuple.

    Any dtype, which stays. CallTypeError for what is no tensor.

    >>> import numpy as np
    >>> import tilewright as tw
    >>> tw.atleast_2d(tw.tensor(np.zeros(3))).shape
    (1, 3)
    """
    return _each("atleast_2d", tensors, (lambda x: x.reshape(1, 1), lambda x: x.unsqueeze(0)))


def atleast_3d(*tensors: Tensor | Sequence[Tensor]) -> Tensor | tuple[Tensor, ...]:
    """A view with three axes of a tensor that has fewer (of shape ``(1, n, 1)`` or ``(m, n, 1)``), else the tensor.

    Of several tensors, a tuple. Any dtype, which stays. CallTypeError for what is no tensor.

    >>> import numpy as np
    >>> import tilewright as tw
    >>> [x.shape for x in tw.atleast_3d(tw.tensor(np.zeros(3)), tw.tensor(np.zeros((2, 3))))]
    [(1, 3, 1), (2, 3, 1)]
    """
    return _each(
        "atleast_3d",
        tensors,
        (lambda x: x.reshape(1, 1, 1), lambda x: x.unsqueeze(0).unsqueeze(-1), lambda x: x.unsqueeze(-1)),
    )


def _each(
    name: str, given: Sequence[Tensor | Sequence[Tensor]], by_rank: tuple[Callable[[Tensor], Tensor], ...]
) -> Tensor | tuple[Tensor, ...]:
    views = tuple(by_rank[x.ndim](x) if x.ndim < len(by_rank) else x for x in _several(name, given))
    return views[0] if len(given) == 1 and isinstance(given[0], Tensor) else views


# --- parts along an axis by its name


def hsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """``tensor_split`` along the columns: axis 1, or of a vector axis 0.

    A number of parts must divide the extent: CallError if it does not, or without axes. Any dtype, which stays.

    >>> import numpy as np
    >>> import tilewright as tw
    >>> [x.shape for x in tw.hsplit(tw.tensor(np.zeros((2, 6))), 3)]
    [(2, 2), (2, 2), (2, 2)]
    """
    return _split_evenly("hsplit", input, indices_or_sections, dim=1, least=1)


def vsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """``tensor_split`` along the rows, axis 0 of a tensor with two or more axes, else CallError.

    A number of parts must divide the extent: CallError if it does not. Any dtype, which stays.

    >>> import numpy as np
    >>> import tilewright as tw
    >>> [x.shape for x in tw.vsplit(tw.tensor(np.zeros((4, 3))), [1])]
    [(1, 3), (3, 3)]
    """
    return _split_evenly("vsplit", input, indices_or_sections, dim=0, least=2)


def dsplit(input: Tensor, indices_or_sections: int | Sequence[int]) -> tuple[Tensor, ...]:
    """``tensor_split`` along axis 2 of a tensor with three or more axes, else CallError.

    A number of parts must divide the extent: CallError if it does not. Any dtype, which stays.

    >>> import numpy as np
    >>> import tilewright as tw
    >>> [x.shape for x in tw.dsplit(tw.tensor(np.zeros((2, 3, 4))), 2)]
    [(2, 3, 2), (2, 3, 2)]
    """
    return _split_evenly("dsplit", input, indices_or_sections, dim=2, least=3)


def _split_evenly(name: str, input: Tensor, at: int | Sequence[int], dim: int, least: int) -> tuple[Tensor, ...]:
    (tensor,) = _several(name, (input,))
    if tensor.ndim < least:
        raise CallError(f"{name}(): {least} or more axes are needed, not {tensor.ndim}", hint="unsqueeze(dim) adds one")
    dim = min(dim, tensor.ndim - 1)
    if isinstance(at, int) and at > 0 and tensor.shape[dim] % at:
        extent = f"axis {dim}, whose extent is {tensor.shape[dim]}"
        raise CallError(f"{name}(): {at} parts do not divide {extent}", hint="tensor_split(n, dim) makes unequal parts")
    return tensor.tensor_split(at, dim)
