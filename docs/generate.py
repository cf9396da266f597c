"""Rewrites what the docs quote from the compiler: softmax at every stage; and the stubs of tensors' functions.

    python docs/generate.py          # docs/softmax/*.txt, and the excerpts in docs/architecture.md

The target level is x86-64-v3, so that the texts do not depend on the machine.
"""

from __future__ import annotations

import re
from pathlib import Path

import stubs

import tilewright as tw

DOCS = Path(__file__).parent
TENSOR = Path(tw.__file__).parent / "stdlib" / "tensor"
LINES = {"source": 40, "tensor": 40, "loops": 60, "llvm": 90, "c": 60, "asm": 60}
FROM = {"llvm": 'define void @"softmax_y"', "c": "void kernel_softmax_y(", "asm": "softmax_y:"}
"""Where the excerpt of a long text starts: at the division by the sum."""


def texts() -> dict[str, str]:
    """Per stage the whole text of softmax for f32 rows."""
    op = tw.ops.get("softmax").on("cpu", "x86-64-v3")
    return {stage: op.text(stage).rstrip() + "\n" for stage in LINES}


def excerpt(stage: str, text: str) -> str:
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line.startswith(FROM.get(stage, ""))), 0)
    shown = lines[start : start + LINES[stage]]
    where = f"(lines {start + 1} to {start + len(shown)} of the {len(lines)} in `docs/softmax/{stage}.txt`)"
    return "\n".join(["```", *shown, "```", *([where] if len(shown) < len(lines) else [])])


def page(current: str, stages: dict[str, str]) -> str:
    """``current`` with each block between ``<!-- softmax STAGE -->`` and ``<!-- end -->`` made anew."""

    def fresh(match: re.Match[str]) -> str:
        stage = match.group(1)
        return f"<!-- softmax {stage} -->\n{excerpt(stage, stages[stage])}\n<!-- end -->"

    return re.sub(r"<!-- softmax (\w+) -->.*?<!-- end -->", fresh, current, flags=re.DOTALL)


def files() -> dict[Path, str]:
    """What every generated file should say."""
    stages = texts()
    made = {DOCS / "softmax" / f"{stage}.txt": text for stage, text in stages.items()}
    architecture = DOCS / "architecture.md"
    typed = {TENSOR / "api.pyi": stubs.functions_stub(), TENSOR / "methods.pyi": stubs.methods_stub()}
    return {**made, **typed, architecture: page(architecture.read_text(), stages)}


if __name__ == "__main__":
    for path, text in files().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
