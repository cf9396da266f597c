"""Compiled code in this process: the object files of the ``cpu`` target, or shared libraries of a C compiler."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from tilewright.errors import InternalError
from tilewright.runtime._core import Object

if TYPE_CHECKING:
    import ctypes

Form: TypeAlias = Literal["object", "library"]


class _Image(Protocol):
    def __contains__(self, name: str) -> bool: ...
    def address(self, name: str) -> int: ...


class Code:
    """Images, loaded: files of machine code. What is in them is valid while this lives.

    InternalError says why an image cannot be loaded.
    """

    def __init__(self, form: Form, images: Sequence[bytes]) -> None:
        load = Object if form == "object" else Library
        try:
            self._images: list[_Image] = [load(image) for image in images]
        except (ValueError, OSError) as e:
            raise InternalError(f"what was compiled cannot be loaded: {e}") from e

    def address(self, name: str) -> int:
        """The address of a function."""
        for image in self._images:
            if name in image:
                return image.address(name)
        raise InternalError(f"what was compiled has no {name}")


class Library:
    """A shared library, given as the bytes of its file."""

    def __init__(self, image: bytes) -> None:
        import tempfile

        with tempfile.TemporaryDirectory(prefix="tilewright-") as folder:
            path = Path(folder) / "plan.so"
            path.write_bytes(image)
            self._functions = _opened(path)

    def __contains__(self, name: str) -> bool:
        return hasattr(self._functions, name)

    def address(self, name: str) -> int:
        import ctypes

        return ctypes.cast(getattr(self._functions, name), ctypes.c_void_p).value or 0


def _opened(path: Path) -> ctypes.CDLL:
    import ctypes

    return ctypes.CDLL(str(path))
