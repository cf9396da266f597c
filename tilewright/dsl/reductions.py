"""Folds: ``sum[k](...)``, ``fold[k](...)`` and ``scan[k](...)`` as steps, merges and initial values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from tilewright.dsl import bounds, mend
from tilewright.dsl import syntax as ast
from tilewright.dsl.elaborate import Elaborator, Value, highest, lowest, settle
from tilewright.dsl.program import LITERALS, Scope, Untyped, UntypedVar, error, unknown
from tilewright.errors import CheckError
from tilewright.ir import scalar
from tilewright.ir.index import Index, const, ge, symbol
from tilewright.ir.scalar import Const, Expr, IndexValue, Var, apply
from tilewright.ir.types import BOOL, I64, U8, DType
from tilewright.records import dataclass
from tilewright.source import Span


@dataclass(frozen=True)
class Folded:
    """The parts that a reduction and a scan have in common; see ``ir.tensor.Reduction``.

    The first ``hidden`` accumulators are no results of what was written.
    """

    steps: tuple[Expr, ...]
    accs: tuple[Var, ...]
    init: tuple[Expr, ...]
    others: tuple[Var, ...]
    merge: tuple[Expr, ...]
    hidden: int = 0


@dataclass(frozen=True)
class Kind:
    """A reduction with a name: the operation that joins two values, and what it starts from."""

    op: str
    start: Callable[[DType], Const]
    bools: bool | None = None

    def check(self, dtype: DType, name: ast.Name, value: ast.Expr) -> None:
        """CheckError if values of ``dtype`` cannot be reduced so."""
        if self.bools is False and dtype is BOOL:
            hint, fix = f"to count, cast them: {name.text}[...](i64(...))", mend.wrapped(value.span, "i64(")
            raise error(f"{name.text} of bools", value.span, hint, fix)
        if self.bools and dtype is not BOOL:
            fix = mend.wrapped(value.span, "(", " != 0)")
            raise error(f"{name.text} takes bools, this is {dtype}", value.span, "compare, as in x[i] != 0", fix)


def _number(value: int) -> Callable[[DType], Const]:
    def start(dtype: DType) -> Const:
        found = scalar.literal(value, dtype)
        assert isinstance(found, Const)
        return found

    return start


KINDS = {
    "sum": Kind("add", _number(0), bools=False),
    "prod": Kind("mul", _number(1), bools=False),
    "min": Kind("min", highest),
    "max": Kind("max", lowest),
    "any": Kind("or", _number(0), bools=True),
    "all": Kind("and", _number(1), bools=True),
}
POSITIONS = {"argmax": ("gt", lowest), "argmin": ("lt", highest)}
"""Reductions to the place of a value: the comparison that a better value wins, and what the search starts from."""
NAMED = (*KINDS, *POSITIONS, "argsort")
IDENTITIES = {kind.op: kind.start for name, kind in KINDS.items() if kind.bools is not True}
"""For each operation that a recurrence can be a scan of: the value it leaves alone."""


def folded(e: ast.Reduce | ast.Fold, ranges: Mapping[str, Index], scope: Scope, elaborator: Elaborator) -> Folded:
    """The parts of ``e``, whose axes run over ``ranges``."""
    if isinstance(e, ast.Reduce):
        if len(e.values) > 1:
            message = f"{e.kind.text} takes one value, not {len(e.values)}"
            raise error(message, e.values[1].span, "write one reduction for each")
        named = _position if e.kind.text in POSITIONS else _named
        return named(e, scope.inside(ranges), elaborator)
    _check_counts(e)
    return (_elements if e.elements else _steps)(e, ranges, scope, elaborator)


def _named(e: ast.Reduce, scope: Scope, elaborator: Elaborator) -> Folded:
    if e.kind.text not in KINDS:
        raise unknown("reduction", e.kind, [*NAMED, "fold"])
    kind = KINDS[e.kind.text]
    value = elaborator.typed(e.values[0], scope)
    kind.check(value.dtype, e.kind, e.values[0])
    acc, other = Var(_unbound("acc", scope), value.dtype), Var(_unbound("other", scope), value.dtype)
    return join_with(kind.op, acc, other, value, kind.start(value.dtype))


def _position(e: ast.Reduce, scope: Scope, elaborator: Elaborator) -> Folded:
    """The row-major place of the best value among the points of the axes: of equal ones the first, of all a NaN."""
    better, start = POSITIONS[e.kind.text]
    value = elaborator.typed(e.values[0], scope)
    value = scalar.convert("cast", value, U8) if value.dtype is BOOL else value
    place = const(0)
    for axis in e.axes:
        assert isinstance(axis.value, ast.Name)
        extent = scope.ranges[axis.value.text]
        place = place * extent + symbol(axis.value.text)
        if not bounds.ensure(ge(extent, 1), Scope(scope.program)):
            message = f"{e.kind.text} of no elements: {axis.value.text} runs over {extent}"
            raise error(message, axis.span, "it runs over at least one element")
    accs = Var(_unbound("value", scope), value.dtype), Var(_unbound("at", scope), I64)
    others = Var(_unbound("other", scope), value.dtype), Var(_unbound("there", scope), I64)
    wins = _wins(better, accs, others)
    merge = tuple(apply("where", wins, o, a) for a, o in zip(accs, others, strict=True))
    element: dict[Expr, Expr] = {others[0]: value, others[1]: IndexValue(place)}
    steps = tuple(scalar.substitute(m, {}, element) for m in merge)
    return Folded(steps, accs, (start(value.dtype), Const(0, I64)), others, merge, hidden=1)


def _wins(better: str, held: tuple[Var, Var], new: tuple[Var, Var]) -> Expr:
    """Whether the value and place ``new`` take the place of those that are ``held``."""
    (v, p), (w, q) = held, new
    earlier = apply("lt", q, p)
    wins = apply("or", apply(better, w, v), apply("and", apply("eq", w, v), earlier))
    if not v.dtype.is_float:
        return wins
    first_nan = apply("and", apply("ne", w, w), apply("or", apply("eq", v, v), earlier))
    return apply("or", wins, first_nan)


def join_with(op: str, acc: Var, other: Var, element: Expr, start: Const, acc_left: bool = True) -> Folded:
    """The fold that joins ``element`` to the accumulator by ``op``, on its right or on its left."""
    step = apply(op, acc, element) if acc_left else apply(op, element, acc)
    merge = apply(op, acc, other) if acc_left else apply(op, other, acc)
    return Folded((step,), (acc,), (start,), (other,), (merge,))


def _unbound(name: str, scope: Scope) -> str:
    """A name for an accumulator that hides nothing of the op."""
    taken = {*scope.ranges, *scope.program.value_names(), *scope.variables}
    while name in taken:
        name += "_"
    return name


# --- folds written out ----------------------------------------------------------------------


def _check_counts(e: ast.Fold) -> None:
    wanted = len(e.accumulators)
    if e.kind.text not in ("fold", "scan"):
        raise error(f"unknown reduction {e.kind.text!r}", e.kind.span, "accumulators belong to fold or scan")
    names = [*((a.name, a.span) for a in e.accumulators), *((o.text, o.span) for o in e.others)]
    for name, span in names:
        if name in LITERALS:
            raise error(f"the name {name} is taken", span, "it is a literal: choose another name")
    if len({name for name, _ in names}) != len(names):
        raise error("two accumulators or others have the same name", e.span, "give each a name of its own")
    if e.elements and not e.others:
        raise error("a fold of elements says how two are merged", e.span, "add ; (others) -> merged")
    needed = [("values", e.values)]
    if e.others:
        needed += [("names on the other side", e.others), ("merged values", e.merge)]
    for what, parts in needed:
        if len(parts) != wanted:
            raise _count(f"accumulators: {wanted}, {what}: {len(parts)}", parts, e)


def _count(message: str, parts: Sequence[ast.Node], e: ast.Fold) -> CheckError:
    return error(message, parts[-1].span if parts else e.span, "one of each per accumulator, in their order")


def _elements(e: ast.Fold, ranges: Mapping[str, Index], scope: Scope, elaborator: Elaborator) -> Folded:
    """Each step merges the accumulators with the elements."""
    inner = scope.inside(ranges)
    found = [elaborator.value(v, inner) for v in e.values]
    inits = [elaborator.value(a.init, scope) for a in e.accumulators]
    dtypes = [_dtype(a, f, i, scope) for a, f, i in zip(e.accumulators, found, inits, strict=True)]
    elements = [settle(f, d) for f, d in zip(found, dtypes, strict=True)]
    _same(elements, dtypes, e.values)
    accs, others, merge = _merge(e, dtypes, scope, elaborator)
    values: dict[Expr, Expr] = dict(zip(others, elements, strict=True))
    steps = tuple(scalar.substitute(m, {}, values) for m in merge)
    return Folded(steps, accs, _inits(e, inits, dtypes), others, merge)


def _steps(e: ast.Fold, ranges: Mapping[str, Index], scope: Scope, elaborator: Elaborator) -> Folded:
    inits = [elaborator.value(a.init, scope) for a in e.accumulators]
    dtypes = _step_dtypes(e, inits, scope.inside(ranges), elaborator)
    accs = _variables([a.name for a in e.accumulators], dtypes)
    inner = scope.inside(ranges, {v.name: v for v in accs})
    steps = tuple(elaborator.typed(v, inner, d) for v, d in zip(e.values, dtypes, strict=True))
    _same(steps, dtypes, e.values)
    init = _inits(e, inits, dtypes)
    if not e.others:
        return Folded(steps, accs, init, (), ())
    _, others, merge = _merge(e, dtypes, scope, elaborator)
    return Folded(steps, accs, init, others, merge)


def _step_dtypes(e: ast.Fold, inits: Sequence[Value], scope: Scope, elaborator: Elaborator) -> list[DType]:
    """Accumulators without a dtype take that of their first value, or of what they meet in their step."""
    known: dict[str, Value] = {}
    for a, i in zip(e.accumulators, inits, strict=True):
        dtype = scope.program.dtype(a.dtype).compute if a.dtype else None if isinstance(i, Untyped) else i.dtype
        known[a.name] = Var(a.name, dtype) if dtype else UntypedVar(a.name, _default(i))
    if any(isinstance(v, Untyped) for v in known.values()):
        trial = scope.inside({}, known)
        with scope.program.trial():
            values = [elaborator.value(v, trial) for v in e.values]
    else:
        values = list(known.values())
    pairs = zip(known.values(), values, strict=True)
    return [v.dtype if not isinstance(v, Untyped) else _default(step) for v, step in pairs]


def _default(value: Value) -> DType:
    return value.default if isinstance(value, Untyped) else value.dtype


def _dtype(a: ast.Accumulator, element: Value, init: Value, scope: Scope) -> DType:
    if a.dtype is not None:
        return scope.program.dtype(a.dtype).compute
    typed = [v for v in (element, init) if not isinstance(v, Untyped)]
    return _default(typed[0] if typed else element)


def _inits(e: ast.Fold, inits: Sequence[Value], dtypes: Sequence[DType]) -> tuple[Expr, ...]:
    found = tuple(settle(i, d) for i, d in zip(inits, dtypes, strict=True))
    _same(found, dtypes, [a.init for a in e.accumulators])
    for value, a in zip(found, e.accumulators, strict=True):
        if not isinstance(value, Const):
            raise error(f"the first value of {a.name} is not a literal", a.init.span, "a number, lowest(T), ...")
    return found


def _merge(
    e: ast.Fold, dtypes: Sequence[DType], scope: Scope, elaborator: Elaborator
) -> tuple[tuple[Var, ...], tuple[Var, ...], tuple[Expr, ...]]:
    """Accumulators, the other side, and the values that join them; these depend on nothing else that varies."""
    accs = _variables([a.name for a in e.accumulators], dtypes)
    others = _variables([o.text for o in e.others], dtypes)
    both: dict[str, Value] = {v.name: v for v in (*accs, *others)}
    inner = scope.inside({}, both)
    merge = tuple(elaborator.typed(m, inner, d) for m, d in zip(e.merge, dtypes, strict=True))
    _same(merge, dtypes, e.merge)
    for m, written in zip(merge, e.merge, strict=True):
        if scalar.index_symbols(m) or scalar.reads(m):
            raise error("a merge joins accumulators and others only", written.span, "read in the values, not here")
    return accs, others, merge


def _variables(names: Sequence[str], dtypes: Sequence[DType]) -> tuple[Var, ...]:
    return tuple(Var(n, d) for n, d in zip(names, dtypes, strict=True))


def _same(values: Sequence[Expr], dtypes: Sequence[DType], written: Sequence[ast.Node]) -> None:
    for value, dtype, node in zip(values, dtypes, written, strict=True):
        if value.dtype is not dtype:
            raise _mismatch(value.dtype, dtype, node.span)


def _mismatch(have: DType, want: DType, span: Span) -> CheckError:
    fix = mend.wrapped(span, f"{want}(")
    return error(f"this is {have}, but its accumulator is {want}", span, f"cast it: {want}(...)", fix)
