"""An emulated aarch64 machine: a process that loads and runs artifacts."""

from __future__ import annotations

import ctypes
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from numpy.lib.array_utils import byte_bounds

from tilewright.ir.interpret import TYPED
from tilewright.ir.interpret.arrays import storage
from tilewright.ir.plan import Plan
from tilewright.runtime import Artifact
from tilewright.testing.abi import scalar_cell

CORE = Path(__file__).parents[2] / "tilewright" / "runtime" / "core"
SOURCES = ("object", "relocation", "runner", "pool", "cpus")
COMPILER, EMULATOR = "aarch64-linux-gnu-g++", "qemu-aarch64-static"

Array = np.ndarray[Any, Any]


def missing() -> list[str]:
    """The programs that there are none of."""
    return [program for program in (COMPILER, EMULATOR) if shutil.which(program) is None]


@cache
def runner() -> Path:
    """The program that runs artifacts, with the loader and the runner of the core in it."""
    folder = Path(tempfile.mkdtemp(prefix="tilewright-aarch64-"))
    sources = [Path(__file__).with_name("run.cpp"), *(CORE / f"{name}.cpp" for name in SOURCES)]
    command = [COMPILER, "-std=c++20", "-O1", "-static", "-pthread", f"-I{CORE}", *map(str, sources)]
    subprocess.run([*command, "-o", str(folder / "run")], check=True)
    return folder / "run"


class Machine:
    """Runs artifacts; it starts with the first and goes on until one takes it down."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def run(
        self, artifact: Artifact, plan: Plan, inputs: Mapping[str, Array], scalars: Mapping[str, Any]
    ) -> list[Array]:
        """The results; AssertionError for a failed check or a noted index, and where the machine stops."""
        if self._process is None or self._process.poll() is not None:
            command = [EMULATOR, str(runner())]
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        job = _job(artifact, [inputs[t.name] for t in plan.inputs])
        job += _numbers(*(struct.unpack("<q", scalar_cell(scalars[s.name], s.dtype))[0] for s in plan.scalars))
        shapes = [_numbers(t.dtype.bytes, *slots) for t, (_, slots) in zip(plan.outputs, artifact.outputs, strict=True)]
        stream = cast(IO[bytes], self._process.stdin)
        stream.write(job + _number(len(shapes)) + b"".join(shapes))
        stream.flush()
        failed, *status = self._read("q", 6)
        assert failed == 0 and status == [0] * 5, (failed, status)
        table = self._read("q", artifact.head + artifact.tail)
        found = []
        for t, (_, slots) in zip(plan.outputs, artifact.outputs, strict=True):
            shape = [table[s] for s in slots]
            kind = np.dtype(storage(t.dtype, TYPED))
            found.append(np.frombuffer(self._bytes(int(np.prod(shape)) * kind.itemsize), kind).reshape(shape))
        return found

    def _read(self, kind: str, count: int) -> list[int]:
        return list(struct.unpack(f"<{count}{kind}", self._bytes(8 * count)))

    def _bytes(self, count: int) -> bytes:
        assert self._process is not None
        found = cast(IO[bytes], self._process.stdout).read(count)
        assert len(found) == count, f"the emulated machine stopped: {self._process.wait()}"
        return found


def _number(n: int) -> bytes:
    return struct.pack("<q", n)


def _numbers(*values: int) -> bytes:
    return _number(len(values)) + struct.pack(f"<{len(values)}q", *values)


def _text(data: bytes) -> bytes:
    return _number(len(data)) + data


def _steps(steps: Sequence[Any]) -> bytes:
    made = _number(len(steps))
    for step in steps:
        if step[0] == "phase":
            made += _text(step[1].encode()) + _number(step[2]) + _number(step[3])
        else:
            made += _text(b"") + _number(step[1]) + _number(0) + _steps(step[2])
    return made


def _job(artifact: Artifact, inputs: Sequence[Array]) -> bytes:
    head = [n for x in inputs for n in (*x.shape, *x.strides)]
    made = _number(len(artifact.images)) + b"".join(map(_text, artifact.images)) + _steps(artifact.steps)
    made += _numbers(*head, *([0] * artifact.tail)) + _number(artifact.head) + _number(artifact.scratch)
    return made + _number(len(inputs)) + b"".join(map(_operand, inputs))


def _operand(x: Array) -> bytes:
    """All memory that an operand lies in, and where its first element is."""
    low, high = byte_bounds(x)
    start = x.__array_interface__["data"][0]
    if x.size == 0:
        low = high = start
    return _number(start - low) + _number(high - low) + ctypes.string_at(low, high - low)
