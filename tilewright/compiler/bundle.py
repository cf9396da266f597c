"""Bundles: folders with all that is needed to see a defect of the compiler again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tilewright.compiler.request import Attribute, OperandClass, Request
from tilewright.errors import InternalError, UnsupportedError, UserError
from tilewright.records import dataclass

FOLDER = "TILEWRIGHT_BUNDLES"
"""The environment variable that says where bundles go; without it, the system's folder for temporary files."""
MANIFEST, PROGRAM, REDUCED, ERROR = "bundle.json", "program.tw", "reduced.tw", "error.txt"
_PACKAGES = ("tilewright", "numpy", "llvmlite", "ml_dtypes")


@dataclass(frozen=True)
class Case:
    """Something to compile: one op as ``.tw``, what it is specialised for, and how it was checked.

    ``passes`` is the text of a pipeline, None for that of an op's definition; without a ``request`` nothing can be run.
    """

    program: str
    request: Request | None
    passes: str | None
    target: str
    level: str
    verify: str
    sizes: tuple[tuple[str, int], ...] | None = None
    outside: bool = False

    def manifest(self) -> dict[str, Any]:
        """All but the program, in JSON's terms."""
        request = self.request
        operands = request and [o and list(o.plain()) for o in request.operands]
        return {
            "operands (dtype, rank, unit axis, still axes)": operands,
            "strided results": request and [o and list(o.plain()) for o in request.outputs],
            "attributes": request and dict(request.attributes),
            "passes": self.passes,
            "target": self.target,
            "level": self.level,
            "verify": self.verify,
            "sizes": None if self.sizes is None else dict(self.sizes),
            "indices out of range": self.outside,
        }

    @staticmethod
    def read(program: str, manifest: Mapping[str, Any]) -> Case:
        """The case that :meth:`manifest` was made of."""
        operands, attributes = manifest["operands (dtype, rank, unit axis, still axes)"], manifest["attributes"]
        outputs = tuple(map(OperandClass.read, manifest["strided results"] or ()))
        classes = tuple(map(OperandClass.read, operands or ()))
        request = None if operands is None else Request(classes, _settings(attributes), outputs)
        settings = (manifest[name] for name in ("passes", "target", "level", "verify"))
        sizes = manifest["sizes"]
        found = Case(program, request, *settings)
        return replace(found, sizes=sizes and tuple(sizes.items()), outside=manifest["indices out of range"])


def _settings(made: Mapping[str, Any]) -> tuple[tuple[str, Attribute], ...]:
    """Attributes as they are: JSON has lists where we have tuples."""
    return tuple((name, tuple(value) if isinstance(value, list) else value) for name, value in made.items())


class Miscompiled(InternalError):
    """The compiler was caught changing what a program means; ``reduced`` is a small program that shows it."""

    def __init__(self, message: str, reduced: Case) -> None:
        self.reduced = reduced
        super().__init__(message)


class mendable:
    """Errors that the user mends come from here: where in the compiler they were found helps nobody."""

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, UserError):
            raise error.with_traceback(None) from None


@contextmanager
def reporting(case: Callable[[], Case]) -> Iterator[None]:
    """Writes a bundle of ``case()`` for an InternalError raised inside, and says so in its message.

    An error of Python's own is a defect too and becomes an InternalError; those of the user and of the system pass.
    """
    try:
        yield
    except (UserError, UnsupportedError, OSError, MemoryError):
        raise
    except InternalError as error:
        _report(error, case)
        raise
    except Exception as error:
        defect = InternalError(f"{type(error).__name__}: {error}")
        defect.__cause__ = error
        _report(defect, case)
        raise defect from error


def _report(error: InternalError, case: Callable[[], Case]) -> None:
    if error.bundle is not None:
        return
    try:
        error.bundle = str(write(case(), error))
        hint = f"please report it with the folder {error.bundle}; to run it again: {command(error.bundle)}"
    except OSError as why:
        hint = f"please report it; no bundle could be written ({why})"
    error.hint = f"{error.hint}; {hint}" if error.hint else hint
    error.args = (error.render(),)


def command(folder: str) -> str:
    """What replays a bundle."""
    return f"tilewright replay {folder}"


def write(case: Case, error: InternalError) -> Path:
    """A new bundle: the whole folder appears at once, or nothing does. OSError if it cannot be written."""
    import shutil
    import tempfile

    room = Path(os.environ.get(FOLDER) or tempfile.gettempdir())
    room.mkdir(parents=True, exist_ok=True)
    unfinished = Path(tempfile.mkdtemp(prefix=".tilewright-bundle-", dir=room))
    finished = room / unfinished.name.removeprefix(".")
    try:
        for name, text in _files(case, error, str(finished)).items():
            (unfinished / name).write_text(text, encoding="utf-8")
        os.rename(unfinished, finished)
    except BaseException:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise
    return finished


def _files(case: Case, error: InternalError, folder: str) -> dict[str, str]:
    import traceback

    manifest = {"command": command(folder), "environment": environment(), "program": case.manifest()}
    trace = "".join(traceback.format_exception(error))
    files = {PROGRAM: case.program, ERROR: f"{error}\n\n{trace}"}
    if isinstance(error, Miscompiled):
        manifest["reduced"] = error.reduced.manifest()
        files[REDUCED] = error.reduced.program
    return {**files, MANIFEST: json.dumps(manifest, indent=2) + "\n"}


def environment() -> dict[str, str]:
    """The versions of what takes part."""
    import platform
    from importlib import metadata

    found = {"python": platform.python_version(), "system": platform.platform(), "machine": platform.machine()}
    for package in _PACKAGES:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def read(folder: Path) -> dict[str, Case]:
    """The cases of a bundle by file name, the reduced one first. UserError if it is no bundle."""
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        names = {REDUCED: "reduced", PROGRAM: "program"}
        return {
            file: Case.read((folder / file).read_text(encoding="utf-8"), manifest[key])
            for file, key in names.items()
            if key in manifest
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = "give the folder that the error message names"
        raise UserError(f"{folder} is no bundle: {error}", hint=hint) from None


__all__ = ["Attribute", "Case", "Miscompiled", "command", "environment", "read", "reporting", "write"]
