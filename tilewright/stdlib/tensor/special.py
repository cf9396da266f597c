"""Functions of tensors whose parameters are several of PyTorch's forms at once: they choose and call others."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeAlias

from tilewright.errors import CallError, CallTypeError, UnsupportedError
from tilewright.runtime import Tensor, to_tensor
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
from tilewright.stdlib.tensor.arguments import source
from tilewright.stdlib.tensor.conversion import Operand, alike, converted, ints
from tilewright.stdlib.tensor.joining import tile

__all__ = [
    "addmm", "allclose", "clamp", "div", "einsum", "equal", "isclose", "layer_norm", "positive", "rms_norm",
    "scaled_dot_product_attention", "tensordot",
]  # fmt: skip

Number: TypeAlias = bool | int | float

NO_METHODS = (
    "cat", "einsum", "hstack", "layer_norm", "one_hot", "rms_norm", "scaled_dot_product_attention", "stack", "vstack",
    "where",
)  # fmt: skip
IN_PLACE = ("clamp", "div")


# --- elements -------------------------------------------------------------------------------


def positive(input: Operand) -> Tensor:
    """``input`` itself, of any shape. CallTypeError for bools and for what is no tensor.

    >>> import tilewright as tw
    >>> tw.positive(tw.tensor([1, -1])).tolist()
    [1, -1]
    """
    x = source("positive", input)
    if x.dtype is bool_:
        raise CallTypeError("positive(): a tensor of bools has no signs", hint="x.to(dtype) converts a tensor")
    return x


def div(input: Operand, other: Operand, *, rounding_mode: Literal["floor", "trunc"] | None = None) -> Tensor:
    """``input / other``; rounded down with ``rounding_mode="floor"``, towards 0 with ``"trunc"``.

    Shapes broadcast. Operands are promoted to one dtype; without a rounding mode integers and bools count as the
    default float, with one they stay integers. CallError for another mode and shapes that do not broadcast.

    >>> import tilewright as tw
    >>> tw.div(tw.tensor([7, -7]), 2).tolist(), tw.div(tw.tensor([7, -7]), 2, rounding_mode="floor").tolist()
    ([3.5, -3.5], [3, -4])
    """
    names = {None: "true_divide", "floor": "floor_divide", "trunc": "trunc_divide"}
    if rounding_mode not in names:
        raise CallError(f"div(): rounding_mode is not {rounding_mode!r}", hint="None, 'floor' or 'trunc'")
    result: Tensor = table.get(names[rounding_mode])(input, other)
    return result


def clamp(input: Operand, min: Operand = None, max: Operand = None) -> Tensor:
    """``input`` where it is between ``min`` and ``max``, else the nearer of them; each a number, a tensor or None.

    Shapes broadcast. Integers and floats keep their dtype, but for integers and a bound that is a float number:
    float32. CallTypeError for bools, CallError without bounds and for shapes that do not broadcast.

    >>> import tilewright as tw
    >>> tw.clamp(tw.tensor([-1, 2, 5]), 0, 3).tolist(), tw.clamp(tw.tensor([-1, 2]), min=0.5).tolist()
    ([0, 2, 3], [0.5, 2.0])
    """
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


CAST = """``self`` in tw.{to}, of the same shape; itself if it has that dtype. See ``to`` for what becomes of numbers.

>>> import tilewright as tw
>>> tw.tensor([0, 1]).{name}().dtype
tilewright.{to}
"""


def _cast(name: str, to: dtype) -> Callable[[Any], Any]:
    def cast(self: Any) -> Any:
        return converted(self, to)

    cast.__name__ = cast.__qualname__ = name
    cast.__doc__ = CAST.format(name=name, to=to.name)
    return cast


def _where(self: Any, condition: Operand, other: Operand) -> Any:
    """``self`` where ``condition``, of bools, holds, else ``other``: ``where`` with the first two operands swapped.

    Shapes broadcast; ``self`` and ``other`` are promoted to one dtype. CallTypeError for another condition, CallError
    for shapes that do not broadcast.

    >>> import tilewright as tw
    >>> x = tw.tensor([1, -1])
    >>> x.where(x > 0, 0).tolist()
    [1, 0]
    """
    return table.get("where")(condition, self, other)


CASTS = {
    "bfloat16": bfloat16, "bool": bool_, "byte": uint8, "char": int8, "double": float64, "float": float32,
    "half": float16, "int": int32, "long": int64, "short": int16,
}  # fmt: skip


def isclose(input: Operand, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether elements differ by at most ``atol + rtol * abs(other)``, or are equal; NaNs only with ``equal_nan``.

    Shapes broadcast; the result has bools, the operands are integers or floats, promoted to one dtype. CallTypeError
    for bools, CallError for shapes that do not broadcast.

    >>> import tilewright as tw
    >>> tw.isclose(tw.tensor([1.0, 2.0]), tw.tensor([1.0 + 1e-7, 2.1])).tolist()
    [True, False]
    """
    x: Any = to_tensor(input)
    y: Any = to_tensor(other)
    near: Tensor = (x == y) | ((x - y).abs() <= atol + rtol * y.abs()) & y.isfinite()
    return table.get("bitwise_or")(near, x.isnan() & y.isnan()) if equal_nan else near


