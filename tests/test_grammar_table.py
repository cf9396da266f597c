"""The parser's table that the build keeps parses as the grammar does, and only where it is that grammar's."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import lark
import pytest
from fuzz.subjects import LANGUAGE
from lark import Lark, UnexpectedInput
from wrong_programs import cases, diagnostics
from wrong_programs import files as wrong_files

from tilewright.dsl import grammar
from tilewright.dsl.layout import LayoutError
from tilewright.stdlib import ops

RIGHT = [p.read_text() for p in sorted(Path(ops.__file__).parent.glob("*.tw"))] + list(LANGUAGE)
WRONG = {f"{path.stem}: {case.name}": case for path in wrong_files() for case in cases(path.read_text())}


@pytest.fixture(scope="module")
def made() -> Lark:
    return grammar.made_parser()


@pytest.fixture(scope="module")
def written() -> str:
    return grammar.written_table()


@pytest.fixture(scope="module")
def read(written: str) -> Lark:
    found = grammar.read_table(written)
    assert found is not None
    return found


@pytest.fixture
def fresh() -> Iterator[None]:
    """The parser is made anew in the test, and after it."""
    grammar.parser.cache_clear()
    yield
    grammar.parser.cache_clear()


def outcome(parser: Lark, text: str) -> object:
    """The tree with the places of its nodes, or all that is known of the error."""
    try:
        tree = parser.parse("\n" + text + "\n")
    except UnexpectedInput as e:
        return [type(e), e.line, e.column, getattr(e, "token", None), getattr(e, "accepts", None)]
    except LayoutError as e:
        return [e.message, e.token, e.token.line, e.token.column]
    return tree, [(t.data, vars(t.meta)) for t in tree.iter_subtrees()]


@pytest.mark.parametrize("text", [*RIGHT, *(c.text for c in WRONG.values())])
def test_both_parse_the_same(text: str, made: Lark, read: Lark) -> None:
    assert outcome(read, text) == outcome(made, text)


def test_both_know_the_same_terminals(made: Lark, read: Lark) -> None:
    def known(parser: Lark) -> list[tuple[str, str, int, str]]:
        return sorted((t.name, t.pattern.to_regexp(), t.priority, t.pattern.type) for t in parser.terminals)

    assert known(read) == known(made) and len(known(read)) > 30


def test_what_is_written_is_plain_data(written: str) -> None:
    assert json.dumps(json.loads(written), separators=(",", ":")) == written


@pytest.mark.parametrize("changed", ["grammar", "lark", "options"])
def test_a_table_of_something_else_is_refused(written: str, changed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert grammar.read_table(written) is not None
    if changed == "grammar":
        text = grammar._grammar()
        monkeypatch.setattr(grammar, "_grammar", lambda: text.replace('"where"', '"whose"'))
    elif changed == "lark":
        monkeypatch.setattr(lark, "__version__", "1.3.999")
    else:
        monkeypatch.setattr(grammar, "_OPTIONS", {**grammar._OPTIONS, "start": "op"})
    assert grammar.read_table(written) is None


@pytest.mark.usefixtures("fresh")
@pytest.mark.parametrize("there", ["none", "stale", "current"])
def test_the_parser_is_read_where_it_may_be(
    there: str, written: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Lark] = []
    make = grammar.made_parser
    monkeypatch.setattr(grammar, "files", lambda package: tmp_path)
    monkeypatch.setattr(grammar, "made_parser", lambda: made.append(make()) or made[-1])
    if there != "none":
        (tmp_path / grammar.TABLE).write_text(written.replace('"of":"', '"of":"0') if there == "stale" else written)
    case = next(c for c in WRONG.values() if "syntax error" in c.says)
    assert f"{diagnostics(case.text)[0]}\n" == case.says
    assert len(made) == (there != "current")


def test_the_build_has_written_the_table() -> None:
    built = files("tilewright.dsl") / grammar.TABLE
    if not built.is_file():
        pytest.skip("this copy of the package was not built")
    if grammar.read_table(built.read_text()) is None:
        pytest.skip("the grammar was edited since the build")
    assert grammar.parser().source_path == "<deserialized>"
