"""What a caller of an op needs to know: its operands, attributes, scalars and results; and binding a call to it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from tilewright.dsl import syntax as ast
from tilewright.dsl.program import CONSTANTS, TRUTHS, Attribute, error, nearest
from tilewright.errors import CallError, CallTypeError, UserError
from tilewright.ir.types import BY_NAME, CONSTRAINTS, DType

_KINDS: dict[str, type] = {"int": int, "float": float, "bool": bool}


@dataclass(frozen=True)
class OperandInfo:
    """An operand: ``dims`` is the text of each dim; ``pack_at`` says where among them the pack stands, if any."""

    name: str
    dtype: str
    optional: bool
    dims: tuple[str, ...]
    pack_at: int | None
    pack: str

    def __str__(self) -> str:
        return f"{self.name}: {self.dtype}[{', '.join(self.dims)}]{'?' if self.optional else ''}"


@dataclass(frozen=True)
class Signature:
    """The header of an op as data; ``variables`` gives the dtypes that each dtype variable allows."""

    name: str
    variables: Mapping[str, tuple[DType, ...]]
    operands: tuple[OperandInfo, ...]
    attributes: Mapping[str, Attribute]
    scalars: Mapping[str, str]
    results: tuple[str, ...]

    def dtypes(self, name: str) -> tuple[DType, ...]:
        """The dtypes that the dtype or variable ``name`` stands for."""
        return self.variables.get(name) or (BY_NAME[name],)


def signature(op: ast.Op) -> Signature:
    """The signature of ``op``. CheckError if its header names an unknown dtype or constraint."""
    variables = {v.name: _constraint(v) for v in op.variables}
    for name in [*(o.dtype for o in op.operands), *(s.dtype for s in op.scalars), *(r.dtype for r in op.results)]:
        _check_dtype(name, variables)
    operands = tuple(map(_operand, op.operands))
    bound = {o.dtype for o in operands}
    for v in op.variables:
        if v.name not in bound:
            hint = f"some operand must be declared as {v.name}[...]"
            raise error(f"the dtype {v.name} cannot be told from the operands", v.span, hint)
    defaults = {a.name: _default(a) for a in op.attributes}
    scalars = {s.name: s.dtype.text for s in op.scalars}
    return Signature(op.name, variables, operands, defaults, scalars, tuple(r.name for r in op.results))


def _check_dtype(name: ast.Name, variables: Collection[str]) -> None:
    if name.text not in BY_NAME and name.text not in variables:
        hint = nearest(name.text, [*variables, *BY_NAME])
        raise error(f"unknown dtype {name.text!r}", name.span, hint)


def _constraint(v: ast.Variable) -> tuple[DType, ...]:
    if v.constraint.text not in CONSTRAINTS:
        hint = nearest(v.constraint.text, CONSTRAINTS)
        raise error(f"unknown constraint {v.constraint.text!r}", v.constraint.span, hint)
    return CONSTRAINTS[v.constraint.text]


def _operand(o: ast.Operand) -> OperandInfo:
    places = [n for n, d in enumerate(o.dims) if isinstance(d, ast.Pack)]
    if len(places) > 1:
        span = o.dims[places[1]].span
        raise error(f"{o.name} has two axis packs", span, "one pack per operand, or their ranks cannot be told")
    at = places[0] if places else None
    pack = o.dims[at] if at is not None else None
    name = pack.name if isinstance(pack, ast.Pack) else ""
    return OperandInfo(o.name, o.dtype.text, o.optional, tuple(map(_source_text, o.dims)), at, name)


def _source_text(node: ast.Node) -> str:
    line = node.span.source.line(node.span.line)
    return line[node.span.column - 1 : node.span.end_column - 1]


def _default(a: ast.Attribute) -> Attribute:
    if a.kind.text not in _KINDS:
        raise error(f"unknown kind of attribute {a.kind.text!r}", a.kind.span, "int, float or bool")
    value = _constant(a.default)
    if value is None or not _is_kind(value, a.kind.text):
        raise error(f"this is not {_article(a.kind.text)}", a.default.span, f"a literal that fits {a.kind.text}")
    return _KINDS[a.kind.text](value)  # type: ignore[no-any-return]


def _constant(e: ast.Expr) -> Attribute | None:
    if isinstance(e, ast.Number):
        return e.value
    if isinstance(e, ast.Name):
        return TRUTHS.get(e.text, CONSTANTS.get(e.text))
    inner = _constant(e.value) if isinstance(e, ast.Unary) and e.op == "-" else None
    return None if inner is None or isinstance(inner, bool) else -inner


def _is_kind(value: Attribute, kind: str) -> bool:
    if kind == "float":
        return type(value) in (int, float)
    return type(value) is _KINDS[kind]


def _article(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeiou" else f"a {kind}"


# --- calls ----------------------------------------------------------------------------------


def check_attributes(op: ast.Op, given: Mapping[str, Attribute]) -> dict[str, Attribute]:
    """The value of every attribute. CallError for an unknown one, CallTypeError for a value of another kind."""
    defaults = signature(op).attributes
    for name, value in given.items():
        if name not in defaults:
            raise CallError(f"{op.name} has no attribute {name!r}", hint=nearest(name, defaults))
        kind = next(a.kind.text for a in op.attributes if a.name == name)
        if not _is_kind(value, kind):
            raise CallTypeError(f"attribute {name!r} of {op.name} is {_article(kind)}, not {value!r}")
    kinds = {a.name: _KINDS[a.kind.text] for a in op.attributes}
    return {name: kinds[name](given.get(name, default)) for name, default in defaults.items()}


Bound = tuple[dict[str, DType], dict[str, int], frozenset[str]]


def bind(
    op: ast.Op, operands: Mapping[str, tuple[DType, int]], attributes: Mapping[str, Attribute] | None = None
) -> Bound:
    """Dtypes, pack ranks and present optional operands, from the dtype and the rank of each operand given.

    CallTypeError for a dtype that does not fit, CallError for a rank that does not, and for a missing or
    unknown operand; each says what was expected.
    """
    sig = signature(op)
    check_attributes(op, attributes or {})
    names = [o.name for o in sig.operands]
    for name in operands:
        if name not in names:
            raise CallError(f"{op.name} has no operand {name!r}", hint=nearest(name, names))
    dtypes: dict[str, tuple[DType, str]] = {}
    ranks: dict[str, tuple[int, str]] = {}
    for info in sig.operands:
        if info.name in operands:
            dtype, rank = operands[info.name]
            _bind_dtype(sig, info, dtype, dtypes)
            _bind_rank(sig, info, rank, ranks)
        elif not info.optional:
            raise CallError(f"{op.name} needs operand {info.name!r}", hint=f"it is {info}")
    _check_bound(sig, [*dtypes], [*ranks])
    present = frozenset(o.name for o in sig.operands if o.optional and o.name in operands)
    return {v: d for v, (d, _) in dtypes.items()}, {p: r for p, (r, _) in ranks.items()}, present


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


def _bind_rank(sig: Signature, info: OperandInfo, rank: int, bound: dict[str, tuple[int, str]]) -> None:
    label = f"operand {info.name!r} of {sig.name} has {_axes(rank)}"
    fixed = len(info.dims) - (info.pack_at is not None)
    if info.pack_at is None:
        if rank != fixed:
            raise CallError(f"{label}, but {info} takes {fixed}", hint="reshape the operand")
        return
    if rank < fixed:
        raise CallError(f"{label}, but {info} takes {fixed} or more", hint="reshape the operand")
    first, where = bound.setdefault(info.pack, (rank - fixed, info.name))
    if first != rank - fixed:
        raise CallError(
            f"{label}, but {info.pack}... is {_axes(first)} already, from operand {where!r}", hint="reshape one"
        )


def _check_bound(sig: Signature, dtypes: Sequence[str], packs: Sequence[str]) -> None:
    """With optional operands left out, a dtype or a rank may be left open."""
    open_ended: UserError | None = None
    for info in sig.operands:
        if info.dtype in sig.variables and info.dtype not in dtypes:
            open_ended = CallError(f"{sig.name}: nothing given tells the dtype {info.dtype}", hint=f"pass {info}")
        if info.pack_at is not None and info.pack not in packs:
            open_ended = CallError(f"{sig.name}: nothing given tells the rank of {info.pack}...", hint=f"pass {info}")
    if open_ended:
        raise open_ended


def _axes(n: int) -> str:
    return "1 axis" if n == 1 else f"{n} axes"
