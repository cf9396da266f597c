"""An op and the choices of one call (dtypes, ranks, attributes, presence) become a tensor IR function."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from tilewright.dsl import bounds, ranges, statements, static
from tilewright.dsl import syntax as ast
from tilewright.dsl.attributes import shown
from tilewright.dsl.calls import invoke
from tilewright.dsl.indices import conditions, extent
from tilewright.dsl.packs import AxisPacks, Names, dim_names, expand
from tilewright.dsl.program import (
    CONSTANTS,
    LITERALS,
    TRUTHS,
    Attribute,
    Program,
    Resolver,
    Scope,
    error,
    no_ops,
)
from tilewright.dsl.signature import check_attributes, signature
from tilewright.dsl.steps import steps
from tilewright.ir.index import symbol
from tilewright.ir.tensor import Function, ScalarInput, Tensor
from tilewright.ir.types import DType


def specialise(
    op: ast.Op,
    dtypes: Mapping[str, DType] | None = None,
    packs: Mapping[str, int | Sequence[str]] | None = None,
    attributes: Mapping[str, Attribute] | None = None,
    present: Collection[str] | None = None,
    resolver: Resolver = no_ops,
    callers: tuple[ast.Op, ...] = (),
) -> Function:
    """The function that ``op`` is under these choices.

    ``dtypes`` binds each dtype variable; ``packs`` gives each axis pack (the anonymous one is ``""``) its rank or the
    names of its dims; ``attributes`` not given have their defaults; ``present`` names the optional operands
    that are there (all of them if it is None). ``resolver`` finds the ops that it calls, whose statements become its
    own; ``callers`` are those that called it. CheckError if the op has no meaning under these choices.
    """
    values = check_attributes(op, attributes or {})
    program = Program(dict(dtypes or {}), values, used=set(ast.names(op)), resolver=resolver, callers=(*callers, op))
    dims = _packs(op, packs or {}, program)
    _check_variables(op, program)
    optional = {o.name for o in op.operands if o.optional}
    program.absent = optional - set(optional if present is None else present)
    inputs = _declare(op, program, dims)
    op = replace(op, results=tuple(static.result(r, program) for r in op.results))
    for r in op.results:
        program.declared[r.name] = _tensor(expand(r, dims), Scope(program))
    axes = AxisPacks(op, dims, program.used)
    body = [axes.expand(s) for s in static.chosen(op.body, program)]
    flat = list(_flat(body))
    program.pack_ranges = {a: program.dims[d] for a, d in axes.ranges.items() if d in program.dims}
    program.later = {n.text for s in flat for n in _targets(s)}
    program.demanded = ranges.demands(body, program)
    for s in flat:  # declared preconditions hold in the whole op, wherever they stand
        if isinstance(s, ast.Require):
            _require(s, program)
    _check_sizes(op, program)
    for s in body:
        _statement(s, program)
    _check_results(op, program)
    outputs = tuple(r.name for r in op.results)
    where = tuple(dict.fromkeys(program.conditions))
    return Function(op.name, inputs, tuple(program.scalars.values()), tuple(program.body), outputs, where, op.span)


def _packs(op: ast.Op, given: Mapping[str, int | Sequence[str]], program: Program) -> dict[str, list[str]]:
    wanted = {p.name: p for o in op.operands for p in o.dims if isinstance(p, ast.Pack)}
    missing = [p for name, p in wanted.items() if name not in given]
    if missing:
        hint = "choose it, as `tilewright show --rank 2` does"
        raise error(f"the rank of {missing[0].name}... is not chosen", missing[0].span, hint)
    return dim_names({name: given[name] for name in wanted}, program.used)


def _check_variables(op: ast.Op, program: Program) -> None:
    for v in op.variables:
        allowed = signature(op).variables[v.name]
        if v.name not in program.dtypes:
            hint = f"choose it, as `tilewright show --dtype {v.name}=f32` does"
            raise error(f"the dtype {v.name} is not chosen", v.span, hint)
        if program.dtypes[v.name] not in allowed:
            names = ", ".join(t.name for t in allowed)
            raise error(f"{v.name} cannot be {program.dtypes[v.name]}", v.span, f"it is one of {names}")


# --- the header -----------------------------------------------------------------------------


def _declare(op: ast.Op, program: Program, dims: Names) -> tuple[Tensor, ...]:
    """Fills the tables from the header of ``op``; the tensors of its operands."""
    _check_names(op)
    operands = [expand(o, dims) for o in op.operands if o.name not in program.absent]
    for o in operands:
        for d in o.dims:
            for name in ast.value_names(d):
                if name.text in LITERALS:
                    raise error(f"the name {name.text} is taken", name.span, "it is a literal: choose another name")
                if name.text not in program.attributes and name.text not in ("min", "max"):
                    program.dims[name.text] = symbol(name.text)
    scope = Scope(program)
    inputs = tuple(_tensor(o, scope) for o in operands)
    _check_readable(operands, inputs, program)
    program.tensors.update((t.name, t) for t in inputs)
    for s in op.scalars:
        if s.name in program.dims:
            raise error(f"the name {s.name} is taken", s.span, "a dim has it: rename one")
        program.scalars[s.name] = ScalarInput(s.name, program.dtype(s.dtype))
    return inputs


def _tensor(written: ast.Operand | ast.Result, scope: Scope) -> Tensor:
    shape = tuple(extent(d, scope, "a dim") for d in written.dims)
    return Tensor(written.name, scope.program.dtype(written.dtype), shape)


def _check_readable(operands: Sequence[ast.Operand], inputs: Sequence[Tensor], program: Program) -> None:
    """Each dim must be an extent of some operand, or nobody could tell its value."""
    plain = {e.symbol for t in inputs for e in t.shape}
    for o in operands:
        for name in (n for d in o.dims for n in ast.value_names(d)):
            if name.text in program.dims and name.text not in plain:
                hint = f"some operand must have {name.text} itself as an axis"
                raise error(f"the value of {name.text} cannot be told from the operands", name.span, hint)


def _check_names(op: ast.Op) -> None:
    seen = {**CONSTANTS, **TRUTHS}
    named: list[ast.Node] = [*op.variables, *op.operands, *op.attributes, *op.scalars, *op.results]
    for node in named:
        assert isinstance(node, (ast.Variable, ast.Operand, ast.Attribute, ast.Scalar, ast.Result))
        if node.name in seen:
            raise error(f"the name {node.name} is taken", node.span, "give each part of the header its own name")
        seen[node.name] = True


def _check_sizes(op: ast.Op, program: Program) -> None:
    """Extents of results are 0 or more, perhaps under a precondition."""
    for r in op.results:
        for size in program.declared[r.name].shape:
            bounds.require_size(size, r, Scope(program))


def _check_results(op: ast.Op, program: Program) -> None:
    for r in op.results:
        if r.name not in program.tensors:
            hint = f"assign it: {r.name}[...] = ..."
            raise error(f"the result {r.name} is never defined", r.span, hint)


# --- the body -------------------------------------------------------------------------------


def _statement(s: ast.Statement, program: Program) -> None:
    if isinstance(s, ast.Declare):
        _declare_intermediate(s, program)
    elif isinstance(s, ast.Assign):
        statements.assign(s, program)
    elif isinstance(s, ast.Scatter):
        statements.scatter(s, program)
    elif isinstance(s, ast.Invoke):
        invoke(s, program, specialise)
    elif isinstance(s, ast.Steps):
        steps(s, program, _statement)


def _require(s: ast.Require, program: Program) -> None:
    facts = program.facts({})
    for c in conditions(s.condition, Scope(program)):
        answer = facts.prove(c) if not c.index.terms else None
        if answer is False:
            chosen = ", ".join(f"{k} = {shown(v)}" for k, v in program.attributes.items())
            raise error(f"this condition does not hold for {chosen}", s.span, "choose other attributes")
        if answer is None:
            program.conditions.append(c)


def _declare_intermediate(s: ast.Declare, program: Program) -> None:
    name = s.name.text
    if name in program.declared or program.knows(name) or name in program.tensors:
        raise error(f"the name {name} is taken", s.name.span, "give the intermediate another name")
    scope = Scope(program)
    shape = tuple(extent(d, scope, "a dim") for d in s.dims if not isinstance(d, ast.Pack))
    program.declared[name] = Tensor(name, program.dtype(s.dtype), shape)


def _flat(body: Sequence[ast.Statement]) -> Iterator[ast.Statement]:
    """The statements of ``body``, those inside of steps in their place."""
    for s in body:
        if isinstance(s, ast.Steps):
            yield from _flat(s.body)
        else:
            yield s


def _targets(s: ast.Statement) -> Sequence[ast.Name]:
    return s.targets if isinstance(s, (ast.Assign, ast.Invoke)) else (s.target,) if isinstance(s, ast.Scatter) else ()
