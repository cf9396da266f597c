"""Statements: from syntax (without packs and static ifs) to computes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeGuard

from tilewright.dsl import bounds, mend, steps
from tilewright.dsl import syntax as ast
from tilewright.dsl.elaborate import Elaborator, find_tensor, ordered, storage_cast
from tilewright.dsl.program import Program, Scope, Site, Untyped, error
from tilewright.dsl.ranges import axis_name, resolve
from tilewright.dsl.reductions import IDENTITIES, Folded, folded, join_with
from tilewright.ir import scalar
from tilewright.ir.index import Index, symbol
from tilewright.ir.scalar import Apply, Expr, Read, Var
from tilewright.ir.tensor import (
    SCAN_CHUNK,
    Axis,
    Compute,
    Order,
    Reduction,
    Scan,
    Scatter,
    Sort,
    Statement,
    Steps,
    Tensor,
)
from tilewright.ir.types import BOOL, I64, DType
from tilewright.source import Span

Reducing = ast.Reduce | ast.Fold


def assign(s: ast.Assign, program: Program) -> None:
    """Adds ``s`` to the program: pointwise, a reduction, a recurrence or a scan."""
    for name in s.targets:
        check_target(name, program)
    names = [t.text for t in s.targets]
    declared = [(program.declared[n], s.axes) for n in names if n in program.declared]
    for tensor, axes in declared:
        _check_rank(tensor, axes, s.span)
    scope = Scope(program, target=names[0] if len(names) == 1 else "")
    stepped = program.stepped()
    found = resolve(
        [a for a in s.axes if not _is_step(a, stepped)], s.value, scope.inside(stepped), declared, _demanded(s, program)
    )
    in_place = {name: {**stepped, **found}[name] for name in (axis_name(a, scope) for a in s.axes)}
    for made in _Statement(s, scope.inside(in_place)).made():
        program.add(made)


def _is_step(axis: ast.Axis, stepped: Mapping[str, Index]) -> bool:
    """Whether the axis is one of the steps around, which say its range."""
    if not isinstance(axis.value, ast.Name) or axis.value.text not in stepped:
        return False
    if axis.extent is not None:
        name = axis.value.text
        raise error(f"the steps say what {name} runs over", axis.span, f"write {name} alone")
    return True


def _demanded(s: ast.Assign, program: Program) -> list[tuple[str, tuple[Index, Span]]]:
    """What later statements demand of the axes of ``s``."""
    sizes = next((program.demanded[t.text] for t in s.targets if t.text in program.demanded), [])
    pairs = [(a.value, size) for a, size in zip(s.axes, sizes, strict=False) if size is not None]
    return [(name.text, (size, name.span)) for name, size in pairs if isinstance(name, ast.Name)]


def scatter(s: ast.Scatter, program: Program) -> None:
    """Adds a scatter; rounded to a storage dtype, if that is its target's, by a statement of its own."""
    check_target(s.target, program)
    target = program.declared.get(s.target.text)
    if target is None:
        hint = f"declare it on a line before: {s.target.text}: f32[...]"
        raise error(f"the shape of {s.target.text} is not known", s.target.span, hint)
    _check_rank(target, s.indices, s.span)
    total = target
    if target.dtype is not target.dtype.compute and s.combine != "set":
        total = Tensor(program.fresh(f"{target.name}_sum"), target.dtype.compute, target.shape)
        program.declared[total.name] = total
    start = _start(s.start, total, program) if s.start else None
    program.add(_Statement(s, _scatter_scope(s, target, program)).scatter(s, total, start))
    if total is not target:
        program.add(_copied(total, target, program, s.span))


def _scatter_scope(s: ast.Scatter, target: Tensor, program: Program) -> Scope:
    scope = Scope(program)
    return scope.inside(resolve(_scatter_axes(s, scope), s.value, scope, [(target, s.indices)]))


def _scatter_axes(s: ast.Scatter, scope: Scope) -> Sequence[ast.Axis]:
    """The axes as declared, or all free names that stand in indices, in order of appearance."""
    if s.axes is not None:
        return s.axes
    bound = {name for n, _ in ast.walk(s.value) for name in ast.bound_names(n)}
    free = [n for n in ast.value_names(*s.indices, s.value) if n.text not in bound and not scope.program.knows(n.text)]
    return [ast.Axis(name.span, name) for name in {n.text: n for n in reversed(free)}.values()][::-1]


