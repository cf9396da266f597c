"""Syntax trees as plain data: what is parsed when the package is built is not parsed again when it is used.

A digest is lines of JSON. The first has the fingerprint of the language, and per source file the hash of its text and
the numbers of the lines that are its trees, so that only trees that are asked for are read. It is valid for just this
text and just this language; what does not fit is parsed.
"""

from __future__ import annotations

import json
from _blake2 import blake2b
from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

from tilewright.dsl import syntax as ast
from tilewright.source import Source, Span

_LANGUAGE = ("grammar.lark", "grammar.py", "layout.py", "parse.py", "reading.py", "syntax.py")


class Digest:
    """The trees of some source files by file name; none if the digest was made by another version of the language.

    ``text`` is None where nothing was built.
    """

    def __init__(self, text: str | None) -> None:
        self._lines = (text or '{"language": ""}').split("\n")
        data: Mapping[str, Any] = json.loads(self._lines[0])
        self._files: Mapping[str, Any] = data["files"] if data["language"] == fingerprint() else {}

    def ops(self, text: str, name: str) -> dict[str, Callable[[], ast.Op]] | None:
        """Per op of ``text``, the file called ``name``, what makes its tree; None if the digest has no such text."""
        known = self._files.get(name)
        if known is None or known["text"] != _hash(text.encode()):
            return None
        source = Source(text, name)
        return {op: partial(self._read, line, source) for op, line in known["ops"].items()}

    def module(self, text: str, name: str) -> ast.Module | None:
        """The module that ``text``, the file called ``name``, says; None if the digest does not know this text."""
        ops = self.ops(text, name)
        if ops is None:
            return None
        source = Source(text, name)
        schedules = [self._read(line, source) for line in self._files[name]["schedules"]]
        return ast.Module(source, tuple(make() for make in ops.values()), tuple(schedules))

    def _read(self, line: int, source: Source) -> Any:
        return _decoded(json.loads(self._lines[line]), source)


def digest(modules: Mapping[str, ast.Module]) -> str:
    """The text of the digest of parsed files by name."""
    lines: list[str] = []

    def line(node: ast.Node) -> int:
        lines.append(_json(_encoded(node)))
        return len(lines)

    files = {
        name: {
            "text": _hash(m.source.text.encode()),
            "ops": {op.name: line(op) for op in m.ops},
            "schedules": [line(s) for s in m.schedules],
        }
        for name, m in modules.items()
    }
    return "\n".join([_json({"language": fingerprint(), "files": files}), *lines])


def _json(data: Any) -> str:
    return json.dumps(data, separators=(",", ":"))


def fingerprint() -> str:
    """What changes when the grammar or the trees that it gives do."""
    return _hash(b"\0".join(Path(__file__).with_name(name).read_bytes() for name in _LANGUAGE))


def _hash(data: bytes) -> str:
    return blake2b(data, digest_size=20).hexdigest()


def _encoded(value: Any) -> Any:
    """A node as its class, its place and its fields; a tuple as a list that begins with nothing."""
    if isinstance(value, ast.Node):
        s = value.span
        rest = [_encoded(getattr(value, f.name)) for f in fields(value)[1:]]
        return [type(value).__name__, s.line, s.column, s.end_line, s.end_column, *rest]
    return ["", *map(_encoded, value)] if isinstance(value, tuple) else value


def _decoded(data: Any, source: Source) -> Any:
    if not isinstance(data, list):
        return data
    kind, *rest = data
    if not kind:
        return tuple(_decoded(d, source) for d in rest)
    return getattr(ast, kind)(Span(source, *rest[:4]), *(_decoded(d, source) for d in rest[4:]))
