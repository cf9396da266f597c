"""Which extent each axis of a statement runs over: declared, or inferred from the places where it stands."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from tilewright.dsl import mend
from tilewright.dsl import syntax as ast
from tilewright.dsl.indices import extent
from tilewright.dsl.program import LITERALS, Program, Scope, error
from tilewright.ir.index import Index, symbols
from tilewright.ir.tensor import Tensor
from tilewright.source import Span

Place = tuple[Index, Span]


def resolve(
    axes: Sequence[ast.Axis],
    value: ast.Expr,
    scope: Scope,
    targets: Iterable[tuple[Tensor, Sequence[ast.Axis]]] = (),
    demanded: Iterable[tuple[str, Place]] = (),
) -> dict[str, Index]:
    """The extents of ``axes``, declared or inferred.

    An axis has the extent of the places where it stands as a plain index: in the shapes of ``targets`` and in unguarded
    reads of ``value`` and of the indices of ``targets``; failing these what later statements demand of the result;
    failing these, guarded reads. CheckError if an axis repeats, has no range or two different ones.
    """
    placed = list(targets)
    nodes = [n for n, _ in ast.walk(value, *(a for _, on in placed for a in on))]
    guarded = {id(n.read) for n in nodes if isinstance(n, ast.Guarded)}
    elements = [n for n in nodes if isinstance(n, ast.Element)]
    levels = [
        [p for tensor, on in placed for p in _plain(on, tensor.shape)]
        + _places([e for e in elements if id(e) not in guarded], scope),
        list(demanded),
        _places([e for e in elements if id(e) in guarded], scope),
    ]
    found: dict[str, Index] = {}
    for name, axis in _distinct(axes, scope).items():
        places = next(filter(None, ([p for n, p in level if n == name] for level in levels)), [])
        found[name] = _extent(axis, name, places, scope)
    return found


def own_ranges(axes: Sequence[ast.Axis], scope: Scope) -> dict[str, Index]:
    """The extents of axes that say them all."""
    return {name: _extent(axis, name, (), scope) for name, axis in _distinct(axes, scope).items()}


def _distinct(axes: Sequence[ast.Axis], scope: Scope) -> dict[str, ast.Axis]:
    found: dict[str, ast.Axis] = {}
    for axis in axes:
        name = axis_name(axis, scope)
        if name in found or name in scope.ranges:
            free = next(n for n in "ijklmnabcdefgh" + name * 9 if n not in scope.program.used)
            fix = mend.replaced(axis.value.span, free)
            raise error(f"axis {name} is used twice", axis.span, "give each axis a name of its own", fix)
        found[name] = axis
    return found


def demands(body: Sequence[ast.Statement], program: Program) -> dict[str, list[Index | None]]:
    """The extents of undeclared intermediates that the statements reading them take for granted.

    From the last statement back: an axis whose range is declared, given by a result's shape or itself demanded
    gives it to the axes of intermediates in whose place it stands.
    """
    found: dict[str, list[Index | None]] = {}
    _demand(body, Scope(program), found)
    return found


def _demand(body: Sequence[ast.Statement], scope: Scope, found: dict[str, list[Index | None]]) -> None:
    for s in reversed(body):
        if isinstance(s, ast.Steps):
            _demand(s.body, scope.inside(own_ranges(s.axes, scope)), found)
        elif isinstance(s, ast.Assign):
            ranges = _known_ranges(s, found, scope)
            for node, _ in ast.walk(s.value):
                if isinstance(node, ast.Element):
                    places = [ranges.get(a.value.text) if isinstance(a.value, ast.Name) else None for a in node.indices]
                    old = found.setdefault(node.tensor.text, [None] * len(places))
                    found[node.tensor.text] = [a or b for a, b in zip(old, places, strict=False)]


def _known_ranges(s: ast.Assign, demanded: Mapping[str, list[Index | None]], scope: Scope) -> dict[str, Index]:
    ranges = dict(scope.ranges)
    for target in s.targets:
        declared = scope.program.declared.get(target.text)
        shape = list(declared.shape) if declared else demanded.get(target.text, [])
        for axis, size in zip(s.axes, shape, strict=False):
            if isinstance(axis.value, ast.Name) and size is not None:
                ranges[axis.value.text] = size
    for axis in s.axes:
        if isinstance(axis.value, ast.Name) and axis.extent is not None:
            ranges[axis.value.text] = extent(axis.extent, scope, "a range")
    return ranges


def axis_name(axis: ast.Axis, scope: Scope) -> str:
    """The name of an axis on the left side of a statement or of a reduction."""
    if not isinstance(axis.value, ast.Name):
        free = dict.fromkeys(n.text for n in ast.value_names(axis.value) if not scope.program.knows(n.text))
        hint = f"write the index on the right side, or scatter: y[...] = ... for {', '.join(free) or 'i'}"
        fix = mend.at_line_end(axis.span, f" for {', '.join(free)}") if free else ()
        raise error("an axis is a plain name here", axis.span, hint, fix)
    name, program = axis.value.text, scope.program
    taken = ("dim", program.dims), ("attribute", program.attributes), ("scalar", program.scalars), ("literal", LITERALS)
    for what, names in taken:
        if name in names:
            raise error(
                f"axis {name} has the name of {'an' if what[0] == 'a' else 'a'} {what}",
                axis.span,
                "give the axis another name",
            )
    return name


def _extent(axis: ast.Axis, name: str, places: Sequence[Place], scope: Scope) -> Index:
    program = scope.program
    if axis.extent is not None:
        return extent(axis.extent, Scope(program), "a range")
    if name in program.pack_ranges:
        return program.pack_ranges[name]
    if not places:
        only = next(iter(program.dims)) if len(program.dims) == 1 else "N"
        fix = mend.behind(axis.span, f": {only}") if len(program.dims) == 1 else ()
        raise error(f"axis {name} has no range", axis.span, f"declare it: [{name}: {only}]", fix)
    first, _ = places[0]
    for other, span in places:
        if other is not first:
            hint = f"declare its range: [{name}: {first}], and the reads are checked against it"
            known = symbols(first) <= set(program.used)
            fix = mend.behind(axis.span, f": {first}") if known else ()
            raise error(f"axis {name} runs over {first}, but here over {other}", span, hint, fix)
    return first


def _places(elements: Sequence[ast.Element], scope: Scope) -> list[tuple[str, Place]]:
    """Where a bare name is an index of a tensor of known shape."""
    tensors, declared = scope.program.tensors, scope.program.declared
    known = ((e, tensors.get(e.tensor.text) or declared.get(e.tensor.text)) for e in elements)
    return [place for e, tensor in known if tensor for place in _plain(e.indices, tensor.shape)]


def _plain(axes: Sequence[ast.Axis], shape: Sequence[Index]) -> Iterator[tuple[str, Place]]:
    for axis, size in zip(axes, shape, strict=False):
        if isinstance(axis.value, ast.Name):
            yield axis.value.text, (size, axis.span)
