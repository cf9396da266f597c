"""The files of the shipped operators, and what the build has written about them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import TypeVar

from tilewright.dsl import header
from tilewright.dsl.header import Header

HEADERS, TREES = "headers.jsonl", "digest.jsonl"

T = TypeVar("T")


class Made(Mapping[str, T]):
    """By name, each made when it is asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], T]]) -> None:
        self._makers = makers
        self._made: dict[str, T] = {}

    def __getitem__(self, name: str) -> T:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)

    def __contains__(self, name: object) -> bool:
        return name in self._makers


@cache
def _folder() -> Mapping[str, Traversable]:
    return {file.name: file for file in files(__package__).iterdir() if file.is_file()}


def text(name: str) -> str | None:
    """The text of a file of the folder; None if it is not there."""
    return _folder()[name].read_text(encoding="utf-8") if name in _folder() else None


@cache
def texts() -> Mapping[str, str]:
    """The sources by file name."""
    return {name: str(text(name)) for name in sorted(_folder()) if name.endswith(".tw")}


def built_headers() -> Mapping[str, Header]:
    """The headers of all ops by name, as the build wrote them; none if it saw other files."""
    written = text(HEADERS)
    return Made({} if written is None else header.read(written, texts()))
