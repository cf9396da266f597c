"""Give the initialisation of a reduction a block and loops of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from tilewright.ir import scalar
from tilewright.ir.index import Condition, Index, const, eq, ge, substitute, substitute_condition, symbol, symbols
from tilewright.ir.loops import Block, Kernel, Loop, Stmt, Write
from tilewright.passes.loops.dependence import Access, Comparison, accesses
from tilewright.passes.loops.nest import Primitive, facts, fresh, replace_stmt, taken_names
from tilewright.records import dataclass


@dataclass(frozen=True)
class DecomposeReduction(Primitive):
    """For a block ``c`` with an init, and the loop k that it is reduced over::

        for i: for k: for j: c[i, j] (init 0) += ...

    becomes, for ``block=c loop=k``::

        for i:
            for j_init: c[i, j_init] = 0
            for k: for j: c[i, j] += ...

    The loops inside ``loop`` that the reduced variables do not use are copied for the init. Where loops outside
    of ``loop`` are reduced over too, the init runs only where they are at the first index. A domain
    whose reduction is empty is initialised then, too.

    Obligation: nothing else in ``loop`` touches the cells between their init and their first update.
    """

    name: ClassVar[str] = "decompose-reduction"
    block: str
    loop: str

    def run(self, kernel: Kernel) -> Kernel:
        block, around = self.find_block(kernel, self.block)
        loop, outside = self.find_loop(kernel, self.loop)
        if not block.init:
            self.refuse(f"block {block.name} has no init")
        if loop not in around:
            self.refuse(f"block {block.name} is not in loop {loop.var}")
        if loop.kind == "parallel":
            self.refuse(f"loop {loop.var} is parallel: nothing can stand before it", "decompose at a loop inside of it")
        copied = self._copied(block, around[len(outside) :])
        init = self._init_block(kernel, block, outside, around[len(outside) :], copied)
        self._check_cells(kernel, block, loop, outside, copied)
        taken = taken_names(kernel)
        nest = _nest(replace(init, name=fresh(init.name, taken)), copied, taken)
        after = replace_stmt(kernel, block, [replace(block, init=())])
        updated, _ = self.find_loop(after, self.loop)
        return replace_stmt(after, updated, [nest, updated])

    def _copied(self, block: Block, inside: tuple[Loop, ...]) -> list[Loop]:
        """The loops inside that move along the block's cells."""
        kept: set[str] = set()
        reduced: set[str] = set()
        for it, binding in zip(block.iters, block.bindings, strict=True):
            (reduced if it.kind == "reduce" else kept).update(symbols(binding))
        mixed = kept & reduced & {o.var for o in inside}
        if mixed:
            self.refuse(f"loop {min(mixed)} runs over reduced and other indices at once", "decompose before fusing")
        copied = [o for o in inside if o.var in kept]
        for o in copied:
            depends = symbols(o.extent) & {x.var for x in inside if x not in copied}
            if depends:
                self.refuse(f"the extent of {o.var}, {o.extent}, depends on the reduced loop {min(depends)}")
        return copied

    def _init_block(
        self, kernel: Kernel, block: Block, outside: tuple[Loop, ...], inside: tuple[Loop, ...], copied: list[Loop]
    ) -> Block:
        """The init on its own, with the names of the loops it is copied from."""
        start = {o.var: const(0) for o in inside if o not in copied}
        reduced = {i.name: const(0) for i in block.iters if i.kind == "reduce"}
        kept = [(i, b) for i, b in zip(block.iters, block.bindings, strict=True) if i.kind != "reduce"]
        first = [substitute(b, start) for i, b in zip(block.iters, block.bindings, strict=True) if i.kind == "reduce"]
        return Block(
            name=f"{block.name}_init",
            iters=tuple(i for i, _ in kept),
            bindings=tuple(b for _, b in kept),
            predicate=(*self._predicate(kernel, block, (*outside, *copied), start), *_at_zero(first)),
            writes=tuple(_at(w, reduced, self) for w in block.writes),
            values=tuple(scalar.substitute(e, reduced) for e in block.init),
            span=block.span,
        )

    def _predicate(
        self, kernel: Kernel, block: Block, loops: tuple[Loop, ...], start: dict[str, Index]
    ) -> list[Condition]:
        """The block's predicate without what holds at the start of the reduction anyway."""
        nonempty = [ge(i.extent, 1) for i in block.iters if i.kind == "reduce"]
        known = facts(kernel, loops, nonempty)
        kept = []
        for c in block.predicate:
            if not symbols(c.index) & set(start):
                kept.append(c)
            elif not known.holds(substitute_condition(c, start)):
                self.refuse(f"cannot prove that {c} holds where the reduction starts")
        return kept

    def _check_cells(
        self, kernel: Kernel, block: Block, loop: Loop, outside: tuple[Loop, ...], copied: list[Loop]
    ) -> None:
        """Refuses where anything in ``loop`` but the update of a cell by its own point could meet the cell."""
        found = accesses((loop,))
        compare = Comparison(facts(kernel, outside))
        writes = [a for a in found if a.block is block and a.writes]
        for a, w in ((a, w) for a in found for w in writes if a.buffer == w.buffer):
            apart = compare.distance(a, w) if a.block is block else {}
            same = apart is None or (a.indices == w.indices and all(apart.get(o.var) == 0 for o in copied))
            if not (a.block is block and same) and not compare.disjoint(a, w):
                self.refuse(f"{a.block.name} touches {a.buffer} in {loop.var} too, maybe in cells of {block.name}")
        self._check_init_reads(block, found)

    def _check_init_reads(self, block: Block, found: list[Access]) -> None:
        written = {a.buffer for a in found if a.writes}
        read = {r.tensor for e in block.init for r in scalar.reads(e)} & written
        if read:
            self.refuse(f"the init of {block.name} reads {min(read)}, which is written in {self.loop}")


def _at_zero(first: list[Index]) -> list[Condition]:
    """What has to hold of the loops outside for the reduction to be at its start."""
    return [eq(i, 0) for i in first if i.constant != 0]


def _at(write: Write, reduced: dict[str, Index], step: DecomposeReduction) -> Write:
    for i in write.indices:
        used = symbols(i) if isinstance(i, Index) else scalar.index_symbols(i)
        if used & set(reduced):
            step.refuse(f"the cell of {write.buffer} that is written depends on {min(used & set(reduced))}")
    return write


def _nest(init: Block, copied: list[Loop], taken: set[str]) -> Stmt:
    """``init`` in copies of the loops it needs."""
    named = {o.var: fresh(f"{o.var}_init", taken) for o in copied}
    values = {v: symbol(n) for v, n in named.items()}
    nest: Stmt = replace(
        init,
        bindings=tuple(substitute(b, values) for b in init.bindings),
        predicate=tuple(substitute_condition(c, values) for c in init.predicate),
    )
    for o in reversed(copied):
        nest = Loop(named[o.var], substitute(o.extent, values), o.kind, (nest,))
    return nest
