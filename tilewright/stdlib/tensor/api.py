"""The functions of tensors as attributes; ``api.pyi``, which ``make docs`` writes, lists them."""

from __future__ import annotations

from typing import Any

from tilewright.stdlib.tensor import functions


def __getattr__(name: str) -> Any:
    return functions.get(name)


def __dir__() -> list[str]:
    return list(functions.names())
