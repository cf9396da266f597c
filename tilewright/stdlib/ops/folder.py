"""The files of the shipped operators, and what the build has written about them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from tilewright.dsl.header import Header, stamp

HEADERS, TREES = "headers.json", "digest.json"


@cache
def _folder() -> Mapping[str, Traversable]:
    return {file.name: file for file in files(__package__).iterdir() if file.is_file()}


def text(name: str) -> str | None:
    """The text of a file of the folder; None if it is not there."""
    return _folder()[name].read_text(encoding="utf-8") if name in _folder() else None


def texts() -> dict[str, str]:
    """The sources by file name."""
    return {name: str(text(name)) for name in sorted(_folder()) if name.endswith(".tw")}


def built_headers(sources: Mapping[str, str]) -> dict[str, Header]:
    """The headers of all ops by name, as the build wrote them; none if it saw other files."""
    data = json.loads(text(HEADERS) or '{"stamp": ""}')
    if data["stamp"] != stamp(sources):
        return {}
    return {h[0]: Header.of_json(h) for h in data["headers"]}
