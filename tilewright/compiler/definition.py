"""What an op says, on its way to code."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from tilewright.compiler import driver
from tilewright.compiler.bundle import Case, mendable, reporting
from tilewright.compiler.mode import mode
from tilewright.compiler.op import Key, Op
from tilewright.compiler.request import Attribute, OperandClass, Request
from tilewright.compiler.stages import Job, definition_passes, specialise_request, still_axes, unit_axes
from tilewright.dsl import syntax as ast
from tilewright.dsl.calls import called, in_module
from tilewright.dsl.header import Header
from tilewright.dsl.program import Resolver, no_ops
from tilewright.dsl.signature import Signature, signature
from tilewright.dsl.stretch import at_rest
from tilewright.ir.tensor import Function
from tilewright.ir.types import F32, DType
from tilewright.records import dataclass
from tilewright.runtime import Artifact
from tilewright.source import Span
from tilewright.targets.target import TARGETS, Target, get_target


@dataclass(frozen=True, eq=False)
class Definition:
    """The syntax tree of an op, which may call those that ``resolver`` finds."""

    tree: ast.Op
    resolver: Resolver = no_ops

    @cached_property
    def signature(self) -> Signature:
        """Operands, attributes, scalars and results."""
        return signature(self.tree)

    @cached_property
    def header(self) -> Header:
        """What calling it takes."""
        from tilewright.dsl.describe import header

        return header(self.tree, self.resolver)

    def on(self, target: str = "cpu", level: str | None = None) -> Op:
        """The op for a target and a level; UserError names the choices."""
        get_target(target, level)
        return Op(self.header, lambda: self, target, level)

    def job(self, request: Request, target: Target) -> Job:
        """What is compiled for a specialisation."""
        function = at_rest(specialise_request(self.tree, request, self.resolver), still_axes(request))
        return Job(function, unit_axes(function, request), definition_passes, target)

    def meaning(
        self, operands: Mapping[str, OperandClass], attributes: Mapping[str, Attribute], on: Target
    ) -> Function:
        """The function, its FMA and orders fixed, that a call with these operands and attributes runs."""
        classes = tuple(operands.get(o.name) for o in self.signature.operands)
        values = tuple((name, attributes[name]) for name in self.signature.settings)
        request = Request(classes, values)
        with reporting(lambda: self.case(request, on)):
            return self.job(request, on).compilation().tensor

    def request(self, key: Key) -> Request:
        """What the key of a call asks for."""
        classes, values, *more = key
        outputs = tuple(map(OperandClass.read, more[0])) if more else ()
        attributes = tuple(zip(self.signature.settings, values, strict=True))
        return Request(tuple(map(OperandClass.read, classes)), attributes, outputs)

    def artifact(self, key: Key, target: Target) -> Artifact:
        """What is compiled for the key of a call."""
        request = self.request(key)
        with mendable(), reporting(lambda: self.case(request, target)):
            return driver.compiled(self.job(request, target), mode())

    def case(self, request: Request | None, target: Target) -> Case:
        """What a bundle says of it."""
        program = "\n".join(map(source, (self.tree, *called(self.tree, self.resolver))))
        return Case(program, request, None, target.name, target.level, mode())

    def default_request(
        self, dtypes: Mapping[str, DType], rank: int, attributes: tuple[tuple[str, Attribute], ...]
    ) -> Request:
        """Contiguous operands, all present; ``dtypes`` of variables, ``rank`` axes for each pack not given one."""
        given = dict(attributes)
        ranks = {p: value if isinstance(value := given[p], int) and value >= 0 else rank for p in self.signature.ranks}
        operands = []
        for o in self.signature.operands:
            whole = o.fixed + sum(ranks.get(p, rank) for p in o.pack_names)
            choices = self.signature.dtypes(o.dtype)
            default = F32 if F32 in choices else choices[-1]
            operands.append(OperandClass.contiguous(dtypes.get(o.dtype, default), whole))
        return Request(tuple(operands), tuple({**given, **ranks}.items()))


def source(tree: ast.Op) -> str:
    """The text of an op as it stands in its file."""
    span = tree.span
    end = max(node.span.end_line for node, _ in ast.walk(tree))
    return "\n".join(span.source.text.split("\n")[span.line - 1 : end]) + "\n"


_made: dict[tuple[tuple[tuple[ast.Op, Span], ...], str, str | None], Op] = {}


def op_of(tree: ast.Op, target: str = "cpu", level: str | None = None, shared: Resolver = no_ops) -> Op:
    """The op of a definition, which may call those that ``shared`` finds: one per definition and those it calls, their
    places (which errors and texts quote), target and level."""
    key = tuple((op, op.span) for op in (tree, *called(tree, shared))), target, level
    return _made.get(key) or _made.setdefault(key, Definition(tree, shared).on(target, level))


def load_ops(
    text: str, name: str, target: str = "cpu", level: str | None = None, shared: Resolver = no_ops
) -> dict[str, Op]:
    """The ops of a source text by name; they may call each other and the ops that ``shared`` finds."""
    from tilewright.dsl.parse import parse
    from tilewright.dsl.schedules import check_schedules

    module = parse(text, name)
    check_schedules(module, TARGETS)
    resolver = in_module(module, shared)
    return {o.name: op_of(o, target, level, resolver) for o in module.ops}
