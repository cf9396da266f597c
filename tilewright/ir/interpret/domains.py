"""The number systems that a program can be run in.

A domain says by which dtype's numbers each dtype is computed with: all floats as f64, every dtype as it
is, or all floats as the exact field. Integers and bools are always real.
"""

from __future__ import annotations

from collections.abc import Sequence

from tilewright.errors import InternalError, UnsupportedError
from tilewright.ir.interpret.exact import Field
from tilewright.ir.interpret.floats import Floats
from tilewright.ir.interpret.numbers import Booleans, Integers, Numbers, Operation, Value
from tilewright.ir.interpret.philox import bits
from tilewright.ir.scalar import OPS
from tilewright.ir.types import ALL, F64, FIELD, DType

_KINDS = {"bool": Booleans, "int": Integers, "uint": Integers, "float": Floats, "field": Field}
_NUMBERS: dict[DType, Numbers] = {t: _KINDS[t.kind](t) for t in ALL}


class Domain:
    """A number system; instances hold nothing."""

    def stand_in(self, dtype: DType) -> DType:
        """The dtype whose numbers are the values of ``dtype``."""
        raise NotImplementedError

    def numbers(self, dtype: DType) -> Numbers:
        """What the values of ``dtype`` are and what operations do to them."""
        return _NUMBERS[self.stand_in(dtype)]

    def constant(self, value: Value, dtype: DType) -> Value:
        """A literal or host number as a value of ``dtype``."""
        return self.numbers(dtype).constant(value)

    def same(self, a: Value, b: Value, dtype: DType) -> bool:
        """Whether two values are the same one, bit for bit (any nan is any other)."""
        return self.numbers(dtype).same(a, b)

    def operation(self, op: str, operands: Sequence[DType], result: DType) -> Operation:
        """The function that ``op`` is on operands of these dtypes; InternalError if it is none."""
        if op == "cast":
            return self.cast(operands[0], result)
        if op == "bitcast":
            return self.bitcast(operands[0], result)
        if op == "where":
            return lambda c, a, b: a if c else b
        if op == "bits":
            return bits
        return self._arithmetic(op, operands)

    def _arithmetic(self, op: str, operands: Sequence[DType]) -> Operation:
        dtype = operands[0]
        ops = self.numbers(dtype).ops
        known = op in OPS and dtype.kind in OPS[op].kinds and op in ops
        if not known or dtype.compute is not dtype or any(t is not dtype for t in operands):
            raise InternalError(f"there is no {op} on ({', '.join(map(str, operands))})")
        return ops[op]

    def cast(self, source: DType, to: DType) -> Operation:
        """The conversion by value from one dtype to another."""
        numbers, target = self.numbers(source), self.numbers(to)
        if numbers is target:
            return lambda v: v
        if isinstance(target, Booleans):
            return numbers.truth
        if isinstance(target, Integers):
            low, high, wrap = target.low, target.high, target.wrap
            return lambda v: wrap(numbers.integer(v, low, high))
        return lambda v: target.from_real(numbers.real(v))

    def store(self, source: DType, to: DType) -> Operation:
        """What storing a computed value does: rounding to a storage type, else nothing."""
        if source is not to and source is not to.compute:
            raise InternalError(f"a value of {source} is stored as {to}")
        return self.cast(source, to)

    def bitcast(self, source: DType, to: DType) -> Operation:
        """The conversion by encoding from one dtype to another of its width."""
        if source.bits != to.bits:
            raise InternalError(f"there is no bitcast from {source} to {to}")
        numbers, target = _NUMBERS[source], _NUMBERS[to]
        return lambda v: target.from_bits(numbers.to_bits(v))


class Typed(Domain):
    """Every dtype as it is."""

    def stand_in(self, dtype: DType) -> DType:
        return dtype


class Float64(Domain):
    """Every float as f64: nothing is rounded to a narrower one."""

    def stand_in(self, dtype: DType) -> DType:
        return F64 if dtype.is_float else dtype

    def bitcast(self, source: DType, to: DType) -> Operation:
        """Floats are rounded to the dtype whose encoding is asked for."""
        if FIELD in (source, to):
            raise UnsupportedError(f"bitcast from {source} to {to} has no meaning for numbers")
        numbers, by_encoding = _NUMBERS[source], super().bitcast(source, to)
        return lambda v: by_encoding(numbers.constant(v))


class Exact(Domain):
    """Every float as the exact field."""

    def stand_in(self, dtype: DType) -> DType:
        return FIELD if dtype.is_float else dtype

    def bitcast(self, source: DType, to: DType) -> Operation:
        """Only of dtypes whose values have the encoding that they say."""
        if "float" in (source.kind, to.kind):
            raise UnsupportedError(f"bitcast from {source} to {to} has no meaning in the exact field")
        return super().bitcast(source, to)


TYPED, FLOAT64, EXACT = Typed(), Float64(), Exact()
