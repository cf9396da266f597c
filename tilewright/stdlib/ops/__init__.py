"""The shipped operators, each defined in a ``.tw`` file of this folder: ``tw.ops.softmax(x)``."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from tilewright.compiler.op import Op, load_ops


@cache
def _all() -> dict[str, Op]:
    found: dict[str, Op] = {}
    for file in sorted(files(__package__).iterdir(), key=lambda f: f.name):
        if file.name.endswith(".tw"):
            found |= load_ops(file.read_text(encoding="utf-8"), file.name)
    return found


def names() -> list[str]:
    """The names of all shipped operators."""
    return list(_all())


def get(name: str) -> Op:
    """The shipped operator called ``name``; AttributeError if there is none."""
    if name not in _all():
        raise AttributeError(f"there is no shipped op {name!r}; there are {', '.join(_all())}")
    return _all()[name]


def __getattr__(name: str) -> Op:
    return get(name)


def __dir__() -> list[str]:
    return ["get", "names", *names()]
