"""What a plan means: one call of an op, from its operands' shapes and strides to its outputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from tilewright.errors import CallError, InternalError
from tilewright.ir.interpret.arrays import HostArray, bind_scalars, encode, require_names
from tilewright.ir.interpret.domains import Domain
from tilewright.ir.interpret.indices import Env, evaluate, holds
from tilewright.ir.interpret.loops import run_kernel
from tilewright.ir.interpret.memory import Memory, byte_strides, host_array
from tilewright.ir.interpret.status import Status
from tilewright.ir.plan import Phase, Plan, Repeat, Step, count_steps, tail
from tilewright.ir.tensor import ScalarInput, Tensor


def run_plan(
    p: Plan, inputs: Mapping[str, Any], scalars: Mapping[str, Any], domain: Domain, order: Random | None = None
) -> dict[str, HostArray]:
    """The outputs of a call by name.

    Inputs are host arrays of any strides (or nested values). ``order`` shuffles the tasks of each phase.
    Raises CallError where a check fails, IndexFault (a KernelIndexError) for a data-dependent index out
    of range, InternalError where the plan is at fault.
    """
    require_names("input", [t.name for t in p.inputs], inputs)
    arrays = {t.name: host_array(inputs[t.name], t.dtype, domain) for t in p.inputs}
    table = size_table(p, arrays)
    memory = {t.name: Memory.of_array(t.name, t.dtype, arrays[t.name], domain) for t in p.inputs}
    for t in (*p.outputs, *p.scratch):
        memory[t.name] = Memory.blank(t.name, t.dtype, math.prod(_shape(t, table)))
    call = _Call(p, memory, table, scalars, domain, order)
    call.steps(p.steps, {}, [0])
    call.status.check()
    return {t.name: memory[t.name].array(_shape(t, table), domain) for t in p.outputs}


def size_table(p: Plan, arrays: Mapping[str, HostArray]) -> Env:
    """The size table of a call: head, then tail; CallError with the message of the first check that fails."""
    table = Env()
    for t in p.inputs:
        array = arrays[t.name]
        if array.ndim != len(t.shape):
            raise CallError(f"{t.name!r} has {array.ndim} dims, not {len(t.shape)}")
        table.update((f"dim({t.name},{a})", n) for a, n in enumerate(array.shape))
        table.update((f"stride({t.name},{a})", s) for a, s in enumerate(byte_strides(array, t.dtype)))
    slots = tail(p)
    for name, index in slots[: len(p.symbols)]:
        table[name] = evaluate(index, table)
    for check in p.checks:
        if not holds(check.condition, table):
            raise CallError(check.message)
    for name, index in slots[len(p.symbols) :]:
        table[name] = evaluate(index, table)
    return table


def _shape(t: Tensor, table: Env) -> list[int]:
    return [evaluate(extent, table) for extent in t.shape]


class _Call:
    """The steps of one call over its memory."""

    def __init__(
        self,
        p: Plan,
        memory: Mapping[str, Memory],
        table: Env,
        scalars: Mapping[str, Any],
        domain: Domain,
        order: Random | None,
    ) -> None:
        self.plan, self.memory, self.table, self.domain, self.order = p, memory, table, domain, order
        self.scalars = bind_scalars(p.scalars, scalars, domain)
        self.dtypes = {s.name: s.dtype for s in p.scalars}
        self.status = Status([t.name for t in p.inputs])
        self.kernels = {k.name: k for k in p.kernels}

    def steps(self, steps: Sequence[Step], counters: Mapping[str, int], number: list[int]) -> None:
        """Runs steps; ``number`` counts them in text order, as the slots of the table do."""
        for step in steps:
            n = number[0]
            number[0] += 1
            if isinstance(step, Phase):
                self._phase(step, n, counters)
            elif isinstance(step, Repeat):
                self._repeat(step, n, counters, number)
            else:
                raise InternalError(f"no meaning for the step {type(step).__name__}")

    def _repeat(self, step: Repeat, n: int, counters: Mapping[str, int], number: list[int]) -> None:
        first, after = number[0], number[0] + count_steps(step.steps)
        for i in range(self.table[f"trips({n})"]):
            self.steps(step.steps, {**counters, step.counter: i}, [first])
        number[0] = after

    def _phase(self, step: Phase, n: int, counters: Mapping[str, int]) -> None:
        if step.kernel not in self.kernels:
            raise InternalError(f"{self.plan.name} has no kernel {step.kernel!r}")
        kernel, tasks = self.kernels[step.kernel], list(range(self.table[f"tasks({n})"]))
        sizes = Env({**self.table, **counters})
        runs = step.where is None or holds(step.where, sizes)
        if len(tasks) != (max(0, evaluate(kernel.tasks, sizes)) if runs else 0) or self.table[f"chunk({n})"] < 1:
            raise InternalError(f"phase {n} runs {len(tasks)} tasks of {kernel.name} in chunks of {step.chunk}")
        if self.order is not None:
            self.order.shuffle(tasks)
        scalars = {s.name: self._scalar(s) for s in kernel.scalars}
        run_kernel(kernel, self.memory, self.table, scalars, self.domain, tasks, self.status, counters)

    def _scalar(self, s: ScalarInput) -> HostArray:
        """The scalar as a kernel declares it: in the plan's dtype, or as the encoding in another."""
        value, dtype = self.scalars[s.name], self.dtypes[s.name]
        if s.dtype is not dtype:
            value = self.domain.bitcast(dtype, s.dtype)(value)
        return encode([value], (), s.dtype, self.domain)
