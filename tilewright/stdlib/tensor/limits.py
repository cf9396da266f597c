"""What is known of dtypes and of values, under PyTorch's names."""

from __future__ import annotations

from typing import Any, NamedTuple

from tilewright.errors import CallTypeError
from tilewright.runtime import Tensor
from tilewright.runtime.dtypes import dtype
from tilewright.stdlib.tensor.arguments import source, span
from tilewright.stdlib.tensor.creation import get_default_dtype

__all__ = ["finfo", "iinfo", "is_floating_point", "is_tensor"]

_FORMS = {"f16": (10, 15, 3), "bf16": (7, 127, 2), "f32": (23, 127, 6), "f64": (52, 1023, 15)}
"""Digits of the mantissa, greatest exponent, decimal digits (IEEE 754; bfloat16)."""


class FloatLimits(NamedTuple):
    """The limits of a float dtype."""

    bits: int
    eps: float
    max: float
    min: float
    smallest_normal: float
    tiny: float
    resolution: float
    dtype: dtype


class IntLimits(NamedTuple):
    """The limits of an integer dtype."""

    bits: int
    max: int
    min: int
    dtype: dtype


def finfo(type: dtype | Tensor | None = None, /) -> FloatLimits:
    """The limits of a float dtype, of that of a tensor, or of the default one. CallTypeError for other dtypes.

    >>> import tilewright as tw
    >>> tw.finfo(tw.float16).max, tw.finfo(tw.bfloat16).eps
    (65504.0, 0.0078125)
    """
    of: Any = get_default_dtype() if type is None else type.dtype if isinstance(type, Tensor) else type
    if not isinstance(of, dtype) or not of.is_floating_point:
        raise CallTypeError(f"finfo(): {of!r} is no float", hint="as in finfo(tw.float32); iinfo is of integers")
    digits, bias, decimals = _FORMS[of.code]
    largest, smallest = (2.0 - 2.0**-digits) * 2.0**bias, 2.0 ** (1 - bias)
    return FloatLimits(8 * of.itemsize, 2.0**-digits, largest, -largest, smallest, smallest, 10.0**-decimals, of)


def iinfo(type: dtype | Tensor, /) -> IntLimits:
    """The limits of an integer dtype, or of that of a tensor. CallTypeError for other dtypes.

    >>> import tilewright as tw
    >>> tw.iinfo(tw.int8).min, tw.iinfo(tw.uint16).max
    (-128, 65535)
    """
    of: Any = type.dtype if isinstance(type, Tensor) else type
    if not isinstance(of, dtype) or of.kind not in ("signed", "unsigned"):
        raise CallTypeError(f"iinfo(): {of!r} is no integer", hint="as in iinfo(tw.int32); finfo is of floats")
    low, high = span(of)
    return IntLimits(8 * of.itemsize, high, low, of)


def is_tensor(obj: object, /) -> bool:
    """Whether ``obj`` is a tensor.

    >>> import tilewright as tw
    >>> tw.is_tensor(tw.zeros(1)), tw.is_tensor(1)
    (True, False)
    """
    return isinstance(obj, Tensor)


def is_floating_point(input: Tensor, /) -> bool:
    """Whether the dtype of a tensor, of any shape, is a float. CallTypeError for what is no tensor.

    >>> import tilewright as tw
    >>> tw.is_floating_point(tw.zeros(1))
    True
    """
    return source("is_floating_point", input).dtype.is_floating_point
