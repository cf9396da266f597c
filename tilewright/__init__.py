"""Tilewright: ops written as math, compiled to fast kernels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tilewright.compiler import cache
from tilewright.compiler.mode import verify
from tilewright.compiler.op import Op
from tilewright.errors import (
    CallError,
    CallIndexError,
    CallTypeError,
    CheckError,
    FileFormatError,
    InternalError,
    KernelIndexError,
    ScheduleError,
    SyntaxUserError,
    TilewrightError,
    UnsupportedError,
    UserError,
)
from tilewright.runtime import (
    from_dlpack,
    get_threads,
    memory,
    promote_types,
    result_type,
    safetensors,
    set_threads,
    threads,
)
from tilewright.runtime.dtypes import (
    bfloat16,
    dtype,
    float16,
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
from tilewright.runtime.dtypes import bool_ as bool
from tilewright.stdlib import ops
from tilewright.stdlib.load import family, load, op
from tilewright.stdlib.tensor import Tensor, functions
from tilewright.stdlib.tensor import creation as _creation
from tilewright.stdlib.tensor import devices as _devices
from tilewright.stdlib.tensor import generators as _generators
from tilewright.stdlib.tensor import indexing as _indexing
from tilewright.stdlib.tensor import lazy as _lazy
from tilewright.stdlib.tensor import limits as _limits
from tilewright.stdlib.tensor import printing as _printing
from tilewright.stdlib.tensor import random as _random
from tilewright.stdlib.tensor import sequences as _sequences
from tilewright.stdlib.tensor import views as _views
from tilewright.stdlib.tensor.creation import *
from tilewright.stdlib.tensor.devices import *
from tilewright.stdlib.tensor.generators import *
from tilewright.stdlib.tensor.indexing import *
from tilewright.stdlib.tensor.lazy import *
from tilewright.stdlib.tensor.limits import *
from tilewright.stdlib.tensor.printing import *
from tilewright.stdlib.tensor.random import *
from tilewright.stdlib.tensor.sequences import *
from tilewright.stdlib.tensor.views import *

if TYPE_CHECKING:
    from tilewright.compiler.trace import trace
    from tilewright.dsl.build import OpBuilder
    from tilewright.stdlib.tensor.api import *  # found by __getattr__

__all__ = [
    "CallError", "CallIndexError", "CallTypeError", "CheckError", "FileFormatError", "InternalError",
    "KernelIndexError", "Op", "OpBuilder", "ScheduleError", "SyntaxUserError", "Tensor", "TilewrightError",
    "UnsupportedError", "UserError", "bfloat16", "bool", "cache", "dtype", "family", "float16", "float32", "float64",
    "from_dlpack", "get_threads", "int16", "int32", "int64", "int8", "load", "memory", "op", "ops", "promote_types",
    "result_type", "safetensors", "set_threads", "threads", "trace", "uint16", "uint32", "uint64", "uint8", "verify",
]  # fmt: skip
__all__ += _creation.__all__ + _devices.__all__ + _indexing.__all__ + _printing.__all__ + _random.__all__
__all__ += _views.__all__ + _limits.__all__ + _lazy.__all__ + _sequences.__all__ + _generators.__all__

__version__ = "0.1.0"

_LATER = {"OpBuilder": "tilewright.dsl.build", "trace": "tilewright.compiler.trace"}
"""What is imported when it is asked for, since it brings the whole compiler with it."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    try:
        function = functions.get(name)
    except AttributeError:
        raise AttributeError(f"module 'tilewright' has no attribute {name!r}") from None
    globals()[name] = function
    return function
