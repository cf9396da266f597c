"""Functions of elements, and products: the standard's chapters on elementwise functions and linear algebra."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from tilewright.runtime import Tensor
from tilewright.stdlib.array_api.dtypes import together
from tilewright.stdlib.tensor import creation, functions

_SAME = (
    "abs", "acos", "acosh", "add", "asin", "asinh", "atan", "atan2", "atanh", "bitwise_and", "bitwise_left_shift",
    "bitwise_or", "bitwise_right_shift", "bitwise_xor", "ceil", "copysign", "cos", "cosh", "divide", "exp", "expm1",
    "floor", "floor_divide", "greater", "greater_equal", "hypot", "isfinite", "isinf", "isnan", "less", "less_equal",
    "log", "log10", "log1p", "log2", "logaddexp", "logical_and", "logical_not", "logical_or", "logical_xor", "matmul",
    "maximum", "minimum", "multiply", "negative", "nextafter", "not_equal", "positive", "pow", "reciprocal",
    "remainder", "round", "signbit", "sin", "sinh", "sqrt", "square", "subtract", "tan", "tanh", "trunc",
)  # fmt: skip

_OTHER = {"bitwise_invert": "bitwise_not", "equal": "eq"}

__all__ = [*_SAME, *_OTHER, "clip", "conj", "imag", "matrix_transpose", "real", "sign", "tensordot", "vecdot", "where"]


def _named(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """A function with the standard's parameters, which have no names."""

    if name in _TWO:

        def two(x1: Any, x2: Any, /) -> Any:
            return function(*together(name, x1, x2))

        made: Callable[..., Any] = two
    else:

        def one(x: Any, /) -> Any:
            return function(x)

        made = one
    made.__name__ = made.__qualname__ = name
    made.__doc__ = f"See :func:`tilewright.{getattr(function, '__name__', name)}`."
    return made


_TWO = (
    "add", "atan2", "bitwise_and", "bitwise_left_shift", "bitwise_or", "bitwise_right_shift", "bitwise_xor", "copysign",
    "divide", "equal", "floor_divide", "greater", "greater_equal", "hypot", "less", "less_equal", "logaddexp",
    "logical_and", "logical_or", "logical_xor", "matmul", "maximum", "minimum", "multiply", "nextafter", "not_equal",
    "pow", "remainder", "subtract",
)  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _SAME and name not in _OTHER:
        raise AttributeError(f"the namespace has no {name!r}")
    made = globals()[name] = _named(name, functions.get(_OTHER.get(name, name)))
    return made


def conj(x: Tensor, /) -> Tensor:
    """``x`` itself: no array is complex."""
    return x


def real(x: Tensor, /) -> Tensor:
    """``x`` itself: no array is complex."""
    return x


def imag(x: Tensor, /) -> Tensor:
    """Zeros: no array is complex."""
    return creation.zeros_like(x)


def sign(x: Tensor, /) -> Any:
    """-1, 0 or 1; NaN for NaN."""
    signs = functions.get("sign")(x)
    return functions.get("where")(functions.get("isnan")(x), x, signs) if x.dtype.is_floating_point else signs


def clip(x: Any, /, min: Any = None, max: Any = None) -> Any:
    """``x`` where it is between ``min`` and ``max``, else the nearer of them, in the dtype of ``x``."""
    if min is None and max is None:
        return functions.get("clone")(x)
    return functions.get("clamp")(x, min, max).to(x.dtype)


def where(condition: Any, x1: Any, x2: Any, /) -> Any:
    """``x1`` where ``condition`` holds, else ``x2``."""
    return functions.get("where")(condition, *together("where", x1, x2))


def matrix_transpose(x: Tensor, /) -> Tensor:
    """The last two axes exchanged."""
    return x.mT


def vecdot(x1: Tensor, x2: Tensor, /, *, axis: int = -1) -> Any:
    """The sums of products along ``axis`` of each; the other axes broadcast."""
    last = [x.moveaxis(axis, -1) for x in together("vecdot", x1, x2)]
    return functions.get("vecdot")(*last, dim=-1)


def tensordot(x1: Tensor, x2: Tensor, /, *, axes: int | tuple[Sequence[int], Sequence[int]] = 2) -> Any:
    """The sums of products over the last ``axes`` axes of ``x1`` and the first of ``x2``, or over axes by name."""
    return functions.get("tensordot")(*together("tensordot", x1, x2), axes)
