"""Hypothesis strategies of random tensor IR: well-typed functions in canonical form, and sizes to run them at."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import strategies as st

from tilewright.ir import types
from tilewright.ir.index import Index, const, ge, minimum, symbol, symbols
from tilewright.ir.scalar import Expr, IndexValue, Read, Var, apply, convert, identity, literal, substitute
from tilewright.ir.tensor import (
    SCATTERS,
    Axis,
    Compute,
    Function,
    Order,
    Reduction,
    ScalarInput,
    Scan,
    Scatter,
    Sort,
    Statement,
    Steps,
    Tensor,
    computes,
)
from tilewright.ir.types import BOOL, FIELD, I64, U64, DType
from tilewright.passes.tensor.eliminate_dead import eliminate_dead
from tilewright.testing.choices import Choices, strategy
from tilewright.testing.expressions import INDEX, INDEX_DTYPES, Expressions

DTYPES = (types.F32, *(t for t in types.ALL if t not in (types.F32, FIELD)))
"""Every dtype but the field, which :class:`~tilewright.passes.tensor.in_field.InField` puts in the place of floats."""
KINDS = ("pointwise", "reduction", "tuple", "fold", "scan", "recurrence", "sort", "scatter", "steps")
ORDERED_KINDS = (*KINDS, "mix")
"""With reductions that no other order, grouping or exchange of sides gets past: their result is not a field's."""

_State = tuple[Tensor, tuple[Axis, ...]]
"""A result of steps and the axes of its statement."""
_ORDERS = (Order(), Order(4096, 64), Order(2, 1), Order(4, 2), Order(8, 2))
_SUMS = {"add": 0, "mul": 1, "max": None, "min": None}


def functions(
    dtypes: Sequence[DType] = DTYPES, kinds: Sequence[str] = KINDS, statements: int = 3, math: bool = True
) -> st.SearchStrategy[Function]:
    """Functions as :func:`make_function` makes them."""
    return strategy(make_function, dtypes, kinds, statements, math)


def sizes(f: Function, largest: int = 5) -> st.SearchStrategy[dict[str, int]]:
    """Sizes as :func:`make_sizes` makes them."""
    return strategy(make_sizes, f, largest)


def make_sizes(choices: Choices, f: Function, largest: int = 5, long: int | None = None) -> dict[str, int]:
    """Values of the dims of ``f``, 0 and 1 among them, that meet its preconditions; now and then one up to ``long``."""
    least = 1 if f.preconditions else 0
    names = sorted({s for t in f.inputs for e in t.shape for s in symbols(e)})
    found = {n: choices.integer(least, largest) for n in names}
    if long and choices.chance(3):
        found = {n: min(size, 3) for n, size in found.items()} | {choices.pick(names): choices.integer(least, long)}
    return found


def make_function(
    choices: Choices,
    dtypes: Sequence[DType] = DTYPES,
    kinds: Sequence[str] = KINDS,
    statements: int = 3,
    math: bool = True,
) -> Function:
    """A random function of up to ``statements`` computes of ``kinds``; its outputs need all of them.

    Up to three of ``dtypes`` are used; ``math`` allows functions that are rounded. Every unguarded affine read is
    provably in bounds. The operand ``idx`` (i32 or i64) is what data-dependent indices are read from; it may hold
    anything.
    """
    palette = choices.some(dtypes, 1, 3)
    return _Maker(choices, palette, math).function(kinds, choices.integer(1, statements))


