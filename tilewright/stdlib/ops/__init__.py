"""The shipped operators, each defined in a ``.tw`` file of this folder: ``tw.ops.softmax(x)``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from tilewright.compiler.op import Op, op_of
from tilewright.dsl import syntax as ast
from tilewright.dsl.digest import Digest
from tilewright.dsl.parse import parse
from tilewright.dsl.program import nearest
from tilewright.stdlib.families import concat, einsum, getitem, stack

__all__ = ["concat", "definitions", "einsum", "get", "getitem", "names", "stack"]


@cache
def _definitions() -> Mapping[str, ast.Op]:
    folder = {file.name: file.read_text(encoding="utf-8") for file in files(__package__).iterdir() if file.is_file()}
    digest = Digest(folder.get("digest.json"))
    sources = [(name, text) for name, text in sorted(folder.items()) if name.endswith(".tw")]
    modules = [digest.module(text, name) or parse(text, name) for name, text in sources]
    return {op.name: op for module in modules for op in module.ops}


def definitions(caller: ast.Op | None = None) -> Mapping[str, ast.Op]:
    """The definitions of the shipped operators by name: those that every op can call."""
    return _definitions()


@cache
def _all() -> dict[str, Op]:
    return {name: op_of(found, shared=definitions) for name, found in _definitions().items()}


def names() -> list[str]:
    """The names of all shipped operators."""
    return list(_all())


def get(name: str) -> Op:
    """The shipped operator called ``name``; AttributeError if there is none."""
    if name not in _all():
        hint = nearest(name, __dir__()) or "tw.ops.names() lists them"
        raise AttributeError(f"there is no shipped op {name!r}: {hint}")
    return _all()[name]


def __getattr__(name: str) -> Op:
    return get(name)


def __dir__() -> list[str]:
    return [*__all__, *names()]
