"""One request on its road: each stage is computed when it is asked for, and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeVar, cast

from tilewright.compiler.request import Request
from tilewright.dsl import syntax as ast
from tilewright.dsl.program import Resolver, no_ops
from tilewright.dsl.signature import bind, signature
from tilewright.dsl.specialise import specialise
from tilewright.ir.plan import Phase, Plan, Repeat, Step, head, tail
from tilewright.ir.tensor import Function, Tensor
from tilewright.passes.legalise import legalise
from tilewright.passes.lower import fit_sizes, lower
from tilewright.passes.pipeline import Hook, Pass, Pipeline
from tilewright.passes.schedule.default import explained, schedule
from tilewright.passes.tensor.form_fma import FormFma
from tilewright.passes.tensor.set_order import SetOrder
from tilewright.records import dataclass
from tilewright.runtime import Artifact, Program
from tilewright.targets.target import Numbering, Target, numbering

T = TypeVar("T")


def unit_axes(function: Function, request: Request) -> Layout:
    """The unit axis (-1: none) of each input of the specialised function, and of results written to any strides."""
    present = [o for o in request.operands if o is not None]
    inputs = {t.name: o.unit_axis for t, o in zip(function.inputs, present, strict=True)}
    outputs = zip(function.outputs, request.outputs, strict=False)
    return inputs | {name: o.unit_axis for name, o in outputs if o is not None}


def still_axes(request: Request) -> tuple[int, ...]:
    """Per operand that is there a bit for each axis along which all its elements are one."""
    return tuple(o.still for o in request.operands if o is not None)


def specialise_request(op: ast.Op, request: Request, resolver: Resolver = no_ops) -> Function:
    """The tensor IR of ``op`` for the dtypes, ranks, attributes and present operands of ``request``."""
    operands = {
        parameter.name: (o.dtype, o.rank)
        for parameter, o in zip(signature(op).operands, request.operands, strict=True)
        if o is not None
    }
    settings = dict(request.attributes)
    dtypes, packs, present = bind(op, operands, settings)
    attributes = {name: value for name, value in settings.items() if name not in packs}
    return specialise(op, dtypes, packs, attributes, present, resolver)


Layout = Mapping[str, int]
"""Per input of a function its unit axis, -1 for none; so for outputs that are written to memory of any strides."""


def definition_passes(layout: Layout) -> Pipeline:
    """What an op's definition goes through, once, before anything is fused with it: its FMA and orders are its own."""
    return Pipeline((FormFma(), SetOrder(tuple(sorted(layout.items())))))


@dataclass(frozen=True)
class Stage(Pass):
    """A stage of the road as a pass, for the hook to see.

    ``by_bits``: it rewrites by how numbers are encoded, so that it keeps what is computed with numbers of the dtypes
    themselves only.
    """

    called: str
    work: Callable[[Any], Any]
    by_bits: bool = False

    def run(self, subject: Any) -> Any:
        return self.work(subject)

    def __str__(self) -> str:
        return self.called