def _start(name: ast.Name, total: Tensor, program: Program) -> str:
    """The tensor that ``total`` starts from, in its dtype."""
    found = find_tensor(name, Scope(program))
    if found.dtype.compute is not total.dtype.compute or found.shape != total.shape:
        shapes = [f"{t.dtype}[{', '.join(map(str, t.shape))}]" for t in (found, total)]
        hint = "a scatter starts from a tensor of its own shape and dtype"
        raise error(f"{name.text} is {shapes[0]}, but this is {shapes[1]}", name.span, hint)
    if found.dtype is total.dtype:
        return found.name
    widened = Tensor(program.fresh(f"{total.name}_start"), total.dtype, total.shape)
    program.add(_copied(found, widened, program, name.span))
    return widened.name


def _copied(total: Tensor, target: Tensor, program: Program, span: Span) -> Compute:
    """``target`` as ``total`` in its dtype."""
    axes = tuple(Axis(program.fresh(f"i{n}"), extent) for n, extent in enumerate(target.shape))
    read = Read(total.name, tuple(symbol(a.name) for a in axes), total.dtype, (), None)
    return Compute((target,), axes, (scalar.convert("cast", read, target.dtype),), span=span)


class _Statement:
    """One assignment being elaborated, with the axes of its left side in scope."""

    def __init__(self, written: ast.Assign | ast.Scatter, scope: Scope) -> None:
        self.written = written
        self.scope = scope
        self.axes = tuple(Axis(name, extent) for name, extent in scope.ranges.items())
        self.elaborator = Elaborator(self.hoist)

    @property
    def program(self) -> Program:
        return self.scope.program

    # --- kinds of statements ----------------------------------------------------------------

    def made(self) -> Sequence[Statement]:
        assert isinstance(self.written, ast.Assign)
        value, rounding = self.written.value, storage_cast(self.written.value)
        self._declare_own(value)
        inner = value.args[0] if rounding and isinstance(value, ast.Call) else value
        if _is_sort(inner):
            return [self._sort(inner)]
        if isinstance(inner, (ast.Reduce, ast.Fold)):
            if isinstance(inner, ast.Fold) and inner.kind.text == "scan":
                return [self._scan(inner, rounding)]
            return self._reduction(inner, rounding)
        if len(self.written.targets) > 1:
            raise error("several results come from a fold", value.span, "write (a, b)[...] = fold[i](...)")
        return [self._pointwise(value)]

    def _pointwise(self, value: ast.Expr) -> Statement:
        assert isinstance(self.written, ast.Assign)
        name = self.written.targets[0].text
        declared = self.program.declared.get(name)
        stored = self.elaborator.stored(value, self.scope, declared.dtype if declared else None)
        result = self._results([stored.dtype])[0]
        compute = Compute((result,), self.axes, (stored,), span=self.written.span)
        own = [r for r in scalar.reads(stored) if r.tensor == name]
        return self._recurrence(compute, own) if own and not self.program.levels else compute

    def _declare_own(self, value: ast.Expr) -> None:
        """The type of an undeclared result that its own value reads."""
        names = [t.text for t in self.written.targets] if isinstance(self.written, ast.Assign) else []
        if len(names) == 1 and names[0] not in self.program.declared and any(_reads(value, names[0])):
            shape = tuple(a.extent for a in self.axes)
            self.program.declared[names[0]] = Tensor(names[0], self._own_dtype(value), shape)

    def _own_dtype(self, value: ast.Expr) -> DType:
        """The dtype of an undeclared result that its own value reads."""
        with self.program.trial():
            found = self.elaborator.value(value, self.scope)
        return found.default if isinstance(found, Untyped) else storage_cast(value) or found.dtype

    def _reduction(self, e: Reducing, rounding: DType | None) -> list[Compute]:
        ranges = resolve(e.axes, e, self.scope)
        parts = folded(e, ranges, self.scope, self.elaborator)
        shape = tuple(a.extent for a in self.axes)
        hidden = _hidden(parts, self._base(), shape, self.program)
        results = hidden + self._results([a.dtype for a in parts.accs[parts.hidden :]], rounding)
        self._check_own("a reduction", parts.steps, e)
        return _reduced(results, self.axes, parts, _reduction(e, ranges, parts), self.written.span)

    def _scan(self, e: ast.Fold, rounding: DType | None) -> Compute:
        axis = e.axes[0].value if e.axes else None
        if len(e.axes) != 1 or not isinstance(axis, ast.Name) or axis.text not in self.scope.ranges or not e.others:
            raise error("a scan goes along one axis of its result", e.span, "as in scan[i @ 256](... ; (other) -> ...)")
        if axis.text in self.program.stepped():
            raise error(f"a scan along {axis.text}, which the steps go along", e.span, "scan along an axis of its own")
        parts = folded(e, {}, self.scope, self.elaborator)
        self._check_own("a scan", parts.steps, e)
        results = self._results([a.dtype for a in parts.accs], rounding)
        return _scan(results, self.axes, axis.text, e.axes[0].chunk or SCAN_CHUNK, parts, self.written.span)

    def _sort(self, e: ast.Reduce) -> Compute:
        assert isinstance(self.written, ast.Assign)
        names = [a.value.text for a in e.axes if isinstance(a.value, ast.Name) and not a.extent and not a.chunk]
        if len(e.axes) != 1 or not self.scope.ranges.keys() & names:
            raise error("argsort goes along one axis of its result", e.span, "as in at[..., n] = argsort[n](x[..., n])")
        if len(self.written.targets) > 1 or e is not self.written.value:
            hint = "read the sorted values there: y[n] = x[at[n]]"
            raise error("argsort gives places, one i64 per element", self.written.span, hint)
        keys = tuple(ordered(self.elaborator.typed(key, self.scope), key.span) for key in e.values)
        if self.program.levels:
            raise error("a sort is no part of steps", self.written.span, "write it before or after them")
        results = self._results([I64])
        self._check_own("argsort", keys, e)
        return Compute(results, self.axes, keys, sort=Sort(names[0]), span=self.written.span)

    def _check_own(self, what: str, values: Sequence[Expr], e: Reducing) -> None:
        """CheckError if ``values``, of the reduction, scan or sort ``e``, read what the statement computes."""
        targets = self.written.targets if isinstance(self.written, ast.Assign) else (self.written.target,)
        own = {t.text for t in targets}
        if not self.program.levels and any(r.tensor in own for v in values for r in scalar.reads(v)):
            hint = "give it a name of its own, or write steps: `for i: N:` computes one point after the other"
            raise error(f"{what} cannot read its own result", e.span, hint)

    def scatter(self, s: ast.Scatter, total: Tensor, start: str | None) -> Compute:
        indices = self.elaborator.indices(s.indices, total, s.span, self.scope)
        bounds.require(total, indices, s.indices, self.scope, writes=True)
        elaborate = self.elaborator.stored if s.combine == "set" else self.elaborator.typed
        value = elaborate(s.value, self.scope, total.dtype)
        if value.dtype is not total.dtype:
            how = "is added to" if s.combine == "add" else "is compared with"
            name = self.program.spelling(total.dtype)
            fix = mend.wrapped(s.value.span, f"{name}(")
            raise error(f"{value.dtype} {how} {total.dtype}", s.value.span, f"cast it: {name}(...)", fix)
        if total.dtype is BOOL and s.combine != "set":
            raise error(f"a scatter of bools by {s.combine}", s.value.span, "scatter numbers, as in i32(x[i])")
        init = scalar.identity(s.combine, total.dtype.compute)
        return Compute((total,), self.axes, (value,), scatter=Scatter(indices, s.combine, init, start), span=s.span)

    # --- results ----------------------------------------------------------------------------

    def _results(self, dtypes: Sequence[DType], rounding: DType | None = None) -> tuple[Tensor, ...]:
        assert isinstance(self.written, ast.Assign)
        targets = self.written.targets
        if len(targets) != len(dtypes):
            message = f"results: {len(targets)}, accumulators: {len(dtypes)}"
            raise error(message, self.written.span, "write one result per accumulator")
        return tuple(self._result(t, d, rounding) for t, d in zip(targets, dtypes, strict=True))

    def _result(self, target: ast.Name, dtype: DType, rounding: DType | None) -> Tensor:
        shape = tuple(a.extent for a in self.axes)
        declared = self.program.declared.get(target.text)
        if declared is None:
            return Tensor(target.text, rounding or dtype, shape)
        if dtype not in (declared.dtype, declared.dtype.compute) or rounding not in (None, declared.dtype):
            have = rounding or dtype
            message = f"{declared.name} is declared {declared.dtype}, but this is {have}"
            name = self.program.spelling(declared.dtype)
            fix = mend.wrapped(self.written.value.span, f"{name}(")
            raise error(message, self.written.span, f"cast the value: {name}(...)", fix)
        for axis, extent in zip(self.axes, declared.shape, strict=True):
            if axis.extent is not extent:
                message = f"axis {axis.name} runs over {axis.extent}, but {declared.name} has {extent} there"
                fix = self._ranging(axis.name, extent)
                hint = f"declare the range {extent}, or change the result's shape"
                raise error(message, self.written.span, hint, fix)
        return declared

    def _ranging(self, name: str, over: Index) -> mend.Fix:
        """The axis ``name`` with the range ``over``."""
        written = next(
            (a for a in self.written.axes or () if isinstance(a.value, ast.Name) and a.value.text == name), None
        )
        return mend.replaced(written.span, f"{name}: {over}") if written else ()

    # --- recurrences ------------------------------------------------------------------------

    def _recurrence(self, compute: Compute, own: Sequence[Read]) -> Statement:
        axis = self._axis_back(compute, own)
        scanned = _associative(compute, own, axis.name)
        return scanned or Steps((axis,), (compute,), span=compute.span)

    def _axis_back(self, compute: Compute, own: Sequence[Read]) -> Axis:
        """The one axis along which ``own`` look back, by a constant each."""
        found: set[Axis] = set()
        for read in own:
            for axis, index in zip(compute.axes, read.indices, strict=True):
                back = index - symbol(axis.name) if isinstance(index, Index) else None
                if back is None or back.constant is None or back.const > 0:
                    raise self._bad_recurrence(read)
                if back.const < 0:
                    found.add(axis)
        stuck = [r for r in own if all(i is symbol(a.name) for a, i in zip(compute.axes, r.indices, strict=True))]
        if len(found) != 1 or stuck:
            raise self._bad_recurrence([*stuck, *own][0])
        return found.pop()

    def _bad_recurrence(self, read: Read) -> Exception:
        message = f"{read.tensor} may read itself only at earlier points of one axis"
        return error(message, self._span_of(read.tensor), f"as in ({read.tensor}[..., i - 1] else 0)")

    def _span_of(self, tensor: str) -> Span:
        return next(iter(_reads(self.written.value, tensor)), self.written).span

    # --- hoisting ---------------------------------------------------------------------------

    def hoist(self, e: Reducing, scope: Scope) -> Read:
        """Makes the reduction ``e`` inside an expression a statement of its own, over the axes it depends on."""
        if _is_sort(e) or (isinstance(e, ast.Fold) and (len(e.accumulators) != 1 or e.kind.text != "fold")):
            raise error("this stands inside an expression", e.span, "assign it to results of its own first")
        ranges = resolve(e.axes, e, scope)
        outer = replace(scope, variables={})
        parts = folded(e, ranges, outer, self.elaborator)
        self._check_own("a reduction", parts.steps, e)
        depth = steps.depth(parts.steps, self.program)
        needed = frozenset(self.program.stepped(depth)).union(*map(scalar.index_symbols, parts.steps))
        axes = tuple(Axis(n, x) for n, x in scope.ranges.items() if n in needed)
        shape = tuple(a.extent for a in axes)
        base = f"{self._base()}_{e.kind.text}"
        result = Tensor(self.program.fresh(base), parts.accs[-1].dtype, shape)
        results = (*_hidden(parts, base, shape, self.program), result)
        for compute in _reduced(results, axes, parts, _reduction(e, ranges, parts), e.span):
            self.program.add(compute, depth)
        if depth:
            path = tuple(level.written for level in self.program.levels[:depth])
            self.program.sites.update((r.name, Site(path, tuple(a.name for a in axes))) for r in results)
        return Read(result.name, tuple(symbol(a.name) for a in axes), result.dtype, (), None)

    def _base(self) -> str:
        """What intermediates of the statement are named after."""
        return (self.written.targets[0] if isinstance(self.written, ast.Assign) else self.written.target).text


