"""What a function of tensors takes, gives and refuses: the shapes, dtypes and errors that its ops' headers tell."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from tilewright.dsl import syntax as ast
from tilewright.dsl.header import Header, Shaped
from tilewright.runtime.dtypes import named
from tilewright.stdlib import ops
from tilewright.stdlib.tensor import forms, table

CLASSES = {"bools": table.BOOL, "integers": table.INTS, "floats": table.FLOATS}
"""What several dtypes are called together."""


def shapes(form: forms.Form) -> str:
    """The axes of operands and results, in the order of the operands of the first op, which axis ``dim`` names."""
    ranks = form.ranks or ((),) * len(form.headers)
    told = [_shapes(form, header, rank) for header, rank in zip(form.headers, ranks, strict=True)]
    return "; ".join([*dict.fromkeys(told), *_dim(form)])


def dtypes(form: forms.Form) -> str:
    """The dtypes of the operands that are promoted to one, and what the result has for them; those of others."""
    given: dict[str, list[str]] = {}
    taken: set[str] = set()
    for header, accepts in zip(form.headers, form.accepts, strict=True):
        mine = [d for d in (accepts[0] if accepts else ()) if d != "field" and d not in taken]
        taken |= {*mine}
        if mine:
            given.setdefault(_gives(header, mine), []).extend(mine)
    parts = [f"{classes(found)} -> {result}" for result, found in given.items()]
    if form.widens:
        parts.append("bools, integers -> as the default float")
    return "; ".join([*parts, *_promoted(form), *_others(form)])


def errors(form: forms.Form) -> str:
    """What is raised for which mistake."""
    wrong, checked = [*_wrong_shapes(form)], indices(form)
    parts = [f"CallTypeError for {', '.join(_wrong_dtypes(form))}"]
    if wrong:
        parts.append(f"CallError for {', '.join(wrong)}")
    if form.axes != "none":
        parts.append("CallIndexError for a ``dim`` that there is not")
    if checked:
        parts.append(f"KernelIndexError for an element of ``{checked}`` out of range")
    return "; ".join(parts)


# --- shapes ---------------------------------------------------------------------------------


def _operands(form: forms.Form) -> dict[int, str]:
    """The operands by number, as the function calls them."""
    return {int(str(a.target)): a.name for a in form.arguments if a.role == "operand"}


def _shapes(form: forms.Form, header: Header, ranks: Sequence[int]) -> str:
    inputs = [(name, header.inputs[n][2]) for n, name in _operands(form).items()]
    if not ranks and all(axes == ("...",) for _, axes in inputs) and all(r[2] == ("...",) for r in header.results):
        listed = _listed([f"``{name}``" for name, _ in inputs])
        return f"the result has the shape of {listed}" if len(inputs) == 1 else f"{listed} broadcast to the result's"
    batches = [_batch(header.inputs[n][2], ranks[n] if ranks else -1) for n in _operands(form)]
    left = ", ".join(f"``{name}`` {_axes(axes, b)}" for (name, axes), b in zip(inputs, batches, strict=True))
    stretched = sum("..." in axes and b < 0 for (_, axes), b in zip(inputs, batches, strict=True)) > 1
    return (
        f"{left} -> {_results(header, max(batches) if min(batches) >= 0 else -1)}{', where ... broadcasts' * stretched}"
    )


def _batch(axes: Sequence[str], rank: int) -> int:
    """How many axes ``...`` is of an operand of this rank, -1 for any number."""
    return -1 if rank < 0 else rank - len(axes) + 1


def _axes(axes: Sequence[str], batch: int) -> str:
    """The axes, with so many for ``...`` unless it is -1."""
    spelt = axes if batch < 0 else [part for a in axes for part in ((a,) if a != "..." else ("B",) * batch)]
    return f"[{', '.join(spelt)}]"


def _results(header: Header, batch: int) -> str:
    if not all(_is_whole(axis) for result in header.results for axis in result[2]):
        return "as its op declares"
    several = len(header.results) > 1
    return ", ".join(f"{r[0] + ' ' if several else ''}{_axes(r[2], batch)}" for r in header.results)


def _is_whole(axis: str) -> bool:
    return bool(axis) and axis.count("(") == axis.count(")")


def _dim(form: forms.Form) -> Iterator[str]:
    axes = form.headers[0].inputs[0][2] if form.headers[0].inputs else ()
    if form.axes == "none":
        return
    named_so = next(a.name for a in form.arguments if a.role == "dim")
    many = form.axes == "reduced"
    axis = axes[1] if form.axes == "between" else axes[-1]
    yield f"{axis} {'are the axes' if many else 'is the axis'} ``{named_so}``{', all for None' * many}"
    if any(a.role == "keepdim" for a in form.arguments):
        yield f"``keepdim`` keeps {'them' if many else 'it'}, of extent 1"


# --- dtypes ---------------------------------------------------------------------------------


def classes(found: Sequence[str]) -> str:
    """A list of dtypes, in classes where all of one are there."""
    left = list(found)
    parts = []
    for name, codes in CLASSES.items():
        if {*codes} <= {*left}:
            parts.append(name)
            left = [d for d in left if d not in codes]
    return ", ".join([*parts, *(named(d).name for d in left)])


def _gives(header: Header, mine: Sequence[str]) -> str:
    """The dtypes of the results for operands of ``mine``."""
    variables = dict(header.variables)
    told = {r[0]: "the same" if r[1] in variables or [r[1]] == [*mine] else named(r[1]).name for r in header.results}
    if len({*told.values()}) == 1:
        return next(iter(told.values()))
    return ", ".join(f"{name} {dtype}" for name, dtype in told.items())


def _promoted(form: forms.Form) -> Iterator[str]:
    first = form.headers[0]
    variables = [name for name, _ in first.variables]
    names = _operands(form)
    for variable in variables[:1]:
        alike = [f"``{names[n]}``" for n, part in enumerate(first.inputs) if part[1] == variable and n in names]
        if len(alike) > 1:
            yield f"{_listed(alike)} are promoted to one"
    if any(a.role == "dtype" for a in form.arguments):
        yield "``dtype`` converts first"


def _others(form: forms.Form) -> Iterator[str]:
    """Operands of other dtype variables, and of a dtype of their own."""
    first, names = form.headers[0], _operands(form)
    main = first.variables[0][0] if first.variables else None
    allowed: Mapping[str, Sequence[str]] = dict(first.variables)
    for n, part in enumerate(first.inputs):
        if part[1] != main and n in names:
            yield f"``{names[n]}``: {classes([d for d in allowed.get(part[1], (part[1],)) if d != 'field'])}"


# --- errors ---------------------------------------------------------------------------------


def _wrong_dtypes(form: forms.Form) -> Iterator[str]:
    yield "what is no tensor or number"
    if not form.widens and not _takes_all(form):
        yield "other dtypes"
    if form.in_place:
        yield "a result of a higher category (bools, integers, floats) than the first operand"


def _takes_all(form: forms.Form) -> bool:
    """Whether every operand may have any dtype."""
    allowed = {variable: {*codes} for variable, codes in form.headers[0].variables}
    first = form.headers[0].variables[0][0] if allowed else ""
    allowed[first] = {d for accepts in form.accepts for d in (accepts[0] if accepts else ())}
    every = {d for codes in CLASSES.values() for d in codes}
    return all(every <= allowed.get(part[1], set()) for part in form.headers[0].inputs)


def _wrong_shapes(form: forms.Form) -> Iterator[str]:
    inputs: Sequence[Shaped] = form.headers[0].inputs
    if len(inputs) > 1:
        packs = all(part[2] == ("...",) for part in inputs)
        yield f"shapes that do not {'broadcast' if packs else 'fit'}"
    elif form.axes == "none" and inputs and any(not axis.endswith("...") for axis in inputs[0][2]):
        yield "too few axes"
    if any(_requires(header.name) for header in form.headers):
        yield "what a ``where`` of its op excludes"
    if any(a.role == "out" for a in form.arguments) and not form.in_place:
        yield "an ``out`` of another shape"
    if form.in_place:
        yield "a result of another shape"


def _requires(op: str) -> bool:
    return any(isinstance(node, ast.Require) for node, _ in ast.walk(*_tree(op).body))


def indices(form: forms.Form) -> str | None:
    """The operand whose elements say where others are read or written, if kernels check them."""
    header, names = form.headers[0], _operands(form)
    numbers = {name for name, allowed in header.variables if {*allowed} == {"i32", "i64"}}
    found = [names[n] for n, part in enumerate(header.inputs) if part[1] in numbers and n in names]
    return found[0] if found and any(_by_index(node) for node in _unguarded(_tree(header.name))) else None


def _tree(op: str) -> ast.Op:
    tree: ast.Op = ops.get(op).definition.tree
    return tree


def _unguarded(node: ast.Node) -> Iterator[ast.Node]:
    """Every node below but for those that have an ``else``."""
    for child in node.children:
        if not isinstance(child, ast.Guarded):
            yield child
        yield from _unguarded(child.otherwise if isinstance(child, ast.Guarded) else child)


def _by_index(node: ast.Node) -> bool:
    if not isinstance(node, (ast.Element, ast.Scatter)):
        return False
    return any(isinstance(inner, ast.Element) for index in node.indices for inner, _ in ast.walk(index))


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
