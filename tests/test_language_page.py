"""Every snippet of docs/language.md: ops are checked and in canonical layout, calls hold."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import tilewright as tw
from tilewright.compiler.claims import check
from tilewright.compiler.definition import load_ops
from tilewright.dsl.format import format
from tilewright.dsl.parse import parse
from tilewright.stdlib.ops import definitions

PAGE = (Path(__file__).parent.parent / "docs" / "language.md").read_text()
SNIPPETS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
OPS = [text for kind, text in SNIPPETS if kind == "tw"]


def test_kinds_of_snippets() -> None:
    assert {kind for kind, _ in SNIPPETS} == {"tw", "python"}


@pytest.mark.parametrize("text", OPS, ids=lambda t: t.splitlines()[0])
def test_an_op(text: str) -> None:
    assert not check(parse(text), definitions).diagnostics
    assert format(text) == text


def test_the_calls() -> None:
    """In the order of the page: each may use the ops above it."""
    names: dict[str, object] = {"np": np, "tw": tw}
    for kind, text in SNIPPETS:
        if kind == "tw":
            names.update(load_ops(text, "language.md", shared=definitions))
        else:
            exec(compile(text, "language.md", "exec"), names)