# --- parts ----------------------------------------------------------------------------------


def check_target(name: ast.Name, program: Program) -> None:
    """CheckError unless ``name`` is free for a result."""
    text = name.text
    if text in program.tensors:
        raise error(f"{text} is defined twice", name.span, "give the second one another name")
    if text in program.value_names():
        raise error(f"{text} is not a result", name.span, "the left side takes a new name")


def _check_rank(tensor: Tensor, axes: Sequence[ast.Axis], span: Span) -> None:
    if len(axes) != len(tensor.shape):
        declared = f"{tensor.name}: {tensor.dtype}[{', '.join(map(str, tensor.shape))}]"
        many = "1 axis" if len(tensor.shape) == 1 else f"{len(tensor.shape)} axes"
        raise error(f"{tensor.name} has {many}, not {len(axes)}", span, f"it is {declared}")


def _reads(value: ast.Expr, tensor: str) -> list[ast.Element]:
    return [n for n, _ in ast.walk(value) if isinstance(n, ast.Element) and n.tensor.text == tensor]


def _is_sort(e: ast.Node) -> TypeGuard[ast.Reduce]:
    return isinstance(e, ast.Reduce) and e.kind.text == "argsort"


def _hidden(parts: Folded, base: str, shape: tuple[Index, ...], program: Program) -> tuple[Tensor, ...]:
    """Results for the accumulators that nothing was written for."""
    return tuple(Tensor(program.fresh(f"{base}_{a.name}"), a.dtype, shape) for a in parts.accs[: parts.hidden])


