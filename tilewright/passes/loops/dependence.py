"""Which iterations of loops may touch the same cell: comparison of index maps, dimension by dimension.

Two accesses to one buffer are compared as functions of two iterations x and y of the same loops. Where both
indices are the same mixed-radix number of loop variables, the variables are equal; where they are one variable
plus constants, their distance is known; where the facts keep the indices apart, there is no dependence. Of
everything else (data-dependent indices included) nothing is known, which is sound.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tilewright.ir import index as ix
from tilewright.ir.facts import Facts
from tilewright.ir.index import Atom, Index, Mod, coefficient, const, eq, floordiv, ge, lt, of_atom, substitute, symbol
from tilewright.ir.loops import Block, Loop, Stmt, walk
from tilewright.passes.loops.cover import Unproved, linear
from tilewright.records import dataclass

Distance = dict[str, int]
"""y - x per loop variable, for those of which it is known."""


@dataclass(frozen=True, eq=False)
class Access:
    """One place in a block that touches ``buffer``; indices over loop variables, None where data decide."""

    block: Block
    loops: tuple[Loop, ...]
    buffer: str
    indices: tuple[Index | None, ...]
    writes: bool


def accesses(body: tuple[Stmt, ...]) -> list[Access]:
    """Every access of the blocks in ``body``, with the loops inside ``body`` around it."""
    found = ((s, loops) for s, loops in walk(body) if isinstance(s, Block))
    return [a for s, loops in found for a in block_accesses(s, loops)]


def block_accesses(block: Block, loops: tuple[Loop, ...]) -> Iterator[Access]:
    """The accesses of one block, reads first."""
    return (Access(block, loops, *place) for place in block.accesses)


def conflicts(found: Sequence[Access]) -> Iterator[tuple[Access, Access]]:
    """The pairs of accesses to one buffer of which one writes, each with itself too.

    A read of the very cell that the same block writes adds nothing to the write.
    """
    written = {(id(a.block), a.buffer, a.indices) for a in found if a.writes}
    kept = [a for a in found if a.writes or (id(a.block), a.buffer, a.indices) not in written or None in a.indices]
    for n, a in enumerate(kept):
        for b in kept[n:]:
            if a.buffer == b.buffer and (a.writes or b.writes):
                yield a, b


class Comparison:
    """Compares accesses. ``facts`` speak of what is around their loops, where both are in the same iteration."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._known: dict[tuple[int, int], tuple[dict[str, Index], Facts]] = {}

    def distance(self, a: Access, b: Access) -> Distance | None:
        """What is known of y - x where ``a`` in iteration x and ``b`` in iteration y touch one cell; None if never."""
        other, known = self._two_iterations(a, b)
        found: dict[Atom, int] = {}
        for i, j in self._plain_indices(a, b, other):
            for digit, apart in _digit_distances(i, j, [o.var for o in a.loops], other, known):
                if found.setdefault(digit, apart) != apart:
                    return None
        return _of_variables(found)

    def disjoint(self, a: Access, b: Access) -> bool:
        """Whether some index keeps ``a`` and ``b`` apart, in any two iterations."""
        other, known = self._two_iterations(a, b)
        return any(known.excludes(eq(i, j)) for i, j in self._plain_indices(a, b, other))

    def _plain_indices(self, a: Access, b: Access, other: dict[str, Index]) -> Iterator[tuple[Index, Index]]:
        """The indices of both per axis, where no data decide, each as simple as its own iteration makes it."""
        mine, yours = (self._facts.extended(_ranges(x.loops), x.block.predicate) for x in (a, b))
        for i, j in zip(a.indices, b.indices, strict=True):
            if i is not None and j is not None:
                yield mine.simplify(i), substitute(yours.simplify(j), other)

    def _two_iterations(self, a: Access, b: Access) -> tuple[dict[str, Index], Facts]:
        """Names for the variables of the iteration of ``b``, and what holds in both."""
        key = id(a.block), id(b.block)
        if key not in self._known:
            self._known[key] = _two_iterations(a, b, self._facts)
        return self._known[key]


