"""Functions of tensors whose parameters are several of PyTorch's forms at once: they choose and call others."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from functools import cache, reduce
from typing import Any, Literal, TypeAlias

from tilewright.errors import CallError, CallTypeError, UnsupportedError
from tilewright.runtime import Tensor, _core, promote_types, to_tensor
from tilewright.runtime.dtypes import (
    bfloat16,
    bool_,
    dtype,
    float16,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
)
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import table

__all__ = [
    "addmm", "allclose", "bincount", "cat", "clamp", "diff", "div", "equal", "flip", "hstack", "isclose",
    "layer_norm", "max", "median", "min", "nanmedian", "norm", "one_hot", "positive", "quantile",
    "repeat_interleave", "rms_norm", "roll", "scaled_dot_product_attention", "stack", "std", "std_mean", "tensordot",
    "tile", "unique", "unique_consecutive", "var", "var_mean", "vstack",
]  # fmt: skip

Number: TypeAlias = bool | int | float
Operand: TypeAlias = Any
"""A tensor, an array or a number."""

NO_METHODS = (
    "cat",
    "hstack",
    "layer_norm",
    "one_hot",
    "rms_norm",
    "scaled_dot_product_attention",
    "stack",
    "vstack",
    "where",
)
IN_PLACE = ("clamp", "div")


def converted(x: Any, to: dtype) -> Any:
    """``x`` in another dtype; ``x`` itself if that is its own."""
    return x if x.dtype is to else ops.get("convert")(x, _like(to))


@cache
def _like(to: dtype) -> Any:
    """A tensor without axes that stands for a dtype."""
    return _core.empty((), to)


def _category(of: dtype) -> int:
    return ("bool", "unsigned", "signed", "float").index("signed" if of.kind == "unsigned" else of.kind)


def assign(name: str, target: Any, values: Any) -> Any:
    """Writes ``values`` into ``target``, which it gives back."""
    if _category(values.dtype) > _category(target.dtype):
        message = f"{name}(): the result, of {values.dtype}, cannot be written into a tensor of {target.dtype}"
        raise CallTypeError(message, hint="assign it instead: x = x + y")
    if values.shape != target.shape:
        message = f"{name}(): the result, of shape {[*values.shape]}, cannot be written into one of {[*target.shape]}"
        raise CallError(message, hint="assign it instead: x = x + y")
    copy_into(target, values)
    return target


def coerce(value: object, name: str, operand: int) -> Tensor:
    """The tensor of an operand, counted from 0, of the function ``name``."""
    try:
        return to_tensor(value)
    except CallTypeError as error:
        raise CallTypeError(f"{name}(): operand {operand + 1}: {error.message}", hint=error.hint) from None


def copy_into(target: Any, values: Any) -> None:
    """Writes ``values``, of the same shape, into the memory of ``target``."""
    if values.dtype is target.dtype:
        ops.get("clone")(values, out=target)
    else:
        ops.get("convert")(values, _like(target.dtype), out=target)


# --- elements -------------------------------------------------------------------------------


def positive(input: Tensor) -> Tensor:
    """``input`` itself."""
    if input.dtype.kind == "bool":
        raise CallTypeError("positive(): a tensor of bools has no signs", hint="x.to(dtype) converts a tensor")
    return input


def div(input: Operand, other: Operand, *, rounding_mode: Literal["floor", "trunc"] | None = None) -> Tensor:
    """``input / other``; rounded down with ``rounding_mode="floor"``, towards 0 with ``"trunc"``."""
    names = {None: "true_divide", "floor": "floor_divide", "trunc": "trunc_divide"}
    if rounding_mode not in names:
        raise CallError(f"div(): rounding_mode is not {rounding_mode!r}", hint="None, 'floor' or 'trunc'")
    result: Tensor = table.get(names[rounding_mode])(input, other)
    return result


def clamp(input: Operand, min: Operand = None, max: Operand = None) -> Tensor:
    """``input`` where it is between ``min`` and ``max``, else the nearer of them; each a number, a tensor or None."""
    if min is None and max is None:
        raise CallError("clamp(): neither min nor max is given", hint="as in clamp(x, min=0)")
    x: Tensor = to_tensor(input)
    if all(b is None or isinstance(b, (int, float)) for b in (min, max)):
        if isinstance(min, float) or isinstance(max, float):
            x = x if x.dtype.is_floating_point else converted(x, float32)
        clamped: Tensor = table.get("clamp")(x, min, max)
        return clamped
    if min is not None:
        x = table.get("maximum")(x, min)
    return x if max is None else table.get("minimum")(x, max)


def _cast(name: str, to: dtype) -> Callable[[Any], Any]:
    def cast(self: Any) -> Any:
        return converted(self, to)

    cast.__name__, cast.__qualname__, cast.__doc__ = name, name, f"``self`` in {to!r}."
    return cast


def _where(self: Any, condition: Operand, other: Operand) -> Any:
    """``self`` where ``condition`` holds, else ``other``."""
    return table.get("where")(condition, self, other)


CASTS = {
    "bfloat16": bfloat16, "bool": bool_, "byte": uint8, "char": int8, "double": float64, "float": float32,
    "half": float16, "int": int32, "long": int64, "short": int16,
}  # fmt: skip


def isclose(input: Operand, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether elements differ by at most ``atol + rtol * abs(other)``, or are equal; NaNs only with ``equal_nan``."""
    x: Any = to_tensor(input)
    y: Any = to_tensor(other)
    near: Tensor = (x == y) | ((x - y).abs() <= atol + rtol * y.abs()) & y.isfinite()
    return table.get("bitwise_or")(near, x.isnan() & y.isnan()) if equal_nan else near


