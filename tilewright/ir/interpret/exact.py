"""The exact field of docs/architecture.md, on packed 64-bit cells.

Laws hold in it exactly (a sum does not depend on its order, exp(a + b) == exp(a) * exp(b)), so two
programs that mean the same compute the same cells.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tilewright.errors import UnsupportedError
from tilewright.ir.functions import FUNCTIONS
from tilewright.ir.interpret.numbers import Numbers, Operation, Value, comparisons, extrema
from tilewright.ir.types import DType

P = 2147483579
Q = 1073741789
NONE = 0xFFFFFFFF
NEG_INF = 0xFFFFFFFF_FFFFFFFE
POISON = 0xFFFFFFFF_FFFFFFFF


def cell(p: int, q: int | None = None) -> int:
    """The cell of the residues of ``p`` mod P and ``q`` mod Q (None: none)."""
    return (NONE if q is None else q % Q) << 32 | p % P


def low(v: int) -> int:
    return v & 0xFFFFFFFF


def second(v: int) -> int | None:
    """The residue mod Q, or None for none."""
    high = v >> 32
    return None if high == NONE else high


def is_finite(v: int) -> bool:
    """Whether the cell is a pair of residues, not an atom."""
    return low(v) < P


def from_fraction(num: int, den: int) -> int:
    """The field's element num/den; the denominator must not be a multiple of P or Q."""
    return cell(num * pow(den, -1, P), num * pow(den, -1, Q))


def literal(value: Value) -> int:
    """A literal: the exact fraction; -inf is the atom; inf and nan are poison."""
    if math.isfinite(value):
        return from_fraction(*value.as_integer_ratio())
    return NEG_INF if value == -math.inf else POISON


def hashed(v: int, salt: int) -> int:
    """``hash<salt>`` of the low word, below P."""
    h = low(low(v) + salt * 0x9E3779B9)
    h ^= h >> 16
    h = low(h * 0x7FEB352D)
    h ^= h >> 15
    h = low(h * 0x846CA68B)
    h ^= h >> 16
    return h % P


def rank(v: int) -> int:
    """The place in the total order: -inf, then the residues mod P, then poison."""
    return 0 if v == NEG_INF else low(v) + 1


def _on_residues(f: Callable[[int, int], int]) -> Callable[[int, int], int]:
    """``f`` on both residues of two finite cells."""

    def apply(a: int, b: int) -> int:
        qa, qb = second(a), second(b)
        return cell(f(low(a), low(b)), None if qa is None or qb is None else f(qa, qb))

    return apply


_plus = _on_residues(lambda a, b: a + b)
_minus = _on_residues(lambda a, b: a - b)
_times = _on_residues(lambda a, b: a * b)


def add(a: int, b: int) -> int:
    if is_finite(a) and is_finite(b):
        return _plus(a, b)
    return NEG_INF if NEG_INF in (a, b) and (is_finite(a) or is_finite(b)) else POISON


def sub(a: int, b: int) -> int:
    if is_finite(a) and is_finite(b):
        return _minus(a, b)
    return NEG_INF if a == NEG_INF and is_finite(b) else POISON


def mul(a: int, b: int) -> int:
    return _times(a, b) if is_finite(a) and is_finite(b) else POISON


def div(a: int, b: int) -> int:
    if not (is_finite(a) and is_finite(b)) or low(b) == 0 or second(b) == 0:
        return POISON
    q = second(b)
    return _times(a, cell(pow(low(b), P - 2, P), None if q is None else pow(q, Q - 2, Q)))


def neg(v: int) -> int:
    return sub(0, v)


def absolute(v: int) -> int:
    return v if low(v) <= P // 2 else neg(v)


def exp(v: int) -> int:
    if v == NEG_INF:
        return 0
    if v == POISON:
        return POISON
    q = second(v)
    return cell(hashed(v, 1) if q is None else pow(4, q, P))


def _hash_function(salt: int, arity: int) -> Operation:
    """``hash<salt>``; of two cells, the hash of the first one's hash plus the second."""
    if arity == 1:
        return lambda v: cell(hashed(v, salt)) if is_finite(v) else POISON
    return lambda a, b: cell(hashed(hashed(a, salt) + low(b), salt)) if is_finite(a) and is_finite(b) else POISON


_HASHES: dict[str, Operation] = {name: _hash_function(f.salt, f.arity) for name, f in FUNCTIONS.items()}


class Field(Numbers):
    """The field's elements, as cells."""

    def __init__(self, dtype: DType) -> None:
        arithmetic: dict[str, Operation] = {
            "add": add,
            "sub": sub,
            "mul": mul,
            "div": div,
            "neg": neg,
            "abs": absolute,
            "fma": lambda a, b, c: add(mul(a, b), c),
            **_HASHES,
            "exp": exp,
            "isnan": lambda v: False,
            "isinf": lambda v: v == NEG_INF,
            "isfinite": is_finite,
            "signbit": lambda v: v == NEG_INF or is_finite(v) and low(v) > (P - 1) // 2,
        }
        super().__init__(dtype, {**comparisons(rank), **extrema(rank), **arithmetic})

    def constant(self, value: Value) -> Value:
        return literal(value)

    def truth(self, value: Any) -> bool:
        return low(value) != 0

    def integer(self, value: Any, low: int, high: int) -> int:
        return hashed(value, 4)

    def real(self, value: Any) -> bool | int | float:
        raise UnsupportedError("an element of the exact field is no real number")

    def from_bits(self, bits: int) -> Value:
        return bits
