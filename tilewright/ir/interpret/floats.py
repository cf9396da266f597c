"""Binary floating point: every operation rounded to the format of its dtype."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tilewright.ir.interpret.functions import MEANINGS
from tilewright.ir.interpret.numbers import Numbers, Operation, Value, comparisons, itself
from tilewright.ir.interpret.rounding import (
    FORMATS,
    Format,
    fma,
    from_bits,
    next_after,
    round_float,
    round_integer,
    to_bits,
)
from tilewright.ir.types import DType


def _divide(a: float, b: float) -> float:
    if b != 0:
        return a / b
    if a == 0 or math.isnan(a):
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


_EXTREMA: dict[str, Operation] = {
    "min": lambda a, b: a if a <= b or math.isnan(a) else b,
    "max": lambda a, b: a if a >= b or math.isnan(a) else b,
}

_EXACT: dict[str, Operation] = {
    "neg": lambda a: -a,
    "abs": abs,
    "isnan": math.isnan,
    "isinf": math.isinf,
    "isfinite": math.isfinite,
    "signbit": lambda a: not math.isnan(a) and math.copysign(1.0, a) < 0,
}

_ROUNDED: dict[str, Callable[..., float]] = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": _divide,
    **MEANINGS,
}
"""Operations of f64. Rounding their results once more to f32 is rounding once: f64 has more than
twice the bits (for functions that are rounded in f64 too, but in cases too rare to be met)."""


def _rounding(f: Callable[..., float], to: Format) -> Operation:
    return f if to.bits == 64 else lambda *args: round_float(f(*args), to)


class Floats(Numbers):
    """The values of a float dtype, as Python floats that the dtype can hold."""

    def __init__(self, dtype: DType) -> None:
        self.format = FORMATS[dtype]
        rounded = {name: _rounding(f, self.format) for name, f in _ROUNDED.items()}
        by_format: dict[str, Operation] = {
            "fma": lambda a, b, c: fma(a, b, c, self.format),
            "nextafter": lambda a, b: next_after(a, b, self.format),
        }
        super().__init__(dtype, {**comparisons(itself), **_EXTREMA, **_EXACT, **rounded, **by_format})

    def constant(self, value: Value) -> Value:
        if isinstance(value, float):
            return round_float(value, self.format)
        return round_integer(int(value), self.format)

    def integer(self, value: Any, low: int, high: int) -> int:
        """Truncates; saturates outside of the range; nan gives 0."""
        if math.isfinite(value):
            truncated: int = math.trunc(value)
            return max(low, min(high, truncated))
        return 0 if math.isnan(value) else (high if value > 0 else low)

    def to_bits(self, value: Any) -> int:
        return to_bits(value, self.format)

    def from_bits(self, bits: int) -> Value:
        return from_bits(bits, self.format)

    def same(self, a: Any, b: Any) -> bool:
        return self.to_bits(a) == self.to_bits(b) or (math.isnan(a) and math.isnan(b))
