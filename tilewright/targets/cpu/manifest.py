"""The ``cpu`` target: its levels and what each can do."""

from __future__ import annotations

from functools import partial

from tilewright.errors import UserError
from tilewright.ir.capabilities import Capabilities
from tilewright.records import dataclass
from tilewright.targets.cpu import build
from tilewright.targets.cpu.emit_module import emit
from tilewright.targets.cpu.emit_scalar import native
from tilewright.targets.target import Target, pick_level

DEVICE = "cpu"
LEVELS = ("native", "x86-64-v3", "x86-64")
_NOTABLE = ("avx2", "fma", "f16c", "avx512f", "avx512bf16", "avx512vnni", "amx-bf16", "neon", "sve")
_VECTOR_BYTES = (("avx512f", 64), ("avx2", 32))


@dataclass(frozen=True)
class Level:
    """What code is for; ``needs`` are the features that this machine must have to run it."""

    machine: build.Machine
    needs: frozenset[str]


CROSS = {"aarch64": Level(("aarch64-unknown-linux-gnu", "generic", "+neon"), frozenset({"neon"}))}
"""Levels of other machines, whose objects an emulator runs in our tests."""


def _levels() -> dict[str, Level]:
    """The levels of this machine's architecture."""
    triple, _, features = build.host()
    levels = {"native": Level(build.host(), _features(features))}
    if build.is_x86():
        v3 = frozenset({"avx2", "fma", "f16c", "bmi2", "sse4.1"})
        levels["x86-64-v3"] = Level((triple, "x86-64-v3", ""), v3)
        levels["x86-64"] = Level((triple, "x86-64", ""), frozenset())
    return levels


def cross(name: str) -> Target:
    """The target at a level of another machine, one of ``CROSS``: what it compiles cannot be loaded here."""
    return _target(name, CROSS[name])


def _features(flags: str) -> frozenset[str]:
    return frozenset(f[1:] for f in flags.split(",") if f.startswith("+"))


def target(level: str | None = None) -> Target:
    """The target at ``level``: native (the default), x86-64-v3 or x86-64; UserError if this machine cannot run it."""
    levels = _levels()
    name = pick_level("cpu", levels, level)
    chosen = levels[name]
    missing = chosen.needs - levels["native"].needs
    if missing:
        raise UserError(f"this processor cannot run cpu:{name}", hint=f"it lacks {', '.join(sorted(missing))}")
    return _target(name, chosen)


def _target(name: str, level: Level) -> Target:
    capabilities, machine = _capabilities(level), level.machine
    return Target(
        name="cpu",
        level=name,
        capabilities=capabilities,
        pieces=lambda plan: emit(plan, capabilities, f"cpu:{name}", build.header(machine)),
        compile=partial(build.compile_objects, machine=machine),
        form="object",
        symbols=lambda plan: {k.name: k.name for k in plan.kernels},
        assembly=partial(build.assembly, machine=machine),
        about=f"{machine[1]}: vectors of {capabilities.vector_bytes} bytes, {_told(level)}",
    )


def _told(level: Level) -> str:
    """The features that matter to code of a level."""
    return " ".join(f for f in _NOTABLE if f in level.needs) or "no feature that not all have"


def _capabilities(level: Level) -> Capabilities:
    has = level.needs
    if not level.machine[0].startswith("x86_64"):
        return Capabilities(16, native(fma=True, half=True, rounding=True), vector_registers=32)
    width = next((bytes_ for feature, bytes_ in _VECTOR_BYTES if feature in has), 16)
    own = native(fma="fma" in has, half="f16c" in has, rounding="sse4.1" in has)
    emulated = native(fma=True, half=True, rounding=True) - own
    return Capabilities(width, own, emulated, vector_registers=32 if width == 64 else 16)
