"""The array API standard over Tilewright's ops: see :mod:`tilewright.stdlib.array_api`."""

from typing import Any

from tilewright.stdlib import array_api as _namespace

__all__ = _namespace.__all__
__array_api_version__ = _namespace.__array_api_version__


def __getattr__(name: str) -> Any:
    return getattr(_namespace, name)


def __dir__() -> list[str]:
    return __all__
