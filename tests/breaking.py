"""Ways to break sound IR: for each kind of break, the places where it applies, and what is put there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from tilewright.ir import index as ix
from tilewright.ir.index import Condition, Index, const, symbol
from tilewright.ir.loops import Block, Kernel, Loop
from tilewright.ir.plan import Check, Phase, Plan, Repeat
from tilewright.ir.scalar import Apply, CheckedIndex, Expr, IndexValue, Param, Read, Var, literal, rewrite, walk
from tilewright.ir.tensor import ScalarInput
from tilewright.ir.types import BOOL, F32, F64, I32, I64, DType

NOWHERE = symbol("nowhere")


@dataclass(frozen=True)
class Site:
    """A part of an IR, how to put another in its place, and the parts around it, outermost first."""

    part: Any
    put: Callable[[Any], Any]
    around: tuple[Any, ...] = ()

    def each(self, field: str) -> Iterator[Site]:
        """The elements of a tuple of the part."""
        values = getattr(self.part, field)
        for n, value in enumerate(values):
            yield self._inner(value, lambda new, n=n: self.set(field, (*values[:n], *new_parts(new), *values[n + 1 :])))

    def one(self, field: str) -> Iterator[Site]:
        """A field of the part, if it is there."""
        value = getattr(self.part, field)
        if value is not None:
            yield self._inner(value, lambda new: self.set(field, new))

    def set(self, field: str, value: Any) -> Any:
        return self.put(replace(self.part, **{field: value}))

    def nodes(self) -> Iterator[Site]:
        """The nodes of an expression."""
        for node in walk(self.part):
            yield self._inner(
                node, lambda new, node=node: self.put(rewrite(self.part, lambda e: new if e is node else e))
            )

    def _inner(self, part: Any, put: Callable[[Any], Any]) -> Site:
        return Site(part, put, (*self.around, self.part))

    def within(self, kind: type) -> Any:
        """The innermost part around that is of ``kind``."""
        return next((p for p in reversed(self.around) if isinstance(p, kind)), None)


@dataclass(frozen=True)
class Several:
    """To be put in the place of one element of a tuple."""

    parts: tuple[Any, ...]


def new_parts(new: Any) -> tuple[Any, ...]:
    return new.parts if isinstance(new, Several) else (new,)


GONE = Several(())


def twice(part: Any) -> Several:
    return Several((part, part))


Change = Callable[[Site], Any]
"""The broken IR, or None where the break does not apply."""


def at(sites: Iterable[Site], change: Callable[[Site], Any]) -> Iterator[Any]:
    """The IRs that ``change`` makes, of those sites where it gives something."""
    for site in sites:
        new = change(site)
        if new is not None:
            yield site.put(new)


def put(**fields: Any) -> Callable[[Site], Any]:
    """Sets fields of the part; callables take the old value (None: does not apply)."""

    def change(site: Site) -> Any:
        new = {name: f(getattr(site.part, name)) if callable(f) else f for name, f in fields.items()}
        return None if None in new.values() else replace_node(site.part, **new)

    return change


def replace_node(part: Any, **fields: Any) -> Any:
    """``dataclasses.replace`` that also takes interned nodes."""
    if isinstance(part, Expr.__args__):  # type: ignore[attr-defined]
        names = type(part).__dataclass_fields__
        return type(part)(*(fields.get(name, getattr(part, name)) for name in names))
    return replace(part, **fields)


def other(dtype: DType) -> DType:
    """A dtype of another width."""
    return F64 if dtype.bits != 64 else F32 if dtype.is_float else I32


def longer(parts: tuple[Any, ...]) -> tuple[Any, ...]:
    return (*parts, const(0))


def shorter(parts: tuple[Any, ...]) -> tuple[Any, ...] | None:
    return parts[:-1] if parts else None


def first(new: Any) -> Callable[[tuple[Any, ...]], tuple[Any, ...] | None]:
    """Puts ``new`` in the first place of a tuple that has one."""
    return lambda parts: (new, *parts[1:]) if parts else None


def only(holds: Callable[[Site], bool], change: Callable[[Site], Any]) -> Callable[[Site], Any]:
    return lambda site: change(site) if holds(site) else None


def field(name: str, *values: Any) -> Callable[[Site], bool]:
    return lambda site: getattr(site.part, name) in values


def of(*kinds: type) -> Callable[[Iterable[Site]], Iterator[Site]]:
    return lambda sites: (s for s in sites if isinstance(s.part, kinds))


# --- loop IR ------------------------------------------------------------------------------------


def kernels(plan: Plan) -> Iterator[Site]:
    return whole(plan).each("kernels")


def buffers(plan: Plan) -> Iterator[Site]:
    """The buffers that some block of their kernel uses."""
    for k in kernels(plan):
        used = {name for s in _statements(k) if isinstance(s.part, Block) for name in _buffers_of(s.part)}
        yield from (b for b in k.each("buffers") if b.part.name in used)


def _buffers_of(block: Block) -> set[str]:
    found = {w.buffer for w in block.writes}
    return found | {n.tensor for e in expressions(block) for n in walk(e) if isinstance(n, Read)}


def expressions(block: Block) -> tuple[Expr, ...]:
    places = (i for w in block.writes for i in w.indices if not isinstance(i, Index))
    return (*block.values, *block.init, *places)


def _statements(site: Site) -> Iterator[Site]:
    for s in site.each("body"):
        yield s
        if isinstance(s.part, Loop):
            yield from _statements(s)


def loops(plan: Plan) -> Iterator[Site]:
    return (s for k in kernels(plan) for s in _statements(k) if isinstance(s.part, Loop))


def blocks(plan: Plan) -> Iterator[Site]:
    return (s for k in kernels(plan) for s in _statements(k) if isinstance(s.part, Block))


def iters(plan: Plan) -> Iterator[Site]:
    """The iteration variables that their block evaluates."""
    for b in blocks(plan):
        yield from (i for i in b.each("iters") if i.part.name in _evaluated(b.part))


def _evaluated(block: Block) -> set[str]:
    found: set[str] = set()
    for e in expressions(block):
        for node in walk(e):
            indices = node.indices if isinstance(node, Read) else (node.index,) if isinstance(node, IndexValue) else ()
            found |= {s for i in indices if isinstance(i, Index) for s in ix.symbols(i)}
    return found | {s for w in block.writes for i in w.indices if isinstance(i, Index) for s in ix.symbols(i)}


def writes(plan: Plan) -> Iterator[Site]:
    return (w for b in blocks(plan) for w in b.each("writes"))


def values(plan: Plan) -> Iterator[Site]:
    return (v for b in blocks(plan) for v in b.each("values"))


def inits(plan: Plan) -> Iterator[Site]:
    return (v for b in blocks(plan) for v in b.each("init"))


def nodes(plan: Plan) -> Iterator[Site]:
    return (n for v in values(plan) for n in v.nodes())


def loop_reads(plan: Plan) -> Iterator[Site]:
    return of(Read)(nodes(plan))


def steps(plan: Plan) -> Iterator[Site]:
    def inside(site: Site) -> Iterator[Site]:
        for s in site.each("steps"):
            yield s
            if isinstance(s.part, Repeat):
                yield from inside(s)

    return inside(whole(plan))


def phases(plan: Plan) -> Iterator[Site]:
    return of(Phase)(steps(plan))


def whole(ir: Any) -> Site:
    return Site(ir, lambda new: new)


def _any_extent(site: Site) -> bool:
    return site.part.extent.constant is None


def _bound(site: Site) -> set[str]:
    """The loops around."""
    return {p.var for p in site.around if isinstance(p, Loop)}


def _in_a_serial_loop(site: Site) -> bool:
    return any(isinstance(p, Loop) and p.kind == "serial" for p in site.around)


def _used_loops(plan: Plan) -> Iterator[Site]:
    """Loops whose variable a binding in them speaks of."""
    for s in loops(plan):
        inside = [b.part for b in _statements(s) if isinstance(b.part, Block)]
        if any(s.part.var in ix.symbols(i) for b in inside for i in b.bindings):
            yield s


def _fresh_axis(site: Site) -> Any:
    b = site.part
    return replace(b, shape=(*b.shape, const(2)), strides=(*b.strides, const(b.dtype.bytes)))


def _other_value(site: Site) -> Any:
    """The value in another dtype."""
    return Apply("cast", (site.part,), other(site.part.dtype))


def _init_of_nothing(site: Site) -> Any:
    """An init where nothing is reduced over."""
    reduced = any(i.kind == "reduce" for i in site.part.iters)
    return None if reduced else put(init=site.part.values)(site)


def _operations(sites: Iterable[Site]) -> Iterator[Site]:
    """Operations whose operands say what they give."""
    return (s for s in of(Apply)(sites) if s.part.op not in ("cast", "bitcast"))


def _mixed(site: Site) -> Any:
    node = site.part
    same = len(node.args) > 1 and node.op not in ("bits", "where")
    return replace_node(node, args=(*node.args[:-1], literal(0, other(node.args[0].dtype)))) if same else None


def _loop_extent(site: Site) -> Any:
    """A shape that speaks of a loop of the kernel."""
    inside = [s.part.var for s in _statements(whole(site.within(Kernel))) if isinstance(s.part, Loop)]
    return put(shape=first(symbol(inside[0])))(site) if inside else None


def _loop_index(site: Site) -> Any:
    """An index over a loop around that is no iteration variable."""
    hidden = sorted(_bound(site) - {i.name for i in site.within(Block).iters})
    return put(indices=first(symbol(hidden[0])))(site) if hidden else None


def _loop_iteration(site: Site) -> Any:
    """An iteration variable over the loops around."""
    return next((replace(site.part, extent=symbol(v)) for v in sorted(_bound(site))), None)


def _called_like_a_buffer(site: Site) -> Any:
    name = site.within(Kernel).buffers[0].name
    return replace(site.part, **{"var" if isinstance(site.part, Loop) else "name": name})


def _guarded(site: Site, condition: Condition, otherwise: Expr | None) -> Any:
    return replace_node(site.part, guard=(condition,), otherwise=otherwise)


def _used_scalars(plan: Plan) -> Iterator[Site]:
    for k in kernels(plan):
        used = {n.part.name for n in of(Param)(nodes(replace(plan, kernels=(k.part,))))}
        yield from (s for s in k.each("scalars") if s.part.name in used)


def _used_inputs(plan: Plan) -> Iterator[Site]:
    names = {b.name for k in plan.kernels for b in k.buffers}
    return (t for t in whole(plan).each("inputs") if t.part.name in names)


def _cast(value: Expr, site: Site) -> Expr:
    """``value`` as the dtype of what it replaces."""
    return Apply("cast", (value,), site.part.dtype)


def _run_kernels(plan: Plan) -> Iterator[Site]:
    used = {f.part.kernel for f in phases(plan)}
    return (k for k in kernels(plan) if k.part.name in used)


def _reading_reduced(site: Site) -> Any:
    """An init that depends on an iteration that is reduced over."""
    block: Block = site.within(Block)
    reduced = [i.name for i in block.iters if i.kind == "reduce"]
    return Apply("cast", (IndexValue(symbol(reduced[0])),), site.part.dtype) if reduced else None


Breaks = Callable[[Plan], Iterator[Plan]]

BUFFER_BREAKS: dict[str, Breaks] = {
    "drop a buffer": lambda p: at(buffers(p), lambda s: GONE),
    "double a buffer": lambda p: at(buffers(p), lambda s: twice(s.part)),
    "rename a buffer": lambda p: at(buffers(p), put(name="nothing")),
    "an unknown scope": lambda p: at(buffers(p), put(scope="heap")),
    "an operand as scratch": lambda p: at(buffers(p), only(field("scope", "global"), put(scope="scratch"))),
    "scratch as an operand": lambda p: at(buffers(p), only(field("scope", "scratch"), put(scope="global"))),
    "a register as an operand": lambda p: at(buffers(p), only(field("scope", "register"), put(scope="global"))),
    "drop a stride": lambda p: at(buffers(p), put(strides=shorter)),
    "a stride too many": lambda p: at(buffers(p), put(strides=longer)),
    "drop an extent": lambda p: at(buffers(p), put(shape=shorter)),
    "an axis too many": lambda p: at(buffers(p), _fresh_axis),
    "a buffer of another dtype": lambda p: at(buffers(p), put(dtype=other)),
    "an extent of nowhere": lambda p: at(buffers(p), put(shape=first(NOWHERE))),
    "a stride of nowhere": lambda p: at(buffers(p), put(strides=first(NOWHERE))),
    "an extent of a loop": lambda p: at(buffers(p), _loop_extent),
    "a register of any extent": lambda p: at(
        buffers(p), only(field("scope", "register"), put(shape=first(symbol("N"))))
    ),
    "drop a scalar": lambda p: at(_used_scalars(p), lambda s: GONE),
    "a scalar of another dtype": lambda p: at(_used_scalars(p), put(dtype=other)),
    "a scalar called like a buffer": lambda p: at(
        kernels(p), lambda s: put(scalars=(ScalarInput(s.part.buffers[0].name, F32),))(s)
    ),
    "a scalar of nowhere": lambda p: at(kernels(p), put(scalars=lambda t: (*t, ScalarInput("nothing", F32)))),
}
LOOP_BREAKS: dict[str, Breaks] = {
    "an unknown kind of loop": lambda p: at(loops(p), put(kind="magic")),
    "a loop in itself": lambda p: at(loops(p), lambda s: put(body=(s.part,))(s)),
    "a loop called like a buffer": lambda p: at(loops(p), _called_like_a_buffer),
    "a loop called like a size": lambda p: at(loops(p), put(var=p.symbols[0][0])),
    "rename a loop": lambda p: at(_used_loops(p), put(var="nothing")),
    "drop a loop": lambda p: at(_used_loops(p), lambda s: Several(s.part.body)),
    "an extent over itself": lambda p: at(loops(p), lambda s: put(extent=symbol(s.part.var))(s)),
    "a loop up to nowhere": lambda p: at(loops(p), put(extent=NOWHERE)),
    "lanes of any number": lambda p: at(loops(p), only(_any_extent, put(kind="vectorized"))),
    "copies of any number": lambda p: at(loops(p), only(_any_extent, put(kind="unrolled"))),
    "tasks inside": lambda p: at(loops(p), only(_in_a_serial_loop, put(kind="parallel"))),
    "tasks beside": lambda p: at(loops(p), only(field("kind", "parallel"), lambda s: twice(s.part))),
}
BLOCK_BREAKS: dict[str, Breaks] = {
    "double a block": lambda p: at(blocks(p), lambda s: twice(s.part)),
    "drop an iteration": lambda p: at(iters(p), lambda s: GONE),
    "double an iteration": lambda p: at(iters(p), lambda s: twice(s.part)),
    "an unknown kind of iteration": lambda p: at(iters(p), put(kind="free")),
    "rename an iteration": lambda p: at(iters(p), put(name="nothing")),
    "an iteration called like a buffer": lambda p: at(iters(p), _called_like_a_buffer),
    "an iteration up to nowhere": lambda p: at(iters(p), put(extent=NOWHERE)),
    "an iteration over a loop": lambda p: at(iters(p), _loop_iteration),
    "drop a binding": lambda p: at(blocks(p), put(bindings=shorter)),
    "a binding too many": lambda p: at(blocks(p), put(bindings=longer)),
    "a binding to nowhere": lambda p: at(blocks(p), put(bindings=first(NOWHERE))),
    "a predicate of nowhere": lambda p: at(blocks(p), put(predicate=lambda t: (*t, ix.ge(NOWHERE, 0)))),
    "a predicate of no kind": lambda p: at(blocks(p), put(predicate=lambda t: (*t, Condition("ne", const(1))))),
    "write nothing": lambda p: at(blocks(p), put(writes=())),
    "drop a value": lambda p: at(blocks(p), put(values=shorter)),
    "a value too many": lambda p: at(blocks(p), put(values=lambda t: (*t, t[0]))),
    "an init too many": lambda p: at(blocks(p), put(init=lambda t: (*t, t[0]) if t else None)),
    "an init of nothing reduced": lambda p: at(blocks(p), _init_of_nothing),
    "an init over the reduction": lambda p: at(inits(p), _reading_reduced),
    "an init of another dtype": lambda p: at(inits(p), _other_value),
}
ACCESS_BREAKS: dict[str, Breaks] = {
    "write to nowhere": lambda p: at(writes(p), put(buffer="nothing")),
    "a write of too few indices": lambda p: at(writes(p), put(indices=shorter)),
    "a write of too many indices": lambda p: at(writes(p), put(indices=longer)),
    "a write at nowhere": lambda p: at(writes(p), put(indices=first(NOWHERE))),
    "a write at a loop": lambda p: at(writes(p), _loop_index),
    "a write at an unchecked value": lambda p: at(writes(p), put(indices=first(literal(0, I64)))),
    "read from nowhere": lambda p: at(loop_reads(p), put(tensor="nothing")),
    "a read of too few indices": lambda p: at(loop_reads(p), put(indices=shorter)),
    "a read of too many indices": lambda p: at(loop_reads(p), put(indices=longer)),
    "a read at nowhere": lambda p: at(loop_reads(p), put(indices=first(NOWHERE))),
    "a read at an unchecked value": lambda p: at(loop_reads(p), put(indices=first(literal(0, I64)))),
    "a read of another dtype": lambda p: at(loop_reads(p), put(dtype=other)),
    "a guard of nowhere": lambda p: at(
        loop_reads(p), lambda s: _guarded(s, ix.ge(NOWHERE, 0), s.part.otherwise or literal(0, s.part.dtype))
    ),
    "a guard without another value": lambda p: at(loop_reads(p), lambda s: _guarded(s, ix.ge(const(1), 0), None)),
    "another value of another dtype": lambda p: at(
        loop_reads(p), lambda s: _guarded(s, ix.ge(const(1), 0), literal(0, other(s.part.dtype)))
    ),
    "an index that is no integer": lambda p: at(of(CheckedIndex)(nodes(p)), put(value=literal(0, F32))),
    "a value of another dtype": lambda p: at(values(p), _other_value),
    "a variable of tensor IR": lambda p: at(values(p), lambda s: Var("acc", s.part.dtype)),
    "an unknown scalar": lambda p: at(values(p), lambda s: Param("nothing", s.part.dtype)),
    "an index value of nowhere": lambda p: at(values(p), lambda s: _cast(IndexValue(NOWHERE), s)),
    "a result of another dtype": lambda p: at(_operations(nodes(p)), put(dtype=other)),
    "operands that differ": lambda p: at(of(Apply)(nodes(p)), _mixed),
    "logic on numbers": lambda p: at(values(p), lambda s: _cast(Apply("not", (literal(0, F32),), BOOL), s)),
    "a bitcast to another width": lambda p: at(
        values(p), lambda s: Apply("bitcast", (literal(0, other(s.part.dtype)),), s.part.dtype)
    ),
}
PLAN_BREAKS: dict[str, Breaks] = {
    "drop a kernel": lambda p: at(_run_kernels(p), lambda s: GONE),
    "double a kernel": lambda p: at(kernels(p), lambda s: twice(s.part)),
    "rename a kernel": lambda p: at(_run_kernels(p), put(name="nothing")),
    "run an unknown kernel": lambda p: at(phases(p), put(kernel="nothing")),
    "a task too many": lambda p: at(phases(p), put(tasks=lambda t: t + 1)),
    "tasks of nowhere": lambda p: at(phases(p), put(tasks=NOWHERE)),
    "chunks of nothing": lambda p: at(phases(p), put(chunk=const(0))),
    "chunks of nowhere": lambda p: at(phases(p), put(chunk=NOWHERE)),
    "a counter called like a size": lambda p: at(steps(p), lambda s: Repeat(p.symbols[0][0], const(1), (s.part,))),
    "a counter in itself": lambda p: at(steps(p), lambda s: Repeat("r", const(1), (Repeat("r", const(1), (s.part,)),))),
    "drop an input": lambda p: at(_used_inputs(p), lambda s: GONE),
    "double an input": lambda p: at(whole(p).each("inputs"), lambda s: twice(s.part)),
    "an input of nowhere": lambda p: at(whole(p).each("inputs"), put(shape=first(NOWHERE))),
    "drop an output": lambda p: at(whole(p).each("outputs"), lambda s: GONE),
    "an output of another width": lambda p: at(whole(p).each("outputs"), put(dtype=other)),
    "an output of another rank": lambda p: at(whole(p).each("outputs"), put(shape=longer)),
    "an output of nowhere": lambda p: at(whole(p).each("outputs"), put(shape=first(NOWHERE))),
    "an output as an input": lambda p: at([whole(p)], put(inputs=(*p.inputs, *p.outputs), outputs=())),
    "drop scratch": lambda p: at(whole(p).each("scratch"), lambda s: GONE),
    "scratch of nowhere": lambda p: at(whole(p).each("scratch"), put(shape=first(NOWHERE))),
    "a scalar called like a tensor": lambda p: at([whole(p)], put(scalars=(ScalarInput(p.outputs[0].name, F32),))),
    "define a size twice": lambda p: at([whole(p)], put(symbols=(*p.symbols, p.symbols[0]))),
    "a size of itself": lambda p: at([whole(p)], put(symbols=(("Z", symbol("Z")), *p.symbols))),
    "sizes backwards": lambda p: at([whole(p)], put(symbols=(("Z", symbol(p.symbols[0][0])), *p.symbols))),
    "a check of nowhere": lambda p: at([whole(p)], put(checks=(Check(ix.ge(NOWHERE, 0), "?"),))),
}
TABLES: tuple[dict[str, Breaks], ...] = (BUFFER_BREAKS, LOOP_BREAKS, BLOCK_BREAKS, ACCESS_BREAKS, PLAN_BREAKS)
