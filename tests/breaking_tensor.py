"""Ways to break sound functions of tensor IR; see breaking.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from breaking import (
    GONE,
    NOWHERE,
    Several,
    Site,
    at,
    first,
    longer,
    of,
    other,
    put,
    replace_node,
    shorter,
    twice,
    whole,
)

from tilewright.ir import index as ix
from tilewright.ir import statements
from tilewright.ir.index import const, symbol
from tilewright.ir.scalar import Apply, CheckedIndex, Expr, IndexValue, Param, Read, Var, literal
from tilewright.ir.tensor import Axis, Compute, Function, Order, ScalarInput, Scatter, Sort, Statement, Steps
from tilewright.ir.types import BOOL, F16, F32, F64, I64

Breaks = Callable[[Function], Iterator[Function]]


def computes(f: Function) -> Iterator[Site]:
    return _inside(whole(f).each("body"))


def _inside(sites: Iterable[Site]) -> Iterator[Site]:
    for s in sites:
        if isinstance(s.part, Steps):
            yield from _inside(s.each("body"))
        else:
            yield s


def steps(f: Function) -> Iterator[Site]:
    return (s for s in whole(f).each("body") if isinstance(s.part, Steps))


def stepped(f: Function) -> Iterator[Site]:
    """Statements in steps."""
    return (c for c in computes(f) if c.within(Steps))


def stored(f: Function) -> Iterator[Site]:
    """Statements with one value per result."""
    return (c for c in computes(f) if not c.part.sort)


def results(f: Function) -> Iterator[Site]:
    return (r for c in computes(f) for r in c.each("results"))


def values(f: Function) -> Iterator[Site]:
    return (v for c in computes(f) for v in c.each("values"))


def nodes(f: Function) -> Iterator[Site]:
    return (n for v in values(f) for n in v.nodes())


def reads(f: Function) -> Iterator[Site]:
    return of(Read)(nodes(f))


def folds(f: Function, *kinds: str) -> Iterator[Site]:
    return (s for c in computes(f) for kind in kinds or ("reduction", "scan") for s in c.one(kind))


def used_inputs(f: Function) -> Iterator[Site]:
    names = {r.part.tensor for r in reads(f)}
    return (t for t in whole(f).each("inputs") if t.part.name in names)


def _own(site: Site) -> bool:
    """Whether a read is of its statement's own result."""
    return site.part.tensor in {r.name for r in site.within(Compute).results}


def _own_in_steps(f: Function) -> Iterator[Site]:
    return (r for r in reads(f) if _own(r) and r.within(Steps))


def _reads_itself(s: Statement) -> bool:
    return isinstance(s, Compute) and any(r.tensor == own.name for r in statements.reads(s) for own in s.results)


def _here(site: Site) -> Any:
    """The read of an own result, at the same point and without a guard."""
    return replace_node(site.part, indices=tuple(symbol(a.name) for a in site.within(Compute).axes), otherwise=None)


def _without_steps(site: Site) -> Any:
    """The statement without the first axis of its steps."""
    first = site.within(Steps).axes[0]
    axes = tuple(a for a in site.part.axes if a != first)
    kept = [n for n, a in enumerate(site.part.axes) if a != first]
    results = tuple(replace(r, shape=tuple(r.shape[n] for n in kept)) for r in site.part.results)
    return replace(site.part, axes=axes, results=results)


def _cast(value: Expr, site: Site) -> Expr | None:
    """``value`` as the dtype of what it replaces."""
    dtype = site.part.dtype
    return Apply("cast", (value,), dtype) if dtype.compute is dtype and value.dtype is not dtype else None


def _mixed(site: Site) -> Any:
    node = site.part
    same = len(node.args) > 1 and node.op not in ("bits", "where")
    return replace_node(node, args=(*node.args[:-1], literal(0, other(node.args[0].dtype)))) if same else None


def _named_as_axis(site: Site) -> Any:
    return replace(site.part, axes=(*site.part.axes, *site.part.axes[:1])) if site.part.axes else None


