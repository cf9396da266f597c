"""Tilewright: ops written as math, compiled to fast kernels."""

from tilewright.compiler.driver import verify
from tilewright.compiler.op import Op
from tilewright.compiler.trace import trace
from tilewright.dsl.build import OpBuilder
from tilewright.errors import (
    CallError,
    CallTypeError,
    CheckError,
    InternalError,
    KernelIndexError,
    ScheduleError,
    SyntaxUserError,
    TilewrightError,
    UnsupportedError,
    UserError,
)
from tilewright.runtime import Tensor, get_threads, memory, set_threads, threads
from tilewright.runtime import to_tensor as tensor
from tilewright.stdlib import ops
from tilewright.stdlib.load import family, load, op

__all__ = [
    "CallError", "CallTypeError", "CheckError", "InternalError", "KernelIndexError", "Op", "OpBuilder",
    "ScheduleError", "SyntaxUserError", "Tensor", "TilewrightError", "UnsupportedError", "UserError", "family",
    "get_threads", "load", "memory", "op", "ops", "set_threads", "tensor", "threads", "trace", "verify",
]  # fmt: skip

__version__ = "0.1.0"
