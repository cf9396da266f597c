"""The Pygments lexer: its tokens are those of the grammar."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, Punctuation, String, Token, Whitespace

from tilewright.dsl.grammar import keywords, parser, terminals
from tilewright.dsl.pygments_lexer import TilewrightLexer
from tilewright.stdlib import ops

FILES = sorted(Path(ops.__file__).parent.glob("*.tw"))
PAGE = (Path(__file__).parents[1] / "docs" / "language.md").read_text()


def kinds(text: str) -> list[tuple[Any, str]]:
    return [(kind, word) for _, kind, word in TilewrightLexer().get_tokens_unprocessed(text) if kind is not Whitespace]


def test_pygments_finds_it() -> None:
    assert isinstance(get_lexer_by_name("tilewright"), TilewrightLexer)
    assert isinstance(get_lexer_for_filename("a.tw"), TilewrightLexer)


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_shipped_files(path: Path) -> None:
    """No errors, nothing lost, and the words that the parser's own lexer sees."""
    text = path.read_text()
    found = list(TilewrightLexer().get_tokens_unprocessed(text))
    assert "".join(word for _, _, word in found) == text
    assert all(text[at:].startswith(word) for at, _, word in found)
    words = [word for kind, word in kinds(text) if kind not in Comment]
    seen = [t for t in parser().lex(f"\n{text}\n") if t.type.startswith("__ANON") or t.type[0] != "_"]
    assert words == [str(t) for t in seen]
    assert Error not in {kind for _, kind, _ in found}


@pytest.mark.parametrize("text", re.findall(r"^```tw\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
def test_the_snippets_of_the_page(text: str) -> None:
    assert Error not in {kind for kind, _ in kinds(text)}


def test_kinds() -> None:
    text = (
        'op f[T: float](x: T[A..., N]?, *, m: "a" | "b" = "a") -> y: f32[]: # why\n    y[] = sum[i](exp(x[i]) // 1.5e3)'
    )
    assert kinds(text) == [
        (Keyword, "op"), (Name.Function, "f"), (Punctuation, "["), (Name, "T"), (Punctuation, ":"),
        (Keyword.Type, "float"), (Punctuation, "]"), (Punctuation, "("), (Name, "x"), (Punctuation, ":"), (Name, "T"),
        (Punctuation, "["), (Name, "A"), (Operator, "..."), (Punctuation, ","), (Name, "N"), (Punctuation, "]"),
        (Operator, "?"), (Punctuation, ","), (Operator, "*"), (Punctuation, ","), (Name, "m"), (Punctuation, ":"),
        (String.Double, '"a"'), (Operator, "|"), (String.Double, '"b"'), (Operator, "="), (String.Double, '"a"'),
        (Punctuation, ")"), (Operator, "->"), (Name, "y"), (Punctuation, ":"), (Keyword.Type, "f32"),
        (Punctuation, "["), (Punctuation, "]"), (Punctuation, ":"), (Comment.Single, "# why"),
        (Name, "y"), (Punctuation, "["), (Punctuation, "]"), (Operator, "="), (Name.Builtin, "sum"),
        (Punctuation, "["), (Name, "i"), (Punctuation, "]"), (Punctuation, "("), (Name.Builtin, "exp"),
        (Punctuation, "("), (Name, "x"), (Punctuation, "["), (Name, "i"), (Punctuation, "]"), (Punctuation, ")"),
        (Operator, "//"), (Number.Float, "1.5e3"), (Punctuation, ")"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        *((w, Operator.Word if w in ("and", "or", "not") else Keyword) for w in sorted(keywords())),
        ("1MiB", Number.Integer), ("12", Number.Integer), (".5", Number.Float), ("1.", Number.Float),
        ("true", Keyword.Constant), ("inf", Keyword.Constant), ("opening", Name), ("fold", Name.Builtin),
        ("bf16", Keyword.Type), ("+=", Operator), ("max=", Operator), ("<-", Operator), ("<<", Operator),
        ("!=", Operator), (";", Punctuation), ("$", Error), ('"', Error), ("é", Error),
    ],
)  # fmt: skip
def test_words(word: str, kind: Any) -> None:
    assert kinds(word) == [(kind, word)]


def test_names_are_no_keywords() -> None:
    """The one list of words that the grammar itself needs twice."""
    listed = re.match(r"\(\?!\(([a-z|]+)\)", terminals()["NAME"])
    assert listed is not None and set(listed[1].split("|")) == keywords()


@settings(max_examples=50, deadline=None)
@given(st.text(st.sampled_from('op if elseN1.5e3"#$ \n\t[](),:;<=->|&^~*/%+é')))
def test_any_text_is_cut_into_tokens(text: str) -> None:
    found = list(TilewrightLexer().get_tokens_unprocessed(text))
    assert "".join(word for _, _, word in found) == text
    assert all(kind in Token for _, kind, _ in found)
