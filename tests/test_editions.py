"""Editions, and `tilewright fmt --upgrade`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tilewright.cli import main
from tilewright.dsl import editions
from tilewright.dsl.parse import parse
from tilewright.dsl.upgrade import upgrade
from tilewright.errors import SyntaxUserError
from tilewright.stdlib import ops

OP = "op f(x: f32[N]) -> y: f32[N]:\n    y[i] = x[i]\n"
NEWEST = f"edition 1\n\n{OP}"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (NEWEST, NEWEST),
        (OP, NEWEST),
        (f"  # of f\n  {OP.replace(chr(10) + '    ', chr(10) + '      ')}", f"edition 1\n\n# of f\n{OP}"),
        (f"# a file\n\n# of it\nedition   1\n{OP}", f"# a file\n\n# of it\nedition 1\n\n{OP}"),
        ("", "edition 1\n"),
    ],
    ids=["as it is", "no edition", "indented", "comments", "empty"],
)
def test_upgrade(text: str, wanted: str) -> None:
    assert upgrade(text) == wanted == upgrade(wanted)
    assert parse(wanted).ops == parse(text).ops


def renamed(old: str, new: str):  # type: ignore[no-untyped-def]
    return lambda text: text.replace(old, new)


def test_later_editions(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the language had changed twice: each file goes the steps that it has not gone yet."""
    monkeypatch.setattr(editions, "UPGRADES", (renamed("f32", "f64"), renamed("f64", "i64")))
    assert upgrade(NEWEST) == NEWEST.replace("edition 1", "edition 3").replace("f32", "i64")
    assert upgrade(NEWEST.replace("edition 1", "edition 2")) == NEWEST.replace("edition 1", "edition 3")
    assert upgrade(OP) == NEWEST.replace("edition 1", "edition 3")
    with pytest.raises(SyntaxUserError) as caught:
        parse(NEWEST)
    assert (caught.value.message, caught.value.hint) == (
        "this is edition 1, and the newest is 3",
        "`tilewright fmt --upgrade FILE` rewrites a file",
    )


@pytest.mark.parametrize("number", ["0", "2", "9" * 5000])
@pytest.mark.parametrize("read", [parse, upgrade])
def test_an_edition_that_is_not_known(number: str, read) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SyntaxUserError) as caught:
        read(f"# a remark\nedition {number}\n{OP}")
    e = caught.value
    assert (e.message, e.hint) == (
        f"there is no edition {number}",
        "write `edition 1`, or use a newer Tilewright",
    )
    assert e.span is not None
    assert (e.span.line, e.span.column, e.span.end_column) == (2, 9, 9 + len(number))


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new, strange, broken = (tmp_path / f"{name}.tw" for name in ("old", "new", "strange", "broken"))
    old.write_text(OP)
    old.chmod(0o640)
    new.write_text(NEWEST)
    strange.write_text(NEWEST.replace("edition 1", "edition 5"))
    broken.write_text(f"{OP}op")
    assert main(["fmt", "--upgrade", "--check", str(old), str(new)]) == 1
    assert (capsys.readouterr().out, old.read_text()) == (f"would change {old}\n", OP)
    assert main(["fmt", str(old)]) == 0 and old.read_text() == OP
    assert main(["fmt", "--upgrade", str(old), str(new)]) == 0
    assert capsys.readouterr().out == f"changed {old}\n"
    assert old.read_text() == new.read_text() == NEWEST
    assert old.stat().st_mode & 0o777 == 0o640
    for path in (strange, broken):
        before = path.read_bytes()
        assert main(["fmt", "--upgrade", str(path)]) == 1
        assert path.read_bytes() == before
    assert f"{strange}:1:9: syntax error: there is no edition 5" in capsys.readouterr().err
    assert sorted(p.name for p in tmp_path.iterdir()) == ["broken.tw", "new.tw", "old.tw", "strange.tw"]


@pytest.mark.parametrize("path", sorted(Path(ops.__file__).parent.glob("*.tw")), ids=lambda p: p.stem)
def test_shipped_files_are_of_the_newest_edition(path: Path) -> None:
    text = path.read_text()
    assert "edition 1" in text and upgrade(text) == text
