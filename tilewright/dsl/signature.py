"""What a caller of an op needs to know: its operands, attributes, scalars and results; and binding a call to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from typing import Any

from tilewright.dsl import syntax as ast
from tilewright.dsl.attributes import Kind, article, default_of, kind_of, scalar_default
from tilewright.dsl.mend import behind
from tilewright.dsl.program import ELSEWHERE, Attribute, error, nearest, unknown
from tilewright.errors import CallError, CallTypeError, UserError
from tilewright.ir.types import BY_NAME, CONSTRAINTS, DType
from tilewright.records import dataclass


@dataclass(frozen=True)
class OperandInfo:
    """An operand: ``dims`` is the text of each dim; ``packs`` names the axis pack that it is, None for a plain dim."""

    name: str
    dtype: str
    optional: bool
    dims: tuple[str, ...]
    packs: tuple[str | None, ...]

    @property
    def fixed(self) -> int:
        """The number of dims that are no packs."""
        return self.packs.count(None)

    @property
    def pack_names(self) -> tuple[str, ...]:
        """Each axis pack among the dims, as often as it stands there."""
        return tuple(p for p in self.packs if p is not None)

    @property
    def shared(self) -> tuple[int, int] | None:
        """How many dims stand before and after the anonymous pack, if that is the only one."""
        at = self.packs.index("") if self.pack_names == ("",) else None
        return None if at is None else (at, len(self.packs) - at - 1)

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join(self.dims)}]{'?' if self.optional else ''}"


@dataclass(frozen=True)
class Signature:
    """The header of an op as data; ``variables`` gives the dtypes that each dtype variable allows, ``attributes`` the
    defaults, ``kinds`` what attributes may be.
    """

    name: str
    variables: Mapping[str, tuple[DType, ...]]
    operands: tuple[OperandInfo, ...]
    attributes: Mapping[str, Attribute]
    scalars: Mapping[str, str]
    results: tuple[str, ...]
    ranks: tuple[str, ...] = ()
    """The axis packs whose ranks the operands that must be there do not tell: a call may give them like attributes."""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    scalar_defaults: Mapping[str, Attribute] = field(default_factory=dict)
    """Of the run-time scalars that have one."""

    @property
    def settings(self) -> Mapping[str, Attribute]:
        """What a call may set by keyword and is compiled for, with defaults: attributes, then ranks (-1: not given)."""
        return {**self.attributes, **dict.fromkeys(self.ranks, -1)}

    def dtypes(self, name: str) -> tuple[DType, ...]:
        """The dtypes that the dtype or variable ``name`` stands for."""
        return self.variables.get(name) or (BY_NAME[name],)


def signature(op: ast.Op) -> Signature:
    """The signature of ``op``. CheckError if its header names an unknown dtype or constraint."""
    variables = {v.name: _constraint(v) for v in op.variables}
    results = [n for n, _ in ast.walk(*op.results) if isinstance(n, ast.Result)]
    for name in [*(o.dtype for o in op.operands), *(s.dtype for s in op.scalars), *(r.dtype for r in results)]:
        _check_dtype(name, variables, op)
    operands = tuple(map(_operand, op.operands))
    bound = {o.dtype for o in operands}
    for v in op.variables:
        if v.name not in bound:
            hint = f"some operand must be declared as {v.name}[...]"
            raise error(f"the dtype {v.name} cannot be told from the operands", v.span, hint)
    kinds = {a.name: kind_of(a) for a in op.attributes}
    defaults = {a.name: default_of(a, kinds[a.name]) for a in op.attributes}
    scalars = {s.name: s.dtype.text for s in op.scalars}
    given = {s.name: scalar_default(s, variables.get(s.dtype.text) or (BY_NAME[s.dtype.text],)) for s in op.scalars}
    chosen = {name: value for name, value in given.items() if value is not None}
    ranks, made = _open_ranks(op, operands), tuple(r.name for r in op.results)
    return Signature(op.name, variables, operands, defaults, scalars, made, ranks, kinds, chosen)


def _open_ranks(op: ast.Op, operands: Sequence[OperandInfo]) -> tuple[str, ...]:
    """The named packs whose ranks a call may have to give: those that no operand tells that must be there."""
    known = _told([o for o in operands if not o.optional])
    nodes = {d.name: d for o in op.operands for d in o.dims if isinstance(d, ast.Pack) and d.name not in known}
    anonymous = nodes.pop("", None)
    if anonymous and "" not in _told(operands):
        raise error("the rank of ... cannot be told from the operands", anonymous.span, "give the pack a name: A...")
    named: list[Any] = [*op.operands, *op.attributes, *op.scalars, *op.variables]
    taken = {p.name for p in named}
    for name, node in nodes.items():
        if name in taken:
            raise error(f"the name {name} is taken", node.span, "calls give this pack's rank by its name: rename one")
    return tuple(nodes)


def _told(operands: Sequence[OperandInfo]) -> set[str]:
    """The packs whose ranks are known when each operand with one unknown pack has told its rank."""
    known: set[str] = set()
    while told := {p for o in operands for p in o.pack_names if len(set(o.pack_names) - known) == 1} - known:
        known |= told
    return known


def _check_dtype(name: ast.Name, variables: Collection[str], op: ast.Op) -> None:
    if name.text not in BY_NAME and name.text not in variables:
        if name.text.istitle() and not variables and name.text not in ELSEWHERE:
            hint = f"a dtype variable is declared after the name of the op: {op.name}[{name.text}: number]"
            fix = behind(op.span, f"[{name.text}: number]")
            raise error(f"unknown dtype {name.text!r}", name.span, hint, fix)
        raise unknown("dtype", name, [*variables, *BY_NAME])


def _constraint(v: ast.Variable) -> tuple[DType, ...]:
    if v.constraint.text not in CONSTRAINTS:
        raise unknown("constraint", v.constraint, CONSTRAINTS)
    return CONSTRAINTS[v.constraint.text]


def _operand(o: ast.Operand) -> OperandInfo:
    packs = tuple(d.name if isinstance(d, ast.Pack) else None for d in o.dims)
    return OperandInfo(o.name, o.dtype.text, o.optional, tuple(map(source_text, o.dims)), packs)


def source_text(node: ast.Node) -> str:
    """What stands in the source for ``node``, which is on one line."""
    line = node.span.source.line(node.span.line)
    return line[node.span.column - 1 : node.span.end_column - 1]


# --- calls ----------------------------------------------------------------------------------


def check_attributes(op: ast.Op, given: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """The value of every attribute. CallError for an unknown one, CallTypeError for a value of another kind."""
    sig = signature(op)
    values = dict(sig.attributes)
    for name, value in given.items():
        if name not in values:
            raise CallError(f"{op.name} has no attribute {name!r}", hint=nearest(name, values))
        kind = sig.kinds[name]
        taken = kind.taken(value)
        if taken is None:
            hint = nearest(value, kind.choices) if isinstance(value, str) else None
            raise CallTypeError(f"attribute {name!r} of {op.name} is {article(kind)}, not {value!r}", hint=hint)
        values[name] = taken
    return values


Bound = tuple[dict[str, DType], dict[str, int], frozenset[str]]


def bind(
    op: ast.Op, operands: Mapping[str, tuple[DType, int]], attributes: Mapping[str, Attribute] | None = None
) -> Bound:
    """Dtypes, pack ranks and present optional operands, from the dtype and the rank of each operand given.

    CallTypeError for a dtype that does not fit, CallError for a rank that does not, and for a missing or
    unknown operand; each says what was expected.
    """
    sig = signature(op)
    given = {k: v for k, v in (attributes or {}).items() if k not in sig.ranks or v != -1}
    ranks = {p: given.pop(p) for p in sig.ranks if p in given}
    check_attributes(op, given)
    names = [o.name for o in sig.operands]
    for name in operands:
        if name not in names:
            raise CallError(f"{op.name} has no operand {name!r}", hint=nearest(name, names))
    dtypes: dict[str, tuple[DType, str]] = {}
    for info in sig.operands:
        if info.name in operands:
            _bind_dtype(sig, info, operands[info.name][0], dtypes)
        elif not info.optional:
            raise CallError(f"{op.name} needs operand {info.name!r}", hint=f"it is {info}")
    packs = bind_ranks(sig, {name: rank for name, (_, rank) in operands.items()}, ranks)
    _check_bound(sig, [*dtypes], [*packs])
    present = frozenset(o.name for o in sig.operands if o.optional and o.name in operands)
    return {v: d for v, (d, _) in dtypes.items()}, packs, present


def _bind_dtype(sig: Signature, info: OperandInfo, dtype: DType, bound: dict[str, tuple[DType, str]]) -> None:
    allowed = sig.dtypes(info.dtype)
    label = f"operand {info.name!r} of {sig.name}"
    if dtype not in allowed:
        choices = ", ".join(d.name for d in allowed)
        raise CallTypeError(f"{label} has dtype {dtype}, but {info} takes {choices}", hint="convert the operand")
    if info.dtype in sig.variables:
        first, where = bound.setdefault(info.dtype, (dtype, info.name))
        if first is not dtype:
            message = f"{label} has dtype {dtype}, but {info.dtype} is {first} already, from operand {where!r}"
            raise CallTypeError(message, hint=f"convert one: both are {info.dtype}")


def bind_ranks(sig: Signature, operands: Mapping[str, int], given: Mapping[str, Attribute]) -> dict[str, int]:
    """The rank of each pack, from the ranks of operands and those ``given``; CallError if they do not fit."""
    bound: dict[str, tuple[int, str]] = {}
    for name, rank in given.items():
        if type(rank) is not int or rank < 0:
            raise CallError(
                f"{sig.name}: the rank {name}={rank!r} is no whole number from 0 up", hint=f"as in {name}=1"
            )
        bound[name] = rank, ""
    pending = [o for o in sig.operands if o.name in operands]
    while pending:
        ready = [o for o in pending if len({*o.pack_names} - {*bound}) <= 1]
        for info in ready:
            _bind_rank(sig, info, operands[info.name], bound)
        pending = [o for o in pending if o not in ready]
        if pending and not ready:
            info = pending[0]
            missing = [f"{p}..." for p in dict.fromkeys(info.pack_names) if p not in bound]
            message = f"{sig.name}: the operands do not tell the ranks of {' and '.join(missing)} in {info}"
            raise CallError(message, hint=f"give one by keyword: {missing[-1][:-3]}=1")
    return {p: r for p, (r, _) in bound.items()}


def _bind_rank(sig: Signature, info: OperandInfo, rank: int, bound: dict[str, tuple[int, str]]) -> None:
    """Solves for the one pack of ``info`` that is not bound, or checks that the bound ones add up."""
    label = f"operand {info.name!r} of {sig.name} has {_axes(rank)}"
    if not info.pack_names and rank != info.fixed:
        raise CallError(f"{label}, but {info} takes {info.fixed}", hint="reshape the operand")
    if rank < info.fixed:
        raise CallError(f"{label}, but {info} takes {info.fixed} or more", hint="reshape the operand")
    unknown = [p for p in info.pack_names if p not in bound]
    rest = rank - info.fixed - sum(bound[p][0] for p in info.pack_names if p in bound)
    if not unknown and rest == 0:
        return
    if unknown and rest >= 0 and rest % len(unknown) == 0:
        bound[unknown[0]] = rest // len(unknown), info.name
        return
    known = {p: bound[p] for p in info.pack_names if p in bound}
    said = " and ".join(f"{p}... is {_axes(r)}{' already' if at else ''}{_origin(at)}" for p, (r, at) in known.items())
    raise CallError(f"{label}, but {said or f'{info} takes {info.fixed} and pairs'}", hint="reshape one")


def _origin(operand: str) -> str:
    return f", from operand {operand!r}" if operand else ""


def _check_bound(sig: Signature, dtypes: Sequence[str], packs: Sequence[str]) -> None:
    """With optional operands left out, a dtype or a rank may be left open."""
    open_ended: UserError | None = None
    for info in sig.operands:
        if info.dtype in sig.variables and info.dtype not in dtypes:
            open_ended = CallError(f"{sig.name}: nothing given tells the dtype {info.dtype}", hint=f"pass {info}")
        for pack in info.pack_names:
            if pack not in packs:
                hint = f"pass {info}" + (f", or {pack}=1" if pack in sig.ranks else "")
                open_ended = CallError(f"{sig.name}: nothing given tells the rank of {pack}...", hint=hint)
    if open_ended:
        raise open_ended


def _axes(n: int) -> str:
    return "1 axis" if n == 1 else f"{n} axes"
