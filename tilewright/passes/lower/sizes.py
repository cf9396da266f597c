"""The size table of a function: where each dim comes from, and what a call's dims must meet."""

from __future__ import annotations

from tilewright.errors import CheckError
from tilewright.ir.facts import Facts, of_sizes
from tilewright.ir.index import Index, eq, ge, symbols
from tilewright.ir.plan import Check, dim
from tilewright.ir.tensor import Function

Place = tuple[str, int]
"""An operand's name and an axis of it."""


def sources(function: Function) -> dict[str, Place]:
    """Per dim symbol the first input axis whose extent is exactly that symbol.

    CheckError for a dim that no input axis gives alone.
    """
    found: dict[str, Place] = {}
    for t in function.inputs:
        for a, extent in enumerate(t.shape):
            if extent.symbol is not None:
                found.setdefault(extent.symbol, (t.name, a))
    unknown = sorted({s for t in function.inputs for e in t.shape for s in symbols(e)} - found.keys())
    if unknown:
        raise CheckError(
            f"{function.name}: the dim {unknown[0]} cannot be found from the operands' shapes",
            function.span,
            f"declare an operand with an axis of extent {unknown[0]}",
        )
    return found


def size_symbols(function: Function) -> tuple[tuple[str, Index], ...]:
    """Each dim symbol with its slot in the head of the size table."""
    return tuple((name, dim(*place)) for name, place in sources(function).items())


def size_facts(function: Function) -> Facts:
    """What holds of the dims once all checks of a call have passed."""
    return of_sizes(frozenset(sources(function))).extended({}, function.preconditions)


def checks(function: Function) -> tuple[Check, ...]:
    """What the caller's dims must meet, each with the message for a call that does not."""
    return (*_shape_checks(function), *_preconditions(function), *_result_checks(function))


def _shape_checks(function: Function) -> list[Check]:
    """Every input dim but the first of each symbol must equal its declared extent."""
    found = sources(function)
    made = []
    for t in function.inputs:
        for a, extent in enumerate(t.shape):
            if extent.symbol is None or found[extent.symbol] != (t.name, a):
                message = f"{function.name}: axis {a} of '{t.name}' must be {extent}{_origin(extent, found)}"
                made.append(Check(eq(dim(t.name, a), extent), message))
    return made


def _origin(extent: Index, found: dict[str, Place]) -> str:
    """Where the dims in ``extent`` come from, in words."""
    if extent.symbol is not None:
        operand, axis = found[extent.symbol]
        return f", the extent of axis {axis} of '{operand}'"
    return places_text(extent, found)


def places_text(extent: Index, found: dict[str, Place]) -> str:
    names = sorted(symbols(extent))
    places = [f"{s} is the extent of axis {found[s][1]} of '{found[s][0]}'" for s in names]
    return f", where {' and '.join(places)}" if places else ""


def _preconditions(function: Function) -> list[Check]:
    found = sources(function)
    return [
        Check(c, f"{function.name}: it is required that {c}{places_text(c.index, found)}")
        for c in function.preconditions
    ]


def _result_checks(function: Function) -> list[Check]:
    """No result and no axis may have a negative extent."""
    facts = size_facts(function)
    made: dict[Index, Check] = {}
    for c in function.computes:
        places = [(e, f"axis {a} of the result '{r.name}'") for r in c.results for a, e in enumerate(r.shape)]
        axes = (*c.axes, *(c.reduction.axes if c.reduction else ()))
        for extent, place in (*places, *((a.extent, f"axis '{a.name}'") for a in axes)):
            if extent not in made and not facts.holds(ge(extent, 0)):
                message = f"{function.name}: {place} would have the negative extent {extent}"
                made[extent] = Check(ge(extent, 0), message)
    return list(made.values())
