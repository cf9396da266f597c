"""Reductions and counts that choose among ops by what they are given, or look at the elements first."""

from __future__ import annotations

import builtins
from typing import Any

from tilewright.errors import CallError
from tilewright.runtime import Tensor, _core, to_tensor
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import table
from tilewright.stdlib.tensor.arguments import number, whole
from tilewright.stdlib.tensor.conversion import Operand

__all__ = [
    "bincount", "diff", "max", "median", "min", "nanmedian", "norm", "quantile", "std", "std_mean", "unique",
    "unique_consecutive", "var", "var_mean",
]  # fmt: skip


def _extreme(name: str, input: Operand, dim: Any, keepdim: bool) -> Any:
    if dim is None:
        return table.get(f"a{name}")(input)
    if isinstance(dim, int):
        return table.get(name)(input, dim, keepdim)
    return table.get(f"{name}imum")(input, dim)


def max(input: Operand, dim: int | Operand = None, keepdim: bool = False) -> Any:
    """The greatest element; along ``dim``, with its places, ``(values, indices)``; or the greater of two tensors'.

    The result has no axes, or those of ``input`` without ``dim`` (of extent 1 with ``keepdim``), or the shape that both
    broadcast to. Values have the dtype of ``input``, places are int64. CallError for no elements, CallIndexError for a
    ``dim`` that there is not, CallTypeError for bools along ``dim``. A NaN counts as greater than all numbers.

    >>> import tilewright as tw
    >>> x = tw.tensor([[1, 5], [7, 3]])
    >>> tw.max(x).item(), tw.max(x, 1).indices.tolist(), tw.max(x, 4 - x).tolist()
    (7, [1, 0], [[3, 5], [7, 3]])
    """
    return _extreme("max", input, dim, keepdim)


def min(input: Operand, dim: int | Operand = None, keepdim: bool = False) -> Any:
    """The least element; along ``dim``, with its places, ``(values, indices)``; or the lesser of two tensors'.

    Shapes, dtypes and errors as in :func:`max`; a NaN counts as less than all numbers.

    >>> import tilewright as tw
    >>> x = tw.tensor([[1, 5], [7, 3]])
    >>> tw.min(x).item(), tw.min(x, 0).values.tolist()
    (1, [1, 3])
    """
    return _extreme("min", input, dim, keepdim)


def _flat(name: str, input: Operand, dim: int | None, *rest: Any) -> Any:
    """A function along one dim, or of all elements without their places."""
    if dim is not None:
        return table.get(name)(input, *rest[:-1], dim, rest[-1])
    result = table.get(name)(to_tensor(input).reshape(-1), *rest[:-1], 0, False)
    return result[0] if isinstance(result, tuple) else result


