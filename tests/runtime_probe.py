"""Ops of the C kernels in runtime_kernels.c, for the tests of the runtime core."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tilewright.runtime import Op, Program, get_threads, set_threads, to_numpy, to_tensor

Array = np.ndarray[Any, Any]
Parameter = tuple[str, Any, "str | None", bool, object, bool]


BASE = np.arange(48, dtype=np.int32).reshape(6, 8)


class Refused(Exception):
    """What on_error raises here."""


def refuse(kind: str, info: Any) -> None:
    raise Refused(kind, info)


def operand(name: str) -> Parameter:
    return (name, "tensor", None, False, None, False)


def maybe(name: str) -> Parameter:
    return (name, "optional", None, True, None, False)


def option(name: str, kind: str, *default: object) -> Parameter:
    return (name, kind, "T" if kind == "scalar" else None, bool(default), default[0] if default else None, True)


@lru_cache
def library() -> ctypes.CDLL:
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        pytest.skip("no C compiler to build the test kernels with")
    with tempfile.TemporaryDirectory() as folder:
        built = Path(folder) / "kernels.so"
        source = Path(__file__).with_name("runtime_kernels.c")
        subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", built, source], check=True)
        return ctypes.CDLL(str(built))


@contextmanager
def process_threads(n: int) -> Iterator[None]:
    before = get_threads()
    set_threads(n)
    yield
    set_threads(before)


def address(lib: ctypes.CDLL, name: str) -> int:
    found = ctypes.cast(lib[name], ctypes.c_void_p).value
    assert found
    return found


class Maker:
    """Makes ops of the kernels in the library and notes the keys they miss."""

    def __init__(self) -> None:
        self.lib = library()
        self.keys: list[Any] = []

    def phase(self, kernel: str, tasks: int, chunk: int) -> tuple[str, int, int, int]:
        return ("phase", address(self.lib, kernel), tasks, chunk)

    def program(self, name: str, head: int, tail: int, outputs: Any, scratch: int, steps: Any, **more: Any) -> Program:
        sizes = address(self.lib, f"{name}_sizes")
        return Program(sizes, head, tail, outputs, scratch, steps, **{"checks": [], "keepalive": self.lib, **more})

    def op(self, parameters: list[Parameter], program: Callable[[Any], Any], cls: type[Op] = Op) -> Op:
        def miss(key: Any) -> Any:
            self.keys.append(key)
            return program(key)

        return cls("probe", parameters, miss, refuse, to_tensor, to_numpy)

    def copy(self) -> Op:
        steps = [self.phase("copy", 7, 8)]
        return self.op([operand("x")], lambda key: self.program("copy", 4, 5, [(key[0][0][0], [4, 5])], 6, steps))

    def add(self, cls: type[Op] = Op) -> Op:
        checks = ["the lengths differ", "too long"]
        steps = [self.phase("add", 6, 7)]
        return self.op(
            [operand("a"), operand("b")],
            lambda key: self.program("add", 4, 4, [("f32", [4])], 5, steps, checks=checks),
            cls,
        )

    def crew(self) -> Op:
        steps = [self.phase("crew_clear", 2, 5), self.phase("crew", 2, 5)]
        return self.op([operand("x")], lambda key: self.program("crew", 2, 4, [("i64", [2, 3])], 4, steps))
