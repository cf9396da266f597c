"""One kernel of a plan at a time: the memory that it finds, and what it leaves there."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tilewright.compiler.outcomes import fault_difference, said
from tilewright.compiler.trials import Trial
from tilewright.ir.interpret import Domain, Env, IndexFault, Memory, Status, evaluate, run_kernel, size_table
from tilewright.ir.interpret.arrays import HostArray
from tilewright.ir.loops import Kernel
from tilewright.ir.plan import Phase, Plan, Step, count_steps
from tilewright.records import dataclass

Cells = dict[int, Any]
ROUNDS = 3


@dataclass(frozen=True)
class KernelTrial:
    """What a kernel is given in a call, and what it makes of it."""

    kernel: str
    trial: Trial
    memory: Mapping[str, Memory]
    table: Env
    scalars: Mapping[str, Any]
    inputs: tuple[str, ...]
    domain: Domain
    left: Mapping[str, Cells]
    fault: IndexFault | None

    def difference(self, kernel: Kernel) -> str | None:
        """Where ``kernel`` leaves something else, in words. Its tasks run last one first."""
        memory = _copied(self.memory)
        fault = _run(kernel, memory, self.table, self.scalars, self.inputs, self.domain)
        if (found := fault_difference(fault, self.fault)) is not None:
            return found
        for name, cells in self.left.items():
            for offset, value in cells.items():
                left, dtype = memory[name].cells[offset], memory[name].dtype
                same = left is value is None or None not in (left, value) and self.domain.same(left, value, dtype)
                if not same:
                    words = (said(x, dtype, self.domain) for x in (left, value))
                    return f"kernel {kernel.name} leaves at byte {offset} of {name!r}: {', not: '.join(words)}"
        return None


def kernel_trials(
    plan: Plan, trial: Trial, inputs: Mapping[str, HostArray], scalars: Mapping[str, Any], domain: Domain
) -> Iterator[KernelTrial]:
    """The kernels of a plan in order, each after those before it have run; those of repeats in the first rounds."""
    table = size_table(plan, inputs)
    memory = {t.name: Memory.of_array(t.name, t.dtype, inputs[t.name], domain) for t in plan.inputs}
    for t in (*plan.outputs, *plan.scratch):
        memory[t.name] = Memory.blank(t.name, t.dtype, math.prod(evaluate(extent, table) for extent in t.shape))
    kernels, names = {k.name: k for k in plan.kernels}, tuple(t.name for t in plan.inputs)
    for phase, counters in _rounds(plan.steps, 0, table):
        kernel = kernels[phase.kernel]
        own = {s.name: scalars[s.name] for s in kernel.scalars}
        tried = max(counters.values(), default=0) < ROUNDS
        before = _copied(memory) if tried else {}
        now = Env({**table, **counters})
        fault = _run(kernel, memory, now, own, names, domain)
        if tried:
            left = {name: dict(m.cells) for name, m in memory.items() if m.writable}
            yield KernelTrial(kernel.name, trial, before, now, own, names, domain, left, fault)


def _rounds(steps: Sequence[Step], number: int, table: Env) -> Iterator[tuple[Phase, Mapping[str, int]]]:
    """The phases as they run, each with the counters around it; ``number`` counts steps as the table does."""
    for step in steps:
        if isinstance(step, Phase):
            yield step, {}
        else:
            for n in range(table[f"trips({number})"]):
                for phase, counters in _rounds(step.steps, number + 1, table):
                    yield phase, {step.counter: n, **counters}
        number += count_steps([step])


def _copied(memory: Mapping[str, Memory]) -> dict[str, Memory]:
    """The same cells, the writable ones anew."""
    return {n: Memory(m.name, m.dtype, dict(m.cells), True) if m.writable else m for n, m in memory.items()}


def _run(
    kernel: Kernel,
    memory: Mapping[str, Memory],
    table: Env,
    scalars: Mapping[str, Any],
    inputs: tuple[str, ...],
    domain: Domain,
) -> IndexFault | None:
    status = Status(inputs)
    tasks = range(max(0, evaluate(kernel.tasks, table)))
    run_kernel(kernel, memory, table, scalars, domain, reversed(tasks), status)
    return status.fault