def _two_iterations(a: Access, b: Access, facts: Facts) -> tuple[dict[str, Index], Facts]:
    other = {o.var: symbol(o.var + "'") for o in b.loops}
    ranges = _ranges(a.loops)
    ranges.update((o.var + "'", (const(0), substitute(o.extent, other))) for o in b.loops)
    where = [*a.block.predicate, *(ix.substitute_condition(c, other) for c in b.block.predicate)]
    return other, facts.extended(ranges, where)


def _ranges(loops: Sequence[Loop]) -> dict[str, tuple[Index, Index]]:
    return {o.var: (const(0), o.extent) for o in loops}


def _digit_distances(
    i: Index, j: Index, variables: Sequence[str], other: dict[str, Index], facts: Facts
) -> Iterator[tuple[Atom, int]]:
    """Digits of which ``i == j`` says how far they are apart in y and x."""
    for mine, yours in _equations(i, j, set(variables), {s.symbol or "" for s in other.values()}, facts):
        left, _ = linear(mine, _digits_of(mine, set(variables)))
        shift = (substitute(mine, other) - yours).constant
        for digit, radix in left.items() if len(left) == 1 and shift is not None else ():
            if shift == 0 and facts.excludes(eq(radix, 0)):
                yield digit, 0
            elif shift and radix.constant:
                yield digit, shift // radix.const


def _equations(i: Index, j: Index, mine: set[str], yours: set[str], facts: Facts) -> list[tuple[Index, Index]]:
    """What follows from ``i == j`` if both are numbers of the same radix: their digits are equal, lowest first."""
    try:
        radices = set(linear(i, _digits_of(i, mine))[0].values()) & set(linear(j, _digits_of(j, yours))[0].values())
    except Unproved:
        return []
    for radix in sorted(radices - {const(1)}, key=lambda r: (r.constant is None, abs(r.const), len(str(r)))):
        (high, low), (other_high, other_low) = _divided(i, radix), _divided(j, radix)
        if all(facts.holds(ge(part, 0)) and facts.holds(lt(part, radix)) for part in (low, other_low)):
            return [(low, other_low), *_equations(high, other_high, mine, yours, facts)]
    return [(i, j)]


def _divided(index: Index, radix: Index) -> tuple[Index, Index]:
    """``(high, low)`` with ``index == high * radix + low``, of which low has the terms radix does not divide."""
    terms = [ix.term(m, c) for m, c in index.terms]
    whole = [t for t in terms if floordiv(t, radix) * radix is t]
    rest = index.const % radix.const if radix.constant else index.const
    high = floordiv(ix.total([*whole, const(index.const - rest)]), radix)
    return high, index - high * radix


def _digits_of(index: Index, variables: set[str]) -> list[Atom]:
    """The factors in ``index`` that speak of ``variables``."""
    found = [a for monomial, _ in index.terms for a in monomial if ix.symbols(of_atom(a)) & variables]
    return list(dict.fromkeys(found))


def tells(indices: Sequence[Index], var: str) -> bool:
    """Whether ``indices`` in which only ``var`` varies tell it: one is linear in it, or two are its quotient and its
    remainder."""
    if any((c := coefficient(i, var)) is not None and c.constant for i in indices):
        return True
    known = {i.terms[0][0][0]: 0 for i in indices if len(i.terms) == 1 and len(i.terms[0][0]) == 1}
    return _of_variables(known).get(var) == 0


def _of_variables(found: dict[Atom, int]) -> Distance:
    """Distances of variables: equal quotients and equal remainders make equal values."""
    known = {of_atom(d): apart for d, apart in found.items()}
    remainders = [d for d in found if isinstance(d, Mod)]
    while remainders:
        whole = [r for r in remainders if known.get(of_atom(r)) == 0 == known.get(floordiv(r.num, r.den))]
        if not whole:
            break
        known.update((r.num, 0) for r in whole)
        remainders = [r for n in whole for r in ix.atoms(n.num) if isinstance(r, Mod)] + [
            r for r in remainders if r not in whole
        ]
    return {i.symbol: apart for i, apart in known.items() if i.symbol is not None}
