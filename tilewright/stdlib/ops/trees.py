"""The syntax trees of the shipped operators."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tilewright.dsl import syntax as ast
from tilewright.dsl.digest import Digest
from tilewright.stdlib.ops.folder import TREES, Made, text, texts


def trees() -> Mapping[str, ast.Op]:
    """All of them; only files that the build did not see are parsed."""
    digest = Digest(text(TREES))
    makers: dict[str, Callable[[], ast.Op]] = {}
    for name, source in texts().items():
        makers.update(digest.ops(source, name) or _parsed(source, name))
    return Made(makers)


def _parsed(source: str, name: str) -> dict[str, Callable[[], ast.Op]]:
    from tilewright.dsl.parse import parse

    return {op.name: lambda op=op: op for op in parse(source, name).ops}  # type: ignore[misc]
