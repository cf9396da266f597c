"""The parser of ``.tw`` and what its grammar says of words: the one list of terminals and keywords."""

from __future__ import annotations

import json
import re
from _blake2 import blake2b
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import lark
from lark import Lark
from lark.grammar import Rule
from lark.lexer import TerminalDef

from tilewright.dsl.layout import Layout

TABLE = "grammar.json"
"""The file in which the build keeps the parser's table, which takes twenty times as long to make as to read."""

_OPTIONS: Mapping[str, Any] = {"parser": "lalr", "start": "module", "propagate_positions": True}


@cache
def parser() -> Lark:
    """The parser that ``grammar.lark`` describes: as the build wrote it, if it did so of this grammar."""
    built = files(__package__) / TABLE
    return (read_table(built.read_text(encoding="utf-8")) if built.is_file() else None) or made_parser()


def made_parser() -> Lark:
    """The parser, made of the grammar."""
    return Lark(_grammar(), postlex=Layout(), **_OPTIONS)


def written_table() -> str:
    """The text from which :func:`read_table` makes the parser."""
    data, memo = made_parser().memo_serialize([TerminalDef, Rule])
    del data["options"]["postlex"]
    return json.dumps({"of": _identity(), "data": data, "memo": memo}, separators=(",", ":"))


def read_table(text: str) -> Lark | None:
    """The parser that :func:`written_table` wrote; None if it was of another grammar or by another version of lark."""
    table = json.loads(text)
    if table["of"] != _identity():
        return None
    data, rows = table["data"], table["data"]["parser"]["parser"]
    rows["tokens"] = _numbered(rows["tokens"])
    rows["states"] = {state: _numbered(actions) for state, actions in _numbered(rows["states"]).items()}
    made: Lark = Lark._load_from_dict(data, _numbered(table["memo"]), postlex=Layout())  # type: ignore[no-untyped-call]
    return made


def _numbered(data: Mapping[str, Any]) -> dict[int, Any]:
    """With the keys that JSON made texts of."""
    return {int(key): value for key, value in data.items()}


def _grammar() -> str:
    return Path(__file__).with_name("grammar.lark").read_text(encoding="utf-8")


def _identity() -> str:
    """What changes when a table of an earlier build is not the grammar's any more."""
    parts = _grammar(), lark.__version__, json.dumps(_OPTIONS)
    return blake2b("\0".join(parts).encode(), digest_size=20).hexdigest()


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
