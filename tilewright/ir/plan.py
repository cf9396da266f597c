"""The plan: what the runtime runs for one call, and where every integer it needs comes from.

Grammar::

    Plan    = name, operands: Operand*, scalars: (name, dtype)*, kernels: Kernel*, steps: Step*,
              scratch: Tensor*, checks: Check*, symbols: (name, Index)*
    Operand = tensor: Tensor, role: input | output
    Step    = Phase(kernel, tasks, chunk, [condition]) | Repeat(counter, trips, steps)
    Check   = condition, message

**The size table** is one int64 array per call. Its head is filled by the caller, per input operand in
order: its dims, then its byte strides, as the symbols ``dim(x,0)``, ..., ``stride(x,0)``, ...; then, per strided
output, its byte strides. Its tail is filled by the plan's emitted function
``int sizes(const int64* head, int64* tail)``, slot by slot in the order of :func:`tail`; it returns 0, or 1 + the
number of the first check that fails. A kernel reads any slot by number.
``symbols`` defines the dims by name (``N = dim(x,0)``) for use in all that follows.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Union

from tilewright.ir.index import Condition, Index, ceildiv, const, maximum, minimum, product, symbol
from tilewright.ir.loops import Kernel
from tilewright.ir.tensor import ScalarInput, Tensor
from tilewright.records import dataclass


@dataclass(frozen=True)
class Check:
    """A condition on dims that a call must meet; the message says what the user did wrong."""

    condition: Condition
    message: str


@dataclass(frozen=True)
class Phase:
    """Run ``kernel`` on tasks 0 .. tasks-1, claimed in chunks; a barrier follows. Where the condition does not hold it
    has no tasks.
    """

    kernel: str
    tasks: Index
    chunk: Index
    where: Condition | None = None


@dataclass(frozen=True)
class Repeat:
    """Run ``steps`` ``trips`` times; the symbol ``counter`` (a slot of Args.counters) counts from 0."""

    counter: str
    trips: Index
    steps: tuple[Step, ...]


Step = Union[Phase, Repeat]


@dataclass(frozen=True)
class Plan:
    """See the module's page. ``scratch`` tensors live from the first phase to the last. Outputs that are ``strided``
    lie in memory of the caller's, the others are row-major.
    """

    name: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    scalars: tuple[ScalarInput, ...]
    symbols: tuple[tuple[str, Index], ...]
    checks: tuple[Check, ...]
    scratch: tuple[Tensor, ...]
    kernels: tuple[Kernel, ...]
    steps: tuple[Step, ...]
    strided: tuple[str, ...] = ()


def indicator(condition: Condition) -> Index:
    """1 where a condition ``index >= 0`` holds, else 0."""
    return minimum(1, maximum(0, condition.index + 1))


def count_steps(steps: Iterable[Step]) -> int:
    """How many steps there are, inner ones included."""
    return sum(1 + (count_steps(s.steps) if isinstance(s, Repeat) else 0) for s in steps)


def dim(operand: str, axis: int) -> Index:
    """The symbol of an input's dim in the head of the size table."""
    return symbol(f"dim({operand},{axis})")


def stride(operand: str, axis: int) -> Index:
    """The symbol of an input's byte stride in the head of the size table."""
    return symbol(f"stride({operand},{axis})")


def head(plan: Plan) -> list[str]:
    """The slot names of the head, in order."""
    names = []
    for t in plan.inputs:
        rank = range(len(t.shape))
        names += [f"dim({t.name},{a})" for a in rank] + [f"stride({t.name},{a})" for a in rank]
    for t in plan.outputs:
        names += [f"stride({t.name},{a})" for a in range(len(t.shape)) if t.name in plan.strided]
    return names


SCRATCH_ALIGNMENT = 64


def tail(plan: Plan) -> list[tuple[str, Index]]:
    """The slots of the tail in order: (name, value in terms of the head and earlier slots).

    Dims by name; output shapes ``out(y,0)``; scratch offsets ``offset(t)`` in bytes, then ``scratch``,
    the bytes in all; per phase, in text order, ``tasks(n)`` and ``chunk(n)``; per repeat ``trips(n)``.
    """
    slots = list(plan.symbols)
    for t in plan.outputs:
        slots += [(f"out({t.name},{a})", extent) for a, extent in enumerate(t.shape)]
    slots += _scratch_slots(plan)
    slots += _step_slots(plan.steps, [0])
    return slots


def _scratch_slots(plan: Plan) -> list[tuple[str, Index]]:
    slots, offset = [], const(0)
    for t in plan.scratch:
        slots.append((f"offset({t.name})", offset))
        size = product(t.shape) * t.dtype.bytes
        offset = symbol(f"offset({t.name})") + ceildiv(size, SCRATCH_ALIGNMENT) * SCRATCH_ALIGNMENT
    return [*slots, ("scratch", offset)]


def _step_slots(steps: tuple[Step, ...], count: list[int]) -> list[tuple[str, Index]]:
    slots: list[tuple[str, Index]] = []
    for step in steps:
        n = count[0]
        count[0] += 1
        if isinstance(step, Phase):
            runs = const(1) if step.where is None else indicator(step.where)
            slots += [(f"tasks({n})", step.tasks * runs), (f"chunk({n})", step.chunk)]
        else:
            slots += [(f"trips({n})", step.trips), *_step_slots(step.steps, count)]
    return slots
