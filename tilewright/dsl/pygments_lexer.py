"""Highlighting of ``.tw`` by Pygments, which finds this lexer by itself; ``tilewright[pygments]`` installs it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pygments.lexer import Lexer
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, Punctuation, String, Whitespace

from tilewright.dsl.grammar import any_token, keywords
from tilewright.dsl.program import LITERALS
from tilewright.dsl.reductions import NAMED
from tilewright.ir.scalar import OPS
from tilewright.ir.types import BY_NAME, CONSTRAINTS

_KINDS: Mapping[str, Any] = {
    "SPACE": Whitespace,
    "BREAK": Whitespace,
    "COMMENT": Comment.Single,
    "OTHER": Error,
    "STRING": String.Double,
    "INT": Number.Integer,
    "BYTES": Number.Integer,
    "FLOAT": Number.Float,
}
_DECLARES = {"op": Name.Function, "schedule": Name.Function}
_LOGIC = {"and", "or", "not"}
_PUNCTUATION = set("()[],:;.")
_BUILTINS = {*NAMED, "fold", "scan", *(op for op, info in OPS.items() if info.result != "given" and not info.text)}


class TilewrightLexer(Lexer):  # type: ignore[misc]
    """Tokens as the grammar has them; what is no token of it is an ``Error``.

    >>> [text for kind, text in TilewrightLexer().get_tokens("op f(x: f32[N])") if kind in Keyword]
    ['op', 'f32']
    """

    name = "Tilewright"
    aliases = ["tilewright", "tw"]
    filenames = ["*.tw"]

    def get_tokens_unprocessed(self, text: str) -> Iterator[tuple[int, Any, str]]:
        """Each token with its place and kind, in order; together they are ``text``."""
        before = ""
        for match in any_token().finditer(text):
            word = match.group()
            yield match.start(), _kind(str(match.lastgroup), word, before), word
            before = before if word.isspace() else word


def _kind(terminal: str, word: str, before: str) -> Any:
    """The kind of ``word``, which matches ``terminal``, after the word ``before``."""
    if terminal in _KINDS:
        return _KINDS[terminal]
    if word in keywords():
        return Operator.Word if word in _LOGIC else Keyword
    if terminal != "NAME":
        return Punctuation if word in _PUNCTUATION else Operator
    if before in _DECLARES:
        return _DECLARES[before]
    if word in BY_NAME or word in CONSTRAINTS:
        return Keyword.Type
    return Keyword.Constant if word in LITERALS else Name.Builtin if word in _BUILTINS else Name
