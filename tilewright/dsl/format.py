"""The canonical layout of ``.tw`` source: indentation, spaces, blank lines. Comments and the author's lines stay."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from tilewright.dsl.grammar import any_token, keywords
from tilewright.dsl.parse import parse
from tilewright.records import dataclass

WIDTH = 120
_SPACED = {
    "=",
    "+=",
    "max=",
    "min=",
    "->",
    "<-",
    "<",
    ">",
    "<=",
    ">=",
    "==",
    "!=",
    "+",
    "-",
    "|",
    "^",
    "&",
    "<<",
    ">>",
    "@",
}
_AS_WRITTEN = {"*", "/", "//", "%"}
_TIGHT_BEFORE = {",", ";", ":", ")", "]", "?", "."}
_TIGHT_AFTER = {"(", "[", "~", "."}


@dataclass
class _Token:
    text: str
    spaced: bool
    breaks: bool = False
    tight: bool = False


@dataclass
class _Line:
    """A logical line: its tokens, the column it began at, whether a blank line was before it."""

    column: int
    blank_before: bool
    tokens: list[_Token] = field(default_factory=list)
    level: int = 0

    @property
    def is_comment(self) -> bool:
        return len(self.tokens) == 1 and self.tokens[0].text.startswith("#")


def format(text: str, name: str = "<string>") -> str:
    """``text`` in canonical layout; it means the same. SyntaxUserError, which quotes ``name``, if it does not parse."""
    parse(text, name)
    lines = list(_logical_lines(text))
    _set_levels(lines)
    for line in lines:
        _set_tight(line.tokens)
    out: list[str] = []
    for previous, line in zip([None, *lines], lines, strict=False):
        if previous is not None and _blank_between(previous, line):
            out.append("")
        out += _render(line)
    return "\n".join(out) + "\n" if out else ""


# --- logical lines --------------------------------------------------------------------------


def _logical_lines(text: str) -> Iterator[_Line]:
    tokens = [m.group() for m in any_token().finditer(text.replace("\r\n", "\n"))]
    line: _Line | None = None
    depth = column = newlines = 0
    spaced = False
    for at, token in enumerate(tokens):
        if token == "\n":
            newlines, column = newlines + 1, 0
            if line is not None and depth == 0 and not _continues(tokens[at:], line):
                yield line
                line, newlines = None, 1
        elif token.isspace():
            spaced = True
            column += len(token.expandtabs(8))
            continue
        else:
            if line is None:
                line = _Line(column, newlines > 1)
            line.tokens.append(_Token(token, spaced, newlines > 0 and bool(line.tokens)))
            depth += (token in "([") - (token in ")]")
            newlines = 0
        spaced = token == "\n"
    if line is not None:
        yield line


def _continues(rest: Sequence[str], line: _Line) -> bool:
    """Whether the line goes on at a ``->`` that begins the next."""
    following = next((t for t in rest if not t.isspace() and not t.startswith("#")), "")
    return following == "->" and not line.is_comment


def _set_levels(lines: Sequence[_Line]) -> None:
    """Indentation levels; a comment belongs to the block that its column says."""
    columns: list[int] = []
    for n, line in enumerate(lines):
        following = next((x.column for x in lines[n + 1 :] if not x.is_comment), 0)
        if line.is_comment and line.column != following:
            line.level = max(0, sum(c <= line.column for c in columns) - 1)
            continue
        while columns and columns[-1] > line.column:
            columns.pop()
        line.level = len(columns) - 1 if columns and columns[-1] == line.column else len(columns)
        if not line.is_comment and line.level == len(columns):
            columns.append(line.column)


def _set_tight(tokens: Sequence[_Token]) -> None:
    """No spaces around the ``=`` of a keyword in a call."""
    calls: list[bool] = []
    for n, t in enumerate(tokens):
        if t.text in ("(", "["):
            calls.append(t.text == "(" and n > 0 and tokens[n - 1].text.isidentifier())
        elif t.text in (")", "]") and calls:
            calls.pop()
        elif t.text == "=" and calls and calls[-1]:
            t.tight = tokens[n - 2].text in ("(", ",")


def _blank_between(previous: _Line, line: _Line) -> bool:
    """One before each op and the comments on it; in a block where the author has one."""
    if line.level == 0:
        return line.blank_before or not previous.is_comment or previous.level > 0
    return line.blank_before and previous.level >= line.level


# --- rendering ------------------------------------------------------------------------------


def _render(line: _Line) -> list[str]:
    margin = " " * 4 * line.level
    inside = [t for t in line.tokens[:-1] if t.text.startswith("#")]
    whole = margin + _joined(line.tokens, None)
    if not inside and len(whole) <= WIDTH:
        return [whole]
    return [margin + part if n == 0 else part for n, part in enumerate(_pieces(line, margin))]


def _pieces(line: _Line, margin: str) -> Iterator[str]:
    """The line broken where the author broke it, indented by open brackets."""
    depth = 0
    before: _Token | None = None
    piece: list[_Token] = []
    start, indent = None, ""
    for t in line.tokens:
        if t.breaks and piece:
            yield indent + _joined(piece, start)
            start, piece = before, []
            closing = t.text in (")", "]")
            indent = margin + " " * (4 * (depth - closing) if depth else 8)
        depth += (t.text in "([") - (t.text in ")]")
        piece.append(t)
        before = t
    yield indent + _joined(piece, start)


def _joined(tokens: Sequence[_Token], before: _Token | None) -> str:
    """Tokens with canonical spaces between them; ``before`` is what the line before ended in."""
    text = ""
    previous, unary = before, before is None or _expects_value(before.text)
    for n, t in enumerate(tokens):
        if n and (_space(previous, t, unary) or (n == 1 and before is None and tokens[0].text == "where")):
            text += "  " if t.text.startswith("#") else " "
        text += t.text
        after_prefix = _expects_value(previous.text) if previous else True
        unary = t.text in ("-", "*") and after_prefix
        previous = t
    return text


def _expects_value(text: str) -> bool:
    """Whether what follows ``text`` begins a value, so that a ``-`` there is a sign."""
    return text in _SPACED or text in _AS_WRITTEN or text in keywords() or text in ("(", "[", ",", ":", ";", "~")


def _space(previous: _Token | None, t: _Token, unary: bool) -> bool:
    """Whether a space stands between ``previous`` (``unary``: a sign, or the lone ``*``) and ``t``."""
    if previous is None:
        return False
    if t.text.startswith("#") or previous.text.startswith("#"):
        return True
    if (
        t.tight
        or previous.tight
        or t.text in _TIGHT_BEFORE
        or previous.text in _TIGHT_AFTER
        or (unary and previous.text == "-")
    ):
        return False
    if previous.text in (",", ";", ":") or previous.text in _SPACED or previous.text in keywords():
        return previous.text != "where" or t.text != "("  # where(...) is a function
    if t.text in ("(", "[", "..."):
        return t.text != "..." and previous.text in _AS_WRITTEN and previous.spaced
    if t.text in _AS_WRITTEN:
        return t.spaced
    if previous.text in _AS_WRITTEN:
        return previous.spaced
    return True
