"""What the parsers of IR text share: grammars, spans, and syntax errors in words."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedInput

from tilewright.dsl.layout import Layout, LayoutError, Nesting
from tilewright.errors import SyntaxUserError
from tilewright.source import Source, Span

Node = Tree[Any] | Token

_WORDS = {"_NEWLINE": "the end of the line", "_INDENT": "an indented block", "_DEDENT": "the end of the block"}
_MAX_EXPECTED = 6
MAX_DIGITS = 50
"""Of a whole number in any text: more than any dtype has, and few enough to compute with."""
MAX_INDEX_DEPTH = 50
"""Of divisions, remainders and extrema inside each other."""

T = TypeVar("T")


@cache
def _parser(grammar: str, starts: tuple[str, ...], layout: bool) -> Lark:
    text = Path(__file__).with_name(grammar).read_text()
    postlex = Layout() if layout else Nesting()
    return Lark(text, parser="lalr", start=list(starts), postlex=postlex, propagate_positions=True)


class Reader:
    """A text on its way to a tree: errors point into it."""

    def __init__(self, text: str, name: str, grammar: str, starts: tuple[str, ...], layout: bool = True) -> None:
        self.source = Source(text, name)
        self._parser = _parser(grammar, starts, layout)
        self._break = "\n" if layout else ""

    def tree(self, start: str) -> Tree[Any]:
        """The tree of the text; SyntaxUserError if it does not follow the grammar."""
        try:
            # the first line break tells the layout the outermost indentation; span() takes it off again
            found = self._parser.parse(self._break + self.source.text + self._break, start=start)
        except LayoutError as e:
            self.fail(e.token, e.message, e.hint)
        except UnexpectedCharacters as e:
            place = Token("CHARACTER", e.char, line=e.line, column=e.column)
            self.fail(place, f"unexpected {e.char!r}, expected {self._expected(e.allowed)}")
        except UnexpectedInput as e:
            token: Token = getattr(e, "token", None) or Token("$END", "")
            shown = _WORDS.get(token.type, f"unexpected {str(token)!r}") if token else "the text ends too early"
            self.fail(
                token, f"{shown}, expected {self._expected(getattr(e, 'accepts', None) or getattr(e, 'expected', ()))}"
            )
        return found

    def built(self, start: str, build: Callable[[Reader, Tree[Any]], T]) -> T:
        """What ``build`` makes of the tree of the text; SyntaxUserError if it is too deep for that."""
        tree = self.tree(start)
        try:
            return build(self, tree)
        except RecursionError:
            self.fail(tree, "this is nested too deeply", "define parts of it: %0 = ...")

    def span(self, node: Node) -> Span:
        """Where ``node`` is in the text."""
        at: Any = node if isinstance(node, Token) else node.meta
        lines = self.source.text.split("\n")
        lead = len(self._break)
        line, column = getattr(at, "line", None), getattr(at, "column", None)
        if line is None or column is None or line - lead > len(lines) or line <= lead:
            last = lines[-1]
            return Span(self.source, len(lines), len(last) + 1, len(lines), len(last) + 2)
        end_line, end_column = getattr(at, "end_line", None) or line, getattr(at, "end_column", None) or column + 1
        return Span(self.source, line - lead, column, end_line - lead, end_column)

    def fail(self, node: Node, message: str, hint: str | None = None) -> NoReturn:
        """Raises SyntaxUserError at ``node``."""
        raise SyntaxUserError(message, self.span(node), hint) from None

    def whole(self, token: Node) -> int:
        """The whole number that the token says."""
        if len(str(token)) > MAX_DIGITS:
            self.fail(token, "this number is too long", f"whole numbers have at most {MAX_DIGITS} digits")
        return int(str(token))

    def string(self, token: Node) -> str:
        """What stands between the quotes of a token."""
        try:
            return str(json.loads(str(token), strict=False))
        except ValueError as e:
            self.fail(token, f"this is no string: {e.args[0].split(':')[0]}", r"escapes are \", \\, \n, \t, \uXXXX")

    def _expected(self, kinds: Any) -> str:
        words = sorted({self._word(k) for k in kinds or ()})
        more = words[_MAX_EXPECTED:]
        return " or ".join(words[:_MAX_EXPECTED]) + (" or ..." if more else "") or "something else"

    def _word(self, kind: str) -> str:
        if kind in _WORDS:
            return _WORDS[kind]
        pattern = next((t.pattern for t in self._parser.terminals if t.name == kind), None)
        return repr(str(pattern.value)) if pattern is not None and pattern.type == "str" else kind.lower()
