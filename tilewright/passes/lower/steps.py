"""The statements of a function, those inside of steps included, as the phases and counted loops of a plan."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import field, replace

from tilewright.ir import statements
from tilewright.ir.index import Index, const, symbol
from tilewright.ir.loops import Kernel, Stmt
from tilewright.ir.plan import Phase, Repeat, Step
from tilewright.ir.steps import Pending, pending
from tilewright.ir.tensor import Axis, Compute, Statement, Steps, Tensor, computes
from tilewright.passes.loops.nest import fresh
from tilewright.passes.lower.fold import Where
from tilewright.passes.lower.kernel import KernelBuilder, Nest, World, loops
from tilewright.passes.lower.reads import Waiting
from tilewright.passes.lower.statements import Lowering
from tilewright.records import dataclass

Places = Mapping[str, Index]
"""Where the axes of the steps around a statement are."""


@dataclass
class Phases:
    """Collects the kernels of the function ``name``; ``extra``: the scratch memory that statements need."""

    name: str
    live: frozenset[str]
    extra: Mapping[str, tuple[Tensor, ...]]
    taken: set[str]
    kernels: list[Kernel] = field(default_factory=list)
    pending: dict[str, Mapping[str, Pending]] = field(default_factory=dict)
    """Per first result of a statement inside of steps what it sees of their tensors."""

    def __post_init__(self) -> None:
        self._names: set[str] = set()

    def of(self, body: Sequence[Statement], world: World, places: Places) -> tuple[Step, ...]:
        """The steps of the plan that ``body`` is; its kernels are added."""
        made: list[Step] = []
        for s in body:
            if isinstance(s, Compute):
                made += self._phases(self._lowering(s, world, places).kernels(places))
                continue
            if not places:
                self.pending |= {c.results[0].name: seen for c, _, seen in pending(s)}
            free = _independent(s, places)
            if free is None:
                made += self._repeated(s, world, places)
            else:
                made += self._phases([self._inside(s, free, world, places)])
        return tuple(made)

    def _phases(self, kernels: Iterable[Kernel]) -> list[Step]:
        named = [replace(k, name=fresh(k.name, self._names)) for k in kernels]
        self.kernels += named
        return [Phase(k.name, const(1), const(1)) for k in named]

    def _lowering(self, c: Compute, world: World, places: Places) -> Lowering:
        seen = self.pending.get(c.results[0].name, {})
        now = {name: Waiting(p, tuple(places[clock.axis.name] for clock in p.clocks)) for name, p in seen.items()}
        first = c.results[0].name
        world = replace(world, shapes=replace(world.shapes, pending=now))
        return Lowering(world, c, f"{self.name}_{first}", self.live, self.extra[first])

    # --- a counted loop of the plan -------------------------------------------------------------

    def _repeated(self, s: Steps, world: World, places: Places) -> list[Step]:
        counters = [fresh(a.name, self.taken) for a in s.axes]
        ranges = {name: (const(0), a.extent) for name, a in zip(counters, s.axes, strict=True)}
        world = replace(world, facts=world.facts.extended(ranges), taken=world.taken.union(counters))
        steps = self.of(s.body, world, {**places, **_placed(s, map(symbol, counters))})
        for counter, axis in reversed(list(zip(counters, s.axes, strict=True))):
            steps = (Repeat(counter, axis.extent, steps),)
        return list(steps)

    # --- loops of one kernel --------------------------------------------------------------------

    def _inside(self, s: Steps, free: Sequence[Axis], world: World, places: Places) -> Kernel:
        """All of ``s`` as one kernel: its points are in order inside of loops over the axes ``free``."""
        first = next(computes((s,)))
        k = KernelBuilder(world, f"{self.name}_{first.results[0].name}", first.span)
        around = k.levels(free)
        at = {a.name: level.at for a, level in zip(free, around, strict=True)}
        where = Where(around, {**places, **at})
        return k.finish(loops(around, self._in_order(k, s, world, where)))

    def _in_order(self, k: KernelBuilder, s: Steps, world: World, where: Where) -> tuple[Stmt, ...]:
        levels: Nest = k.levels(s.axes, "ordered")
        inner = Where((*where.around, *levels), {**where.axes, **_placed(s, (level.at for level in levels))})
        body: list[Stmt] = []
        for part in s.body:
            if isinstance(part, Steps):
                body += self._in_order(k, part, world, inner)
            else:
                lowering = self._lowering(part, world, inner.axes)
                body += lowering.statements(k.seeing(lowering.world), inner)
        return loops(levels, body)


def _placed(s: Steps, counts: Iterable[Index]) -> dict[str, Index]:
    """Where the axes of ``s`` are after so many points."""
    return {a.name: a.extent - 1 - n if s.down else n for a, n in zip(s.axes, counts, strict=True)}


def _independent(s: Steps, places: Places) -> list[Axis] | None:
    """The axes besides those of steps, if all computes of ``s`` have the same and read each other along them in place.

    None where there is something else to run in parallel at a step.
    """
    inside = list(computes((s,)))
    stepped = set(places) | {a.name for part in _all_steps(s) for a in part.axes}
    free = [a for a in inside[0].axes if a.name not in stepped]
    for c in inside:
        if [a for a in c.axes if a.name not in stepped] != free or c.scan:
            return None
    at = {r.name: {a.name: n for n, a in enumerate(c.axes)} for c in inside for r in c.results}
    for read in (r for c in inside for r in statements.reads(c) if r.tensor in at):
        if any(read.indices[at[read.tensor][a.name]] is not symbol(a.name) for a in free):
            return None
    return free


def _all_steps(s: Steps) -> Iterable[Steps]:
    yield s
    for part in s.body:
        if isinstance(part, Steps):
            yield from _all_steps(part)
