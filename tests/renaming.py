"""An op under other names, and with its operands in another order: the same op."""

from __future__ import annotations

import random
import string
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tilewright.dsl import syntax as ast
from tilewright.dsl.mend import stretch
from tilewright.dsl.parse import parse
from tilewright.dsl.program import LITERALS
from tilewright.dsl.reductions import KINDS
from tilewright.ir.scalar import OPS
from tilewright.ir.types import BY_NAME
from tilewright.source import Edit, Span, edited

RESERVED = {*OPS, *BY_NAME, *LITERALS, *KINDS, "op", "if", "or", "for", "in", "fold", "scan", "down"}
_DECLARED = (ast.Variable, ast.Operand, ast.Attribute, ast.Scalar, ast.Result, ast.Accumulator, ast.Pack)


@dataclass(frozen=True)
class Renamed:
    """The text of the op under new ``names``; ``order[i]`` is the old position of its operand i."""

    text: str
    names: Mapping[str, str]
    order: tuple[int, ...]


def renamed(op: ast.Op, rng: random.Random) -> Renamed:
    """``op`` with every name that is its own drawn anew, and its operands permuted."""
    places = list(_places(op))
    names: dict[str, str] = {}
    for old in dict.fromkeys(n for _, n in places):
        names[old] = _drawn(len(old), rng, {*ast.names(op), *names.values(), *RESERVED})
    source = op.span.source
    text = edited(source.text, [Edit(span, names[name]) for span, name in places])
    end = max(node.span.end_line for node, _ in ast.walk(op))
    own = "\n".join(text.split("\n")[op.span.line - 1 : end]) + "\n"
    operands = parse(own).ops[0].operands
    order = rng.sample(range(len(operands)), len(operands))
    moved = [Edit(o.span, operands[n].span.text) for o, n in zip(operands, order, strict=True)]
    return Renamed(edited(own, moved), names, tuple(order))


def _drawn(length: int, rng: random.Random, taken: set[str]) -> str:
    """A name as long as the old one: texts break their lines by length."""
    while True:
        name = "".join(rng.choices(string.ascii_letters, k=length))
        if name not in taken:
            return name


def _places(op: ast.Op) -> Iterator[tuple[Span, str]]:
    """Where the op's own names stand: not functions, reductions, dtypes, literals and what belongs to other ops."""
    variables = {v.name for v in op.variables}
    foreign = {id(n) for n in _foreign(op, variables)}
    yield op.span, op.name
    for node, _ in ast.walk(op):
        if isinstance(node, _DECLARED) and node.name:
            yield _first(node.span, len(node.name)), node.name
        elif isinstance(node, ast.Name) and id(node) not in foreign:
            yield _first(node.span, len(node.text)), node.text


def _foreign(op: ast.Op, variables: set[str]) -> Iterator[ast.Node]:
    for node, _ in ast.walk(op):
        if isinstance(node, ast.Variable):
            yield node.constraint
        elif isinstance(node, ast.Attribute):
            yield from (n for n, _ in ast.walk(node))
        elif isinstance(node, ast.Call) and node.function.text not in variables:
            yield node.function
        elif isinstance(node, (ast.Reduce, ast.Fold)):
            yield node.kind
        elif isinstance(node, ast.Invoke):
            yield from (node.function, *(k.name for k in node.keywords))
        elif isinstance(node, ast.Name) and (node.text in BY_NAME or node.text in LITERALS):
            yield node


def _first(span: Span, count: int) -> Span:
    begin = span.offsets[0]
    return stretch(span, begin, begin + count)
