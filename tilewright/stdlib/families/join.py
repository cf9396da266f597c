"""Many tensors become one, along an axis that they have or along a new one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tilewright.compiler.family import Family
from tilewright.dsl.build import OpBuilder
from tilewright.errors import CallError
from tilewright.stdlib.families.operands import place, rank

MOST = 16
"""So many are joined at once; more are joined in groups."""


def concat(tensors: Sequence[Any], dim: int = 0) -> Any:
    """The tensors one after the other along ``dim``, as :func:`numpy.concatenate`; copies, of any dtype.

    ``tensors``: one or more of shapes [A..., N, B...], one dtype, equal but for N. The result has the sum of the N.
    CallError for no tensors, shapes that do not fit or a dim that is not there; CallTypeError for two dtypes.

    >>> import numpy as np, tilewright as tw
    >>> tw.ops.concat((np.array([1, 2]), np.array([3]))).tolist()
    [1, 2, 3]
    """
    _check("concat", tensors)
    axis = place("concat", dim, rank(tensors[0]))
    if len(tensors) > MOST:
        return concat([concat(group, axis) for group in _groups(tensors)], axis)
    return _concat.op(len(tensors))(*tensors, A=axis)


def stack(tensors: Sequence[Any], dim: int = 0) -> Any:
    """The tensors side by side along a new axis ``dim``, as :func:`numpy.stack`; copies, of any dtype.

    ``tensors``: n, one or more, of one shape [A..., B...] and one dtype; the result is [A..., n, B...].
    CallError for no tensors, shapes that differ or a dim that is not there; CallTypeError for two dtypes.

    >>> import numpy as np, tilewright as tw
    >>> tw.ops.stack((np.array([1, 2]), np.array([3, 4])), dim=1).tolist()
    [[1, 3], [2, 4]]
    """
    _check("stack", tensors)
    axis = place("stack", dim, rank(tensors[0]) + 1)
    if len(tensors) > MOST:
        return concat([stack(group, axis) for group in _groups(tensors)], axis)
    return _stack.op(len(tensors))(*tensors, A=axis)


def _check(op: str, tensors: Sequence[Any]) -> None:
    if not isinstance(tensors, (tuple, list)) or not tensors:
        raise CallError(f"{op} takes a tuple of one or more tensors", hint=f"as in {op}((a, b), dim=0)")


def _groups(tensors: Sequence[Any]) -> list[Sequence[Any]]:
    return [tensors[n : n + MOST] for n in range(0, len(tensors), MOST)]


def _write_concat(b: OpBuilder, n: int) -> None:
    b.dtype("T", "any")
    names = [b.operand(f"x{k}", f"T[A..., N{k}, B...]") for k in range(n)]
    b.result("y", f"T[A..., {' + '.join(f'N{k}' for k in range(n))}, B...]")
    starts = [" + ".join(f"N{k}" for k in range(m)) for m in range(n + 1)]
    reads = [
        f"({name}[a..., i - ({start or 0}), b...] else lowest(T))" for name, start in zip(names, starts, strict=False)
    ]
    b.statement(f"y[a..., i, b...] = {_chosen(reads, lambda k: f'i < {starts[k]}')}")


def _write_stack(b: OpBuilder, n: int) -> None:
    b.dtype("T", "any")
    reads = [f"{b.operand(f'x{k}', 'T[A..., B...]')}[a..., b...]" for k in range(n)]
    b.result("y", f"T[A..., {n}, B...]")
    b.statement(f"y[a..., i, b...] = {_chosen(reads, lambda k: f'i < {k}')}")


def _chosen(values: Sequence[str], below: Callable[[int], str], start: int = 0) -> str:
    """The one of ``values`` whose turn it is: ``below(k)`` says that it is one of those before k. By halves."""
    if len(values) == 1:
        return values[0]
    half = len(values) // 2
    left, right = _chosen(values[:half], below, start), _chosen(values[half:], below, start + half)
    return f"where({below(start + half)}, {left}, {right})"


_write_concat.__name__, _write_stack.__name__ = "concat", "stack"
_concat, _stack = Family(_write_concat), Family(_write_stack)
