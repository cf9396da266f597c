"""What the values of one dtype are and what the operations do to them: the base, integers and bools."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Union

from tilewright.errors import InternalError
from tilewright.ir.types import DType

Value = Union[bool, int, float]
Operation = Callable[..., Any]


class Numbers:
    """The values of one dtype and the operations on them.

    ``ops`` maps the names of ``ir.scalar.OPS`` whose operands are all of this dtype to functions.
    """

    def __init__(self, dtype: DType, ops: Mapping[str, Operation]) -> None:
        self.dtype = dtype
        self.ops = ops

    def constant(self, value: Value) -> Value:
        """The value of this dtype that a literal (or a host number) stands for."""
        raise InternalError(f"{self.dtype} has no literals")

    def truth(self, value: Any) -> bool:
        """The cast to bool."""
        return bool(value != 0)

    def integer(self, value: Any, low: int, high: int) -> int:
        """The cast to an integer type of the range low..high, before it wraps around."""
        return int(value)

    def real(self, value: Any) -> bool | int | float:
        """The number that a cast to a float or to the field starts from."""
        number: Value = value
        return number

    def from_real(self, value: Value) -> Value:
        """The second half of that cast."""
        return self.constant(value)

    def to_bits(self, value: Any) -> int:
        """The encoding as an unsigned integer."""
        return int(value)

    def from_bits(self, bits: int) -> Value:
        """The value of an encoding."""
        return bits

    def same(self, a: Any, b: Any) -> bool:
        """Whether two values are the same one, bit for bit (any nan is any other)."""
        return self.to_bits(a) == self.to_bits(b)


def comparisons(key: Callable[[Any], Any]) -> dict[str, Operation]:
    """The six comparisons, of keys."""
    return {
        "lt": lambda a, b: key(a) < key(b),
        "le": lambda a, b: key(a) <= key(b),
        "gt": lambda a, b: key(a) > key(b),
        "ge": lambda a, b: key(a) >= key(b),
        "eq": lambda a, b: key(a) == key(b),
        "ne": lambda a, b: key(a) != key(b),
    }


def extrema(key: Callable[[Any], Any]) -> dict[str, Operation]:
    """``min`` and ``max`` in a total order; of equal ones the first is kept."""
    return {
        "min": lambda a, b: a if key(a) <= key(b) else b,
        "max": lambda a, b: a if key(a) >= key(b) else b,
    }


def itself(value: Any) -> Any:
    return value


class Booleans(Numbers):
    """False and True, as Python's."""

    def __init__(self, dtype: DType) -> None:
        logic: dict[str, Operation] = {"and": lambda a, b: a and b, "or": lambda a, b: a or b, "not": lambda a: not a}
        super().__init__(dtype, {**comparisons(itself), **extrema(itself), **logic})

    def constant(self, value: Value) -> Value:
        return bool(value)

    def from_bits(self, bits: int) -> Value:
        return bits != 0


class Integers(Numbers):
    """Integers of a width that wrap around, as Python ints in range."""

    def __init__(self, dtype: DType) -> None:
        self.bits = dtype.bits
        self.low = -(1 << (dtype.bits - 1)) if dtype.kind == "int" else 0
        self.high = self.low + (1 << dtype.bits) - 1
        super().__init__(dtype, {**comparisons(itself), **extrema(itself), **self._arithmetic(), **self._bitwise()})

    def wrap(self, value: int) -> int:
        """``value`` modulo ``2**bits``, in range."""
        return ((value - self.low) & ((1 << self.bits) - 1)) + self.low

    def _arithmetic(self) -> dict[str, Operation]:
        wrap = self.wrap
        return {
            "add": lambda a, b: wrap(a + b),
            "sub": lambda a, b: wrap(a - b),
            "mul": lambda a, b: wrap(a * b),
            "floordiv": lambda a, b: wrap(a // b) if b else 0,
            "mod": lambda a, b: a % b if b else 0,
            "neg": lambda a: wrap(-a),
            "abs": lambda a: wrap(abs(a)),
        }

    def _bitwise(self) -> dict[str, Operation]:
        return {
            "bitand": lambda a, b: a & b,
            "bitor": lambda a, b: a | b,
            "bitxor": lambda a, b: a ^ b,
            "bitnot": lambda a: self.wrap(~a),
            "shl": lambda a, n: self.wrap(a << n) if 0 <= n < self.bits else 0,
            "shr": lambda a, n: a >> (n if 0 <= n < self.bits else self.bits),
        }

    def constant(self, value: Value) -> Value:
        return self.wrap(int(value))

    def to_bits(self, value: Any) -> int:
        return int(value) & ((1 << self.bits) - 1)

    def from_bits(self, bits: int) -> Value:
        return self.wrap(bits)
