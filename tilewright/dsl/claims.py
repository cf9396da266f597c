"""What an op claims: its gradient, written by hand, and another op that gives the same."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace

from tilewright.dsl import syntax as ast
from tilewright.dsl.program import Resolver, error, meant, nearest
from tilewright.ir.types import BY_NAME, CONSTRAINTS


def gradient_of(op: ast.Op, present: Collection[str]) -> ast.Op:
    """The op that the gradient of ``op`` is, given the optional operands that are ``present``.

    It takes the operands and a cotangent ``d_<result>`` per float result, and gives ``d_<operand>`` for each float
    operand, all of which the gradient must define. It may read all that the op computes.
    """
    operands = tuple(o for o in op.operands if not o.optional or o.name in present)
    defined = {t.text for s in _flat(op.gradient) if isinstance(s, (ast.Assign, ast.Invoke)) for t in s.targets}
    defined |= {s.target.text for s in _flat(op.gradient) if isinstance(s, ast.Scatter)}
    results = []
    for o in operands:
        if _may_be_float(o.dtype, op):
            if f"d_{o.name}" not in defined:
                hint = f"define it: d_{o.name}[...] = ..."
                raise error(f"the gradient of {op.name} does not say d_{o.name}", op.gradient[0].span, hint)
            results.append(ast.Result(o.span, f"d_{o.name}", o.dtype, o.dims))
    floats = [r for r in op.results if _may_be_float(r.dtype, op)]
    cotangents = tuple(ast.Operand(r.span, f"d_{r.name}", r.dtype, r.dims, False) for r in floats)
    said = tuple(ast.Declare(r.span, ast.Name(r.span, r.name), r.dtype, r.dims) for r in op.results)
    return replace(
        op,
        name=f"{op.name}_vjp",
        operands=(*op.operands, *cotangents),
        results=tuple(results),
        body=(*said, *op.body, *op.gradient),
        gradient=(),
        equals=None,
    )


def _flat(body: Sequence[ast.Statement]) -> Iterator[ast.Statement]:
    for s in body:
        if isinstance(s, ast.If):
            yield from _flat((*s.then, *s.otherwise))
        elif isinstance(s, ast.Steps):
            yield from _flat(s.body)
        else:
            yield s


def _may_be_float(dtype: ast.Name, op: ast.Op) -> bool:
    variable = next((v for v in op.variables if v.name == dtype.text), None)
    allowed = CONSTRAINTS.get(variable.constraint.text, ()) if variable else (BY_NAME[dtype.text],)
    return any(d.is_float for d in allowed)


def equal_of(op: ast.Op, resolver: Resolver) -> ast.Op | None:
    """The op that ``op`` says it gives the same as; its header must be the same."""
    if op.equals is None:
        return None
    name = op.equals.text
    other = None if name == op.name else resolver(op).get(name)
    if other is None:
        hint = "it is another op of the same file, or a shipped one"
        others = [o for o in resolver(op) if o != op.name]
        fix = meant(op.equals, others)
        message = f"there is no op {name!r} that {op.name} could equal"
        raise error(message, op.equals.span, nearest(name, others) if fix else hint, fix)
    for what in ("variables", "operands", "attributes", "scalars", "results"):
        mine, its = getattr(op, what), getattr(other, what)
        if mine != its:
            hint = f"take over the header of {name} ({other.span.source.name}, line {other.span.line})"
            raise error(f"the {what} of {op.name} are not those of {name}", op.equals.span, hint)
    return other