def _reduction(e: Reducing, ranges: Mapping[str, Index], parts: Folded) -> Reduction:
    axes = tuple(Axis(name, extent) for name, extent in ranges.items())
    orders = tuple(Order(a.chunk, a.lanes) for a in e.axes)
    for axis, order in zip(e.axes, orders, strict=True):
        if not parts.merge and not order.is_chain:
            raise error("a fold without a merge is a chain", axis.span, "leave out the order, or add a merge")
    return Reduction(axes, orders, parts.accs, parts.init, parts.others, parts.merge)


def _reduced(
    results: tuple[Tensor, ...], axes: tuple[Axis, ...], parts: Folded, reduction: Reduction, span: Span
) -> list[Compute]:
    """The reduction; over no axes (an empty pack) there is one point, and each result is a statement of its own."""
    if reduction.axes:
        return [Compute(results, axes, parts.steps, reduction, span=span)]
    start: dict[Expr, Expr] = dict(zip(parts.accs, parts.init, strict=True))
    values = [scalar.substitute(step, {}, start) for step in parts.steps]
    stored = [scalar.convert("cast", v, r.dtype) for v, r in zip(values, results, strict=True)]
    return [Compute((r,), axes, (v,), span=span) for r, v in zip(results, stored, strict=True)]


def _scan(
    results: tuple[Tensor, ...], axes: tuple[Axis, ...], axis: str, chunk: int, parts: Folded, span: Span | None
) -> Compute:
    scan = Scan(axis, chunk, parts.accs, parts.init, parts.others, parts.merge)
    return Compute(results, axes, parts.steps, scan=scan, span=span)


