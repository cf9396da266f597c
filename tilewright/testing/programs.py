"""Hypothesis strategies of random tensor IR: well-typed functions in canonical form, and sizes to run them at."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import strategies as st

from tilewright.ir import types
from tilewright.ir.facts import Facts
from tilewright.ir.index import Index, const, ge, lt, minimum, symbol, symbols
from tilewright.ir.scalar import OPS, Const, Expr, IndexValue, Param, Read, Var, apply, convert, literal, substitute
from tilewright.ir.tensor import Axis, Compute, Function, Order, Reduction, ScalarInput, Scan, Scatter, Tensor
from tilewright.ir.types import BOOL, F32, I32, I64, U32, U64, DType

T = TypeVar("T")
Draw = Callable[[st.SearchStrategy[Any]], Any]

DTYPES = (types.F32, types.F64, types.F16, types.BF16, types.I32, types.I64, types.U8, types.BOOL)
KINDS = ("pointwise", "reduction", "tuple", "fold", "scan", "recurrence", "scatter")
_DIMS = ("M", "N", "K")
_ORDERS = (Order(), Order(), Order(2, 1), Order(4, 2), Order(4096, 64))
_SUMS = {"add": 0, "mul": 1, "max": None, "min": None}


def sizes(f: Function, largest: int = 5) -> st.SearchStrategy[dict[str, int]]:
    """Values of the dims of ``f``, 0 and 1 among them, that meet its preconditions."""
    least = 1 if f.preconditions else 0
    names = sorted({s for t in f.inputs for e in t.shape for s in symbols(e)})
    return st.fixed_dictionaries({n: st.integers(least, largest) for n in names})


@st.composite
def functions(
    draw: Draw,
    dtypes: Sequence[DType] = DTYPES,
    kinds: Sequence[str] = KINDS,
    statements: int = 3,
    math: bool = True,
) -> Function:
    """A random function with up to ``statements`` computes of ``kinds``; the last ones are its outputs.

    Its inputs have elements of ``dtypes``; ``math`` allows exp, log, sqrt and division. Every unguarded affine read
    is provably in bounds. Index operands (i32, i64; the dtype is not among ``dtypes`` then) may hold anything.
    """
    return _Maker(draw, dtypes, math).function(kinds, draw(st.integers(1, statements)))


class _Maker:
    def __init__(self, draw: Draw, dtypes: Sequence[DType], math: bool) -> None:
        self.draw = draw
        self.dtypes = tuple(dtypes)
        self.math = math
        self.tensors: list[Tensor] = []
        self.scalars: list[ScalarInput] = []
        self.conditions = [ge(symbol("N"), 1)] if draw(st.booleans()) else []

    def pick(self, choices: Sequence[T]) -> T:
        found: T = self.draw(st.sampled_from(list(choices)))
        return found

    def chance(self, one_in: int) -> bool:
        return bool(self.draw(st.integers(1, one_in)) == 1)

    # --- the function -----------------------------------------------------------------------

    def function(self, kinds: Sequence[str], count: int) -> Function:
        dims = tuple(symbol(d) for d in _DIMS)
        self.tensors.append(Tensor("x", self.pick(self.dtypes), dims))
        for name in ("a", "b")[: self.draw(st.integers(0, 2))]:
            self.tensors.append(Tensor(name, self.pick(self.dtypes), self.shape()))
        self.tensors.append(Tensor("idx", self.pick((I32, I64)), (self.pick(dims),)))
        inputs = tuple(self.tensors)
        if self.chance(3):
            self.scalars.append(ScalarInput("p", self.pick([d for d in self.dtypes if d is not BOOL] or [F32])))
        body = [self.statement(self.pick(kinds), n) for n in range(count)]
        outputs = dict.fromkeys(r.name for r in body[-1].results)
        outputs.update((c.results[0].name, None) for c in body if self.chance(3) or c.scatter)
        return Function("f", inputs, tuple(self.scalars), tuple(body), tuple(outputs), tuple(self.conditions))

    def shape(self) -> tuple[Index, ...]:
        extents = [*(symbol(d) for d in _DIMS), const(2), const(3)]
        return tuple(self.pick(extents) for _ in range(self.draw(st.integers(0, 3))))

    def axes(self, names: str, least: int = 0, most: int = 3) -> tuple[Axis, ...]:
        n, m = symbol("N"), symbol("M")
        extents = [n, m, symbol("K"), n, m, const(3), n + 1, (n + 1) // 2, minimum(n, m)]
        count = self.draw(st.integers(least, most))
        return tuple(Axis(name, self.pick(extents)) for name in names[:count])

    def statement(self, kind: str, number: int) -> Compute:
        self.outer = self.axes("ijk", 1 if kind in ("scan", "recurrence") else 0)
        self.inner: tuple[Axis, ...] = ()
        compute: Compute = getattr(self, f"_{kind}")(f"t{number}")
        self.tensors += compute.results
        return compute

    def result(self, name: str, dtype: DType) -> Tensor:
        """A result holding values of the compute dtype ``dtype``, sometimes rounded."""
        narrow = [d for d in self.dtypes if d is not dtype and d.compute is dtype]
        stored = self.pick(narrow) if narrow and self.chance(2) else dtype
        return Tensor(name, stored, tuple(a.extent for a in self.outer))

    # --- statements -------------------------------------------------------------------------

    def _pointwise(self, name: str) -> Compute:
        value = self.value(self.compute_dtype(), 3)
        result = self.result(name, value.dtype)
        return Compute((result,), self.outer, (convert("cast", value, result.dtype),))

    def _reduction(self, name: str) -> Compute:
        self.inner = self.axes("uv", 1, 2)
        value = self.value(self.compute_dtype(), 2)
        op = self.pick(("or", "and") if value.dtype is BOOL else tuple(_SUMS))
        acc, other = Var("acc", value.dtype), Var("other", value.dtype)
        orders = tuple(self.pick(_ORDERS) for _ in self.inner)
        init = literal(op == "and", BOOL) if value.dtype is BOOL else _identity(op, value.dtype)
        reduction = Reduction(self.inner, orders, (acc,), (init,), (other,), (apply(op, acc, other),))
        return Compute((self.result(name, value.dtype),), self.outer, (apply(op, acc, value),), reduction)

    def _tuple(self, name: str) -> Compute:
        """The largest value and its place."""
        self.inner = self.axes("u", 1, 1)
        value = self.value(self.number_dtype(), 2)
        accs = (Var("best", value.dtype), Var("at", I64))
        others = (Var("other", value.dtype), Var("there", I64))
        better = apply("gt", others[0], accs[0])
        tie = apply("and", apply("eq", others[0], accs[0]), apply("lt", others[1], accs[1]))
        merge = tuple(apply("where", apply("or", better, tie), o, a) for o, a in zip(others, accs, strict=True))
        element = (value, IndexValue(symbol("u")))
        steps = tuple(substitute(m, {}, dict(zip(others, element, strict=True))) for m in merge)
        init = (_identity("max", value.dtype), literal(0, I64))
        reduction = Reduction(self.inner, (self.pick(_ORDERS),), accs, init, others, merge)
        results = (self.result(name, value.dtype), self.result(f"{name}_at", I64))
        return Compute(results, self.outer, steps, reduction)

    def _fold(self, name: str) -> Compute:
        """A strict left fold."""
        self.inner = self.axes("uv", 1, 2)
        value = self.value(self.number_dtype(), 2)
        acc = Var("acc", value.dtype)
        step = apply("sub", value, apply("mul", acc, literal(2, value.dtype)))
        reduction = Reduction(self.inner, tuple(Order() for _ in self.inner), (acc,), (literal(1, value.dtype),))
        return Compute((self.result(name, value.dtype),), self.outer, (step,), reduction)

    def _scan(self, name: str) -> Compute:
        axis = self.pick(self.outer).name
        value = self.value(self.number_dtype(), 2)
        op = self.pick(tuple(_SUMS))
        acc, other = Var("acc", value.dtype), Var("other", value.dtype)
        init, merge = _identity(op, value.dtype), apply(op, acc, other)
        scan = Scan(axis, self.pick((1, 2, 3, 256)), (acc,), (init,), (other,), (merge,))
        return Compute((self.result(name, value.dtype),), self.outer, (apply(op, acc, value),), scan=scan, ordered=axis)

    def _recurrence(self, name: str) -> Compute:
        axis = self.pick(self.outer).name
        value = self.value(self.number_dtype(), 2)
        result = self.result(name, value.dtype)
        back = self.draw(st.integers(1, 2))
        indices = tuple(symbol(a.name) - (back if a.name == axis else 0) for a in self.outer)
        start = convert("cast", literal(1, value.dtype), result.dtype)
        previous = convert("cast", Read(name, indices, result.dtype, (), start), value.dtype)
        total = apply("add", apply("mul", previous, literal(2, value.dtype)), value)
        return Compute((result,), self.outer, (convert("cast", total, result.dtype),), ordered=axis)

    def _scatter(self, name: str) -> Compute:
        value = self.value(self.number_dtype(), 2)
        shape = self.shape()
        indices = tuple(self.index(e, guarded=False) for e in shape)
        scatter = Scatter(indices, "add", literal(0, value.dtype))
        return Compute((Tensor(name, value.dtype, shape),), self.outer, (value,), scatter=scatter)

    # --- expressions ------------------------------------------------------------------------

    def compute_dtype(self) -> DType:
        return self.pick(self.dtypes).compute

    def number_dtype(self) -> DType:
        return self.pick([d for d in self.dtypes if d is not BOOL] or [F32]).compute

    @property
    def axes_here(self) -> tuple[Axis, ...]:
        return (*self.outer, *self.inner)

    def facts(self) -> Facts:
        ranges = {a.name: (const(0), a.extent) for a in self.axes_here}
        return Facts(ranges, self.conditions, _DIMS)

    def value(self, dtype: DType, depth: int) -> Expr:
        if depth == 0 or self.chance(4):
            return self.leaf(dtype)
        if dtype is BOOL:
            return self.truth(depth)
        if self.chance(4):
            return convert("cast", self.value(self.compute_dtype(), depth - 1), dtype)
        op = self.pick(self.operations(dtype))
        if op == "where":
            return apply(op, self.value(BOOL, depth - 1), self.value(dtype, depth - 1), self.value(dtype, depth - 1))
        return apply(op, *(self.value(dtype, depth - 1) for _ in range(OPS[op].arity)))

    def operations(self, dtype: DType) -> list[str]:
        ops = ["add", "sub", "mul", "min", "max", "neg", "where"]
        if dtype.is_integer:
            ops += ["floordiv", "mod", "bitand", "bitor", "bitxor", "bitnot", "shl", "shr", "abs"]
        if dtype.is_float:
            ops += ["fma", "abs", *(("exp", "log", "sqrt", "div") if self.math else ())]
        return ops

    def truth(self, depth: int) -> Expr:
        if self.chance(2):
            op = self.pick(("and", "or", "not"))
            return apply(op, *(self.value(BOOL, depth - 1) for _ in range(OPS[op].arity)))
        dtype = self.compute_dtype()
        op = self.pick(("lt", "le", "gt", "ge", "eq", "ne"))
        return apply(op, self.value(dtype, depth - 1), self.value(dtype, depth - 1))

    def leaf(self, dtype: DType) -> Expr:
        found = [t for t in self.tensors if t.dtype.compute is dtype]
        params = [s for s in self.scalars if s.dtype.compute is dtype]
        if found and not self.chance(4):
            return self.read(self.pick(found))
        if params and self.chance(2):
            return convert("cast", Param(params[0].name, params[0].dtype), dtype)
        if dtype is I64 and self.axes_here and self.chance(2):
            return IndexValue(symbol(self.pick(self.axes_here).name))
        if dtype is U32 and self.axes_here and self.chance(2):
            return apply("bits", literal(7, U64), literal(1, U64), IndexValue(symbol(self.axes_here[0].name)))
        return self.constant(dtype)

    def constant(self, dtype: DType) -> Const:
        if dtype is BOOL:
            return Const(bool(self.draw(st.booleans())), BOOL)
        if dtype.is_float:
            return Const(float(self.draw(st.integers(-4, 4))) / 2, dtype)
        return Const(self.draw(st.integers(0 if dtype.kind == "uint" else -5, 5)), dtype)

    def read(self, t: Tensor) -> Expr:
        guarded = self.chance(3)
        indices = tuple(self.index(e, guarded) for e in t.shape)
        otherwise = convert("cast", self.constant(t.dtype.compute), t.dtype) if guarded else None
        return convert("cast", Read(t.name, indices, t.dtype, (), otherwise), t.dtype.compute)

    def index(self, extent: Index, guarded: bool) -> Index | Expr:
        """An index into an axis of ``extent``: provably inside unless ``guarded``, or looked up."""
        axes = [symbol(a.name) for a in self.axes_here]
        candidates = [const(0), *axes, *(extent - 1 - a for a in axes), *(a // 2 for a in axes)]
        candidates += [a + b for a in axes for b in axes if a is not b]
        known = self.facts()
        inside = [c for c in candidates if known.prove(ge(c, 0)) and known.prove(lt(c, extent))]
        shifted = [a * k + c for a in axes for k in (1, 2) for c in (-1, 1)] if guarded else []
        lookup = self.lookup() if not (inside or shifted) or self.chance(5) else None
        return lookup or self.pick(inside + shifted)

    def lookup(self) -> Expr:
        """An element of the index operand."""
        idx = next(t for t in self.tensors if t.name == "idx")
        known = self.facts()
        axes = [symbol(a.name) for a in self.axes_here]
        inside = [a for a in axes if known.prove(lt(a, idx.shape[0]))]
        if inside:
            return Read("idx", (self.pick(inside),), idx.dtype)
        return Read("idx", (const(1),), idx.dtype, (), literal(0, idx.dtype))


def _identity(op: str, dtype: DType) -> Expr:
    number = _SUMS[op]
    if number is not None:
        return literal(number, dtype)
    if dtype.is_float:
        return literal(float("-inf" if op == "max" else "inf"), dtype)
    low = 0 if dtype.kind == "uint" else -(1 << (dtype.bits - 1))
    return literal(low if op == "max" else low + (1 << dtype.bits) - 1, dtype)
