"""Which build of the compiler this is, and which processor it runs on: cached code is for these."""

from __future__ import annotations

import os
import platform
from _blake2 import blake2b
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from tilewright.runtime import _core

ROOT = Path(__file__).parents[1]
SOURCES = (".py", ".lark", ".tw")
STAMP = ROOT / "build.txt"
"""The hash of the sources, written where a build is installed. Sources that are used where they stand have none."""


@cache
def compiler() -> str:
    """A hash that changes when the compiler does."""
    if STAMP.exists():
        return STAMP.read_text()
    return _hash(f"{e.path} {e.stat().st_mtime_ns} {e.stat().st_size}" for e in _files())


def _files() -> list[os.DirEntry[str]]:
    """The sources and the extension."""
    found: list[os.DirEntry[str]] = []
    waiting = [str(ROOT)]
    while waiting:
        for entry in os.scandir(waiting.pop()):
            if entry.is_dir():
                waiting.append(entry.path)
            elif entry.name.endswith(SOURCES):
                found.append(entry)
    found += [e for e in os.scandir(Path(_core.__file__).parent) if e.name.startswith("_core")]
    return sorted(found, key=lambda e: e.path)


def _hash(lines: Iterable[str]) -> str:
    return blake2b("\n".join(lines).encode(), digest_size=20).hexdigest()


@cache
def machine() -> str:
    """A hash of what the processor is and can do."""
    return _hash([platform.machine(), *_cpuinfo()])


@cache
def features() -> frozenset[str]:
    """What the processor can do, by the system's names, and its architecture: code made here may need all of it."""
    said = (line.partition(":")[2].split() for line in _cpuinfo() if line.startswith(("flags", "Features")))
    return frozenset([platform.machine(), *(name for names in said for name in names)])


_TOLD = ("vendor_id", "cpu family", "model", "stepping", "flags", "CPU implementer", "CPU part", "Features")


@cache
def _cpuinfo() -> list[str]:
    """What Linux says of the first processor; elsewhere, what Python does."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return [platform.processor(), platform.platform()]
    lines = text.split("\n\n")[0].split("\n")
    return [line for line in lines if line.split("\t")[0].split(" :")[0].strip() in _TOLD]
