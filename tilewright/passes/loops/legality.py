"""Is a step legal? Every iteration still runs once, and dependences keep their order.

"Cannot prove" is a refusal that names the condition. Where running the loops for small sizes finds two
iterations that conflict, the refusal shows them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import product

from tilewright.errors import InternalError, ScheduleError
from tilewright.ir.facts import Facts
from tilewright.ir.index import Index, const, ge, lt, substitute, substitute_condition, symbol, symbols
from tilewright.ir.loops import Block, Iter, Kernel, Loop, Stmt, Write, blocks, walk
from tilewright.passes.loops.cover import Box, Part, Unproved, covered_box, partitions
from tilewright.passes.loops.dependence import Access, Comparison, Distance, accesses, conflicts, tells
from tilewright.passes.loops.nest import facts as kernel_facts
from tilewright.passes.loops.witness import Point, witness

__all__ = [
    "Part", "check_cover", "check_domains", "check_lanes", "check_order", "check_private", "check_turns",
    "private_registers",
]  # fmt: skip


def check_cover(step: object, loops: Sequence[Loop], parts: Iterable[Part], facts: Facts) -> None:
    """Refuses ``step`` unless ``parts`` together run every iteration of ``loops`` exactly once."""
    whole = tuple((const(0), o.extent) for o in loops)
    _check_boxes(step, [o.var for o in loops], whole, parts, facts)


def check_domains(kernel: Kernel) -> None:
    """Refuses ``kernel`` unless its loops run every point of every block's domain exactly once.

    Blocks that have the same iteration variables and write the same cells may share a domain. An iteration
    variable bound to a value from outside of the kernel (a counter of the plan) has that value alone.
    """
    shared: dict[tuple[tuple[Iter, ...], tuple[Write, ...]], list[Part]] = {}
    for block, loops in blocks(kernel):
        shared.setdefault((block.iters, block.writes), []).append(Part(block.bindings, loops, block.predicate))
    facts = kernel_facts(kernel, ())
    for (iters, _), parts in shared.items():
        bound = parts[0].bindings
        inside = {o.var for p in parts for o in p.loops}
        given = [b.constant is None and not symbols(b) & inside for b in bound]
        whole = tuple((b, b + 1) if g else (const(0), i.extent) for i, b, g in zip(iters, bound, given, strict=True))
        names = [i.name for i in iters]
        alone = [p for p in parts if _covers(p, whole, facts)]
        rest = [p for p in parts if p not in alone]
        if rest or not alone:
            _check_boxes(kernel.name, names, whole, rest, facts)


def _covers(part: Part, whole: Box, facts: Facts) -> bool:
    try:
        return partitions([covered_box(part, facts)], whole, facts)
    except Unproved:
        return False


def _check_boxes(step: object, names: list[str], whole: Box, parts: Iterable[Part], facts: Facts) -> None:
    try:
        boxes = [covered_box(p, facts) for p in parts]
    except Unproved as e:
        raise ScheduleError(f"{step}: cannot prove that {', '.join(names)} run over each index once: {e}") from None
    if not partitions(boxes, whole, facts):
        have = " and ".join(_box_text(b, names) for b in boxes)
        raise ScheduleError(f"{step}: cannot prove that {have} is all of {_box_text(whole, names)}, each index once")


def _box_text(box: Box, names: Sequence[str]) -> str:
    return ", ".join(f"{lo} <= {n} < {hi}" for n, (lo, hi) in zip(names, box, strict=True)) or "one point"


def check_order(
    step: object, kernel: Kernel, around: tuple[Loop, ...], old: Sequence[Loop], new: Sequence[str]
) -> None:
    """Refuses ``step`` unless running the perfect nest ``old`` with its loops in the order ``new`` keeps dependences.

    Two iterations that may touch the same cell keep their order if, whatever signs their unknown
    distances have, the outermost loop that tells them apart says the same in both orders. Of a register that each
    iteration writes before it reads it, only the name is shared.
    """
    names = [o.var for o in old]
    compare = Comparison(kernel_facts(kernel, around))
    private = private_registers(kernel, old[-1])
    for a, b in conflicts([x for x in accesses((old[0],)) if x.buffer not in private]):
        apart = compare.distance(a, b)
        turned = None if apart is None else _turned(names, new, apart)
        if turned is None or compare.disjoint(a, b):
            continue

        def broken(x: Point, y: Point) -> bool:
            return x.before(y, names) and y.before(x, new)

        reason = f"iterations that differ in {' and '.join(turned)} would change their order"
        _refuse(step, kernel, around, old[0], a, b, broken, reason)


def _turned(old: Sequence[str], new: Sequence[str], apart: Distance) -> list[str] | None:
    """The loops, if any, that decide differently about some pair of iterations so far ``apart``."""
    choices = [(_sign(apart[v]),) if v in apart else (1, 0, -1) for v in old]
    for signs in product(*choices):
        direction = dict(zip(old, signs, strict=True))
        first = next((v for v in old if direction[v]), None)
        then = next((v for v in new if direction[v]), None)
        if first is not None and then is not None and direction[first] != direction[then]:
            return [first, then]
    return None


def _sign(value: int) -> int:
    return (value > 0) - (value < 0)


def check_turns(step: object, kernel: Kernel, around: tuple[Loop, ...], loop: Loop, inside: bool) -> None:
    """Refuses ``step`` unless each statement of ``loop`` may run for all its iterations before the next one does.

    With ``inside`` it is the innermost statements that do, at each point of the loops in ``loop``.
    """
    compare = Comparison(kernel_facts(kernel, around))
    paths = {b.name: path for b, path in _paths(loop.body)}
    for a, b in conflicts(accesses((loop,))):
        apart = None if _counts(a, b, loop.var) else compare.distance(a, b)
        if apart is None or not _takes_turns_wrongly(a, b, paths, apart, inside) or compare.disjoint(a, b):
            continue

        def broken(x: Point, y: Point) -> bool:
            return _turn(y, paths, loop.var, inside) < _turn(x, paths, loop.var, inside)

        _refuse(step, kernel, around, loop, a, b, broken, f"iterations of {loop.var} would change their order")


_Path = tuple[int | str, ...]
"""Where a block stands in a loop: the number of a statement, and where that is a loop, its variable, and so on."""


def _paths(body: Sequence[Stmt], before: _Path = ()) -> Iterator[tuple[Block, _Path]]:
    for n, s in enumerate(body):
        if isinstance(s, Block):
            yield s, (*before, n)
        else:
            yield from _paths(s.body, (*before, n, s.var))


def _turn(point: Point, paths: Mapping[str, _Path], var: str, inside: bool) -> list[int]:
    """When a point has its turn: to be compared with others item by item."""
    path = [point.values[p] if isinstance(p, str) else p for p in paths[point.block]]
    at = point.values[var]
    return [*path, at] if inside else [path[0], at, *path[1:]]


def _takes_turns_wrongly(a: Access, b: Access, paths: Mapping[str, _Path], apart: Distance, inside: bool) -> bool:
    """Whether two points so far ``apart`` may change their order."""
    mine, yours = paths[a.block.name], paths[b.block.name]
    shared = next((n for n, (p, q) in enumerate(zip(mine, yours, strict=False)) if p != q), len(mine))
    common = [p for p in mine[:shared] if isinstance(p, str)]
    side = 0 if mine == yours else _sign(_number(yours[shared]) - _number(mine[shared]))
    if not inside and shared > 0:
        return False
    var = a.loops[0].var
    choices = [(_sign(apart[v]),) if v in apart else (1, 0, -1) for v in (var, *common)]
    for first, *rest in product(*choices):
        old = next((s for s in (first, *rest, side) if s), 0)
        new = next((s for s in ((*rest, side, first) if inside else (side, first)) if s), 0)
        if old != new:
            return True
    return False


def _number(place: int | str) -> int:
    """Blocks side by side differ in a number: variables of loops follow these."""
    if isinstance(place, str):
        raise InternalError(f"{place} stands where a statement is numbered")
    return place


def check_lanes(
    step: object, kernel: Kernel, around: tuple[Loop, ...], loop: Loop, private: frozenset[str] = frozenset()
) -> None:
    """Refuses ``step`` unless iterations of ``loop`` may run at once: no two of them touch a cell that one writes.

    Buffers in ``private`` are not shared by the iterations.
    """
    compare = Comparison(kernel_facts(kernel, around))
    shared = [a for a in accesses((loop,)) if a.buffer not in private]
    for a, b in conflicts(shared):
        if _counts(a, b, loop.var):
            continue
        apart = compare.distance(a, b)
        if apart is None or apart.get(loop.var) == 0 or compare.disjoint(a, b):
            continue

        def broken(x: Point, y: Point) -> bool:
            return x.values[loop.var] != y.values[loop.var]

        _refuse(step, kernel, around, loop, a, b, broken, f"iterations of {loop.var} depend on each other")


def _counts(a: Access, b: Access, var: str) -> bool:
    """Whether indices that both have tell ``var``, so that iterations that differ in it touch different cells."""
    inside = {o.var for o in (*a.loops, *b.loops)}
    pairs = zip(a.indices, b.indices, strict=True)
    return tells([i for i, j in pairs if i is j and i is not None and symbols(i) & inside == {var}], var)


def check_private(step: object, kernel: Kernel, loop: Loop, buffers: Iterable[str]) -> None:
    """Refuses ``step`` unless each iteration of ``loop`` writes what it reads of ``buffers`` before it reads it."""
    read = _read_too_early(kernel, loop, buffers)
    for buffer in sorted(read):
        raise ScheduleError(
            f"{step}: cannot prove that each iteration of {loop.var} writes {_place(read[buffer])} before "
            f"{read[buffer].block.name} reads it",
            hint=f"{buffer} is a register buffer, private to a task: initialise it inside of {loop.var}",
        )


def private_registers(kernel: Kernel, loop: Loop) -> set[str]:
    """The registers that only ``loop`` touches, each iteration writing what it reads before it reads it."""
    inside = {id(s) for s, _ in walk(loop.body)}
    outside = {a.buffer for a in accesses(kernel.body) if id(a.block) not in inside}
    registers = {b.name for b in kernel.buffers if b.scope == "register"}
    free = registers - outside
    return free - _read_too_early(kernel, loop, free).keys()


def _read_too_early(kernel: Kernel, loop: Loop, buffers: Iterable[str]) -> dict[str, Access]:
    """Per buffer, if there is one, a read that may see what the same iteration of ``loop`` has not written."""
    found: dict[str, Access] = {}
    facts = kernel_facts(kernel, ())
    earlier: dict[str, list[Access]] = {b: [] for b in buffers}
    for access in accesses((loop,)) if earlier else ():
        if access.buffer not in earlier:
            continue
        if access.writes:
            earlier[access.buffer].append(access)
        elif not _initialises(access, loop):
            shape = kernel.buffer(access.buffer).shape
            if not any(_provides(w, access, shape, facts) for w in earlier[access.buffer]):
                found.setdefault(access.buffer, access)
    return found


def _initialises(read: Access, loop: Loop) -> bool:
    """Whether the reading block sets the cell itself, in each iteration of ``loop``, before it reads it."""
    block = read.block
    if not block.init or None in read.indices:
        return False
    reduced = [b for i, b in zip(block.iters, block.bindings, strict=True) if i.kind == "reduce"]
    own = any(w.writes and w.buffer == read.buffer and w.indices == read.indices for w in accesses((block,)))
    return own and not any(loop.var in symbols(b) for b in reduced)


def _provides(write: Access, read: Access, shape: Sequence[Index], facts: Facts) -> bool:
    """Whether an earlier block certainly writes the cell read, in the same iteration of the loops both are in.

    Where data decide which cell of ``shape`` is read, it must write them all.
    """
    shared = [a for a, b in zip(write.loops, read.loops, strict=False) if a is b]
    chosen: dict[str, Index] = {}
    own = {o.var: o.extent for o in write.loops[len(shared) :]}
    unknown = [symbol(f"{read.buffer}[{axis}]") for axis in range(len(shape))]
    places = [place if i is None else i for i, place in zip(read.indices, unknown, strict=True)]
    for mine, wanted in zip(write.indices, places, strict=True):
        if mine is None:
            return False
        if mine.symbol in own and mine.symbol not in chosen:
            chosen[mine.symbol or ""] = wanted
        elif substitute(mine, chosen) is not wanted:
            return False
    first = {v: const(0) for v in own} | chosen
    needed = [c for v in own for c in (ge(first[v], 0), lt(first[v], substitute(own[v], first)))]
    needed += [substitute_condition(c, first) for c in write.block.predicate]
    if not needed:
        return True
    ranges = {o.var: (const(0), o.extent) for o in read.loops}
    ranges |= {str(place): (const(0), extent) for place, extent in zip(unknown, shape, strict=True)}
    known = facts.extended(ranges, read.block.predicate)
    return all(known.holds(c) for c in needed)


def _refuse(
    step: object,
    kernel: Kernel,
    around: tuple[Loop, ...],
    loop: Loop,
    a: Access,
    b: Access,
    broken: Callable[[Point, Point], bool],
    reason: str,
) -> None:
    """Raises the refusal of a conflict between ``a`` and ``b``, with two iterations if small sizes show them."""
    seen = witness(kernel, around, loop, a.buffer, broken)
    if seen is not None:
        raise ScheduleError(f"{step}: {reason}: {seen}")
    what = "write" if a.writes and b.writes else "write and read"
    places = " and ".join(dict.fromkeys(f"{x.block.name} at {_place(x)}" for x in (a, b)))
    raise ScheduleError(
        f"{step}: cannot prove that different iterations {what} different cells: {places}; {reason} otherwise"
    )


def _place(a: Access) -> str:
    return f"{a.buffer}[{', '.join('?' if i is None else str(i) for i in a.indices)}]"
