"""Forward-mode differentiation of tensor IR, with a table of its own: the oracle of the vector-Jacobian product.

Every float tensor t gets a tangent t_dot, computed beside it: a fold over pairs (value, tangent) is again a fold.
"""

from __future__ import annotations

from dataclasses import replace

from tilewright.ir import scalar
from tilewright.ir.scalar import Apply, Const, Expr, Param, Read, Var, apply, convert, literal
from tilewright.ir.tensor import Function, Statement, Steps, Tensor


def jvp(f: Function) -> Function:
    """``f`` with an operand t_dot beside each float operand and outputs o_dot in place of the outputs."""
    body = tuple(part for s in f.body for part in _both(s))
    inputs = (*f.inputs, *(_dot(t) for t in f.inputs if t.dtype.is_float))
    return replace(f, name=f"{f.name}_jvp", inputs=inputs, body=body, outputs=tuple(f"{o}_dot" for o in f.outputs))


def _dot(t: Tensor) -> Tensor:
    return Tensor(f"{t.name}_dot", t.dtype, t.shape)


def _both(c: Statement) -> list[Statement]:
    if isinstance(c, Steps):
        return [replace(c, body=tuple(part for s in c.body for part in _both(s)))]
    if not all(r.dtype.is_float for r in c.results):
        return [c]
    dots, tangents = tuple(map(_dot, c.results)), tuple(map(tangent, c.values))
    if c.scatter:
        return [c, replace(c, results=dots, values=tangents)]
    both = replace(c, results=c.results + dots, values=c.values + tangents)
    how = c.reduction or c.scan
    if how is None:
        return [both]
    pairs = replace(
        how,
        accs=how.accs + tuple(map(_dot_var, how.accs)),
        init=how.init + tuple(map(tangent, how.init)),
        others=how.others + tuple(map(_dot_var, how.others)),
        merge=how.merge + tuple(map(tangent, how.merge)),
    )
    return [replace(both, reduction=pairs) if c.reduction else replace(both, scan=pairs)]


def _dot_var(v: Var) -> Var:
    return Var(f"{v.name}_dot", v.dtype)


def tangent(e: Expr) -> Expr:
    """The tangent of a float expression."""
    found: dict[Expr, Expr] = {}
    for node in scalar.walk(e):
        if node.dtype.is_float:
            found[node] = _tangent(node, found)
    return found[e]


def _tangent(e: Expr, found: dict[Expr, Expr]) -> Expr:
    if isinstance(e, (Const, Param)):
        return literal(0, e.dtype)
    if isinstance(e, Var):
        return _dot_var(e)
    if isinstance(e, Read):
        otherwise = None if e.otherwise is None else found[e.otherwise]
        return Read(f"{e.tensor}_dot", e.indices, e.dtype, e.guard, otherwise)
    assert isinstance(e, Apply)
    if e.op == "cast":
        source = e.args[0]
        return convert("cast", found[source], e.dtype) if source.dtype.is_float else literal(0, e.dtype)
    if e.op == "where":
        return apply("where", e.args[0], found[e.args[1]], found[e.args[2]])
    return _smooth(e.op, e, e.args, [found[a] for a in e.args])


def _smooth(op: str, y: Expr, x: tuple[Expr, ...], d: list[Expr]) -> Expr:
    def mul(a: Expr, b: Expr) -> Expr:
        return apply("mul", a, b)

    if op in ("add", "sub", "neg"):
        return apply(op, *d)
    if op == "mul":
        return apply("add", mul(d[0], x[1]), mul(x[0], d[1]))
    if op == "fma":
        return apply("add", apply("add", mul(d[0], x[1]), mul(x[0], d[1])), d[2])
    if op == "div":
        return apply("div", apply("sub", mul(d[0], x[1]), mul(x[0], d[1])), mul(x[1], x[1]))
    if op == "exp":
        return mul(y, d[0])
    if op == "log":
        return apply("div", d[0], x[0])
    if op == "sqrt":
        return apply("div", d[0], apply("add", y, y))
    if op in ("max", "min"):
        return apply("where", apply("ge" if op == "max" else "le", x[0], x[1]), d[0], d[1])
    if op == "abs":
        return apply("where", apply("ge", x[0], literal(0, x[0].dtype)), d[0], apply("neg", d[0]))
    raise AssertionError(f"no tangent of {op}")