def allclose(input: Operand, other: Operand, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> bool:
    """Whether all elements are close: operands and errors as in :func:`isclose`, the result is a Python bool.

    >>> import tilewright as tw
    >>> tw.allclose(tw.tensor([1.0, 2.0]), tw.tensor([1.0, 2.0 + 1e-7]))
    True
    """
    return bool(table.get("all")(isclose(input, other, rtol, atol, equal_nan)).item())


def equal(input: Operand, other: Operand) -> bool:
    """Whether two tensors have the same shape and equal elements, as a Python bool; dtypes may differ, they are
    promoted.

    CallTypeError for what is no tensor or array.

    >>> import tilewright as tw
    >>> tw.equal(tw.tensor([1, 2]), tw.tensor([1.0, 2.0])), tw.equal(tw.zeros(2), tw.zeros(1, 2))
    (True, False)
    """
    x, y = to_tensor(input), to_tensor(other)
    return x.shape == y.shape and bool(table.get("all")(table.get("eq")(x, y)).item())


# --- products -------------------------------------------------------------------------------


def addmm(input: Operand, mat1: Operand, mat2: Operand, *, beta: Number = 1, alpha: Number = 1) -> Tensor:
    """``beta * input + alpha * mat1 @ mat2``; ``input`` is broadcast.

    Shapes: ``mat1`` [M, K], ``mat2`` [K, N] -> [M, N]; integers or floats, promoted to one dtype. CallError for shapes
    that do not fit, CallTypeError for bools.

    >>> import tilewright as tw
    >>> tw.addmm(tw.ones(2), tw.eye(2), tw.eye(2), alpha=3).tolist()
    [[4.0, 1.0], [1.0, 4.0]]
    """
    x, a, b = to_tensor(input), to_tensor(mat1), to_tensor(mat2)
    if len(a.shape) == len(b.shape) == 2:
        x = x.expand(a.shape[0], b.shape[1])
    result: Tensor = table.get("addmm")(x, a, b, beta=beta, alpha=alpha)
    return result


def tensordot(a: Operand, b: Operand, dims: Any = 2) -> Tensor:
    """Products summed over the last ``dims`` axes of ``a`` and the first of ``b``, or over a pair of lists of axes.

    Shapes: the other axes of ``a``, then those of ``b``; integers or floats, promoted to one dtype. CallError where
    axes that are summed over have different extents, CallTypeError for bools.

    >>> import tilewright as tw
    >>> x = tw.arange(6).reshape(2, 3)
    >>> tw.tensordot(x, x, ([1], [1])).tolist(), tw.tensordot(x, x.T, 1).shape
    ([[5, 14], [14, 50]], (2, 2))
    """
    x, y = alike("tensordot", (a, b))
    if isinstance(dims, int):
        return _dotted(x, y, dims)
    left, right = ([d % builtins.max(len(t.shape), 1) for d in ints(ds)] for t, ds in ((x, dims[0]), (y, dims[1])))
    x = x.permute((*(d for d in range(len(x.shape)) if d not in left), *left))
    y = y.permute((*right, *(d for d in range(len(y.shape)) if d not in right)))
    return _dotted(x, y, len(left))


def _dotted(x: Tensor, y: Tensor, axes: int) -> Tensor:
    result: Tensor = ops.get("tensordot")(x, y, K=axes)
    return result


def einsum(equation: str, *operands: Any) -> Tensor:
    """The sum of products that ``equation`` says: ``"ij,jk->ik"`` is a product of matrices.

    ``equation``: the letters of each operand's axes, with commas between them; after ``->`` those of the result, else
    the letters that stand once, in alphabetical order. A letter twice in a term is a diagonal; ``...`` stands for axes
    that broadcast. Shapes: axes of one letter have one extent, or 1, which is stretched. ``operands``, which may be one
    list, are integers or floats, promoted to one dtype; several products are taken from left to right. CallError where
    the equation or the number of operands is wrong or extents differ, CallTypeError for bools.

    >>> import tilewright as tw
    >>> x = tw.arange(6).reshape(2, 3)
    >>> tw.einsum("ij,kj->ik", x, x).tolist(), tw.einsum("ij->j", x).tolist()
    ([[5, 14], [14, 50]], [3, 5, 7])
    """
    from tilewright.stdlib.families.einsum import parsed

    given = operands[0] if len(operands) == 1 and isinstance(operands[0], (tuple, list)) else operands
    terms, _ = parsed(equation, len(given))
    result: Tensor = ops.einsum(equation, *_stretched(terms, alike("einsum", given)))
    return result


def _stretched(terms: Sequence[Sequence[str]], tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors, axes of extent 1 stretched to what others have under their letter; not those of a diagonal."""
    letters = [_letters(term, len(x.shape)) for term, x in zip(terms, tensors, strict=True)]
    extents = {
        letter: n
        for own, x in zip(letters, tensors, strict=True)
        for letter, n in zip(own, x.shape, strict=False)
        if n != 1
    }
    shapes = [
        [
            extents.get(letter, 1) if n == 1 and own.count(letter) == 1 else n
            for letter, n in zip(own, x.shape, strict=False)
        ]
        for own, x in zip(letters, tensors, strict=True)
    ]
    return [x.expand(shape) for x, shape in zip(tensors, shapes, strict=True)]


def _letters(term: Sequence[str], axes: int) -> list[str | int]:
    """The letter of each axis; of those that ``...`` stands for, and that have none, their numbers from the end."""
    before = term.index("...") if "..." in term else len(term)
    behind = len(term) - before - ("..." in term)
    return [*term[:before], *range(before - axes + behind, 0), *term[len(term) - behind :]]


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

    Shapes: ``query`` [..., L, D], ``key`` [..., S, D], ``value`` [..., S, E] -> [..., L, E], where ... broadcasts;
    floats, promoted to one dtype. ``attn_mask`` [..., L, S]: bools that say what takes part, or numbers added to the
    products; with ``is_causal`` row i takes part up to column i. ``scale`` is 1/sqrt(D) for None. With ``enable_gqa``
    several heads of ``query`` share one of ``key`` and ``value`` (Ainslie et al., "GQA", 2023). CallError for shapes
    that do not fit, CallTypeError for other dtypes, UnsupportedError for dropout. Source: Vaswani et al., "Attention is
    all you need", 2017.

    >>> import tilewright as tw
    >>> q, k, v = tw.zeros(1, 4), tw.zeros(2, 4), tw.tensor([[1.0], [3.0]])
    >>> tw.scaled_dot_product_attention(q, k, v).tolist()
    [[2.0]]
    """
    if dropout_p:
        raise UnsupportedError("attention has no dropout yet", hint="leave dropout_p out")
    tensors = alike("scaled_dot_product_attention", (query, key, value))
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
    axes = len(ints(shape))
    if tuple(x.shape[len(x.shape) - axes :]) != ints(shape):
        raise CallError(
            f"{name}(): the last axes of {[*x.shape]} are not {[*ints(shape)]}",
            hint="normalized_shape has their extents",
        )
    result: Tensor = ops.get(name)(x, *operands, R=axes, eps=eps)
    return result


def layer_norm(
    input: Operand, normalized_shape: Any, weight: Operand = None, bias: Operand = None, eps: float = 1e-5
) -> Tensor:
    """Elements less their mean over the last axes, of ``normalized_shape``, over the root of their variance plus
    ``eps``.

    The result has the shape and dtype of ``input``, floats; ``weight`` and ``bias``, of ``normalized_shape``, scale and
    shift it. CallError for axes that ``input`` does not end with, CallTypeError for other dtypes. Source: Ba, Kiros,
    Hinton, "Layer normalization", 2016.

    >>> import tilewright as tw
    >>> tw.layer_norm(tw.tensor([[1.0, 3.0]]), (2,), eps=0.0).tolist()
    [[-1.0, 1.0]]
    """
    return _normed("layer_norm", input, normalized_shape, (weight, bias), eps)


def rms_norm(input: Operand, normalized_shape: Any, weight: Operand = None, eps: float = 1e-6) -> Tensor:
    """Elements over the root of their mean square plus ``eps`` over the last axes, of ``normalized_shape``.

    The result has the shape and dtype of ``input``, floats; ``weight``, of ``normalized_shape``, scales it. CallError
    for axes that ``input`` does not end with, CallTypeError for other dtypes. Source: Zhang, Sennrich, "Root mean
    square layer normalization", 2019.

    >>> import tilewright as tw
    >>> tw.rms_norm(tw.tensor([[1.0, 7.0]]), (2,), eps=0.0).tolist()
    [[0.20000000298023224, 1.399999976158142]]
    """
    return _normed("rms_norm", input, normalized_shape, (weight,), eps)


METHODS: dict[str, Callable[..., Any]] = {
    "where": _where,
    "repeat": tile,
    **{name: _cast(name, to) for name, to in CASTS.items()},
}
"""Methods that are not functions of their name."""
