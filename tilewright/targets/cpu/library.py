"""LLVM, in the library that llvmlite ships."""

from __future__ import annotations

import atexit
from functools import cache
from pathlib import Path

from tilewright.errors import UnsupportedError
from tilewright.runtime import Llvm

LLVMLITE = "0.50"
"""The version whose library is called: its functions have no header that could be checked."""


def path() -> str:
    """Where the library is; UnsupportedError if llvmlite is not there or of another version."""
    try:
        import llvmlite
    except ImportError:
        found, version = None, "none"
    else:
        found, version = llvmlite.__file__, llvmlite.__version__
    if found is None or not version.startswith(f"{LLVMLITE}."):
        raise UnsupportedError(
            f"the cpu target needs llvmlite {LLVMLITE}, not {version}", hint=f"pip install 'llvmlite=={LLVMLITE}.*'"
        )
    files = (Path(found).parent / "binding").iterdir()
    return next(str(p) for p in files if p.stem in ("libllvmlite", "llvmlite"))


@cache
def begin() -> None:
    """Begins to load the library, while the compiler is imported. What is wrong with it, :func:`llvm` says."""
    try:
        Llvm.begin(path())
    except UnsupportedError:
        return
    atexit.register(Llvm.settle)


@cache
def llvm() -> Llvm:
    """The library; UnsupportedError if it is not there, of another version, or cannot be used."""
    try:
        library = Llvm(path())
    except RuntimeError as e:
        raise UnsupportedError(f"llvmlite's library cannot be used: {e}", hint="install llvmlite anew") from e
    atexit.register(library.stop)
    return library
