"""From LLVM text to object files."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import TypeAlias

from tilewright.errors import InternalError
from tilewright.runtime import Pending
from tilewright.targets.cpu.code import MODULE, RUN_ONCE, STRIDED
from tilewright.targets.cpu.library import llvm

Machine: TypeAlias = tuple[str, str, str]
"""The processor that code is for: triple, LLVM's name of it, its features as ``+a,-b,...``."""

ALLOWED = frozenset(
    "abs ceil cttz fabs floor fma fptosi.sat fptoui.sat roundeven smax smin sqrt trunc umax "
    "masked.load masked.store masked.gather masked.scatter vector.extract vector.insert".split()
)
"""Intrinsics that the levels whose emitter uses them have instructions for; others may abort the process or become
library calls."""

_INTRINSIC = re.compile(r"""@"?llvm\.([\w.]+?)((?:\.(?:v\d+)?(?:[ifp]|bf)\d+)*)(?![\w.])""")
"""The name, then the types that it is used for."""

OPTIMISATION = 1
"""How hard LLVM's code generator works: 0 to 3. Level 0 is three times quicker, its code two times slower."""


@cache
def host() -> Machine:
    """This machine."""
    return llvm().host()


def is_x86() -> bool:
    """Whether this machine speaks x86-64."""
    return host()[0].startswith("x86_64")


@cache
def header(machine: Machine) -> str:
    """The first lines of a module."""
    return f'target datalayout = "{llvm().data_layout(machine)}"\ntarget triple = "{machine[0]}"\n'


def check_intrinsics(text: str) -> None:
    """InternalError if ``text`` calls an intrinsic that is not allowed."""
    for name in sorted({name for name, _ in _INTRINSIC.findall(text)}):
        if name not in ALLOWED:
            raise InternalError(f"the intrinsic llvm.{name} is not on the cpu target's list")


def _modules(text: str) -> Iterator[str]:
    """The modules of a text, with what their first lines say."""
    return (part for part in text.split(MODULE) if part)


def _begin(module: str, machine: Machine, listing: bool = False) -> Pending:
    """LLVM at work on a module."""
    check_intrinsics(module)
    about, _, text = module.partition("\n")
    optimisation = 0 if about == RUN_ONCE else OPTIMISATION
    return llvm().submit(text, machine, optimisation, about == STRIDED, listing)


def _results(begun: Sequence[Pending]) -> list[bytes]:
    try:
        return [p.result() for p in begun]
    except ValueError as e:
        raise InternalError(f"LLVM refuses what the cpu target emitted: {e}") from e


def compile_objects(pieces: Iterable[str], machine: Machine) -> list[bytes]:
    """The object file of each module."""
    return _results([_begin(module, machine) for piece in pieces for module in _modules(piece)])


def assembly(text: str, machine: Machine) -> str:
    """The machine code of ``text`` to read."""
    return "".join(part.decode() for part in _results([_begin(m, machine, listing=True) for m in _modules(text)]))