def _associative(compute: Compute, own: Sequence[Read], axis: str) -> Compute | None:
    """The scan that ``self[i - 1] op element`` is, if it starts from what ``op`` leaves alone."""
    value = compute.values[0]
    dtype = compute.results[0].dtype.compute
    if value.dtype is not dtype and isinstance(value, Apply):
        value = value.args[0]
    if len(own) != 1 or not isinstance(value, Apply) or value.op not in IDENTITIES:
        return None
    previous, start = scalar.convert("cast", own[0], dtype), IDENTITIES[value.op](dtype)
    at_one = symbol(axis) - 1 in own[0].indices
    if not at_one or own[0].otherwise is not scalar.convert("cast", start, own[0].dtype):
        return None
    left, right = value.args
    element = right if left is previous else left
    if previous not in value.args or own[0] in scalar.reads(element):
        return None
    taken = scalar.index_symbols(value) | {n.name for n in scalar.walk(value) if isinstance(n, scalar.Param)}
    acc, other = (Var(_free(n, taken), dtype) for n in ("acc", "other"))
    parts = join_with(value.op, acc, other, element, start, acc_left=left is previous)
    return _scan(compute.results, compute.axes, axis, SCAN_CHUNK, parts, compute.span)


def _free(name: str, taken: frozenset[str] | set[str]) -> str:
    while name in taken:
        name += "_"
    return name
