"""What a call gives, and how two calls differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Union

import numpy as np

from tilewright.ir.interpret import Domain, IndexFault
from tilewright.ir.interpret.arrays import HostArray, decode
from tilewright.ir.interpret.exact import is_finite, low, second
from tilewright.ir.tensor import Tensor
from tilewright.ir.types import FIELD, DType

Outcome = Union[Mapping[str, HostArray], IndexFault]
"""The outputs by name, or the index that was out of range."""


def outcome(run: Callable[[], Mapping[str, HostArray]]) -> Outcome:
    """What ``run`` gives or raises."""
    try:
        return run()
    except IndexFault as fault:
        return fault


def difference(actual: Outcome, expected: Outcome, outputs: Iterable[Tensor], domain: Domain) -> str | None:
    """Where two outcomes differ, in words; None where they do not (any nan is any other)."""
    if isinstance(actual, IndexFault) or isinstance(expected, IndexFault):
        faults = [x if isinstance(x, IndexFault) else None for x in (actual, expected)]
        return fault_difference(*faults)
    for t in outputs:
        found = _array_difference(actual[t.name], expected[t.name], t, domain)
        if found is not None:
            return found
    return None


def _array_difference(actual: HostArray, expected: HostArray, t: Tensor, domain: Domain) -> str | None:
    if actual.shape != expected.shape:
        return f"{t.name!r} has the shape {actual.shape}, not {expected.shape}"
    cells = (decode(x, t.dtype, domain) for x in (actual, expected))
    for n, (a, e) in enumerate(zip(*cells, strict=True)):
        if not domain.same(a, e, t.dtype):
            where = [int(i) for i in np.unravel_index(n, expected.shape)]
            return f"{t.name}{where} is {said(a, t.dtype, domain)}, not {said(e, t.dtype, domain)}"
    return None


def fault_difference(actual: IndexFault | None, expected: IndexFault | None) -> str | None:
    """How two notes of an index out of range differ, in words; None where they do not."""
    if _noted(actual) == _noted(expected):
        return None
    words = (fault.message if fault else "no index is refused" for fault in (actual, expected))
    return "; expected: ".join(words)


def _noted(fault: IndexFault | None) -> tuple[int, int, int] | None:
    return None if fault is None else (fault.operand, fault.position, fault.value)


def said(value: Any, dtype: DType, domain: Domain) -> str:
    """A value in words: a finite element of the field is its two residues."""
    if value is None:
        return "never written"
    if domain.stand_in(dtype) is not FIELD:
        return str(value)
    return f"({low(value)}, {second(value)})" if is_finite(value) else f"the atom {value:#x}"
