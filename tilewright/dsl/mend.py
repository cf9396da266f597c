"""Edits that mend a program: what the remedies of diagnostics come to in the text."""

from __future__ import annotations

import re

from tilewright.source import Edit, Span

Fix = tuple[Edit, ...]

_OPEN, _CLOSE = "([", ")]"


def replaced(span: Span, text: str) -> Fix:
    return (Edit(span, text),)


def wrapped(span: Span, before: str, after: str = ")") -> Fix:
    return Edit(span.start, before), Edit(span.end, after)


def behind(span: Span, text: str) -> Fix:
    return (Edit(span.end, text),)


def between(left: Span, right: Span, old: str, new: str) -> Fix:
    """``new`` for the operator ``old`` that stands between two operands."""
    first, last = left.offsets[1], right.offsets[0]
    at = left.source.text.find(old, first, last)
    return replaced(stretch(left, at, at + len(old)), new) if at >= 0 else ()


def stretch(near: Span, first: int, last: int) -> Span:
    """The span between two offsets of the source of ``near``."""
    text = near.source.text
    places = ((text.count("\n", 0, n) + 1, n - text.rfind("\n", 0, n)) for n in (first, last))
    (line, column), (end_line, end_column) = places
    return Span(near.source, line, column, end_line, end_column)


def element(name: Span) -> Span | None:
    """``name[...]``, of which ``name`` is the first part."""
    text, (first, last) = name.source.text, name.offsets
    if text[last : last + 1] != "[":
        return None
    end = _partner(text, last, 1)
    return None if end is None else stretch(name, first, end + 1)


def enclosing_element(index: Span) -> Span | None:
    """``name[..., index, ...]``, of which ``index`` is a part."""
    text, (first, last) = index.source.text, index.offsets
    opening, closing = _partner(text, first, -1), _partner(text, last - 1, 1)
    if opening is None or closing is None or text[opening] != "[":
        return None
    name = re.search(r"\w+$", text[:opening])
    return stretch(index, name.start(), closing + 1) if name else None


def _partner(text: str, at: int, way: int) -> int | None:
    """From ``at`` on, that excluded, the first bracket that closes (``way`` 1) or opens (-1) more than is balanced."""
    up, down = (_OPEN, _CLOSE) if way == 1 else (_CLOSE, _OPEN)
    depth, at = 0, at + way
    while 0 <= at < len(text):
        depth += (text[at] in up) - (text[at] in down)
        if depth < 0:
            return at
        at += way
    return None


def bracketed(name: Span) -> Fix:
    """``x[i]`` for ``x(i)``."""
    text, last = name.source.text, name.offsets[1]
    end = _partner(text, last, 1)
    if end is None:
        return ()
    return Edit(stretch(name, last, last + 1), "["), Edit(stretch(name, end, end + 1), "]")


def whole_call(call: Span) -> Fix:
    """``p = op(x)`` for ``p[i, j] = op(x)``, of which ``op(x)`` is the call."""
    line = call.source.line(call.line)
    found = re.match(r"\s*\w+(\[[^\[\]]*\])\s*=\s*", line)
    if not found or found.end() != call.column - 1 or not re.fullmatch(r"\w+\([\w\s,]*\)", call.text):
        return ()
    return replaced(Span(call.source, call.line, found.start(1) + 1, call.line, found.end(1) + 1), "")


def left_out(item: Span) -> Fix:
    """An item of a list goes, and the comma in front of it or, of the first one, the comma behind."""
    text, (first, last) = item.source.text, item.offsets
    before, after = re.search(r",\s*$", text[:first]), re.match(r"\s*,\s*", text[last:])
    if before:
        return replaced(stretch(item, before.start(), last), "")
    return replaced(stretch(item, first, last + after.end()), "") if after else replaced(item, "")


def moved(parameter: Span, star: Span | None, before: bool) -> Fix:
    """A parameter on the other side of the star, which may be missing."""
    if star is None:
        return replaced(parameter.start, "*, ")
    there = Edit(star.start, f"{parameter.text}, ") if before else Edit(star.end, f", {parameter.text}")
    return (there, *left_out(parameter))


def at_line_end(near: Span, text: str) -> Fix:
    """``text`` behind what stands on the line, comments left out."""
    column = len(near.source.line(near.line).partition("#")[0].rstrip()) + 1
    return replaced(Span(near.source, near.line, column, near.line, column), text)


def guarded(read: Span | None, otherwise: str = "0") -> Fix:
    """``(x[i] else 0)`` for the read ``x[i]``."""
    return wrapped(read, "(", f" else {otherwise})") if read else ()
