"""What a function of tensors takes, told from how its ops are declared, never from their names."""

from __future__ import annotations

from ast import literal_eval
from collections import namedtuple
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, Literal, NamedTuple, TypeAlias

from tilewright.dsl.header import Header, Parameter, Shaped
from tilewright.runtime._core import Function

Axes: TypeAlias = Literal["none", "reduced", "last", "between"]
Role: TypeAlias = Literal["operand", "keyword", "dim", "keepdim", "dtype", "out", "ignored"]

NAMES = {"x": "input", "y": "other", "w": "weight"}
"""PyTorch's names of operands that the ops call by a letter; an optional `b` is the bias."""


class Argument(NamedTuple):
    """A parameter of a function: what it is to the ops, which operand or keyword of theirs, its default."""

    name: str
    role: Role
    target: int | str | None
    required: bool
    default: object
    keyword_only: bool = False


class Form(NamedTuple):
    """All that makes a function; ``headers`` are those of its ops, the first of which it is told from."""

    name: str
    headers: tuple[Header, ...]
    arguments: tuple[Argument, ...]
    accepts: tuple[tuple[tuple[str, ...], ...], ...]
    ranks: tuple[tuple[int, ...], ...] = ()
    in_place: bool = False
    widens: bool = False
    """Whether it takes integers as floats where its ops take floats alone."""

    @property
    def axes(self) -> Axes:
        """What ``dim`` names."""
        return axes_of(self.headers[0]) if any(a.role == "dim" for a in self.arguments) else "none"


def form(
    name: str,
    headers: Sequence[Header],
    classes: Sequence[Sequence[str] | None] = (),
    signature: str | None = None,
    ranks: Sequence[tuple[int, ...]] = (),
) -> Form:
    """The form of the function ``name`` whose ops are tried in the order of ``headers``.

    ``classes`` restricts the dtypes of the first variable of each; ``signature`` lists the parameters, with defaults,
    where they are not those that the first header tells; ``ranks`` those of each op's operands, -1 for any.
    """
    usual = _arguments(headers[0])
    for header in headers[1:]:
        known = {a.name for a in usual}
        usual += [a for a in _keywords(header) if a.name not in known]
    arguments = _listed(signature, usual) if signature else usual
    accepts = tuple(_accepted(h, c) for h, c in zip(headers, classes or [None] * len(headers), strict=True))
    out = [Argument("out", "out", None, False, None, True)] * (len(headers[0].results) == 1)
    return Form(name, tuple(headers), (*arguments, *out), accepts, tuple(ranks))


def is_method(form: Form) -> bool:
    """Whether a tensor may stand for the first parameter, as a method's does."""
    return bool(form.arguments) and form.arguments[0].role == "operand"


# --- axes -----------------------------------------------------------------------------------


def axes_of(header: Header) -> Axes:
    """What ``dim`` names in a function of the op: the axes of a second pack of the first operand, which are reduced;
    the last axis, where all operands and results have at most one behind their pack; the one between two packs."""
    if not header.inputs or any(type(p[2]) is int for p in header.parameters):
        return "none"  # settings that are tuples have one element per axis
    axes = header.inputs[0][2]
    packs = [a for a in axes if a.endswith("...")]
    if len(axes) == 2 and len(packs) == 2:
        others = [part[2] for part in [*header.inputs[1:], *header.results]]
        return "reduced" if all(packs[1] not in axes for axes in others) else "none"
    if len(axes) == 3 and len(packs) == 2 and not axes[1].endswith("..."):
        return "between" if packs[0][:-3] in header.settings else "none"
    if len(axes) == 2 and axes[0] == "...":
        return "last" if all(map(_short, [*header.inputs, *header.results])) else "none"
    return "none"


def _short(part: Shaped) -> bool:
    """Whether at most one axis stands behind the pack."""
    return part[2][0:1] == ("...",) and len(part[2]) <= 2


def kept(header: Header) -> tuple[bool, ...]:
    """Per result, whether it has the axis that ``dim`` names."""
    return tuple(axes_of(header) in ("last", "between") and len(r[2]) > 1 for r in header.results)


def rank_keyword(header: Header) -> str | None:
    """The keyword by which the op is told how many axes ``dim`` names, or stand before the one that it names."""
    axes = axes_of(header)
    return {"reduced": header.inputs[0][2][-1][:-3], "between": header.inputs[0][2][0][:-3]}.get(axes)


# --- parameters -----------------------------------------------------------------------------


