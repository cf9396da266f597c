"""Indices that are no views: arrays of whole numbers and masks, alone and among others, as NumPy and PyTorch have them.

What is plain of an index (ints, slices, ``None``, ``...``) is applied first, as a view; compiled ops see just the
arrays.
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import index as whole
from typing import Any, NamedTuple

from tilewright.errors import CallError, CallIndexError, CallTypeError
from tilewright.runtime import Tensor, _core, to_tensor
from tilewright.runtime.dtypes import bool_, int32, int64
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import creation
from tilewright.stdlib.tensor.conversion import converted, copy_into
from tilewright.stdlib.tensor.creation import fill
from tilewright.stdlib.tensor.places import around
from tilewright.stdlib.tensor.views import broadcast_shapes

__all__ = ["argwhere", "index_put", "masked_select", "nonzero", "take"]


class Taken(NamedTuple):
    """A view of a tensor, and the arrays of numbers that some of its axes are indexed by; ``apart``: whether ``...``
    stood between arrays.
    """

    view: Any
    arrays: dict[int, Any]
    apart: bool

    @property
    def pattern(self) -> tuple[bool, ...]:
        """Per axis of the view whether an array indexes it."""
        return tuple(axis in self.arrays for axis in range(len(self.view.shape)))

    @property
    def shape(self) -> tuple[int, ...]:
        """What is taken: the axes of the arrays stand where the arrays do, or first if something is between them."""
        common = broadcast_shapes(*(tuple(a.shape) for a in self.arrays.values()))
        before, after = around(self.pattern, self.apart)
        dims = self.view.shape
        return (*(dims[a] for a in before), *common, *(dims[a] for a in after))


# --- what an index says ---------------------------------------------------------------------


def taken(x: Tensor, index: Any) -> Taken:
    """What ``x[index]`` names; CallError and CallTypeError for what is no index of ``x``."""
    given = [_entry(e) for e in (index if isinstance(index, tuple) else (index,))]
    entries = _spelt_out(given, len(x.shape))
    reading = _Reading(x, any(isinstance(e, (Tensor, bool)) for e in entries))
    for entry in entries:
        reading.read(entry)
    made = Taken(x[tuple(reading.plain)], reading.arrays, reading.apart)
    if made.arrays and 0 in made.shape:
        _check_bounds(made)
    return made


class _Reading:
    """An index read from left to right: its plain part, and the arrays by the axes of the view that this gives."""

    def __init__(self, x: Tensor, several: bool) -> None:
        self.x, self.several = x, several
        self.plain: list[Any] = []
        self.arrays: dict[int, Any] = {}
        self.axis = self.place = 0  # of the tensor, and of the view
        self.gap: int | None = None  # where ... was

    @property
    def apart(self) -> bool:
        """Whether ``...`` stood between arrays."""
        gap = self.gap
        return gap is not None and any(a < gap for a in self.arrays) and any(a >= gap for a in self.arrays)

    def read(self, entry: Any) -> None:
        """Where there are arrays, a number counts as one without axes."""
        if entry is ...:
            self.gap = self.place
        elif isinstance(entry, bool):
            self._add([_zeros(entry)], None, 0)
        elif isinstance(entry, Tensor):
            self._add(_places(entry, self.x, self.axis), slice(None), 1)
        elif entry is None or isinstance(entry, slice):
            self._skip(entry, 1, int(entry is not None))
        elif self.several:
            self._add([_number(whole(entry), self.x, self.axis)], slice(None), 1)
        else:
            self._skip(entry, 0, 1)

    def _skip(self, entry: Any, places: int, axes: int) -> None:
        self.plain.append(entry)
        self.place += places
        self.axis += axes

    def _add(self, arrays: list[Any], entry: Any, axes: int) -> None:
        for array in arrays:
            self.arrays[self.place] = array
            self._skip(entry, 1, axes)


def _check_bounds(found: Taken) -> None:
    """Where nothing is taken, no kernel looks at the numbers. Arrays that are broadcast away may say anything."""
    none = 0 in broadcast_shapes(*(tuple(a.shape) for a in found.arrays.values()))
    for axis, array in found.arrays.items():
        extent = found.view.shape[axis]
        if not array.numel() or (none and array.shape):
            continue
        low, high = int(array.min().item()), int(array.max().item())
        for number in (low, high):
            if not -extent <= number < extent:
                raise _out_of_range(number, extent)


def _out_of_range(number: int, extent: int) -> CallIndexError:
    hint = f"it is from {-extent} to {extent - 1}" if extent else "the axis is empty"
    return CallIndexError(f"the index {number} is out of range for an axis of extent {extent}", hint=hint)


def _entry(entry: Any) -> Any:
    """Lists and arrays as tensors; the rest as it is."""
    if isinstance(entry, (list, tuple)):
        made: Any = creation.tensor(list(entry))
        return made if made.numel() else converted(made, int64)
    if entry is None or entry is ... or isinstance(entry, (bool, int, slice)):
        return entry
    if hasattr(entry, "__index__") and not hasattr(entry, "shape"):
        return whole(entry)
    try:
        found = to_tensor(entry)
        return bool(found.item()) if found.dtype is bool_ and not found.shape else found
    except CallTypeError:
        hint = "whole numbers, slices, None, ..., masks and arrays of whole numbers are"
        raise CallTypeError(f"{entry!r} is no index", hint=hint) from None


def _spelt_out(entries: list[Any], rank: int) -> list[Any]:
    """``...``, or the end, as the axes that are left."""
    used = sum(_axes(e) for e in entries)
    dots = [n for n, e in enumerate(entries) if e is ...]
    if len(dots) > 1:
        raise CallIndexError("an index has ... twice", hint="one ... stands for all axes that are left")
    if used > rank:
        raise CallIndexError(
            f"{used} indices for the {rank} axes of a tensor", hint="leave some out; None makes a new axis"
        )
    at = dots[0] if dots else len(entries)
    return [*entries[:at], ..., *[slice(None)] * (rank - used), *entries[at + 1 :]]


def _axes(entry: Any) -> int:
    if entry is None or entry is ... or isinstance(entry, bool):
        return 0
    return len(entry.shape) if isinstance(entry, Tensor) and entry.dtype is bool_ else 1


def _zeros(taken: bool) -> Tensor:
    """The places along a new axis that ``True`` and ``False`` take."""
    return creation.zeros(int(taken), dtype=int64)


def _number(number: int, x: Tensor, axis: int) -> Tensor:
    extent = x.shape[axis]
    if not -extent <= number < extent:
        raise _out_of_range(number, extent)
    return creation.full((), number, dtype=int64)


def _places(entry: Tensor, x: Tensor, axis: int) -> list[Any]:
    """The arrays of numbers that an array or a mask stands for."""
    if entry.dtype is bool_:
        rank = len(entry.shape)
        if tuple(entry.shape) != tuple(x.shape[axis : axis + rank]):
            message = f"a mask of shape {[*entry.shape]} stands for axes of extents {[*x.shape[axis : axis + rank]]}"
            raise CallIndexError(message, hint="a mask has the extents of the axes that it stands for")
        return list(nonzero(entry, as_tuple=True))
    if entry.dtype.kind not in ("signed", "unsigned"):
        raise CallTypeError(f"an array of {entry.dtype} is no index", hint="x.to(tw.int64) makes whole numbers")
    return [entry if entry.dtype in (int32, int64) else converted(entry, int64)]


# --- reading and writing --------------------------------------------------------------------


def getitem(x: Tensor, index: Any) -> Any:
    """``x[index]``, a copy, for an index with arrays or masks in it."""
    found = taken(x, index)
    if not found.arrays:
        return found.view
    return _op("take", found)(found.view, *found.arrays.values())


def _op(name: str, found: Taken) -> Any:
    """The op of a pattern of arrays; the compiler is loaded to write it."""
    from tilewright.stdlib.families import at_places

    return getattr(at_places, name).op(found.apart, *found.pattern)


def setitem(x: Tensor, index: Any, value: Any) -> None:
    """``x[index] = value`` for an index with arrays or masks in it; of values for one place the last stays."""
    mask = index if isinstance(index, Tensor) and index.dtype is bool_ and index.shape == x.shape else None
    if mask is not None and isinstance(value, (bool, int, float)) and x.dtype is not bool_:
        number = value if x.dtype.is_floating_point else int(value)
        ops.get("masked_fill")(x, mask, value=number, out=x)
        return
    found = taken(x, index)
    if not found.arrays:
        assign(found.view, value)
        return
    _write("put", found, value)


def _write(name: str, found: Taken, value: Any) -> None:
    source = _values(value, found.view, found.shape)
    _op(name, found)(found.view, *found.arrays.values(), source, out=found.view)


def _values(value: Any, view: Any, shape: tuple[int, ...]) -> Any:
    """``value`` as a tensor of the dtype of ``view`` and of ``shape``."""
    if isinstance(value, (bool, int, float)):
        return fill(_core.empty((), view.dtype), value).expand(shape)
    source: Any = converted(to_tensor(value), view.dtype)
    while len(source.shape) > len(shape) and source.shape[0] == 1:
        source = source[0]
    try:
        return source.expand(shape)
    except (CallError, ValueError):
        message = f"values of shape {[*source.shape]} cannot be assigned to a part of shape {[*shape]}"
        raise CallError(message, hint="extents are equal or 1, counted from the last axis") from None


def assign(view: Any, value: Any) -> None:
    """Writes ``value``, broadcast and converted, to the memory that ``view`` shows."""
    if isinstance(value, (bool, int, float)):
        fill(view, value)
    else:
        copy_into(view, _values(value, view, tuple(view.shape)))


# --- functions ------------------------------------------------------------------------------


def nonzero(input: Any, *, as_tuple: bool = False) -> Any:
    """The places of the elements that are not 0, row by row: int64 of ``[n, rank]``, or one tensor of n per axis.

    Any shape and dtype. CallTypeError for what is no tensor.

    >>> import tilewright as tw
    >>> tw.nonzero(tw.tensor([[0, 5], [7, 0]])).tolist()
    [[0, 1], [1, 0]]
    """
    x: Any = to_tensor(input)
    flat = x.reshape(-1)
    count = int(ops.get("count_nonzero")(flat, R=1).item())
    places = ops.get("nonzero")(flat, creation.empty(count, dtype=bool_))
    axes = []
    for extent in reversed(x.shape):
        axes.append(places % max(extent, 1))
        places = places // max(extent, 1)
    found = tuple(reversed(axes))
    if as_tuple:
        return found if found else (creation.zeros(count, dtype=int64),)
    if not found:
        return creation.empty(count, 0, dtype=int64)
    return ops.stack(list(found), 1) if len(found) > 1 else found[0][:, None]


def argwhere(input: Any) -> Tensor:
    """As :func:`nonzero`, of int64 and shape ``[n, rank]``. CallTypeError for what is no tensor.

    >>> import tilewright as tw
    >>> tw.argwhere(tw.tensor([0, 3])).tolist()
    [[1]]
    """
    result: Tensor = nonzero(input)
    return result


def masked_select(input: Any, mask: Any) -> Tensor:
    """The elements of ``input`` where ``mask``, of bools, holds, as one axis; both are broadcast. The dtype stays.

    CallTypeError for another mask, CallError for shapes that do not broadcast.

    >>> import tilewright as tw
    >>> tw.masked_select(tw.arange(4), tw.arange(4) > 1).tolist()
    [2, 3]
    """
    x, chosen = to_tensor(input), to_tensor(mask)
    if chosen.dtype is not bool_:
        raise CallTypeError(f"masked_select(): the mask is of {chosen.dtype}, not of bools", hint="as in x > 0")
    shape = broadcast_shapes(tuple(x.shape), tuple(chosen.shape))
    result: Tensor = getitem(x.expand(shape), chosen.expand(shape))
    return result


def take(input: Any, index: Any) -> Tensor:
    """The elements of ``input``, counted row by row, that ``index`` names, in its shape; negative ones count from the
    end.

    ``index`` has integers, ``input`` any dtype, which stays. CallTypeError for other indices, KernelIndexError for an
    element that there is not.

    >>> import tilewright as tw
    >>> tw.take(tw.arange(6).reshape(2, 3), tw.tensor([4, -1])).tolist()
    [4, 5]
    """
    x: Any = to_tensor(input)
    result: Tensor = getitem(x.reshape(-1), to_tensor(index))
    return result


def index_put_(self: Any, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Any:
    """``self[indices] = values``, or ``+=`` where each of equal places counts; returns ``self``.

    ``indices``: one array of integers or mask per axis; ``values`` broadcast to what they name and are converted to the
    dtype of ``self``. CallTypeError for other indices and for bools that are to add up, CallError for shapes that do
    not broadcast, KernelIndexError for an element that there is not.

    >>> import tilewright as tw
    >>> tw.zeros(3).index_put_((tw.tensor([0, 2]),), tw.tensor([1.0, 2.0])).tolist()
    [1.0, 0.0, 2.0]
    """
    if accumulate and self.dtype is bool_:
        raise CallTypeError("index_put_(): bools do not add up", hint="leave accumulate=True out, or use integers")
    found = taken(self, tuple(indices))
    _write("add" if accumulate else "put", found, values)
    return self


def index_put(input: Any, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Tensor:
    """As the method :func:`index_put_`, of a copy of ``input``, whose shape and dtype it has; the errors are the same.

    >>> import tilewright as tw
    >>> tw.index_put(tw.zeros(3), (tw.tensor([0, 0]),), tw.ones(2), accumulate=True).tolist()
    [2.0, 0.0, 0.0]
    """
    result: Tensor = index_put_(creation.tensor(input), indices, values, accumulate)
    return result
