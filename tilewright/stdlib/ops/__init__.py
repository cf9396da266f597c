"""The shipped operators, each defined in a ``.tw`` file of this folder: ``tw.ops.softmax(x)``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from tilewright.compiler.op import Op
from tilewright.stdlib.ops.folder import built_headers

if TYPE_CHECKING:
    from tilewright.compiler.definition import Definition
    from tilewright.dsl import syntax as ast
    from tilewright.dsl.header import Header
    from tilewright.stdlib.families import concat, einsum, getitem, stack

__all__ = ["concat", "definitions", "einsum", "get", "getitem", "header", "names", "stack"]

_FAMILIES = ("concat", "einsum", "getitem", "stack")


@cache
def _definitions() -> Mapping[str, ast.Op]:
    from tilewright.stdlib.ops.trees import trees

    return trees()


def definitions(caller: ast.Op | None = None) -> Mapping[str, ast.Op]:
    """The definitions of the shipped operators by name: those that every op can call."""
    return _definitions()


def _definition(name: str) -> Definition:
    from tilewright.compiler.definition import Definition

    return Definition(_definitions()[name], definitions)


@cache
def _headers() -> Mapping[str, Header]:
    """The headers of all shipped operators by name, as the build wrote them if the files are those that it saw."""
    return built_headers() or {name: _definition(name).header for name in _definitions()}


@cache
def _op(name: str) -> Op:
    return Op(_headers()[name], lambda: _definition(name))


def header(name: str) -> Header:
    """What calling the shipped operator ``name`` takes."""
    return _headers()[name]


def names() -> list[str]:
    """The names of all shipped operators."""
    return list(_headers())


def get(name: str) -> Op:
    """The shipped operator called ``name``; AttributeError if there is none."""
    if name not in _headers():
        from tilewright.dsl.program import nearest

        hint = nearest(name, __dir__()) or "tw.ops.names() lists them"
        raise AttributeError(f"there is no shipped op {name!r}: {hint}")
    return _op(name)


def __getattr__(name: str) -> Any:
    if name in _FAMILIES:
        from tilewright.stdlib import families

        return getattr(families, name)
    return get(name)


def __dir__() -> list[str]:
    return [*__all__, *names()]
