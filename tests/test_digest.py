"""Trees kept from the build are the trees that parsing gives, and are used for just the texts they were made of."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

import pytest
from fuzz.subjects import LANGUAGE

from tilewright.dsl import digest as digests
from tilewright.dsl import syntax as ast
from tilewright.dsl.digest import Digest, digest
from tilewright.dsl.parse import parse
from tilewright.stdlib import ops

TEXTS = {
    **{p.name: p.read_text() for p in Path(ops.__file__).parent.glob("*.tw")},
    **{f"language{n}.tw": text for n, text in enumerate(LANGUAGE)},
}


def places(module: ast.Module) -> list[tuple[str, str]]:
    return [(type(n).__name__, f"{n.span} {n.span.end_line} {n.span.end_column}") for n, _ in ast.walk(*module.ops)]


@pytest.mark.parametrize("name", TEXTS)
def test_a_digest_gives_back_what_was_parsed(name: str) -> None:
    parsed = parse(TEXTS[name], name)
    kept = Digest(digest({name: parsed})).module(TEXTS[name], name)
    assert kept is not None and kept == parsed
    assert places(kept) == places(parsed) and kept.source == parsed.source


def test_an_edited_text_is_not_in_the_digest() -> None:
    text = TEXTS["softmax.tw"]
    kept = Digest(digest({"softmax.tw": parse(text)}))
    assert kept.module(text.replace("exp", "log"), "softmax.tw") is None
    assert kept.module(text, "other.tw") is None


def test_a_digest_of_another_language_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    text = TEXTS["softmax.tw"]
    made = digest({"softmax.tw": parse(text)})
    assert Digest(made).module(text, "softmax.tw") is not None
    monkeypatch.setattr(digests, "fingerprint", lambda: "another")
    assert Digest(made).module(text, "softmax.tw") is None


def test_the_shipped_ops_were_digested_by_the_build() -> None:
    built = files("tilewright.stdlib.ops") / "digest.json"
    if not built.is_file():
        pytest.skip("this copy of the package was not built")
    kept = Digest(built.read_text())
    if not kept._files:
        pytest.skip("the language was edited since the build")
    known = [n for n in TEXTS if not n.startswith("language") and kept.module(TEXTS[n], n) is not None]
    assert known
