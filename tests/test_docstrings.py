"""Public names are documented, and the examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil

import numpy as np
import pytest

import tilewright as tw
from tilewright.runtime import Tensor as CoreTensor

MEMBERS = [n for n in vars(CoreTensor) if not n.startswith("__")]
GIVEN = {"tw": tw, "np": np}
"""What examples of the core need not import."""

MODULES = [m.name for m in pkgutil.walk_packages(tw.__path__, "tilewright.") if not m.name.endswith("__main__")]


def examples(module: str) -> list[doctest.DocTest]:
    found = doctest.DocTestFinder(exclude_empty=True).find(importlib.import_module(module), extraglobs=GIVEN)
    return [t for t in found if t.examples]


@pytest.mark.parametrize("module", [m for m in MODULES if examples(m)])
def test_examples_run(module: str) -> None:
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    for test in examples(module):
        assert runner.run(test).failed == 0, f"{test.name}: see the output above"


@pytest.mark.parametrize("name", MEMBERS)
def test_what_tensors_have_is_documented_with_an_example(name: str) -> None:
    test = doctest.DocTestParser().get_doctest(getattr(CoreTensor, name).__doc__, {}, name, None, None)
    assert test.examples, f"{name} has no example"
    if callable(getattr(CoreTensor, name)):
        assert inspect.signature(getattr(CoreTensor, name))


def test_the_ways_to_make_an_op_have_an_example() -> None:
    assert {"tilewright.compiler.op", "tilewright.compiler.trace"} <= {m for m in MODULES if examples(m)}


@pytest.mark.parametrize("name", [n for n in tw.__all__ if callable(getattr(tw, n))])
def test_public_names_are_documented(name: str) -> None:
    doc = inspect.getdoc(getattr(tw, name))
    assert doc and len(doc) > 20, name


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are(module: str) -> None:
    assert importlib.import_module(module).__doc__