@dataclass
class Compilation:
    """``function`` on the way to ``target`` through the tensor passes ``pipeline``; ``hook`` sees every pass, every
    stage and every step of the schedule."""

    function: Function
    layout: Layout
    target: Target
    pipeline: Pipeline
    hook: Hook | None = None

    def __post_init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def _timed(self, stage: str, work: Callable[[], T]) -> T:
        start = time.perf_counter()
        result = work()
        self.seconds[stage] = time.perf_counter() - start
        return result

    def _plan(self, before: Function | Plan, *stages: Stage) -> Plan:
        return cast(Plan, Pipeline(stages).run(before, self.hook))

    @cached_property
    def tensor(self) -> Function:
        """After the tensor passes."""
        return self._timed("tensor", lambda: cast(Function, self.pipeline.run(self.function, self.hook)))

    @cached_property
    def loops(self) -> Plan:
        """Lowered and scheduled."""
        tensor, capabilities = self.tensor, self.target.capabilities
        lowering = Stage("lower", lambda f: lower(f, self.layout))
        scheduling = Stage("schedule", lambda p: schedule(p, capabilities, self.hook))
        return self._timed("loops", lambda: self._plan(tensor, lowering, scheduling, Stage("fit sizes", fit_sizes)))

    def explained(self) -> Iterator[str]:
        """The steps of the default schedule, kernel by kernel, each with its reason."""
        for made in explained(lower(self.tensor, self.layout), self.target.capabilities):
            yield f"kernel {made.kernel.name}:"
            yield from (f"    {step!s:58}  # {reason}" for step, reason in made.steps)

    @cached_property
    def legal(self) -> Plan:
        """Of the target's own operations only."""
        loops, capabilities = self.loops, self.target.capabilities
        legalising = Stage("legalise", lambda p: legalise(p, capabilities), by_bits=True)
        return self._timed("legalise", lambda: self._plan(loops, legalising))

    @cached_property
    def text(self) -> str:
        """What the target's emitter writes."""
        legal = self.legal
        return self._timed("emit", lambda: self.target.emit(legal))

    def verify(self) -> None:
        """Checks every stage's IR; VerifyError names the broken rule."""
        from tilewright.ir.verify_loops import verify_plan
        from tilewright.ir.verify_tensor import verify

        verify(self.function)
        verify(self.tensor)
        verify_plan(self.loops)
        verify_plan(self.legal)

    def artifact(self) -> Artifact:
        """The compiled form. Code is compiled while the text of what follows it is written."""
        legal = self.legal
        self.seconds["emit"] = 0.0
        images = self._timed("target", lambda: self.target.compile(self._pieces(legal)))
        self.seconds["target"] -= self.seconds["emit"]
        return artifact(legal, self.target, images)

    def program(self) -> Program:
        """The callable form."""
        made = self.artifact()
        return self._timed("load", made.program)

    def _pieces(self, legal: Plan) -> Iterator[str]:
        """The pieces of the text; the time that writing them takes is noted."""
        pieces = iter(self.target.pieces(legal))
        while True:
            start = time.perf_counter()
            piece = next(pieces, None)
            self.seconds["emit"] += time.perf_counter() - start
            if piece is None:
                return
            yield piece


@dataclass(frozen=True)
class Job:
    """What is compiled: a function, for operands with these unit axes, through the passes of such a layout."""

    function: Function
    layout: Layout
    passes: Callable[[Layout], Pipeline]
    target: Target

    def compilation(self, hook: Hook | None = None) -> Compilation:
        """Its road."""
        return Compilation(self.function, self.layout, self.target, self.passes(self.layout), hook)


def artifact(plan: Plan, target: Target, images: Sequence[bytes]) -> Artifact:
    """The compiled form of a legalised plan of which ``target`` made ``images``."""
    numbers = numbering(plan)
    return Artifact(
        target.form,
        len(head(plan)),
        len(tail(plan)),
        [_output(t, plan, numbers) for t in plan.outputs],
        numbers.slots["scratch"],
        _steps(plan.steps, numbers, target.symbols(plan), [0]),
        [c.message for c in plan.checks],
        [s.dtype.name for s in plan.scalars],
        images,
    )


def _output(t: Tensor, plan: Plan, numbers: Numbering) -> tuple[Any, ...]:
    dims = [numbers.slots[f"out({t.name},{a})"] for a in range(len(t.shape))]
    return (t.dtype.name, dims, True) if t.name in plan.strided else (t.dtype.name, dims)


def _steps(steps: tuple[Step, ...], numbers: Numbering, symbols: Mapping[str, str], count: list[int]) -> list[Any]:
    """The steps of a plan by slots; ``count`` numbers them as :func:`tilewright.ir.plan.tail` does."""
    made: list[Any] = []
    for step in steps:
        n = count[0]
        count[0] += 1
        if isinstance(step, Phase):
            made.append(("phase", symbols[step.kernel], numbers.slots[f"tasks({n})"], numbers.slots[f"chunk({n})"]))
        elif isinstance(step, Repeat):
            made.append(("repeat", numbers.slots[f"trips({n})"], _steps(step.steps, numbers, symbols, count)))
    return made
