"""Compiling C with the system's compiler."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tilewright.errors import InternalError, UnsupportedError

FLAGS = ("-std=c99", "-O2", "-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing")
LIBRARY = ("-fPIC", "-shared")
COMPILERS = ("cc", "gcc", "clang")


def compiler() -> list[str]:
    """The command of the C compiler: $CC, or the first of the usual ones; UnsupportedError if there is none."""
    wanted = shlex.split(os.environ.get("CC", ""))
    for command in [wanted] if wanted else [[name] for name in COMPILERS]:
        if shutil.which(command[0]):
            return command
    raise UnsupportedError(
        f"the c target needs a C compiler, and none was found ({' '.join(wanted) or ', '.join(COMPILERS)})",
        hint="install gcc or clang, or set CC to a C99 compiler",
    )


def compile_c(text: str, result: Path, options: tuple[str, ...]) -> None:
    """Compiles a file's text to ``result``; InternalError shows what the compiler says."""
    command = [*compiler(), *FLAGS, *options, "-x", "c", "-", "-o", str(result), "-lm"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if done.returncode:
        raise InternalError(f"the C compiler refuses what was emitted:\n{done.stderr}")


def compile_library(pieces: Iterable[str]) -> list[bytes]:
    """The shared library of an emitted text, as the bytes of a file."""
    with tempfile.TemporaryDirectory(prefix="tilewright-") as folder:
        path = Path(folder) / "plan.so"
        compile_c("".join(pieces), path, LIBRARY)
        return [path.read_bytes()]


def assembly(text: str) -> str:
    """The machine code of ``text`` as assembly."""
    with tempfile.TemporaryDirectory(prefix="tilewright-") as folder:
        path = Path(folder) / "plan.s"
        compile_c(text, path, ("-S",))
        return path.read_text()
