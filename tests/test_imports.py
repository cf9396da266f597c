"""Folders import one way, function-local imports included."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "tilewright"
LAYERS = ["records", "source", "errors", "ir", "dsl", "passes", "runtime", "targets", "compiler", "stdlib"]
FACES = {"array_api", "cli", "__init__", "__main__"}
BESIDE = {"testing"}


def layer(module: str) -> str:
    """`tilewright.ir.index` -> `ir`; the package itself is the face `__init__`."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 else "__init__"


def imported(path: Path) -> list[tuple[str, int]]:
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found += [(a.name, node.lineno) for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno}: relative import"
            found += [(f"{node.module}.{a.name}", node.lineno) for a in node.names]
    return [(m, n) for m, n in found if m == "tilewright" or m.startswith("tilewright.")]


def may_import(importer: str, target: str) -> bool:
    if importer in FACES | BESIDE:
        return True
    if importer not in LAYERS or target not in LAYERS:
        return False
    if importer == "runtime":  # the runtime knows no IR
        return target in ("records", "source", "errors", "runtime")
    return LAYERS.index(target) <= LAYERS.index(importer)


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_one_way(path: Path) -> None:
    top = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    wrong = [f"{path}:{line}: {top} imports {m}" for m, line in imported(path) if not may_import(top, layer(m))]
    assert not wrong, "\n".join(wrong)


def test_the_rule_refuses_an_arrow_that_runs_back() -> None:
    assert not may_import("ir", "dsl")
    assert not may_import("runtime", "ir")
    assert not may_import("compiler", "__init__")
    assert may_import("passes", "ir") and may_import("testing", "compiler")
