"""Data types, and what is known of them: the standard's chapters on data types and inspection."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tilewright.errors import CallError
from tilewright.runtime import Tensor
from tilewright.runtime import result_type as promoted
from tilewright.runtime.dtypes import (
    bool_,
    dtype,
    float32,
    float64,
    int8,
    int16,
    int32,
    int64,
    uint8,
    uint16,
    uint32,
    uint64,
)
from tilewright.stdlib import ops
from tilewright.stdlib.tensor.conversion import coerce, converted
from tilewright.stdlib.tensor.devices import CPU, checked, device, names
from tilewright.stdlib.tensor.limits import finfo, iinfo

__all__ = ["__array_namespace_info__", "astype", "can_cast", "finfo", "iinfo", "isdtype", "result_type"]

_NUMBERS = (int8, int16, int32, int64, uint8, uint16, uint32, uint64, float32, float64)
_KINDS = {
    "bool": ("bool",),
    "signed integer": ("signed",),
    "unsigned integer": ("unsigned",),
    "integral": ("signed", "unsigned"),
    "real floating": ("float",),
    "complex floating": (),
    "numeric": ("signed", "unsigned", "float"),
}


def astype(x: Tensor, dtype: dtype, /, *, copy: bool = True, device: Any = None) -> Tensor:
    """``x`` in another dtype; a copy unless it has that dtype and ``copy`` is false."""
    checked(device)
    made: Any = converted(x, dtype)
    result: Tensor = ops.get("clone")(made) if copy and made is x else made
    return result


def _of(given: Any) -> dtype:
    return given.dtype if isinstance(given, Tensor) else given


def can_cast(from_: Any, to: dtype, /) -> bool:
    """Whether promotion turns ``from_``, an array or a dtype, into ``to``."""
    source = _of(from_)
    if source is to:
        return True
    if bool_ in (source, to) or (source.kind == "float") != (to.kind == "float"):
        return False
    return promoted(source, to) is to


def result_type(*arrays_and_dtypes: Any) -> dtype:
    """The dtype that arrays, dtypes and Python numbers have together; an array without axes counts like any."""
    return promoted(*map(_of, arrays_and_dtypes))


def together(name: str, *operands: Any) -> list[Any]:
    """The operands of the function ``name``, arrays in the dtype that the dtypes of all arrays have together.

    So an array without axes counts like any; Python numbers stay as they are.
    """
    given = [v if isinstance(v, (int, float)) else coerce(v, name, n) for n, v in enumerate(operands)]
    arrays = [v.dtype for v in given if isinstance(v, Tensor)]
    if len({*arrays}) < 2:
        return given
    common = promoted(*arrays)
    return [converted(v, common) if isinstance(v, Tensor) else v for v in given]


def isdtype(dtype: dtype, kind: Any) -> bool:
    """Whether a dtype is another one, of a kind such as "integral", or of one of several."""
    if isinstance(kind, tuple):
        return any(isdtype(dtype, k) for k in kind)
    if not isinstance(kind, str):
        return dtype is kind
    if kind not in _KINDS:
        raise CallError(f"isdtype(): there is no kind {kind!r}", hint=f"one of {', '.join(_KINDS)}")
    return dtype.kind in _KINDS[kind]


class Info:
    """What the namespace has."""

    def capabilities(self) -> dict[str, Any]:
        """Masks and data-dependent shapes are there; arrays have at most 32 axes."""
        return {"boolean indexing": True, "data-dependent shapes": True, "max dimensions": 32}

    def default_device(self) -> device:
        """The CPU."""
        return CPU

    def default_dtypes(self, *, device: Any = None) -> dict[str, dtype]:
        """What Python numbers become."""
        checked(device)
        return {"real floating": float32, "integral": int64, "indexing": int64}

    def devices(self) -> list[device]:
        """Those of all targets."""
        return [device(name) for name in names()]

    def dtypes(self, *, device: Any = None, kind: str | Sequence[str] | None = None) -> dict[str, dtype]:
        """The dtypes of the standard that there are, by name; those of a kind, or of several."""
        checked(device)
        wanted = tuple(_KINDS) if kind is None else kind if isinstance(kind, str) else tuple(kind)
        return {d.name: d for d in (bool_, *_NUMBERS) if isdtype(d, wanted)}


def __array_namespace_info__() -> Info:
    """What the namespace has."""
    return Info()