def allclose(input: Operand, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are close: :func:`isclose`."""
    return bool(table.get("all")(isclose(input, other, rtol, atol, equal_nan)).item())


def equal(input: Operand, other: Operand) -> bool:
    """Whether two tensors have the same shape and equal elements."""
    x, y = to_tensor(input), to_tensor(other)
    return x.shape == y.shape and bool(table.get("all")(table.get("eq")(x, y)).item())


# --- reductions -----------------------------------------------------------------------------


def _extreme(name: str, input: Operand, dim: Any, keepdim: bool) -> Any:
    if dim is None:
        return table.get(f"a{name}")(input)
    if isinstance(dim, int):
        return table.get(name)(input, dim, keepdim)
    return table.get(f"{name}imum")(input, dim)


def max(input: Operand, dim: int | Operand = None, keepdim: bool = False) -> Any:
    """The greatest element; along ``dim``, with its places, ``(values, indices)``; or the greater of two tensors'."""
    return _extreme("max", input, dim, keepdim)


def min(input: Operand, dim: int | Operand = None, keepdim: bool = False) -> Any:
    """The least element; along ``dim``, with its places, ``(values, indices)``; or the lesser of two tensors'."""
    return _extreme("min", input, dim, keepdim)


def _flat(name: str, input: Operand, dim: int | None, *rest: Any) -> Any:
    """A function along one dim, or of all elements without their places."""
    if dim is not None:
        return table.get(name)(input, *rest[:-1], dim, rest[-1])
    result = table.get(name)(to_tensor(input).reshape(-1), *rest[:-1], 0, False)
    return result[0] if isinstance(result, tuple) else result


def median(input: Operand, dim: int | None = None, keepdim: bool = False) -> Any:
    """The lower median of all elements; along ``dim``, with its places, ``(values, indices)``."""
    return _flat("median", input, dim, keepdim)


def nanmedian(input: Operand, dim: int | None = None, keepdim: bool = False) -> Any:
    """As :func:`median`, of what is not NaN."""
    return _flat("nanmedian", input, dim, keepdim)


def quantile(input: Operand, q: float, dim: int | None = None, keepdim: bool = False) -> Tensor:
    """The ``q`` quantile, of all elements or along ``dim``."""
    result: Tensor = _flat("quantile", input, dim, q, keepdim)
    return result


def norm(input: Operand, p: float | str = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Tensor:
    """The root of the sum of the ``p``-th powers of sizes; ``"fro"`` is 2, infinities give the greatest and least."""
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
    """The variance: squares of distances to the mean, summed, over the number of elements less ``correction`` (1)."""
    return _spread("var", input, dim, unbiased, keepdim, correction)


def std(
    input: Operand,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> Tensor:
    """The root of :func:`var`."""
    return _spread("std", input, dim, unbiased, keepdim, correction)


def var_mean(
    input: Operand,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> tuple[Tensor, Tensor]:
    """:func:`var` and the mean."""
    spread = _spread("var", input, dim, unbiased, keepdim, correction)
    return spread, table.get("mean")(input, None if isinstance(dim, bool) else dim, keepdim)


def std_mean(
    input: Operand,
    dim: Any = None,
    unbiased: bool | None = None,
    keepdim: bool = False,
    *,
    correction: int | None = None,
) -> tuple[Tensor, Tensor]:
    """:func:`std` and the mean."""
    spread = _spread("std", input, dim, unbiased, keepdim, correction)
    return spread, table.get("mean")(input, None if isinstance(dim, bool) else dim, keepdim)


def diff(input: Operand, n: int = 1, dim: int = -1) -> Tensor:
    """The differences between neighbours along ``dim``, ``n`` times."""
    x: Tensor = to_tensor(input)
    for _ in range(n):
        x = table.get("diff")(x, dim)
    return x


# --- places ---------------------------------------------------------------------------------


def _ints(values: Any) -> tuple[int, ...]:
    return tuple(values) if isinstance(values, (tuple, list)) else (values,)


def flip(input: Operand, *dims: Any) -> Tensor:
    """``input`` with the order along ``dims`` turned round."""
    x: Tensor = to_tensor(input)
    for dim in _ints(dims[0]) if len(dims) == 1 else dims:
        x = table.get("flip")(x, dim)
    return x


def roll(input: Operand, shifts: Any, dims: Any = None) -> Tensor:
    """``input`` moved on by ``shifts`` along ``dims``, or as one row; what falls off comes in again at the start."""
    x: Tensor = to_tensor(input)
    if dims is None:
        rolled: Tensor = table.get("roll")(x.reshape(-1), shifts, 0).reshape(x.shape)
        return rolled
    if len(_ints(shifts)) != len(_ints(dims)):
        raise CallError(f"roll(): {shifts!r} shifts for the dims {dims!r}", hint="one shift per dim")
    for shift, dim in zip(_ints(shifts), _ints(dims), strict=True):
        x = table.get("roll")(x, shift, dim)
    return x


def repeat_interleave(input: Operand, repeats: int, dim: int | None = None) -> Tensor:
    """Each element ``repeats`` times in a row, along ``dim`` or of all elements."""
    x: Tensor = to_tensor(input)
    result: Tensor = table.get("repeat_interleave")(x.reshape(-1) if dim is None else x, dim or 0, repeats)
    return result


def tile(input: Operand, *dims: Any) -> Tensor:
    """``input`` put side by side ``dims[a]`` times along axis ``a``; axes of 1 are added in front as needed."""
    x: Tensor = to_tensor(input)
    counts = _ints(dims[0]) if len(dims) == 1 else dims
    x = x.reshape((1,) * builtins.max(len(counts) - len(x.shape), 0) + tuple(x.shape))
    for axis, count in enumerate(reversed(counts), 1):
        if count != 1:
            x = table.get("tile")(x, -axis, count)
    return x


def _alike(name: str, tensors: Sequence[Operand]) -> list[Any]:
    """The tensors in one dtype."""
    if not isinstance(tensors, (tuple, list)) or not tensors:
        what = "an empty one" if isinstance(tensors, (tuple, list)) else type(tensors).__name__
        raise CallTypeError(f"{name}() takes a tuple or list of tensors, not {what}", hint=f"as in {name}((x, y))")
    given: list[Any] = [to_tensor(t) for t in tensors]
    common = reduce(promote_types, [t.dtype for t in given])
    return [converted(t, common) for t in given]


def cat(tensors: Sequence[Operand], dim: int = 0) -> Tensor:
    """The tensors one after the other along ``dim``, in the dtype that all of them fit into."""
    result: Tensor = ops.concat(_alike("cat", tensors), dim)
    return result


def stack(tensors: Sequence[Operand], dim: int = 0) -> Tensor:
    """The tensors, of one shape, side by side along a new axis ``dim``."""
    result: Tensor = ops.stack(_alike("stack", tensors), dim)
    return result


def vstack(tensors: Sequence[Operand]) -> Tensor:
    """The tensors one after the other along the first axis; those of one axis are rows."""
    return cat([t if len(t.shape) > 1 else t.reshape(1, -1) for t in _alike("vstack", tensors)])


def hstack(tensors: Sequence[Operand]) -> Tensor:
    """The tensors one after the other along the second axis, those of one axis along it."""
    given = [t if t.shape else t.reshape(1) for t in _alike("hstack", tensors)]
    return cat(given, 0 if len(given[0].shape) == 1 else 1)


def one_hot(input: Operand, num_classes: int = -1) -> Tensor:
    """A new last axis of ``num_classes``, 1 where its number is the element of ``input``, else 0."""
    x: Tensor = to_tensor(input)
    count = int(max(x).item()) + 1 if num_classes == -1 else num_classes
    result: Tensor = table.get("one_hot")(x, count)
    return result


def addmm(input: Operand, mat1: Operand, mat2: Operand, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """``beta * input + alpha * mat1 @ mat2``; ``input`` is broadcast."""
    x, a, b = to_tensor(input), to_tensor(mat1), to_tensor(mat2)
    if len(a.shape) == len(b.shape) == 2:
        x = x.expand(a.shape[0], b.shape[1])
    result: Tensor = table.get("addmm")(x, a, b, beta=beta, alpha=alpha)
    return result


def tensordot(a: Operand, b: Operand, dims: Any = 2) -> Tensor:
    """Products summed over the last ``dims`` axes of ``a`` and the first of ``b``, or over a pair of lists of axes."""
    x, y = _alike("tensordot", (a, b))
    if isinstance(dims, int):
        return _dotted(x, y, dims)
    left, right = ([d % builtins.max(len(t.shape), 1) for d in _ints(ds)] for t, ds in ((x, dims[0]), (y, dims[1])))
    x = x.permute((*(d for d in range(len(x.shape)) if d not in left), *left))
    y = y.permute((*right, *(d for d in range(len(y.shape)) if d not in right)))
    return _dotted(x, y, len(left))


def _dotted(x: Tensor, y: Tensor, axes: int) -> Tensor:
    result: Tensor = ops.get("tensordot")(x, y, K=axes)
    return result


# --- sizes that depend on the elements ------------------------------------------------------


def bincount(input: Operand, minlength: int = 0) -> Tensor:
    """How often each whole number from 0 up to the greatest, or ``minlength - 1``, is among the elements."""
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
    """The distinct elements in order; then for each element which of them it is, and how often each occurs."""
    return _distinct("unique_count", "unique", to_tensor(input), return_inverse, return_counts)


def unique_consecutive(input: Operand, return_inverse: bool = False, return_counts: bool = False) -> Any:
    """The elements without those equal to the one before; then as :func:`unique`."""
    return _distinct("count_runs", "unique_consecutive", to_tensor(input), return_inverse, return_counts)


# --- attention and normalisation ------------------------------------------------------------


def scaled_dot_product_attention(
    query: Operand,
    key: Operand,
    value: Operand,
    attn_mask: Operand = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """The mean of ``value`` weighted by the softmax of the scaled products of ``query`` and ``key``.

    ``attn_mask``: bools that say what takes part, or numbers added to the products. With ``enable_gqa`` several heads
    of ``query`` share one of ``key`` and ``value``. UnsupportedError for dropout.
    """
    if dropout_p:
        raise UnsupportedError("attention has no dropout yet", hint="leave dropout_p out")
    tensors = _alike("scaled_dot_product_attention", (query, key, value))
    mask = None if attn_mask is None else to_tensor(attn_mask)
    masks = (mask, None) if mask is not None and mask.dtype is bool_ else (None, mask)
    settings = {"is_causal": is_causal, "scale": scale or 0.0}
    if enable_gqa:
        group = tensors[0].shape[-3] // builtins.max(tensors[1].shape[-3], 1)
        grouped: Tensor = ops.get("grouped_attention")(*tensors, *masks, group=group, **settings)
        return grouped
    result: Tensor = ops.get("attention")(*tensors, *masks, **settings)
    return result


def _normed(name: str, input: Operand, shape: Any, operands: tuple[Operand, ...], eps: float) -> Tensor:
    x: Tensor = to_tensor(input)
    axes = len(_ints(shape))
    if tuple(x.shape[len(x.shape) - axes :]) != _ints(shape):
        raise CallError(
            f"{name}(): the last axes of {[*x.shape]} are not {[*_ints(shape)]}",
            hint="normalized_shape has their extents",
        )
    result: Tensor = ops.get(name)(x, *operands, R=axes, eps=eps)
    return result


def layer_norm(
    input: Operand, normalized_shape: Any, weight: Operand = None, bias: Operand = None, eps: float = 1e-5
) -> Tensor:
    """Elements less their mean over the last axes, of ``normalized_shape``, over the root of their variance."""
    return _normed("layer_norm", input, normalized_shape, (weight, bias), eps)


def rms_norm(input: Operand, normalized_shape: Any, weight: Operand = None, eps: float = 1e-6) -> Tensor:
    """Elements over the root of their mean square over the last axes, of ``normalized_shape``."""
    return _normed("rms_norm", input, normalized_shape, (weight,), eps)


METHODS: dict[str, Callable[..., Any]] = {
    "where": _where,
    "repeat": tile,
    **{name: _cast(name, to) for name, to in CASTS.items()},
}
"""Methods that are not functions of their name."""
