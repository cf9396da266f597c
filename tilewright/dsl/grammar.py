"""The parser of ``.tw`` and what its grammar says of words: the one list of terminals and keywords."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from lark import Lark

from tilewright.dsl.layout import Layout


@cache
def parser() -> Lark:
    """The parser that ``grammar.lark`` describes."""
    grammar = Path(__file__).with_name("grammar.lark").read_text()
    return Lark(grammar, parser="lalr", start="module", postlex=Layout(), propagate_positions=True)


@cache
def terminals() -> Mapping[str, str]:
    """The terminals that are written out, by name: regular expressions, in the order in which they are tried."""
    found = [t for t in parser().terminals if t.pattern.value]
    found.sort(key=lambda t: (-t.priority, t.pattern.type == "str", -t.pattern.max_width, t.name))
    return {t.name: t.pattern.to_regexp() for t in found}


@cache
def keywords() -> frozenset[str]:
    """The words that are no names (``down`` and ``equals`` are words of their own in one place only).

    >>> sorted(keywords())[:4]
    ['and', 'edition', 'elif', 'else']
    """
    words = {t.pattern.value for t in parser().terminals if t.pattern.type == "str" and t.pattern.value.isalpha()}
    return frozenset(w for w in words if not re.fullmatch(terminals()["NAME"], w))


@cache
def any_token() -> re.Pattern[str]:
    """Matches one token of ``.tw``; its group is called as the terminal is.

    Apart from those of the grammar there are BREAK (of a line), SPACE, and OTHER, a character that begins no token.
    """
    layout = {"BREAK": "\\n", "SPACE": "[ \\t]+", "COMMENT": terminals()["COMMENT"]}
    tokens = {
        name: p for name, p in terminals().items() if name not in ("_NEWLINE", "CONTINUATION", "BLANK", "COMMENT")
    }
    return re.compile("|".join(f"(?P<{name}>{p})" for name, p in {**layout, **tokens, "OTHER": "."}.items()))
