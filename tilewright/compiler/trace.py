"""Tracing: the ops that a Python function calls, recorded as one function of tensor IR."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field
from numbers import Integral, Real
from typing import Any

from tilewright.compiler.bundle import Case, reporting
from tilewright.compiler.family import Family
from tilewright.compiler.function import FunctionOp
from tilewright.compiler.mode import mode
from tilewright.compiler.op import Op
from tilewright.compiler.request import OperandClass
from tilewright.dsl.build import OpBuilder
from tilewright.dsl.signature import bind_ranks
from tilewright.dsl.stretch import seen_through, views
from tilewright.errors import CallError, CallTypeError, UserError
from tilewright.ir import index as ix
from tilewright.ir.scalar import Const, literal
from tilewright.ir.tensor import Function, ScalarInput, Tensor
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import DType
from tilewright.passes.pipeline import Pipeline
from tilewright.passes.tensor.compose import Call, compose
from tilewright.passes.tensor.eliminate_dead import EliminateDead
from tilewright.passes.tensor.inline import Inline
from tilewright.passes.tensor.simplify_indices import SimplifyIndices
from tilewright.records import dataclass
from tilewright.targets.target import get_target


@dataclass(frozen=True)
class Traced:
    """A tensor that is not computed yet: ops called with it are recorded, not run."""

    name: str
    dtype: DType
    rank: int
    recorder: Recorder = field(repr=False, compare=False)

    @property
    def operand_class(self) -> OperandClass:
        """As a result is laid out when it is computed: contiguous."""
        return OperandClass.contiguous(self.dtype, self.rank)

    def __tilewright_record__(self, op: Op | FunctionOp, values: tuple[Any, ...]) -> Traced | tuple[Traced, ...]:
        """What the core calls in place of running ``op``; ``values`` are in the order of its parameters."""
        return self.recorder.record(op, values)

    def _refuse(self, *_: Any, **__: Any) -> Any:
        """Neither NumPy nor Python can compute with what has no elements."""
        raise UserError(
            f"{self.name} has no elements yet: only ops can be traced", hint="write the computation as an op"
        )

    __array__ = __bool__ = __float__ = __int__ = __iter__ = __len__ = __getitem__ = __neg__ = _refuse
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = __matmul__ = _refuse
    __lt__ = __le__ = __gt__ = __ge__ = __pow__ = __floordiv__ = __mod__ = _refuse


@dataclass
class Recorder:
    """The calls so far, in order."""

    inputs: list[Tensor] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    results: int = 0

    def input(self, example: Any) -> Traced:
        """A new operand of the recorded function, of the example's dtype and rank."""
        given = Op.operand_class(example)
        name = f"x{len(self.inputs)}"
        shape = tuple(ix.symbol(f"{name.upper()}_{axis}") for axis in range(given.rank))
        self.inputs.append(Tensor(name, given.dtype, shape))
        return Traced(name, given.dtype, given.rank, self)

    def record(self, op: Op | FunctionOp, values: tuple[Any, ...]) -> Traced | tuple[Traced, ...]:
        """Notes the call. Each op keeps the FMA and the orders that it has when it runs alone."""
        given = {p[0]: value for p, value in zip(op.parameters(), values, strict=True)}
        present = [p[0] for p in op.parameters() if p[1] in _OPERANDS and given[p[0]] is not None]
        operands: Mapping[str, Traced] = {name: self._own(op, name, given[name]) for name in present}
        if isinstance(op, Op):
            operands, given = self._merged(op, operands, given)
        function = _meaning(op, operands, given)
        results = [self._result(function.tensor(o)) for o in function.outputs]
        scalars = {s.name: _constant(op.name, s, given[s.name]) for s in function.scalars}
        names = {name: value.name for name, value in operands.items()}
        self.calls.append(Call(function, names, [r.name for r in results], scalars))
        return results[0] if len(results) == 1 else tuple(results)

    def text(self) -> str:
        """The functions called, in order."""
        return "\n".join(print_function(c.function) for c in self.calls)

    def _merged(
        self, op: Op, operands: Mapping[str, Traced], given: dict[str, Any]
    ) -> tuple[Mapping[str, Traced], dict[str, Any]]:
        """As a call merges the axes of packs that are summed up: the order of a sum depends on it."""
        ranks, packs = _merging(op, operands, given)
        made = dict(operands)
        for name, pattern in zip(op.header.operands, op.header.axes[0], strict=True):
            for pack in reversed([p for p in pattern if p in packs and name in operands]):
                at = sum(1 if p is None else ranks[p] for p in pattern[: pattern.index(pack)])
                made[name] = self._merge(made[name], at, ranks[pack])
        return made, {**given, **{p: 1 for p in packs if given.get(p, -1) != -1}}

    def _merge(self, x: Traced, at: int, count: int) -> Traced:
        """``x`` with ``count`` of its axes, the first of them ``at``, as one."""
        merge = _MERGE.op(x.rank, at, count)
        merged = self.record(merge, (x,))
        assert isinstance(merged, Traced)
        return merged

    def _own(self, op: Op | FunctionOp, name: str, value: object) -> Traced:
        """``value``, which must be an operand of the traced function or computed from them."""
        if not isinstance(value, Traced) or value.recorder is not self:
            raise UserError(
                f"{op.name}: operand {name!r} is no operand of the traced function nor computed from them",
                hint="give it to the traced function as an operand",
            )
        return value

    def _result(self, tensor: Tensor) -> Traced:
        self.results += 1
        return Traced(f"t{self.results}", tensor.dtype, len(tensor.shape), self)


