"""Files of source text."""

from __future__ import annotations

from pathlib import Path

from tilewright.errors import SyntaxUserError
from tilewright.source import Source, Span


def decode(data: bytes, name: str) -> str:
    """The text of a file called ``name``. SyntaxUserError if it is not UTF-8."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as e:
        before = data[: e.start].decode("utf-8")
        line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
        shown = Source(data.decode("utf-8", "replace"), name)
        message = f"the byte 0x{data[e.start]:02x} is not UTF-8"
        raise SyntaxUserError(message, Span(shown, line, column, line, column + 1), "save the file as UTF-8") from None


def read_text(path: str | Path) -> str:
    """The text of the file at ``path``. SyntaxUserError if it is not UTF-8, OSError if it cannot be read."""
    return decode(Path(path).read_bytes(), str(path)).replace("\r\n", "\n").replace("\r", "\n")