def median(input: Operand, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower median of all elements; along ``dim``, with its places, ``(values, indices)``.

    The result has no axes, or those of ``input`` without ``dim`` (of extent 1 with ``keepdim``). Values have the dtype
    of ``input``, integers or floats, places are int64. CallError for no elements, CallIndexError for a ``dim`` that
    there is not, CallTypeError for bools. With a NaN the median is NaN.

    >>> import tilewright as tw
    >>> tw.median(tw.tensor([4, 1, 3, 2])).item(), tw.median(tw.tensor([[1.0, 5.0, 2.0]]), 1).indices.tolist()
    (2, [2])
    """
    return _flat("median", input, dim, keepdim)


def nanmedian(input: Operand, dim: int | None = None, keepdim: bool = False) -> Any:
    """As :func:`median`, of what is not NaN.

    >>> import tilewright as tw
    >>> tw.nanmedian(tw.tensor([1.0, float("nan"), 2.0])).item()
    1.0
    """
    return _flat("nanmedian", input, dim, keepdim)


def quantile(input: Operand, q: float, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The ``q`` quantile, of all elements or along ``dim``; between two elements the straight line.

    The result has no axes, or those of ``input`` without ``dim`` (of extent 1 with ``keepdim``), and its dtype, floats.
    CallError unless ``q`` is a number from 0 to 1, CallTypeError for other dtypes, CallIndexError for a ``dim`` that
    there is not.

    >>> import tilewright as tw
    >>> tw.quantile(tw.tensor([1.0, 2.0, 4.0, 8.0]), 0.5).item()
    3.0
    """
    if not 0 <= number("quantile", "q", q) <= 1:
        raise CallError(f"quantile(): q is {q}", hint="it is from 0 to 1")
    result: Tensor = _flat("quantile", input, dim, q, keepdim)
    return result


def norm(input: Operand, p: float | str = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The root of the sum of the ``p``-th powers of sizes; ``"fro"`` is 2, infinities give the greatest and least.

    The result has no axes, or those of ``input`` without ``dim``, one or several (of extent 1 with ``keepdim``);
    floats, of the dtype of ``input`` or ``dtype``, which it is converted to first. CallTypeError for other dtypes,
    CallError for another text, CallIndexError for a ``dim`` that there is not.

    >>> import tilewright as tw
    >>> tw.norm(tw.tensor([3.0, -4.0])).item(), tw.norm(tw.tensor([3.0, -4.0]), 1).item()
    (5.0, 7.0)
    """
    if isinstance(p, str) and p != "fro":
        raise CallError(f"norm(): p is not {p!r}", hint="a number or 'fro'")
    result: Tensor = table.get("norm")(input, 2.0 if isinstance(p, str) else p, dim, keepdim, dtype)
    return result


def _spread(
    name: str, input: Operand, dim: Any, unbiased: bool | None, keepdim: bool, correction: int | None
) -> Tensor:
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None else int(unbiased)
    result: Tensor = table.get(name)(input, dim, keepdim, correction)
    return result


def var(
    input: Operand,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> Tensor:
    """The variance: squares of distances to the mean, summed, over the number of elements less ``correction`` (1).

    The result has no axes, or those of ``input`` without ``dim``, one or several (of extent 1 with ``keepdim``), and
    its dtype, floats. ``unbiased=False`` is a correction of 0. CallTypeError for other dtypes, CallIndexError for a
    ``dim`` that there is not. NaN where the number less the correction is 0.

    >>> import tilewright as tw
    >>> tw.var(tw.tensor([1.0, 2.0, 3.0])).item(), tw.var(tw.tensor([1.0, 3.0]), correction=0).item()
    (1.0, 1.0)
    """
    return _spread("var", input, dim, unbiased, keepdim, correction)


def std(
    input: Operand,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> Tensor:
    """The root of :func:`var`; shapes, dtypes and errors are the same.

    >>> import tilewright as tw
    >>> tw.std(tw.tensor([[1.0, 3.0, 5.0]]), dim=1).tolist()
    [2.0]
    """
    return _spread("std", input, dim, unbiased, keepdim, correction)


def _mean(input: Operand, dim: Any, keepdim: bool) -> Tensor:
    """The mean where a spread is asked for too: a bool in the place of ``dim`` is ``unbiased``."""
    made: Tensor = table.get("mean")(input, None if isinstance(dim, bool) else dim, keepdim)
    return made


def var_mean(
    input: Operand,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> tuple[Tensor, Tensor]:
    """:func:`var` and the mean, two tensors; shapes, dtypes and errors are the same.

    >>> import tilewright as tw
    >>> [x.item() for x in tw.var_mean(tw.tensor([1.0, 2.0, 3.0]))]
    [1.0, 2.0]
    """
    return _spread("var", input, dim, unbiased, keepdim, correction), _mean(input, dim, keepdim)


def std_mean(
    input: Operand,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> tuple[Tensor, Tensor]:
    """:func:`std` and the mean, two tensors; shapes, dtypes and errors are those of :func:`var`.

    >>> import tilewright as tw
    >>> [x.item() for x in tw.std_mean(tw.tensor([1.0, 3.0, 5.0]))]
    [2.0, 3.0]
    """
    return _spread("std", input, dim, unbiased, keepdim, correction), _mean(input, dim, keepdim)


def diff(input: Operand, n: int = 1, dim: int = -1) -> Tensor:
    """The differences between neighbours along ``dim``, ``n`` times.

    The axis gets shorter by ``n``; integers or floats, whose dtype the result has. CallError for a negative ``n`` or
    more than there are elements, CallTypeError for bools, CallIndexError for a ``dim`` that there is not.

    >>> import tilewright as tw
    >>> tw.diff(tw.tensor([1, 4, 9, 16])).tolist(), tw.diff(tw.tensor([1, 4, 9, 16]), 2).tolist()
    ([3, 5, 7], [2, 2])
    """
    x: Tensor = to_tensor(input)
    times = whole("diff(): n", n)
    if times < 0:
        raise CallError(f"diff(): n is {times}", hint="it is 0 or more")
    for _ in range(times):
        x = table.get("diff")(x, dim)
    return x


# --- sizes that depend on the elements ------------------------------------------------------


def bincount(input: Operand, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 up to the greatest, or ``minlength - 1``, is among the elements.

    Shapes: ``input`` [N], int32 or int64 -> [bins], int64. CallTypeError for other dtypes, CallError for more axes,
    KernelIndexError for negative numbers.

    >>> import tilewright as tw
    >>> tw.bincount(tw.tensor([0, 2, 2]), minlength=4).tolist()
    [1, 0, 2, 0]
    """
    x: Tensor = to_tensor(input)
    most = int(max(x).item()) + 1 if x.nbytes else 0
    result: Tensor = ops.get("bincount")(x, bins=builtins.max(most, minlength))
    return result


def _distinct(count: str, fill: str, x: Tensor, inverse: bool, counts: bool) -> Any:
    flat = x.reshape(-1)
    size = int(ops.get(count)(flat).item())
    values, places, numbers = ops.get(fill)(flat, _core.empty((size,), x.dtype))
    found = (values, *[places.reshape(x.shape)] * inverse, *[numbers] * counts)
    return found if len(found) > 1 else values


def unique(input: Operand, sorted: bool = True, return_inverse: bool = False, return_counts: bool = False) -> Any:
    """The distinct elements in order; then for each element which of them it is, and how often each occurs.

    The elements have one axis and the dtype of ``input``, any; ``return_inverse`` adds int64 of its shape,
    ``return_counts`` int64 of one axis. NaNs are equal here. They are sorted whatever ``sorted`` says. CallTypeError
    for what is no tensor.

    >>> import tilewright as tw
    >>> [x.tolist() for x in tw.unique(tw.tensor([3, 1, 3]), return_inverse=True, return_counts=True)]
    [[1, 3], [1, 0, 1], [1, 2]]
    """
    return _distinct("unique_count", "unique", to_tensor(input), return_inverse, return_counts)


def unique_consecutive(input: Operand, return_inverse: bool = False, return_counts: bool = False) -> Any:
    """The elements, row by row, without those equal to the one before; then as :func:`unique`, with its shapes and
    dtypes.

    >>> import tilewright as tw
    >>> [x.tolist() for x in tw.unique_consecutive(tw.tensor([3, 3, 1, 3]), return_counts=True)]
    [[3, 1, 3], [2, 1, 1]]
    """
    return _distinct("count_runs", "unique_consecutive", to_tensor(input), return_inverse, return_counts)
