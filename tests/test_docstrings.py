"""Public names are documented, and the examples in docstrings run."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re

import numpy as np
import pytest

import tilewright as tw
from tilewright.runtime import Tensor as CoreTensor
from tilewright.runtime._core import Function
from tilewright.stdlib.tensor import creation, functions, indexing, joining, random, sequences, special, statistics

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


METHODS = [n for n in dir(tw.Tensor) if not n.startswith("_") and not isinstance(getattr(tw.Tensor, n), Function)]
"""Those that are made of ops are looked at in test_functions.py."""


@pytest.mark.parametrize("name", METHODS)
def test_methods_have_an_example_that_runs(name: str) -> None:
    doc = inspect.getdoc(getattr(tw.Tensor, name))
    test = doctest.DocTestParser().get_doctest(doc or "", dict(GIVEN), name, None, None)
    assert test.examples, f"{name} has no example"
    assert doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test).failed == 0


ROOMS = (creation, indexing, joining, random, sequences, special, statistics)
WRITTEN = {n: getattr(room, n) for room in ROOMS for n in room.__all__ if n != "get_default_dtype"}


@pytest.mark.parametrize("name", WRITTEN)
def test_functions_say_dtypes_errors_and_an_example(name: str) -> None:
    prose, _, example = inspect.getdoc(WRITTEN[name]).partition(">>> ")  # type: ignore[union-attr]
    assert example and re.search(r"\b[A-Z]\w+Error\b|[Ee]rrors|:func:`", prose)
    assert re.search(r"dtype|float|integers|int64|bool|:func:`", prose)
    assert functions.BY_HAND.get(name, WRITTEN[name]) is WRITTEN[name]


def test_the_ways_to_make_an_op_have_an_example() -> None:
    assert {"tilewright.compiler.op", "tilewright.compiler.trace"} <= {m for m in MODULES if examples(m)}


@pytest.mark.parametrize("name", [n for n in tw.__all__ if callable(getattr(tw, n))])
def test_public_names_are_documented(name: str) -> None:
    doc = inspect.getdoc(getattr(tw, name))
    assert doc and len(doc) > 20, name


@pytest.mark.parametrize("module", MODULES)
def test_modules_say_what_they_are(module: str) -> None:
    assert importlib.import_module(module).__doc__
