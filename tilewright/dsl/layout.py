"""Lines and indentation become tokens, except inside brackets."""

from __future__ import annotations

from collections.abc import Iterator

from lark import Token
from lark.lark import PostLex

MAX_NESTING = 200
_OPEN = {"(", "["}
_CLOSE = {")", "]"}


class LayoutError(Exception):
    """A line whose indentation, or a bracket whose depth, is wrong."""

    def __init__(self, token: Token, message: str, hint: str) -> None:
        super().__init__(message)
        self.token = token
        self.message = message
        self.hint = hint


class Nesting(PostLex):
    """Passes the tokens on; LayoutError where brackets are nested too deep."""

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        depth = 0
        for token in stream:
            depth += (token in _OPEN) - (token in _CLOSE)
            if depth > MAX_NESTING:
                raise _too_deep(token)
            yield token


def _too_deep(token: Token) -> LayoutError:
    return LayoutError(token, f"brackets are nested over {MAX_NESTING} deep", "name a part of it")


class Layout(PostLex):
    """Keeps ``_NEWLINE`` at the end of statements and adds ``_INDENT`` and ``_DEDENT``.

    The first line sets the indentation of the outermost level, so an indented text is fine as a whole.
    """

    always_accept = ("_NEWLINE",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        brackets: list[Token] = []
        levels: list[int] = []
        token = None
        for token in stream:
            if token.type == "_NEWLINE":
                if not brackets:
                    yield from _line(token, levels)
                continue
            if token in _OPEN:
                brackets.append(token)
            elif token in _CLOSE and brackets:
                brackets.pop()
            if len(brackets) > MAX_NESTING:
                raise _too_deep(token)
            yield token
        if brackets:
            raise LayoutError(brackets[-1], f"this {str(brackets[-1])!r} is never closed", "close it")
        for _ in levels[1:]:
            yield _like(token, "_DEDENT")


def _line(token: Token, levels: list[int]) -> Iterator[Token]:
    """The tokens for the end of a line and the indentation of the next."""
    margin = token.rsplit("\n", 1)[1]
    indent = 0 if "#" in margin else len(margin.expandtabs(8))  # a comment here ends the text
    if not levels:
        levels.append(indent)
        return
    indent = max(indent, levels[0])
    yield token
    if indent > levels[-1]:
        levels.append(indent)
        if len(levels) > MAX_NESTING:
            raise LayoutError(token, f"statements are nested over {MAX_NESTING} deep", "use fewer `if`s")
        yield _like(token, "_INDENT")
    while indent < levels[-1] and len(levels) > 1:
        levels.pop()
        yield _like(token, "_DEDENT")
    if indent != levels[-1]:
        raise LayoutError(
            token,
            "this line is indented less than its block, but not as any block around it",
            "indent it like the line that it belongs under",
        )


def _like(token: Token | None, kind: str) -> Token:
    return Token(kind, "") if token is None else Token.new_borrow_pos(kind, "", token)
