"""One differential test, whole and replayable: a program, how it is compiled, and what it is called with."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import field, replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any

from tilewright.compiler.optimise import LOOP_PASSES, TENSOR_PASSES
from tilewright.dsl.parse import parse
from tilewright.dsl.parse_pipeline import parse_pipeline
from tilewright.dsl.specialise import specialise
from tilewright.errors import UnsupportedError
from tilewright.ir.interpret import EXACT, TYPED, Domain, IndexFault, run_function
from tilewright.ir.interpret.arrays import HostArray
from tilewright.ir.loops import Kernel
from tilewright.ir.plan import Plan
from tilewright.ir.tensor import Function
from tilewright.ir.text_tensor import print_function
from tilewright.passes.legalise import legalise
from tilewright.passes.lower import lower
from tilewright.passes.pipeline import Pass, Pipeline
from tilewright.passes.schedule.default import schedule
from tilewright.passes.tensor.in_field import InField
from tilewright.records import dataclass
from tilewright.targets.target import Loaded, Target, get_target
from tilewright.testing import abi
from tilewright.testing.compare import assert_same_bits
from tilewright.testing.layouts import Layout
from tilewright.testing.memory import Canaries, Memory
from tilewright.testing.schedules import Scheduled, with_kernels
from tilewright.testing.values import random_operands

Load = Callable[[str, Plan], Loaded]
Schedule = Mapping[str, Pipeline]
"""Per kernel the primitives to apply."""


@dataclass(frozen=True)
class Call:
    """Sizes, and the seed of everything else: values, and how tasks are cut into pieces."""

    sizes: Mapping[str, int]
    seed: int


@dataclass(frozen=True)
class Case:
    """``function``, taken through ``passes`` and a schedule (None: the naive one), means what it meant before.

    ``exact``: in the field, else in its own dtypes, bit for bit. ``layouts`` are those of its inputs; ``refused`` are
    primitives that the schedule was denied.
    """

    function: Function
    calls: tuple[Call, ...]
    layouts: Mapping[str, Layout]
    exact: bool = True
    passes: Pipeline = Pipeline(())
    schedule: Schedule | None = None
    target: str = "cpu"
    level: str | None = None
    refused: tuple[Pass, ...] = field(default=(), compare=False)

    @property
    def domain(self) -> Domain:
        return EXACT if self.exact else TYPED

    @cached_property
    def units(self) -> dict[str, int]:
        """Per input the axis that every call has as unit-stride."""
        return {t.name: self.layouts[t.name].unit_axis for t in self.function.inputs}

    @cached_property
    def lowered(self) -> Plan:
        """The unscheduled plan."""
        f = InField().run(self.function) if self.exact else self.function
        return lower(self.passes.run(f), self.units)

    @cached_property
    def scheduled(self) -> Plan:
        if self.schedule is None:
            return schedule(self.lowered, self.machine.capabilities)
        kernels = {k.name: self.schedule[k.name].run(k) for k in self.lowered.kernels}
        return with_kernels(self.lowered, kernels)

    def scheduled_by(self, make: Callable[[Kernel], Scheduled]) -> Case:
        """The case with another schedule for each kernel."""
        made = {k.name: make(k) for k in self.lowered.kernels}
        refused = tuple(step for s in made.values() for step, _ in s.refused)
        case = replace(self, schedule={name: s.applied for name, s in made.items()}, refused=refused)
        if not any(s.broken for s in made.values()):
            plan = with_kernels(self.lowered, {name: s.kernel for name, s in made.items()})
            case.__dict__.update(lowered=self.lowered, scheduled=plan)
        return case

    @cached_property
    def machine(self) -> Target:
        return get_target(self.target, self.level)

    @cached_property
    def legal(self) -> Plan:
        """What is emitted."""
        return legalise(self.scheduled, self.machine.capabilities)

    # --- running it -------------------------------------------------------------------------

    def check(self, memory: Memory = Canaries, load: Load | None = None) -> list[str]:
        """Per call how it ended: ``same``, or ``fault`` where both sides report the same wrong index; or only
        ``unsupported``. AssertionError names the first difference.

        Buffers are in ``memory``; ``load`` takes the place of the target's.
        """
        try:
            text = self.machine.emit(self.legal)
        except UnsupportedError:
            return ["unsupported"]
        loaded = (load or self.machine.load)(text, self.legal)
        return [self.check_call(call, loaded, memory) for call in self.calls]

    def check_call(self, call: Call, loaded: Loaded, memory: Memory) -> str:
        """One call of the compiled code ``loaded``, as :meth:`check` says."""
        inputs, scalars = self.operands(call, memory)
        try:
            expected = run_function(self.function, inputs, scalars, self.domain)
        except IndexFault as fault:
            expected, wanted = {}, (1, fault.operand, fault.position, fault.value)
        else:
            wanted = (0, 0, 0, 0)
        order = Random(call.seed)
        actual, status = abi.run(self.legal, loaded, inputs, scalars, lambda tasks: pieces(tasks, order), memory=memory)
        noted = (status.code, status.operand, status.position, status.value)
        if wanted[0] and not noted[0] and self.passes.passes:
            return "fault left out"
        if (noted if noted[0] else (0, 0, 0, 0)) != wanted:
            raise AssertionError(f"status (code, operand, position, value) {noted}, expected {wanted}")
        for name, array in expected.items():
            try:
                assert_same_bits(actual[name], array, self.legal_dtype(name))
            except AssertionError as e:
                raise AssertionError(f"output {name!r} at {dict(call.sizes)}: {e}") from None
        return "fault" if wanted[0] else "same"

    def legal_dtype(self, name: str) -> Any:
        return next(t.dtype for t in self.legal.outputs if t.name == name)

    def operands(self, call: Call, memory: Memory) -> tuple[dict[str, HostArray], dict[str, HostArray]]:
        """The inputs in their layouts and the run-time scalars of a call."""
        inputs, scalars = random_operands(self.function, call.sizes, self.domain, Random(call.seed))
        return {name: self.layouts[name].place(x, memory) for name, x in inputs.items()}, scalars

    # --- text -------------------------------------------------------------------------------

    def __str__(self) -> str:
        """The canonical ``.tw`` of the function under a line with all the rest."""
        rest: dict[str, Any] = {
            "calls": [[dict(c.sizes), c.seed] for c in self.calls],
            "layouts": {name: [x.order, x.steps, x.offset] for name, x in self.layouts.items()},
            "exact": self.exact,
            "passes": str(self.passes),
            "schedule": self.schedule and {name: str(p) for name, p in self.schedule.items()},
            "target": self.target,
            "level": self.level,
        }
        return f"# {json.dumps(rest)}\n{print_function(self.function)}"

    @staticmethod
    def parse(text: str, name: str = "<case>") -> Case:
        """The case that a text says."""
        first, program = text.split("\n", 1)
        rest = json.loads(first.removeprefix("#"))
        schedule = rest["schedule"]
        return Case(
            specialise(parse(program, name).ops[0]),
            tuple(Call(sizes, seed) for sizes, seed in rest["calls"]),
            {name: Layout(tuple(a), tuple(b), offset) for name, (a, b, offset) in rest["layouts"].items()},
            rest["exact"],
            _pipeline(rest["passes"], TENSOR_PASSES),
            None if schedule is None else {name: _pipeline(p, LOOP_PASSES) for name, p in schedule.items()},
            rest["target"],
            rest["level"],
        )

    def save(self, folder: Path | None = None) -> str:
        """Writes the case to a file (of a temporary folder if None); the command that replays it."""
        text = str(self)
        folder = folder or Path(tempfile.gettempdir()) / "tilewright-cases"
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{sha256(text.encode()).hexdigest()[:12]}.tw"
        path.write_text(text, encoding="utf-8")
        return f"python -m tilewright.testing.replay {path}"


def _pipeline(text: str, table: Mapping[str, Any]) -> Pipeline:
    return Pipeline(parse_pipeline(text, table)) if text else Pipeline(())


def pieces(tasks: int, random: Random) -> list[tuple[int, int]]:
    """Random ranges that together are all tasks, in random order."""
    cuts = sorted({0, tasks, *(random.randint(0, tasks) for _ in range(min(tasks, 3)))})
    found = list(zip(cuts, cuts[1:], strict=False))
    random.shuffle(found)
    return found
