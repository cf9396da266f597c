"""Sums, extremes, orders and sets: the standard's chapters on statistics, searching, sorting, sets and utilities."""

from __future__ import annotations

from typing import Any, NamedTuple

from tilewright.errors import CallError
from tilewright.runtime import Tensor
from tilewright.runtime.dtypes import bool_, dtype, int64, uint64
from tilewright.stdlib.array_api.dtypes import together
from tilewright.stdlib.tensor import creation, functions, indexing
from tilewright.stdlib.tensor.conversion import converted

__all__ = [
    "all", "any", "argmax", "argmin", "argsort", "count_nonzero", "cumulative_prod", "cumulative_sum", "diff", "max",
    "mean", "min", "nonzero", "prod", "searchsorted", "sort", "std", "sum", "unique_all", "unique_counts",
    "unique_inverse", "unique_values", "var",
]  # fmt: skip

_get = functions.get


def _reduced(name: str, x: Tensor, axis: Any, keepdims: bool, **keywords: Any) -> Any:
    """Over no axis, each element stands for itself."""
    if axis == ():
        return _get(name)(x.unsqueeze(-1), -1, keepdim=False, **keywords)
    return _get(name)(x, axis, keepdim=keepdims, **keywords)


def _summed(x: Tensor, to: dtype | None) -> Any:
    """``x`` in the dtype that it is summed up in: 64 bits for integers and bools, unsigned ones for unsigned ones."""
    if to is None and x.dtype.kind != "float":
        to = uint64 if x.dtype.kind == "unsigned" else int64
    return x if to is None else converted(x, to)


def sum(x: Tensor, /, *, axis: Any = None, dtype: dtype | None = None, keepdims: bool = False) -> Any:
    """The sums over ``axis``, one or several; over all if it is None."""
    source = _summed(x, dtype)
    return converted(_reduced("sum", source, axis, keepdims), source.dtype)


def prod(x: Tensor, /, *, axis: Any = None, dtype: dtype | None = None, keepdims: bool = False) -> Any:
    """The products over ``axis``, one or several; over all if it is None."""
    source = _summed(x, dtype)
    return converted(_reduced("prod", source, axis, keepdims), source.dtype)


