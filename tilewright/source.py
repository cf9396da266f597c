"""Source texts and the spans that point into them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from tilewright.records import dataclass

_LONGEST = 200


@dataclass(frozen=True)
class Source:
    """A text and the name under which errors quote it."""

    text: str = field(repr=False)
    name: str = "<string>"

    def line(self, number: int) -> str:
        """Line ``number`` (from 1), without its newline; empty past the end."""
        lines = self.text.split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else ""


@dataclass(frozen=True)
class Span:
    """A stretch of a source, lines and columns counted from 1, ``end_column`` exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    def __str__(self) -> str:
        return f"{self.source.name}:{self.line}:{self.column}"

    @property
    def end(self) -> Span:
        """The empty span behind this one."""
        return Span(self.source, self.end_line, self.end_column, self.end_line, self.end_column)

    @property
    def start(self) -> Span:
        """The empty span in front of this one."""
        return Span(self.source, self.line, self.column, self.line, self.column)

    @property
    def text(self) -> str:
        """What stands there."""
        first, last = self.offsets
        return self.source.text[first:last]

    @property
    def offsets(self) -> tuple[int, int]:
        """Where it begins and ends in the text, counted in characters from 0."""
        lines = self.source.text.split("\n")
        places = (self.line, self.column), (self.end_line, self.end_column)
        first, last = (sum(len(text) + 1 for text in lines[: line - 1]) + column - 1 for line, column in places)
        return first, max(first, last)

    def snippet(self) -> str:
        """The first line of the span with carets under it; of a very long line, the part around them."""
        text = self.source.line(self.line)
        last = self.end_column if self.end_line == self.line else len(text) + 1
        if len(text) > _LONGEST:
            start = max(0, self.column - 1 - _LONGEST // 2)
            text, last = text[start : start + _LONGEST], min(last - start, _LONGEST + 1)
            margin = " " * (self.column - 1 - start)
            return f"    {text}\n    {margin}{'^' * max(1, last - len(margin) - 1)}"
        margin = "".join("\t" if c == "\t" else " " for c in text[: self.column - 1])
        return f"    {text}\n    {margin}{'^' * max(1, last - self.column)}"


@dataclass(frozen=True)
class Edit:
    """What takes the place of a stretch of a source; an empty stretch is a place to put it."""

    span: Span
    text: str


def edited(text: str, edits: Iterable[Edit]) -> str:
    """``text`` with all of ``edits`` made; their spans do not overlap."""
    for edit in sorted(edits, key=lambda e: e.span.offsets, reverse=True):
        first, last = edit.span.offsets
        text = text[:first] + edit.text + text[last:]
    return text