def _arguments(header: Header) -> list[Argument]:
    """Operands under PyTorch's names, ``dim`` and ``keepdim``, then attributes and scalars."""
    axes, operands = axes_of(header), _operands(header)
    required = next((n for n, a in enumerate(operands) if not a.required), len(operands))
    dim = Argument("dim", "dim", None, axes == "between", {"reduced": None, "last": -1}.get(axes))
    at = 1 if axes in ("reduced", "between") else required
    drops = axes in ("reduced", "last") and not all(kept(header))
    behind = [dim] * (axes != "none") + [Argument("keepdim", "keepdim", None, False, False)] * drops
    made = [*operands[:at], *behind, *operands[at:], *_keywords(header)]
    alike = len(header.inputs) == 1 == len(header.results) and header.results[0][1] == header.inputs[0][1]
    chosen = [Argument("dtype", "dtype", None, False, None, True)] * (alike and axes in ("reduced", "last"))
    needed = [a for a in made if a.required]
    return [*needed, *[a for a in made if not a.required], *chosen]


def _operands(header: Header) -> list[Argument]:
    given = [p for p in header.parameters if p[1] in ("tensor", "optional")]
    taken = {p[0] for p in header.parameters}
    return [_operand(n, p, taken) for n, p in enumerate(given)]


def _operand(number: int, parameter: Parameter, taken: set[str]) -> Argument:
    optional = parameter[1] == "optional"
    name = "bias" if optional and parameter[0] == "b" else NAMES.get(parameter[0], parameter[0])
    return Argument(parameter[0] if name in taken else name, "operand", number, not optional, None)


def _keywords(header: Header) -> list[Argument]:
    hidden = {axis[:-3] for part in header.inputs for axis in part[2] if axis.endswith("...")}
    given = [p for p in header.parameters if p[1] not in ("tensor", "optional") and p[0] not in hidden]
    return [Argument(p[0], "keyword", p[0], not p[3], p[4]) for p in given]


def _listed(signature: str, usual: Sequence[Argument]) -> list[Argument]:
    """Arguments in the order of ``signature``, as in ``input, k, dim=-1, *, old->new``; what is none of the usual ones
    is taken and ignored."""
    known = {a.name: a for a in usual}
    made: list[Argument] = []
    keyword_only = False
    for part in (p.strip() for p in signature.split(",")):
        if part == "*":
            keyword_only = True
            continue
        spelt, _, default = part.partition("=")
        old, _, new = spelt.partition("->")
        if old not in known and (new or not default):
            raise KeyError(f"{old!r} is none of {', '.join(known)}")
        argument = known.get(old, Argument(old, "ignored", None, False, None))._replace(keyword_only=keyword_only)
        chosen = literal_eval(default) if default else None
        argument = argument._replace(required=not default, default=chosen)
        made.append(argument._replace(name=new or old))
    return made


def _accepted(header: Header, restriction: Sequence[str] | None) -> tuple[tuple[str, ...], ...]:
    sets = [allowed for _, allowed in header.variables]
    if restriction is not None:
        sets[0] = tuple(d for d in sets[0] if d in restriction)
    return tuple(sets)


# --- functions ------------------------------------------------------------------------------


def function(form: Form) -> Function:
    """The function that the core calls."""
    first = form.headers[0]
    results = [r[0] for r in first.results]
    overloads = [
        (header.name, accepts, ranks, *_sets(header, form.arguments))
        for header, accepts, ranks in zip(
            form.headers, form.accepts, form.ranks or [()] * len(form.headers), strict=True
        )
    ]
    made = Function(
        form.name,
        form.arguments,
        [_operand_form(first, part) for part in first.inputs],
        overloads,
        form.axes,
        rank_keyword(first) if form.axes != "none" else None,
        kept(first),
        named(form.name, tuple(results)) if len(results) > 1 else None,
        form.in_place,
        form.axes == "none" and _alike(first),
        form.widens,
    )
    made.__module__ = "tilewright"  # where pickle finds it
    return made


def _alike(header: Header) -> bool:
    """Whether the result has the dtype and the common shape of all operands."""
    parts = [*header.inputs, *header.results]
    return len(header.results) == 1 and all(part[1:] == parts[-1][1:] for part in parts) and parts[0][2] == ("...",)


def _operand_form(header: Header, part: Shaped) -> tuple[int, str | None, bool, bool]:
    variables = [name for name, _ in header.variables]
    variable = variables.index(part[1]) if part[1] in variables else -1
    optional = any(p[0] == part[0] and p[1] == "optional" for p in header.parameters)
    return variable, None if variable >= 0 else part[1], optional, len(part[2]) > 1


def _sets(header: Header, arguments: Sequence[Argument]) -> tuple[int, int]:
    """The arguments that the op takes as keywords, and those among them that it needs, as sets of bits."""
    known: Mapping[str, Parameter] = {p[0]: p for p in header.parameters}
    keywords = [(n, a) for n, a in enumerate(arguments) if a.role == "keyword"]
    takes = sum(1 << n for n, a in keywords if a.target in known)
    return takes, sum(1 << n for n, a in keywords if a.target in known and not known[str(a.target)][3])


@cache
def named(name: str, fields: tuple[str, ...]) -> Any:
    """The type of several results."""
    return namedtuple(name, fields, module="tilewright")
