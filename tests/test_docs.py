"""The docs quote what the compiler prints today; README's example runs."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "docs"))

import generate  # noqa: E402


@pytest.mark.parametrize("stage", generate.LINES)
def test_quoted_stage_is_current(stage: str) -> None:
    wanted = generate.files()[generate.DOCS / "softmax" / f"{stage}.txt"]
    assert (generate.DOCS / "softmax" / f"{stage}.txt").read_text() == wanted, "run make docs"


def test_architecture_page_is_current() -> None:
    page = generate.DOCS / "architecture.md"
    assert page.read_text() == generate.files()[page], "run make docs"
    assert len(re.findall(r"<!-- softmax \w+ -->", page.read_text())) == len(generate.LINES)


@pytest.mark.parametrize("name", ["api.pyi", "methods.pyi"])
def test_stubs_are_current(name: str) -> None:
    assert (generate.TENSOR / name).read_text() == generate.files()[generate.TENSOR / name], "run make docs"


def test_the_example_of_the_readme_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out.startswith("op softmax(x: f32[")
