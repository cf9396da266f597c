"""One function out of calls of several: what tracing records."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import field, replace

from tilewright.errors import CallError, CallTypeError
from tilewright.ir import index as ix
from tilewright.ir import statements
from tilewright.ir.index import Condition, Index
from tilewright.ir.scalar import Expr
from tilewright.ir.statements import Names
from tilewright.ir.tensor import Function, ScalarInput, Statement, Tensor, computes
from tilewright.records import dataclass


@dataclass(frozen=True)
class Call:
    """A call of ``function``: which tensor each of its inputs is, and what its outputs are called, in order.

    ``scalars`` are the values of its run-time scalars (a ``Param`` of the caller or a ``Const``).
    """

    function: Function
    operands: Mapping[str, str]
    results: Sequence[str]
    scalars: Mapping[str, Expr] = field(default_factory=dict)


def compose(
    name: str,
    inputs: Sequence[Tensor],
    calls: Sequence[Call],
    outputs: Sequence[str],
    scalars: Sequence[ScalarInput] = (),
) -> Function:
    """The function that makes ``calls`` in turn.

    Dims are unified: where a callee asks for two equal dims, a symbol of the caller takes the other's value; what can
    neither be decided nor solved becomes a precondition. Raises CallError (CallTypeError for dtypes) where a call does
    not fit.
    """
    caller = _Caller({t.name: t for t in inputs})
    caller.names.taken |= {s.name for s in scalars} | {r for c in calls for r in c.results}
    for call in calls:
        caller.call(call)
    for output in outputs:
        if output not in caller.tensors:
            raise CallError(f"{name} returns {output!r}, which no call gives")
    return caller.function(name, [t.name for t in inputs], tuple(outputs), tuple(scalars))


class _Caller:
    """The composed function as it grows; ``dims`` are the caller's symbols that were found to be something else. Of two
    symbols that are equal, the one that comes first in ``order`` stays."""

    def __init__(self, inputs: dict[str, Tensor]) -> None:
        self.tensors = inputs
        self.order = list(dict.fromkeys(s for t in inputs.values() for d in t.shape for s in sorted(ix.symbols(d))))
        self.names = Names({*inputs, *self.order})
        self.dims: dict[str, Index] = {}
        self.axes: dict[str, str] = {}
        self.body: list[Statement] = []
        self.preconditions: list[Condition] = []

    def function(
        self, name: str, inputs: Sequence[str], outputs: tuple[str, ...], scalars: tuple[ScalarInput, ...]
    ) -> Function:
        return Function(
            name,
            tuple(self._unified(self.tensors[i]) for i in inputs),
            scalars,
            tuple(statements.rename(s, {}, self.dims, {}) for s in self.body),
            outputs,
            statements.substitute_conditions(self.preconditions, self.dims),
        )

    def _unified(self, t: Tensor) -> Tensor:
        return replace(t, shape=tuple(self._solved(d) for d in t.shape))

    def _solved(self, index: Index) -> Index:
        return ix.substitute(index, self.dims)

    def call(self, call: Call) -> None:
        """Appends the renamed body of the callee."""
        f = call.function
        self._check_operands(call)
        dims = self._bind_dims(f, {i.name: self.tensors[call.operands[i.name]] for i in f.inputs})
        tensors = self._result_names(call)
        axes = {a.name: self._axis_name(a.name) for c in f.computes for a in statements.all_axes(c)}
        for s in f.body:
            renamed = statements.rename(s, tensors, dims, axes, call.scalars)
            self.body.append(renamed)
            self.tensors.update((r.name, r) for c in computes((renamed,)) for r in c.results)
        self.preconditions += statements.substitute_conditions(f.preconditions, dims)

    def _check_operands(self, call: Call) -> None:
        f = call.function
        wanted = {t.name for t in f.inputs} | {s.name for s in f.scalars}
        given = set(call.operands) | set(call.scalars)
        if wanted != given:
            strange = ", ".join(map(repr, sorted(wanted ^ given)))
            raise CallError(f"{f.name} is called without, or does not take: {strange}", f.span)
        if len(call.results) != len(f.outputs):
            raise CallError(f"{f.name} gives {len(f.outputs)} results, not {len(call.results)}", f.span)
        for i in f.inputs:
            operand = self.tensors.get(call.operands[i.name])
            if operand is None:
                raise CallError(f"{f.name} is called with {call.operands[i.name]!r}, which does not exist yet")
            if operand.dtype is not i.dtype:
                dtypes = f"is {i.dtype}, and {operand.name!r} {operand.dtype}"
                raise CallTypeError(f"{i.name!r} of {f.name} {dtypes}", f.span)
            if len(operand.shape) != len(i.shape):
                ranks = f"has {len(i.shape)} dims, and {operand.name!r} {len(operand.shape)}"
                raise CallError(f"{i.name!r} of {f.name} {ranks}", f.span)
        for r in call.results:
            if r in self.tensors:
                raise CallError(f"{f.name} is to define {r!r}, which exists", f.span)

    def _bind_dims(self, f: Function, operands: Mapping[str, Tensor]) -> dict[str, Index]:
        """What the dims of ``f`` are in the caller's symbols."""
        pairs = [(d, n, operands[i.name]) for i in f.inputs for n, d in enumerate(i.shape)]
        bound: dict[str, Index] = {}
        for wanted, n, operand in pairs:
            if wanted.symbol:
                bound.setdefault(wanted.symbol, operand.shape[n])
        for wanted, n, operand in pairs:
            unbound = ix.symbols(wanted) - set(bound)
            if unbound:
                raise CallError(f"no operand of {f.name} says what {min(unbound)!r} is", f.span)
            if not self._unify(ix.substitute(wanted, bound), operand.shape[n]):
                sizes = f"{self._solved(operand.shape[n])}, not {self._solved(ix.substitute(wanted, bound))}"
                raise CallError(f"{f.name}: dim {n} of {operand.name!r} is {sizes}", f.span)
        return bound

    def _unify(self, a: Index, b: Index) -> bool:
        """Makes ``a`` and ``b`` one; False if they never are."""
        a, b = self._solved(a), self._solved(b)
        if (a - b).constant is not None:
            return a is b
        solvable = [(s, v) for s, v in ((a.symbol, b), (b.symbol, a)) if s and s not in ix.symbols(v)]
        if solvable:
            self._solve(*max(solvable, key=lambda pair: self.order.index(pair[0])))
        else:
            self.preconditions.append(ix.eq(a, b))
        return True

    def _solve(self, symbol: str, value: Index) -> None:
        self.dims = {s: ix.substitute(v, {symbol: value}) for s, v in self.dims.items()} | {symbol: value}

    def _result_names(self, call: Call) -> dict[str, str]:
        """The caller's names of the callee's tensors."""
        named = dict(call.operands) | dict(zip(call.function.outputs, call.results, strict=True))
        inner = [r.name for c in call.function.computes for r in c.results if r.name not in named]
        return named | {name: self.names.fresh(name) for name in inner}

    def _axis_name(self, name: str) -> str:
        """The caller's name for an axis, the same in every statement."""
        if name not in self.axes:
            self.axes[name] = self.names.fresh(name)
        return self.axes[name]
