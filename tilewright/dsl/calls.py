"""Calls of ops: ``t = softmax(x)``. The callee is specialised, and its statements become the caller's.

They stay statements of their own, so each keeps the FMA and the order that it has in the callee.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tilewright.dsl import syntax as ast
from tilewright.dsl.elaborate import Elaborator, find_tensor
from tilewright.dsl.program import Attribute, Program, Resolver, Scope, error, meant, nearest, no_ops
from tilewright.dsl.signature import Signature, bind, check_attributes, signature
from tilewright.dsl.statements import check_target
from tilewright.dsl.static import known
from tilewright.dsl.stretch import seen_through, views
from tilewright.errors import CallError, CallTypeError
from tilewright.ir import index as ix
from tilewright.ir import statements
from tilewright.ir.index import Condition, Index
from tilewright.ir.scalar import Const, Expr, Param, Read, literal
from tilewright.ir.tensor import Function, Tensor
from tilewright.ir.types import BY_NAME, DType
from tilewright.source import Span

Specialise = Callable[..., Function]


def in_module(module: ast.Module, shared: Resolver = no_ops) -> Resolver:
    """The ops of ``module`` for its own ops; for the rest, and for others, those that ``shared`` finds."""
    own = {op.name: op for op in module.ops}

    def resolve(caller: ast.Op) -> Mapping[str, ast.Op]:
        return {**shared(caller), **own} if caller.span.source is module.source else shared(caller)

    return resolve


def called(op: ast.Op, resolver: Resolver) -> tuple[ast.Op, ...]:
    """The ops that ``op`` calls, directly or by way of others, each once; itself left out."""
    found: list[ast.Op] = []
    waiting = [op]
    while waiting:
        caller = waiting.pop(0)
        for node, _ in ast.walk(*caller.body, *caller.gradient):
            callee = resolver(caller).get(node.function.text) if isinstance(node, ast.Invoke) else None
            if callee is not None and callee is not op and all(callee is not f for f in found):
                found.append(callee)
                waiting.append(callee)
    return tuple(found)


def invoke(s: ast.Invoke, program: Program, specialise: Specialise) -> None:
    """Adds the statements of the op that ``s`` calls. CheckError where the call does not fit."""
    for name in s.targets:
        check_target(name, program)
    callee = _callee(s.function, program)
    sig = signature(callee)
    given = _operands(s, sig, program)
    seen = views(given, sig)
    operands = {name: replace(t, shape=seen[name].shape) for name, t in given.items()}
    keywords = {k.name.text: k for k in s.keywords if k.name.text not in [o.name for o in sig.operands]}
    settings = {name: _static(k, program) for name, k in keywords.items() if name not in sig.scalars}
    dtypes, packs, present = _bound(callee, operands, settings, s.span)
    attributes = {name: value for name, value in settings.items() if name not in packs}
    f = specialise(callee, dtypes, packs, attributes, present, program.resolver, program.callers)
    f = seen_through(f, seen, s.span)
    dims = _dims(f, given, s, program)
    defaults = sig.scalar_defaults
    scalars = {p.name: _scalar(p.name, p.dtype, keywords, defaults.get(p.name), s, program) for p in f.scalars}
    for condition in statements.substitute_conditions(f.preconditions, dims):
        _need(condition, f"{f.name} requires {condition}", s.span, program)
    names = _names(f, given, s, program)
    axes = {a.name: _axis(a.name, program) for c in f.computes for a in statements.all_axes(c)}
    for part in f.body:
        program.add(statements.rename(part, names, dims, axes, scalars))


def _callee(name: ast.Name, program: Program) -> ast.Op:
    caller = program.callers[-1]
    ops = program.resolver(caller)
    callee = caller if name.text == caller.name else ops.get(name.text)
    if callee is None:
        hint = "ops of the same file and shipped ones can be called; functions stand on the right of name[axes] = ..."
        fix = meant(name, ops)
        message = f"there is no op {name.text!r} to call"
        raise error(message, name.span, nearest(name.text, ops) if fix else hint, fix)
    chain = [c for c in program.callers if c is callee]
    if chain:
        names = [c.name for c in program.callers[program.callers.index(chain[0]) :]]
        raise error(f"{callee.name} calls itself: {' -> '.join([*names, callee.name])}", name.span, "unroll it")
    return callee


# --- what is given --------------------------------------------------------------------------


def _operands(s: ast.Invoke, sig: Signature, program: Program) -> dict[str, Tensor]:
    """The tensor that each operand is; absent ones are left out."""
    declared = [o.name for o in sig.operands]
    if len(s.args) > len(declared):
        hint = f"its operands are {', '.join(map(str, sig.operands))}"
        raise error(f"{sig.name} takes {len(declared)} operands, not {len(s.args)}", s.args[len(declared)].span, hint)
    given: dict[str, ast.Name] = dict(zip(declared, s.args, strict=False))
    for k in s.keywords:
        known = [*declared, *sig.settings, *sig.scalars]
        if k.name.text not in known:
            message = f"{sig.name} has no parameter {k.name.text!r}"
            raise error(message, k.name.span, nearest(k.name.text, known), meant(k.name, known))
        if k.name.text in declared:
            if not isinstance(k.value, ast.Name):
                raise error(
                    f"{k.name.text} is an operand: a tensor is needed", k.value.span, "assign it to a name first"
                )
            if k.name.text in given:
                raise error(f"{k.name.text} is given twice", k.span, "leave one out")
            given[k.name.text] = k.value
    optional = {o.name for o in sig.operands if o.optional}
    passed = {n: a for n, a in given.items() if not (n in optional and a.text in program.absent)}
    return {n: find_tensor(a, Scope(program)) for n, a in passed.items()}


def _static(k: ast.Keyword, program: Program) -> Attribute:
    """The value that a call gives an attribute."""
    value = known(k.value, program)
    if value is None:
        hint = "give a literal or an attribute"
        raise error(f"{k.name.text} is not known when the op is compiled", k.value.span, hint)
    return value


def _scalar(
    name: str,
    dtype: DType,
    keywords: Mapping[str, ast.Keyword],
    default: Attribute | None,
    s: ast.Invoke,
    program: Program,
) -> Expr:
    """The value of a run-time scalar: of scalars, attributes and literals."""
    if name not in keywords and isinstance(default, (bool, int, float)):
        return literal(default, dtype)
    if name not in keywords:
        raise error(f"{s.function.text} needs {name}: scalar {dtype}", s.span, f"give it: {name} = ...")
    written = keywords[name].value

    def no_reduction(e: object, scope: Scope) -> Read:
        raise error(f"{name} is a scalar of the call, not a reduction", written.span, "pass a scalar or a literal")

    if isinstance(written, ast.Several):
        raise error(f"{name} takes one value", written.span, "pass a scalar of the op or a literal")
    value = Elaborator(no_reduction).typed(written, Scope(program), dtype)
    if value.dtype is not dtype or not isinstance(value, (Const, Param)):
        raise error(f"{name} takes a scalar of type {dtype}", written.span, "pass a scalar of the op or a literal")
    return value


def _bound(
    callee: ast.Op, operands: Mapping[str, Tensor], settings: Mapping[str, Attribute], span: Span
) -> tuple[dict[str, DType], dict[str, int], frozenset[str]]:
    try:
        bound = bind(callee, {n: (t.dtype, len(t.shape)) for n, t in operands.items()}, settings)
        check_attributes(callee, {n: v for n, v in settings.items() if n not in bound[1]})
    except (CallError, CallTypeError) as e:
        raise error(e.message, span, e.hint or f"see the header of {callee.name}") from None
    return bound


# --- fitting it in --------------------------------------------------------------------------


def _dims(f: Function, operands: Mapping[str, Tensor], s: ast.Invoke, program: Program) -> dict[str, Index]:
    """What each dim of the callee is in the caller; equal ones must be equal, perhaps as a precondition."""
    dims: dict[str, Index] = {}
    for t in f.inputs:
        for wanted, extent in zip(t.shape, operands[t.name].shape, strict=True):
            if wanted.symbol:
                dims.setdefault(wanted.symbol, extent)
    for t in f.inputs:
        shape = operands[t.name].shape
        _same_shape(tuple(ix.substitute(d, dims) for d in t.shape), shape, f"{t.name} of {f.name}", s, program)
    if len(f.outputs) != len(s.targets):
        raise error(f"{f.name} gives {len(f.outputs)} results, not {len(s.targets)}", s.span, "write (a, b) = ...")
    for output, target in zip(f.outputs, s.targets, strict=True):
        made, declared = f.tensor(output), program.declared.get(target.text)
        if declared is None:
            continue
        if made.dtype is not declared.dtype or len(made.shape) != len(declared.shape):
            message = f"{target.text} is declared {_type(declared)}, but {f.name} gives {_type(made)}"
            raise error(message, s.span, "change one of the two, or give the result of the call another name")
        shape = tuple(ix.substitute(d, dims) for d in made.shape)
        _same_shape(declared.shape, shape, target.text, s, program)
    return dims


def _type(t: Tensor) -> str:
    return f"{t.dtype}[{', '.join(map(str, t.shape))}]"


def _same_shape(wanted: Sequence[Index], given: Sequence[Index], what: str, s: ast.Invoke, program: Program) -> None:
    for a, b in zip(wanted, given, strict=True):
        if a is not b:
            _need(ix.eq(a, b), f"the extent of {what} is {a}, but {b} is given", s.span, program)


def _need(condition: Condition, message: str, span: Span, program: Program) -> None:
    """Proves ``condition`` or makes it a precondition; CheckError if it never holds."""
    answer = program.facts({}).prove(condition)
    if answer is False:
        raise error(message, span, "operands of a call must fit the callee's shapes")
    if answer is None:
        program.conditions.append(condition)


def _names(f: Function, operands: Mapping[str, Tensor], s: ast.Invoke, program: Program) -> dict[str, str]:
    """The caller's names of the callee's tensors."""
    named = {name: t.name for name, t in operands.items()}
    named.update(zip(f.outputs, (t.text for t in s.targets), strict=True))
    inner = [r.name for c in f.computes for r in c.results if r.name not in named]
    return named | {name: program.fresh(f"{s.targets[0].text}_{name}") for name in inner}


def _axis(name: str, program: Program) -> str:
    taken = {*program.value_names(), *BY_NAME}
    while name in taken:
        name += "_"
    return name
