"""The array API standard's namespace (2024.12, https://data-apis.org/array-api) over the same ops as eager tensors.

Complex dtypes and the extensions ``linalg`` and ``fft`` are absent.
"""

from typing import Any

from tilewright.runtime.dtypes import bool_ as bool
from tilewright.runtime.dtypes import (
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
from tilewright.stdlib.array_api import creation, dtypes, elementwise, manipulation, reductions

__array_api_version__ = "2024.12"

e = 2.718281828459045
pi = 3.141592653589793
inf = float("inf")
nan = float("nan")
newaxis = None

_ROOMS = (creation, dtypes, elementwise, manipulation, reductions)

__all__ = [
    "bool", "e", "float32", "float64", "inf", "int16", "int32", "int64", "int8", "nan", "newaxis", "pi", "uint16",
    "uint32", "uint64", "uint8",
]  # fmt: skip
__all__ += [name for room in _ROOMS for name in room.__all__]


def __getattr__(name: str) -> Any:
    for room in _ROOMS:
        if name in room.__all__:
            made = globals()[name] = getattr(room, name)
            return made
    raise AttributeError(f"the array API has no {name!r} here")
