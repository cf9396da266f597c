"""The rules that tensor IR keeps. Each has a name, which the error it raises carries."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field

from tilewright.errors import VerifyError
from tilewright.ir import index as ix
from tilewright.ir import scalar, statements, steps
from tilewright.ir.facts import Facts
from tilewright.ir.index import Index
from tilewright.ir.scalar import OPS, Apply, CheckedIndex, Const, Expr, IndexValue, Param, Read, Var
from tilewright.ir.steps import Path, Pending
from tilewright.ir.tensor import SCATTERS, Compute, Function, Reduction, Scan, Sort, Steps, Tensor, computes
from tilewright.ir.types import BOOL, I64, DType
from tilewright.records import dataclass

_RESERVED = {"op", "edition", "if", "else", "where", "for", "or", "and", "not", "true", "false", "inf", "nan"}
_AFFINE = ("add", "sub", "mul", "neg", "floordiv", "mod", "min", "max")


def verify(f: Function) -> None:
    """VerifyError if ``f`` breaks a rule: ``names``, ``dims``, ``axes``, ``scope``, ``dtypes``, ``storage``, ``reads``,
    ``indices``, ``results``, ``reduction``, ``scan``, ``scatter``, ``sort``, ``steps``, ``outputs``,
    ``preconditions``.
    """
    dims = _verify_header(f)
    tensors = {t.name: t for t in f.inputs}
    params = {s.name: s.dtype for s in f.scalars}
    facts = Facts({}, f.preconditions, dims)
    for s in f.body:
        made = {r.name: r for c in computes((s,)) for r in c.results}
        if isinstance(s, Steps):
            for c, path in steps.paths([s]):
                _Statement(c, tensors, params, dims, path).verify_path()
            for c, path, pending in steps.pending(s):
                _Statement(c, {**tensors, **made}, params, dims, path, pending, facts).verify()
        else:
            _Statement(s, tensors, params, dims).verify()
        tensors.update(made)
    computed = {r.name for c in f.computes for r in c.results}
    for name in f.outputs:
        _rule("outputs", name in computed, f"{name} is not a result", None)
    _rule("outputs", len(set(f.outputs)) == len(f.outputs), "an output is named twice", None)
    for condition in f.preconditions:
        free = ix.symbols(condition.index) - dims
        _rule("preconditions", not free, f"{condition} speaks of {sorted(free)}, which are not dims", None)


def is_name(text: str) -> bool:
    """Whether ``text`` can name a tensor, axis, dim, scalar or variable in source."""
    return text.isidentifier() and text.isascii() and text not in _RESERVED


def _rule(name: str, holds: bool, message: str, c: Compute | None) -> None:
    if not holds:
        raise VerifyError(name, message, c.span if c else None)


def _verify_header(f: Function) -> frozenset[str]:
    """The dims of ``f``: the symbols that are an extent of some input."""
    names = [t.name for t in f.inputs] + [s.name for s in f.scalars] + [r.name for c in f.computes for r in c.results]
    twice = sorted(n for n, count in Counter(names).items() if count > 1)
    _rule("names", not twice, f"{', '.join(twice)} defined twice", None)
    for name in names:
        _rule("names", is_name(name), f"{name!r} is not a name", None)
    extents = [e for t in f.inputs for e in t.shape]
    dims = frozenset(e.symbol for e in extents if e.symbol)
    for extent in extents:
        free = ix.symbols(extent) - dims
        _rule("dims", not free, f"no input has {sorted(free)} of {extent} as an extent", None)
    shared = sorted(dims & {s.name for s in f.scalars})
    _rule("names", not shared, f"{', '.join(shared)} is a dim and a scalar", None)
    return dims


@dataclass(frozen=True)
class _Statement:
    compute: Compute
    tensors: Mapping[str, Tensor]
    params: Mapping[str, DType]
    dims: frozenset[str]
    path: Path = ()
    pending: Mapping[str, Pending] = field(default_factory=dict)
    facts: Facts = field(default_factory=lambda: Facts({}))

    def rule(self, name: str, holds: bool, message: str) -> None:
        where = ", ".join(r.name for r in self.compute.results)
        _rule(name, holds, f"{where}: {message}", self.compute)

    @property
    def fold(self) -> Reduction | Scan | None:
        return self.compute.reduction or self.compute.scan

    def verify(self) -> None:
        c = self.compute
        if c.sort is None:
            self.rule("results", len(c.results) == len(c.values) > 0, "one value per result")
        self.rule("results", len(c.results) == 1 or self.fold is not None, "several results come from a fold only")
        kinds = [k for k in (c.reduction, c.scan, c.scatter, c.sort) if k is not None]
        self.rule("results", len(kinds) <= 1, "a statement is one of reduction, scan, scatter and sort")
        axes = self._verify_axes()
        self._verify_shapes()
        if c.sort is None:
            self._verify_dtypes()
        else:
            self._verify_sort(c.sort)
        if c.reduction is not None:
            self._verify_reduction(c.reduction)
        if c.scan is not None:
            self._verify_scan(c.scan)
        variables = frozenset(self.fold.accs if self.fold else ())
        for value in c.values:
            self.verify_expr(value, axes, variables)
        if self.path:
            self._verify_steps()
        if c.scatter is not None:
            self._verify_scatter(axes)

    def _verify_axes(self) -> frozenset[str]:
        c = self.compute
        axes = [*c.axes, *(c.reduction.axes if c.reduction else ())]
        names = [a.name for a in axes]
        self.rule("axes", len(set(names)) == len(names), "two axes have one name")
        self.rule("axes", all(map(is_name, names)), f"{names} are not all names")
        clash = self.dims.union(self.params) & set(names)
        self.rule("axes", not clash, f"{sorted(clash)} is an axis and a dim or scalar")
        for a in axes:
            self.rule("axes", ix.symbols(a.extent) <= self.dims, f"the extent {a.extent} of {a.name} is not of dims")
        return frozenset(names)

    def _verify_shapes(self) -> None:
        shape = tuple(a.extent for a in self.compute.axes)
        for r in self.compute.results:
            if self.compute.scatter is None:
                self.rule("results", r.shape == shape, f"the shape of {r.name} is not the extents of the axes")
            for extent in r.shape:
                self.rule("results", ix.symbols(extent) <= self.dims, f"the extent {extent} is not of dims")

    def _verify_dtypes(self) -> None:
        for r, value in zip(self.compute.results, self.compute.values, strict=True):
            stored = r.dtype if self.fold is None else r.dtype.compute
            self.rule("dtypes", value.dtype is stored, f"{value.dtype} is stored into {r.name}: {r.dtype}")

    def _verify_sort(self, s: Sort) -> None:
        c = self.compute
        self.rule("sort", s.axis in {a.name for a in c.axes}, f"{s.axis} is not an axis")
        places = len(c.results) == 1 and c.results[0].dtype is I64
        self.rule("sort", places, "its one result is places, of i64")
        self.rule("sort", len(c.values) > 0, "it sorts by at least one key")
        for key in c.values:
            self.rule("sort", key.dtype.is_integer, f"a key is {key.dtype}, not an integer")

    # --- folds ------------------------------------------------------------------------------

    def _verify_reduction(self, r: Reduction) -> None:
        self.rule("reduction", 0 < len(r.axes) == len(r.orders), "one order per axis, at least one axis")
        for o in r.orders:
            powers = o.lanes > 0 and o.lanes & (o.lanes - 1) == 0
            fits = (o.chunk == 0 and o.lanes == 1) or (o.chunk > 0 and o.lanes <= o.chunk)
            self.rule("reduction", powers and fits, f"{o} is no order")
            self.rule("reduction", bool(r.merge) or o.is_chain, "a strict left fold is a chain")
        self._verify_fold("reduction", r, bool(r.merge))

    def _verify_scan(self, s: Scan) -> None:
        self.rule("scan", s.axis in {a.name for a in self.compute.axes}, f"{s.axis} is not an axis")
        self.rule("scan", s.chunk > 0, "a chunk has elements")
        self._verify_fold("scan", s, True)

    def _verify_fold(self, rule: str, f: Reduction | Scan, merges: bool) -> None:
        count = len(self.compute.results)
        lengths = [len(f.accs), len(f.init), *([len(f.others), len(f.merge)] if merges else [])]
        self.rule(rule, lengths == [count] * len(lengths), f"{count} results, but {lengths} parts")
        self.rule(rule, merges or not f.others, "others without a merge")
        bound = [v.name for v in (*f.accs, *f.others)]
        self.rule(rule, len(set(bound)) == len(bound), "two accumulators or others have one name")
        self.rule(rule, all(map(is_name, bound)), f"{bound} are not all names")
        for acc, init, value in zip(f.accs, f.init, self.compute.values, strict=True):
            self.rule(rule, isinstance(init, Const), f"the initial value of {acc.name} is not a literal")
            self.rule("dtypes", init.dtype is acc.dtype is value.dtype, f"{acc.name}: {acc.dtype} takes {value.dtype}")
        for acc, other, merge in zip(f.accs, f.others, f.merge, strict=False):
            self.rule("dtypes", other.dtype is acc.dtype is merge.dtype, f"merging {acc.name} changes its dtype")
            pure = not scalar.reads(merge) and not scalar.index_symbols(merge)
            self.rule(rule, pure, "a merge depends on its two sides only")
            self.verify_expr(merge, frozenset(), frozenset((*f.accs, *f.others)))

    # --- steps and scatters -----------------------------------------------------------------

    def verify_path(self) -> None:
        """It goes along the axes of the steps around it."""
        stepped = [a for s in self.path for a in s.axes]
        self.rule("steps", all(s.axes for s in self.path), "steps go along an axis")
        self.rule("steps", all(a in self.compute.axes for a in stepped), "it lacks an axis of its steps")

    def _verify_steps(self) -> None:
        """It reads what is there at its step."""
        c = self.compute
        stepped = [a for s in self.path for a in s.axes]
        self.rule("steps", c.scatter is None and c.sort is None, "a scatter or a sort is no part of steps")
        along = c.scan.axis if c.scan else None
        self.rule("steps", all(a.name != along for a in stepped), "a scan goes along an axis of its own")
        ranges = {a.name: (ix.const(0), a.extent) for a in statements.all_axes(c)}
        facts = self.facts.extended(ranges)
        for r in statements.reads(c):
            seen = self.pending.get(r.tensor)
            known = seen is None or r.otherwise is not None or seen.known(r.indices, facts)
            self.rule("steps", known, f"{r.tensor}[{', '.join(map(str, r.indices))}] is read before it is computed")

    def _verify_scatter(self, axes: frozenset[str]) -> None:
        s, target = self.compute.scatter, self.compute.results[0]
        assert s is not None
        self.rule("scatter", s.combine in SCATTERS, f"scatter by {s.combine}")
        self.rule("scatter", len(s.indices) == len(target.shape), "one index per axis of the target")
        number = target.dtype is target.dtype.compute is not BOOL
        self.rule("scatter", number or s.combine == "set", f"scatter into {target.dtype}")
        init = scalar.identity(s.combine, target.dtype.compute)
        self.rule("scatter", s.init is init, f"a scatter by {s.combine} starts from {init}")
        if s.start is not None:
            self.rule("scope", s.start in self.tensors, f"{s.start} is not defined before this")
            start = self.tensors[s.start]
            same = (start.dtype, start.shape) == (target.dtype, target.shape)
            self.rule("scatter", same, f"{s.start}, which it starts from, is of another type")
        self._verify_indices(s.indices, axes, frozenset())

    # --- expressions ------------------------------------------------------------------------

    def verify_expr(self, root: Expr, axes: frozenset[str], variables: frozenset[Var]) -> None:
        """Checks every node of a value; storage dtypes may stand under a cast, in reads and where stored only."""
        storage_ok = {root} | {a for e in scalar.walk(root) for a in _storage_places(e)}
        for e in scalar.walk(root):
            self._verify_scope(e, axes, variables)
            if e.dtype is not e.dtype.compute:
                message = f"{e.dtype} is a storage dtype: it is cast where it is used"
                self.rule("storage", e in storage_ok and not (e is root and isinstance(e, Read)), message)
                self.rule("storage", not isinstance(e, Const), "a literal has a compute dtype")
            if isinstance(e, Read):
                self._verify_read(e, axes, variables)
            elif isinstance(e, Apply):
                self._verify_apply(e)

    def _verify_scope(self, e: Expr, axes: frozenset[str], variables: frozenset[Var]) -> None:
        if isinstance(e, Param):
            self.rule("scope", self.params.get(e.name) is e.dtype, f"there is no scalar {e.name}: {e.dtype}")
        elif isinstance(e, Var):
            self.rule("scope", e in variables, f"{e.name}: {e.dtype} is not bound here")
        elif isinstance(e, IndexValue):
            self._verify_symbols(e.index, axes)
        self.rule("scope", not isinstance(e, CheckedIndex), "checked indices belong to loop IR")

    def _verify_symbols(self, index: Index, axes: frozenset[str]) -> None:
        free = ix.symbols(index) - axes - self.dims
        self.rule("scope", not free, f"{sorted(free)} of {index} is neither an axis nor a dim")

    def _verify_read(self, e: Read, axes: frozenset[str], variables: frozenset[Var]) -> None:
        tensor = self.tensors.get(e.tensor)
        self.rule("scope", tensor is not None, f"{e.tensor} is not defined before this")
        assert tensor is not None
        self.rule("reads", e.dtype is tensor.dtype, f"{e.tensor} is {tensor.dtype}, not {e.dtype}")
        self.rule("reads", len(e.indices) == len(tensor.shape), f"{e.tensor} has {len(tensor.shape)} axes")
        self.rule("reads", not e.guard, "guards are implied in tensor IR")
        other = e.otherwise
        self.rule("reads", other is None or other.dtype is e.dtype, f"{e.tensor} else {other and other.dtype}")
        self._verify_indices(e.indices, axes, variables)

    def _verify_indices(self, indices: Sequence[Index | Expr], axes: frozenset[str], variables: frozenset[Var]) -> None:
        for i in indices:
            if isinstance(i, Index):
                self._verify_symbols(i, axes)
            else:
                self.rule("indices", i.dtype.is_integer, f"an index is {i.dtype}")
                self.rule("indices", not _affine(i), "an index that is affine is an Index")
                self.verify_expr(i, axes, variables)

    def _verify_apply(self, e: Apply) -> None:
        info = OPS[e.op]
        message = f"{e.op} of {', '.join(str(a.dtype) for a in e.args)} gives {e.dtype}"
        if info.operands in ("same", "shift", "bool"):
            self.rule("dtypes", _one({a.dtype for a in e.args}), message)
        if info.operands == "select":
            self.rule("dtypes", e.args[0].dtype is BOOL and e.args[1].dtype is e.args[2].dtype, message)
        kinds = {a.dtype.kind for a in (e.args[1:] if info.operands == "select" else e.args)}
        self.rule("dtypes", kinds <= set(info.kinds), message)
        if info.result == "given":
            self.rule("dtypes", e.args[0].dtype is not e.dtype, f"{e.op} to the dtype it has")
            self.rule("dtypes", e.op == "cast" or e.args[0].dtype.bits == e.dtype.bits, message)
        else:
            self.rule("dtypes", e.dtype is scalar.result_dtype(e.op, e.args), message)


def _storage_places(e: Expr) -> Iterable[Expr]:
    """The operands of ``e`` that may have a storage dtype."""
    if isinstance(e, Apply) and e.op == "cast" and e.dtype is e.args[0].dtype.compute:
        return e.args
    return (e.otherwise,) if isinstance(e, Read) and e.otherwise is not None else ()


def _affine(e: Expr) -> bool:
    """Whether ``e`` is made of what the index algebra has only; narrow integers wrap, it does not."""
    plain = (Const, IndexValue)
    made = all(isinstance(n, plain) or (isinstance(n, Apply) and n.op in _AFFINE) for n in scalar.walk(e))
    return made and e.dtype is I64


def _one(dtypes: set[DType]) -> bool:
    return len(dtypes) == 1