HEADER_BREAKS: dict[str, Breaks] = {
    "drop an input": lambda f: at(used_inputs(f), lambda s: GONE),
    "double an input": lambda f: at(whole(f).each("inputs"), lambda s: twice(s.part)),
    "rename an input": lambda f: at(used_inputs(f), put(name="nothing")),
    "an input of no name": lambda f: at(whole(f).each("inputs"), put(name="a b")),
    "an input of a reserved name": lambda f: at(whole(f).each("inputs"), put(name="where")),
    "an input of another dtype": lambda f: at(used_inputs(f), put(dtype=other)),
    "an input of another rank": lambda f: at(used_inputs(f), put(shape=longer)),
    "an input of fewer axes": lambda f: at(used_inputs(f), put(shape=shorter)),
    "an extent of nowhere": lambda f: at(whole(f).each("inputs"), put(shape=first(NOWHERE + 1))),
    "an output of nowhere": lambda f: at([whole(f)], put(outputs=(*f.outputs, "nothing"))),
    "an input as an output": lambda f: at([whole(f)], put(outputs=(f.inputs[0].name,))),
    "an output twice": lambda f: at([whole(f)], put(outputs=f.outputs * 2)),
    "a precondition of nowhere": lambda f: at([whole(f)], put(preconditions=(ix.ge(NOWHERE, 0),))),
    "drop a scalar": lambda f: at(
        (s for s in whole(f).each("scalars") if s.part.name in {n.part.name for n in of(Param)(nodes(f))}),
        lambda s: GONE,
    ),
    "a scalar of a tensor's name": lambda f: at([whole(f)], put(scalars=(ScalarInput(f.inputs[0].name, F32),))),
    "a scalar of a dim's name": lambda f: at([whole(f)], put(scalars=(ScalarInput("N", F32),))),
}
STATEMENT_BREAKS: dict[str, Breaks] = {
    "double a statement": lambda f: at(computes(f), lambda s: twice(s.part)),
    "drop a result": lambda f: at(computes(f), put(results=shorter)),
    "a result too many": lambda f: at(
        computes(f), lambda s: put(results=(*s.part.results, replace(s.part.results[0], name="more")))(s)
    ),
    "rename a result": lambda f: at((r for r in results(f) if r.part.name in f.outputs), put(name="nothing")),
    "a result called like an input": lambda f: at(results(f), put(name=f.inputs[0].name)),
    "a result of no name": lambda f: at(results(f), put(name="1st")),
    "a result of another rank": lambda f: at(
        (r for r in results(f) if not r.within(Compute).scatter), put(shape=longer)
    ),
    "a result of another dtype": lambda f: at(results(f), put(dtype=other)),
    "drop a value": lambda f: at(stored(f), put(values=shorter)),
    "a value too many": lambda f: at(stored(f), lambda s: put(values=(*s.part.values, s.part.values[0]))(s)),
    "double an axis": lambda f: at(computes(f), _named_as_axis),
    "an axis called like a dim": lambda f: at((a for c in computes(f) for a in c.each("axes")), put(name="N")),
    "an axis of no name": lambda f: at((a for c in computes(f) for a in c.each("axes")), put(name="i'")),
    "an axis up to nowhere": lambda f: at((a for c in computes(f) for a in c.each("axes")), put(extent=NOWHERE)),
    "an axis up to another": lambda f: at(
        computes(f), lambda s: put(axes=(*s.part.axes, Axis("z1", const(2)), Axis("z2", symbol("z1"))))(s)
    ),
}
VALUE_BREAKS: dict[str, Breaks] = {
    "read from nowhere": lambda f: at(reads(f), put(tensor="nothing")),
    "read from later": lambda f: at(
        (r for r in reads(f) if r.within(Compute) is f.body[0] and len(f.body) > 1),
        put(tensor=f.computes[-1].results[0].name),
    ),
    "a read of too few indices": lambda f: at(reads(f), put(indices=shorter)),
    "a read of too many indices": lambda f: at(reads(f), put(indices=longer)),
    "a read of another dtype": lambda f: at(reads(f), put(dtype=other)),
    "a read at nowhere": lambda f: at(reads(f), put(indices=first(NOWHERE))),
    "a read at a float": lambda f: at(reads(f), put(indices=first(literal(0, F32)))),
    "a read at a number": lambda f: at(reads(f), put(indices=first(literal(0, I64)))),
    "a guard said": lambda f: at(reads(f), put(guard=(ix.ge(const(1), 0),))),
    "another value of another dtype": lambda f: at(
        reads(f), lambda s: replace_node(s.part, otherwise=literal(0, other(s.part.dtype)))
    ),
    "a value of another dtype": lambda f: at(
        (v for c in stored(f) for v in c.each("values")), lambda s: Apply("cast", (s.part,), other(s.part.dtype))
    ),
    "a result dtype that is wrong": lambda f: at(
        (s for s in of(Apply)(nodes(f)) if s.part.op not in ("cast", "bitcast")), put(dtype=other)
    ),
    "operands that differ": lambda f: at(of(Apply)(nodes(f)), _mixed),
    "division of integers": lambda f: at(
        values(f), lambda s: _cast(Apply("div", (literal(1, I64), literal(1, I64)), I64), s)
    ),
    "remainder of floats": lambda f: at(
        values(f), lambda s: _cast(Apply("mod", (literal(1, F32), literal(1, F32)), F32), s)
    ),
    "select by a number": lambda f: at(values(f), lambda s: _cast(Apply("where", (literal(1, F64),) * 3, F64), s)),
    "logic on numbers": lambda f: at(values(f), lambda s: _cast(Apply("not", (literal(0, F32),), BOOL), s)),
    "a cast to the same": lambda f: at(values(f), lambda s: Apply("cast", (s.part,), s.part.dtype)),
    "a bitcast to another width": lambda f: at(
        values(f), lambda s: Apply("bitcast", (literal(0, other(s.part.dtype)),), s.part.dtype)
    ),
    "arithmetic in f16": lambda f: at(values(f), lambda s: _cast(Apply("neg", (literal(1, F16),), F16), s)),
    "an unknown scalar": lambda f: at(values(f), lambda s: _cast(Param("nothing", F64), s)),
    "an unbound variable": lambda f: at(values(f), lambda s: _cast(Var("nothing", F64), s)),
    "an index value of nowhere": lambda f: at(values(f), lambda s: _cast(IndexValue(NOWHERE), s)),
    "a checked index": lambda f: at(
        values(f), lambda s: _cast(CheckedIndex(literal(0, I64), const(1), "x", const(0)), s)
    ),
}
FOLD_BREAKS: dict[str, Breaks] = {
    "a reduction over nothing": lambda f: at(folds(f, "reduction"), put(axes=(), orders=())),
    "drop an order": lambda f: at(folds(f, "reduction"), put(orders=shorter)),
    "three lanes": lambda f: at(folds(f, "reduction"), put(orders=first(Order(8, 3)))),
    "lanes beyond the chunk": lambda f: at(folds(f, "reduction"), put(orders=first(Order(2, 4)))),
    "lanes of a chain": lambda f: at(folds(f, "reduction"), put(orders=first(Order(0, 2)))),
    "a left fold in chunks": lambda f: at(
        (s for s in folds(f, "reduction") if not s.part.merge), put(orders=first(Order(4, 1)))
    ),
    "a reduced axis up to nowhere": lambda f: at(
        (a for r in folds(f, "reduction") for a in r.each("axes")), put(extent=NOWHERE)
    ),
    "a reduced axis twice": lambda f: at(
        folds(f, "reduction"), lambda s: replace(s.part, axes=s.part.axes * 2, orders=s.part.orders * 2)
    ),
    "drop an accumulator": lambda f: at(folds(f), put(accs=shorter)),
    "rename an accumulator": lambda f: at(
        (
            a
            for s in folds(f)
            for a in s.each("accs")
            if any(n.part is a.part for v in values(f) if v.within(Compute) is a.within(Compute) for n in v.nodes())
        ),
        lambda s: Var("nothing", s.part.dtype),
    ),
    "an accumulator of no name": lambda f: at(
        (a for s in folds(f) for a in s.each("accs")), lambda s: Var("inf", s.part.dtype)
    ),
    "an accumulator of another dtype": lambda f: at(
        (a for s in folds(f) for a in s.each("accs")), lambda s: Var(s.part.name, other(s.part.dtype))
    ),
    "drop a first value": lambda f: at(folds(f), put(init=shorter)),
    "a first value of another dtype": lambda f: at(
        (i for s in folds(f) for i in s.each("init")), lambda s: literal(0, other(s.part.dtype))
    ),
    "a first value that is no literal": lambda f: at(
        (i for s in folds(f) for i in s.each("init")), lambda s: Var("acc", s.part.dtype)
    ),
    "others of one name": lambda f: at(folds(f), lambda s: put(others=s.part.accs)(s) if s.part.others else None),
    "drop the others": lambda f: at(folds(f), lambda s: put(others=())(s) if s.part.others else None),
    "drop a merge": lambda f: at(folds(f, "scan"), put(merge=())),
    "a merge of another dtype": lambda f: at(
        (m for s in folds(f) for m in s.each("merge")), lambda s: Apply("cast", (s.part,), other(s.part.dtype))
    ),
    "a merge that reads": lambda f: at(
        (m for s in folds(f) for m in s.each("merge")),
        lambda s: _cast(Read("idx", (const(0),), f.tensor("idx").dtype), s),
    ),
    "a scan of nothing": lambda f: at(folds(f, "scan"), put(axis="nothing")),
    "a scan in chunks of nothing": lambda f: at(folds(f, "scan"), put(chunk=0)),
    "two kinds at once": lambda f: at(
        (c for c in computes(f) if c.part.reduction or c.part.scan),
        put(scatter=Scatter((), "add", literal(0, F32))),
    ),
    "a scatter by mul": lambda f: at((s for c in computes(f) for s in c.one("scatter")), put(combine="mul")),
    "a scatter of too few indices": lambda f: at(
        (s for c in computes(f) for s in c.one("scatter")), put(indices=shorter)
    ),
    "a scatter of too many indices": lambda f: at(
        (s for c in computes(f) for s in c.one("scatter")), put(indices=longer)
    ),
    "a scatter to nowhere": lambda f: at(
        (s for c in computes(f) for s in c.one("scatter")), put(indices=first(NOWHERE))
    ),
    "a scatter from one": lambda f: at(
        (s for c in computes(f) for s in c.one("scatter")),
        lambda s: replace(s.part, init=literal(1, s.part.init.dtype)),
    ),
    "a sort along nothing": lambda f: at((s for c in computes(f) for s in c.one("sort")), put(axis="nothing")),
    "a sort by nothing": lambda f: at((c for c in computes(f) if c.part.sort), put(values=())),
    "a sort by a bool": lambda f: at(
        (v for v in values(f) if v.within(Compute).sort), lambda s: Apply("eq", (s.part, s.part), BOOL)
    ),
    "a sort of a reduction": lambda f: at((c for c in computes(f) if c.part.reduction), put(sort=Sort("i"))),
}
STEPS_BREAKS: dict[str, Breaks] = {
    "steps along nothing": lambda f: at(steps(f), put(axes=())),
    "steps along another axis": lambda f: at((a for s in steps(f) for a in s.each("axes")), put(name="elsewhere")),
    "steps along a longer axis": lambda f: at(
        (a for s in steps(f) for a in s.each("axes")), lambda s: replace(s.part, extent=s.part.extent + 1)
    ),
    "a statement without its steps": lambda f: at(stepped(f), _without_steps),
    "a step that reads itself": lambda f: at(_own_in_steps(f), _here),
    "a statement that reads itself in no steps": lambda f: at(
        (s for s in steps(f) if _reads_itself(s.part.body[0])), lambda s: Several(s.part.body)
    ),
    "a scatter in steps": lambda f: at(
        (c for c in stepped(f) if c.part.reduction is None and c.part.results[0].dtype is F32),
        lambda s: replace(s.part, scatter=Scatter(tuple(symbol(a.name) for a in s.part.axes), "add", literal(0, F32))),
    ),
}
TABLES: tuple[dict[str, Breaks], ...] = (HEADER_BREAKS, STATEMENT_BREAKS, VALUE_BREAKS, FOLD_BREAKS, STEPS_BREAKS)
