"""Ops of source texts: one that was read before is not parsed again to be called."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeAlias

from tilewright.compiler import cache
from tilewright.compiler.op import Op

if TYPE_CHECKING:
    from tilewright.compiler.definition import Definition
    from tilewright.dsl.header import Header
    from tilewright.dsl.program import Resolver

Ops: TypeAlias = dict[str, Op]

_made: dict[tuple[str, str, str, str | None], Ops] = {}


def load_ops(text: str, name: str, target: str, level: str | None, shared: Resolver) -> Ops:
    """The ops of a text by name; they may call each other and the shipped ones, which ``shared`` finds.

    ``name`` is what errors call the text.
    """
    if (target, level) != ("cpu", None):
        _check_place(target, level)
    key = text, name, target, level
    if key not in _made:
        _made[key] = _known(*key, shared) or _parsed(*key, shared)
    return _made[key]


def _check_place(target: str, level: str | None) -> None:
    from tilewright.targets.target import get_target

    get_target(target, level)


def _known(text: str, name: str, target: str, level: str | None, shared: Resolver) -> Ops:
    """The ops of a text that was read before; none if it was not."""
    headers = cache.find_headers(text) or []
    return {h.name: Op(h, _definer(h, text, name, shared), target, level) for h in headers}


def _definer(header: Header, text: str, name: str, shared: Resolver) -> Callable[[], Definition]:
    def define() -> Definition:
        return _parsed(text, name, "cpu", None, shared)[header.name].definition

    return define


def _parsed(text: str, name: str, target: str, level: str | None, shared: Resolver) -> Ops:
    from tilewright.targets import begin

    begin(target)
    from tilewright.compiler import definition

    ops = definition.load_ops(text, name, target, level, shared)
    cache.keep_headers(text, [op.header for op in ops.values()])
    return ops
