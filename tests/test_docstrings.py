"""Public names are documented, and the examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import pytest

import tilewright as tw

MODULES = [m.name for m in pkgutil.walk_packages(tw.__path__, "tilewright.") if not m.name.endswith("__main__")]


def examples(module: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module))
    return [t for t in found if t.examples]


@pytest.mark.parametrize("module", [m for m in MODULES if examples(m)])
def test_examples_run(module: str) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in examples(module):
        assert runner.run(test).failed == 0, f"{test.name}: see the output above"


def test_the_ways_to_make_an_op_have_an_example() -> None:
    assert {"tilewright.compiler.op", "tilewright.compiler.trace"} <= {m for m in MODULES if examples(m)}


@pytest.mark.parametrize("name", [n for n in tw.__all__ if callable(getattr(tw, n))])
def test_public_names_are_documented(name: str) -> None:
    doc = inspect.getdoc(getattr(tw, name))
    assert doc and len(doc) > 20, name


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are(module: str) -> None:
    assert importlib.import_module(module).__doc__
