"""Tilewright: ops written as math, compiled to fast kernels."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from tilewright.compiler import cache
from tilewright.compiler.mode import verify
from tilewright.compiler.op import Op
from tilewright.errors import (
    CallError,
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
from tilewright.runtime import Tensor, from_dlpack, get_threads, memory, safetensors, set_threads, threads
from tilewright.runtime import to_tensor as tensor
from tilewright.stdlib import ops
from tilewright.stdlib.load import family, load, op

if TYPE_CHECKING:
    from tilewright.compiler.trace import trace
    from tilewright.dsl.build import OpBuilder

__all__ = [
    "CallError", "CallTypeError", "CheckError", "FileFormatError", "InternalError", "KernelIndexError", "Op",
    "OpBuilder", "ScheduleError", "SyntaxUserError", "Tensor", "TilewrightError", "UnsupportedError", "UserError",
    "cache", "family", "from_dlpack", "get_threads", "load", "memory", "op", "ops", "safetensors", "set_threads",
    "tensor", "threads", "trace", "verify",
]  # fmt: skip

__version__ = "0.1.0"

_LATER = {"OpBuilder": "tilewright.dsl.build", "trace": "tilewright.compiler.trace"}
"""What is imported when it is asked for, since it brings the whole compiler with it."""


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module 'tilewright' has no attribute {name!r}")
