"""Trees kept from the build are the trees that parsing gives, and are used for just the texts they were made of."""

from __future__ import annotations

import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from fuzz.subjects import LANGUAGE

import tilewright
from tilewright.dsl import digest as digests
from tilewright.dsl import syntax as ast
from tilewright.dsl.digest import Digest, digest
from tilewright.dsl.grammar import TABLE
from tilewright.dsl.parse import parse
from tilewright.runtime import _core
from tilewright.stdlib import ops
from tilewright.stdlib.ops.folder import TREES

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
    built = files("tilewright.stdlib.ops") / TREES
    if not built.is_file():
        pytest.skip("this copy of the package was not built")
    kept = Digest(built.read_text())
    if not kept._files:
        pytest.skip("the language was edited since the build")
    known = [n for n in TEXTS if not n.startswith("language") and kept.module(TEXTS[n], n) is not None]
    assert known


# --- a package as it is installed -----------------------------------------------------------------

ROOT = Path(__file__).parents[1]
PRELUDE = """\
import sys
sys.meta_path[:] = [f for f in sys.meta_path if not type(f).__name__.startswith("ScikitBuild")]
sys.path.insert(0, sys.argv[1])
import numpy as np
import tilewright as tw
from tilewright.dsl import grammar, reading
from tilewright.dsl import parse as parsing
assert parsing.__file__.startswith(sys.argv[1])
parsed, parse = [], parsing.parse
parsing.parse = lambda text, name: parsed.append(name) or parse(text, name)
y = tw.ops.softmax(np.zeros(4, np.float32))
built = grammar.parser.cache_info().currsize + reading._parser.cache_info().currsize
print(len(tw.ops.names()), parsed, built, y.tolist())
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package, its extension and the digest that the build writes."""
    folder = tmp_path_factory.mktemp("installed")
    package = folder / "tilewright"
    shutil.copytree(Path(tilewright.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(_core.__file__, package / "runtime")
    read = package / "stdlib" / "ops"
    subprocess.run([sys.executable, ROOT / "cmake" / "digest.py", read], check=True, timeout=300)
    (read / TABLE).rename(package / "dsl" / TABLE)
    return folder


def run(folder: Path) -> str:
    command = [sys.executable, "-c", PRELUDE, str(folder)]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout.strip()


def test_using_shipped_ops_parses_nothing(installed: Path) -> None:
    """No parser is even built: not by importing, not by compiling and calling an op."""
    assert run(installed) == f"{len(ops.names())} [] 0 {[0.25] * 4}"


def test_an_edited_file_is_picked_up(installed: Path) -> None:
    """It alone is parsed; the others still come from the digest."""
    file = installed / "tilewright" / "stdlib" / "ops" / "softmax.tw"
    text = file.read_text()
    try:
        file.write_text(text.replace("= e[..., c] / s[...]", "= 2 * e[..., c] / s[...]", 1))
        assert run(installed) == f"{len(ops.names())} ['softmax.tw'] 1 {[0.5] * 4}"
        file.write_text(text)
        assert run(installed) == f"{len(ops.names())} [] 0 {[0.25] * 4}"
    finally:
        file.write_text(text)
