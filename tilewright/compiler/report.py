"""How long compiling takes, and where the time goes."""

from __future__ import annotations

import time
from typing import Any

from tilewright.compiler.op import Op
from tilewright.records import dataclass


@dataclass(frozen=True)
class CompileTimes:
    """Seconds: all in all, and in the target's own compiler (LLVM or cc)."""

    total: float
    target: float
    stages: dict[str, float]


def compile_times(op: Op, *operands: Any) -> CompileTimes:
    """Compiles one specialisation of ``op`` anew and reports the time; see :meth:`Op.text` for ``operands``."""
    request = op.request(operands, {}) if operands else op.default_request({}, 1, {})
    start = time.perf_counter()
    compilation = op.compilation(request)
    compilation.program()
    return CompileTimes(time.perf_counter() - start, compilation.seconds["target"], compilation.seconds)
