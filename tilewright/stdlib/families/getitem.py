"""Indexing by whole numbers, slices, new axes and arrays of indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from operator import index as whole
from typing import Any

import numpy as np

from tilewright.compiler.family import Family
from tilewright.compiler.trace import Traced
from tilewright.dsl.build import OpBuilder
from tilewright.errors import CallError, CallTypeError, UserError
from tilewright.runtime import Tensor, to_tensor
from tilewright.stdlib.families.operands import rank

Pattern = tuple[str, ...]
"""What an index is made of: per place 'int', 'slice', 'all' (``:``), 'array' or 'new' (None)."""


def getitem(x: Any, index: Any) -> Any:
    """``x[index]`` as NumPy has it, as a copy.

    ``x``: of any dtype and shape. ``index``: a whole number, a slice, ``None``, ``...``, an array or list of i32 or
    i64, or a tuple of such. Arrays broadcast with each other; their axes stand in the place of the arrays, or first if
    something stands between them. New numbers and bounds compile nothing. CallError for a number out of range or too
    many of them, CallTypeError for what is no index; KernelIndexError for an index in an array that is out of range.

    >>> import numpy as np, tilewright as tw
    >>> tw.ops.getitem(np.arange(6).reshape(2, 3), (slice(None, None, -1), [0, 2])).tolist()
    [[3, 5], [0, 2]]
    """
    entries = _spelt_out(index if isinstance(index, tuple) else (index,), rank(x))
    pattern = tuple(_kind(e) for e in entries)
    operands: list[Any] = []
    scalars: dict[str, int] = {}
    axis = 0
    for kind, entry in zip(pattern, entries, strict=True):
        if kind == "array":
            operands.append(entry)
        elif kind == "slice":
            start, step, count = _bounds(x, entry, axis)
            operands.append(np.empty(count, np.bool_))
            scalars |= {f"start{axis}": start, f"step{axis}": step}
        elif kind == "int":
            scalars[f"at{axis}"] = _number(x, entry, axis)
        axis += kind != "new"
    return _getitem.op(pattern)(x, *operands, **scalars)


# --- indices --------------------------------------------------------------------------------


def _spelt_out(index: tuple[Any, ...], axes: int) -> list[Any]:
    """One entry per axis, and None for new ones: ``...`` and axes at the end become ``:``."""
    given = [np.asarray(e, np.int64) if isinstance(e, list) else e for e in index]
    used = sum(e is not None and e is not ... for e in given)
    dots = [n for n, e in enumerate(given) if e is ...]
    if used > axes:
        raise CallError(f"getitem: {used} indices for {axes} axes", hint="leave some out; None makes a new axis")
    if len(dots) > 1:
        raise CallError("getitem: ... stands twice", hint="one ... stands for all axes that are left")
    at = dots[0] if dots else len(given)
    return [*given[:at], *[slice(None)] * (axes - used), *given[at + 1 :]]


def _kind(entry: Any) -> str:
    if entry is None:
        return "new"
    if isinstance(entry, slice):
        return "all" if entry == slice(None) else "slice"
    if isinstance(entry, (np.ndarray, Tensor, Traced)) and not (isinstance(entry, np.ndarray) and entry.ndim == 0):
        if getattr(entry, "dtype", None) in ("bool", np.bool_):
            hint = "count the true ones first, or use where"
            raise CallTypeError("getitem: how much a mask takes depends on its elements", hint=hint)
        return "array"
    if isinstance(entry, (bool, np.bool_)):
        raise CallTypeError(f"getitem: {entry!r} is no index", hint="None makes a new axis")
    try:
        whole(entry)
    except TypeError:
        hint = "whole numbers, slices, None, ... and arrays of i32 or i64 are"
        raise CallTypeError(f"getitem: {entry!r} is no index", hint=hint) from None
    return "int"


def _number(x: Any, entry: Any, axis: int) -> int:
    number = whole(entry)
    if not isinstance(x, Traced):
        extent = to_tensor(x).shape[axis]
        if not -extent <= number < extent:
            hint = f"it is from {-extent} to {extent - 1}" if extent else "the axis is empty"
            raise CallError(f"getitem: there is no {number} on axis {axis}, of extent {extent}", hint=hint)
    return number


def _bounds(x: Any, entry: slice, axis: int) -> tuple[int, int, int]:
    """Where a slice starts, its step, and how many elements it takes."""
    if isinstance(x, Traced):
        raise UserError("getitem: a slice of a traced tensor has no size yet", hint="slice the operands before tracing")
    try:
        start, stop, step = entry.indices(to_tensor(x).shape[axis])
    except (TypeError, ValueError) as e:
        raise CallTypeError(f"getitem: {e}", hint="bounds of slices are whole numbers, the step is not 0") from None
    return start, step, len(range(start, stop, step))


# --- ops ------------------------------------------------------------------------------------


def _write_getitem(b: OpBuilder, pattern: Pattern) -> None:
    places = list(_places(pattern))
    b.dtype("T", "any")
    b.operand("x", f"T[{', '.join(f'N{axis}' for kind, axis in places if kind != 'new')}]")
    for kind, axis in places:
        if kind == "array":
            b.dtype(f"I{axis}", "index")
            b.operand(f"at{axis}", f"I{axis}[...]")
        elif kind == "slice":
            b.operand(f"like{axis}", f"bool[L{axis}]")
    for name in _scalars(places):
        b.scalar(name, "i64")
    dims = {"all": "N{}", "slice": "L{}", "new": "1", "array": "..."}
    axes = {"all": "i{}", "slice": "i{}", "new": "u{}: 1", "array": "..."}
    order = _order(places)
    b.result("y", f"T[{', '.join(dims[kind].format(n) for kind, n in order)}]")
    reads = ", ".join(_read(kind, axis) for kind, axis in places if kind != "new")
    b.statement(f"y[{', '.join(axes[kind].format(n) for kind, n in order)}] = x[{reads}]")


def _places(pattern: Pattern) -> Iterator[tuple[str, int]]:
    """Each entry with the number of its axis of x, or, of a new axis, of its place."""
    axis = 0
    for n, kind in enumerate(pattern):
        yield kind, n if kind == "new" else axis
        axis += kind != "new"


def _scalars(places: Sequence[tuple[str, int]]) -> Iterator[str]:
    for kind, axis in places:
        if kind == "slice":
            yield from (f"start{axis}", f"step{axis}")
        elif kind == "int":
            yield f"at{axis}"


def _read(kind: str, axis: int) -> str:
    if kind == "slice":
        return f"start{axis} + i{axis} * step{axis}"
    at = {"all": f"i{axis}", "int": f"at{axis}", "array": f"i64(at{axis}[...])"}[kind]
    return at if kind == "all" else f"where({at} < 0, {at} + N{axis}, {at})"


def _order(places: Sequence[tuple[str, int]]) -> list[tuple[str, int]]:
    """The axes of the result; those of the arrays stand once, as NumPy places them."""
    taking = [n for n, (kind, _) in enumerate(places) if kind in ("int", "array")]
    kept = [(n, p) for n, p in enumerate(places) if p[0] not in ("int", "array")]
    if all(kind != "array" for kind, _ in places):
        return [p for _, p in kept]
    together = taking[-1] - taking[0] + 1 == len(taking)
    before = [p for n, p in kept if together and n < taking[0]]
    return [*before, ("array", 0), *(p for _, p in kept[len(before) :])]


_write_getitem.__name__ = "getitem"
_getitem = Family(_write_getitem)