def _merging(
    op: Op, operands: Mapping[str, Traced], given: Mapping[str, Any]
) -> tuple[Mapping[str, int], tuple[str, ...]]:
    """The ranks of packs, and those whose axes a call with contiguous operands merges and no result has."""
    patterns, results, _, mergeable, _ = op.header.axes
    inner = {p for pattern in patterns for p in pattern if p is not None} - {p for r in results for p in r}
    if not mergeable or not inner:
        return {}, ()
    asked = {p: given[p] for p in op.signature.ranks if given[p] != -1}
    try:
        ranks = bind_ranks(op.signature, {name: x.rank for name, x in operands.items()}, asked)
    except CallError:  # what is wrong is said where the op is specialised
        return {}, ()
    return ranks, tuple(p for p in inner if ranks[p] > 1)


def _write_merge(b: OpBuilder, rank: int, at: int, count: int) -> None:
    dims = [f"N{n}" for n in range(rank)]
    inner = dims[at : at + count]
    digits = [" * ".join(["1", *inner[n + 1 :]]) for n in range(count)]
    places = [f"m // ({below}) % max({dim}, 1)" for below, dim in zip(digits, inner, strict=True)]
    places[0] = f"m // max({digits[0]}, 1)"
    kept = [*(f"i{n}" for n in range(at)), "m", *(f"i{n}" for n in range(at + count, rank))]
    b.dtype("T", "any")
    b.operand("x", f"T[{', '.join(dims)}]")
    b.result("y", f"T[{', '.join([*dims[:at], ' * '.join(inner), *dims[at + count :]])}]")
    b.statement(f"y[{', '.join(kept)}] = x[{', '.join([*kept[:at], *places, *kept[at + 1 :]])}]")


_write_merge.__name__ = "merge"
_MERGE = Family(_write_merge)


def _meaning(op: Op | FunctionOp, operands: Mapping[str, Traced], given: Mapping[str, Any]) -> Function:
    """The function that the op is for these operands, with axes added to those that share the pack ``...``."""
    if isinstance(op, FunctionOp):
        return op.meaning({name: value.operand_class for name, value in operands.items()}, given)
    tensors = {
        name: Tensor(name, t.dtype, tuple(ix.symbol(f"{name}_{n}") for n in range(t.rank)))
        for name, t in operands.items()
    }
    seen = views(tensors, op.signature)
    classes = {n: OperandClass.contiguous(t.dtype, len(seen[n].shape)) for n, t in operands.items()}
    return seen_through(op.meaning(classes, given), seen, op.definition.tree.span)


def _constant(op: str, scalar: ScalarInput, value: Any) -> Const:
    """The run-time scalar as a literal; CallTypeError where a call would refuse it."""
    dtype = scalar.dtype
    if dtype.is_integer:
        low, high = dtype.limits
        fits = isinstance(value, Integral) and low <= int(value) <= high
    else:
        fits = isinstance(value, Real if dtype.is_float else bool)
    if not fits:
        raise CallTypeError(f"{op}(): {scalar.name!r} takes a value of type {dtype}, not {value!r}")
    return literal(value, dtype)


_OPERANDS = ("tensor", "optional")

FUSE = Pipeline((Inline(), SimplifyIndices(), EliminateDead()))
"""What a trace goes through: pointwise statements move to where they are read."""


def trace(function: Callable[..., Any], *examples: Any, target: str = "cpu", level: str | None = None) -> FunctionOp:
    """``function`` as one compiled op; ``examples`` (arrays or tensors) give the operands' dtypes and ranks.

    ``function`` is run once with stand-ins; the ops that it calls are recorded, and pointwise ones share kernels.
    Run-time scalars become constants. Results are bit for bit those of the ops called one by one on contiguous
    operands. UserError if an operand comes from elsewhere.

    >>> import numpy as np, tilewright as tw
    >>> add = tw.op("op add[T: number](a: T[...], b: T[...]) -> c: T[...]:\\n    c[...] = a[...] + b[...]")
    >>> triple = tw.trace(lambda x: add(add(x, x), x), np.ones(2, np.float32))
    >>> triple(np.ones(3, np.float32))
    array([3., 3., 3.], dtype=float32)
    """
    recorder = Recorder()
    results = function(*(recorder.input(x) for x in examples))
    outputs = results if isinstance(results, tuple) else (results,)
    for r in outputs:
        if not isinstance(r, Traced) or r.recorder is not recorder:
            raise UserError(f"a traced function returns tensors that its ops computed, not {type(r).__name__}")
    name = getattr(function, "__name__", "traced").strip("<>")
    to = get_target(target, level)
    with reporting(lambda: Case(recorder.text(), None, str(FUSE), to.name, to.level, mode())):
        composed = compose(name, recorder.inputs, recorder.calls, [r.name for r in outputs])
    return FunctionOp(composed, lambda _: FUSE, target, level)
