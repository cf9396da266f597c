"""Random scalar expressions over the tensors and axes at hand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from tilewright.ir.facts import Facts
from tilewright.ir.functions import FUNCTIONS
from tilewright.ir.index import Condition, Index, const, ge, lt, symbol
from tilewright.ir.scalar import OPS, Const, Expr, IndexValue, Param, Read, apply, convert, literal
from tilewright.ir.tensor import Axis, ScalarInput, Tensor
from tilewright.ir.types import BOOL, BY_NAME, F32, I32, I64, U32, U64, DType
from tilewright.testing.choices import Choices

DIMS = ("N", "M", "K")
INDEX = "idx"
"""The operand that data-dependent indices are read from."""

_ANY = ("min", "max")
_NUMBER = ("add", "sub", "mul", "neg", "abs")
FUNCTION = "function"
ALL_FUNCTIONS = tuple(FUNCTIONS)
EXACT_FUNCTIONS = tuple(name for name, f in FUNCTIONS.items() if f.is_exact)
_INTEGER = ("floordiv", "mod", "bitand", "bitor", "bitxor", "bitnot", "shl", "shr")


class Expressions:
    """Draws values at a point of ``outer`` and ``inner``, which the statement in the making sets.

    ``math`` allows functions like exp, which interpreters round otherwise than targets do.
    """

    def __init__(self, choices: Choices, dtypes: Sequence[DType], math: bool) -> None:
        self.integer, self.pick, self.chance = choices.integer, choices.pick, choices.chance
        self.dtypes = tuple(dtypes)
        self.math = math
        self.tensors: list[Tensor] = []
        self.scalars: list[ScalarInput] = []
        self.conditions: tuple[Condition, ...] = ()
        self.dims = tuple(map(symbol, DIMS))
        self.outer: tuple[Axis, ...] = ()
        self.inner: tuple[Axis, ...] = ()

    def compute_dtype(self) -> DType:
        return self.pick(self.dtypes).compute

    def number_dtype(self) -> DType:
        return self.pick([d for d in self.dtypes if d is not BOOL] or [F32]).compute

    @property
    def axes(self) -> tuple[Axis, ...]:
        return (*self.outer, *self.inner)

    # --- values -----------------------------------------------------------------------------

    def value(self, dtype: DType, depth: int) -> Expr:
        """An expression of a compute dtype, at most ``depth`` operations deep."""
        if depth == 0 or self.pick((True, False, False, False)):
            return self.leaf(dtype)
        if self.chance(5):
            return self.converted(dtype, depth - 1)
        if dtype is BOOL and not self.chance(4):
            return self.truth(depth)
        if self.chance(5):
            return apply("where", self.truth(depth - 1), self.value(dtype, depth - 1), self.value(dtype, depth - 1))
        op = self.pick(self.operations(dtype))
        if op == FUNCTION:
            op = self.pick(ALL_FUNCTIONS if self.math else EXACT_FUNCTIONS)
        return apply(op, *(self.value(dtype, depth - 1) for _ in range(OPS[op].arity)))

    def converted(self, dtype: DType, depth: int) -> Expr:
        """A value of another dtype, cast; or the bits of the integer of the other signedness."""
        if dtype.is_integer and self.chance(3):
            other = BY_NAME[f"{'i' if dtype.kind == 'uint' else 'u'}{dtype.bits}"]
            return convert("bitcast", self.value(other, depth), dtype)
        return convert("cast", self.value(self.compute_dtype(), depth), dtype)

    def operations(self, dtype: DType) -> tuple[str, ...]:
        """The operations from values of ``dtype`` to one; FUNCTION stands for any function of mathematics."""
        if dtype is BOOL:
            return _ANY
        if dtype.is_integer:
            return _NUMBER + _ANY + _INTEGER
        return _NUMBER + _ANY + ("fma", "div", FUNCTION) + (("exp", FUNCTION) if self.math else ())

    def truth(self, depth: int) -> Expr:
        """A comparison, or several of them."""
        if depth > 0 and self.chance(3):
            op = self.pick(("and", "or", "not"))
            return apply(op, *(self.truth(depth - 1) for _ in range(OPS[op].arity)))
        dtype, below = self.compute_dtype(), max(depth - 1, 0)
        if dtype.is_float and self.chance(3):
            return apply(self.pick(("isnan", "isinf", "isfinite", "signbit")), self.value(dtype, below))
        op = self.pick(("lt", "le", "gt", "ge", "eq", "ne"))
        return apply(op, self.value(dtype, below), self.value(dtype, below))

    def leaf(self, dtype: DType) -> Expr:
        found = [t for t in self.tensors if t.dtype.compute is dtype]
        params = [s for s in self.scalars if s.dtype.compute is dtype]
        if not found and not self.chance(3):
            return convert("cast", self.read(self.pick(self.tensors)), dtype)
        if found and not self.chance(4):
            return self.read(self.pick(found))
        if params and not self.chance(2):
            return convert("cast", Param(params[0].name, params[0].dtype), dtype)
        if dtype in (U32, I64, F32) and self.axes and self.chance(3):
            return self.counted(dtype)
        return self.constant(dtype)

    def counted(self, dtype: DType) -> Expr:
        """A value that depends on the place alone: an axis, random bits, or a uniform number."""
        at = IndexValue(symbol(self.pick(self.axes).name))
        if dtype is I64:
            return at
        seeds = [Param(s.name, U64) for s in self.scalars if s.dtype is U64]
        bits = apply("bits", seeds[0] if seeds else literal(7, U64), literal(2**40 + 1, U64), at)
        if dtype is U32:
            return bits
        return apply("mul", convert("cast", apply("shr", bits, literal(8, U32)), F32), literal(2.0**-24, F32))

    def constant(self, dtype: DType) -> Const:
        if dtype is BOOL:
            return Const(bool(self.integer(0, 1)), BOOL)
        if dtype.is_float:
            return Const(float(self.integer(-4, 4)) / 2, dtype)
        return Const(self.integer(0 if dtype.kind == "uint" else -5, 5), dtype)

    # --- reads ------------------------------------------------------------------------------

    def read(self, t: Tensor) -> Expr:
        """An element of ``t``, widened; it is guarded if no plain index fits, and now and then."""
        inside = [self.inside(e) for e in t.shape]
        guarded = self.chance(5) or not all(inside) and not self.chance(3)
        beyond = self.beyond() if guarded else []
        indices = tuple(self.index([*i, *beyond]) for i in inside)
        otherwise = convert("cast", self.constant(t.dtype.compute), t.dtype) if guarded else None
        return convert("cast", Read(t.name, indices, t.dtype, (), otherwise), t.dtype.compute)

    def index(self, choices: Sequence[Index]) -> Index | Expr:
        """One of ``choices``, or one that is looked up."""
        return self.lookup() if not choices or self.chance(8) else self.pick(choices)

    def inside(self, extent: Index) -> list[Index]:
        """Indices that are provably inside an axis of ``extent``."""
        axes = [symbol(a.name) for a in self.axes]
        candidates = [*axes, *(extent - 1 - a for a in axes), *(a // 2 for a in axes)]
        candidates += [*(a + b for a in axes for b in axes if a is not b), const(0)]
        return [c for c in candidates if self.within(c, extent)]

    def beyond(self) -> list[Index]:
        """Indices that need a guard."""
        axes = [symbol(a.name) for a in self.axes]
        return [a * k + c for a in axes for k in (1, 2) for c in (-1, 1)]

    def within(self, i: Index, extent: Index) -> bool:
        """Whether ``0 <= i < extent`` certainly holds here."""
        return _within(self.axes, self.conditions, i, extent)

    def lookup(self) -> Expr:
        """An element of the index operand."""
        idx = next(t for t in self.tensors if t.name == INDEX)
        inside = [symbol(a.name) for a in self.axes if self.within(symbol(a.name), idx.shape[0])]
        if inside:
            return Read(INDEX, (self.pick(inside),), idx.dtype)
        return Read(INDEX, (const(1),), idx.dtype, (), literal(0, idx.dtype))


INDEX_DTYPES = (I32, I64)


@lru_cache(maxsize=100_000)
def _within(axes: tuple[Axis, ...], conditions: tuple[Condition, ...], i: Index, extent: Index) -> bool:
    known = _facts(axes, conditions)
    return bool(known.prove(ge(i, 0)) and known.prove(lt(i, extent)))


@lru_cache(maxsize=100)
def _facts(axes: tuple[Axis, ...], conditions: tuple[Condition, ...]) -> Facts:
    return Facts({a.name: (const(0), a.extent) for a in axes}, conditions, DIMS)
