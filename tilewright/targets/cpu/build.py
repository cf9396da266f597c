"""From LLVM text to addresses: checked, compiled to objects, loaded into the process."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, TypeVar, cast

from llvmlite import binding as llvm

from tilewright.errors import InternalError
from tilewright.ir.plan import Plan
from tilewright.runtime import Object
from tilewright.targets.cpu.code import RUN_ONCE, STRIDED
from tilewright.targets.target import Loaded

T = TypeVar("T")

ALLOWED = frozenset(
    "abs ceil cttz fabs floor fma fptosi.sat fptoui.sat roundeven smax smin sqrt trunc umax "
    "masked.load masked.store masked.gather masked.scatter vector.extract vector.insert".split()
)
"""Intrinsics that the levels whose emitter uses them have instructions for; others may abort the process or become
library calls."""

_INTRINSIC = re.compile(r"@llvm\.([a-z.]+?)(?=\.(?:v?\d|[a-z]+\d))")


@cache
def initialise() -> None:
    """Makes LLVM know this machine's instructions."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()


@cache
def host_cpu() -> tuple[str, str]:
    """LLVM's name of this processor, and its features as ``+a,-b,...``."""
    initialise()
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def is_x86() -> bool:
    """Whether this machine speaks x86-64."""
    return str(llvm.get_default_triple()).startswith("x86_64")


OPTIMISATION = 1
"""How hard LLVM's code generator works: 0 to 3. Level 0 is three times quicker, its code two times slower."""


@cache
def machine(cpu: str, features: str, optimisation: int = OPTIMISATION) -> Any:
    """The code generator for a processor; position-independent code."""
    initialise()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, opt=optimisation, reloc="pic", codemodel="default"
    )


@cache
def header(cpu: str, features: str) -> str:
    """The first lines of a module."""
    m = machine(cpu, features)
    return f'target datalayout = "{m.target_data}"\ntarget triple = "{m.triple}"\n'


def check_intrinsics(text: str) -> None:
    """InternalError if ``text`` calls an intrinsic that is not allowed."""
    for name in sorted(set(_INTRINSIC.findall(text))):
        if name not in ALLOWED:
            raise InternalError(f"the intrinsic llvm.{name} is not on the cpu target's list")


def _module(text: str, cpu: str, features: str) -> Any:
    """``text`` parsed and verified, private memory promoted to registers."""
    check_intrinsics(text)
    machine(cpu, features)
    try:
        module = llvm.parse_assembly(text)
        module.verify()
    except RuntimeError as e:
        raise InternalError(f"LLVM refuses what the cpu target emitted: {e}") from e
    if " alloca " in text:
        passes = llvm.create_new_module_pass_manager()
        passes.add_sroa_pass()
        passes.run(module, llvm.create_pass_builder(machine(cpu, features), llvm.create_pipeline_tuning_options()))
    return module


def _compiled(text: str, cpu: str, features: str, emit: Callable[[Any, Any], T]) -> list[T]:
    """``emit(machine, module)`` of the modules of ``text``."""
    made: list[T] = []
    for part, optimisation in zip(text.split(RUN_ONCE), (OPTIMISATION, 0), strict=False):
        module = _module(part, cpu, features)
        with _strength_reduction(STRIDED in part):
            made.append(emit(machine(cpu, features, optimisation), module))
    return made


@contextmanager
def _strength_reduction(wanted: bool) -> Iterator[None]:
    """With or without LLVM's strength reduction of loops, which is a fifth of its work.

    The switch is the process's: whoever else uses LLVM in it gets it back as it was.
    """
    llvm.set_option("tilewright", f"-disable-lsr={str(not wanted).lower()}")
    try:
        yield
    finally:
        llvm.set_option("tilewright", "-disable-lsr=false")


def compile_objects(text: str, cpu: str, features: str) -> list[bytes]:
    """The object files of ``text``: one of the kernels, one of ``sizes``."""
    return _compiled(text, cpu, features, lambda m, module: cast(bytes, m.emit_object(module)))


def assembly(text: str, cpu: str, features: str) -> str:
    """The machine code of ``text`` to read."""
    return "".join(_compiled(text, cpu, features, lambda m, module: str(m.emit_assembly(module))))


def load(text: str, plan: Plan, compile_: Callable[[str], list[bytes]]) -> Loaded:
    """``text``, the emitted ``plan``, as callable code in this process."""
    try:
        kernels, sizes = map(Object, compile_(text))
    except ValueError as e:
        raise InternalError(f"what LLVM made cannot be loaded: {e}") from e
    addresses = {k.name: kernels.address(k.name) for k in plan.kernels}
    return Loaded(addresses, sizes.address("sizes"), (kernels, sizes))
