"""What a target is, the registry of targets, and the numbering that every emitter shares.

A target is a folder whose manifest has a function ``level -> Target``. The rest of the compiler asks a
:class:`Target` for what it can do and never looks at its name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field
from importlib import import_module
from types import ModuleType
from typing import cast

from tilewright.errors import InternalError, UserError
from tilewright.ir.capabilities import Capabilities
from tilewright.ir.plan import Plan, Repeat, Step, head, tail
from tilewright.records import dataclass
from tilewright.runtime import SIZES, Code, Form


@dataclass(frozen=True)
class Loaded:
    """Code in memory: the addresses of the kernels by name and of ``sizes``.

    The addresses are valid as long as ``keepalive`` is referenced.
    """

    kernels: Mapping[str, int]
    sizes: int
    keepalive: object = field(compare=False, repr=False)


@dataclass(frozen=True)
class Target:
    """One target at one level.

    ``pieces`` writes a plan that is legal for ``capabilities`` as text, piece by piece, and raises UnsupportedError for
    what it cannot express. ``compile`` makes images (files of machine code of the given ``form``) of such pieces, of
    each while the next ones are written; in them kernels have the names that ``symbols`` gives. ``assembly`` shows the
    machine code of a text; None where the target has none to show. ``about`` says what stands behind it here.
    """

    name: str
    level: str
    capabilities: Capabilities
    pieces: Callable[[Plan], Iterable[str]]
    compile: Callable[[Iterable[str]], list[bytes]]
    form: Form
    symbols: Callable[[Plan], Mapping[str, str]]
    assembly: Callable[[str], str] | None = None
    about: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.level}"

    def emit(self, plan: Plan) -> str:
        """All pieces as one text."""
        return "".join(self.pieces(plan))

    def load(self, text: str, plan: Plan) -> Loaded:
        """``text``, emitted for ``plan``, callable in this process."""
        return self.loaded(self.compile([text]), plan)

    def loaded(self, images: Sequence[bytes], plan: Plan) -> Loaded:
        """The images of ``plan``, callable in this process."""
        code = Code(self.form, images)
        kernels = {name: code.address(symbol) for name, symbol in self.symbols(plan).items()}
        return Loaded(kernels, code.address(SIZES), code)


TARGETS = {
    "c": "tilewright.targets.c.manifest",
    "cpu": "tilewright.targets.cpu.manifest",
}
"""Per target the module that has its ``LEVELS``, the ``DEVICE`` that its tensors are on, and the function ``target``
that makes it for a level."""


def get_target(name: str, level: str | None = None) -> Target:
    """The target called ``name`` at ``level`` (None: its default); UserError names the choices."""
    if name not in TARGETS:
        raise UserError(f"unknown target {name!r}", hint=f"one of {', '.join(sorted(TARGETS))}")
    make = cast(Callable[[str | None], Target], _manifest(name).target)
    return make(level)


def _manifest(name: str) -> ModuleType:
    return import_module(TARGETS[name])


def levels_of(name: str) -> tuple[str, ...]:
    """The levels of the target called ``name``, its default first, those that this machine cannot run too."""
    return tuple(_manifest(name).LEVELS)


def devices() -> tuple[str, ...]:
    """On which devices tensors can be: those of all targets."""
    return tuple(sorted({str(_manifest(name).DEVICE) for name in TARGETS}))


def pick_level(target: str, levels: Iterable[str], level: str | None) -> str:
    """``level`` if it is one of ``levels``, the first of them for None; else UserError with the choices."""
    choices = list(levels)
    if level is None:
        return choices[0]
    if level not in choices:
        raise UserError(f"target {target!r} has no level {level!r}", hint=f"one of {', '.join(choices)}")
    return level


@dataclass(frozen=True)
class Numbering:
    """Where a kernel finds things: the numbers of the ABI by name.

    ``slots``: size-table slots; ``data``: operands, inputs first; ``scalars``: cells; ``counters``: depths of
    repeats; ``scratch``: per scratch tensor the slot of its byte offset; ``inputs``: how many operands are inputs.
    """

    slots: Mapping[str, int]
    data: Mapping[str, int]
    scalars: Mapping[str, int]
    counters: Mapping[str, int]
    scratch: Mapping[str, int]
    inputs: int

    def operand(self, name: str) -> int:
        """The number that the status record gives an index read from ``name``: of no input, the one after the last."""
        return min(self.data.get(name, self.inputs), self.inputs)


def numbering(plan: Plan) -> Numbering:
    """The numbering of ``plan``."""
    slots = {name: n for n, name in enumerate([*head(plan), *(name for name, _ in tail(plan))])}
    return Numbering(
        slots=slots,
        data={t.name: n for n, t in enumerate((*plan.inputs, *plan.outputs))},
        scalars={s.name: n for n, s in enumerate(plan.scalars)},
        counters=_counters(plan.steps, 0),
        scratch={t.name: slots[f"offset({t.name})"] for t in plan.scratch},
        inputs=len(plan.inputs),
    )


def _counters(steps: tuple[Step, ...], depth: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for step in steps:
        if isinstance(step, Repeat):
            for name, n in {step.counter: depth, **_counters(step.steps, depth + 1)}.items():
                if found.setdefault(name, n) != n:
                    raise InternalError(f"counter {name} stands at two depths")
    return found
