"""Ops as users hold them: callable, compiled on demand, printable at every stage.

What compiles is imported when there is something to compile: a call whose code is in the cache needs none of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from tilewright.compiler import cache
from tilewright.compiler.callable import raiser
from tilewright.compiler.mode import mode
from tilewright.dsl.header import Header, Parameter
from tilewright.errors import CallError, UserError
from tilewright.runtime import Op as CoreOp
from tilewright.runtime import Program, Tensor, to_numpy, to_tensor

if TYPE_CHECKING:
    from tilewright.compiler.bundle import Case
    from tilewright.compiler.definition import Definition
    from tilewright.compiler.request import Attribute, OperandClass, Request
    from tilewright.compiler.stages import Compilation, Job
    from tilewright.dsl.signature import Signature
    from tilewright.ir.tensor import Function
    from tilewright.ir.types import DType
    from tilewright.targets.target import Target

STAGES = ("source", "tensor", "loops", "llvm", "asm", "c")

Class: TypeAlias = tuple[str, int, int, int]
"""(dtype name, rank, unit axis, a bit for each axis along which all elements are one)."""
Key: TypeAlias = tuple[Any, ...]
"""Per operand its class or None; the values of attributes and ranks; and, if results are written to memory that is not
row-major, per result a class or None."""


class Op(CoreOp):
    """An op that is called like a function: arrays in, arrays out; tensors in, tensors out.

    A call compiles only if it meets a new combination of dtypes, ranks, unit-stride axes and attributes, and if no
    earlier process has compiled that.

    >>> import numpy as np, tilewright as tw
    >>> double = tw.op("op double[T: number](x: T[...]) -> y: T[...]:\\n    y[...] = x[...] + x[...]")
    >>> double(np.arange(3, dtype=np.int32))
    array([0, 2, 4], dtype=int32)
    """

    def __init__(
        self, header: Header, define: Callable[[], Definition], target: str = "cpu", level: str | None = None
    ) -> None:
        self.header = header
        self.place = target, level
        self._define = define
        self._places: dict[str, Op] = {}
        on_error = raiser(header.name, header.operands, header.form, self._case)
        core = header.name, header.parameters, self._compile, on_error, to_tensor, to_numpy
        super().__init__(*core, header.packs or None, header.axes)

    def __repr__(self) -> str:
        return f"<op {self.name} for {self.target}>"

    @property
    def form(self) -> str:
        """How it is called: ``conv2d(x: T[N, C, H, W], ..., *, stride: int = 1)``."""
        return self.header.form

    def parameters(self) -> list[Parameter]:
        """The parameters as the core binds them: operands, then attributes and run-time scalars by keyword."""
        return list(self.header.parameters)

    # --- calls ------------------------------------------------------------------------------

    def _compile(self, key: Key) -> Program:
        if mode() != "off":
            return self.definition.artifact(key, self.target).program()
        entry = self.entry(key)
        found = cache.find(entry)
        if found is not None:
            return found
        from tilewright.targets import begin

        begin(self.place[0])
        made = self.definition.artifact(key, self.target)
        cache.keep(entry, made)
        return made.program()

    def entry(self, key: Key) -> cache.Entry:
        """What the cache on disk calls the code of a call with this key."""
        header = self.header
        return cache.Entry(header.name, header.identity, header.settings, key, *self.place)

    def _case(self) -> Case:
        return self.definition.case(None, self.target)

    # --- what it is made of -----------------------------------------------------------------

    @cached_property
    def definition(self) -> Definition:
        """What it says."""
        return self._define()

    @property
    def signature(self) -> Signature:
        """Its operands, attributes, scalars and results."""
        return self.definition.signature

    @cached_property
    def target(self) -> Target:
        """What it is compiled for."""
        from tilewright.targets.target import get_target

        return get_target(*self.place)

    def on(self, target: str, level: str | None = None) -> Op:
        """The same op for another target or level; the same object each time."""
        from tilewright.targets.target import get_target

        there = get_target(target, level)
        self._places.setdefault(str(self.target), self)
        if str(there) not in self._places:
            made = Op(self.header, lambda: self.definition, there.name, there.level)
            made._places = self._places
            self._places[str(there)] = made
        return self._places[str(there)]

    def text(self, stage: str, *operands: Any, **attributes: Attribute) -> str:
        """The op at ``stage``: source, tensor, loops, llvm, asm or c.

        ``operands`` (arrays or tensors, None where an optional one is absent) choose dtypes, ranks and
        layouts as a call would; without them: contiguous, packs of one axis, f32 where the op takes it.
        """
        from tilewright.compiler.bundle import mendable

        if stage not in STAGES:
            raise UserError(f"unknown stage {stage!r}", hint=f"one of {', '.join(STAGES)}")
        with mendable():
            request = self.called(operands, attributes) if operands else self.default_request({}, 1, attributes)
        return self.stage_text(stage, request)

    def stage_text(self, stage: str, request: Request) -> str:
        """As :meth:`text`, for a request."""
        from tilewright.compiler.texts import stage_text

        return stage_text(self, stage, request)

    def compilation(self, request: Request, target: Target | None = None) -> Compilation:
        """The road of one specialisation, stage by stage."""
        return self.job(request, target).compilation()

    def job(self, request: Request, target: Target | None = None) -> Job:
        """What is compiled for a specialisation."""
        return self.definition.job(request, target or self.target)

    def meaning(self, operands: Mapping[str, OperandClass], attributes: Mapping[str, Attribute]) -> Function:
        """The function, its FMA and orders fixed, that a call with these operands and attributes runs."""
        return self.definition.meaning(operands, attributes, self.target)

    def noted(self, key: Key) -> Function:
        """The function, its FMA and orders fixed, that a call with this key runs."""
        from tilewright.compiler.bundle import reporting

        request = self.definition.request(key)
        with reporting(lambda: self.definition.case(request, self.target)):
            return self.job(request).compilation().tensor

    # --- requests ---------------------------------------------------------------------------

    def called(self, operands: tuple[Any, ...], attributes: Mapping[str, Attribute]) -> Request:
        """The specialisation that a call with these operands and attributes runs: of merged axes."""
        return self.definition.request(self.key(*operands, **attributes))

    def request(self, operands: tuple[Any, ...], attributes: Mapping[str, Attribute]) -> Request:
        """The specialisation for operands of just these axes, and attributes."""
        from tilewright.compiler.request import Request

        classes = (None if x is None else self.operand_class(x) for x in self.tensors(operands))
        return Request(tuple(classes), self._all(attributes))

    def default_request(self, dtypes: Mapping[str, DType], rank: int, attributes: Mapping[str, Attribute]) -> Request:
        """Contiguous operands, all present; ``dtypes`` of variables, ``rank`` axes for each pack."""
        return self.definition.default_request(dtypes, rank, self._all(attributes))

    def tensors(self, operands: tuple[Any, ...]) -> tuple[Tensor | None, ...]:
        """The operands as a call sees them: absent ones as None, those that share the pack ``...`` of one shape."""
        count = len(self.header.operands)
        if len(operands) > count:
            few = f"{count} operand{'s' if count != 1 else ''}"
            raise CallError(f"{self.name} takes {few}, not {len(operands)}", hint=f"it is called as {self.form}")
        padded = operands + (None,) * (count - len(operands))
        return self.stretched(tuple(None if x is None else to_tensor(x) for x in padded))

    @staticmethod
    def operand_class(operand: Any) -> OperandClass:
        """The class that an array or tensor has in the dispatch key."""
        from tilewright.compiler.request import OperandClass

        return OperandClass.of(to_tensor(operand))

    def _all(self, attributes: Mapping[str, Attribute]) -> tuple[tuple[str, Attribute], ...]:
        known = self.signature.settings
        unknown = sorted(set(attributes) - set(known) - set(self.signature.scalars))
        if unknown:
            raise CallError(f"{self.name} has no attribute {unknown[0]!r}", hint=f"it has {', '.join(known) or 'none'}")
        return tuple((name, attributes.get(name, default)) for name, default in known.items())
