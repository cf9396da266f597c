"""Which box of a domain a set of loops covers, each point of it exactly once.

Loop variables are taken apart into *digits*: the variable itself, or the quotient and the remainder by which
fusing spoke of it. An expression covers an interval exactly once if it is a mixed-radix number of digits that
nothing else uses: each digit's coefficient is the extent of the number formed by the digits below it. A condition
may cut off the top of such a number. Whatever is not of this form is not proved.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import is_

from tilewright.ir.facts import Facts
from tilewright.ir.index import (
    Atom,
    Condition,
    FloorDiv,
    Index,
    Mod,
    atoms,
    const,
    eq,
    floordiv,
    ge,
    minimum,
    mod,
    of_atom,
    product,
    substitute,
    substitute_condition,
    symbol,
    symbols,
    total,
)
from tilewright.ir.loops import Loop
from tilewright.records import dataclass

Box = tuple[tuple[Index, Index], ...]
"""Per dimension: the first index, and the one past the last."""


class Unproved(Exception):
    """What could not be shown, in words."""


@dataclass(frozen=True)
class Part:
    """Loops that run something at ``bindings``, where ``predicate`` holds."""

    bindings: tuple[Index, ...]
    loops: tuple[Loop, ...]
    predicate: tuple[Condition, ...]


def covered_box(part: Part, facts: Facts) -> Box:
    """The box whose every point ``part`` runs exactly once; Unproved if it has no such form.

    ``facts`` speak of what is around the loops.
    """
    known = facts.extended({o.var: (const(0), o.extent) for o in part.loops})
    try:
        return _covered(part, known, {}, part.predicate)
    except Unproved:  # only now it is worth a search which loops have one iteration, and which conditions say nothing
        single = {o.var: const(0) for o in part.loops if known.holds(eq(o.extent, 1))}
        conditions = [substitute_condition(c, single) for c in part.predicate]
        return _covered(part, known, single, [c for c in conditions if not known.holds(c)])


def _covered(part: Part, known: Facts, single: Mapping[str, Index], conditions: Sequence[Condition]) -> Box:
    """As :func:`covered_box`: ``single`` are loops of one iteration, ``conditions`` those that may fail."""
    bindings = [known.simplify(substitute(b, single)) for b in part.bindings]
    clips = list(conditions)
    spoken = [*bindings, *(c.index for c in clips)]
    digits: dict[Atom, Index] = {}
    for loop in part.loops:
        if loop.var not in single:
            digits.update(_digits(symbol(loop.var), loop.extent, spoken, known))
    box = [_interval(b, digits, clips, known) for b in bindings]
    if digits:
        raise Unproved(f"{_text(next(iter(digits)))} runs over no index of its own")
    if clips:
        raise Unproved(f"the condition {clips[0]} is not the end of one index")
    return tuple(box)


def _text(atom: Atom) -> str:
    return str(of_atom(atom))


def _digits(value: Index, extent: Index, spoken: Sequence[Index], facts: Facts) -> Iterator[tuple[Atom, Index]]:
    """The digits of ``value``, which runs over ``0 <= value < extent``, and their extents."""
    if any(of_atom(a) is value for i in spoken for monomial, _ in i.terms for a in monomial):
        yield value.terms[0][0][0], extent
        return
    inner = (a for i in spoken for a in atoms(i))
    radix = next((a.den for a in inner if isinstance(a, (FloorDiv, Mod)) and a.num is value), None)
    if radix is None:
        raise Unproved(f"no index depends on {value}")
    tiles = facts.simplify(floordiv(extent, radix))
    if not _same(tiles * radix, extent, facts):
        raise Unproved(f"{radix} does not divide {extent}")
    for digit, count in ((floordiv(value, radix), tiles), (mod(value, radix), radix)):
        if not facts.holds(eq(count, 1)):
            yield from _digits(digit, count, spoken, facts)


def linear(index: Index, digits: Sequence[Atom]) -> tuple[dict[Atom, Index], Index]:
    """``(coefficients, rest)`` with ``index == sum(coefficient * digit) + rest``; Unproved if it is not linear."""
    coefficients: dict[Atom, list[Index]] = {}
    rest = [const(index.const)]
    variables = frozenset().union(*(symbols(of_atom(d)) for d in digits))
    for monomial, c in index.terms:
        mine = [a for a in monomial if a in digits]
        others = product(of_atom(a) for a in monomial if a not in digits) * c
        if len(mine) > 1 or symbols(others) & variables:
            raise Unproved(f"{index} is not linear in the loops")
        if mine:
            coefficients.setdefault(mine[0], []).append(others)
        else:
            rest.append(others)
    return {a: total(c) for a, c in coefficients.items()}, total(rest)


def _interval(binding: Index, digits: dict[Atom, Index], clips: list[Condition], facts: Facts) -> tuple[Index, Index]:
    """The interval that ``binding`` covers once; the digits and clips it uses are taken out of the given ones."""
    variables = frozenset().union(*(symbols(of_atom(d)) for d in digits))
    left, first = linear(binding, list(digits))
    number, extent = const(0), const(1)
    while left:
        digit = next((d for d, c in left.items() if _same(c, extent, facts)), None)
        if digit is None:
            raise Unproved(f"{binding} does not count through its range without gaps or repetitions")
        number += left.pop(digit) * of_atom(digit)
        extent = extent * digits.pop(digit)
        for clip in [c for c in clips if c.kind == "ge" and not symbols(c.index + number) & variables]:
            clips.remove(clip)
            extent = _smaller(extent, clip.index + number + 1, facts)
    return first, first + extent


def _smaller(a: Index, b: Index, facts: Facts) -> Index:
    return b if facts.holds(ge(a, b)) else minimum(a, b)


def partitions(boxes: Sequence[Box], whole: Box, facts: Facts) -> bool:
    """Whether ``boxes`` cover ``whole`` without overlap, by cutting it from side to side again and again."""
    if len(boxes) == 1:
        sides = zip(boxes[0], whole, strict=True)
        return all(_same(a, c, facts) and _same(b, d, facts) for (a, b), (c, d) in sides)
    return _cut(boxes, whole, facts, is_) or _cut(boxes, whole, facts, lambda a, b: facts.holds(ge(b, a)))


def _cut(boxes: Sequence[Box], whole: Box, facts: Facts, before: Callable[[Index, Index], bool]) -> bool:
    """Whether some cut has boxes on both sides that partition these; ``before``: an index is not beyond another."""
    for axis, (first, last) in enumerate(whole):
        for cut in dict.fromkeys(box[axis][1] for box in boxes):
            low = [b for b in boxes if before(b[axis][1], cut)]
            high = [b for b in boxes if b not in low and before(cut, b[axis][0])]
            lower = (*whole[:axis], (first, cut), *whole[axis + 1 :])
            upper = (*whole[:axis], (cut, last), *whole[axis + 1 :])
            if 0 < len(low) == len(boxes) - len(high) < len(boxes):
                if partitions(low, lower, facts) and partitions(high, upper, facts):
                    return True
    return False


def _same(a: Index, b: Index, facts: Facts) -> bool:
    return a is b or facts.holds(eq(a, b))
