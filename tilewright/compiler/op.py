"""Ops as users hold them: callable, compiled on demand, printable at every stage."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

from tilewright.compiler import driver
from tilewright.compiler.bundle import Case, mendable, reporting
from tilewright.compiler.callable import Parameter, raiser
from tilewright.compiler.request import Attribute, OperandClass, Request
from tilewright.compiler.stages import Compilation, definition_passes, specialise_request, unit_axes
from tilewright.compiler.validate import Job
from tilewright.dsl import syntax as ast
from tilewright.dsl.attributes import shown
from tilewright.dsl.calls import called, in_module
from tilewright.dsl.format import format as format_source
from tilewright.dsl.parse import parse
from tilewright.dsl.program import Resolver, no_ops
from tilewright.dsl.reading import read_text
from tilewright.dsl.schedules import check_schedules
from tilewright.dsl.signature import OperandInfo, Signature, signature
from tilewright.errors import CallError, UnsupportedError, UserError
from tilewright.ir.tensor import Function
from tilewright.ir.text_loops import print_plan
from tilewright.ir.text_tensor import print_function
from tilewright.ir.types import BY_NAME, F32, DType
from tilewright.runtime import Op as CoreOp
from tilewright.runtime import Program, Tensor, to_numpy, to_tensor
from tilewright.source import Span
from tilewright.targets.target import TARGETS, Target, get_target

_ATTRIBUTES: Mapping[str, Literal["attr_int", "attr_float", "attr_bool", "attr_choice"]] = {
    "int": "attr_int",
    "float": "attr_float",
    "bool": "attr_bool",
    "choice": "attr_choice",
}

STAGES = ("source", "tensor", "loops", "llvm", "asm", "c")


class Op(CoreOp):
    """An op that is called like a function: arrays in, arrays out; tensors in, tensors out.

    A call compiles only if it meets a new combination of dtypes, ranks, unit-stride axes and attributes.

    >>> import numpy as np, tilewright as tw
    >>> double = tw.op("op double[T: number](x: T[...]) -> y: T[...]:\\n    y[...] = x[...] + x[...]")
    >>> double(np.arange(3, dtype=np.int32))
    array([0, 2, 4], dtype=int32)
    """

    def __init__(self, definition: ast.Op, target: Target, resolver: Resolver = no_ops) -> None:
        self.definition = definition
        self.resolver = resolver
        self.target = target
        self.signature: Signature = signature(definition)
        on_error = raiser(definition.name, [o.name for o in self.signature.operands], self.form, self._case)
        packs = [o.shared for o in self.signature.operands]
        several = len(packs) - packs.count(None) > 1
        core = definition.name, self.parameters(), self._compile, on_error, to_tensor, to_numpy
        super().__init__(*core, packs if several else None)

    def __repr__(self) -> str:
        return f"<op {self.name} for {self.target}>"

    @property
    def form(self) -> str:
        """How it is called: ``conv2d(x: T[N, C, H, W], ..., *, stride: int = 1)``."""
        operands = [str(o) for o in self.signature.operands]
        sig = self.signature
        keywords = [f"{name}: {sig.kinds[name]} = {shown(default)}" for name, default in sig.attributes.items()]
        keywords += [f"{pack}: int" for pack in sig.ranks]
        for name, dtype in sig.scalars.items():
            default = f" = {shown(sig.scalar_defaults[name])}" if name in sig.scalar_defaults else ""
            keywords.append(f"{name}: scalar {dtype}{default}")
        return f"{self.definition.name}({', '.join([*operands, *(['*', *keywords] if keywords else [])])})"

    def parameters(self) -> list[Parameter]:
        """The parameters as the core binds them: operands, then attributes and run-time scalars by keyword."""
        made: list[Parameter] = []
        for o in self.signature.operands:
            made.append((o.name, "optional" if o.optional else "tensor", None, o.optional, None, False))
        for name, default in self.signature.attributes.items():
            kind = self.signature.kinds[name]
            made.append((name, _ATTRIBUTES[kind.base], kind.choices or kind.length, True, default, True))
        made += [(pack, "attr_int", None, True, -1, True) for pack in self.signature.ranks]
        for name, dtype in self.signature.scalars.items():
            defaults = self.signature.scalar_defaults
            made.append((name, "scalar", dtype, name in defaults, defaults.get(name), True))
        return made

    def on(self, target: str, level: str | None = None) -> Op:
        """The same op for another target or level; the same object each time."""
        return _op_on(self.definition, get_target(target, level), self.resolver)

    def text(self, stage: str, *operands: Any, **attributes: Attribute) -> str:
        """The op at ``stage``: source, tensor, loops, llvm, asm or c.

        ``operands`` (arrays or tensors, None where an optional one is absent) choose dtypes, ranks and
        layouts as a call would; without them: contiguous, packs of one axis, f32 where the op takes it.
        """
        if stage not in STAGES:
            raise UserError(f"unknown stage {stage!r}", hint=f"one of {', '.join(STAGES)}")
        with mendable():
            request = self.request(operands, attributes) if operands else self.default_request({}, 1, attributes)
        return self.stage_text(stage, request)

    def stage_text(self, stage: str, request: Request) -> str:
        """As :meth:`text`, for a request."""
        if stage == "source":
            return format_source(_source(self.definition))
        with mendable(), reporting(lambda: self._case(request)):
            return self._made_text(stage, request)

    def _made_text(self, stage: str, request: Request) -> str:
        if stage == "c":
            return self.compilation(request, get_target("c")).text
        compilation = self.compilation(request, get_target("cpu") if stage == "llvm" else self.target)
        if stage == "tensor":
            return print_function(compilation.tensor)
        if stage == "loops":
            return print_plan(compilation.loops)
        if stage == "llvm":
            return compilation.text
        if self.target.assembly is None:
            raise UnsupportedError(f"target {self.target} has no assembly to show", hint="use target 'cpu'")
        return self.target.assembly(compilation.text)

    def compilation(self, request: Request, target: Target | None = None) -> Compilation:
        """The road of one specialisation, stage by stage."""
        return self.job(request, target).compilation()

    def job(self, request: Request, target: Target | None = None) -> Job:
        """What is compiled for a specialisation."""
        function = specialise_request(self.definition, request, self.resolver)
        return Job(function, unit_axes(function, request), definition_passes, target or self.target)

    def _case(self, request: Request | None = None) -> Case:
        program = "\n".join(map(_source, (self.definition, *called(self.definition, self.resolver))))
        return Case(program, request, None, self.target.name, self.target.level, driver.mode())

    def meaning(self, operands: Mapping[str, OperandClass], attributes: Mapping[str, Attribute]) -> Function:
        """The function, its FMA and orders fixed, that a call with these operands and attributes runs."""
        classes = tuple(operands.get(o.name) for o in self.signature.operands)
        values = tuple((name, attributes[name]) for name in self.signature.settings)
        request = Request(classes, values)
        with reporting(lambda: self._case(request)):
            return self.compilation(request).tensor

    def request(self, operands: tuple[Any, ...], attributes: Mapping[str, Attribute]) -> Request:
        """The specialisation that a call with these operands and attributes would run."""
        classes = (None if x is None else self.operand_class(x) for x in self.tensors(operands))
        return Request(tuple(classes), self._all(attributes))

    def tensors(self, operands: tuple[Any, ...]) -> tuple[Tensor | None, ...]:
        """The operands as a call sees them: absent ones as None, those that share the pack ``...`` of one shape."""
        declared = self.signature.operands
        if len(operands) > len(declared):
            few = f"{len(declared)} operand{'s' if len(declared) != 1 else ''}"
            raise CallError(f"{self.name} takes {few}, not {len(operands)}", hint=f"it is called as {self.form}")
        padded = operands + (None,) * (len(declared) - len(operands))
        return self.stretched(tuple(None if x is None else to_tensor(x) for x in padded))

    @staticmethod
    def operand_class(operand: Any) -> OperandClass:
        """The class that an array or tensor has in the dispatch key."""
        tensor = to_tensor(operand)
        dtype = BY_NAME[tensor.dtype]
        return OperandClass(dtype, len(tensor.shape), _unit_axis(tensor.shape, tensor.strides, dtype.bytes))

    def default_request(self, dtypes: Mapping[str, DType], rank: int, attributes: Mapping[str, Attribute]) -> Request:
        """Contiguous operands, all present; ``dtypes`` of variables, ``rank`` axes for each pack."""
        given = {pack: attributes.get(pack) for pack in self.signature.ranks}
        ranks = {pack: value if isinstance(value, int) else rank for pack, value in given.items()}
        operands = []
        for o in self.signature.operands:
            whole = o.fixed + sum(ranks.get(p, rank) for p in o.pack_names)
            operands.append(OperandClass.contiguous(self._default_dtype(o, dtypes), whole))
        return Request(tuple(operands), self._all({**attributes, **ranks}))

    def _default_dtype(self, operand: OperandInfo, chosen: Mapping[str, DType]) -> DType:
        choices = self.signature.dtypes(operand.dtype)
        return chosen.get(operand.dtype, F32 if F32 in choices else choices[-1])

    def _all(self, attributes: Mapping[str, Attribute]) -> tuple[tuple[str, Attribute], ...]:
        known = self.signature.settings
        unknown = sorted(set(attributes) - set(known) - set(self.signature.scalars))
        if unknown:
            raise CallError(f"{self.name} has no attribute {unknown[0]!r}", hint=f"it has {', '.join(known) or 'none'}")
        return tuple((name, attributes.get(name, default)) for name, default in known.items())

    def _compile(self, key: tuple[tuple[tuple[str, int, int] | None, ...], tuple[Attribute, ...]]) -> Program:
        classes, values = key
        operands = tuple(None if c is None else OperandClass(BY_NAME[c[0]], c[1], c[2]) for c in classes)
        request = Request(operands, tuple(zip(self.signature.settings, values, strict=True)))
        with mendable(), reporting(lambda: self._case(request)):
            return driver.compiled(self.job(request), driver.mode())


def _unit_axis(shape: tuple[int, ...], strides: tuple[int, ...], size: int) -> int:
    """The rule of the dispatch key (docs/architecture.md)."""
    if not shape:
        return -1
    if 0 in shape or shape[-1] <= 1 or strides[-1] == size:
        return len(shape) - 1
    return next((a for a, n in enumerate(shape) if n > 1 and strides[a] == size), -1)


def _source(definition: ast.Op) -> str:
    span = definition.span
    end = max(node.span.end_line for node, _ in ast.walk(definition))
    return "\n".join(span.source.text.split("\n")[span.line - 1 : end]) + "\n"


_made: dict[tuple[tuple[tuple[ast.Op, Span], ...], str, str], Op] = {}


def _op_on(definition: ast.Op, target: Target, resolver: Resolver) -> Op:
    """One op per definition and those it calls, their places (which errors and texts quote), target and level."""
    ops = tuple((op, op.span) for op in (definition, *called(definition, resolver)))
    key = ops, target.name, target.level
    return _made.get(key) or _made.setdefault(key, Op(definition, target, resolver))


def op_of(definition: ast.Op, target: str = "cpu", level: str | None = None, shared: Resolver = no_ops) -> Op:
    """The op of a definition, which may call those that ``shared`` finds."""
    return _op_on(definition, get_target(target, level), shared)


def load_ops(
    text: str, name: str, target: str = "cpu", level: str | None = None, shared: Resolver = no_ops
) -> dict[str, Op]:
    """The ops of a source text by name; they may call each other and the ops that ``shared`` finds."""
    to = get_target(target, level)
    module = parse(text, name)
    check_schedules(module, TARGETS)
    resolver = in_module(module, shared)
    return {o.name: _op_on(o, to, resolver) for o in module.ops}


def op(source: str, *, target: str = "cpu", level: str | None = None, shared: Resolver = no_ops) -> Op:
    """The op that ``source`` defines. Its first call for each combination of dtypes and layouts compiles.

    It may call the ops that ``shared`` finds. Raises UserError (with place and remedy) for a wrong program, or for a
    text with more than one op.
    """
    ops = load_ops(source, "<op>", target, level, shared)
    if len(ops) != 1:
        hint = "tw.load(path) takes files with several" if ops else "write op NAME(...) -> ...:"
        raise UserError(f"expected one op, found {len(ops) or 'none'}", hint=hint)
    return next(iter(ops.values()))


def load(
    path: str | Path, *, target: str = "cpu", level: str | None = None, shared: Resolver = no_ops
) -> SimpleNamespace:
    """The ops of a ``.tw`` file as attributes; they may call each other and those that ``shared`` finds."""
    return SimpleNamespace(**load_ops(read_text(path), str(path), target, level, shared))
