"""The syntax trees of the shipped operators."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tilewright.dsl import syntax as ast
from tilewright.dsl.digest import Digest
from tilewright.stdlib.ops.folder import TREES, text, texts


class Trees(Mapping[str, ast.Op]):
    """By name, each made when it is asked for."""

    def __init__(self, makers: Mapping[str, Callable[[], ast.Op]]) -> None:
        self._makers = makers
        self._made: dict[str, ast.Op] = {}

    def __getitem__(self, name: str) -> ast.Op:
        if name not in self._made:
            self._made[name] = self._makers[name]()
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)


def trees() -> Trees:
    """All of them; only files that the build did not see are parsed."""
    digest = Digest(text(TREES))
    makers: dict[str, Callable[[], ast.Op]] = {}
    for name, source in texts().items():
        makers.update(digest.ops(source, name) or _parsed(source, name))
    return Trees(makers)


def _parsed(source: str, name: str) -> dict[str, Callable[[], ast.Op]]:
    from tilewright.dsl.parse import parse

    return {op.name: lambda op=op: op for op in parse(source, name).ops}  # type: ignore[misc]
