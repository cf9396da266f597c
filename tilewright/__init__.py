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
from tilewright.runtime import from_dlpack, get_threads, memory, safetensors, set_threads, threads
from tilewright.runtime import to_tensor as tensor
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
from tilewright.stdlib.tensor.views import (
    as_strided,
    atleast_1d,
    atleast_2d,
    atleast_3d,
    broadcast_shapes,
    broadcast_tensors,
    broadcast_to,
    chunk,
    diagonal,
    dsplit,
    flatten,
    hsplit,
    meshgrid,
    moveaxis,
    movedim,
    narrow,
    numel,
    permute,
    ravel,
    reshape,
    select,
    split,
    squeeze,
    swapaxes,
    swapdims,
    t,
    tensor_split,
    transpose,
    unbind,
    unflatten,
    unfold,
    unsqueeze,
    vsplit,
)

if TYPE_CHECKING:
    from tilewright.compiler.trace import trace
    from tilewright.dsl.build import OpBuilder

__all__ = [
    "CallError", "CallIndexError", "CallTypeError", "CheckError", "FileFormatError", "InternalError",
    "KernelIndexError", "Op", "OpBuilder", "ScheduleError", "SyntaxUserError", "Tensor", "TilewrightError",
    "UnsupportedError", "UserError", "as_strided", "atleast_1d", "atleast_2d", "atleast_3d", "bfloat16", "bool",
    "broadcast_shapes", "broadcast_tensors", "broadcast_to", "cache", "chunk", "diagonal", "dsplit", "dtype",
    "family", "flatten", "float16", "float32", "float64", "from_dlpack", "get_threads", "hsplit", "int16", "int32",
    "int64", "int8", "load", "memory", "meshgrid", "moveaxis", "movedim", "narrow", "numel", "op", "ops", "permute",
    "ravel", "reshape", "safetensors", "select", "set_threads", "split", "squeeze", "swapaxes", "swapdims", "t",
    "tensor", "tensor_split", "threads", "trace", "transpose", "uint16", "uint32", "uint64", "uint8", "unbind",
    "unflatten", "unfold", "unsqueeze", "verify", "vsplit",
]  # fmt: skip

__version__ = "0.1.0"

_LATER = {"OpBuilder": "tilewright.dsl.build", "trace": "tilewright.compiler.trace"}
"""What is imported when it is asked for, since it brings the whole compiler with it."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    try:
        return functions.get(name)
    except AttributeError:
        raise AttributeError(f"module 'tilewright' has no attribute {name!r}") from None