class _Maker(Expressions):
    # --- the function -----------------------------------------------------------------------

    def function(self, kinds: Sequence[str], count: int) -> Function:
        self.conditions = (ge(symbol("N"), 1),) if self.chance(2) else ()
        self.tensors = [Tensor("x", self.pick(self.dtypes), self.dims)]
        self.tensors += [Tensor(name, self.pick(self.dtypes), self.shape()) for name in ("a", "b") if self.chance(2)]
        self.tensors.append(Tensor(INDEX, self.pick(INDEX_DTYPES), (self.pick(self.dims),)))
        inputs = tuple(self.tensors)
        self.scalars = [ScalarInput(name, d) for name, d in self.scalar_choices() if self.chance(3)]
        body = [self.statement(self.pick(kinds), n) for n in range(count)]
        outputs = dict.fromkeys(r.name for c in computes((body[-1],)) for r in c.results)
        outputs.update((c.results[0].name, None) for c in computes(tuple(body)) if self.chance(3) or c.scatter)
        return eliminate_dead(Function("f", inputs, tuple(self.scalars), tuple(body), tuple(outputs), self.conditions))

    def scalar_choices(self) -> list[tuple[str, DType]]:
        return [("p", self.pick(self.dtypes)), ("seed", U64)]

    def shape(self) -> tuple[Index, ...]:
        extents = [*self.dims, *self.dims, const(2), const(3)]
        return tuple(self.pick(extents) for _ in range(self.integer(0, 3)))

    def some_axes(self, names: str, least: int = 0, most: int = 3) -> tuple[Axis, ...]:
        n, m = symbol("N"), symbol("M")
        odd = [const(3), n + 1, (n + 1) // 2, minimum(n, m)]
        count = self.integer(least, most)
        return tuple(Axis(name, self.pick(odd if self.chance(4) else self.dims)) for name in names[:count])

    def statement(self, kind: str, number: int) -> Statement:
        self.outer = self.some_axes("ijk", 1 if kind in ("scan", "recurrence", "sort", "steps") else 0)
        self.inner = ()
        made: Statement = getattr(self, f"_{kind}")(f"t{number}")
        self.tensors += [r for c in computes((made,)) for r in c.results]
        return made

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
        self.inner = self.some_axes("uv", 1, 2)
        value = self.value(self.compute_dtype(), 2)
        op = self.pick(("or", "and") if value.dtype is BOOL else tuple(_SUMS))
        acc, other = Var("acc", value.dtype), Var("other", value.dtype)
        init = literal(op == "and", BOOL) if value.dtype is BOOL else _identity(op, value.dtype)
        reduction = Reduction(self.inner, self.orders(), (acc,), (init,), (other,), (apply(op, acc, other),))
        return Compute((self.result(name, value.dtype),), self.outer, (apply(op, acc, value),), reduction)

    def _tuple(self, name: str) -> Compute:
        """The largest value and its place."""
        self.inner = self.some_axes("u", 1, 1)
        value = self.value(self.number_dtype(), 2)
        accs = (Var("best", value.dtype), Var("at", I64))
        others = (Var("other", value.dtype), Var("there", I64))
        better = apply("gt", others[0], accs[0])
        tie = apply("and", apply("eq", others[0], accs[0]), apply("lt", others[1], accs[1]))
        merge = tuple(apply("where", apply("or", better, tie), o, a) for o, a in zip(others, accs, strict=True))
        element = (value, IndexValue(symbol("u")))
        steps = tuple(substitute(m, {}, dict(zip(others, element, strict=True))) for m in merge)
        init = (_identity("max", value.dtype), literal(0, I64))
        reduction = Reduction(self.inner, self.orders(), accs, init, others, merge)
        results = (self.result(name, value.dtype), self.result(f"{name}_at", I64))
        return Compute(results, self.outer, steps, reduction)

    def _fold(self, name: str) -> Compute:
        """A strict left fold."""
        self.inner = self.some_axes("uv", 1, 2)
        value = self.value(self.number_dtype(), 2)
        acc = Var("acc", value.dtype)
        step = apply("sub", value, apply("mul", acc, literal(2, value.dtype)))
        reduction = Reduction(self.inner, tuple(Order() for _ in self.inner), (acc,), (literal(1, value.dtype),))
        return Compute((self.result(name, value.dtype),), self.outer, (step,), reduction)

    def _mix(self, name: str) -> Compute:
        """A reduction whose result says in which order it was made."""
        self.inner = self.some_axes("uv", 1, 2)
        value = self.value(self.number_dtype(), 1)
        acc, other = Var("acc", value.dtype), Var("other", value.dtype)
        step, merge = (_mixed(acc, factor, b) for factor, b in ((3, value), (7, other)))
        reduction = Reduction(self.inner, self.orders(), (acc,), (literal(1, value.dtype),), (other,), (merge,))
        return Compute((self.result(name, value.dtype),), self.outer, (step,), reduction)

    def _scan(self, name: str) -> Compute:
        axis = self.pick(self.outer).name
        value = self.value(self.number_dtype(), 2)
        op = self.pick(tuple(_SUMS))
        acc, other = Var("acc", value.dtype), Var("other", value.dtype)
        init, merge = _identity(op, value.dtype), apply(op, acc, other)
        scan = Scan(axis, self.pick((256, 1, 2, 3)), (acc,), (init,), (other,), (merge,))
        return Compute((self.result(name, value.dtype),), self.outer, (apply(op, acc, value),), scan=scan)

    def _recurrence(self, name: str) -> Steps:
        """One statement that reads itself at earlier points of an axis."""
        axis = self.pick(self.outer)
        value = self.value(self.number_dtype(), 2)
        result = self.result(name, value.dtype)
        back = self.integer(1, 2)
        indices = tuple(symbol(a.name) - (back if a is axis else 0) for a in self.outer)
        start = convert("cast", literal(1, value.dtype), result.dtype)
        previous = convert("cast", Read(name, indices, result.dtype, (), start), value.dtype)
        total = apply("add", apply("mul", previous, literal(2, value.dtype)), value)
        return Steps((axis,), (Compute((result,), self.outer, (convert("cast", total, result.dtype),)),))

    def _steps(self, name: str) -> Steps:
        """Up to three statements that read each other's results at other steps, and now and then at the same."""
        axes = self.outer
        stepped = axes[: self.integer(1, min(2, len(axes)))]
        overs = [self.shuffled(axes) for _ in range(self.integer(1, 3))]
        states = []
        for n, self.outer in enumerate(overs):
            states.append((self.result(f"{name}_{n}", self.number_dtype()), self.outer))
        body: list[Statement] = []
        for n, (result, self.outer) in enumerate(states):
            self.inner = self.some_axes("u", 1, 1) if self.chance(3) else ()
            body.append(self._step(n, result, states, frozenset(a.name for a in stepped)))
        if len(body) > 1 and len(axes) > len(stepped) and self.chance(3):
            inner = Steps((axes[len(stepped)],), tuple(body[1:]), self.chance(3))
            body = [body[0], inner]
        return Steps(stepped, tuple(body), self.chance(3))

    def shuffled(self, axes: tuple[Axis, ...]) -> tuple[Axis, ...]:
        left, found = list(axes), []
        while left:
            found.append(left.pop(self.integer(0, len(left) - 1)))
        return tuple(found)

    def _step(self, number: int, result: Tensor, states: Sequence[_State], stepped: frozenset[str]) -> Compute:
        """A value and elements of states: a sum of such, if there are inner axes."""
        dtype = result.dtype.compute
        value = self.value(dtype, 1)
        for _ in range(self.integer(1, 2)):
            n = self.integer(0, len(states) - 1)
            element = convert("cast", self._state(states[n], stepped, n < number), dtype)
            value = apply("add", apply("mul", element, literal(2, dtype)), value)
        if not self.inner:
            return Compute((result,), self.outer, (convert("cast", value, result.dtype),))
        acc, other = Var("acc", dtype), Var("other", dtype)
        merge = (apply("add", acc, other),)
        how = Reduction(self.inner, self.orders(), (acc,), (literal(0, dtype),), (other,), merge)
        return Compute((result,), self.outer, (apply("add", acc, value),), how)

    def _state(self, state: _State, stepped: frozenset[str], above: bool) -> Expr:
        """An element of a state, widened: some steps back, or here if it is computed ``above``."""
        tensor, axes = state
        if above and self.chance(2):
            here = tuple(symbol(a.name) for a in axes)
            return convert("cast", Read(tensor.name, here, tensor.dtype), tensor.dtype.compute)
        near = [symbol(a.name) for a in self.axes]
        indices = tuple(
            symbol(a.name) - self.integer(-1, 2)
            if a.name in stepped and not self.chance(5)
            else self.index([symbol(a.name), symbol(a.name) - 1, self.pick(near)])
            for a in axes
        )
        start = convert("cast", self.constant(tensor.dtype.compute), tensor.dtype)
        return convert("cast", Read(tensor.name, indices, tensor.dtype, (), start), tensor.dtype.compute)

    def _scatter(self, name: str) -> Compute:
        combine = self.pick(("add", *SCATTERS))
        value = self.value(self.compute_dtype() if combine == "set" else self.number_dtype(), 2)
        starts = [t for t in self.tensors if t.dtype is value.dtype]
        start = self.pick(starts) if starts and self.chance(3) else None
        shape = start.shape if start else self.shape()
        indices = tuple(self.index(self.inside(e)) for e in shape)
        scatter = Scatter(indices, combine, identity(combine, value.dtype), start.name if start else None)
        return Compute((Tensor(name, value.dtype, shape),), self.outer, (value,), scatter=scatter)

    def _sort(self, name: str) -> Compute:
        """By one or two keys, of which some are equal."""
        integers = [d for d in self.dtypes if d.is_integer] or [I64]
        keys = [self.value(self.pick(integers), 2) for _ in range(self.integer(1, 2))]
        keys = [apply("mod", key, literal(3, key.dtype)) if self.chance(2) else key for key in keys]
        result = Tensor(name, I64, tuple(a.extent for a in self.outer))
        return Compute((result,), self.outer, tuple(keys), sort=Sort(self.pick(self.outer).name))

    def orders(self) -> tuple[Order, ...]:
        return tuple(self.pick(_ORDERS) for _ in self.inner)


def _identity(op: str, dtype: DType) -> Expr:
    number = _SUMS[op]
    if number is not None:
        return literal(number, dtype)
    if dtype.is_float:
        return literal(float("-inf" if op == "max" else "inf"), dtype)
    low = 0 if dtype.kind == "uint" else -(1 << (dtype.bits - 1))
    return literal(low if op == "max" else low + (1 << dtype.bits) - 1, dtype)


def _mixed(a: Expr, factor: int, b: Expr) -> Expr:
    more = apply("add", apply("mul", b, b), literal(1, a.dtype))
    return apply("add", apply("mul", a, literal(factor, a.dtype)), more)
