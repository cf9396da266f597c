"""What is known when an op is compiled: the values of attributes, and the conditions of ``if``."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from tilewright.dsl import syntax as ast
from tilewright.dsl.attributes import constant, kind_of, shown
from tilewright.dsl.indices import affine, attribute_element
from tilewright.dsl.mend import behind
from tilewright.dsl.program import Attribute, Program, Scope, error, nearest, unknown

_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def known(e: ast.Expr | ast.Several, program: Program) -> Attribute | None:
    """The value of ``e``: a literal, an attribute or one element of it, a whole number made of such, a tuple of these.

    None if it is not known when the op is compiled.
    """
    if isinstance(e, ast.Name) and e.text in program.attributes:
        return program.attributes[e.text]
    if isinstance(e, ast.Several):
        items = [known(item, program) for item in e.items]
        whole = tuple(i for i in items if isinstance(i, (bool, int, float)))
        return whole if len(whole) == len(items) else None
    found = constant(e)
    if found is None and isinstance(e, ast.Element):
        found = attribute_element(e, Scope(program))
    if found is None:
        index = affine(e, Scope(program))
        found = None if index is None else index.constant
    return found


def chosen(body: Sequence[ast.Statement], program: Program) -> Iterator[ast.Statement]:
    """The statements whose static conditions hold."""
    for s in body:
        if isinstance(s, ast.If):
            yield from chosen(s.then if _truth(s.condition, program) else s.otherwise, program)
        elif isinstance(s, ast.Steps):
            yield replace(s, body=tuple(chosen(s.body, program)))
        else:
            yield s


def result(r: ast.Result, program: Program) -> ast.Result:
    """What is declared of a result under its static conditions."""
    while r.condition is not None and r.otherwise is not None:
        r = replace(r, condition=None, otherwise=None) if _truth(r.condition, program) else r.otherwise
    return r


def _truth(e: ast.Expr, program: Program) -> bool:
    if isinstance(e, ast.Unary) and e.op == "not":
        return not _truth(e.value, program)
    if isinstance(e, ast.Binary) and e.op in ("and", "or"):
        left, right = _truth(e.left, program), _truth(e.right, program)
        return left and right if e.op == "and" else left or right
    if isinstance(e, ast.Binary) and e.op in _COMPARISONS:
        return _compared(e, program)
    flags = _flags(program)
    if isinstance(e, ast.Element) and isinstance(value := attribute_element(e, Scope(program)), bool):
        return value
    if not isinstance(e, ast.Name):
        hint = "it may name optional operands and bool attributes, compare attributes, and use not, and, or"
        raise error("this is not known when the op is compiled", e.span, f"{hint}; for values use where(c, a, b)")
    if e.text in program.attributes and e.text not in flags:
        compared = f" == {shown(program.attributes[e.text])}"
        hint, fix = f"compare it: {e.text}{compared}", behind(e.span, compared)
        raise error(f"the attribute {e.text} is not a bool", e.span, hint, fix)
    if e.text not in flags:
        raise unknown("optional operand or bool attribute", e, flags)
    return flags[e.text]


def _flags(program: Program) -> dict[str, bool]:
    """What a static condition may name."""
    optional = {**dict.fromkeys(program.tensors, True), **dict.fromkeys(program.absent, False)}
    return {**optional, **{k: v for k, v in program.attributes.items() if isinstance(v, bool)}}


def _compared(e: ast.Binary, program: Program) -> bool:
    left, right = (_side(side, program) for side in (e.left, e.right))
    check_choice(e.left, e.right, program.callers[-1])
    check_choice(e.right, e.left, program.callers[-1])
    if isinstance(left, str) != isinstance(right, str) or isinstance(left, bool) != isinstance(right, bool):
        raise error(f"{shown(left)} and {shown(right)} are of two kinds", e.span, "compare values of one kind")
    if isinstance(left, str) and e.op not in ("==", "!="):
        raise error("choices have no order", e.span, "compare them with == or !=")
    return _COMPARISONS[e.op](left, right)  # type: ignore[arg-type]


def _side(e: ast.Expr, program: Program) -> Attribute:
    value = known(e, program)
    if value is None:
        hint = "compare attributes with each other and with literals; for values use where(c, a, b)"
        raise error("this is not known when the op is compiled", e.span, hint)
    if isinstance(value, tuple):
        raise error("a tuple is compared element by element", e.span, f"as in {_text(e)}[0] == {shown(value[0])}")
    return value


def _text(e: ast.Expr) -> str:
    return e.text if isinstance(e, ast.Name) else "stride"


def check_choice(attribute: ast.Expr, choice: ast.Expr, op: ast.Op) -> None:
    """A text beside an attribute of ``op`` must be one of its choices; else CheckError."""
    if not isinstance(choice, ast.Text) or not isinstance(attribute, ast.Name):
        return
    kinds = [kind_of(a) for a in op.attributes if a.name == attribute.text]
    if kinds and kinds[0].choices and choice.value not in kinds[0].choices:
        hint = nearest(choice.value, kinds[0].choices)
        raise error(f"{attribute.text} is never {shown(choice.value)}", choice.span, hint)
