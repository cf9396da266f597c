"""The syntax tree of ``.tw`` source: what was written, before any name is resolved.

Every node has the span it was read from; spans do not take part in comparisons, so two texts that
differ in layout only give equal trees.

Grammar::

    Module    = edition, ops: Op*, schedules: Schedule*
    Op        = name, variables: Variable*, operands: Operand*, attributes: Attribute*, scalars: Scalar*,
                results: Result*, body: Statement*, gradient: Statement*, [equals: name]
    Schedule  = subject: Name, statement: Name?, axes: Name*, tensors: Name*, target: Name, condition: Expr?,
                rewrites: Rewrite*
    Statement = Assign | Scatter | Invoke | Declare | Require | If | Steps
    Expr      = Number | Text | Name | Element | Call | Unary | Binary | Guarded | Reduce | Fold
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, fields
from functools import cache, cached_property
from typing import Any, Union

from tilewright.records import dataclass
from tilewright.source import Source, Span


@dataclass(frozen=True)
class Node:
    span: Span = field(compare=False, repr=False)

    @cached_property
    def children(self) -> tuple[Node, ...]:
        """The nodes directly under this one, in the order of its fields."""
        kind: type = type(self)
        found: list[Node] = []
        for name in field_names(kind):
            value: Any = getattr(self, name)
            if isinstance(value, Node):
                found.append(value)
            elif isinstance(value, tuple):
                found += [v for v in value if isinstance(v, Node)]
        return tuple(found)


# --- expressions ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Number(Node):
    """A literal as written: ``1`` gives an int, ``1.0`` and ``1e3`` a float."""

    value: int | float


@dataclass(frozen=True)
class Text(Node):
    """``"mean"``: a choice of an attribute."""

    value: str


@dataclass(frozen=True)
class Name(Node):
    text: str


@dataclass(frozen=True)
class Pack(Node):
    """``...`` (name is empty) or ``name...``: a run of axes."""

    name: str


@dataclass(frozen=True)
class Axis(Node):
    """An entry between brackets: an index or axis, with a declared range and an order if it has them."""

    value: Expr | Pack
    extent: Expr | Pack | None = None
    chunk: int = 0
    lanes: int = 1


@dataclass(frozen=True)
class Element(Node):
    """``x[i, j]``."""

    tensor: Name
    indices: tuple[Axis, ...]


@dataclass(frozen=True)
class Call(Node):
    function: Name
    args: tuple[Expr | Pack, ...]


@dataclass(frozen=True)
class Unary(Node):
    op: str
    value: Expr


@dataclass(frozen=True)
class Binary(Node):
    op: str
    left: Expr
    right: Expr


@dataclass(frozen=True)
class Guarded(Node):
    """``read else otherwise``."""

    read: Expr
    otherwise: Expr


@dataclass(frozen=True)
class Reduce(Node):
    """``sum[axes](value)``; ``argsort[axis](key, ...)`` takes several."""

    kind: Name
    axes: tuple[Axis, ...]
    values: tuple[Expr, ...]


@dataclass(frozen=True)
class Accumulator(Node):
    name: str
    dtype: Name | None
    init: Expr


@dataclass(frozen=True)
class Fold(Node):
    """``fold[axes](accumulators -> values; (others) -> merge)``, or ``<-``: then ``values`` are elements."""

    kind: Name
    axes: tuple[Axis, ...]
    accumulators: tuple[Accumulator, ...]
    elements: bool
    values: tuple[Expr, ...]
    others: tuple[Name, ...] = ()
    merge: tuple[Expr, ...] = ()


Expr = Union[Number, Text, Name, Element, Call, Unary, Binary, Guarded, Reduce, Fold]


# --- statements -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Assign(Node):
    """``name[axes] = value`` or ``(name, name)[axes] = fold...``."""

    targets: tuple[Name, ...]
    axes: tuple[Axis, ...]
    value: Expr


@dataclass(frozen=True)
class Scatter(Node):
    """``name[indices] += value for axes from start``; ``combine`` is add, set, max or min.

    ``axes`` is None where they are inferred, ``start`` where the cells start from a constant.
    """

    target: Name
    indices: tuple[Axis, ...]
    combine: str
    value: Expr
    axes: tuple[Axis, ...] | None
    start: Name | None = None


@dataclass(frozen=True)
class Several(Node):
    """``(1, 2)``: the value of an attribute that is a tuple."""

    items: tuple[Expr, ...]


@dataclass(frozen=True)
class Keyword(Node):
    """``name = value`` in a call of an op."""

    name: Name
    value: Expr | Several


@dataclass(frozen=True)
class Invoke(Node):
    """``name = op(tensor, ..., name = value)`` or ``(name, name) = op(...)``: whole tensors."""

    targets: tuple[Name, ...]
    function: Name
    args: tuple[Name, ...]
    keywords: tuple[Keyword, ...]


@dataclass(frozen=True)
class Declare(Node):
    """``name: dtype[dims]``: an intermediate whose dtype and shape are said."""

    name: Name
    dtype: Name
    dims: tuple[Expr | Pack, ...]


@dataclass(frozen=True)
class Require(Node):
    """``where condition``."""

    condition: Expr


@dataclass(frozen=True)
class If(Node):
    condition: Expr
    then: tuple[Statement, ...]
    otherwise: tuple[Statement, ...]


@dataclass(frozen=True)
class Steps(Node):
    """``for axis: range:`` and statements that are computed together, point by point."""

    axes: tuple[Axis, ...]
    down: bool
    body: tuple[Statement, ...]


Statement = Union[Assign, Scatter, Invoke, Declare, Require, If, Steps]


# --- ops ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Variable(Node):
    """``T: constraint``."""

    name: str
    constraint: Name


@dataclass(frozen=True)
class Operand(Node):
    name: str
    dtype: Name
    dims: tuple[Expr | Pack, ...]
    optional: bool


@dataclass(frozen=True)
class Kind(Node):
    """``int``, a tuple ``int[2]``, or the choices ``"none" | "mean"``, which have no name."""

    name: Name | None
    dims: tuple[Expr | Pack, ...] | None
    choices: tuple[Text, ...] = ()


@dataclass(frozen=True)
class Attribute(Node):
    """``name: kind = default``; known when the op is compiled."""

    name: str
    kind: Kind
    default: Expr | Several


@dataclass(frozen=True)
class Scalar(Node):
    """``name: scalar dtype = default``; known when the op is run. Without a default it must be given."""

    name: str
    dtype: Name
    default: Expr | None = None


@dataclass(frozen=True)
class Result(Node):
    """``name: dtype[dims]``, or ``name: dtype[dims] if condition else ...`` with a static condition."""

    name: str
    dtype: Name
    dims: tuple[Expr | Pack, ...]
    condition: Expr | None = None
    otherwise: Result | None = None


@dataclass(frozen=True)
class Op(Node):
    name: str
    variables: tuple[Variable, ...]
    operands: tuple[Operand, ...]
    attributes: tuple[Attribute, ...]
    scalars: tuple[Scalar, ...]
    results: tuple[Result, ...]
    body: tuple[Statement, ...]
    gradient: tuple[Statement, ...] = ()
    """What it says of its gradient, if it does."""
    equals: Name | None = None
    """The op that it says it gives the same as."""


# --- schedules ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Rewrite(Node):
    """``outer, inner = split(i, 8, tail=cut)``: a primitive with its arguments and the loops that it makes."""

    targets: tuple[Name, ...]
    primitive: Name
    args: tuple[Expr, ...]
    keywords: tuple[Keyword, ...]


@dataclass(frozen=True)
class Schedule(Node):
    """``schedule matmul for cpu when condition: rewrites``.

    The subject is an op, or a statement of one (``softmax.e``), whose own axes and tensors the rewrites name; or a
    role, ``contraction(i, j, k; a, b, c)``, with names for its ``axes`` and ``tensors`` (None for an op).
    """

    subject: Name
    statement: Name | None
    axes: tuple[Name, ...] | None
    tensors: tuple[Name, ...]
    target: Name
    condition: Expr | None
    rewrites: tuple[Rewrite, ...]


@dataclass(frozen=True)
class Module:
    source: Source = field(compare=False, repr=False)
    ops: tuple[Op, ...]
    schedules: tuple[Schedule, ...] = ()

    def op(self, name: str) -> Op:
        """The op called ``name``; KeyError if there is none."""
        for op in self.ops:
            if op.name == name:
                return op
        raise KeyError(name)


@cache
def field_names(kind: type) -> tuple[str, ...]:
    """The names of the fields of a class of nodes."""
    return tuple(f.name for f in fields(kind))


def walk(*roots: Node) -> Iterator[tuple[Node, int]]:
    """Every node under ``roots`` with its depth, in source order, however deep the tree."""
    stack = [(r, 0) for r in reversed(roots)]
    while stack:
        node, depth = stack.pop()
        yield node, depth
        stack += [(c, depth + 1) for c in reversed(node.children)]


def names(*roots: Node) -> list[str]:
    """All identifiers that occur under ``roots``, in source order, each once."""
    found: dict[str, None] = {}
    for node, _ in walk(*roots):
        if isinstance(node, Name):
            found[node.text] = None
        elif isinstance(node, (Pack, Op, Variable, Operand, Attribute, Scalar, Result, Accumulator)):
            found[node.name] = None
    return list(found)


def value_names(*roots: Node) -> Iterator[Name]:
    """The names under ``roots`` that stand for values: not tensors, functions, kinds or dtypes of accumulators."""
    labels: set[int] = set()
    for node, _ in walk(*roots):
        if isinstance(node, Element):
            labels.add(id(node.tensor))
        elif isinstance(node, Call):
            labels.add(id(node.function))
        elif isinstance(node, (Reduce, Fold)):
            labels.add(id(node.kind))
        elif isinstance(node, Accumulator):
            labels.add(id(node.dtype))
        elif isinstance(node, Name) and id(node) not in labels:
            yield node


def bound_names(node: Node) -> list[str]:
    """The names that ``node`` itself binds: axes of a reduction, accumulators and others."""
    if not isinstance(node, (Reduce, Fold)):
        return []
    found = [a.value.text for a in node.axes if isinstance(a.value, Name)]
    if isinstance(node, Fold):
        found += [a.name for a in node.accumulators] + [o.text for o in node.others]
    return found