def mean(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The means over ``axis``."""
    return _reduced("mean", x, axis, keepdims)


def var(x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    """The variances over ``axis``: sums of squares over the number of elements less ``correction``."""
    if float(correction).is_integer():
        return _reduced("var", x, axis, keepdims, correction=int(correction))
    count = 1
    for a in range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis:
        count *= x.shape[a]
    return _reduced("var", x, axis, keepdims, correction=0) * (count / (count - correction))


def std(x: Tensor, /, *, axis: Any = None, correction: float = 0.0, keepdims: bool = False) -> Any:
    """The roots of :func:`var`."""
    return _get("sqrt")(var(x, axis=axis, correction=correction, keepdims=keepdims))


def max(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The greatest elements over ``axis``."""
    return _reduced("amax", x, axis, keepdims)


def min(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """The least elements over ``axis``."""
    return _reduced("amin", x, axis, keepdims)


def all(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether all elements over ``axis`` are true, or not 0."""
    return _reduced("all", x, axis, keepdims)


def any(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """Whether an element over ``axis`` is true, or not 0."""
    return _reduced("any", x, axis, keepdims)


def count_nonzero(x: Tensor, /, *, axis: Any = None, keepdims: bool = False) -> Any:
    """How many elements over ``axis`` are not 0."""
    return _reduced("count_nonzero", x, axis, keepdims)


def argmax(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """The places of the greatest elements along ``axis``, or row by row."""
    return _get("argmax")(x, axis, keepdims)


def argmin(x: Tensor, /, *, axis: int | None = None, keepdims: bool = False) -> Any:
    """The places of the least elements along ``axis``, or row by row."""
    return _get("argmin")(x, axis, keepdims)


def _cumulative(name: str, start: int, x: Tensor, axis: int | None, to: dtype | None, initial: bool) -> Any:
    if axis is None and x.ndim > 1:
        raise CallError(f"{name}: an axis is needed for {x.ndim} axes", hint="as in axis=0")
    source, along = _summed(x, to), axis or 0
    made = converted(_get(name)(source, along), source.dtype)
    if not initial:
        return made
    first = list(made.shape)
    first[along] = 1
    return _get("cat")([creation.full(first, start, dtype=made.dtype), made], along)


def cumulative_sum(
    x: Tensor, /, *, axis: int | None = None, dtype: dtype | None = None, include_initial: bool = False
) -> Any:
    """The sums up to each element along ``axis``; a 0 before them if asked for."""
    return _cumulative("cumsum", 0, x, axis, dtype, include_initial)


def cumulative_prod(
    x: Tensor, /, *, axis: int | None = None, dtype: dtype | None = None, include_initial: bool = False
) -> Any:
    """The products up to each element along ``axis``; a 1 before them if asked for."""
    return _cumulative("cumprod", 1, x, axis, dtype, include_initial)


def diff(
    x: Tensor, /, *, axis: int = -1, n: int = 1, prepend: Tensor | None = None, append: Tensor | None = None
) -> Any:
    """The differences between neighbours along ``axis``, ``n`` times, with arrays put before and behind."""
    parts = [p for p in (prepend, x, append) if p is not None]
    return _get("diff")(_get("cat")(parts, axis) if len(parts) > 1 else x, n, axis)


# --- orders and places ----------------------------------------------------------------------


def sort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """The elements in order along ``axis``."""
    return _get("sort")(x, axis, descending)[0]


def argsort(x: Tensor, /, *, axis: int = -1, descending: bool = False, stable: bool = True) -> Any:
    """The places of the elements in order along ``axis``."""
    return _get("argsort")(x, axis, descending)


def nonzero(x: Tensor, /) -> tuple[Tensor, ...]:
    """The places of the elements that are not 0, an array per axis."""
    if x.ndim == 0:
        raise CallError("nonzero() takes at least one axis", hint="x.reshape(1) gives it one")
    found: tuple[Tensor, ...] = indexing.nonzero(x, as_tuple=True)
    return found


def searchsorted(x1: Tensor, x2: Tensor, /, *, side: str = "left", sorter: Tensor | None = None) -> Any:
    """Where ``x2`` would go into ``x1``, which is in order, or is by ``sorter``: before equal ones, or behind."""
    if side not in ("left", "right"):
        raise CallError(f"searchsorted(): side is not {side!r}", hint="'left' or 'right'")
    ordered = x1 if sorter is None else x1[sorter]
    boundaries, values = together("searchsorted", ordered, x2)
    return _get("bucketize")(values, boundaries, right=side == "right")


# --- sets -----------------------------------------------------------------------------------


class Unique(NamedTuple):
    """Distinct values; where each is first, which of them each element is, how often each is there."""

    values: Any
    indices: Any
    inverse_indices: Any
    counts: Any


class Inverse(NamedTuple):
    """Distinct values, and which of them each element is."""

    values: Any
    inverse_indices: Any


class Counts(NamedTuple):
    """Distinct values, and how often each is there."""

    values: Any
    counts: Any


def unique_all(x: Tensor, /) -> Unique:
    """The distinct values in order, and all about them; each NaN is a value of its own."""
    flat = x.reshape(-1)
    count = flat.shape[0]
    order = _get("argsort")(flat, 0)
    ordered = flat[order]
    new = creation.ones(count, dtype=bool_)
    if count > 1:
        new[1:] = _get("ne")(ordered[1:], ordered[:-1])
    number = converted(_get("cumsum")(converted(new, int64), 0), int64) - 1
    (starts,) = indexing.nonzero(new, as_tuple=True)
    inverse = creation.empty(count, dtype=int64)
    inverse[order] = number
    ends = _get("cat")([starts[1:], creation.full((1,), count, dtype=int64)], 0) if count else starts
    return Unique(ordered[starts], order[starts], inverse.reshape(x.shape), ends - starts)


def unique_counts(x: Tensor, /) -> Counts:
    """The distinct values and how often each is there."""
    found = unique_all(x)
    return Counts(found.values, found.counts)


def unique_inverse(x: Tensor, /) -> Inverse:
    """The distinct values and which of them each element is."""
    found = unique_all(x)
    return Inverse(found.values, found.inverse_indices)


def unique_values(x: Tensor, /) -> Any:
    """The distinct values."""
    return unique_all(x).values
