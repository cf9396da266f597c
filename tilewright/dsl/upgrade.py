"""Texts of any edition become texts of the newest."""

from __future__ import annotations

import re

from tilewright.dsl import editions
from tilewright.dsl.format import format
from tilewright.source import Source, Span

_EDITION = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*edition[ \t]+([0-9]+)")


def upgrade(text: str, name: str = "<string>") -> str:
    """``text`` in the newest edition, which it says, in canonical layout; it means the same.

    SyntaxUserError, which quotes ``name``, if there is no such edition as it says, or if it does not parse.
    """
    found = _EDITION.match(text)
    if found is None:
        return format(f"edition {editions.newest()}\n\n{format(text, name)}", name)
    first = editions.known(found[1], _span(text, name, found.start(1), found.end(1)))
    for step in editions.UPGRADES[first - 1 :]:
        text = step(text)
    where = _EDITION.match(text)
    if where is not None:
        text = f"{text[: where.start(1)]}{editions.newest()}{text[where.end(1) :]}"
    return format(text, name)


def _span(text: str, name: str, start: int, end: int) -> Span:
    line, column = text.count("\n", 0, start) + 1, start - text.rfind("\n", 0, start)
    return Span(Source(text, name), line, column, line, column + end - start)
