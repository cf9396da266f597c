"""The syntax trees of the shipped operators."""

from __future__ import annotations

from collections.abc import Mapping

from tilewright.dsl import syntax as ast
from tilewright.dsl.digest import Digest
from tilewright.dsl.parse import parse
from tilewright.stdlib.ops.folder import TREES, text, texts


def trees() -> Mapping[str, ast.Op]:
    """By name; only files that the build did not see are parsed."""
    digest = Digest(text(TREES))
    modules = [digest.module(source, name) or parse(source, name) for name, source in texts().items()]
    return {op.name: op for module in modules for op in module.ops}
