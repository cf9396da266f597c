"""The parts of statements of tensor IR, rewriting and renaming them, and fresh names."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import field, replace

from tilewright.ir import index as ix
from tilewright.ir import scalar
from tilewright.ir.index import Condition, Index
from tilewright.ir.scalar import Expr, Param, Read
from tilewright.ir.tensor import Axis, Compute, Function, Reduction, Scan, Sort, Statement, Steps, Tensor, computes
from tilewright.records import dataclass

Rule = Callable[[Expr], Expr]


@dataclass
class Names:
    """Names in use, and new ones: ``fresh("t")`` is t, then t_2, t_3, ..."""

    taken: set[str] = field(default_factory=set)

    def fresh(self, base: str) -> str:
        """A name like ``base`` that nothing has yet; it is taken from now on."""
        name, number = base, 1
        while name in self.taken:
            number += 1
            name = f"{base}_{number}"
        self.taken.add(name)
        return name


def all_axes(c: Compute) -> tuple[Axis, ...]:
    """The axes of ``c``, those that it reduces included."""
    return c.axes + (c.reduction.axes if c.reduction else ())


def map_expressions(c: Compute, rule: Rule) -> Compute:
    """``c`` with ``rule`` applied to each of its expressions as a whole."""

    def each(expressions: tuple[Expr, ...]) -> tuple[Expr, ...]:
        return tuple(map(rule, expressions))

    reduction, scan, scatter = c.reduction, c.scan, c.scatter
    if reduction:
        reduction = replace(reduction, init=each(reduction.init), merge=each(reduction.merge))
    if scan:
        scan = replace(scan, init=each(scan.init), merge=each(scan.merge))
    if scatter:
        indices = tuple(i if isinstance(i, Index) else rule(i) for i in scatter.indices)
        scatter = replace(scatter, indices=indices, init=rule(scatter.init))
    return replace(c, values=each(c.values), reduction=reduction, scan=scan, scatter=scatter)


def is_pointwise(c: Compute) -> bool:
    """Whether each point of each result is computed by itself."""
    return not (c.reduction or c.scan or c.scatter or c.sort)


def map_computes(body: Iterable[Statement], rule: Callable[[Compute], Compute]) -> tuple[Statement, ...]:
    """``body`` with ``rule`` applied to each of its computes, those inside of steps included."""
    return tuple(replace(s, body=map_computes(s.body, rule)) if isinstance(s, Steps) else rule(s) for s in body)


def expressions(c: Compute) -> Iterator[Expr]:
    """Every expression of ``c`` that may read: its values, then data-dependent scatter indices."""
    yield from c.values
    if c.scatter:
        yield from (i for i in c.scatter.indices if not isinstance(i, Index))


def reads(c: Compute) -> list[Read]:
    """The distinct reads of ``c``, inner ones first."""
    return [*start_reads(c), *dict.fromkeys(r for e in expressions(c) for r in scalar.reads(e))]


def start_reads(c: Compute) -> list[Read]:
    """A read of the tensor that the scatter ``c`` starts from, at its first element, if it starts from one."""
    if c.scatter is None or c.scatter.start is None:
        return []
    result = c.results[0]
    return [Read(c.scatter.start, (ix.const(0),) * len(result.shape), result.dtype)]


def live(f: Function) -> frozenset[str]:
    """The tensors that the outputs of ``f`` need."""
    found = set(f.outputs)
    for s in reversed(f.body):
        before = 0
        while before < len(found):  # what is needed at one step may be computed further down, at the one before
            before = len(found)
            for c in reversed(list(computes((s,)))):
                found.update(_needs(c, found))
    return frozenset(found)


def _needs(c: Compute, wanted: Collection[str]) -> Iterator[str]:
    """The tensors that ``c`` reads for those of its results that are ``wanted``."""
    if not any(r.name in wanted for r in c.results):
        return
    if is_pointwise(c):
        c = replace(c, values=tuple(v for r, v in zip(c.results, c.values, strict=True) if r.name in wanted))
    yield from (r.tensor for r in reads(c))


def params(f: Function) -> frozenset[str]:
    """The names of the run-time scalars that the body of ``f`` uses."""
    nodes = (n for c in f.computes for e in expressions(c) for n in scalar.walk(e))
    return frozenset(n.name for n in nodes if isinstance(n, Param))


def indices(c: Compute) -> Iterator[Index]:
    """Every index of ``c`` outside its expressions: shapes, extents and scatter positions."""
    for result in c.results:
        yield from result.shape
    yield from (a.extent for a in all_axes(c))
    if c.scatter:
        yield from (i for i in c.scatter.indices if isinstance(i, Index))


def symbols(c: Compute) -> frozenset[str]:
    """The names of all index symbols in ``c``, its axes included."""
    found = {a.name for a in all_axes(c)}
    for index in indices(c):
        found |= ix.symbols(index)
    for e in expressions(c):
        found |= scalar.index_symbols(e)
    return frozenset(found)


def free_symbols(c: Compute) -> frozenset[str]:
    """The names of the symbols in ``c`` that it does not bind: dims."""
    return symbols(c) - {a.name for a in all_axes(c)}


def dims(f: Function) -> frozenset[str]:
    """The names of all symbols in the shapes of the inputs of ``f``."""
    return union(ix.symbols(i) for t in f.inputs for i in t.shape)


def union(sets: Iterable[frozenset[str]]) -> frozenset[str]:
    """The union of ``sets``."""
    return frozenset().union(*sets)


def names(f: Function) -> Names:
    """Every name that ``f`` uses for a tensor, scalar, dim or axis."""
    taken = set(f.tensors()) | {s.name for s in f.scalars} | dims(f)
    return Names(taken.union(*map(symbols, f.computes)))


def rename_tensors(e: Expr, tensors: Mapping[str, str], scalars: Mapping[str, Expr] | None = None) -> Expr:
    """``e`` reading other tensors, and with run-time scalars replaced."""

    def rule(node: Expr) -> Expr:
        if isinstance(node, Read) and node.tensor in tensors:
            return Read(tensors[node.tensor], node.indices, node.dtype, node.guard, node.otherwise)
        return (scalars or {}).get(node.name, node) if isinstance(node, Param) else node

    return scalar.rewrite(e, rule)


def rename(
    s: Statement,
    tensors: Mapping[str, str],
    indices: Mapping[str, Index],
    axes: Mapping[str, str],
    scalars: Mapping[str, Expr] | None = None,
) -> Statement:
    """``s`` with tensors and axes renamed, and dims and run-time scalars replaced."""
    if isinstance(s, Compute):
        return rename_compute(s, tensors, indices, axes, scalars)
    over = tuple(Axis(axes.get(a.name, a.name), ix.substitute(a.extent, indices)) for a in s.axes)
    return replace(s, axes=over, body=tuple(rename(inner, tensors, indices, axes, scalars) for inner in s.body))


def rename_compute(
    c: Compute,
    tensors: Mapping[str, str],
    indices: Mapping[str, Index],
    axes: Mapping[str, str],
    scalars: Mapping[str, Expr] | None = None,
) -> Compute:
    """:func:`rename` of a compute."""
    values = {**indices, **{old: ix.symbol(new) for old, new in axes.items()}}

    def extents(shape: tuple[Index, ...]) -> tuple[Index, ...]:
        return tuple(ix.substitute(i, values) for i in shape)

    def axis(a: Axis) -> Axis:
        return Axis(axes.get(a.name, a.name), ix.substitute(a.extent, values))

    def name(old: str) -> str:
        return axes.get(old, old)

    c = map_expressions(c, lambda e: rename_tensors(scalar.substitute(e, values), tensors, scalars))
    reduction: Reduction | None = c.reduction and replace(c.reduction, axes=tuple(map(axis, c.reduction.axes)))
    scan: Scan | None = c.scan and replace(c.scan, axis=name(c.scan.axis))
    sort: Sort | None = c.sort and Sort(name(c.sort.axis))
    scatter = c.scatter
    if scatter:
        positions = tuple(ix.substitute(i, values) if isinstance(i, Index) else i for i in scatter.indices)
        start = None if scatter.start is None else tensors.get(scatter.start, scatter.start)
        scatter = replace(scatter, indices=positions, start=start)
    return replace(
        c,
        results=tuple(Tensor(tensors.get(r.name, r.name), r.dtype, extents(r.shape)) for r in c.results),
        axes=tuple(map(axis, c.axes)),
        reduction=reduction,
        scan=scan,
        scatter=scatter,
        sort=sort,
    )


def substitute_conditions(conditions: Iterable[Condition], values: Mapping[str, Index]) -> tuple[Condition, ...]:
    """The distinct ``conditions`` after replacing symbols."""
    return tuple(dict.fromkeys(ix.substitute_condition(c, values) for c in conditions))
